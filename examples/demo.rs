//! The whole job, three times, against a simulated service: one green run, one red run, one key without permission.
//!
//! `cargo run --example demo`; needs nothing but Rust. The jobs run in processes of their own, as in a pipeline: this very file, started
//! with `nunu-ci` as its first argument, is the program.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use std::{fs, io};

use nunu_ci::{Invocation, run};
use nunu_sim::{
    DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_KEY, DEFAULT_TEST, Scenario, Script, Sim, UPLOAD_ONLY_KEY,
};

/// Size of the build: a single part, quickly made.
const BUILD_BYTES: usize = 3_000_000;
/// Where the pages of errors lie on the web, and here.
const PAGES: [&str; 2] = ["https://github.com/OWNER/nunu-ci/blob/main/docs/", "docs/"];

/// How addresses of the simulated service begin.
const SERVICE: &str = "http://127.0.0.1";

struct Act {
    title: &'static str,
    script: Script,
    key: &'static str,
    exit_code: i32,
}

fn main() -> ExitCode {
    let ended = match std::env::args().nth(1).as_deref() {
        Some("nunu-ci") => {
            return run(Invocation::of_this_process(std::env::args_os().skip(1))).exit_code().into();
        }
        Some(other) => Err(format!("{other}: the demo takes no arguments").into()),
        None => demo(),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<(), Box<dyn Error>> {
    // Long enough to be watched, short enough for three.
    let slowly = |result| Script::new(result).runs_for(Duration::from_millis(600));
    let acts = [
        Act {
            title: "1 of 3: the test passes (exit code 0)",
            script: slowly("SUCCESS"),
            key: DEFAULT_KEY,
            exit_code: 0,
        },
        Act {
            title: "2 of 3: the test fails (exit code 1)",
            script: slowly("FAILED"),
            key: DEFAULT_KEY,
            exit_code: 1,
        },
        Act {
            title: "3 of 3: the API key may not start runs (exit code 3); nothing is sent",
            script: slowly("SUCCESS"),
            key: UPLOAD_ONLY_KEY,
            exit_code: 3,
        },
    ];
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/demo");
    let _ = fs::remove_dir_all(&home);
    say("Three jobs, as a pipeline would run them, against a service that is simulated on this machine.")?;
    say(
        "Nothing leaves it, and nothing is paid for. Links to the dashboard are left out: the service ends with each job.",
    )?;
    let folders = ["passed", "failed", "no-permission"];
    for (act, folder) in acts.into_iter().zip(folders) {
        play(act, &home.join(folder))?;
    }
    say("\nWhat a job leaves behind, for people and for machines:")?;
    for file in ["report.html", "summary.md", "junit.xml", "results.json"] {
        let path = home.join("failed/nunu-results").join(file);
        if path.exists() {
            say(&format!("  {}", shortened(&path)))?;
        }
    }
    say("\nThe same with your own project:")?;
    say("  cargo run -- init     writes a run config and a workflow for your CI")?;
    say("  cargo run -- check    tells what would happen, and whether the API key is good for it")?;
    Ok(())
}

fn play(act: Act, folder: &Path) -> Result<(), Box<dyn Error>> {
    say(&format!("\n━━━ {}\n", act.title))?;
    fs::create_dir_all(folder)?;
    make_build(&folder.join("Game.apk"))?;
    let sim = Sim::builder().scenario(Scenario::of(act.script)).start()?;
    let mut job = job(folder, &sim, act.key)?;
    say(&format!(
        "$ nunu-ci run --build-path Game.apk --test-id {DEFAULT_TEST} \\\n    --deployment-config-id {DEFAULT_DEPLOYMENT_CONFIG}"
    ))?;
    let mut child = job.spawn()?;
    for line in child.stderr.take().map(BufReader::new).into_iter().flat_map(BufReader::lines) {
        show(&line?)?;
    }
    let code = child.wait()?.code().unwrap_or(-1);
    let results = folder.join("nunu-results");
    say(&format!(
        "\nThe job's summary, as a pull request shows it ({}):\n",
        shortened(&results.join("summary.md"))
    ))?;
    let mut hidden = false;
    for line in fs::read_to_string(results.join("summary.md"))?.lines() {
        hidden |= line.starts_with("<details>");
        if !hidden {
            show(line)?;
        }
        hidden &= line != "</details>";
    }
    if code != act.exit_code {
        return Err(format!("the job ended with exit code {code}, not {}", act.exit_code).into());
    }
    let (builds, starts) = (sim.ledger().builds.len(), sim.effective_starts());
    say(&format!("\nExit code {code}. The service was sent: builds {builds}, starts {starts}."))?;
    Ok(())
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// Shows a line of the job without links that lead nowhere, and without what only a web page needs.
fn show(line: &str) -> io::Result<()> {
    // The commit is that of this checkout, which is not the game's.
    if line.trim_start().starts_with(SERVICE) || line.starts_with("**Commit**") {
        return Ok(());
    }
    // That the service is another one than usual was said at the beginning.
    if line.starts_with(&format!("requests go to {SERVICE}")) {
        return Ok(());
    }
    let line = line.split(&format!(", watch it at {SERVICE}")).next().unwrap_or(line);
    let mut shown = without_links(line).replace(PAGES[0], PAGES[1]);
    for (web, text) in [("<br>", ""), ("&gt;", ">"), ("&lt;", "<"), ("&amp;", "&"), ("\\`", "`")] {
        shown = shown.replace(web, text);
    }
    say(&format!("  {}", shown.trim_end()))
}

/// `[words](http://127.0.0.1…)` becomes `words`.
fn without_links(line: &str) -> String {
    let mut shown = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(&format!("]({SERVICE}")) {
        let (begin, words) = before.rsplit_once('[').unwrap_or(("", before));
        shown.push_str(begin);
        shown.push_str(words);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    shown + rest
}

/// A path below the project, for people.
fn shortened(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).display().to_string()
}

/// The program in a folder of its own, with nothing of this environment but what a process needs.
fn job(folder: &Path, sim: &Sim, key: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["nunu-ci", "run", "--build-path", "Game.apk", "--test-id", DEFAULT_TEST])
        .args(["--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("NUNU_API_URL", sim.api_url())
        .env("NUNU_API_TOKEN", key)
        .env("NUNU_POLL", "1s")
        .env("NUNU_NAME", "Game 1.4.2")
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    // Windows needs it for sockets and temporary folders.
    for name in ["SYSTEMROOT", "TEMP", "TMP"] {
        command.envs(std::env::vars().filter(|(known, _)| known.eq_ignore_ascii_case(name)));
    }
    Ok(command)
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
