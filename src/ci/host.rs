//! Which host we run on, and everything that differs by host.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::model::annotation::Level;
use crate::model::details::{Ci, Commit, PullRequest, UploadMethod, Vcs};
use crate::model::log::Sink;
use crate::model::run_report::{Context, Suspect};
use crate::model::{Details, Env, Secrets};

use super::console::{Console, Loudness};
use super::detect::{Kind, detect};
use super::escape::{azure, command_data, command_property, inert, team_city};
use super::facts::{Facts, gather};
use super::files::append;
use super::git;
use super::identity::Identity;
use super::revision::Revision;
use super::stream::{self, Stream};

/// The host of this invocation.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    kind: Kind,
    env: Env,
    facts: Facts,
}

/// GitHub: a step's summary has at most 1 MiB, whoever of the step wrote it ("Workflow commands", job summaries).
const LARGEST_SUMMARY: usize = 1024 * 1024;

impl Host {
    /// Finds out where we run; looks into `git` for what the host does not tell. Never fails.
    pub(crate) fn detect(env: &Env, workdir: &Path) -> Self {
        let kind = detect(env);
        let mut facts = gather(kind, env);
        git::complete(&mut facts, env, workdir);
        Self { kind, env: env.clone(), facts }
    }

    /// Which one it is.
    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// The log. With `data`, stdout is left to data for machines.
    pub(crate) fn console(&self, secrets: Secrets, loudness: Loudness, data: bool) -> Arc<dyn Sink> {
        Arc::new(Console::new(self.kind, secrets, loudness, data, &self.env))
    }

    /// True when the host's own debug switch is on.
    pub(crate) fn debug_requested(&self) -> bool {
        ["RUNNER_DEBUG", "SYSTEM_DEBUG", "CI_DEBUG_TRACE"].into_iter().any(|name| self.env.is_true(name))
    }

