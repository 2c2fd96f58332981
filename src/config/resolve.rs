//! Layers become single values, and every problem on the way is gathered.

use std::path::Path;

use crate::model::{ExitReason, Failure, Workspace};

use super::file::{FileConfig, Raw};
use super::layers::{Found, Layers, Source};
use super::plan::Setting;
use super::settings::{Definition, SETTINGS, default_of};
use super::snippet::without_keys;
use super::values::list;
use super::yaml::Document;

/// Gathers values and problems.
pub(super) struct Resolver<'a> {
    pub(super) layers: Layers<'a>,
    pub(super) file: FileConfig,
    pub(super) document: Option<Document<'a>>,
    /// Problems outside of the run config.
    pub(super) problems: Vec<String>,
    /// Problems of a run config that could not be read at all.
    pub(super) file_problems: Vec<String>,
    /// Problems with a reason of their own, such as a build that is not there.
    pub(super) special: Vec<Failure>,
    pub(super) settings: Vec<Setting>,
    pub(super) notices: Vec<String>,
    /// What is worth a line of the log, and no more.
    pub(super) remarks: Vec<String>,
    /// What the run config may lead to.
    pub(super) workspace: Workspace,
}

impl Resolver<'_> {
    /// The value of a setting from the highest layer that has one.
    pub(super) fn found(&self, name: &'static str) -> Option<(Raw, Source)> {
        if let Some(Found { value, source }) = self.layers.get(name) {
            return Some((Raw::Text(value), source));
        }
        let (raw, key) = self.file.settings.get(name)?;
        Some((raw.clone(), Source::File((*key).to_owned())))
    }

    /// True when a path ends in the workspace; one that cannot be followed does not.
    pub(super) fn in_workspace(&self, path: &Path) -> bool {
        self.workspace.holds(path)
    }

    /// Why a path of the run config is refused, with the line to use instead.
    pub(super) fn leads_out(&self, path: &str, setting: &str) -> String {
        let variable = Definition::variable_of(setting);
        format!(
            "{path} ends outside of the workspace {}, which only the pipeline may leave; write there {setting}: {path} as an input, --{setting} {path}, or {variable}: {path}",
            self.workspace.shown()
        )
    }

    /// Notes what is wrong with a setting's value, at the place it came from.
    pub(super) fn complain(&mut self, name: &str, source: &Source, what: &str) {
        match (source, &mut self.document) {
            (Source::File(key), Some(document)) => document.problem(key, what),
            _ => self.problems.push(format!("{name} (from {source}): {what}")),
        }
    }

    /// Notes what is wrong at a place of the run config.
    pub(super) fn complain_in_file(&mut self, path: &str, what: &str) {
        if let Some(document) = &mut self.document {
            document.problem(path, what);
        }
    }

    /// True when there is a run config, but not all of it could be understood; what it lacks may stand there all the same.
    pub(super) fn config_is_broken(&self) -> bool {
        !self.file_problems.is_empty()
            || self.problems.iter().any(|problem| problem.starts_with("run-config"))
            || self.document.as_ref().is_some_and(|document| !document.is_good())
    }

    /// Turns every problem into a notice, but those with the settings that are `needed`.
    pub(super) fn forgive(&mut self, needed: &[&str]) {
        let (kept, forgiven) =
            std::mem::take(&mut self.problems).into_iter().partition(|problem: &String| {
                needed.iter().any(|name| problem.starts_with(&format!("{name} (")))
            });
        self.problems = kept;
        let in_file = self.document.as_mut().map(Document::take_problems).unwrap_or_default();
        let special = std::mem::take(&mut self.special).into_iter().map(|failure| failure.message);
        self.notices.extend(forgiven);
        self.notices
            .extend(std::mem::take(&mut self.file_problems).into_iter().chain(in_file).chain(special));
    }

    /// Remembers how a setting was resolved.
    pub(super) fn record(&mut self, name: &'static str, value: String, source: &Source) {
        self.settings.push(Setting { name, value, source: source.to_string() });
    }

    /// A value that `parse` understands, or `None` when it is not set or not good.
    pub(super) fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (raw, source) = self.found(name)?;
        let text = match raw {
            Raw::Text(text) => text,
            Raw::List(_) => {
                self.complain(name, &source, "has to be a single value");
                return None;
            }
        };
        self.record(name, text.clone(), &source);
        match parse(&text) {
            Ok(value) => Some(value),
            Err(what) => {
                self.complain(name, &source, &what);
                None
            }
        }
    }

    /// A text as it is.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.parsed(name, |text| Ok(text.trim().to_owned())).filter(|text| !text.is_empty())
    }

    /// A text of 1 to `most` characters.
    pub(super) fn bounded(&mut self, name: &'static str, most: usize) -> Option<String> {
        self.parsed(name, |text| match text.trim().chars().count() {
            count if count > most => Err(format!("has {count} characters, at most {most} are allowed")),
            _ => Ok(text.trim().to_owned()),
        })
    }

    /// A value of a setting that has a default in the table; the default also stands in for a value that is not good.
    pub(super) fn value<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> T {
        self.parsed(name, &parse).unwrap_or_else(|| default_of(name, parse))
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, name: &'static str) -> bool {
        self.value(name, super::values::boolean)
    }

    /// The list of a setting that has a default in the table, and where it came from.
    pub(super) fn items_or_default(&mut self, name: &'static str) -> (Vec<String>, Source) {
        self.items(name).unwrap_or_else(|| (default_of(name, |text| Ok(list(text))), Source::Default))
    }

    /// A list, and where it came from; one without items is not set.
    pub(super) fn items(&mut self, name: &'static str) -> Option<(Vec<String>, Source)> {
        let (raw, source) = self.found(name)?;
        let items = match raw {
            Raw::Text(text) => list(&text),
            Raw::List(items) => items,
        };
        self.record(name, items.join(", "), &source);
        Some((items, source))
    }

    /// Every setting that was not set, with its default, after all others were resolved.
    pub(super) fn record_defaults(&mut self) {
        for definition in SETTINGS {
            if !self.settings.iter().any(|setting| setting.name == definition.name) {
                self.record(definition.name, definition.default.shown().to_owned(), &Source::Default);
            }
        }
        let order = |name: &str| SETTINGS.iter().position(|definition| definition.name == name);
        self.settings.sort_by_key(|setting| order(setting.name));
        self.settings.dedup_by(|later, first| later.name == first.name);
    }

    /// One failure for all problems, or none.
    pub(super) fn verdict(&mut self) -> Result<(), Failure> {
        let mut in_file = std::mem::take(&mut self.file_problems);
        in_file.extend(self.document.iter_mut().flat_map(Document::take_problems));
        let reason = if self.problems.is_empty() && !in_file.is_empty() {
            ExitReason::InvalidConfig
        } else {
            ExitReason::InvalidInput
        };
        let mut all = std::mem::take(&mut self.problems);
        all.extend(in_file);
        if all.is_empty() {
            // With several of these at once the first decides the code; the others are causes of the same failure.
            let mut special = std::mem::take(&mut self.special).into_iter();
            let Some(mut first) = special.next() else { return Ok(()) };
            for other in special {
                first = first.cause(other.message);
            }
            // A key pasted into the wrong setting is not repeated.
            first.message = without_keys(&first.message);
            for cause in &mut first.causes {
                *cause = without_keys(cause);
            }
            return Err(first);
        }
        all.extend(std::mem::take(&mut self.special).into_iter().map(|failure| failure.message));
        for problem in &mut all {
            *problem = without_keys(problem);
        }
        let message = if all.len() == 1 {
            all.remove(0)
        } else {
            format!("{} problems:\n{}", all.len(), all.join("\n"))
        };
        Err(Failure::new(reason, message).hint(match reason {
            ExitReason::InvalidConfig => {
                "nunu-ci schema prints what a run config may hold; docs/run-config.md has examples"
            }
            _ => "nunu-ci help run and docs/settings.md list every setting and its values",
        }))
    }
}
