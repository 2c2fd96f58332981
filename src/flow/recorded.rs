//! Starts of an earlier command: found in the state file, or named by `job-ids`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nunu_protocol::{Cause, Earlier, Event, Expected, PostRef, Powers, StartSpec};

use crate::api::{ApiError, Phase, UploadHandle};
use crate::model::secrets::Owner;
use crate::model::units::parse_time;
use crate::model::{ExitReason, Failure};

use super::clock::Stopwatch;
use super::end::End;
use super::session::Session;
use super::size::PlanSize;
use super::starts::{Planned, Posted, Starts, happened, work_until};
use super::state::{Record, Standing, StartRecord, What};
use super::stop::{stop_for, told};
use super::story::Story;
use super::tags::PostTag;

/// How long `stop` looks for jobs that may still appear. They do within 20 s of their start.
const TIME_TO_STOP: Duration = Duration::from_secs(60);

/// Records that are not finished, of this job.
fn records(session: &Session) -> Result<Vec<Record>, Failure> {
    let all = session.state.records().map_err(|error| {
        Failure::new(ExitReason::InvalidInput, format!("cannot read {}", session.state.path().display()))
            .because(&error)
            .hint("remove the file, and name the jobs with the setting job-ids")
    })?;
    let ours = |record: &Record| {
        // Outside of a CI everything in the folder is this person's; inside, other jobs may share a machine.
        let here = session.place.run.is_empty() || record.place.same_job(&session.place);
        record.standing != Standing::Done
            && here
            && record.api_url == session.plan.origin
            && record.project_id == session.plan.project_id
    };
    Ok(all.into_iter().filter(ours).collect())
}

/// Recorded starts, as the start protocol takes them.
#[derive(Default)]
struct Recorded {
    specs: Vec<StartSpec<String>>,
    plans: Vec<Planned>,
    posts: BTreeMap<PostRef, Posted>,
    /// Which start each digest is.
    known: BTreeMap<String, usize>,
}

impl Recorded {
    /// Adds what one record tells. The posts of one start are told apart by their tags.
    fn add(&mut self, record: Record, recorded: bool) {
        let What::Start(start) = &record.what else { return };
        let same = PostTag::parse(&start.tag).map(|tag| format!("{} {}", start.invocation, tag.start));
        let index = same.as_ref().and_then(|same| self.known.get(same).copied()).unwrap_or(self.specs.len());
        if index == self.specs.len() {
            let expected = match (&start.test_plan_id, start.instances) {
                (None, Some(0 | 1)) => Expected::Exactly(1),
                (None, Some(many)) => Expected::OneOr(many),
                (Some(_), _) | (None, None) => Expected::Unknown,
            };
            self.specs.push(StartSpec { expected, records: Vec::new() });
            let by_items = start.instances.is_some();
            let size = start.test_plan_id.clone().map(|plan| PlanSize { plan, by_items });
            self.plans.push(Planned { label: start.label.clone(), size, request: None });
            self.known.extend(same.map(|same| (same, index)));
        }
        let made = parse_time(&record.at);
        let age = made.map_or(0, |made| (chrono::Utc::now() - made).num_milliseconds());
        // Jobs that a person names have been shown to that person.
        let age = if recorded { u64::try_from(age).unwrap_or(0) } else { u64::MAX };
        let records = &mut self.specs[index].records;
        let at = PostRef { start: index, post: records.len() };
        let mut posted = Posted { recorded, ..Posted::new(record) };
        let start = posted.start();
        records.push(nunu_protocol::Record {
            jobs: start.ids(),
            complete: start.complete,
            abandoned: start.abandoned,
            left: posted.record.standing == Standing::Left,
            age,
        });
        posted.earlier = false;
        self.posts.insert(at, posted);
    }

    /// Adds jobs that were named by their ids.
    fn add_named(&mut self, session: &Session, ids: Vec<String>) {
        if !ids.is_empty() {
            let start = StartRecord {
                label: "job".to_owned(),
                required: true,
                job_ids: ids,
                complete: true,
                ..StartRecord::default()
            };
            self.add(session.record(What::Start(Box::new(start))), false);
        }
    }

    fn begin(self, session: &Session, unclosed_only: bool) -> Starts {
        let powers = Powers { look: session.may_read, earlier: Earlier::Nothing, post: false, unclosed_only };
        Starts::new(session, powers, self.specs, self.plans, self.posts)
    }
}

