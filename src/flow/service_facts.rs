//! What the service knows of the tests, plans and configurations that the plan names: asked before anything is sent, side by side,
//! one attempt each. Only an id that nobody has refuses the job; every other trouble of these look-ups is passed over.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use crate::api::{Api, ApiError, Named, PlanFacts, TestFacts};
use crate::config::{Plan, is_id};
use crate::model::build::BuildSource;
use crate::model::units::duration;
use crate::model::{ExitReason, Failure, Platform, RunSpec, Target};
use crate::upload::InspectedBuild;

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Tests that the service told of, by id.
    pub(super) tests: BTreeMap<String, TestFacts>,
    /// Names of ids, as far as the service shows them.
    pub(super) names: BTreeMap<String, String>,
    /// What a person should look at before anything is sent, about the tests.
    pub(super) about_tests: Vec<String>,
    /// The same, about the configurations.
    pub(super) about_configs: Vec<String>,
    /// Good to know, though most jobs want it so.
    pub(super) remarks: Vec<String>,
    /// Ids that nobody has, each in a sentence.
    wrong: Vec<String>,
}

impl Known {
    /// All that a person should look at before anything is sent.
    pub(super) fn notices(&self) -> impl Iterator<Item = &String> {
        self.about_configs.iter().chain(&self.about_tests)
    }

    /// Fails when the start of any run is bound to be refused; with the reason that the refused start would have.
    pub(super) fn require(&self) -> Result<(), Failure> {
        if self.wrong.is_empty() {
            return Ok(());
        }
        Err(Failure::new(ExitReason::StartFailed, self.wrong.join("\n")).hint(
            "take the id from the dashboard, and check that it belongs to the project of the key (project-id); nothing was sent",
        ))
    }
}

/// The platform and format of the build that will be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    platform: Platform,
    zipped: bool,
}

impl Shape {
    /// Of a build that was looked at.
    pub(super) fn of(inspected: &InspectedBuild) -> Self {
        let extension = std::path::Path::new(&inspected.file_name).extension();
        Self {
            platform: inspected.platform,
            zipped: extension.is_some_and(|extension| extension.eq_ignore_ascii_case("zip")),
        }
    }
}

/// Every deployment configuration that a run names.
pub(super) fn deployment_configs(run: &RunSpec) -> impl Iterator<Item = &String> {
    let others = run.players.values().chain(run.slots.values()).map(|other| &other.deployment_config);
    run.deployment_config.iter().chain(others)
}

/// Asks the service, with names already turned into ids. `shape` is the build that will be sent.
pub(super) async fn look_up(api: &Api, plan: &Plan, shape: Option<Shape>) -> Known {
    let api = api.once();
    let (mut tests, mut plans) = (BTreeSet::new(), BTreeSet::new());
    for run in &plan.runs {
        match &run.target {
            Target::Test(id) => drop(tests.insert(id.as_str())),
            Target::Plan(id) => drop(plans.insert(id.as_str())),
            Target::Instructions(_) => {}
        }
    }
    let configs = plan.runs.iter().any(|run| deployment_configs(run).next().is_some());
    let agents = plan.runs.iter().any(|run| run.agent_config.is_some());
    let (tests, plans, configs, agents) = tokio::join!(
        join_all(tests.into_iter().map(async |id| (id, test(&api, id).await))),
        join_all(plans.into_iter().map(async |id| (id, test_plan(&api, id).await))),
        async { if configs { api.deployment_configs().await.unwrap_or_default() } else { Vec::new() } },
        async { if agents { api.agent_configs().await.unwrap_or_default() } else { Vec::new() } },
    );
    let mut known = Known::default();
    for (id, found) in tests {
        match found {
            Found::Facts(facts) => {
                known.names.extend(facts.name.clone().map(|name| (id.to_owned(), name)));
                known.tests.insert(id.to_owned(), facts);
            }
            Found::Nobody(error) => known.wrong.push(nobody("test", id, &error)),
            Found::Untold => {}
        }
    }
    for (id, found) in plans {
        match found {
            Found::Facts(facts) => known.names.extend(facts.name.map(|name| (id.to_owned(), name))),
            Found::Nobody(error) => known.wrong.push(nobody("test plan", id, &error)),
            Found::Untold => {}
        }
    }
    known.listed(
        "agent configuration",
        &agents,
        plan.runs.iter().filter_map(|run| run.agent_config.as_ref()),
    );
    known.listed("deployment configuration", &configs, plan.runs.iter().flat_map(deployment_configs));
    known.remarks.extend(short_timeout(plan, &known));
    known.about_tests.extend(tests_told(plan, &known));
    known.about_configs.extend(plan.runs.iter().flat_map(|run| configs_told(run, &configs, plan, shape)));
    known
}

/// What became of one look-up.
enum Found<T> {
    Facts(T),
    /// The service has such things, and none with this id.
    Nobody(ApiError),
    /// It told nothing that can be used.
    Untold,
}

async fn test(api: &Api, id: &str) -> Found<TestFacts> {
    match api.test(id).await {
        Ok(facts) => Found::Facts(facts),
        Err(error) => confirm(id, error, api.tests()).await,
    }
}

