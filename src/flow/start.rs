//! Starting every run exactly once in effect: what is asked of the start protocol, and how what it does is told.

use std::collections::{BTreeMap, BTreeSet};

use nunu_protocol::{Event, Expected, PostRef, Powers, Settled, StartSpec};

use crate::api::{ApiError, Named, Phase, Started, given_builds, instances_of, start_body};
use crate::model::given::GivenBuilds;
use crate::model::job::Job;
use crate::model::run_report::StartProblem;
use crate::model::{ExitReason, Failure, Platform, RunSpec, Target};

use super::clock::Stopwatch;
use super::end::End;
use super::look_back;
use super::session::Session;
use super::size::PlanSize;
use super::starts::{Planned, Request, Starts, change, happened, work_until};
use super::state::StartRecord;
use super::story::Story;
use super::tags::start_digest;
use super::track::{PollBy, Tracked};

/// What is known of the build when runs start.
#[derive(Debug, Clone, Copy)]
pub(super) struct BuildRef<'a> {
    /// Its id, sent with the start.
    pub(super) id: Option<&'a str>,
    /// Its platform, when known.
    pub(super) platform: Option<Platform>,
    /// What it is: its digest, or its id where only that is known. Two starts of the same content are the same start.
    pub(super) digest: &'a str,
}

/// Starts every entry of the plan in order. What started is in the story, whatever is returned.
pub(super) async fn start_all(
    session: &Session,
    story: &mut Story,
    build: BuildRef<'_>,
) -> Result<(), Failure> {
    let end = End::of(session);
    story.clock = Some(Stopwatch::start());
    let configs = tokio::select! {
        () = end.comes() => return end.verdict(&without_jobs(session, story)),
        configs = known_configs(session, build) => configs,
    };
    let mut starts = planned(session, build, &configs);
    starts.same_build = !build.digest.is_empty();
    story.starts = Some(starts);
    happened(session, story, Event::Begin);
    let settled = work_until(session, story, end.comes(), |protocol| !protocol.is_starting()).await;
    if let Some(failure) = story.start_failure.take() {
        return Err(failure);
    }
    if !settled {
        return end.verdict(&without_jobs(session, story));
    }
    match story.first_refusal.take() {
        Some(failure) if story.jobs.is_empty() => Err(failure),
        _ => Ok(()),
    }
}

/// The entries of the plan of which no job is known.
fn without_jobs<'a>(session: &'a Session, story: &Story) -> Vec<&'a str> {
    let labels = session.plan.runs.iter().map(|spec| spec.label.as_str());
    labels.filter(|label| !story.jobs.iter().any(|job| job.report.run == *label)).collect()
}

/// The starts of the plan, before anything was done about them.
fn planned(session: &Session, build: BuildRef<'_>, configs: &[Named]) -> Starts {
    let powers = Powers {
        look: session.may_read,
        earlier: look_back::power(session),
        post: true,
        unclosed_only: false,
    };
    let mut specs = Vec::new();
    let mut plans = Vec::new();
    for (index, spec) in session.plan.runs.iter().enumerate() {
        let takes = |id: &str| configs.iter().find(|config| config.id == id)?.takes(build.platform);
        let given = given_builds(spec, build.id, takes);
        say_what_is_not_given(session, spec, build, &given);
        specs.push(StartSpec { expected: expected(spec), records: Vec::new() });
        let size = match &spec.target {
            Target::Plan(id) => Some(PlanSize { plan: id.clone(), by_items: !spec.all_configured_devices }),
            Target::Test(_) | Target::Instructions(_) => None,
        };
        let digest = digest_of(session, spec, build.digest, index);
        let request = Some(Request { spec: spec.clone(), given, digest });
        plans.push(Planned { label: spec.label.clone(), size, request });
    }
    Starts::new(session, powers, specs, plans, BTreeMap::new())
}

/// How many jobs a start gives, as far as it tells by itself. Instances are one job, or one each.
fn expected(spec: &RunSpec) -> Expected {
    match &spec.target {
        _ if spec.all_configured_devices => Expected::Unknown,
        Target::Plan(_) => Expected::Unknown,
        Target::Test(_) | Target::Instructions(_) => match spec.asked() {
            0 | 1 => Expected::Exactly(1),
            many => Expected::OneOr(many),
        },
    }
}

