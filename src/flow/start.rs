//! Starting every run exactly once in effect.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::api::{
    ApiError, Generation, JobFilter, Named, Phase, RunFilter, Started, given_builds, instances_of, start_body,
};
use crate::model::given::GivenBuilds;
use crate::model::run_report::{JobReport, LeftRunning, StartProblem};
use crate::model::{Failure, Platform, Reason, RunSpec, Target};

use super::clock::Stopwatch;
use super::end::End;
use super::lookup::{EVERY, Lookup, Next};
use super::session::Session;
use super::state::{Record, Standing, StartRecord};
use super::story::Story;
use super::tags::{PostTag, start_digest};
use super::track::{PollBy, Tracked};

/// How long an answer under way may still come after a signal, before its start is looked up by tag.
const GRACE_FOR_ANSWER: Duration = Duration::from_millis(1500);

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

/// What became of one entry.
enum Outcome {
    /// Jobs run.
    Started,
    /// The service refused, and nothing runs.
    Refused(ApiError),
    /// Nobody knows whether anything runs; the failure says what to do.
    Unknown(Failure),
    /// A signal came, or the deadline passed.
    Cut,
}

/// Starts every entry of the plan in order. What started is in the story, whatever is returned.
///
/// # Errors
/// When nothing could be started, when a key is refused, when nobody knows what runs, or when the deadline passes, which counts
/// from here. A signal is no error here.
pub(super) async fn start_all(
    session: &Session,
    story: &mut Story,
    build: BuildRef<'_>,
) -> Result<(), Failure> {
    let end = End::of(session);
    story.clock = Some(Stopwatch::start());
    let adoptable = tokio::select! {
        () = end.comes() => return end.verdict(&session.plan.runs),
        adoptable = super::reattach::candidates(session) => adoptable,
    };
    let configs = tokio::select! {
        () = end.comes() => return end.verdict(&session.plan.runs),
        configs = known_configs(session, build) => configs,
    };
    let mut first_refusal = None;
    for (index, spec) in session.plan.runs.iter().enumerate() {
        if end.has_come() {
            return end.verdict(&session.plan.runs[index..]);
        }
        let digest = digest_of(session, spec, build.digest, index);
        if let Some(group) = adoptable.iter().find(|group| group.start == digest) {
            super::reattach::adopt(session, story, spec, group);
            continue;
        }
        let takes = |id: &str| configs.iter().find(|config| config.id == id)?.takes(build.platform);
        let given = given_builds(spec, build.id, takes);
        say_what_is_not_given(session, spec, build, &given);
        match start_one(session, story, spec, &given, &digest, &end).await {
            Outcome::Started => {}
            Outcome::Cut => return end.verdict(&session.plan.runs[index..]),
            Outcome::Unknown(failure) => return Err(failure),
            Outcome::Refused(error) => {
                let failure = error.failure(Phase::Start);
                session.log.error(format!("{}: not started", spec.label));
                let problem = |device: Option<String>, message: String| StartProblem {
                    run: spec.label.clone(),
                    device,
                    message,
                    tag: None,
                };
                if error.refused.is_empty() {
                    story.problems.push(problem(None, failure.message.clone()));
                }
                for (device, words) in &error.refused {
                    session.log.error(format!("{}: not started on {device}: {words}", spec.label));
                    story.problems.push(problem(Some(device.clone()), words.clone()));
                }
                if error.is_auth() {
                    return Err(failure);
                }
                first_refusal.get_or_insert(failure);
            }
        }
    }
    match first_refusal {
        Some(failure) if story.jobs.is_empty() => Err(failure),
        _ => Ok(()),
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

async fn start_one(
    session: &Session,
    story: &mut Story,
    spec: &RunSpec,
    given: &GivenBuilds,
    digest: &str,
    end: &End<'_>,
) -> Outcome {
    let first = Instant::now();
    let mut posts = 0;
    loop {
        posts += 1;
        let tag = PostTag::new(digest, &session.place.attempt, fastrand::u32(..));
        let mut tags = spec.tags.clone();
        tags.extend([session.invocation.clone(), tag.as_str().to_owned()]);
        let body = start_body(spec, given, &tags);
        let mut record = session.open_start(spec, &tag, given);
        session.save(story, &record);
        session.log.info(format!("{}: starting{}", spec.label, describe(spec)));
        let answer = post(session, spec, &body, end).await;
        match answer {
            Some(Ok(started)) => {
                begun(session, story, spec, &mut record, &started);
                return Outcome::Started;
            }
            Some(Err(error)) if !error.is_unclear() => {
                record.standing = Standing::Done;
                session.save(story, &record);
                return Outcome::Refused(error);
            }
            None => {
                story.unclear.push((tag, record.id));
                return Outcome::Cut;
            }
            Some(Err(error)) => {
                session
                    .log
                    .warn(format!("{}: it is unclear whether the start took effect: {error}", spec.label));
                match look_up(session, spec, &tag, posts, first, end).await {
                    Found::Jobs(started) => {
                        begun(session, story, spec, &mut record, &started);
                        return Outcome::Started;
                    }
                    Found::Nothing => {
                        session.log.info(format!("{}: nothing was started, trying again", spec.label));
                        story.abandoned.insert(tag.as_str().to_owned());
                        record.standing = Standing::Done;
                        session.save(story, &record);
                    }
                    Found::Cut => {
                        story.unclear.push((tag, record.id));
                        return Outcome::Cut;
                    }
                    Found::Unknown(why) => {
                        return Outcome::Unknown(unknown(story, spec, tag, &record, &error, &why));
                    }
                }
            }
        }
    }
}

/// Posts; `None` when a signal came or the deadline passed, and no answer after it.
async fn post(
    session: &Session,
    spec: &RunSpec,
    body: &serde_json::Value,
    end: &End<'_>,
) -> Option<Result<Started, ApiError>> {
    let call = session.api.start(spec, body);
    tokio::pin!(call);
    tokio::select! {
        biased;
        answer = &mut call => Some(answer),
        () = end.comes() => {
            let answer = timeout(GRACE_FOR_ANSWER, &mut call).await.ok()?;
            // An unclear answer is as good as none: the way out looks the tag up.
            if answer.as_ref().is_err_and(ApiError::is_unclear) { None } else { Some(answer) }
        }
    }
}

enum Found {
    Jobs(Started),
    Nothing,
    Cut,
    Unknown(String),
}

async fn look_up(
    session: &Session,
    spec: &RunSpec,
    tag: &PostTag,
    posts: u32,
    first: Instant,
    end: &End<'_>,
) -> Found {
    if !session.may_read {
        return Found::Unknown(
            "the key may not read runs (project:read-runs), so the start cannot be looked up".to_owned(),
        );
    }
    let expected = tokio::select! {
        () = end.comes() => return Found::Cut,
        expected = expected_jobs(session, spec) => expected,
    };
    let mut lookup = Lookup::new(expected, posts);
    let unclear_since = Instant::now();
    session.log.info(format!("{}: looking for runs with the tag {}", spec.label, tag.as_str()));
    loop {
        tokio::select! {
            () = end.comes() => return Found::Cut,
            () = sleep(EVERY) => {}
        }
        let look = tokio::select! {
            () = end.comes() => return Found::Cut,
            look = with_tag(session, tag.as_str()) => look,
        };
        let seen = match look {
            Ok(found) => Some(found),
            Err(error) if error.is_auth() => return Found::Unknown(error.to_string()),
            Err(error) => {
                session.log.debug(format!("the look-up failed: {error}"));
                None
            }
        };
        let ids = seen.as_ref().map(|found| found.ids.clone());
        match lookup.observe(ids, unclear_since.elapsed(), first.elapsed()) {
            Next::Look => {}
            Next::Post => return Found::Nothing,
            Next::GiveUp => return Found::Unknown("no run with its tag was found".to_owned()),
            Next::Adopt { ids, complete } => {
                let plan_execution = seen.as_ref().and_then(|found| found.test_plan_execution_id.clone());
                let generation = seen.map_or(Generation::Jobs, |found| found.generation);
                return Found::Jobs(adopted(
                    ids,
                    generation,
                    plan_execution,
                    (!complete).then_some(expected),
                ));
            }
        }
    }
}

/// Jobs, or runs where there are no jobs, that carry a tag.
pub(super) struct Tagged {
    pub(super) generation: Generation,
    pub(super) ids: BTreeSet<String>,
    pub(super) test_plan_execution_id: Option<String>,
}

/// One look for everything that carries `tag`, in the language the service speaks.
///
/// # Errors
/// When neither jobs nor runs can be listed.
pub(super) async fn with_tag(session: &Session, tag: &str) -> Result<Tagged, ApiError> {
    let filter = JobFilter { tags: vec![tag.to_owned()], ..JobFilter::default() };
    match session.api.once().list_jobs(&filter).await {
        Ok(jobs) => Ok(Tagged {
            generation: Generation::Jobs,
            test_plan_execution_id: jobs.iter().find_map(|job| job.test_plan_execution_id.clone()),
            ids: jobs.into_iter().map(|job| job.job_id).collect(),
        }),
        Err(error) if error.is_not_found() => {
            let filter = RunFilter { tags: vec![tag.to_owned()], ..RunFilter::default() };
            let runs = session.api.once().list_runs(&filter).await?;
            Ok(Tagged {
                generation: Generation::Runs,
                test_plan_execution_id: None,
                ids: runs.into_iter().map(|run| run.run_id).collect(),
            })
        }
        Err(error) => Err(error),
    }
}

fn adopted(
    ids: BTreeSet<String>,
    generation: Generation,
    plan_execution: Option<String>,
    missing: Option<usize>,
) -> Started {
    let ids: Vec<String> = ids.into_iter().collect();
    let (job_ids, run_ids) =
        if generation == Generation::Jobs { (ids, Vec::new()) } else { (Vec::new(), ids) };
    Started {
        generation,
        job_ids,
        run_ids,
        test_plan_execution_id: plan_execution,
        requested: missing.and_then(|expected| u64::try_from(expected).ok()),
        partly: missing.is_some(),
        ..Started::default()
    }
}

/// How many jobs the start gives; 0 when that cannot be known.
async fn expected_jobs(session: &Session, spec: &RunSpec) -> usize {
    match &spec.target {
        Target::Plan(id) => {
            session.api.once().test_plan(id).await.ok().and_then(|plan| plan.tests).unwrap_or(0)
        }
        _ => usize::from(spec.instances.unwrap_or(1)),
    }
}

/// Puts a start that took effect into the story, the state file and the log.
fn begun(session: &Session, story: &mut Story, spec: &RunSpec, record: &mut Record, started: &Started) {
    if let Some(start) = record.start_mut() {
        start.job_ids.clone_from(&started.job_ids);
        start.run_ids.clone_from(&started.run_ids);
        start.test_plan_execution_id.clone_from(&started.test_plan_execution_id);
        start.started = started.started;
        start.devices = started
            .devices
            .iter()
            .flat_map(|(device, ids)| ids.iter().map(|id| (id.clone(), device.clone())))
            .collect();
        story.add(tracked(start), &record.id);
    }
    session.save(story, record);
    if story.test_plan_execution_id.is_none() {
        story.test_plan_execution_id.clone_from(&started.test_plan_execution_id);
    }
    for (device, why) in &started.failed_devices {
        session.log.error(format!("{}: not started on {device}: {why}", spec.label));
        story.problems.push(StartProblem {
            run: spec.label.clone(),
            device: Some(device.clone()),
            message: why.clone(),
            tag: None,
        });
    }
    let jobs = started.job_ids.len().max(started.run_ids.len());
    let asked = u64::try_from(spec.asked()).unwrap_or(u64::MAX);
    if started.is_partial(asked) && started.failed_devices.is_empty() {
        let begun = started.started.or(u64::try_from(jobs).ok()).unwrap_or_default();
        let wanted =
            started.requested.unwrap_or_default().max(asked).max(begun + started.failed.unwrap_or_default());
        let message = if wanted > begun {
            format!("only {begun} of {wanted} runs started")
        } else {
            "the service says that not all of it started".to_owned()
        };
        session.log.error(format!("{}: {message}", spec.label));
        story.problems.push(StartProblem { run: spec.label.clone(), device: None, message, tag: None });
    }
    let plural = if jobs == 1 { "job" } else { "jobs" };
    session.log.info(format!("{}: started {jobs} {plural}", spec.label));
    session.known(story);
}

/// The jobs of a recorded start, as they are before the first look.
#[must_use]
pub(super) fn tracked(start: &StartRecord) -> Vec<Tracked> {
    let device = |id: &str| start.devices.iter().find(|(job, _)| job == id).map(|(_, device)| device.clone());
    let instances =
        start.instances.map(|asked| instances_of(&start.job_ids, &start.devices, start.started, asked));
    let of_job = |id: &str| {
        let place = start.job_ids.iter().position(|job| job == id)?;
        instances.as_ref()?.get(place).copied()
    };
    let report = |id: &str| JobReport {
        run: start.label.clone(),
        required: start.required,
        job_id: id.to_owned(),
        device: device(id),
        deployment_config: start.deployment_config.clone(),
        instances: of_job(id),
        given: start.given.clone(),
        ..JobReport::default()
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

/// The failure of a start whose fate stays unknown. Its record stays open, so that `stop` can find it by its tag.
fn unknown(
    story: &mut Story,
    spec: &RunSpec,
    tag: PostTag,
    record: &Record,
    error: &ApiError,
    why: &str,
) -> Failure {
    let text = tag.as_str().to_owned();
    story.left_running.push(LeftRunning {
        job_ids: Vec::new(),
        tag: Some(text.clone()),
        why: why.to_owned(),
    });
    story.problems.push(StartProblem {
        run: spec.label.clone(),
        device: None,
        message: "it is unknown whether it was started".to_owned(),
        tag: Some(text.clone()),
    });
    story.unclear.push((tag, record.id.clone()));
    Failure::new(
        Reason::StartFailed,
        format!("it is unknown whether the run {} was started: {why}", spec.label),
    )
    .because(error)
    .hint(format!("look for runs with the tag {text} on the dashboard, and stop them if they are not wanted"))
    .hint(
        "nunu-ci stop finds them by that tag, with a key that has project:read-runs and project:operate-runs",
    )
}
