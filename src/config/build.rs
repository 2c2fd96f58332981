//! The build part of the plan.

use std::path::Path;

use crate::model::build::BuildSource;
use crate::model::build_kind::platform_of;
use crate::model::ids::is_ours;
use crate::model::run_report::Context;
use crate::model::{BuildSpec, DeletionPolicy, ExitReason, Multipart, Platform, may_be_id};

use super::build_path;
use super::file::Raw;
use super::layers::Source;
use super::plan::Command;
use super::resolve::Resolver;
use super::templates::fill;
use super::values::{number, one_of, whole_minutes};

/// Names of a build have at most this many characters, tags and descriptions their own limits (API reference, `POST builds/upload`).
const LONGEST_NAME: usize = 255;
const LONGEST_DESCRIPTION: usize = 1000;
const LONGEST_TAG: usize = 50;

/// Resolves everything about the build.
pub(super) fn build(
    resolver: &mut Resolver<'_>,
    command: Command,
    cwd: &Path,
    context: &Context,
    date: &str,
    no_build: bool,
) -> BuildSpec {
    let source = if no_build { BuildSource::None } else { source(resolver, command, cwd) };
    let platform = platform(resolver, &source);
    let name = name(resolver, &source, context, date);
    let description = resolver.bounded("description", LONGEST_DESCRIPTION);
    let tags = tags(resolver, context, date);
    BuildSpec {
        source,
        name,
        platform,
        description,
        tags,
        auto_delete: resolver.switch("auto-delete"),
        deletion_policy: resolver.value(
            "deletion-policy",
            one_of(&[("least_recent", DeletionPolicy::LeastRecent), ("oldest", DeletionPolicy::Oldest)]),
        ),
        upload_timeout_minutes: resolver.parsed("upload-timeout", whole_minutes),
        reuse: resolver.switch("build-reuse"),
        multipart: resolver.value(
            "multipart",
            one_of(&[("auto", Multipart::Auto), ("always", Multipart::Always), ("never", Multipart::Never)]),
        ),
        parallel: resolver.value("parallel", parallel),
    }
}

/// Parts in flight: as many as the link takes, or a number.
pub(super) fn parallel(text: &str) -> Result<Option<usize>, String> {
    match text.trim() {
        "auto" => Ok(None),
        text => number(text, 1, 32).map(Some).map_err(|wrong| format!("{wrong}, nor auto")),
    }
}

/// The build's source; `build-path` and `build-id` exclude each other within one layer, a higher layer replaces a lower one.
fn source(resolver: &mut Resolver<'_>, command: Command, cwd: &Path) -> BuildSource {
    let mut path = resolver.found("build-path");
    if let Some(alias) = resolver.layers.file_alias()
        && path.as_ref().is_none_or(|(_, source)| source.layer() > alias.source.layer())
    {
        resolver.notices.push(format!("{} is deprecated: use build-path", alias.source));
        path = Some((Raw::Text(alias.value), alias.source));
    }
    let id = resolver.found("build-id");
    let needs_build = matches!(command, Command::Run | Command::Upload | Command::Start | Command::Check);
    match (path, id) {
        (Some((_, by)), Some((_, with))) if by.layer() == with.layer() && needs_build => {
            resolver.complain(
                "build-id",
                &with,
                &format!("excludes build-path (from {by}): keep one of them"),
            );
            BuildSource::None
        }
        (Some((_, by)), Some((raw, with))) if with.layer() < by.layer() => {
            given(resolver, command, raw, &with)
        }
        (None, Some((raw, with))) => given(resolver, command, raw, &with),
        (Some((Raw::Text(path), by)), _) => {
            resolver.record("build-path", path.clone(), &by);
            match command {
                Command::Run | Command::Upload | Command::Check => located(resolver, path.trim(), &by, cwd),
                Command::Start => {
                    resolver.complain(
                        "build-path",
                        &by,
                        "the command start does not upload: run nunu-ci upload before it and set build-id to the output of that name",
                    );
                    BuildSource::None
                }
                _ => BuildSource::None,
            }
        }
        (Some((Raw::List(_), by)), _) => {
            resolver.complain("build-path", &by, "has to be a single path");
            BuildSource::None
        }
        (None, None) => {
            if command == Command::Upload {
                resolver.problems.push(
                    "build-path (not set): there is nothing to upload; set it to a file, a folder or a glob"
                        .to_owned(),
                );
            }
            BuildSource::None
        }
    }
}

fn given(resolver: &mut Resolver<'_>, command: Command, raw: Raw, source: &Source) -> BuildSource {
    let Raw::Text(id) = raw else {
        resolver.complain("build-id", source, "has to be a single id");
        return BuildSource::None;
    };
    let id = id.trim().to_owned();
    resolver.record("build-id", id.clone(), source);
    if command == Command::Upload {
        resolver.complain(
            "build-id",
            source,
            "names a build that is stored already: there is nothing to upload; set build-path instead",
        );
    }
    if !may_be_id(&id) {
        resolver.complain("build-id", source, "is not a build id: use the output build-id of the upload");
    }
    BuildSource::Id(id)
}

