//! How cost grows with the size of the build and with the number of jobs: the built program against the simulator.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nunu_sim::{DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_KEY, DEFAULT_PLAN, DEFAULT_TEST, Plan, Sim};

use crate::sink::{self, Link};
use crate::{Cost, generate, measure, parse};

/// Prints both tables.
pub(crate) fn tables() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    println!("| build | wall | CPU s | peak memory | requests |");
    println!("| --- | --- | --- | --- | --- |");
    for size in ["10M", "100M", "1G", "8G"] {
        let path = dir.path().join("game.x86_64");
        generate(&path, parse(size)?)?;
        let sim = Sim::builder().start()?;
        let (cost, requests) =
            run(dir.path(), &sim, &["upload", "--platform", "linux", "--build-path", "game.x86_64"])?;
        row(size, &cost, requests);
        std::fs::remove_file(&path)?;
    }
    println!("\n| jobs | wall | CPU s | peak memory | requests |");
    println!("| --- | --- | --- | --- | --- |");
    for jobs in [1, 10, 100] {
        let plan = Plan::new(DEFAULT_PLAN, "Nightly", &vec![DEFAULT_TEST; jobs]);
        let sim = Sim::builder().plan(plan).start()?;
        let args =
            ["run", "--test-plan-id", DEFAULT_PLAN, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];
        let (cost, requests) = run(dir.path(), &sim, &args)?;
        row(&jobs.to_string(), &cost, requests);
    }
    Ok(())
}

/// A command of the program, and the requests in its flight recorder.
fn run(dir: &Path, sim: &Sim, args: &[&str]) -> anyhow::Result<(Cost, usize)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nunu-ci"));
    command.args(args).arg("--quiet").current_dir(dir).env_clear();
    command.env("NUNU_API_URL", sim.api_url()).env("NUNU_API_TOKEN", DEFAULT_KEY);
    let cost = measure(&mut command)?;
    let recorded = std::fs::read_to_string(dir.join("nunu-results/diagnostics.jsonl"))?;
    Ok((cost, recorded.lines().count()))
}

fn row(what: &str, cost: &Cost, requests: usize) {
    println!(
        "| {what} | {:.2} s | {:.2} | {} MiB | {requests} |",
        cost.wall.as_secs_f64(),
        cost.cpu.as_secs_f64(),
        cost.peak / (1 << 20)
    );
}

/// A folder of many files: its zip alone, the upload of that zip alone, and both as the program does them.
pub(crate) fn folder() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let folder = dir.path().join("game");
    files(&folder)?;
    let program = std::env::current_exe()?;
    let size = dir.path().join("size");
    // Once, so that the page cache is warm for all.
    measure(Command::new(&program).arg("--zip").args([&folder, &size]))?;
    let packed = measure(Command::new(&program).arg("--zip").args([&folder, &size]))?;
    let file = dir.path().join("game.x86_64");
    generate(&file, std::fs::read_to_string(&size)?.parse()?)?;
    println!("| folder of 10,000 files, 2 GB | zip alone | upload alone | both | beside the slower |");
    println!("| --- | --- | --- | --- | --- |");
    let link = Link { rate: Some(50_000_000), each: None, round_trip: Duration::from_millis(80) };
    for (name, link) in [("a link of 50 MB/s and 80 ms", link), ("a sink on this machine", Link::default())] {
        let upload = |path: &Path| {
            let (origin, _) = sink::start(sink::Shape::of(link))?;
            measure(
                Command::new(&program).args(["--worker", &origin]).arg(path).args(["always", "send", "auto"]),
            )
        };
        let sent = upload(&file)?;
        let both = upload(&folder)?;
        let slower = packed.wall.max(sent.wall).as_secs_f64();
        let mut row = format!("| {name} |");
        for cost in [&packed, &sent, &both] {
            write!(row, " {:.1} s |", cost.wall.as_secs_f64())?;
        }
        println!("{row} {:.2} |", both.wall.as_secs_f64() / slower);
    }
    Ok(())
}

/// Half of it is packed already, as textures and sounds are; the other half is text.
fn files(folder: &Path) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(2);
    let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(400_000).collect();
    let mut text = String::new();
    while text.len() < 400_000 {
        writeln!(text, "entity {} at {} {}", random.u16(..), random.f32(), random.f32())?;
    }
    for number in 0..10_000 {
        let part = folder.join(format!("level-{:02}", number / 100));
        if number % 100 == 0 {
            std::fs::create_dir_all(&part)?;
        }
        let at = random.usize(..200_000);
        let (name, bytes) = if number % 2 == 0 {
            (format!("texture-{number}.png"), &noise[at..at + 200_000])
        } else {
            (format!("script-{number}.txt"), &text.as_bytes()[at..at + 200_000])
        };
        std::fs::write(part.join(name), bytes)?;
    }
    Ok(())
}
