//! What was said about the files that `init` writes: flags and variables answer its questions.

use crate::model::{Env, Platform};

use super::args::Args;
use super::layers::Layers;
use super::starter::Host;
use super::values::list;

/// Settings that `init` writes down, and those it needs to ask the service.
const USED: [&str; 10] = [
    "build-path",
    "file",
    "platform",
    "test-id",
    "test-plan-id",
    "deployment-config-id",
    "project-id",
    "api-url",
    "results-dir",
    "verbose",
];

/// What was said; `None` and empty: nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// Host to write a workflow for.
    pub(crate) host: Option<Host>,
    /// Build path.
    pub(crate) build: Option<String>,
    /// Platform of the build.
    pub(crate) platform: Option<Platform>,
    /// Tests, by id or name.
    pub(crate) tests: Vec<String>,
    /// Test plans, by id or name.
    pub(crate) plans: Vec<String>,
    /// Deployment configuration, by id or name.
    pub(crate) deployment_config: Option<String>,
}

/// The platform of that word, or what can be said instead.
pub(crate) fn platform(word: &str) -> Result<Platform, String> {
    let found =
        Platform::ALL.into_iter().find(|platform| platform.as_str().eq_ignore_ascii_case(word.trim()));
    found.ok_or_else(|| {
        format!("\"{word}\" is no platform; they are {}", Platform::ALL.map(Platform::as_str).join(", "))
    })
}

/// Reads what was said, or tells what is wrong with it.
pub(crate) fn answers(args: &Args, env: &Env) -> Result<Answers, String> {
    if let Some(name) = args.flags.keys().find(|name| !USED.contains(name)) {
        return Err(format!("init does not use --{name}; it goes into .nunu/run.yml, or to the command run"));
    }
    let layers = Layers::new(args, env);
    let get = |name: &str| layers.get(name).map(|found| found.value.trim().to_owned());
    let all = |name: &str| layers.get(name).map(|found| list(&found.value)).unwrap_or_default();
    let host =
        match args.host.as_deref() {
            Some(word) => Some(Host::parse(word).ok_or_else(|| {
                format!("--host {word} is none of {}", Host::ALL.map(Host::as_str).join(", "))
            })?),
            None => None,
        };
    Ok(Answers {
        host,
        build: get("build-path").or_else(|| layers.file_alias().map(|found| found.value)),
        platform: get("platform")
            .map(|word| platform(&word))
            .transpose()
            .map_err(|what| format!("platform: {what}"))?,
        tests: all("test-id"),
        plans: all("test-plan-id"),
        deployment_config: get("deployment-config-id"),
    })
}

#[cfg(test)]
mod tests {
    use super::{Args, Env, Host, Platform, answers};
    use crate::config::args::{Parsed, parse};

    fn args(words: &[&str]) -> Args {
        let argv: Vec<String> =
            ["nunu-ci", "init"].iter().chain(words).map(|&word| word.to_owned()).collect();
        match parse(&argv) {
            Ok(Parsed::Args(parsed)) => parsed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_answer_the_questions() {
        let said = answers(
            &args(&[
                "--host",
                "GitLab",
                "--build-path",
                "Builds/Win",
                "--platform",
                "windows",
                "--test-id",
                "a, b",
            ]),
            &Env::default(),
        )
        .unwrap();
        assert_eq!((said.host, said.platform), (Some(Host::GitLab), Some(Platform::Windows)));
        assert_eq!(
            (said.build.as_deref(), said.tests.as_slice()),
            (Some("Builds/Win"), &["a".to_owned(), "b".to_owned()][..])
        );
        for (words, wrong) in [
            (&["--timeout", "2h"][..], "init does not use --timeout"),
            (&["--platform", "amiga"], "\"amiga\" is no platform; they are windows"),
            (&["--host", "travis"], "--host travis is none of github"),
        ] {
            let said = answers(&args(words), &Env::default()).unwrap_err();
            assert!(said.contains(wrong), "{said}");
        }
    }
}
