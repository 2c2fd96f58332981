//! The command `init`: a commented run config and a workflow file to start from. Never overwrites.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use secrecy::SecretString;

use crate::api::{Api, Named};
use crate::ci::Kind;
use crate::config::starter::{self, Facts, Host};
use crate::http::{Net, install_crypto};
use crate::model::{Failure, Reason};

use super::door::Surroundings;
use super::wrong;

/// Writes the files and says what to do next.
pub(super) async fn init(around: &Surroundings) -> Reason {
    let mut facts =
        Facts { host: host(around), build: starter::likely_build(&around.cwd), ..Facts::default() };
    if let Some((api, net)) = service(around) {
        drop(net);
        facts.tests = names(api.once().tests().await.ok());
        facts.plans = names(api.once().test_plans().await.ok());
        facts.deployment_configs = names(api.once().deployment_configs().await.ok());
        if facts.tests.is_empty() && facts.plans.is_empty() && facts.deployment_configs.is_empty() {
            around
                .log
                .info("the key shows no tests or configurations, so the ids are left for you to fill in");
        }
    }
    if around.context.ci == "none" && io::stdin().is_terminal() && io::stderr().is_terminal() {
        ask(&mut facts);
    }
    let mut next = Vec::new();
    for (path, text) in starter::files(&facts) {
        match create(&around.cwd.join(&path), &text) {
            Ok(true) => around.log.info(format!("wrote {path}")),
            Ok(false) => around.log.info(format!("{path} is there already and stays as it is")),
            Err(error) => {
                let failure = Failure::new(Reason::InvalidInput, format!("cannot write {path}"))
                    .because(&error)
                    .hint("run nunu-ci init in the root of your repository, where you may write");
                return wrong::tell(around, &failure);
            }
        }
        next.push(path);
    }
    for line in starter::next_steps(&facts, &next) {
        around.log.info(line);
    }
    Reason::Passed
}

fn host(around: &Surroundings) -> Host {
    let here = |path: &str| around.cwd.join(path).exists();
    match around.host.kind() {
        Kind::GitHub => Host::GitHub,
        Kind::GitLab => Host::GitLab,
        Kind::Jenkins => Host::Jenkins,
        _ if here(".github") => Host::GitHub,
        _ if here(".gitlab-ci.yml") => Host::GitLab,
        _ if here("Jenkinsfile") => Host::Jenkins,
        _ => match around.context.repository_url.as_deref() {
            Some(url) if url.contains("gitlab") => Host::GitLab,
            _ => Host::GitHub,
        },
    }
}

/// The service, when a key is there; without one `init` works all the same.
fn service(around: &Surroundings) -> Option<(Api, Net)> {
    let key = around.env.get("NUNU_API_TOKEN").or_else(|| around.env.get("NUNU_API_KEY"))?.trim().to_owned();
    let origin = crate::config::origin_of(&around.args, &around.env).ok()?;
    install_crypto();
    let net = Net::new(
        &around.env,
        concat!("nunu-ci/", env!("CARGO_PKG_VERSION")),
        around.secrets.clone(),
        around.log.clone(),
    )
    .ok()?;
    let project = around.env.get("NUNU_PROJECT_ID");
    Some((Api::new(net.clone(), &origin, project, &SecretString::from(key)), net))
}

fn names(found: Option<Vec<Named>>) -> Vec<(String, String)> {
    found.unwrap_or_default().into_iter().map(|named| (named.id, named.name)).collect()
}

/// A few questions; an empty answer keeps what is in brackets.
fn ask(facts: &mut Facts) {
    let question = |text: &str, now: &str| -> Option<String> {
        let mut out = io::stderr().lock();
        let _ = write!(out, "{text} [{now}]: ").and_then(|()| out.flush());
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned()).filter(|answer| !answer.is_empty())
    };
    if let Some(path) = question("Build to upload", facts.build.as_deref().unwrap_or("build/app.apk")) {
        facts.build = Some(path);
    }
    if let Some(host) = question("CI host: github, gitlab or jenkins", facts.host.as_str()) {
        facts.host = Host::parse(&host).unwrap_or(facts.host);
    }
}

/// Writes a new file; `false` when there is one already.
fn create(path: &Path, text: &str) -> io::Result<bool> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