/// The deployment configurations, where some player or slot may be given the build and nobody knows yet whether it takes it.
/// None where they cannot be listed.
async fn known_configs(session: &Session, build: BuildRef<'_>) -> Vec<Named> {
    let open = |spec: &RunSpec| {
        let parts = spec.players.values().chain(spec.slots.values());
        let mut parts = parts.filter(|part| part.build.is_none());
        parts.any(|part| {
            spec.deployment_config.as_ref().is_some_and(|default| *default != part.deployment_config)
        })
    };
    if build.id.is_none() || !session.plan.runs.iter().any(open) {
        return Vec::new();
    }
    session.api.once().deployment_configs().await.unwrap_or_else(|error| {
        session.log.warn(format!("cannot tell which deployment configurations take the build: {error}"));
        Vec::new()
    })
}

/// Names the players and slots that do not get the build, because their configuration may pick another one.
fn say_what_is_not_given(session: &Session, spec: &RunSpec, build: BuildRef<'_>, given: &GivenBuilds) {
    let Some(build) = build.id else { return };
    for (part, map, given) in [("player", &spec.players, &given.players), ("slot", &spec.slots, &given.slots)]
    {
        for number in given.iter().filter(|(_, handed)| handed.build.is_none()).map(|(number, _)| number) {
            let config = map.get(number).map_or("", |part| part.deployment_config.as_str());
            session.log.warn(format!(
                "{}: build {build} is not given to {part} {number}: its deployment configuration {config} is not known to take \
                 it, and uses what it picks itself; name a build there (build: ID) to be sure",
                spec.label
            ));
        }
    }
}

/// The digest that makes two starts the same one.
fn digest_of(session: &Session, spec: &RunSpec, build_digest: &str, index: usize) -> String {
    let body = start_body(spec, &given_builds(spec, None, |_| None), &spec.tags).to_string();
    let mut place: Vec<&str> = session.place.parts().to_vec();
    place.push(&session.plan.origin);
    place.push(session.plan.project_id.as_deref().unwrap_or_default());
    place.push(spec.target.value());
    start_digest(&body, build_digest, index, &place)
}

/// Says that a start is about to be posted.
pub(super) fn say_posting(session: &Session, starts: &Starts, at: PostRef) {
    let Some(planned) = starts.plans.get(at.start) else { return };
    let earlier =
        starts.posts.iter().any(|(other, posted)| other.start == at.start && *other < at && !posted.earlier);
    if earlier {
        session.log.info(format!("{}: nothing was started, trying again", planned.label));
    }
    let what = planned.request.as_ref().map_or_else(String::new, |request| describe(&request.spec));
    session.log.info(format!("{}: starting{what}", planned.label));
}

/// Says which jobs are about to be stopped, once.
pub(super) fn say_stopping(session: &Session, story: &mut Story, jobs: &[String]) {
    let Some(starts) = &mut story.starts else { return };
    let new: Vec<&str> =
        jobs.iter().filter(|id| !starts.stopping.contains(*id)).map(String::as_str).collect();
    let Some(first) = new.first() else { return };
    if starts.protocol.is_stopping() {
        session.log.info(match new.len() {
            1 => format!("stopping job {first}"),
            many => format!("stopping {many} jobs"),
        });
    } else if jobs.iter().any(|id| starts.protocol.gave_up(id)) {
        session.log.warn(format!("nothing is heard of job {}: stopping it", new.join(", ")));
    } else {
        session.log.warn(format!("{} of a start that was given up, stopping", new.join(", ")));
    }
    starts.stopping.extend(jobs.iter().cloned());
}

