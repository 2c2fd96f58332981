//! The three accept loops, each of which can go away and come back at the same address.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use super::{Body, Conn, Meter};
use crate::call::Host;

/// What stands behind a listener.
pub(crate) trait Service: Clone + Send + Sync + 'static {
    /// Ends every connection.
    fn shutdown(&self) -> &CancellationToken;
    /// The most bytes per second of all connections together.
    fn rate(&self) -> Option<u64>;
    /// Whether the connection that has just been made is reset.
    fn resets(&self) -> bool;
    fn answer(self, conn: Conn, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;
}

/// A bound address of one host.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    /// Bound and never listening: while the host refuses, nobody else gets its port.
    _reserved: TcpSocket,
    open: Mutex<Option<CancellationToken>>,
}

/// All three.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) api: Listener,
    pub(crate) storage: Listener,
    pub(crate) artifacts: Listener,
}

impl Listeners {
    pub(crate) fn of(&self, host: Host) -> &Listener {
        match host {
            Host::Api => &self.api,
            Host::Storage => &self.storage,
            Host::Artifacts => &self.artifacts,
        }
    }
}

impl Listener {
    /// Binds, without accepting yet. Port 0 takes a free one.
    pub(crate) fn bind(port: u16) -> io::Result<(Self, TcpListener)> {
        let reserved = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let address = reserved.local_addr()?;
        let socket = listen(address)?;
        Ok((Self { address, _reserved: reserved, open: Mutex::new(None) }, socket))
    }

    /// Starts to accept.
    pub(crate) fn accept(&self, socket: TcpListener, service: impl Service) {
        let token = service.shutdown().child_token();
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        tokio::spawn(accept_loop(socket, service, token));
    }

    /// Closes the socket and every connection: clients are refused from now on.
    pub(crate) fn close(&self) {
        if let Some(token) = self.open.lock().unwrap_or_else(PoisonError::into_inner).take() {
            token.cancel();
        }
    }

    /// Binds the same address again.
    pub(crate) fn reopen(&self, service: &impl Service) -> io::Result<()> {
        self.close();
        self.accept(listen(self.address)?, service.clone());
        Ok(())
    }
}

/// A listening socket; the address may still be in use by connections of its predecessor.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    bound(address)?.listen(1024)
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn accept_loop(socket: TcpListener, service: impl Service, token: CancellationToken) {
    let meter = service.rate().map(Meter::new);
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let conn = Conn::new(stream, &token);
        let io = conn.io(meter.clone());
        if service.resets() {
            conn.reset_on_drop();
            continue;
        }
        tokio::spawn(serve(io, conn, service.clone()));
    }
}

async fn serve<I: AsyncRead + AsyncWrite + Unpin>(io: I, conn: Conn, service: impl Service) {
    let gone = conn.gone().clone();
    let service = service_fn(move |request| {
        let answer = service.clone().answer(conn.clone(), request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let serving = http1::Builder::new().half_close(false).serve_connection(TokioIo::new(io), service);
    tokio::select! {
        () = gone.cancelled() => {}
        _ = serving => {}
    }
}