/// Gathers the jobs to wait for.
pub(super) async fn collect(session: &Session, story: &mut Story) -> Result<(), Failure> {
    let mut recorded = Recorded::default();
    let mut named: BTreeSet<String> = session.plan.job_ids.iter().cloned().collect();
    let by_id = !named.is_empty();
    let all = if by_id { records(session).unwrap_or_default() } else { records(session)? };
    for mut record in all {
        let Some(start) = record.start_mut() else { continue };
        let mut whole = true;
        if by_id {
            // Jobs named by id may have a record here, which then gives label and tag, and is closed with its last job.
            let before = start.job_ids.len();
            start.job_ids.retain(|id| named.remove(id));
            whole = start.job_ids.len() == before;
            if start.job_ids.is_empty() {
                continue;
            }
        }
        recorded.add(record, whole);
    }
    let rest = session.plan.job_ids.iter().filter(|id| named.contains(*id)).cloned().collect();
    recorded.add_named(session, rest);
    if recorded.specs.is_empty() {
        return Err(nothing_to_wait_for(session));
    }
    story.clock = Some(Stopwatch::start());
    let end = End::of(session);
    story.starts = Some(recorded.begin(session, false));
    happened(session, story, Event::Begin);
    let settled = work_until(session, story, end.comes(), |protocol| !protocol.is_starting()).await;
    if !settled {
        let starts = story.starts.iter().flat_map(|starts| &starts.plans);
        let labels: Vec<&str> = starts.map(|planned| planned.label.as_str()).collect();
        let labels =
            labels.into_iter().filter(|label| !story.jobs.iter().any(|job| job.report.run == *label));
        return end.verdict(&labels.collect::<Vec<_>>());
    }
    if story.jobs.is_empty() && story.problems.is_empty() {
        return Err(nothing_to_wait_for(session));
    }
    if !by_id {
        session.log.info(format!("waiting for {} recorded job(s)", story.jobs.len()));
    }
    session.known(story);
    Ok(())
}

fn nothing_to_wait_for(session: &Session) -> Failure {
    let mut failure = Failure::new(
        ExitReason::InvalidInput,
        "there is nothing to wait for: no unfinished job is recorded here",
    )
    .cause(format!("looked in {}", session.state.path().display()));
    if session.env.get("NUNU_OUTPUT_JOB_IDS").is_some() {
        failure = failure.hint("an earlier job of this pipeline handed on its jobs, and outputs are no settings; hand them on by a variable of this job: NUNU_JOB_IDS: $NUNU_OUTPUT_JOB_IDS (or: nunu-ci wait --job-ids \"$NUNU_OUTPUT_JOB_IDS\")");
    }
    failure.hint("run nunu-ci start before, in the same job, or name the jobs with the setting job-ids (the output job-ids of the start)")
}

/// The command `stop`: stops recorded unfinished jobs (or those named), finds starts whose answer never came by their tag, and
/// cancels a recorded open upload.
pub(super) async fn stop(session: &Session) -> Result<(), Failure> {
    let mut trouble = Trouble::default();
    let mut recorded = Recorded::default();
    recorded.add_named(session, session.plan.job_ids.clone());
    // The safety net ends what this job left, whatever else it is told to stop.
    let named = !session.plan.job_ids.is_empty() && !session.plan.best_effort;
    let mut idle = recorded.specs.is_empty();
    for record in if named { Vec::new() } else { records(session)? } {
        if matches!(record.what, What::Start(_)) {
            idle &= session.plan.best_effort && record.standing == Standing::Left;
            recorded.add(record, true);
        } else {
            idle = false;
            match cancel_upload(session, &record).await {
                Ok(()) => session.mark(&BTreeSet::from([record.id.clone()]), Standing::Done),
                Err(error) => {
                    trouble.met(&error, &format!("could not cancel the upload of record {}", record.id));
                }
            }
        }
    }
    if idle {
        session.log.info("nothing to stop");
        return Ok(());
    }
    let mut story =
        Story { starts: Some(recorded.begin(session, session.plan.best_effort)), ..Story::default() };
    stop_for(session, &mut story, Cause::Stop, TIME_TO_STOP).await;
    if let Some(starts) = &mut story.starts {
        trouble.first = trouble.first.or(starts.stop_failure.take());
    }
    trouble.lines.extend(story.left_running.iter().map(told));
    if trouble.lines.is_empty() { Ok(()) } else { Err(trouble.failure()) }
}

/// What could not be done, and the first error of the service on the way: it decides the reason.
#[derive(Default)]
struct Trouble {
    lines: Vec<String>,
    first: Option<Failure>,
}

impl Trouble {
    fn met(&mut self, error: &ApiError, what: &str) {
        self.lines.push(format!("{what}: {error}"));
        self.first.get_or_insert_with(|| error.failure(Phase::Stop));
    }

    fn failure(self) -> Failure {
        let (reason, hints) =
            self.first.map_or((ExitReason::ServiceError, Vec::new()), |first| (first.reason, first.hints));
        let failure =
            Failure { causes: self.lines, hints, ..Failure::new(reason, "not everything could be stopped") };
        failure.hint(
            "run nunu-ci stop again, or stop the jobs on the dashboard; the service ends a run by itself after 5.5 hours",
        )
    }
}

async fn cancel_upload(session: &Session, record: &Record) -> Result<(), ApiError> {
    let What::Upload { build_id, object_key, upload_id } = &record.what else { return Ok(()) };
    if let Some(secret) = upload_id {
        session.net.secret(secret, Owner::Lent);
    }
    let handle = UploadHandle {
        build_id: build_id.clone(),
        object_key: object_key.clone(),
        upload_id: upload_id.clone().map(Into::into),
    };
    session.api.urgent().cancel_upload(&handle).await?;
    session.log.info(format!("cancelled the unfinished upload of build {build_id}"));
    Ok(())
}
