//! The built program beside other programs over links of every kind: a fast sink, the same with TLS, a real server, slow connections, a thin
//! link, a long one. One run of each unless told otherwise: links decide these times, not the machine.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::sink::{self, Link, Shape};
use crate::{Cost, generate, measure, parse};

/// Alternating pairs where the processor decides; the row shows medians.
const PAIRS: usize = 9;

/// One kind of link.
struct Case {
    word: &'static str,
    name: &'static str,
    size: &'static str,
    runs: usize,
    link: Link,
    tls: bool,
    nginx: bool,
}

const NONE: Link = Link { rate: None, each: None, round_trip: Duration::ZERO };
const CASE: Case =
    Case { word: "sink", name: "a sink", size: "512M", runs: PAIRS, link: NONE, tls: false, nginx: false };
const MB: u64 = 1_000_000;

const CASES: [Case; 7] = [
    CASE,
    Case { word: "tls", name: "a sink with TLS", tls: true, ..CASE },
    Case { word: "nginx", name: "nginx", nginx: true, ..CASE },
    Case { word: "nginx-tls", name: "nginx with TLS", nginx: true, tls: true, ..CASE },
    Case {
        word: "slow",
        name: "10 MB/s each, 300 MB/s in all",
        size: "1G",
        runs: 1,
        link: Link { rate: Some(300 * MB), each: Some(10 * MB), round_trip: Duration::from_millis(80) },
        ..CASE
    },
    Case {
        word: "thin",
        name: "4 MB/s in all",
        size: "100M",
        runs: 1,
        link: Link { rate: Some(4 * MB), each: None, round_trip: Duration::from_millis(40) },
        ..CASE
    },
    Case {
        word: "long",
        name: "50 MB/s and 80 ms",
        size: "1G",
        runs: 1,
        link: Link { rate: Some(50 * MB), each: None, round_trip: Duration::from_millis(80) },
        ..CASE
    },
];

/// The rows of all kinds, or of the one that `arguments` name, with another size.
pub(crate) fn table(arguments: &[String]) -> anyhow::Result<()> {
    println!("| link | what | wall | MB/s | CPU s | peak memory | beside curl |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for case in &CASES {
        if arguments.first().is_none_or(|word| word == case.word) {
            rows(case, arguments.get(1).map_or(case.size, String::as_str))?;
        }
    }
    Ok(())
}

