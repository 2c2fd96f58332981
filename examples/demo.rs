//! The whole job, three times, against a simulated service: one green run, one red run, one key without permission.
//!
//! `cargo run --example demo`; needs nothing but Rust.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{fs, io};

use nunu_sim::{DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_KEY, DEFAULT_TEST, Scenario, Sim, UPLOAD_ONLY_KEY};

/// Size of the build: a single part, quickly made.
const BUILD_BYTES: usize = 3_000_000;

fn main() -> ExitCode {
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<(), Box<dyn Error>> {
    let program = build_program()?;
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/demo");
    let _ = fs::remove_dir_all(&home);
    let mut out = io::stdout();
    let acts = [
        ("1. A green run: upload, start, wait, report", "passed", DEFAULT_KEY, 0),
        ("2. A test fails: exit code 1, and the report says why", "failed", DEFAULT_KEY, 1),
        ("3. A key that may only upload: nothing is sent, exit code 3", "passed", UPLOAD_ONLY_KEY, 3),
    ];
    for (number, (title, scenario, key, expected)) in acts.into_iter().enumerate() {
        let folder = home.join(format!("act-{}", number + 1));
        fs::create_dir_all(folder.join("temp"))?;
        make_build(&folder.join("Game.apk"))?;
        writeln!(out, "\n━━━ {title}\n")?;
        let scenario = Scenario::named(scenario).ok_or("the simulator lost a scenario")?;
        let sim = Sim::builder().scenario(scenario).speed(10.0).start()?;
        let status = job(&program, &folder, &sim, key).status()?;
        let code = status.code().unwrap_or(-1);
        writeln!(
            out,
            "\nexit code {code}; the simulator saw {} start(s) and {} upload(s)",
            sim.effective_starts(),
            sim.ledger().builds.len()
        )?;
        for name in ["summary.md", "junit.xml", "results.json"] {
            writeln!(out, "  {}", folder.join("nunu-results").join(name).display())?;
        }
        if code != expected {
            return Err(format!("act {} ended with exit code {code}, not {expected}", number + 1).into());
        }
    }
    writeln!(out, "\nThe same with your own project: nunu-ci init, then nunu-ci check.")?;
    Ok(())
}

/// The program as a GitHub runner starts it.
fn job(program: &Path, folder: &Path, sim: &Sim, key: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args([
            "run",
            "--build-path",
            "Game.apk",
            "--test-id",
            DEFAULT_TEST,
            "--deployment-config-id",
            DEFAULT_DEPLOYMENT_CONFIG,
        ])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_REPOSITORY", "acme/game")
        .env("GITHUB_RUN_ID", "4711")
        .env("GITHUB_RUN_ATTEMPT", "1")
        .env("GITHUB_JOB", "play-test")
        .env("GITHUB_OUTPUT", folder.join("temp/output"))
        .env("GITHUB_STEP_SUMMARY", folder.join("temp/summary"))
        .env("RUNNER_TEMP", folder.join("temp"))
        .env("NUNU_API_URL", sim.api_url())
        .env("NUNU_API_TOKEN", key);
    command
}

/// Examples do not build the program they are about.
fn build_program() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--bin", "nunu-ci"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    if !status.success() {
        return Err("cargo build failed".into());
    }
    // This file runs as target/<profile>/examples/demo.
    let here = std::env::current_exe()?;
    let target = here.ancestors().nth(3).ok_or("the example lies somewhere unexpected")?;
    Ok(target.join("debug").join(format!("nunu-ci{}", std::env::consts::EXE_SUFFIX)))
}

/// A small archive that passes the checks for an APK: stored, with ARM64 code.
fn make_build(path: &Path) -> io::Result<()> {
    let mut zip = zip::ZipWriter::new(fs::File::create(path)?);
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("AndroidManifest.xml", stored)?;
    zip.write_all(b"demo")?;
    zip.start_file("lib/arm64-v8a/libgame.so", stored)?;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..BUILD_BYTES / 8 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        zip.write_all(&seed.to_le_bytes())?;
    }
    zip.finish()?;
    Ok(())
}
