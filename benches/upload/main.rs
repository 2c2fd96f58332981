//! What an upload costs beside `sha256sum` and `curl -T` of the same file to the same storage, in one run on one machine.
//!
//! ```text
//! cargo bench --bench upload                   # 1 GiB
//! cargo bench --bench upload -- 10M 100M 1G 8G # these sizes
//! cargo bench --bench upload -- links          # links of every kind, TLS, nginx; beside curl and rclone, when they are there
//! cargo bench --bench upload -- links slow 2G  # one of them, with another size
//! cargo bench --bench upload -- folder         # a folder of 10,000 files
//! cargo bench --bench upload -- growth         # the program: sizes of builds, numbers of jobs
//! ```
//!
//! Each upload runs in a process of its own (this program, started again), so that its memory and processor time are its own.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod growth;
mod links;
mod sink;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nunu_ci::internals;
use nunu_sim::Sim;

/// How often each way is measured.
const RUNS: usize = 3;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [worker, origin, path, multipart, reuse, parallel] = arguments.as_slice()
        && worker == "--worker"
    {
        return upload(origin, path, multipart, reuse == "reuse", parallel.parse().ok());
    }
    if let [worker, folder, size] = arguments.as_slice()
        && worker == "--zip"
    {
        return zip(folder, size);
    }
    match arguments.first().map(String::as_str) {
        Some("links") => return links::table(&arguments[1..]),
        Some("growth") => return growth::tables(),
        Some("folder") => return growth::folder(),
        _ => {}
    }
    let sizes = if arguments.is_empty() { vec!["1G".to_owned()] } else { arguments };
    let dir = tempfile::tempdir()?;
    println!("| size | what | wall | MB/s | CPU s/GiB | peak memory | beside curl |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for size in sizes {
        compare(dir.path(), &size)?;
    }
    Ok(())
}

/// One size: the file, the other programs, and every way of ours, to both storages.
fn compare(dir: &Path, size: &str) -> anyhow::Result<()> {
    let bytes = parse(size)?;
    let path = dir.join(format!("game-{size}.bin"));
    generate(&path, bytes)?;
    // Once, so that the page cache is as warm for the first as for the last.
    std::io::copy(&mut File::open(&path)?, &mut std::io::sink())?;
    let hash = median(|| measure(Command::new("sha256sum").arg(&path)))?;
    show(size, bytes, "sha256sum", &hash, None);
    for storage in [Storage::Sink, Storage::Simulator] {
        let to = storage.name();
        let curl = median(|| {
            storage.run(|origin| {
                let url = presigned(origin, bytes)?;
                measure(Command::new("curl").args(["-sS", "--fail", "-T"]).arg(&path).arg(url))
            })
        })?;
        show(size, bytes, &format!("curl -T to {to}"), &curl, None);
        for (multipart, reuse) in [("never", false), ("always", false), ("never", true), ("always", true)] {
            // The service takes no more in one piece.
            if multipart == "never" && bytes > 3 << 30 {
                continue;
            }
            let word = if reuse { "reuse" } else { "send" };
            let ours = median(|| {
                storage.run(|origin| {
                    let program = std::env::current_exe()?;
                    measure(
                        Command::new(program)
                            .args(["--worker", origin])
                            .arg(&path)
                            .args([multipart, word, "auto"]),
                    )
                })
            })?;
            let pieces = if multipart == "never" { "one piece" } else { "parts" };
            let hashed = if reuse { "hashed first" } else { "hashed on the way" };
            let beside = if reuse { hash.wall + curl.wall } else { curl.wall };
            show(size, bytes, &format!("ours to {to}, {pieces}, {hashed}"), &ours, Some(beside));
        }
    }
    std::fs::remove_file(&path)?;
    Ok(())
}

/// Where the bytes go.
#[derive(Clone, Copy)]
enum Storage {
    /// Takes bytes and forgets them.
    Sink,
    /// Checks signatures, hashes, writes to disk, and joins the parts afterwards.
    Simulator,
}

impl Storage {
    fn name(self) -> &'static str {
        match self {
            Self::Sink => "a sink",
            Self::Simulator => "the simulator",
        }
    }

    /// Runs `work` with the origin of a fresh service, so that nothing is stored there already.
    fn run<T>(self, work: impl FnOnce(&str) -> anyhow::Result<T>) -> anyhow::Result<T> {
        match self {
            Self::Sink => work(&sink::start(sink::Shape::of(sink::Link::default()))?.0),
            Self::Simulator => {
                let sim = Sim::builder().multipart_from(u64::MAX).start()?;
                let result = work(&sim.api_url())?;
                let broken = sim.ledger().violations;
                anyhow::ensure!(broken.is_empty(), "the service complains: {broken:?}");
                Ok(result)
            }
        }
    }
}

