//! Where the run config's text comes from: a setting that names a file or is the text, or the usual places.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use crate::model::Workspace;
use crate::model::workspace::really;

use super::layers::{Layers, Source};
use super::settings::RUN_CONFIG;
use super::values::nearest;
use super::yaml::{LARGEST, Text};

/// Where a run config is looked for when nothing names one.
const USUAL: [&str; 2] = [RUN_CONFIG, ".nunu/run.yaml"];

/// What is left of looking for the run config.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RunConfig {
    /// Nothing names one, and there is none in the usual places.
    None,
    /// Its text, and what named it.
    Text { text: Text, source: Source },
    /// There should be one, but it cannot be had; why.
    Missing(String),
    /// It is there, but no text.
    Unreadable(String),
}

/// Finds and reads the run config.
pub(super) fn run_config(layers: &Layers<'_>, cwd: &Path, workspace: &Workspace) -> RunConfig {
    let Some(found) = layers.get("run-config") else {
        return usual(cwd).map_or(RunConfig::None, |name| {
            match out_of_place(name, &cwd.join(name), workspace) {
                Some(why) => RunConfig::Missing(format!("run-config: {why}")),
                None => read(name, Source::Default, cwd, workspace),
            }
        });
    };
    if found.value.contains('\n') || found.value.trim_start().starts_with('{') {
        let text = Text { name: "run-config".to_owned(), all: found.value, may_quote: true };
        return RunConfig::Text { text, source: found.source };
    }
    read(found.value.trim(), found.source, cwd, workspace)
}

/// The run config in its usual place, if there is one, or whatever else is in that place.
pub(super) fn usual(cwd: &Path) -> Option<&'static str> {
    USUAL.into_iter().find(|name| cwd.join(name).symlink_metadata().is_ok())
}

/// The run config once more, for what has to be told without a plan. A pipe gives its text once, and is not waited for again.
pub(super) fn run_config_again(layers: &Layers<'_>, cwd: &Path, workspace: &Workspace) -> RunConfig {
    let is_pipe = layers
        .get("run-config")
        .and_then(|found| fs::metadata(cwd.join(found.value.trim())).ok())
        .is_some_and(|about| !about.is_file());
    if is_pipe { RunConfig::None } else { run_config(layers, cwd, workspace) }
}

/// Why a run config that nobody named is not read: the repository's content must not choose another file by a link.
fn out_of_place(name: &str, path: &Path, workspace: &Workspace) -> Option<String> {
    if !workspace.holds(path) {
        return Some(format!(
            "{name} ends outside of the workspace {}, so it is not read by itself; where that is wanted write run-config: {name} as an input, or NUNU_RUN_CONFIG: {name}",
            workspace.shown()
        ));
    }
    match fs::metadata(path) {
        Ok(about) if about.is_file() => None,
        Ok(_) => Some(format!("{name} is no regular file, so it is not read by itself")),
        Err(_) => Some(format!("{name} is a link to nothing")),
    }
}

/// True for a regular file in the workspace that is called as YAML is; whatever else a path leads to is not shown.
fn may_quote(path: &Path, workspace: &Workspace) -> bool {
    let Ok(end) = really(path) else { return false };
    let is_yaml = end.extension().is_some_and(|extension| extension == "yml" || extension == "yaml");
    is_yaml && end.is_file() && workspace.holds(&end)
}

fn read(name: &str, source: Source, cwd: &Path, workspace: &Workspace) -> RunConfig {
    let path = cwd.join(name);
    let problem = |what: String| match &source {
        Source::Default => format!("run-config: {what}"),
        source => format!("run-config (from {source}): {what}"),
    };
    let cannot = |error: &std::io::Error| RunConfig::Missing(problem(format!("cannot read {name}: {error}")));
    match fs::metadata(&path) {
        Ok(about) if about.is_dir() => {
            return RunConfig::Missing(problem(format!("{name} is a folder; name the file in it")));
        }
        Ok(_) => {}
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
            return RunConfig::Missing(problem(format!(
                "there is no {name} in {}{}",
                cwd.display(),
                advice(name, &path)
            )));
        }
        Err(error) => return cannot(&error),
    }
    let mut bytes = Vec::new();
    // It may be a pipe. One byte more than allowed is enough to know, whatever it is.
    match File::open(&path).and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes)) {
        Ok(count) if count > LARGEST => RunConfig::Unreadable(problem(format!(
            "{name} is larger than {LARGEST} bytes, which no run config is"
        ))),
        Ok(_) => match String::from_utf8(bytes) {
            Ok(text) => {
                let text = Text { name: name.to_owned(), all: text, may_quote: may_quote(&path, workspace) };
                RunConfig::Text { text, source }
            }
            Err(error) => RunConfig::Unreadable(problem(not_text(name, error.as_bytes(), &error))),
        },
        Err(error) => cannot(&error),
    }
}

fn not_text(name: &str, bytes: &[u8], error: &std::string::FromUtf8Error) -> String {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return format!("{name} is UTF-16, as PowerShell writes it; save it as UTF-8");
    }
    let good = bytes.get(..error.utf8_error().valid_up_to()).unwrap_or_default();
    let line = good.split(|&byte| byte == b'\n').count();
    format!("{name} is not UTF-8 text: see line {line}")
}

