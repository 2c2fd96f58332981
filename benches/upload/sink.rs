//! A storage that takes bytes and forgets them, with just enough of the API (and of S3, for other programs) in front: what remains is the
//! cost of the sender and of the loopback, while the simulator's storage hashes every part, writes it to disk and joins the parts afterwards.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

/// Bytes of a part, as the service has them.
pub(crate) const PART: u64 = 100 * 1024 * 1024;

/// A certificate for 127.0.0.1, its key, and the CA that signed it.
pub(crate) const CERTIFICATE: &[u8] = include_bytes!("../../tests/fixtures/tls/server.der");
pub(crate) const KEY: &[u8] = include_bytes!("../../tests/fixtures/tls/server-key.der");
pub(crate) const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/ca.pem");

/// A link in front of the sink; rates are bytes per second.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Link {
    /// Of all connections together.
    pub(crate) rate: Option<u64>,
    /// Of each connection.
    pub(crate) each: Option<u64>,
    /// Round trip; every answer comes so much later, and every new connection begins so much later.
    pub(crate) round_trip: Duration,
}

/// Where the bytes go.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) link: Link,
    pub(crate) tls: bool,
    pub(crate) part_size: u64,
    /// Another server that takes the bytes.
    pub(crate) storage: Option<String>,
}

impl Shape {
    /// Parts as the service has them, without TLS.
    pub(crate) fn of(link: Link) -> Self {
        Self { link, tls: false, part_size: PART, storage: None }
    }
}

/// A rate that connections share.
struct Bucket {
    rate: u64,
    /// When the bytes taken so far have passed.
    free_at: Mutex<Instant>,
}

impl Bucket {
    fn new(rate: u64) -> Self {
        Self { rate, free_at: Mutex::new(Instant::now()) }
    }

    fn pass(&self, bytes: usize) {
        let free_at = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let time = Duration::from_nanos(bytes as u64 * 1_000_000_000 / self.rate);
            *free_at = (*free_at).max(Instant::now()) + time;
            *free_at
        };
        std::thread::sleep(free_at.saturating_duration_since(Instant::now()));
    }
}

/// What all connections share.
struct Sink {
    shape: Shape,
    /// Where clients send parts to.
    storage: String,
    shared: Option<Bucket>,
    size: AtomicU64,
}

/// The addresses of the API and of storage; they live as long as the program.
pub(crate) fn start(shape: Shape) -> anyhow::Result<(String, String)> {
    let (api, storage) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    let origin = format!("http://{}", api.local_addr()?);
    let scheme = if shape.tls { "https" } else { "http" };
    let own = format!("{scheme}://{}", storage.local_addr()?);
    let sink = Arc::new(Sink {
        storage: shape.storage.clone().unwrap_or(own),
        shared: shape.link.rate.map(Bucket::new),
        size: AtomicU64::new(0),
        shape,
    });
    let tls = if sink.shape.tls { Some(Arc::new(server_config()?)) } else { None };
    let to = sink.storage.clone();
    accept(api, &sink, None);
    accept(storage, &sink, tls);
    Ok((origin, to))
}

fn server_config() -> anyhow::Result<rustls::ServerConfig> {
    let key = PrivateKeyDer::try_from(KEY).map_err(anyhow::Error::msg)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)?)
}

fn accept(listener: TcpListener, sink: &Arc<Sink>, tls: Option<Arc<rustls::ServerConfig>>) {
    let sink = Arc::clone(sink);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (sink, tls) = (Arc::clone(&sink), tls.clone());
            std::thread::spawn(move || connection(stream, &sink, tls));
        }
    });
}

fn connection(stream: TcpStream, sink: &Sink, tls: Option<Arc<rustls::ServerConfig>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    match tls {
        None => serve(stream, sink),
        Some(config) => {
            serve(rustls::StreamOwned::new(rustls::ServerConnection::new(config).ok()?, stream), sink)
        }
    }
}