/// Takes jobs of a post as ours: into the record, and to those that are followed.
pub(super) fn follow(session: &Session, story: &mut Story, at: PostRef, jobs: &[String], complete: bool) {
    let Some(starts) = &mut story.starts else { return };
    let known: BTreeSet<String> = story.jobs.iter().map(|tracked| tracked.report.job_id.clone()).collect();
    let Some(posted) = starts.posts.get(&at) else { return };
    let (started, found) = (posted.started.clone(), posted.found.clone());
    change(session, starts, at, |record| {
        let Some(start) = record.start_mut() else { return };
        start.complete = complete;
        match &started {
            Some(started) => take_answer(start, started),
            None => {
                for id in jobs {
                    if start.job_ids.contains(id) {
                        continue;
                    }
                    start.job_ids.push(id.clone());
                    let found = found.get(id);
                    start.run_ids.extend(found.and_then(|found| found.run_id.clone()));
                    let execution = found.and_then(|found| found.test_plan_execution_id.clone());
                    start.test_plan_execution_id = start.test_plan_execution_id.take().or(execution);
                }
            }
        }
    });
    let Some(posted) = starts.posts.get(&at) else { return };
    let start = posted.start();
    if story.test_plan_execution_id.is_none() {
        story.test_plan_execution_id.clone_from(&start.test_plan_execution_id);
    }
    let new: Vec<Tracked> =
        tracked(start).into_iter().filter(|tracked| !known.contains(&tracked.report.job_id)).collect();
    if complete {
        // What was missing has come.
        let tag = start.tag.clone();
        story.problems.retain(|problem| problem.tag.as_deref() != Some(&tag));
    }
    if posted.earlier {
        let count = new.len();
        session.log.info(format!(
            "{}: {count} job{} of an earlier attempt still unfinished, going on with {}",
            start.label,
            if count == 1 { "" } else { "s" },
            if count == 1 { "it" } else { "them" },
        ));
    }
    story.jobs.extend(new);
}

/// What the service's answer tells of a start.
fn take_answer(start: &mut StartRecord, started: &Started) {
    start.job_ids.clone_from(&started.job_ids);
    start.run_ids.clone_from(&started.run_ids);
    start.test_plan_execution_id.clone_from(&started.test_plan_execution_id);
    start.started = started.started;
    let devices = started.devices.iter();
    start.devices =
        devices.flat_map(|(device, ids)| ids.iter().map(|id| (id.clone(), device.clone()))).collect();
}

/// Says how a start was settled.
pub(super) fn settled(session: &Session, story: &mut Story, start: usize, how: Settled) {
    match how {
        Settled::Started { complete } => began(session, story, start, complete),
        Settled::Refused => {}
        Settled::Unknown => unknown(session, story, start),
    }
}

fn began(session: &Session, story: &mut Story, start: usize, complete: bool) {
    let Some(starts) = &story.starts else { return };
    let Some((at, posted)) = starts.posts.iter().rfind(|(at, _)| at.start == start) else { return };
    let label = posted.start().label.clone();
    let jobs = posted.start().job_ids.len().max(posted.start().run_ids.len());
    let mut problems: Vec<(Option<String>, String)> = Vec::new();
    match &posted.started {
        Some(started) => problems.extend(missing(started, &starts.plans[at.start], jobs)),
        None if !complete => {
            let message = match starts.protocol.expected(start) {
                Expected::Exactly(all) | Expected::OneOr(all) => format!("only {jobs} of {all} jobs started"),
                Expected::Unknown => format!(
                    "{jobs} job{} of it {} found, and nobody knows whether that is all",
                    if jobs == 1 { "" } else { "s" },
                    if jobs == 1 { "was" } else { "were" }
                ),
            };
            problems.push((None, message));
        }
        None => {}
    }
    let tag = posted.started.is_none().then(|| posted.start().tag.clone());
    let recorded_only = starts.plans[at.start].request.is_none();
    for (device, message) in problems {
        match &device {
            Some(device) => session.log.error(format!("{label}: not started on {device}: {message}")),
            None => session.log.error(format!("{label}: {message}")),
        }
        story.problems.push(StartProblem { run: label.clone(), device, message, tag: tag.clone() });
    }
    if !posted.earlier && !recorded_only {
        session.log.info(format!("{label}: started {jobs} {}", if jobs == 1 { "job" } else { "jobs" }));
    }
}

/// What the service says that it did not start, by device where it tells.
fn missing(started: &Started, planned: &Planned, jobs: usize) -> Vec<(Option<String>, String)> {
    let devices = started.failed_devices.iter();
    let devices: Vec<_> = devices.map(|(device, why)| (Some(device.clone()), why.clone())).collect();
    let asked = planned.request.as_ref().map_or(1, |request| request.spec.asked());
    let asked = u64::try_from(asked).unwrap_or(u64::MAX);
    if !devices.is_empty() || !started.is_partial(asked) {
        return devices;
    }
    let begun = started.started.or(u64::try_from(jobs).ok()).unwrap_or_default();
    let wanted =
        started.requested.unwrap_or_default().max(asked).max(begun + started.failed.unwrap_or_default());
    let message = if wanted > begun {
        format!("only {begun} of {wanted} runs started")
    } else {
        "the service says that not all of it started".to_owned()
    };
    vec![(None, message)]
}

