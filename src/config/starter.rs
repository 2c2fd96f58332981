//! Starter files for `init`: the files of `starter/` and facts in their places. Pure.

mod fill;
mod recipe;

use std::fmt::Write as _;

use crate::model::Platform;

use super::find_builds::tells_platform;
use super::project::Project;
use fill::fill;
pub(crate) use recipe::{Recipe, recipe};

/// What marks a place that people have to fill in.
pub(crate) const FILL_IN: &str = "FILL IN";
/// The build that is named where none is known.
pub(crate) const SOME_BUILD: &str = "build/app.apk";
/// Things of the project that are listed in the run config.
const LISTED: usize = 20;

/// Hosts with a workflow file to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Host {
    /// GitHub Actions.
    #[default]
    GitHub,
    /// GitLab CI.
    GitLab,
    /// Jenkins.
    Jenkins,
}

impl Host {
    /// Every one.
    pub(crate) const ALL: [Self; 3] = [Self::GitHub, Self::GitLab, Self::Jenkins];

    /// Its word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Jenkins => "jenkins",
        }
    }

    /// The host of that word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|host| host.as_str() == word.to_ascii_lowercase())
    }

    /// The file that it reads, or that is taken into the one it reads.
    const fn workflow(self) -> &'static str {
        match self {
            Self::GitHub => ".github/workflows/nunu.yml",
            Self::GitLab => ".nunu/gitlab-ci.yml",
            Self::Jenkins => ".nunu/Jenkinsfile",
        }
    }
}

/// Things of the project on the service: (id, name).
pub(crate) type Known = Vec<(String, String)>;

/// What is known when the files are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Host to write a workflow for.
    pub(crate) host: Host,
    /// What the folder holds.
    pub(crate) project: Project,
    /// Project on the service, when one was named.
    pub(crate) project_id: Option<String>,
    /// Build path, when one was given or found.
    pub(crate) build: Option<String>,
    /// Its platform, where the file name does not tell it.
    pub(crate) platform: Option<Platform>,
    /// Tests to start: ids or names.
    pub(crate) tests: Vec<String>,
    /// Test plans to start: ids or names.
    pub(crate) plans: Vec<String>,
    /// Where to start them: id or name.
    pub(crate) deployment_config: Option<String>,
    /// Tests of the project.
    pub(crate) known_tests: Known,
    /// Test plans of the project.
    pub(crate) known_plans: Known,
    /// Deployment configurations of the project.
    pub(crate) known_configs: Known,
}

impl Facts {
    /// How the CI makes the build, when that is known.
    pub(crate) fn recipe(&self) -> Option<Recipe> {
        let named = self.build.as_deref().and_then(super::find_builds::platform_told_by);
        recipe(&self.project, self.platform.or(named))
    }
}

/// Paths and texts of the files.
pub(crate) fn files(facts: &Facts) -> Vec<(String, String)> {
    let recipe = facts.recipe();
    let text = match facts.host {
        Host::GitHub => github(facts, recipe.as_ref()),
        Host::GitLab => gitlab(facts, recipe.as_ref()),
        Host::Jenkins => jenkins(facts, recipe.as_ref()),
    };
    vec![
        (".nunu/run.yml".to_owned(), run_config(facts, recipe.as_ref())),
        (facts.host.workflow().to_owned(), text),
    ]
}

/// What to do after `init`.
pub(crate) fn next_steps(facts: &Facts, unfilled: &[String]) -> Vec<String> {
    let mut steps = Vec::new();
    if !unfilled.is_empty() {
        steps.push(format!("open {} and replace {FILL_IN}", unfilled.join(" and ")));
    }
    let is_built = facts.recipe().is_some();
    let (store, build) = match facts.host {
        Host::GitHub => (
            "store the API key as the repository secret NUNU_API_TOKEN",
            if is_built {
                "look at the build step in .github/workflows/nunu.yml"
            } else {
                "put the steps that make your build into .github/workflows/nunu.yml"
            },
        ),
        Host::GitLab => (
            "store the API key as the masked CI/CD variable NUNU_API_TOKEN",
            if is_built {
                "include .nunu/gitlab-ci.yml from .gitlab-ci.yml"
            } else {
                "include .nunu/gitlab-ci.yml from .gitlab-ci.yml, after the job that makes your build"
            },
        ),
        Host::Jenkins => (
            "store the API key as the secret text credential nunu-api-token",
            "take the stages of .nunu/Jenkinsfile into yours, or let the job use that file",
        ),
    };
    steps.extend([store.to_owned(), build.to_owned()]);
    steps.push("nunu-ci check: it proves the key and shows what would happen, and starts nothing".to_owned());
    let numbered = steps.iter().enumerate().map(|(index, step)| format!("  {}. {step}", index + 1));
    std::iter::once("next:".to_owned()).chain(numbered).collect()
}

