//! The command `init`: a commented run config and a workflow file to start from. Flags answer its questions, a person is asked the rest.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use secrecy::ExposeSecret as _;

use crate::api::{Api, Named};
use crate::ci::Kind;
use crate::config::answers::{self, Answers};
use crate::config::choice;
use crate::config::starter::{self, Facts, Host, Known};
use crate::config::{self, project};
use crate::disk::{self, Readers};
use crate::http::{Net, install_crypto};
use crate::model::{ExitReason, Failure};

use super::context::Surroundings;
use super::init_dialog::{Dialog, Gone};
use super::publish;

/// A `.gitignore` is small.
const LARGEST_IGNORE: u64 = 1024 * 1024;
/// What a run leaves behind and nobody commits.
const IGNORED: [&str; 2] = ["nunu-results/", ".nunu-state/"];

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    New,
    Kept,
    Replaced,
}

/// Writes the files and says what to do next.
pub(super) async fn init(around: &Surroundings) -> ExitReason {
    match prepare(around).await {
        Ok(Some(facts)) => write_all(around, &facts),
        Ok(None) => {
            around.log.info("nothing was written");
            around.cancel.reason().unwrap_or(ExitReason::Passed)
        }
        Err(failure) => publish::end_without_plan(around, failure),
    }
}

/// What goes into the files; `None` when the person who was asked does not want them.
async fn prepare(around: &Surroundings) -> Result<Option<Facts>, Failure> {
    let wrong = |what: String| Failure::new(ExitReason::InvalidInput, what);
    let said = answers::answers(&around.args, &around.env)
        .map_err(|what| wrong(what).hint("nunu-ci help init lists what it takes"))?;
    let service = service(around).map_err(|what| {
        wrong(what).hint("nunu-ci init works without a key too: it then leaves the ids for you to fill in")
    })?;
    let mut facts = found(around, &said);
    if let Some((api, project_id)) = service {
        facts.project_id = project_id;
        look_up(around, &api, &mut facts).await;
    }
    take(&mut facts, &said).map_err(wrong)?;
    let is_person =
        around.reporting.origin.ci == "none" && io::stdin().is_terminal() && io::stderr().is_terminal();
    if is_person {
        let dialog = Dialog::new(around, &said);
        match dialog.complete(&mut facts).await {
            Ok(()) => {}
            Err(Gone) => return Ok(None),
        }
        announce(around, &facts);
        return match dialog.agrees("Write them?").await {
            Ok(true) => Ok(Some(facts)),
            Ok(false) | Err(Gone) => Ok(None),
        };
    }
    take_first(&mut facts);
    announce(around, &facts);
    Ok(Some(facts))
}

/// What the folder and the flags tell.
fn found(around: &Surroundings, said: &Answers) -> Facts {
    let project = project::detect(&around.cwd);
    if project.kind != project::Kind::Unknown {
        let place = if project.folder.is_empty() { String::new() } else { format!(" in {}", project.folder) };
        around.log.info(format!("found a project of {}{place}", project.kind.as_str()));
    }
    let build = said.build.clone().map_or_else(
        || {
            let found = config::likely_build(&around.cwd);
            if let Some(found) = &found {
                around.log.info(format!("found the build {}", found.path));
            }
            found.map(|found| (found.path, found.platform))
        },
        |path| Some((path, None)),
    );
    let (build, platform) = build.unzip();
    Facts {
        host: said.host.unwrap_or_else(|| host(around)),
        project,
        build,
        platform: said.platform.or(platform.flatten()),
        ..Facts::default()
    }
}

/// The tests and configurations of the project, as far as the key shows them.
async fn look_up(around: &Surroundings, api: &Api, facts: &mut Facts) {
    // The list of tests needs no permission, so a refusal of it is one of the key.
    let tests = api.once().tests().await;
    if let Err(error) = &tests {
        around.log.warn(error.to_string());
    }
    facts.known_tests = names(tests.ok());
    facts.known_plans = names(api.once().test_plans().await.ok());
    facts.known_configs = names(api.once().deployment_configs().await.ok());
    if facts.known_tests.is_empty() && facts.known_plans.is_empty() && facts.known_configs.is_empty() {
        around.log.info("the key shows no tests or configurations, so the ids are left for you to fill in");
    }
}

/// Takes what flags said. Without a list of the service to look in, it is taken at its word.
fn take(facts: &mut Facts, said: &Answers) -> Result<(), String> {
    let all = |kind: &str, words: &[String], known: &Known| -> Result<Vec<String>, String> {
        let found = words.iter().map(|word| {
            if known.is_empty() { Ok(vec![word.clone()]) } else { choice::chosen(kind, word, known) }
        });
        Ok(found.collect::<Result<Vec<_>, _>>()?.concat())
    };
    facts.tests = all("test", &said.tests, &facts.known_tests)?;
    facts.plans = all("test plan", &said.plans, &facts.known_plans)?;
    let config: Vec<String> = said.deployment_config.iter().cloned().collect();
    facts.deployment_config =
        all("deployment configuration", &config, &facts.known_configs)?.into_iter().next();
    Ok(())
}