/// Answers requests until the connection ends.
fn serve(mut stream: impl Read + Write, sink: &Sink) -> Option<()> {
    let late = sink.shape.link.round_trip;
    let own = sink.shape.link.each.map(Bucket::new);
    std::thread::sleep(late);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let mut raw = Vec::new();
        let head_end = loop {
            let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
            raw.extend_from_slice(&buffer[..count]);
            if let Some(at) = raw.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = String::from_utf8_lossy(&raw[..head_end]).into_owned();
        let lower = head.to_ascii_lowercase();
        if lower.contains("expect: 100-continue") {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        }
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(Some(0), |text| text.trim().parse().ok())?;
        let mut body = raw.split_off(head_end);
        let mut have = body.len();
        while have < length {
            let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
            have += count;
            for bucket in own.iter().chain(&sink.shared) {
                bucket.pass(count);
            }
            if !head.starts_with("PUT") {
                body.extend_from_slice(&buffer[..count]);
            }
        }
        let text = if head.starts_with("PUT") { String::new() } else { answer(&head, &body, sink)? };
        std::thread::sleep(late);
        let tag = "ETag: \"0123456789abcdef\"\r\nContent-Type: application/json\r\n";
        stream
            .write_all(
                format!("HTTP/1.1 200 OK\r\n{tag}Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes(),
            )
            .ok()?;
    }
}

fn answer(head: &str, body: &[u8], sink: &Sink) -> Option<String> {
    let (size, origin) = (&sink.size, &sink.storage);
    let target = head.split(' ').nth(1)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if let Some(reply) = s3(query) {
        return Some(reply);
    }
    let reply: Value = match (head.split(' ').next()?, path.trim_start_matches("/api/v1")) {
        ("POST", "/builds/upload") => {
            let request: Value = serde_json::from_slice(body).ok()?;
            let bytes = request["file_size"].as_u64()?;
            size.store(bytes, Ordering::Relaxed);
            let common = json!({ "build_id": "bench", "object_key": "bench/file" });
            let mut reply = common.as_object()?.clone();
            if request["multipart"] == true {
                let total = bytes.div_ceil(sink.shape.part_size);
                reply.extend(
                    json!({ "upload_id": "bench-upload-id", "part_size": sink.shape.part_size, "total_parts": total })
                        .as_object()?
                        .clone(),
                );
            } else {
                reply.insert(
                    "upload_url".to_owned(),
                    format!("{origin}/storage/bench?signature=0123456789").into(),
                );
            }
            reply.into()
        }
        ("GET", "/builds/upload/parts") => {
            let numbers =
                query.split('&').find_map(|pair| pair.strip_prefix("part_numbers="))?.replace("%2C", ",");
            let urls: Vec<Value> = numbers
                .split(',')
                .filter_map(|number| number.parse::<u32>().ok())
                .map(|number| json!({ "part_number": number, "url": format!("{origin}/storage/{number}?signature=0123456789") }))
                .collect();
            json!({ "upload_urls": urls })
        }
        ("GET", "/builds") => {
            json!({ "data": [], "pagination": { "page": 0, "page_size": 20, "total_count": 0, "total_pages": 0 } })
        }
        ("GET", _) => json!({ "build_id": "bench", "size": size.load(Ordering::Relaxed), "status": "OK" }),
        _ => json!({ "status": "success" }),
    };
    Some(reply.to_string())
}

/// The beginning and the end of an upload in parts, as S3 answers them.
fn s3(query: &str) -> Option<String> {
    let names = "<Bucket>bench</Bucket><Key>bench</Key>";
    if query.starts_with("uploads") {
        return Some(format!(
            "<InitiateMultipartUploadResult>{names}<UploadId>bench</UploadId></InitiateMultipartUploadResult>"
        ));
    }
    query.starts_with("uploadId=").then(|| {
        format!(
            "<CompleteMultipartUploadResult>{names}<ETag>&quot;x&quot;</ETag></CompleteMultipartUploadResult>"
        )
    })
}
