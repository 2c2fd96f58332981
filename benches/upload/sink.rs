//! A storage that takes bytes and forgets them, with just enough of the API in front: what remains is the cost of the sender and of the
//! loopback, while the simulator's storage hashes every part, writes it to disk and joins the parts afterwards.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Bytes of a part, as the service has them.
const PART: u64 = 100 * 1024 * 1024;

/// A link in front of the sink.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// Bytes per second of all connections together.
    pub(crate) rate: u64,
    /// Round trip; every answer comes so much later, and every new connection begins so much later.
    pub(crate) round_trip: Duration,
}

/// Shares the rate of a link among connections.
struct Bucket {
    link: Link,
    /// When the bytes taken so far have passed.
    free_at: Mutex<Instant>,
}

impl Bucket {
    fn pass(&self, bytes: usize) {
        let free_at = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let time = Duration::from_nanos(bytes as u64 * 1_000_000_000 / self.link.rate);
            *free_at = (*free_at).max(Instant::now()) + time;
            *free_at
        };
        std::thread::sleep(free_at.saturating_duration_since(Instant::now()));
    }
}

/// The address it listens on; it lives as long as the program.
pub(crate) fn start(link: Option<Link>) -> std::io::Result<String> {
    let bucket = link.map(|link| Arc::new(Bucket { link, free_at: Mutex::new(Instant::now()) }));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let origin = format!("http://{}", listener.local_addr()?);
    let served = origin.clone();
    let size = Arc::new(AtomicU64::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (origin, size, bucket) = (served.clone(), Arc::clone(&size), bucket.clone());
            std::thread::spawn(move || serve(stream, &origin, &size, bucket.as_deref()));
        }
    });
    Ok(origin)
}

/// Answers requests until the connection ends.
fn serve(mut stream: TcpStream, origin: &str, size: &AtomicU64, bucket: Option<&Bucket>) -> Option<()> {
    let late = bucket.map_or(Duration::ZERO, |bucket| bucket.link.round_trip);
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
            if let Some(bucket) = bucket {
                bucket.pass(count);
            }
            if !head.starts_with("PUT") {
                body.extend_from_slice(&buffer[..count]);
            }
        }
        let text = if head.starts_with("PUT") {
            String::new()
        } else {
            answer(&head, &body, origin, size)?.to_string()
        };
        std::thread::sleep(late);
        let tag = "ETag: \"0123456789abcdef\"\r\nContent-Type: application/json\r\n";
        stream
            .write_all(
                format!("HTTP/1.1 200 OK\r\n{tag}Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes(),
            )
            .ok()?;
    }
}

fn answer(head: &str, body: &[u8], origin: &str, size: &AtomicU64) -> Option<Value> {
    let target = head.split(' ').nth(1)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Some(match (head.split(' ').next()?, path.trim_start_matches("/api/v1")) {
        ("POST", "/builds/upload") => {
            let request: Value = serde_json::from_slice(body).ok()?;
            let bytes = request["file_size"].as_u64()?;
            size.store(bytes, Ordering::Relaxed);
            let common = json!({ "build_id": "bench", "object_key": "bench/file" });
            let mut reply = common.as_object()?.clone();
            if request["multipart"] == true {
                let total = bytes.div_ceil(PART);
                reply.extend(
                    json!({ "upload_id": "bench-upload-id", "part_size": PART, "total_parts": total })
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
    })
}
