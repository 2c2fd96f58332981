//! The house rules, read from the sources: imports only go down, and no file grows into a maze.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Room -> rooms it may import.
const MAY_IMPORT: [(&str, &[&str]); 9] = [
    ("flow", &["config", "upload", "api", "ci", "report", "http", "disk", "model"]),
    ("config", &["disk", "model"]),
    ("upload", &["api", "http", "disk", "model"]),
    ("ci", &["disk", "model"]),
    ("report", &["disk", "model"]),
    ("api", &["http", "disk", "model"]),
    ("http", &["disk", "model"]),
    ("disk", &[]),
    ("model", &[]),
];
/// Lines a source file has at most, its tests included.
const LONGEST_FILE: usize = 500;

pub(crate) fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn imports_only_go_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rooms: BTreeMap<&str, &[&str]> = MAY_IMPORT.into_iter().collect();
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "only {} source files found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let top = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let Some(&allowed) = rooms.get(top) else {
            assert!(
                ["lib.rs", "main.rs", "internals.rs"].contains(&top),
                "{} belongs to no room",
                inside.display()
            );
            continue;
        };
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for import in line.split("crate::").skip(1) {
                let target: String =
                    import.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if rooms.contains_key(target.as_str()) && target != top && !allowed.contains(&target.as_str())
                {
                    wrong.push(format!("{}:{}: {top} imports {target}", inside.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where tests may sleep, how often, and what for.
const SLEEPS: [(&str, usize, &str); 4] = [
    ("tests/it/kills.rs", 2, "a signal at any moment; the 2 s after which a second one counts"),
    ("tests/it/late_jobs.rs", 1, "a signal at any moment"),
    ("tests/it/leaks.rs", 1, "between two looks at a process"),
    ("tests/it/story.rs", 1, "between two looks at a process"),
];

/// A test that waits a fixed time for something is red on a slow machine: it waits for what it needs (`Stage::wait_until`).
#[test]
fn no_test_depends_on_speed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("tests"), &mut files);
    let mut found = BTreeMap::new();
    for file in files {
        let lines = fs::read_to_string(&file).unwrap();
        let sleeps = lines.lines().filter(|line| line.contains(concat!("sleep", "("))).count();
        if sleeps > 0 {
            found.insert(file.strip_prefix(root).unwrap().display().to_string(), sleeps);
        }
    }
    let allowed: BTreeMap<String, usize> =
        SLEEPS.into_iter().map(|(file, count, _)| (file.to_owned(), count)).collect();
    assert_eq!(found, allowed, "wait for an event in place of a time");
}

#[test]
fn files_stay_readable() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "protocol/src", "simulator/src", "tests"] {
        sources(&root.join(folder), &mut files);
    }
    let long: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let lines = fs::read_to_string(file).unwrap().lines().count();
            (lines > LONGEST_FILE)
                .then(|| format!("{}: {lines} lines", file.strip_prefix(root).unwrap().display()))
        })
        .collect();
    assert!(long.is_empty(), "over {LONGEST_FILE} lines:\n{}", long.join("\n"));
}

/// The compiler says nothing of a file that no module names.
#[test]
fn every_file_is_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "protocol/src", "simulator/src", "tests/it"] {
        sources(&root.join(folder), &mut files);
    }
    let roots = ["mod", "lib", "main"];
    let forgotten: Vec<String> = files
        .iter()
        .filter(|file| !roots.contains(&file.file_stem().unwrap().to_str().unwrap()))
        .filter(|file| {
            let folder = file.parent().unwrap();
            let named = format!("mod {};", file.file_stem().unwrap().to_str().unwrap());
            let parents = roots.iter().map(|root| folder.join(root).with_extension("rs"));
            let mut parents = parents.chain([folder.with_extension("rs")]);
            !parents.any(|parent| fs::read_to_string(parent).is_ok_and(|text| text.contains(&named)))
        })
        .map(|file| file.strip_prefix(root).unwrap().display().to_string())
        .collect();
    assert!(forgotten.is_empty(), "no module names {}", forgotten.join(", "));
}

/// Files that may read the environment or the working directory of the process, and those that may be handed what was read.
const READ_THE_PROCESS: [&str; 3] = ["main.rs", "flow/process.rs", "internals.rs"];
const BEFORE_THE_PLAN: [&str; 4] = ["flow/app.rs", "flow/bug.rs", "flow/context.rs", "flow/init.rs"];

/// All that the environment decides stands in the plan, the host or the context: what changes it later changes nothing.
#[test]
fn after_the_plan_nobody_reads_the_environment() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("mod tests {").next().unwrap();
        let reads =
            ["env::var", "env::current_dir", "env::set_", "env::temp_dir", "env::home_dir", "env::args"];
        let is_test =
            inside.contains("/tests/") || inside.ends_with("tests.rs") || inside.ends_with("testing.rs");
        if !READ_THE_PROCESS.contains(&inside.as_str()) && !is_test {
            wrong.extend(
                reads.iter().filter(|what| code.contains(**what)).map(|what| format!("{inside}: {what}")),
            );
        }
        let may_be_handed = BEFORE_THE_PLAN.contains(&inside.as_str())
            || READ_THE_PROCESS.contains(&inside.as_str())
            || !inside.starts_with("flow/");
        let handed = code.lines().any(|line| line.trim_start().starts_with("use ") && line.contains("Env"))
            || code.contains("ctx.env");
        if handed && !may_be_handed {
            wrong.push(format!("{inside}: is handed the environment after the plan"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
