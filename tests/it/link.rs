//! Things to put between the program and the service: a slow, lossy line, and a company's proxy with a certificate of its own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;

/// Bytes of a segment on Ethernet.
const SEGMENT: usize = 1448;
/// Bytes that are moved at once.
const PIECE: usize = 8 * 1024;
/// Pieces under way in each direction of a connection.
const WINDOW: usize = 32;

/// How a line treats what passes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Line {
    /// Bytes per second in each direction, all connections together; 0: no limit.
    pub(crate) rate: u64,
    /// One way.
    pub(crate) delay: Duration,
    /// Segments of a thousand that are lost and sent again, which holds up all that follow.
    pub(crate) lost: u64,
    /// The first of every so many connections is reset somewhere in its first 200 kB; 0: none.
    pub(crate) reset_every: usize,
}

/// A line to one address, which is told later.
pub(crate) struct Link {
    pub(crate) origin: String,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

struct Shared {
    target: OnceLock<SocketAddr>,
    line: Line,
    /// When each direction is free again.
    free: [Mutex<Instant>; 2],
    random: AtomicU64,
    connections: AtomicUsize,
    resets: AtomicUsize,
    losses: AtomicUsize,
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

impl Link {
    /// Listens at `at`; `None` when this machine has no such address.
    pub(crate) fn listen(at: &str, line: Line) -> Option<Self> {
        let runtime = runtime();
        let listener = runtime.block_on(TcpListener::bind(at)).ok()?;
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let entered = runtime.enter();
        let free = [Mutex::new(Instant::now()), Mutex::new(Instant::now())];
        drop(entered);
        let shared = Arc::new(Shared {
            target: OnceLock::new(),
            line,
            free,
            random: AtomicU64::new(0x9e37_79b9_7f4a_7c15),
            connections: AtomicUsize::new(0),
            resets: AtomicUsize::new(0),
            losses: AtomicUsize::new(0),
        });
        let all = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, Arc::clone(&all)));
            }
        });
        Some(Self { origin, shared, runtime: Some(runtime) })
    }

    /// Where the line leads to: an origin of a simulator.
    pub(crate) fn to(&self, origin: &str) {
        self.shared.target.set(address(origin)).unwrap();
    }

    /// Connections, resets and lost segments so far.
    pub(crate) fn told(&self) -> (usize, usize, usize) {
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        (count(&self.shared.connections), count(&self.shared.resets), count(&self.shared.losses))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

fn address(origin: &str) -> SocketAddr {
    origin.trim_start_matches("http://").parse().unwrap()
}

impl Shared {
    fn random(&self) -> u64 {
        let seed = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 27)
    }

    /// When a piece that arrives now comes out at the other end.
    fn due(&self, direction: usize, bytes: usize) -> Instant {
        let mut free = self.free[direction].lock().unwrap_or_else(PoisonError::into_inner);
        let sent = (*free).max(Instant::now())
            + Duration::from_micros((bytes as u64 * 1_000_000).checked_div(self.line.rate).unwrap_or(0));
        *free = sent;
        sent + self.line.delay
    }

    /// How long the segments of a piece are held up because one was lost: a round trip.
    fn held_up(&self, bytes: usize) -> Duration {
        let lost = (0..bytes.div_ceil(SEGMENT)).filter(|_| self.random() % 1000 < self.line.lost).count();
        self.losses.fetch_add(lost, Ordering::Relaxed);
        if lost > 0 { self.line.delay * 2 } else { Duration::ZERO }
    }
}

async fn carry(near: TcpStream, shared: Arc<Shared>) {
    let Some(target) = shared.target.get() else { return };
    let Ok(far) = TcpStream::connect(target).await else { return };
    let number = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
    let every = shared.line.reset_every;
    let doomed = every > 0 && number % every == 1;
    let most = if doomed { shared.random() % 200_000 } else { u64::MAX };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let up = pump(near_in, far_out, Arc::clone(&shared), 0, most);
    let down = pump(far_in, near_out, Arc::clone(&shared), 1, u64::MAX);
    tokio::select! {
        broken = up => {
            if broken {
                shared.resets.fetch_add(1, Ordering::Relaxed);
            }
        }
        _ = down => {}
    }
}

/// Moves bytes until the end or until `most` have passed, and then true: the connection is to break.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: Arc<Shared>,
    direction: usize,
    most: u64,
) -> bool {
    let (pieces, mut arriving) = tokio::sync::mpsc::channel::<(Instant, Vec<u8>)>(WINDOW);
    let line = Arc::clone(&shared);
    let reading = async move {
        let mut passed = 0;
        let mut buffer = vec![0; PIECE];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            passed += count as u64;
            if passed > most {
                // What was not read is answered with a reset.
                let _ = from.as_ref().set_zero_linger();
                return true;
            }
            if pieces.send((line.due(direction, count), buffer[..count].to_vec())).await.is_err() {
                break;
            }
        }
        false
    };
    let writing = async move {
        let mut held = Instant::now();
        while let Some((due, piece)) = arriving.recv().await {
            held = held.max(due) + shared.held_up(piece.len());
            sleep_until(held).await;
            if to.write_all(&piece).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing).0
}

/// An HTTP proxy that opens TLS with a certificate of its company's CA, as inspecting firewalls do: `nunu.test` is the API, and
/// `storage.nunu.test` the storage.
pub(crate) struct Inspector {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    runtime: Option<Runtime>,
}

const CERTIFICATE: &[u8] = include_bytes!("../fixtures/tls/company.der");
const KEY: &[u8] = include_bytes!("../fixtures/tls/company-key.der");
/// The company's CA, which signed the certificate.
pub(crate) const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/company-ca.pem");

impl Inspector {
    /// A proxy in front of these origins.
    pub(crate) fn open(api: &str, storage: &str) -> Self {
        let config =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![CertificateDer::from(CERTIFICATE)],
                    PrivateKeyDer::try_from(KEY).unwrap(),
                )
                .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let at = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, hosts) = (Arc::clone(&asked), [address(api), address(storage)]);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(inspect(stream, acceptor.clone(), Arc::clone(&log), hosts));
            }
        });
        Self { address: at, asked, runtime: Some(runtime) }
    }

    /// The hosts that a tunnel was asked for, one entry a tunnel.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Inspector {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

async fn inspect(
    mut stream: TcpStream,
    acceptor: TlsAcceptor,
    log: Arc<Mutex<Vec<String>>>,
    [api, storage]: [SocketAddr; 2],
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 4096 {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let host = head.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned();
    log.lock().unwrap().push(host.clone());
    let target = match host.as_str() {
        "nunu.test:443" => api,
        "storage.nunu.test:443" => storage,
        _ => {
            stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await.ok()?;
            return None;
        }
    };
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    let mut near = acceptor.accept(stream).await.ok()?;
    let mut far = TcpStream::connect(target).await.ok()?;
    copy_bidirectional(&mut near, &mut far).await.ok()?;
    Some(())
}
