//! A working directory with builds, an environment and a CI context, for tests.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::config::{Parsed, Plan, parse, plan};
use crate::model::run_report::Context;
use crate::model::{Env, ExitReason, Failure};

pub(super) const TEST: &str = "789e0123-e89b-12d3-a456-426614174000";
pub(super) const DEPLOYMENT: &str = "456e7890-e89b-12d3-a456-426614174000";

/// What a person has and says.
pub(super) struct World {
    home: tempfile::TempDir,
    env: Vec<(String, String)>,
    pub(super) context: Context,
    /// Secrets that the run config took in.
    pub(super) learned: RefCell<Vec<String>>,
}

impl World {
    /// A folder with `build/app.apk`, a key, and a commit on `main`.
    pub(super) fn new() -> Self {
        let world = Self {
            home: tempfile::tempdir().unwrap(),
            env: vec![("NUNU_API_TOKEN".to_owned(), "nunu_key_of_tests".to_owned())],
            context: Context {
                ci: "github-actions".to_owned(),
                commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
                commit_subject: Some("Fix the door".to_owned()),
                branch: Some("main".to_owned()),
                build_number: Some("17".to_owned()),
                ..Context::default()
            },
            learned: RefCell::default(),
        };
        world.file("build/app.apk", "apk")
    }

    pub(super) fn cwd(&self) -> &Path {
        self.home.path()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.cwd().join(name)
    }

    pub(super) fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// The usual run config.
    pub(super) fn config(self, text: &str) -> Self {
        self.file(".nunu/run.yml", text)
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// In a Docker container action, where inputs are `INPUT_*`.
    pub(super) fn container_action(self) -> Self {
        self.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", "/github/workspace")
    }

    /// The plan for a command line.
    pub(super) fn plan(&self, line: &[&str]) -> Result<Plan, Failure> {
        let argv: Vec<String> =
            std::iter::once("nunu-ci").chain(line.iter().copied()).map(str::to_owned).collect();
        let Parsed::Args(said) = parse(&argv)? else { panic!("help") };
        let today = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
        let env = Env::new(self.env.iter().cloned());
        plan(&said, &env, self.cwd(), &self.context, today, |secret| {
            self.learned.borrow_mut().push(secret.to_owned());
        })
    }

    /// The plan of a command line that has nothing wrong with it.
    #[track_caller]
    pub(super) fn good(&self, line: &[&str]) -> Plan {
        match self.plan(line) {
            Ok(plan) => plan,
            Err(failure) => panic!("{failure}"),
        }
    }

    /// What a person reads, with the working directory as `<cwd>`.
    #[track_caller]
    pub(super) fn wrong(&self, line: &[&str]) -> (ExitReason, String) {
        match self.plan(line) {
            Ok(plan) => panic!("nothing is wrong: {plan:?}"),
            Err(failure) => {
                // A folder for temporary files may be a link, as on macOS.
                let mut text = failure.to_string();
                for cwd in [dunce::canonicalize(self.cwd()).unwrap(), self.cwd().to_owned()] {
                    text = text.replace(&*cwd.to_string_lossy(), "<cwd>");
                }
                (failure.reason, text)
            }
        }
    }
}
