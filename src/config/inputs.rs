//! Action and component inputs: which variables are one here, and what is said of those that are none.
//!
//! - A Docker container action gets `INPUT_<NAME>` from the runner, hyphens kept (GitHub, "Metadata syntax", `inputs.<id>`). It is
//!   told by `GITHUB_ACTIONS` and by a fact of its container that no earlier step of the job can write: the workspace is mounted at
//!   `/github/workspace` (actions/runner, `ContainerActionHandler.cs`; a job in a container has it below `/__w`), or this program is
//!   the first process of its container (runners that mount it elsewhere, such as act, Gitea and Forgejo).
//! - The composite action hands its inputs on as `NUNU_*` and sets `NUNU_ACTION=composite`; then no `INPUT_*` is read, since any
//!   earlier step can write one.
//! - The GitLab component hands its inputs on as `NUNU_INPUT_<NAME>`; they count where `GITLAB_CI` is set.
//!
//! Everywhere else such a variable is no setting.

use crate::model::Env;

use super::secret_names::is_secret_setting;
use super::settings::{Definition, SETTINGS};
use super::snippet::without_keys;

/// Where GitHub mounts the workspace of a Docker container action, and of nothing else.
const CONTAINER_WORKSPACE: &str = "/github/workspace";
/// Inputs that are no settings of the table: the key, and the old name of `build-path`.
const FURTHER: [&str; 2] = ["api-token", "file"];
/// A longer value is not repeated in a notice.
const LONGEST_SHOWN: usize = 80;

/// Which variables are inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inputs {
    /// `INPUT_*`: a Docker container action.
    Container,
    /// `NUNU_INPUT_*`: the GitLab component.
    Component,
    /// None.
    Unread,
}

/// True under the composite action of this project.
pub(super) fn is_composite(env: &Env) -> bool {
    env.get("NUNU_ACTION") == Some("composite")
}

impl Inputs {
    /// What counts in this process.
    pub(super) fn here(env: &Env) -> Self {
        Self::of(env, std::process::id() == 1)
    }

    fn of(env: &Env, first_process: bool) -> Self {
        let contained = first_process || env.get("GITHUB_WORKSPACE") == Some(CONTAINER_WORKSPACE);
        if is_composite(env) {
            Self::Unread
        } else if env.is_true("GITHUB_ACTIONS") {
            if contained { Self::Container } else { Self::Unread }
        } else if env.get("GITLAB_CI").is_some() {
            Self::Component
        } else {
            Self::Unread
        }
    }

    /// The input for a setting, as variable and value.
    pub(super) fn find<'a>(self, env: &'a Env, setting: &str) -> Option<(String, &'a str)> {
        let upper = setting.to_ascii_uppercase();
        let snake = upper.replace('-', "_");
        let names = match self {
            // The runner keeps hyphens; people also write underscores.
            Self::Container => vec![format!("INPUT_{upper}"), format!("INPUT_{snake}")],
            Self::Component => vec![format!("NUNU_INPUT_{snake}")],
            Self::Unread => Vec::new(),
        };
        names.into_iter().find_map(|name| env.get(&name).map(|value| (name, value)))
    }

    /// A notice for every variable that looks like an input and is none here, with the line to write instead.
    pub(super) fn in_vain(self, env: &Env) -> Vec<String> {
        let names = SETTINGS.iter().filter(|setting| setting.has_flag()).map(|setting| setting.name);
        let mut notices = Vec::new();
        for setting in FURTHER.into_iter().chain(names) {
            let instead = Definition::variable_of(if setting == "file" { "build-path" } else { setting });
            for (kind, why) in [
                (Self::Container, "INPUT_... counts in a Docker container action alone"),
                (Self::Component, "NUNU_INPUT_... is what the GitLab component hands its inputs on as"),
            ] {
                let found = if kind == self { None } else { kind.find(env, setting) };
                if let Some((name, value)) = found.filter(|(_, value)| env.get(&instead) != Some(value)) {
                    let value = shown(setting, value);
                    notices.push(format!("{name} is not read here, because {why}; write {instead}: {value}"));
                }
            }
        }
        notices
    }
}

fn shown(setting: &str, value: &str) -> String {
    if is_secret_setting(setting) {
        return "(from the CI's secret store)".to_owned();
    }
    if value.len() > LONGEST_SHOWN || value.contains(char::is_control) {
        return "(the same value)".to_owned();
    }
    without_keys(value)
}

#[cfg(test)]
mod tests {
    use super::{Env, Inputs};

    #[test]
    fn only_what_no_earlier_step_can_write_makes_a_container_action() {
        let github = ("GITHUB_ACTIONS", "true");
        let mounted = ("GITHUB_WORKSPACE", "/github/workspace");
        for (pairs, first_process, inputs) in [
            (&[github, mounted][..], false, Inputs::Container),
            (&[github, ("GITHUB_WORKSPACE", "/home/me/game")], true, Inputs::Container),
            (&[github, ("GITHUB_WORKSPACE", "/__w/game/game")], false, Inputs::Unread),
            (&[github], false, Inputs::Unread),
            (&[mounted], true, Inputs::Unread),
            (&[github, mounted, ("NUNU_ACTION", "composite")], true, Inputs::Unread),
            (&[("GITLAB_CI", "true")], false, Inputs::Component),
            // gitlab-ci-local says so.
            (&[("GITLAB_CI", "false")], true, Inputs::Component),
            (&[github, ("GITLAB_CI", "true")], false, Inputs::Unread),
            (&[("GITLAB_CI", "true"), ("NUNU_ACTION", "composite")], false, Inputs::Unread),
            (&[], true, Inputs::Unread),
        ] {
            let env = Env::new(pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
            assert_eq!(Inputs::of(&env, first_process), inputs, "{env:?}");
        }
    }

    #[test]
    fn what_is_set_in_vain_is_told_with_the_new_line() {
        let env = Env::from([
            ("INPUT_FAIL-ON", "failed, bugs:high"),
            ("INPUT_BUILD_PATH", "game.apk"),
            ("NUNU_BUILD_PATH", "game.apk"),
            ("INPUT_FILE", "old.apk"),
            ("INPUT_API-TOKEN", "nunu_secret_0123456789"),
            ("INPUT_NAME", ""),
            ("INPUT_WHO_KNOWS", "x"),
            ("NUNU_INPUT_TAGS", "a\nb"),
        ]);
        let said = Inputs::Unread.in_vain(&env).join("\n");
        for line in [
            "INPUT_FAIL-ON is not read here, because INPUT_... counts in a Docker container action alone; write NUNU_FAIL_ON: failed, bugs:high",
            "write NUNU_API_TOKEN: (from the CI's secret store)",
            "NUNU_INPUT_TAGS is not read here, because NUNU_INPUT_... is what the GitLab component hands its inputs on as; write NUNU_TAGS: (the same value)",
        ] {
            assert!(said.contains(line), "{said}");
        }
        assert!(
            !said.contains("0123456789") && !said.contains("WHO_KNOWS") && !said.contains("INPUT_BUILD_PATH")
        );
        assert_eq!(said.lines().count(), 4, "{said}");
        assert!(Inputs::Container.in_vain(&Env::from([("INPUT_TAGS", "a")])).is_empty());
        assert_eq!(
            Inputs::Component.in_vain(&Env::from([("INPUT_TAGS", "a"), ("NUNU_INPUT_TAGS", "b")])).len(),
            1
        );
    }
}
