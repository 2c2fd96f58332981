//! A place to run the built program as a pipeline does, with a simulated service beside it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nunu_sim::{Builder, Call, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_KEY, DEFAULT_TEST, Sim};
use serde_json::Value;
use tempfile::TempDir;

use crate::leaks::{self, Watch};
use crate::replay;

/// Until something happens that surely will, on however slow a machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// A signal ends the program within this time, as the contract says.
const WAY_OUT: Duration = Duration::from_secs(6);

thread_local! {
    /// Stages that this thread, which is a test, made.
    static MADE: Cell<u64> = const { Cell::new(0) };
}

/// Whether the next stage of this test runs in debug mode: every second one does, and which one begins is the test's name's to say, so that
/// a test by itself does what it does among all others.
fn next_is_debug() -> bool {
    let name: u64 = test_name().bytes().map(u64::from).sum();
    let made = MADE.replace(MADE.get() + 1);
    (name + made) % 2 == 1
}

/// The name of the test on whose thread this is.
fn test_name() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

/// A home folder, a simulator and the environment of a GitHub runner.
pub(crate) struct Stage {
    pub(crate) sim: Sim,
    home: TempDir,
    env: BTreeMap<String, String>,
    /// The host's debug switch is on, when it is on a host and nobody set the switch.
    debug: bool,
    began: Instant,
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
        fs::create_dir(home.path().join("game")).unwrap();
        fs::create_dir(home.path().join("temp")).unwrap();
        let path = |name: &str| home.path().join(name).display().to_string();
        let system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let git = leaks::telling_git(home.path(), &home.path().join("children"));
        let env = [
            ("PATH", git.map_or_else(|| system.to_owned(), |git| format!("{git}:{system}"))),
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
        Self { sim, home, env, debug: next_is_debug(), began: Instant::now() }
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

    /// Where a person types: no CI at all.
    pub(crate) fn off_ci(self) -> Self {
        self.env("GITHUB_ACTIONS", "").env("CI", "")
    }

    /// Something in the home folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The working directory of the job.
    pub(crate) fn work(&self) -> PathBuf {
        self.path("game")
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
        if self.is_debug() {
            command.env("RUNNER_DEBUG", "1");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn is_debug(&self) -> bool {
        self.debug && self.env.contains_key("GITHUB_ACTIONS") && !self.env.contains_key("RUNNER_DEBUG")
    }

    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// Runs the program to its end and looks for secrets in everything it left.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.end(self.spawn(args))
    }

    /// Waits until the service has seen this.
    #[track_caller]
    pub(crate) fn wait_until(&self, seen: impl Fn(&Sim) -> bool) {
        assert!(self.sim.wait_until(PATIENCE, seen), "it never came");
    }

    /// Waits until somebody has asked how what was started gets on: the start's answer has arrived and is recorded.
    #[track_caller]
    pub(crate) fn wait_until_followed(&self) {
        self.wait_until(|sim| !sim.unfinished_jobs().is_empty());
        let before = self.sim.requests_to(Call::AnyPoll).len();
        self.wait_until(|sim| sim.requests_to(Call::AnyPoll).len() > before);
    }

    /// Waits for a started program.
    pub(crate) fn end(&self, child: Child) -> Ended {
        let watch = Watch::on(child.id());
        let out = child.wait_with_output().unwrap();
        self.ended(&out, watch)
    }

    /// Sends a signal and waits for the end, which has to come in the time of the contract. The clock stops with the process, before
    /// all that it left is searched; a machine on which everything takes long is given as much longer.
    #[track_caller]
    pub(crate) fn end_by(&self, signal: &str, child: Child) -> Ended {
        let before = self.slowness();
        let watch = Watch::on(child.id());
        send(signal, &child);
        let began = Instant::now();
        let out = child.wait_with_output().unwrap();
        let took = began.elapsed();
        let allowed = WAY_OUT + before.max(self.slowness());
        assert!(took < allowed, "{took:?} of {allowed:?}: {}", String::from_utf8_lossy(&out.stderr));
        self.ended(&out, watch)
    }

    /// Ends a started program as a lost machine does.
    pub(crate) fn kill(&self, mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
        replay::replay(self.home.path());
    }

    /// Takes the state file away: a hosted runner repeats a job on a new machine.
    pub(crate) fn forget_state(&self) {
        let _ = fs::remove_dir_all(self.home.path().join("temp/nunu-state"));
    }

    /// What this machine takes for a program that does nothing, many times over.
    fn slowness(&self) -> Duration {
        let began = Instant::now();
        self.command(&["--version"]).output().unwrap();
        began.elapsed() * 50
    }

    fn ended(&self, out: &Output, watch: Watch) -> Ended {
        let command_lines = watch.end();
        let ended = Ended {
            code: out.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
            outputs: read_outputs(&fs::read_to_string(self.home.path().join("output")).unwrap_or_default()),
        };
        self.search_for_secrets(&ended, command_lines);
        replay::replay(self.home.path());
        let results = self.results();
        if !results.is_null() {
            crate::schema::holds(&results);
        }
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
        fs::read_to_string(self.path("summary")).unwrap_or_default()
    }

    fn search_for_secrets(&self, ended: &Ended, mut captures: Vec<(String, String)>) {
        let key = self.env.get("NUNU_API_TOKEN").map(|key| key.trim().to_owned()).unwrap_or_default();
        // Masks name what they mask; the runner takes them out of the log.
        let shown = |text: &str| {
            text.lines().filter(|line| !line.starts_with("::add-mask::")).collect::<Vec<_>>().join("\n")
        };
        captures.push(("stdout".to_owned(), shown(&ended.stdout)));
        captures.push(("stderr".to_owned(), ended.stderr.clone()));
        let home = self.home.path();
        leaks::search(&self.sim, &key, home, &home.join("children"), captures, self.is_debug());
    }
}

impl Drop for Stage {
    /// For the list of the slowest tests.
    #[expect(clippy::print_stdout, reason = "the list is made of what the tests print")]
    fn drop(&mut self) {
        println!("took: {:.1} s {}", self.began.elapsed().as_secs_f64(), test_name());
    }
}

/// Sends a signal, by its name without SIG.
pub(crate) fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
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

/// A line with a number for the end of the test run, and how much was searched for secrets and played again until now.
#[expect(clippy::print_stdout, reason = "the test run shows how much it covered")]
pub(crate) fn tell(line: &str) {
    println!("{line}\n{}\n{}", leaks::numbers(), replay::numbers());
}
