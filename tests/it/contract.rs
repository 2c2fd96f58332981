//! What users read agrees with what the program does: README, action.yml, docs and the code.

use std::fs;
use std::path::Path;

use nunu_ci::ExitReason;
use nunu_ci::internals::SETTINGS;

use crate::house::sources;
use crate::stage::Stage;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Values of the first column of the table between two marks, without code marks.
fn column(text: &str, mark: &str) -> Vec<String> {
    let begin = text.find(&format!("<!-- {mark} -->")).unwrap();
    let end = text.find(&format!("<!-- /{mark} -->")).unwrap();
    text[begin..end]
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('`').nth(1).unwrap().to_owned())
        .collect()
}

/// Keys one level below a top-level key of a YAML file.
fn keys_below(text: &str, top: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| *line != format!("{top}:"))
        .skip(1)
        .take_while(|line| line.starts_with(' ') || line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.trim().trim_end_matches(':').to_owned())
        .collect()
}

#[test]
fn docs_and_action_know_every_setting() {
    let (readme, action) = (read("docs/settings.md"), read("action.yml"));
    let mut flags: Vec<String> =
        SETTINGS.iter().filter(|setting| setting.has_flag()).map(|setting| setting.name.to_owned()).collect();
    flags.insert(0, "api-token".to_owned());
    assert_eq!(column(&readme, "settings"), flags);
    let mut inputs = keys_below(&action, "inputs");
    inputs.retain(|input| input != "file");
    assert_eq!(inputs, flags);
    let (_, steps) = action.split_once("\nruns:\n").unwrap();
    let (run_step, safety_net) = steps.split_once("- name: nunu-ci stop\n").unwrap();
    for flag in flags.iter().filter(|flag| *flag != "api-url") {
        let variable = format!("NUNU_{}", flag.to_ascii_uppercase().replace('-', "_"));
        // Between the input and the variable of the job may stand inputs that exclude it.
        let (start, end) = (format!("{variable}: ${{{{ inputs.{flag} || "), format!("env.{variable} "));
        let lines = run_step.lines().filter(|line| line.trim().starts_with(&start) && line.contains(&end));
        assert_eq!(lines.count(), 1, "{start}... is not in the run step");
    }
    // The address of the service comes from the input alone.
    for step in [run_step, safety_net] {
        assert!(step.contains("        NUNU_ACTION: composite\n        NUNU_API_URL: ${{ inputs.api-url }}\n        NUNU_BASE_URL: ''\n"));
    }
    for setting in SETTINGS.iter().filter(|setting| !setting.has_flag()) {
        assert!(
            readme.contains(&format!("| `{}` | `{}` |", setting.key.unwrap(), setting.variable())),
            "{}",
            setting.name
        );
    }
}

#[test]
fn the_gitlab_component_hands_on_every_setting() {
    let component = read("templates/nunu-run.yml");
    let (inputs, job) = component.split_once("\n---\n").unwrap();
    // The key and the token come from variables of the project.
    let settings = SETTINGS.iter().filter(|setting| setting.has_flag() && setting.name != "github-token");
    for setting in settings {
        let (input, variable) = (setting.name, setting.variable().replace("NUNU_", "NUNU_INPUT_"));
        assert!(inputs.contains(&format!("\n    {input}:\n")), "the component has no input {input}");
        let line = format!("\n    {variable}: \"$[[ inputs.{input} ]]\"\n");
        assert!(job.contains(&line), "the component does not hand on {input} as {variable}");
    }
    assert!(!job.contains("    INPUT_"), "INPUT_... is for Docker container actions");
}

#[test]
fn action_outputs_are_the_outputs() {
    let mut stage = Stage::new().env("GITHUB_REF_TYPE", "branch").env("GITHUB_REF_NAME", "main");
    let build = stage.apk(1000);
    let plan = [
        "run",
        "--build-path",
        build,
        "--test-plan-id",
        nunu_sim::DEFAULT_PLAN,
        "--deployment-config-id",
        nunu_sim::DEFAULT_DEPLOYMENT_CONFIG,
    ];
    stage.run(&plan).is(0, "passed");
    // The second run has a baseline.
    stage.set("GITHUB_RUN_ID", "4712");
    std::fs::remove_file(stage.path("output")).unwrap();
    let ended = stage.run(&plan);
    ended.is(0, "passed");
    let mut written: Vec<&str> = ended.outputs.keys().map(String::as_str).collect();
    let (readme, action) =
        (column(&read("docs/outputs.md"), "outputs"), keys_below(&read("action.yml"), "outputs"));
    assert_eq!(readme, action);
    let mut known: Vec<&str> = action.iter().map(String::as_str).collect();
    known.sort_unstable();
    written.sort_unstable();
    assert_eq!(written, known, "every output is written when everything is known");
}

#[test]
fn every_reason_is_in_the_table_and_has_a_page() {
    let (table, errors) = (read("docs/exit-codes.md"), read("docs/errors.md"));
    for reason in ExitReason::ALL {
        assert!(table.contains(&format!("`{reason}`")), "{reason} is not in docs/exit-codes.md");
        let page =
            errors.split("\n## ").find(|page| page.starts_with(&format!("`{reason}`"))).unwrap_or_default();
        assert!(
            page.contains("Exit code") && page.contains(&reason.exit_code().to_string()),
            "{reason} has no page"
        );
    }
}