/// The service refused a start: nothing of it runs.
pub(super) fn refused(session: &Session, story: &mut Story, at: PostRef, error: &ApiError) {
    let Some(starts) = &story.starts else { return };
    let Some(label) = starts.plans.get(at.start).map(|planned| planned.label.clone()) else { return };
    let failure = error.failure(Phase::Start);
    session.log.error(format!("{label}: not started"));
    let problem = |device: Option<String>, message: String| StartProblem {
        run: label.clone(),
        device,
        message,
        tag: None,
    };
    if error.refused.is_empty() {
        story.problems.push(problem(None, failure.message.clone()));
    }
    for (device, words) in &error.refused {
        session.log.error(format!("{label}: not started on {device}: {words}"));
        story.problems.push(problem(Some(device.clone()), words.clone()));
    }
    if error.is_auth() {
        // The key is refused: no other start has a better chance.
        story.start_failure.get_or_insert(failure);
    } else {
        story.first_refusal.get_or_insert(failure);
    }
}

/// Nobody knows whether a start took effect. Its record stays open, so that `stop` can find it by its tag.
fn unknown(session: &Session, story: &mut Story, start: usize) {
    let Some(starts) = &story.starts else { return };
    let label = starts.plans[start].label.clone();
    let posted = starts.posts.iter().rfind(|(at, posted)| at.start == start && !posted.earlier);
    let Some((_, posted)) = posted else {
        story.start_failure.get_or_insert(
            Failure::new(ExitReason::StartFailed, format!("{label}: nothing was started, since it is unknown whether runs of an earlier attempt go on"))
                .hint("run the job again when the service answers, or stop the earlier runs on the dashboard"),
        );
        return;
    };
    let tag = posted.start().tag.clone();
    let why = if session.may_read {
        starts.trouble.get(&tag).cloned().unwrap_or_else(|| "no run with its tag was found".to_owned())
    } else {
        "the key may not read runs (project:read-runs), so the start cannot be looked up".to_owned()
    };
    let mut failure = Failure::new(
        ExitReason::StartFailed,
        format!("it is unknown whether the run {label} was started: {why}"),
    );
    if let Some(error) = &posted.unclear {
        failure = failure.because(error);
    }
    let failure = failure
        .hint(format!("look for runs with the tag {tag} on the dashboard, and stop them if they are not wanted"))
        .hint(
            "nunu-ci stop finds them by that tag, with a key that has project:read-runs and project:operate-runs",
        );
    story.problems.push(StartProblem {
        run: label,
        device: None,
        message: "it is unknown whether it was started".to_owned(),
        tag: Some(tag),
    });
    if starts.plans[start].request.is_some() {
        story.start_failure.get_or_insert(failure);
    }
}

/// The jobs of a recorded start, as they are before the first look.
pub(super) fn tracked(start: &StartRecord) -> Vec<Tracked> {
    let device = |id: &str| start.devices.iter().find(|(job, _)| job == id).map(|(_, device)| device.clone());
    let instances =
        start.instances.map(|asked| instances_of(&start.job_ids, &start.devices, start.started, asked));
    let of_job = |id: &str| {
        let place = start.job_ids.iter().position(|job| job == id)?;
        instances.as_ref()?.get(place).copied()
    };
    let report = |id: &str| Job {
        run: start.label.clone(),
        required: start.required,
        job_id: id.to_owned(),
        device: device(id),
        deployment_config: start.deployment_config.clone(),
        instances: of_job(id),
        given: start.given.clone(),
        ..Job::default()
    };
    if start.run_ids.is_empty() {
        let group = (!start.invocation.is_empty()).then(|| start.invocation.clone());
        return start
            .job_ids
            .iter()
            .map(|id| Tracked::new(report(id), PollBy::Job).in_group(group.clone()))
            .collect();
    }
    start
        .run_ids
        .iter()
        .enumerate()
        .map(|(index, run)| {
            let id = start.job_ids.get(index).unwrap_or(run);
            Tracked::new(report(id), PollBy::Run(run.clone()))
        })
        .collect()
}

fn describe(spec: &RunSpec) -> String {
    match &spec.target {
        Target::Test(id) => format!(" test {id}"),
        Target::Plan(id) => format!(" test plan {id}"),
        Target::Instructions(_) => " a one-off test".to_owned(),
    }
}