/// The first of what nobody chose.
fn take_first(facts: &mut Facts) {
    let first = |known: &Known| known.first().map(|(id, _)| id.clone());
    if facts.tests.is_empty() && facts.plans.is_empty() {
        facts.tests = first(&facts.known_tests).into_iter().collect();
        if facts.tests.is_empty() {
            facts.plans = first(&facts.known_plans).into_iter().collect();
        }
    }
    if facts.deployment_config.is_none() {
        facts.deployment_config = first(&facts.known_configs);
    }
}

/// Says which files there will be.
fn announce(around: &Surroundings, facts: &Facts) {
    around.log.info("files:");
    for (path, _) in starter::files(facts) {
        let what = match fate(around, &path) {
            Fate::New => "new",
            Fate::Kept => "is there already and stays as it is; --force replaces it",
            Fate::Replaced => "is there already and is replaced",
        };
        around.log.info(format!("  {path}  {what}"));
    }
    if !missing_lines(&around.cwd).is_empty() {
        around.log.info(format!("  .gitignore  {} added", IGNORED.join(" and ")));
    }
}

fn fate(around: &Surroundings, path: &str) -> Fate {
    match fs::symlink_metadata(around.cwd.join(path)) {
        Err(_) => Fate::New,
        Ok(_) if around.args.force => Fate::Replaced,
        Ok(_) => Fate::Kept,
    }
}

fn write_all(around: &Surroundings, facts: &Facts) -> ExitReason {
    let cannot = |path: &str, error: &io::Error| {
        let failure = Failure::new(ExitReason::InvalidInput, format!("cannot write {path}"))
            .because(error)
            .hint("run nunu-ci init in the root of your repository, where you may write");
        publish::end_without_plan(around, failure)
    };
    let mut unfilled = Vec::new();
    for (path, text) in starter::files(facts) {
        if fate(around, &path) == Fate::Kept {
            continue;
        }
        if let Err(error) = create(&around.cwd, &path, &text) {
            return cannot(&path, &error);
        }
        around.log.info(format!("wrote {path}"));
        if text.contains(starter::FILL_IN) {
            unfilled.push(path);
        }
    }
    if let Err(error) = ignore(&around.cwd) {
        return cannot(".gitignore", &error);
    }
    for line in starter::next_steps(facts, &unfilled) {
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

/// The service and the project, when a key is there; without one `init` works all the same.
fn service(around: &Surroundings) -> Result<Option<(Api, Option<String>)>, String> {
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
    let api = Api::new(net, &access.origin, access.project_id.as_deref(), &key);
    Ok(Some((api, access.project_id)))
}

fn names(found: Option<Vec<Named>>) -> Known {
    found.unwrap_or_default().into_iter().map(|named| (named.id, named.name)).collect()
}

/// Writes a file below `root`, through no link, in the place of whatever was there.
fn create(root: &Path, relative: &str, text: &str) -> io::Result<()> {
    let (folder, name) = relative.rsplit_once('/').unwrap_or(("", relative));
    let path = disk::folders_below(root, folder)?.join(name);
    disk::prepare(&path, text.as_bytes(), Readers::Anyone)?.place().map(drop)
}

/// The lines that `.gitignore` lacks; a file that cannot be read lacks none.
fn missing_lines(root: &Path) -> Vec<&'static str> {
    let text = match disk::read(&root.join(".gitignore"), LARGEST_IGNORE) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(_) => return Vec::new(),
    };
    let bare = |line: &str| line.trim().trim_start_matches('/').trim_end_matches('/').to_owned();
    let has = |wanted: &str| text.lines().any(|line| bare(line) == bare(wanted));
    IGNORED.into_iter().filter(|wanted| !has(wanted)).collect()
}

/// Adds what `.gitignore` lacks.
fn ignore(root: &Path) -> io::Result<()> {
    let missing = missing_lines(root);
    if missing.is_empty() {
        return Ok(());
    }
    let path = root.join(".gitignore");
    // A link would lead to a file that is not of this repository.
    if fs::symlink_metadata(&path).is_ok_and(|about| !about.is_file()) {
        return Ok(());
    }
    let ends_well =
        disk::read(&path, LARGEST_IGNORE).map_or(true, |bytes| bytes.is_empty() || bytes.ends_with(b"\n"));
    let mut text = if ends_well { String::new() } else { "\n".to_owned() };
    for line in missing {
        text.push_str(line);
        text.push('\n');
    }
    disk::append(&path, Readers::Anyone)?.write_all(text.as_bytes())
}