#[test]
fn the_schema_names_every_key() {
    let schema: serde_json::Value = serde_json::from_str(&read("docs/nunu-ci.schema.json")).unwrap();
    for setting in SETTINGS {
        let Some(key) = setting.key else { continue };
        let pointer = match key.split_once("[].") {
            Some((list, word)) => format!("/properties/{list}/items/properties/{word}"),
            None => format!("/properties/{}", key.replace('.', "/properties/")),
        };
        assert!(schema.pointer(&pointer).is_some(), "{key} is not in the schema");
    }
}

/// Files that name the image of this version.
const VERSIONED: [&str; 7] = [
    "docs/cookbook/gitlab.md",
    "docs/cookbook/jenkins.md",
    "docs/cookbook/anywhere.md",
    "docs/cookbook/hosts.md",
    "templates/nunu-run.yml",
    "examples/Jenkinsfile",
    "examples/gitlab-ci.yml",
];

#[test]
fn versions_agree() {
    let version = env!("CARGO_PKG_VERSION");
    for file in VERSIONED {
        for (at, _) in read(file).match_indices("ghcr.io/OWNER/nunu-ci:") {
            assert!(
                read(file)[at..].starts_with(&format!("ghcr.io/OWNER/nunu-ci:{version}")),
                "{file} names another version"
            );
        }
    }
    let help = Stage::new().run(&["--help"]).stdout;
    for setting in SETTINGS.iter().filter(|setting| setting.has_flag()) {
        assert!(help.contains(&format!("--{}", setting.name)), "--help does not show {}", setting.name);
    }
}

/// The oldest major of each action that runs on a runtime which GitHub's runner still has (node24, or none at all).
const OLDEST_MAJORS: [(&str, u32); 7] = [
    ("actions/checkout", 5),
    ("actions/cache", 5),
    ("actions/setup-java", 5),
    ("game-ci/unity-builder", 5),
    ("actions/upload-artifact", 6),
    ("actions/download-artifact", 7),
    // Before 3: node20. From 4 on it makes what attest-build-provenance and attest-sbom made.
    ("actions/attest", 4),
];

#[test]
fn no_action_that_is_named_runs_on_an_old_runtime() {
    let mut files = Vec::new();
    for folder in [".github", "examples", "templates", "docs", "src", "tests/packaging", "simulator"] {
        texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    files.extend(
        ["README.md", "CHANGELOG.md", "SECURITY.md", "action.yml"].map(|name| (name.into(), read(name))),
    );
    let mut seen = Vec::new();
    for (file, text) in &files {
        for line in text.lines() {
            let Some((_, named)) = line.split_once("uses: ") else { continue };
            let Some((action, version)) = named.split_once('@').filter(|(action, _)| action.contains('/'))
            else {
                continue;
            };
            if action.starts_with("OWNER/") {
                continue;
            }
            // A tag, or the comment behind a commit.
            let tag =
                version.split_once("# ").map_or(version, |(_, comment)| comment).trim_start_matches('v');
            let major = tag.split(|letter: char| !letter.is_ascii_digit()).next().unwrap().parse::<u32>();
            let oldest = OLDEST_MAJORS.iter().find(|(known, _)| *known == action);
            let Some((_, oldest)) = oldest else {
                panic!("{file}: {action} is not in the table of current majors")
            };
            assert!(
                major.is_ok_and(|major| major >= *oldest),
                "{file}: {action}@{version} runs on an old runtime"
            );
            seen.push(action);
        }
    }
    for (action, _) in OLDEST_MAJORS {
        assert!(seen.contains(&action), "{action} is in the table and nowhere else");
    }
}

/// Text files below a folder, with their names.
fn texts(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push((path.display().to_string(), text));
        }
    }
}

/// Links between the files of the repository lead to files, and those to sections to sections.
#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<std::path::PathBuf> = vec![root.join("README.md")];
    for folder in ["docs", "docs/cookbook"] {
        let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") || link.contains(' ') {
                continue;
            }
            let (path, section) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(target.exists(), "{}: {link} leads nowhere", file.display());
            if !section.is_empty() {
                let sections = fs::read_to_string(&target).unwrap();
                let mut titles = sections.lines().filter(|line| line.starts_with('#')).map(anchor);
                assert!(
                    titles.any(|title| title == section),
                    "{}: {link} has no such section",
                    file.display()
                );
            }
        }
    }
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim().to_lowercase();
    let plain = title.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    plain.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

#[test]
fn the_tests_that_the_threat_model_names_exist() {
    let mut files = Vec::new();
    for folder in ["src", "tests/it"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    let text = read("docs/security.md");
    let named: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).collect();
    assert!(named.len() >= 25, "{named:?}");
    for test in named {
        let (module, name) = test.rsplit_once("::").unwrap();
        let room = module.trim_end_matches("::tests").rsplit("::").next().unwrap();
        let mut there = files.iter().filter(|file| file.to_str().unwrap().contains(room));
        let known = there.any(|file| fs::read_to_string(file).unwrap().contains(&format!("fn {name}(")));
        assert!(known, "docs/security.md names {test}, which does not exist");
    }
}