async fn test_plan(api: &Api, id: &str) -> Found<PlanFacts> {
    match api.test_plan(id).await {
        Ok(facts) => Found::Facts(facts),
        Err(error) => confirm(id, error, api.test_plans()).await,
    }
}

/// A 404 counts only where the route is there: a service without it answers the same. The list of the same kind tells.
async fn confirm<T>(
    id: &str,
    error: ApiError,
    list: impl Future<Output = Result<Vec<Named>, ApiError>>,
) -> Found<T> {
    if !error.is_not_found() || error.html {
        return Found::Untold;
    }
    match list.await {
        Ok(all) if !all.iter().any(|named| named.id.eq_ignore_ascii_case(id)) => Found::Nobody(error),
        _ => Found::Untold,
    }
}

fn nobody(noun: &str, id: &str, error: &ApiError) -> String {
    format!("no {noun} of this project has the id {id}: {error}")
}

impl Known {
    /// Takes the names of a list, and tells of ids that are not in it.
    fn listed<'a>(&mut self, noun: &str, list: &[Named], ids: impl Iterator<Item = &'a String>) {
        self.names.extend(list.iter().map(|named| (named.id.clone(), named.name.clone())));
        let ids: BTreeSet<&String> = ids.filter(|id| is_id(id) && !list.is_empty()).collect();
        for id in ids.into_iter().filter(|&id| !list.iter().any(|named| named.id.eq_ignore_ascii_case(id))) {
            self.about_configs.push(format!(
                "no {noun} of this project has the id {id}: was it deleted, or does it belong to another project?"
            ));
        }
    }
}

/// What the service's words on the tests mean for this job.
fn tests_told(plan: &Plan, known: &Known) -> Vec<String> {
    let mut notices = Vec::new();
    for (id, facts) in &known.tests {
        let name = facts.name.as_deref().unwrap_or(id);
        if facts.quarantined {
            notices.push(format!(
                "the test \"{name}\" is quarantined on the service; this job counts it all the same, unless gate.quarantine or required: false leaves it out"
            ));
        }
        if let Some(kind) = facts.kind.as_deref().and_then(without_checks)
            && plan.gate.fail_on.bugs.is_empty()
        {
            notices.push(format!(
                "\"{name}\" is a {kind} test: it checks nothing, so its SUCCESS says only that the run came to its end; let bugs fail the job, such as with fail-on: failed, error, bugs:high"
            ));
        }
    }
    notices
}

/// A timeout that the user set, and that is shorter than a test may take.
fn short_timeout(plan: &Plan, known: &Known) -> Option<String> {
    let user_set =
        plan.settings.iter().any(|setting| setting.name == "timeout" && setting.source != "default");
    let longer: Vec<String> = known
        .tests
        .iter()
        .filter_map(|(id, facts)| {
            let longest = facts.longest.filter(|longest| *longest > plan.wait.timeout)?;
            Some(format!("\"{}\" ({})", facts.name.as_deref().unwrap_or(id), duration(longest)))
        })
        .collect();
    (user_set && plan.wait.enabled && !longer.is_empty()).then(|| {
        format!(
            "timeout is {}; the service lets these tests run longer: {}",
            duration(plan.wait.timeout),
            longer.join(", ")
        )
    })
}

/// The word for a test that has no checks (API reference, "result": only verification tests check).
fn without_checks(kind: &str) -> Option<&'static str> {
    match kind.to_ascii_lowercase().as_str() {
        "discovery" => Some("discovery"),
        "task" => Some("task"),
        _ => None,
    }
}

/// What the configurations of a run mean for the build of this job.
fn configs_told(run: &RunSpec, configs: &[Named], plan: &Plan, shape: Option<Shape>) -> Vec<String> {
    let mut notices = Vec::new();
    if plan.build.source == BuildSource::None {
        return notices;
    }
    let label = &run.label;
    for config in configs.iter().filter(|config| config.takes_builds == Some(false)) {
        if deployment_configs(run).any(|id| *id == config.id) {
            notices.push(format!(
                "{label}: the deployment configuration \"{}\" takes no uploaded build: the run will not test this one",
                config.name
            ));
        }
    }
    // Players and slots may be of other platforms; the build of the job is for the main configuration.
    let main = configs.iter().find(|config| run.deployment_config.as_ref() == Some(&config.id));
    let Some((config, shape)) = main.filter(|config| config.takes_builds != Some(false)).zip(shape) else {
        return notices;
    };
    if let Some(platform) = config.platform.as_deref()
        && config.plays(shape.platform) == Some(false)
    {
        notices.push(format!(
            "{label}: the build is for {}, but the deployment configuration \"{}\" plays on {platform}: the service will hardly accept it",
            shape.platform.as_str(),
            config.name
        ));
    }
    if let Some(format) = config.file_format.as_deref()
        && matches!(format, "zip" | "file")
        && (format == "zip") != shape.zipped
    {
        let (is, wants) =
            if shape.zipped { ("a zip", "a single file that is no zip") } else { ("no zip", "a zip") };
        notices.push(format!(
            "{label}: the build is {is}, but the deployment configuration \"{}\" takes {wants}: the service will hardly accept it",
            config.name
        ));
    }
    notices
}