fn located(resolver: &mut Resolver<'_>, path: &str, by: &Source, cwd: &Path) -> BuildSource {
    let within = matches!(by, Source::File(_)).then(|| resolver.workspace.clone());
    match build_path::find(path, &by.to_string(), cwd, within.as_ref()) {
        Ok(path) => BuildSource::Path(path),
        Err(build_path::Trouble::LeadsOut) => {
            let what = resolver.leads_out(path, "build-path");
            resolver.complain("build-path", by, &what);
            BuildSource::None
        }
        Err(build_path::Trouble::Failure(failure)) if failure.reason == ExitReason::InvalidInput => {
            resolver.complain("build-path", by, &failure.message);
            BuildSource::None
        }
        Err(build_path::Trouble::Failure(failure)) => {
            resolver.special.push(failure);
            BuildSource::None
        }
    }
}

fn platform(resolver: &mut Resolver<'_>, source: &BuildSource) -> Option<Platform> {
    let words = Platform::ALL.map(|platform| (platform.as_str(), platform));
    let set = resolver.found("platform").is_some();
    let platform = resolver.parsed("platform", one_of(&words));
    let BuildSource::Path(path) = source else { return platform };
    if platform.is_some() || set {
        return platform;
    }
    let extension = path.extension().map(|end| end.to_string_lossy().into_owned()).unwrap_or_default();
    let derived = if path.is_dir() { None } else { platform_of(&extension) };
    if derived.is_none() {
        let what = if path.is_dir() {
            "a folder".to_owned()
        } else if extension.is_empty() {
            "a file without extension".to_owned()
        } else {
            format!("a .{extension} file")
        };
        let hint =
            if extension == "app" { "; for .app it is macos, ios-native or ios-simulator" } else { "" };
        resolver.problems.push(format!(
            "platform (not set): {what} does not tell it; set platform to one of {}{hint}",
            words.map(|(word, _)| word).join(", ")
        ));
    }
    derived
}

/// The build's name: as set, else the pull request's title, the commit's subject, or the file name with the CI build number.
fn name(resolver: &mut Resolver<'_>, source: &BuildSource, context: &Context, date: &str) -> String {
    if let Some((Raw::Text(raw), from)) = resolver.found("name") {
        resolver.record("name", raw.clone(), &from);
        return match filled(raw.trim(), LONGEST_NAME, context, date) {
            Ok(Filled { text, clipped }) if !text.is_empty() => {
                if clipped {
                    resolver.notices.push(format!("the build's name was cut to {LONGEST_NAME} characters"));
                }
                text
            }
            Ok(_) => {
                resolver.complain("name", &from, "is empty");
                String::new()
            }
            Err(what) => {
                resolver.complain("name", &from, &what);
                String::new()
            }
        };
    }
    let file = match source {
        BuildSource::Path(path) => {
            path.file_name().map_or_else(|| "build".to_owned(), |name| name.to_string_lossy().into_owned())
        }
        _ => "build".to_owned(),
    };
    let numbered = match &context.build_number {
        Some(number) => format!("{file} #{number}"),
        None => file,
    };
    let titles = [&context.pull_request_title, &context.commit_subject];
    let derived =
        titles.into_iter().flatten().find_map(|title| Some(tidy(title)).filter(|title| !title.is_empty()));
    let name: String = derived.unwrap_or_else(|| tidy(&numbered)).chars().take(LONGEST_NAME).collect();
    if name.is_empty() { "build".to_owned() } else { name }
}

/// Text without control characters and surrounding white space.
fn tidy(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect::<String>().trim().to_owned()
}

/// A text with its templates filled in.
struct Filled {
    text: String,
    /// True when what was filled in made it too long.
    clipped: bool,
}

/// Fills in templates. What a person wrote too long is an error; a long branch must not fail every pipeline of that branch.
fn filled(raw: &str, most: usize, context: &Context, date: &str) -> Result<Filled, String> {
    let text = fill(raw, context, date)?;
    if raw.contains(char::is_control) {
        return Err("has a line break or another control character".to_owned());
    }
    let text = tidy(&text);
    let count = text.chars().count();
    if count <= most {
        return Ok(Filled { text, clipped: false });
    }
    if text == raw {
        return Err(format!("has {count} characters, at most {most} are allowed"));
    }
    Ok(Filled { text: text.chars().take(most).collect(), clipped: true })
}

fn tags(resolver: &mut Resolver<'_>, context: &Context, date: &str) -> Vec<String> {
    let Some((items, source)) = resolver.items("tags") else { return Vec::new() };
    let mut tags: Vec<String> = Vec::new();
    for item in items {
        match filled(&item, LONGEST_TAG, context, date) {
            Ok(Filled { text, clipped }) => {
                if clipped {
                    resolver
                        .notices
                        .push(format!("the tag {item} was cut to {LONGEST_TAG} characters: {text}"));
                }
                if is_ours(&text) {
                    let what =
                        format!("\"{text}\" begins with nunu-ci., as only the tags of this program do");
                    resolver.complain("tags", &source, &what);
                }
                if !text.is_empty() && !tags.contains(&text) {
                    tags.push(text);
                }
            }
            Err(what) => resolver.complain("tags", &source, &format!("\"{item}\" {what}")),
        }
    }
    tags
}
