//! Starter files for `init`: text from facts. Pure.

use std::fmt::Write as _;

use crate::model::Platform;

use super::build_path::tells_platform;

/// What marks a place that people have to fill in.
pub(crate) const FILL_IN: &str = "FILL IN";

/// Hosts with a workflow file to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Host {
    /// GitHub Actions.
    #[default]
    GitHub,
    /// GitLab CI.
    GitLab,
    /// Jenkins.
    Jenkins,
}

impl Host {
    /// Its word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Jenkins => "jenkins",
        }
    }

    /// The host of that word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::GitHub, Self::GitLab, Self::Jenkins]
            .into_iter()
            .find(|host| host.as_str() == word.to_ascii_lowercase())
    }
}

/// What is known when the files are written; lists are (id, name).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Host to write a workflow for.
    pub(crate) host: Host,
    /// Build path, when one was found.
    pub(crate) build: Option<String>,
    /// Its platform, where the file name does not tell it.
    pub(crate) platform: Option<Platform>,
    /// Tests of the project.
    pub(crate) tests: Vec<(String, String)>,
    /// Test plans of the project.
    pub(crate) plans: Vec<(String, String)>,
    /// Deployment configurations of the project.
    pub(crate) deployment_configs: Vec<(String, String)>,
}

/// Paths and texts of the files.
pub(crate) fn files(facts: &Facts) -> Vec<(String, String)> {
    let workflow = match facts.host {
        Host::GitHub => (".github/workflows/nunu.yml", github()),
        Host::GitLab => (".nunu/gitlab-ci.yml", gitlab()),
        Host::Jenkins => (".nunu/Jenkinsfile", jenkins()),
    };
    vec![(".nunu/run.yml".to_owned(), run_config(facts)), (workflow.0.to_owned(), workflow.1)]
}

/// What to do after `init`.
pub(crate) fn next_steps(facts: &Facts, unfilled: &[String]) -> Vec<String> {
    let mut steps = Vec::new();
    if !unfilled.is_empty() {
        steps.push(format!("open {} and replace {FILL_IN}", unfilled.join(" and ")));
    }
    let (store, build) = match facts.host {
        Host::GitHub => (
            "store the API key as the repository secret NUNU_API_TOKEN",
            "put the steps that make your build into .github/workflows/nunu.yml",
        ),
        Host::GitLab => (
            "store the API key as the masked CI/CD variable NUNU_API_TOKEN",
            "include .nunu/gitlab-ci.yml from .gitlab-ci.yml, after the job that makes your build",
        ),
        Host::Jenkins => (
            "store the API key as the secret text credential nunu-api-token",
            "take the stage of .nunu/Jenkinsfile into yours, after the one that makes your build",
        ),
    };
    steps.extend([store.to_owned(), build.to_owned()]);
    steps.push("nunu-ci check: it proves the key and shows what would happen, and starts nothing".to_owned());
    let numbered = steps.iter().enumerate().map(|(index, step)| format!("  {}. {step}", index + 1));
    std::iter::once("next:".to_owned()).chain(numbered).collect()
}

/// A value for YAML, quoted so that no name can break the file.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn listed(out: &mut String, title: &str, items: &[(String, String)]) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(out, "    # {title}:");
    for (id, name) in items.iter().take(20) {
        let name: String = name.chars().filter(|letter| !letter.is_control()).collect();
        let _ = writeln!(out, "    #   {id}  {name}");
    }
    if items.len() > 20 {
        let _ = writeln!(out, "    #   and {} more", items.len() - 20);
    }
}