/// A file of nearly that name, else how to get one.
fn advice(name: &str, path: &Path) -> String {
    let names: Vec<String> = path
        .parent()
        .and_then(|folder| fs::read_dir(folder).ok())
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .take(200)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let wanted = path.file_name().map(|wanted| wanted.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(near) = nearest(&wanted, names.iter().map(String::as_str)) {
        return format!("; did you mean {}?", Path::new(name).with_file_name(near).display());
    }
    if name.contains('\\') && !cfg!(windows) {
        return "; write / between folders, on every system".to_owned();
    }
    "; nunu-ci init writes one".to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Layers, Path, RunConfig, fs, run_config};
    use crate::config::Args;
    use crate::model::{Env, Workspace};

    fn of(value: &str, cwd: &Path) -> RunConfig {
        let env = Env::from([("NUNU_RUN_CONFIG", value)]);
        run_config(&Layers::new(&Args::default(), &env), cwd, &Workspace::find(&Env::default(), cwd))
    }

    fn why(value: &str, cwd: &Path) -> String {
        match of(value, cwd) {
            RunConfig::Missing(why) | RunConfig::Unreadable(why) => why,
            other => panic!("{value}: {other:?}"),
        }
    }

    #[test]
    fn a_path_or_the_text_itself() {
        let home = tempfile::tempdir().unwrap();
        let cwd = home.path();
        assert_eq!(of("", cwd), RunConfig::None);
        fs::create_dir(cwd.join(".nunu")).unwrap();
        fs::write(cwd.join(".nunu/run.yaml"), "second").unwrap();
        let named = |config: RunConfig| match config {
            RunConfig::Text { text, .. } => (text.name, text.all),
            other => panic!("{other:?}"),
        };
        assert_eq!(named(of("", cwd)), (".nunu/run.yaml".to_owned(), "second".to_owned()));
        fs::write(cwd.join(".nunu/run.yml"), "first").unwrap();
        assert_eq!(named(of("", cwd)).1, "first");
        assert_eq!(named(of(" .nunu/run.yaml ", cwd)).1, "second");
        for inline in ["version: 1\n", " {version: 1}"] {
            assert_eq!(named(of(inline, cwd)), ("run-config".to_owned(), inline.to_owned()));
        }
    }

    #[test]
    fn what_cannot_be_read_is_explained() {
        let home = tempfile::tempdir().unwrap();
        let cwd = home.path();
        fs::write(cwd.join("config.yml"), "x").unwrap();
        fs::write(cwd.join("wide.yml"), b"\xff\xfev\0").unwrap();
        fs::write(cwd.join("latin.yml"), b"a: 1\nb: \xe9\n").unwrap();
        fs::write(cwd.join("large.yml"), vec![b'#'; super::LARGEST + 1]).unwrap();
        fs::create_dir(cwd.join("folder")).unwrap();
        for (value, want) in [
            ("confg.yml", "config.yml?"),
            ("config.yml/x.yml", "there is no config.yml/x.yml"),
            ("nothing-like-it", "nunu-ci init writes one"),
            ("wide.yml", "UTF-16"),
            ("latin.yml", "see line 2"),
            ("large.yml", "larger than 1048576 bytes"),
            ("folder", "is a folder"),
        ] {
            let why = why(value, cwd);
            assert!(why.starts_with("run-config (from NUNU_RUN_CONFIG): ") && why.contains(want), "{why}");
        }
        #[cfg(unix)]
        assert!(why("/dev/zero", cwd).contains("larger than"));
        #[cfg(unix)]
        assert!(why("a\\b.yml", cwd).contains("write / between"));
    }

    #[cfg(unix)]
    #[test]
    fn a_planted_link_is_not_followed_out_of_the_workspace() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        let cwd = home.path().join("work");
        fs::create_dir_all(cwd.join(".nunu")).unwrap();
        fs::create_dir(cwd.join("ci")).unwrap();
        fs::write(home.path().join("netrc"), "hunter2").unwrap();
        fs::write(cwd.join("ci/run.yml"), "version: 1").unwrap();
        let planted = cwd.join(".nunu/run.yml");
        for (target, want) in [
            ("../../netrc", "NUNU_RUN_CONFIG: .nunu/run.yml"),
            ("../../not-there", "ends outside of the workspace"),
            ("/dev/zero", "ends outside of the workspace"),
            ("../ci", "no regular file"),
            ("nothing.yml", "a link to nothing"),
        ] {
            symlink(target, &planted).unwrap();
            let why = why("", &cwd);
            assert!(why.contains(want) && !why.contains("hunter2"), "{target}: {why}");
            fs::remove_file(&planted).unwrap();
        }
        // One that stays inside is a file like any other.
        symlink("../ci/run.yml", &planted).unwrap();
        assert!(matches!(of("", &cwd), RunConfig::Text { text, .. } if text.all == "version: 1"));
    }

    #[cfg(unix)]
    #[test]
    fn only_yaml_of_the_workspace_is_quoted() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        let cwd = home.path().join("work");
        fs::create_dir(&cwd).unwrap();
        for name in ["work/a.yml", "work/a.yaml", "work/.env", "outside.yml"] {
            fs::write(home.path().join(name), "x: 1").unwrap();
        }
        symlink("../outside.yml", cwd.join("out.yml")).unwrap();
        symlink(".env", cwd.join("env.yml")).unwrap();
        symlink("a.yml", cwd.join("in.yml")).unwrap();
        for (name, quoted) in [
            ("a.yml", true),
            ("a.yaml", true),
            ("in.yml", true),
            (".env", false),
            ("env.yml", false),
            ("out.yml", false),
            ("../outside.yml", false),
        ] {
            let RunConfig::Text { text, .. } = of(name, &cwd) else { panic!("{name}") };
            assert_eq!((text.may_quote, text.all.as_str()), (quoted, "x: 1"), "{name}");
        }
    }
}