/// A value for YAML, quoted so that no name can break the file.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn listed(out: &mut String, title: &str, items: &[(String, String)]) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(out, "  # {title}:");
    for (id, name) in items.iter().take(LISTED) {
        let name: String = name.chars().filter(|letter| !letter.is_control()).collect();
        let _ = writeln!(out, "  #   {id}  {name}");
    }
    if items.len() > LISTED {
        let _ = writeln!(out, "  #   and {} more", items.len() - LISTED);
    }
}

fn run_config(facts: &Facts, recipe: Option<&Recipe>) -> String {
    let made = recipe.map(|recipe| recipe.path.as_str());
    let build = facts.build.as_deref().or(made).unwrap_or(SOME_BUILD);
    let told = match &facts.build {
        Some(_) => facts.platform,
        None => facts.platform.or_else(|| recipe.and_then(|recipe| recipe.platform)),
    };
    let platform = match told {
        Some(platform) => format!("platform: {}", platform.as_str()),
        None if tells_platform(build) => {
            "# platform: android        # only where the file name does not tell it".to_owned()
        }
        None => format!("platform: \"{FILL_IN}\"        # android, windows, macos, linux, ..."),
    };
    let project = facts.project_id.as_deref().map(|id| format!("project_id: {}", quoted(id)));
    fill(
        include_str!("starter/run.yml"),
        &[
            ("project-id", project.unwrap_or_default()),
            ("build", quoted(build)),
            ("platform", platform),
            ("runs", runs(facts)),
        ],
    )
}

/// The entries below `runs`, each with what there is to choose from above it.
fn runs(facts: &Facts) -> String {
    let tests = facts.tests.iter().map(|test| ("test", test.as_str()));
    let plans = facts.plans.iter().map(|plan| ("test_plan", plan.as_str()));
    let mut targets: Vec<(&str, &str)> = tests.chain(plans).collect();
    if targets.is_empty() {
        targets.push(("test", FILL_IN));
    }
    let mut out = String::new();
    for (index, (key, target)) in targets.iter().enumerate() {
        let is_first = index == 0;
        let number = if is_first { String::new() } else { format!("-{}", index + 1) };
        let _ = writeln!(out, "- name: smoke{number}");
        if is_first {
            listed(&mut out, "tests of this project", &facts.known_tests);
            listed(&mut out, "test plans (use test_plan: instead of test:)", &facts.known_plans);
        }
        let remark = if *target == FILL_IN { "   # id or name of a test, from the dashboard" } else { "" };
        let _ = writeln!(out, "  {key}: {}{remark}", quoted(target));
        if is_first {
            listed(&mut out, "deployment configurations", &facts.known_configs);
        }
        match facts.deployment_config.as_deref() {
            Some(config) => {
                let _ = writeln!(out, "  deployment_config: {}", quoted(config));
            }
            None => {
                let _ = writeln!(
                    out,
                    "  deployment_config: \"{FILL_IN}\"   # id or name of a deployment configuration"
                );
            }
        }
    }
    out
}

/// The build that the CI makes, where that is another one than the run config names.
fn other_path<'a>(facts: &Facts, recipe: Option<&'a Recipe>) -> Option<&'a str> {
    let made = recipe?.path.as_str();
    facts.build.as_deref().is_some_and(|build| build != made).then_some(made)
}

fn github(facts: &Facts, recipe: Option<&Recipe>) -> String {
    let steps = recipe.map_or(include_str!("starter/steps/unknown.yml"), |recipe| recipe.steps);
    let path = other_path(facts, recipe).map(|path| {
        format!(
            "# What the step above makes; it replaces build.path of .nunu/run.yml.\nbuild-path: {}",
            quoted(path)
        )
    });
    let mut values = vec![
        ("runner", recipe.map_or("ubuntu-latest", |recipe| recipe.runner).to_owned()),
        ("steps", steps.to_owned()),
        ("build-path", path.unwrap_or_default()),
        ("major", env!("CARGO_PKG_VERSION_MAJOR").to_owned()),
    ];
    values.extend(recipe.into_iter().flat_map(|recipe| recipe.values.clone()));
    fill(include_str!("starter/github.yml"), &values)
}

