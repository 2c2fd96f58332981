//! The command `init`: a commented run config and a workflow file to start from. Never overwrites.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use secrecy::ExposeSecret as _;

use crate::api::{Api, Named};
use crate::ci::Kind;
use crate::ci::stream::{self, Stream};
use crate::config::starter::{self, Facts, Host};
use crate::config::{self, resolve_name};
use crate::disk;
use crate::http::{Net, install_crypto};
use crate::model::{ExitReason, Failure, Platform};

use super::context::Surroundings;
use super::publish;

/// Writes the files and says what to do next.
pub(super) async fn init(around: &Surroundings) -> ExitReason {
    let (build, platform) = config::likely_build(&around.cwd).unzip();
    let mut facts = Facts { host: host(around), build, platform: platform.flatten(), ..Facts::default() };
    let api = match service(around) {
        Ok(api) => api,
        Err(what) => {
            let failure = Failure::new(ExitReason::InvalidInput, what)
                .hint("nunu-ci init works without a key too: it then leaves the ids for you to fill in");
            return publish::end_without_plan(around, failure);
        }
    };
    if let Some(api) = api {
        // The list of tests needs no permission, so a refusal of it is one of the key.
        if let Err(error) = api.once().tests().await {
            around.log.warn(error.to_string());
        }
        facts.tests = names(api.once().tests().await.ok());
        facts.plans = names(api.once().test_plans().await.ok());
        facts.deployment_configs = names(api.once().deployment_configs().await.ok());
        if facts.tests.is_empty() && facts.plans.is_empty() && facts.deployment_configs.is_empty() {
            around
                .log
                .info("the key shows no tests or configurations, so the ids are left for you to fill in");
        }
    }
    if around.reporting.origin.ci == "none" && io::stdin().is_terminal() && io::stderr().is_terminal() {
        ask(&mut facts, around);
    }
    let mut unfilled = Vec::new();
    for (path, text) in starter::files(&facts) {
        match create(&around.cwd, &path, &text) {
            Ok(true) => {
                around.log.info(format!("wrote {path}"));
                if text.contains(starter::FILL_IN) {
                    unfilled.push(path);
                }
            }
            Ok(false) => around.log.info(format!("{path} is there already and stays as it is")),
            Err(error) => {
                let failure = Failure::new(ExitReason::InvalidInput, format!("cannot write {path}"))
                    .because(&error)
                    .hint("run nunu-ci init in the root of your repository, where you may write");
                return publish::end_without_plan(around, failure);
            }
        }
    }
    for line in starter::next_steps(&facts, &unfilled) {
        around.log.info(line);
    }
    ExitReason::Passed
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
        _ => match around.reporting.origin.repository_url.as_deref() {
            Some(url) if url.contains("gitlab") => Host::GitLab,
            _ => Host::GitHub,
        },
    }
}

/// The service, when a key is there; without one `init` works all the same.
fn service(around: &Surroundings) -> Result<Option<Api>, String> {
    let access = config::access(&around.args, &around.env, &around.cwd)?;
    for notice in &access.notices {
        around.log.warn(notice);
    }
    let Some(key) = access.key else { return Ok(None) };
    around.say_where(&access.origin, &access.origin_source);
    around.mask(key.expose_secret(), crate::model::secrets::Owner::Key);
    install_crypto();
    let agent = concat!("nunu-ci/", env!("CARGO_PKG_VERSION"));
    let net = Net::new(&around.env, agent, around.secrets.clone(), around.log.clone())
        .map_err(|error| error.to_string())?;
    Ok(Some(Api::new(net, &access.origin, access.project_id.as_deref(), &key)))
}

fn names(found: Option<Vec<Named>>) -> Vec<(String, String)> {
    found.unwrap_or_default().into_iter().map(|named| (named.id, named.name)).collect()
}

/// A few questions; an empty answer keeps what is in brackets.
fn ask(facts: &mut Facts, around: &Surroundings) {
    let question = |text: &str, now: &str| -> Option<String> {
        stream::log(Stream::Err, format!("{text} [{now}]: "));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned()).filter(|answer| !answer.is_empty())
    };
    if let Some(path) = question("Build to upload", facts.build.as_deref().unwrap_or("build/app.apk")) {
        facts.platform = None;
        facts.build = Some(path);
    }
    if facts.platform.is_none() && !facts.build.as_deref().is_none_or(config::tells_platform) {
        let known = Platform::ALL.map(Platform::as_str).join(", ");
        facts.platform = question(&format!("Its platform: {known}"), "to fill in")
            .and_then(|word| Platform::ALL.into_iter().find(|platform| platform.as_str() == word));
    }
    if let Some(host) = question("CI host: github, gitlab or jenkins", facts.host.as_str()) {
        facts.host = Host::parse(&host).unwrap_or(facts.host);
    }
    for (noun, known) in
        [("test", &mut facts.tests), ("deployment configuration", &mut facts.deployment_configs)]
    {
        if known.len() < 2 {
            continue;
        }
        for (_, name) in known.iter().take(20) {
            around.log.info(format!("  {name}"));
        }
        let Some(answer) = question(&format!("Name of the {noun}"), &known[0].1) else { continue };
        match resolve_name(noun, &answer, known) {
            Ok(id) => known.sort_by_key(|(other, _)| *other != id),
            Err(why) => around.log.warn(format!("{why}; keeping {}", known[0].1)),
        }
    }
}

/// Writes a new file below `root`, through no link; `false` when there is one already.
fn create(root: &Path, relative: &str, text: &str) -> io::Result<bool> {
    let (folder, name) = relative.rsplit_once('/').unwrap_or(("", relative));
    let path = disk::folders_below(root, folder)?.join(name);
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