/// A program that sends the file.
#[derive(Clone, Copy)]
enum Program {
    Ours { name: &'static str, multipart: &'static str, parallel: &'static str },
    Curl,
    Rclone { parallel: &'static str },
}

const PROGRAMS: [Program; 7] = [
    Program::Curl,
    Program::Ours { name: "ours, one piece", multipart: "never", parallel: "auto" },
    Program::Ours { name: "ours, auto", multipart: "always", parallel: "auto" },
    Program::Ours { name: "ours, 4 parts", multipart: "always", parallel: "4" },
    Program::Ours { name: "ours, 16 parts", multipart: "always", parallel: "16" },
    Program::Rclone { parallel: "4" },
    Program::Rclone { parallel: "16" },
];

fn rows(case: &Case, size: &str) -> anyhow::Result<()> {
    if case.nginx && Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_err() {
        println!("| {}, {size} | there is no nginx | | | | | |", case.name);
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let (path, bytes) = (dir.path().join("game.x86_64"), parse(size)?);
    generate(&path, bytes)?;
    let server = if case.nginx { Some(Nginx::start(dir.path(), case.tls)?) } else { None };
    // Twenty parts, as 2 GB have with the service's part size.
    let part_size = bytes.div_ceil(20).clamp(5 << 20, sink::PART);
    let storage = server.as_ref().map(|server| server.origin.clone());
    let (api, storage) = sink::start(Shape { link: case.link, tls: case.tls, part_size, storage })?;
    let mut costs: Vec<Vec<Cost>> = PROGRAMS.iter().map(|_| Vec::new()).collect();
    for _ in 0..case.runs {
        for (program, costs) in PROGRAMS.iter().zip(&mut costs) {
            let skipped = case.nginx && matches!(program, Program::Rclone { .. });
            if let Some(mut command) = program.command(&path, &api, &storage, part_size)
                && !skipped
            {
                costs.push(measure(command.current_dir(dir.path()))?);
            }
        }
    }
    let mut curl = None;
    for (program, costs) in PROGRAMS.iter().zip(&mut costs) {
        costs.sort_by_key(|cost| cost.wall);
        let Some(cost) = costs.get(costs.len() / 2) else { continue };
        let curl = *curl.get_or_insert(cost.wall);
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let rate = bytes as f64 / 1e6 / cost.wall.as_secs_f64();
        println!(
            "| {}, {size} | {} | {:.2} s | {rate:.1} | {:.2} | {} MiB | {:.2} |",
            case.name,
            program.name(),
            cost.wall.as_secs_f64(),
            cost.cpu.as_secs_f64(),
            cost.peak >> 20,
            cost.wall.as_secs_f64() / curl.as_secs_f64()
        );
    }
    Ok(())
}

impl Program {
    fn name(self) -> String {
        match self {
            Self::Ours { name, .. } => name.to_owned(),
            Self::Curl => "curl -T".to_owned(),
            Self::Rclone { parallel } => format!("rclone, {parallel} parts"),
        }
    }

    /// `None` where the program is not there.
    fn command(self, path: &Path, api: &str, storage: &str, part_size: u64) -> Option<Command> {
        match self {
            Self::Ours { multipart, parallel, .. } => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_nunu-ci"));
                command
                    .args(["upload", "--quiet", "--platform", "linux", "--build-path"])
                    .arg(path)
                    .env_clear();
                command.env("NUNU_API_URL", api).env("NUNU_API_TOKEN", nunu_sim::DEFAULT_KEY);
                command.env("NUNU_MULTIPART", multipart).env("NUNU_PARALLEL", parallel);
                command.env("NUNU_BUILD_REUSE", "false").env("SSL_CERT_FILE", sink::CA);
                Some(command)
            }
            Self::Curl => {
                let mut command = Command::new("curl");
                command.args(["-sS", "--fail", "--cacert", sink::CA, "-T"]).arg(path);
                command.arg(format!("{storage}/storage/curl"));
                Some(command)
            }
            Self::Rclone { parallel } => {
                Command::new("rclone").arg("version").output().ok()?;
                let mut command = Command::new("rclone");
                command.arg("copyto").arg(path).arg("bench:bucket/key");
                command.args([
                    "--s3-no-head",
                    "--s3-no-check-bucket",
                    "--no-check-dest",
                    "--ignore-checksum",
                ]);
                command.args([
                    "--s3-disable-checksum",
                    "--s3-upload-concurrency",
                    parallel,
                    "--ca-cert",
                    sink::CA,
                ]);
                command.args(["--s3-chunk-size", &format!("{part_size}B"), "--s3-upload-cutoff", "5Mi"]);
                command.env("RCLONE_CONFIG_BENCH_TYPE", "s3").env("RCLONE_CONFIG_BENCH_PROVIDER", "Other");
                command.env("RCLONE_CONFIG_BENCH_ENDPOINT", storage).env_remove("AWS_CA_BUNDLE");
                command.env("RCLONE_CONFIG_BENCH_ACCESS_KEY_ID", "bench");
                command.env("RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY", "bench");
                Some(command)
            }
        }
    }
}

/// nginx as a receiver: it takes PUTs into a folder, and answers with an `ETag`.
struct Nginx {
    origin: String,
    child: Child,
}

impl Nginx {
    fn start(dir: &Path, tls: bool) -> anyhow::Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        for (name, kind, der) in
            [("cert.pem", "CERTIFICATE", sink::CERTIFICATE), ("key.pem", "PRIVATE KEY", sink::KEY)]
        {
            let mut file = std::fs::File::create(dir.join(name))?;
            writeln!(file, "-----BEGIN {kind}-----\n{}\n-----END {kind}-----", BASE64_STANDARD.encode(der))?;
        }
        let (dir, ssl) = (dir.display(), if tls { "ssl" } else { "" });
        let config = format!(
            "daemon off; pid {dir}/nginx.pid; error_log {dir}/nginx.log; worker_processes 1;
            events {{ worker_connections 256; }}
            http {{
                access_log off; client_body_temp_path {dir}/body; client_max_body_size 0;
                proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
                server {{
                    listen 127.0.0.1:{port} {ssl}; ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
                    root {dir}/root; dav_methods PUT; create_full_put_path on; add_header ETag '\"x\"' always;
                }}
            }}"
        );
        let file = format!("{dir}/nginx.conf");
        std::fs::write(&file, config)?;
        let mut command = Command::new("nginx");
        let mut child =
            command.args(["-e", &format!("{dir}/nginx.log"), "-c", &file]).stderr(Stdio::null()).spawn()?;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            anyhow::ensure!(child.try_wait()?.is_none(), "nginx ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        let scheme = if tls { "https" } else { "http" };
        Ok(Self { origin: format!("{scheme}://127.0.0.1:{port}"), child })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