fn gitlab(facts: &Facts, recipe: Option<&Recipe>) -> String {
    let variables = other_path(facts, recipe).map(|path| {
        format!("variables:\n  # What the job above makes; it replaces build.path of .nunu/run.yml.\n  NUNU_BUILD_PATH: {}", quoted(path))
    });
    let mut values = vec![
        ("build-job", recipe.map_or("", |_| include_str!("starter/gitlab-build.yml")).to_owned()),
        ("variables", variables.unwrap_or_default()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    if let Some(recipe) = recipe {
        let script: Vec<String> =
            recipe.script.lines().map(|line| format!("- {}", one_line(line, &recipe.values))).collect();
        values.push(("where", recipe.where_it_runs.to_owned()));
        values.push(("script", script.join("\n")));
        values.push(("path", quoted(&recipe.path)));
        values.extend(recipe.values.clone());
    }
    fill(include_str!("starter/gitlab-ci.yml"), &values)
}

/// A command with its values, as a scalar of YAML.
fn one_line(line: &str, values: &[(&str, String)]) -> String {
    quoted(fill(line, values).trim())
}

fn jenkins(facts: &Facts, recipe: Option<&Recipe>) -> String {
    let script = recipe.map_or_else(
        || "echo 'your build goes here; .nunu/run.yml names the file or folder it makes'".to_owned(),
        |recipe| {
            let step = if recipe.on_windows { "bat" } else { "sh" };
            let lines: Vec<String> =
                fill(recipe.script, &recipe.values).lines().map(|line| format!("  {line}")).collect();
            format!("{step} '''\n{}\n'''", lines.join("\n"))
        },
    );
    let environment = other_path(facts, recipe).map(|path| {
        format!("environment {{\n  // What the stage above makes; it replaces build.path of .nunu/run.yml.\n  NUNU_BUILD_PATH = '{path}'\n}}")
    });
    fill(
        include_str!("starter/Jenkinsfile"),
        &[("script", script), ("environment", environment.unwrap_or_default())],
    )
}

#[cfg(test)]
mod tests {
    use super::{Facts, Host, Platform, Project, files};
    use crate::config::project::{Kind, Preset};
    use crate::config::variables::Variables;
    use crate::config::yaml::{Document, Text};
    use crate::model::Env;

    fn all_projects() -> Vec<Project> {
        let of = |kind| Project { kind, name: Some("Game".to_owned()), ..Project::default() };
        let preset = Preset {
            name: "QA \"x\"".to_owned(),
            path: "out/g.exe".to_owned(),
            platform: Some(Platform::Windows),
        };
        let kinds = [
            Kind::Unity,
            Kind::Unreal,
            Kind::Godot,
            Kind::Fastlane,
            Kind::Xcode,
            Kind::Gradle,
            Kind::Unknown,
        ];
        let mut all: Vec<Project> = kinds.into_iter().map(of).collect();
        all.push(Project { preset: Some(preset), folder: "game".to_owned(), ..of(Kind::Godot) });
        all
    }

    #[test]
    fn the_starter_files_of_every_project_are_good_files() {
        for project in all_projects() {
            for (host, build) in
                Host::ALL.into_iter().flat_map(|host| [(host, None), (host, Some("out/Game"))])
            {
                let facts = Facts {
                    host,
                    project: project.clone(),
                    build: build.map(str::to_owned),
                    platform: build.map(|_| Platform::Windows),
                    tests: vec![
                        "Smoke \"x\" # y".to_owned(),
                        "789e0123-e89b-12d3-a456-426614174000".to_owned(),
                    ],
                    known_tests: vec![(
                        "789e0123-e89b-12d3-a456-426614174000".to_owned(),
                        "Smoke\n# \"x\"".to_owned(),
                    )],
                    deployment_config: Some("456e7890-e89b-12d3-a456-426614174000".to_owned()),
                    ..Facts::default()
                };
                for (path, all) in files(&facts) {
                    assert_good(&path, &all);
                }
            }
        }
        assert_eq!(Host::parse("GitLab"), Some(Host::GitLab));
    }

    fn assert_good(path: &str, all: &str) {
        let place = all.split('@').skip(1).find(|word| {
            word.len() < 15 && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
        });
        assert_eq!(place, None, "{path} has a place that nobody filled:\n{all}");
        if path.ends_with("Jenkinsfile") {
            return;
        }
        let text = Text { name: path.to_owned(), all: all.to_owned(), may_quote: true };
        let parsed = Document::parse(&text, &Variables::from_env(&Env::default(), &[]));
        assert!(parsed.is_ok(), "{path}: {:?}\n{all}", parsed.err());
        if path.ends_with("run.yml") {
            let mut document = parsed.unwrap();
            let config = crate::config::file::read(&mut document);
            assert!(document.is_good(), "{:?}", document.take_problems());
            assert_eq!(config.runs.len(), 2);
        }
    }

    #[test]
    fn the_workflow_names_the_build_that_it_makes() {
        let unity = Project { kind: Kind::Unity, ..Project::default() };
        let facts = Facts { project: unity, ..Facts::default() };
        let of = |facts: &Facts| files(facts).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        let [config, workflow] = of(&facts).try_into().unwrap();
        assert!(
            config.contains("path: \"build/StandaloneWindows64\"") && config.contains("platform: windows")
        );
        assert!(
            workflow.contains("game-ci/unity-builder@v5") && !workflow.contains("build-path"),
            "{workflow}"
        );
        let found =
            Facts { build: Some("Builds/Win".to_owned()), platform: Some(Platform::Windows), ..facts };
        let [config, workflow] = of(&found).try_into().unwrap();
        assert!(config.contains("path: \"Builds/Win\""), "{config}");
        assert!(workflow.contains("build-path: \"build/StandaloneWindows64\""), "{workflow}");
    }
}
