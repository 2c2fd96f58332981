//! A place to run the built program as a pipeline does, with a simulated service beside it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use nunu_ci::model::secrets::forms;
use nunu_sim::{Builder, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_KEY, DEFAULT_TEST, Sim};
use serde_json::Value;
use tempfile::TempDir;

/// Captures that were searched for secrets, over all tests of this process.
pub(crate) static SEARCHED: AtomicUsize = AtomicUsize::new(0);

/// A home folder, a simulator and the environment of a GitHub runner.
pub(crate) struct Stage {
    pub(crate) sim: Sim,
    home: TempDir,
    env: BTreeMap<String, String>,
}

/// What one run of the program left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) outputs: BTreeMap<String, String>,
}

impl Stage {
    /// A simulator in which every test passes.
    pub(crate) fn new() -> Self {
        Self::of(Sim::builder())
    }

    pub(crate) fn of(builder: Builder) -> Self {
        let sim = builder.start().unwrap();
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("work")).unwrap();
        fs::create_dir(home.path().join("temp")).unwrap();
        let path = |name: &str| home.path().join(name).display().to_string();
        let env = [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
            ("HOME", path("")),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("CI", "true".to_owned()),
            ("GITHUB_REPOSITORY", "acme/game".to_owned()),
            ("GITHUB_RUN_ID", "4711".to_owned()),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
            ("GITHUB_RUN_NUMBER", "17".to_owned()),
            ("GITHUB_JOB", "play-test".to_owned()),
            ("GITHUB_ACTION", "nunu".to_owned()),
            ("GITHUB_OUTPUT", path("output")),
            ("GITHUB_STEP_SUMMARY", path("summary")),
            ("RUNNER_TEMP", path("temp")),
            ("NUNU_API_URL", sim.api_url()),
            ("NUNU_API_TOKEN", DEFAULT_KEY.to_owned()),
            ("NUNU_POLL", "1s".to_owned()),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { sim, home, env }
    }

    /// Sets a variable; an empty value removes it.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            self.env.remove(name);
        } else {
            self.env.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The working directory of the job.
    pub(crate) fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// An Android build of about `size` bytes that passes the pre-checks.
    pub(crate) fn apk(&self, size: usize) -> &'static str {
        let mut bytes = vec![0; size];
        let mut seed: u64 = 0x9e37_79b9_7f4a_7c15 ^ u64::try_from(size).unwrap();
        for chunk in bytes.chunks_mut(8) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            chunk.copy_from_slice(&seed.to_le_bytes()[..chunk.len()]);
        }
        let file = fs::File::create(self.work().join("game.apk")).unwrap();
        let mut archive = zip::ZipWriter::new(file);
        let stored =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        archive.start_file("AndroidManifest.xml", stored).unwrap();
        archive.write_all(b"manifest").unwrap();
        archive.start_file("lib/arm64-v8a/libgame.so", stored).unwrap();
        archive.write_all(&bytes).unwrap();
        archive.finish().unwrap();
        "game.apk"
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) {
        let path = self.work().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.work().join(name)).unwrap_or_default()
    }

    pub(crate) fn results(&self) -> Value {
        serde_json::from_str(&self.read("nunu-results/results.json")).unwrap_or(Value::Null)
    }

    /// The program with these arguments, ready to start.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nunu-ci"));
        command.args(args).env_clear().envs(&self.env).current_dir(self.work());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// Runs the program to its end and looks for secrets in everything it left.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.end(self.spawn(args))
    }

    /// Waits for a started program.
    pub(crate) fn end(&self, child: Child) -> Ended {
        let out = child.wait_with_output().unwrap();
        let ended = Ended {
            code: out.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
            outputs: read_outputs(&fs::read_to_string(self.home.path().join("output")).unwrap_or_default()),
        };
        self.search_for_secrets(&ended);
        ended
    }

    /// The usual quick start: the default test on the default deployment configuration.
    pub(crate) fn quick(&self, more: &[&str]) -> Ended {
        let mut args =
            vec!["run", "--test-id", DEFAULT_TEST, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];
        args.extend_from_slice(more);
        self.run(&args)
    }

    pub(crate) fn state(&self) -> Value {
        let text =
            fs::read_to_string(self.home.path().join("temp/nunu-state/state.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    pub(crate) fn summary(&self) -> String {
        fs::read_to_string(self.home.path().join("summary")).unwrap_or_default()
    }

    fn search_for_secrets(&self, ended: &Ended) {
        let key = self.env.get("NUNU_API_TOKEN").map(|key| key.trim().to_owned()).unwrap_or_default();
        let mut wanted = if key.len() >= 8 { forms(&key) } else { Vec::new() };
        wanted.extend(["X-Amz-Signature=".to_owned(), "X-Amz-Credential=".to_owned()]);
        let shown = |text: &str| {
            text.lines().filter(|line| !line.starts_with("::add-mask::")).collect::<Vec<_>>().join("\n")
        };
        let mut captures =
            vec![("stdout".to_owned(), shown(&ended.stdout)), ("stderr".to_owned(), ended.stderr.clone())];
        collect(self.home.path(), &mut captures);
        for (place, text) in captures {
            SEARCHED.fetch_add(1, Ordering::Relaxed);
            for secret in &wanted {
                assert!(!text.contains(secret.as_str()), "{place} shows a secret");
            }
        }
        let ledger = self.sim.ledger();
        assert!(ledger.violations.is_empty(), "the key went where it must not: {:?}", ledger.violations);
    }
}

impl Ended {
    pub(crate) fn log(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Asserts code and reason, with the log when they differ.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, reason: &str) -> &Self {
        assert_eq!(self.code, code, "{}", self.log());
        assert_eq!(self.outputs.get("exit-reason").map(String::as_str), Some(reason), "{}", self.log());
        assert_eq!(self.outputs.get("exit-code").map(String::as_str), Some(code.to_string().as_str()));
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(self.log().contains(words), "no \"{words}\" in:\n{}", self.log());
        self
    }
}

fn collect(folder: &Path, captures: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, captures);
        } else if entry.metadata().is_ok_and(|about| about.len() < 4_000_000) {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            captures.push((path.display().to_string(), text));
        }
    }
}

/// Reads `GITHUB_OUTPUT` as the runner does; later values replace earlier ones.
fn read_outputs(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.split('\n');
    while let Some(line) = lines.next() {
        let Some((name, delimiter)) = line.split_once("<<") else { continue };
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        found.insert(name.to_owned(), value.join("\n"));
    }
    found
}

/// A line with a number for the end of the test run.
#[expect(clippy::print_stdout, reason = "the test run shows how much it covered")]
pub(crate) fn tell(line: &str) {
    println!("{line}");
}