    /// Commit, branch and the like, for reports.
    pub(crate) fn context(&self) -> Context {
        let facts = &self.facts;
        let subject = facts.message.as_deref().and_then(|message| message.lines().next());
        Context {
            ci: self.kind.as_str().to_owned(),
            ci_url: facts.run_url.clone(),
            commit: facts.commit.clone(),
            commit_subject: subject.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()),
            branch: facts.branch.clone(),
            pull_request: facts.pr_number,
            pull_request_title: facts.pr_title.clone(),
            repository_url: facts.repository_url.clone(),
            build_number: facts.build_number.clone(),
        }
    }

    /// The revision under test; nothing where the host does not surely tell it.
    pub(crate) fn revision(&self) -> Revision {
        let facts = &self.facts;
        // These run on the default branch, whatever they check out.
        let event = self.env.get("GITHUB_EVENT_NAME").filter(|_| self.kind == Kind::GitHub);
        if matches!(event, Some("workflow_run" | "issue_comment")) && facts.pr_number.is_none() {
            return Revision::default();
        }
        Revision {
            repository: facts.base_repository_url.clone().or_else(|| facts.repository_url.clone()),
            branch: facts.branch.clone(),
            pull_request: facts.pr_number,
            target_branch: facts.target_branch.clone(),
            base_commit: facts.base_commit.clone(),
            commit: facts.commit.clone(),
        }
    }

    /// What an upload tells the service about its origin.
    pub(crate) fn details(&self, version: &str) -> Details {
        let facts = &self.facts;
        let commit = Commit {
            short_hash: facts.commit.as_ref().map(|hash| hash.chars().take(7).collect()),
            hash: facts.commit.clone(),
            message: facts.message.clone(),
            author: facts.author.clone(),
            timestamp: facts.committed_at.clone(),
        };
        let pull = PullRequest {
            number: facts.pr_number,
            title: facts.pr_title.clone(),
            url: facts.pr_url.clone(),
            source_branch: facts.source_branch.clone(),
            target_branch: facts.target_branch.clone(),
        };
        let known = facts.commit.is_some() || facts.branch.is_some() || facts.repository_url.is_some();
        let vcs = Vcs {
            kind: Some("git".to_owned()),
            provider: facts.provider.map(str::to_owned),
            repository_url: facts.repository_url.clone(),
            commit: (commit != Commit::default()).then_some(commit),
            branch: facts.branch.clone(),
            tag: facts.tag.clone(),
            pr: facts.pr_number.map(|_| pull),
        };
        let ci = self.kind.system().map(|system| Ci {
            system: Some(system.to_owned()),
            build_number: facts.build_number.clone(),
            job_name: facts.job_name.clone(),
            run_id: facts.run_id.clone(),
            run_url: facts.run_url.clone(),
            triggered_by: facts.triggered_by.clone(),
            agent: facts.agent.clone(),
        });
        let method = if self.kind == Kind::GitHub { "github-action" } else { "cli" };
        Details {
            vcs: known.then_some(vcs),
            ci,
            upload: Some(UploadMethod {
                method: Some(method.to_owned()),
                cli_version: Some(version.to_owned()),
                uploader: facts.triggered_by.clone(),
            }),
        }
    }

    /// What makes a repeated attempt recognise its own.
    pub(crate) fn identity(&self) -> Identity {
        Identity::of(self.kind, &self.env, &self.facts)
    }

    /// The folder of the state file: the host's folder for temporary files, else one in the working directory; never the results
    /// folder, which gets published.
    pub(crate) fn state_dir(&self, workdir: &Path) -> PathBuf {
        self.env
            .get("RUNNER_TEMP")
            .map_or_else(|| workdir.join(".nunu-state"), |temp| Path::new(temp).join("nunu-state"))
    }

    /// Address of the host's own API, and what it calls the repository.
    pub(crate) fn api_of_repository(&self) -> Option<(String, String)> {
        let env = |name: &str| self.env.get(name).map(str::to_owned);
        match self.kind {
            Kind::GitHub => Some((
                env("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned()),
                env("GITHUB_REPOSITORY")?,
            )),
            Kind::GitLab => {
                Some((env("CI_API_V4_URL")?, env("CI_PROJECT_ID").or_else(|| env("CI_PROJECT_PATH"))?))
            }
            _ => None,
        }
    }

    /// The address of a file of the working directory, once the host has stored it as an artifact of the job. GitHub tells addresses of
    /// artifacts to the step that stores them alone; they are listed on the page of the run.
    pub(crate) fn address_of(&self, path: &str) -> Option<String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
        let path = Some(path).filter(|path| path.bytes().all(plain))?;
        match self.kind {
            Kind::GitHub => Some(format!("{}#artifacts", self.facts.run_url.as_deref()?)),
            Kind::GitLab => Some(format!("{}/artifacts/file/{path}", self.env.get("CI_JOB_URL")?)),
            Kind::Jenkins => {
                Some(format!("{}/artifact/{path}", self.env.get("BUILD_URL")?.trim_end_matches('/')))
            }
            _ => None,
        }
    }

    /// Commits that `now` has and `before` has not, as the checkout shows them.
    pub(crate) fn commits_between(&self, workdir: &Path, before: &str, now: &str) -> Vec<Suspect> {
        git::commits_between(&self.env, workdir, before, now)
    }

    /// True for a file as the checkout brought it.
    pub(crate) fn is_committed(&self, path: &Path) -> bool {
        git::is_committed(&self.env, path)
    }

    /// How long the host lets a job run, where it is known.
    pub(crate) fn job_limit(&self) -> Option<Duration> {
        match self.kind {
            // GitHub-hosted runners end a job after 6 h (GitHub, "Actions limits").
            Kind::GitHub if self.env.get("RUNNER_ENVIRONMENT") == Some("github-hosted") => {
                Some(Duration::from_secs(6 * 3600))
            }
            Kind::GitLab => self.env.get("CI_JOB_TIMEOUT")?.parse().ok().map(Duration::from_secs),
            Kind::Buildkite => {
                let minutes: u64 = self.env.get("BUILDKITE_TIMEOUT")?.parse().ok()?;
                Some(Duration::from_secs(minutes.saturating_mul(60)))
            }
            _ => None,
        }
    }

    /// Why this job may have got no secret, in one sentence.
    pub(crate) fn secrets_unavailable(&self) -> Option<&'static str> {
        let is = |name: &str, value: &str| self.env.get(name) == Some(value);
        match self.kind {
            Kind::GitHub if is("GITHUB_ACTOR", "dependabot[bot]") => Some(
                "GitHub gives Dependabot no repository secrets: add the key to the Dependabot secrets, or set on-missing-token: skip",
            ),
            Kind::GitHub
                if is("GITHUB_EVENT_NAME", "pull_request") && self.facts.from_fork != Some(false) =>
            {
                Some(
                    "GitHub gives pull requests from forks no secrets: that is expected for a fork; set on-missing-token: skip to let such jobs pass",
                )
            }
            Kind::GitLab if self.facts.from_fork == Some(true) => Some(
                "merge requests from forks run without the project's CI/CD variables: that is expected for a fork; set on-missing-token: skip to let such jobs pass",
            ),
            Kind::GitLab if is("CI_COMMIT_REF_PROTECTED", "false") => Some(
                "this branch is not protected, so GitLab hides protected CI/CD variables from it: is NUNU_API_TOKEN one of them?",
            ),
            _ => None,
        }
    }

    /// Writes an output where the host has outputs.
    pub(crate) fn output(&self, name: &str, value: &str) -> std::io::Result<()> {
        match self.kind {
            Kind::GitHub => {
                let Some(path) = self.env.get("GITHUB_OUTPUT") else { return Ok(()) };
                append(Path::new(path), &heredoc(name, value)).map_err(|error| of("GITHUB_OUTPUT", &error))
            }
            Kind::Azure => {
                say(&format!(
                    "##vso[task.setvariable variable={};isOutput=true]{}",
                    azure(name),
                    azure(value)
                ));
                Ok(())
            }
            Kind::TeamCity => {
                say(&format!(
                    "##teamcity[setParameter name='nunu.{}' value='{}']",
                    team_city(name),
                    team_city(value)
                ));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Shows Markdown on the host's page of the job, where it has one. `saved` is the same text in a file, where one could be written.
    pub(crate) fn summary(&self, markdown: &str, saved: Option<&Path>) -> std::io::Result<()> {
        match self.kind {
            Kind::GitHub => {
                let Some(path) = self.env.get("GITHUB_STEP_SUMMARY") else { return Ok(()) };
                let append = |text: &str| {
                    append(Path::new(path), text).map_err(|error| of("GITHUB_STEP_SUMMARY", &error))
                };
                let there = std::fs::metadata(path).map_or(0, |about| about.len());
                let left = LARGEST_SUMMARY.saturating_sub(usize::try_from(there).unwrap_or(usize::MAX));
                if markdown.len() < left {
                    return append(&format!("{markdown}\n"));
                }
                // Over the limit GitHub shows nothing at all, not even what stood there before.
                let short = "The summary of nunu-ci is too long for this page; see `summary.md` in the results folder.\n";
                if short.len() <= left { append(short) } else { Ok(()) }
            }
            Kind::Azure => {
                if let Some(saved) = saved {
                    say(&format!("##vso[task.uploadsummary]{}", azure(&saved.display().to_string())));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Puts a message of a report where the host shows problems; hosts without such a place have the log.
    pub(crate) fn annotate(&self, level: Level, title: &str, message: &str) {
        let title = inert(title);
        let message: String = message.lines().map(inert).collect::<Vec<_>>().join("\n");
        match (self.kind, level) {
            (Kind::GitHub, _) => {
                let word = match level {
                    Level::Error => "error",
                    Level::Warning => "warning",
                    Level::Notice => "notice",
                };
                say(&format!("::{word} title={}::{}", command_property(&title), command_data(&message)));
            }
            (Kind::Azure, Level::Error | Level::Warning) => {
                let word = if level == Level::Error { "error" } else { "warning" };
                say(&format!("##vso[task.logissue type={word}]{}", azure(&format!("{title}: {message}"))));
            }
            (Kind::TeamCity, Level::Error) => {
                say(&format!(
                    "##teamcity[buildProblem description='{}']",
                    team_city(&format!("{title}: {message}"))
                ));
            }
            _ => {}
        }
    }
}

/// An error of a file names the variable that leads to it.
fn of(variable: &str, error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("{variable}: {error}"))
}

/// `NAME<<DELIMITER`, value, delimiter: the only form that carries every value (runner, `FileCommandManager.cs`).
pub(super) fn heredoc(name: &str, value: &str) -> String {
    loop {
        let delimiter = format!("ghadelimiter_{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        if !name.contains(&delimiter) && !value.contains(&delimiter) {
            return format!("{name}<<{delimiter}\n{value}\n{delimiter}\n");
        }
    }
}

/// A command for the host, on the stream it listens to.
fn say(line: &str) {
    stream::log(Stream::Out, format!("{line}\n"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{Env, Host, LARGEST_SUMMARY, detect, gather, heredoc};

    fn host(pairs: &[(&str, &str)]) -> Host {
        let env = Env::new(pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let kind = detect(&env);
        Host { kind, facts: gather(kind, &env), env }
    }

    #[test]
    fn says_why_there_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let event = folder.path().join("event.json");
        let path = event.to_str().unwrap();
        let pull =
            [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "pull_request"), ("GITHUB_EVENT_PATH", path)];
        for (head, forks) in [("me/game", true), ("studio/game", false)] {
            let text = serde_json::json!({"pull_request": {"head": {"repo": {"full_name": head}}, "base": {"repo": {"full_name": "studio/game"}}}});
            std::fs::write(&event, text.to_string()).unwrap();
            assert_eq!(
                host(&pull).secrets_unavailable().is_some_and(|why| why.contains("forks")),
                forks,
                "{head}"
            );
        }
        let bot = [("GITHUB_ACTIONS", "true"), ("GITHUB_ACTOR", "dependabot[bot]")];
        assert!(host(&bot).secrets_unavailable().unwrap().contains("Dependabot"));
        let fork = [
            ("GITLAB_CI", "true"),
            ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "2"),
            ("CI_MERGE_REQUEST_PROJECT_ID", "1"),
        ];
        assert!(host(&fork).secrets_unavailable().unwrap().contains("forks"));
        let branch = [("GITLAB_CI", "true"), ("CI_COMMIT_REF_PROTECTED", "false")];
        assert!(host(&branch).secrets_unavailable().unwrap().contains("protected"));
        assert_eq!(
            host(&[("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "push")]).secrets_unavailable(),
            None
        );
    }

    #[test]
    fn the_summary_stays_below_the_limit_whoever_wrote_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary");
        std::fs::write(&path, "x".repeat(LARGEST_SUMMARY - 500)).unwrap();
        let github = host(&[("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", path.to_str().unwrap())]);
        for _ in 0..10 {
            github.summary(&"Q".repeat(600), Some(&path)).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.len() <= LARGEST_SUMMARY && text.contains("too long") && !text.contains('Q'),
            "{}",
            text.len()
        );
        github.summary("# small", Some(&path)).unwrap();
        std::fs::write(&path, "").unwrap();
        github.summary("# small", Some(&path)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# small\n");
    }

    /// Reads the file as the runner does.
    fn read_back(text: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut lines = text.split('\n');
        while let Some(line) = lines.next() {
            let Some((name, delimiter)) = line.split_once("<<") else { continue };
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            found.push((name.to_owned(), value.join("\n")));
        }
        found
    }

    proptest! {
        #[test]
        fn outputs_read_back_as_they_were(value in any::<String>(), other in "[ -~\n=<>]{0,80}") {
            let text = heredoc("run-url", &value) + &heredoc("status", &other);
            assert_eq!(read_back(&text), [("run-url".to_owned(), value), ("status".to_owned(), other)]);
        }
    }
}