fn run_config(facts: &Facts) -> String {
    let first = |items: &[(String, String)]| items.first().map(|(id, _)| quoted(id));
    let mut out = String::from(
        "# yaml-language-server: $schema=https://raw.githubusercontent.com/OWNER/nunu-ci/main/docs/nunu-ci.schema.json\n# What nunu-ci uploads and starts. Every key is explained by: nunu-ci schema\nversion: 1\n\nbuild:\n",
    );
    let _ = writeln!(
        out,
        "  path: {}   # file, folder or glob",
        quoted(facts.build.as_deref().unwrap_or("build/app.apk"))
    );
    match facts.platform {
        Some(platform) => {
            let _ = writeln!(out, "  platform: {}", platform.as_str());
        }
        None if facts.build.as_deref().is_none_or(tells_platform) => {
            out.push_str("  # platform: android        # only where the file name does not tell it\n");
        }
        None => {
            let _ = writeln!(out, "  platform: \"{FILL_IN}\"        # android, windows, macos, linux, ...");
        }
    }
    out.push_str(
        "  tags: [ci]              # templates such as {branch} work here\n\nruns:\n  - name: smoke\n",
    );
    listed(&mut out, "tests of this project", &facts.tests);
    listed(&mut out, "test plans (use test_plan: instead of test:)", &facts.plans);
    match (first(&facts.tests), first(&facts.plans)) {
        (Some(test), _) => {
            let _ = writeln!(out, "    test: {test}");
        }
        (None, Some(plan)) => {
            let _ = writeln!(out, "    test_plan: {plan}");
        }
        (None, None) => {
            out.push_str("    test: \"FILL IN\"            # id or name of a test, from the dashboard\n");
        }
    }
    listed(&mut out, "deployment configurations", &facts.deployment_configs);
    match first(&facts.deployment_configs) {
        Some(config) => {
            let _ = writeln!(out, "    deployment_config: {config}");
        }
        None => {
            out.push_str("    deployment_config: \"FILL IN\"   # id or name of a deployment configuration\n");
        }
    }
    out.push_str("\nwait:\n  timeout: 90m             # from the start to the last result, queueing included\n\ngate:\n  fail_on: [failed, error, timeout, blocked, stopped]   # also skipped, \"bugs:high\"\n\nreport:\n  artifacts: failed        # none, failed, all, or globs\n");
    out
}

fn github() -> String {
    "name: nunu.ai play-test
on: [push]
permissions:
  contents: read
jobs:
  play-test:
    runs-on: ubuntu-latest
    timeout-minutes: 120
    steps:
      - uses: actions/checkout@v7
      # Your build goes here; .nunu/run.yml names the file it makes.
      - id: nunu
        uses: OWNER/nunu-ci@v0
        with:
          api-token: ${{ secrets.NUNU_API_TOKEN }}
      - if: always()
        uses: actions/upload-artifact@v7
        with:
          name: nunu-results
          path: nunu-results
"
    .to_owned()
}

fn gitlab() -> String {
    "play-test:
  image: ghcr.io/OWNER/nunu-ci:0.2.0
  script:
    - nunu-ci
  after_script:
    - nunu-ci stop --best-effort
  artifacts:
    when: always
    paths: [nunu-results]
    reports:
      junit: nunu-results/junit.xml
      dotenv: nunu-results/nunu.env
      annotations: nunu-results/gl-annotations.json
"
    .to_owned()
}

fn jenkins() -> String {
    "pipeline {
  agent any
  stages {
    stage('Play-test') {
      steps {
        withCredentials([string(credentialsId: 'nunu-api-token', variable: 'NUNU_API_TOKEN')]) {
          script {
            def code = sh(returnStatus: true, script: 'nunu-ci run')
            if (code == 1) { unstable('play-tests failed') }
            else if (code != 0) { error(\"nunu-ci ended with exit code ${code}\") }
          }
        }
      }
      post { always { junit testResults: 'nunu-results/junit.xml', allowEmptyResults: true } }
    }
  }
}
"
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Facts, Host, files};
    use crate::config::variables::Variables;
    use crate::config::yaml::{Document, Text};
    use crate::model::Env;

    #[test]
    fn the_starter_config_is_a_good_config() {
        let facts = Facts {
            tests: vec![("789e0123-e89b-12d3-a456-426614174000".to_owned(), "Smoke\n# \"x\"".to_owned())],
            deployment_configs: vec![("456e7890-e89b-12d3-a456-426614174000".to_owned(), "Pixel".to_owned())],
            ..Facts::default()
        };
        for (path, text) in files(&facts) {
            let env = Env::default();
            let text = Text { name: path.clone(), all: text, may_quote: true };
            let parsed = Document::parse(&text, &Variables::from_env(&env, &[]));
            assert!(parsed.is_ok(), "{path}: {:?}", parsed.err());
            if path.ends_with("run.yml") {
                let mut document = parsed.unwrap();
                let config = crate::config::file::read(&mut document);
                assert!(document.is_good(), "{:?}", document.take_problems());
                assert_eq!(config.runs.len(), 1);
            }
        }
        assert_eq!(Host::parse("GitLab"), Some(Host::GitLab));
    }
}