/// The upload itself, as the program does it.
#[tokio::main]
async fn upload(
    origin: &str,
    path: &str,
    multipart: &str,
    reuse: bool,
    parallel: Option<usize>,
) -> anyhow::Result<()> {
    internals::upload(origin, nunu_sim::DEFAULT_KEY, path, multipart == "always", reuse, parallel).await
}

/// The zip of a folder, and its size for whoever asked.
#[tokio::main]
async fn zip(folder: &str, size: &str) -> anyhow::Result<()> {
    Ok(std::fs::write(size, internals::zip(folder).await?.to_string())?)
}

/// A URL to which `curl` may send.
#[tokio::main(flavor = "current_thread")]
async fn presigned(origin: &str, bytes: u64) -> anyhow::Result<String> {
    internals::install_crypto();
    let body = serde_json::json!({ "name": "curl", "file_name": "game.bin", "file_size": bytes, "platform": "linux", "multipart": false });
    let request = reqwest::ClientBuilder::new().build()?.post(format!("{origin}/api/v1/builds/upload"));
    let reply = request
        .header("X-Api-Key", nunu_sim::DEFAULT_KEY)
        .body(body.to_string())
        .header("Content-Type", "application/json")
        .send()
        .await?;
    let reply: serde_json::Value = serde_json::from_slice(&reply.bytes().await?)?;
    reply["upload_url"].as_str().map(str::to_owned).ok_or_else(|| anyhow::anyhow!("no URL in {reply}"))
}

/// What a program took.
struct Cost {
    wall: Duration,
    cpu: Duration,
    peak: u64,
}

/// The median of some runs, because a shared machine has moods.
fn median(mut run: impl FnMut() -> anyhow::Result<Cost>) -> anyhow::Result<Cost> {
    let mut costs = (0..RUNS).map(|_| run()).collect::<Result<Vec<_>, _>>()?;
    costs.sort_by_key(|cost| cost.wall);
    Ok(costs.swap_remove(RUNS / 2))
}

fn measure(command: &mut Command) -> anyhow::Result<Cost> {
    let before = children_cpu()?;
    let began = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let mut peak = 0;
    let status = loop {
        peak = peak.max(peak_of(child.id()));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let wall = began.elapsed();
    anyhow::ensure!(status.success(), "{command:?} failed: {status}");
    Ok(Cost { wall, cpu: children_cpu()?.saturating_sub(before), peak })
}

/// Highest memory of a process so far, in bytes.
fn peak_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Processor time of all ended children (`/proc/self/stat`, fields 16 and 17, in hundredths of a second).
fn children_cpu() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Ok(Duration::from_millis((ticks(13) + ticks(14)) * 10))
}

fn show(size: &str, bytes: u64, what: &str, cost: &Cost, beside: Option<Duration>) {
    let wall = cost.wall.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let (mb, gib) = (bytes as f64 / 1e6, bytes as f64 / f64::from(1 << 30));
    let ratio = beside.map_or_else(|| "-".to_owned(), |beside| format!("{:.2}", wall / beside.as_secs_f64()));
    println!(
        "| {size} | {what} | {wall:.2} s | {:.0} | {:.2} | {} MiB | {ratio} |",
        mb / wall,
        cost.cpu.as_secs_f64() / gib,
        cost.peak / (1 << 20)
    );
}

/// Bytes that no layer can squeeze, and quickly made.
fn generate(path: &Path, bytes: u64) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(1);
    let block: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(1 << 20).collect();
    let mut file = File::create(path)?;
    let mut left = bytes;
    while left > 0 {
        let count = usize::try_from(left.min(block.len() as u64))?;
        file.write_all(&block[..count])?;
        left -= count as u64;
    }
    Ok(file.sync_all()?)
}

fn parse(size: &str) -> anyhow::Result<u64> {
    let (number, unit) = size.split_at(size.len() - 1);
    let unit = match unit {
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => anyhow::bail!("a size is a number and M or G, not {size}"),
    };
    Ok(number.parse::<u64>()? * unit)
}
