//! Jobs of an earlier command: found in the state file, or named by `job-ids`.

use std::collections::BTreeSet;

use crate::api::{ApiError, Generation, Phase, StopReply, UploadHandle};
use crate::model::secrets::Owner;
use crate::model::{Failure, Reason};

use super::session::Session;
use super::start::{tracked, with_tag};
use super::state::{Record, Standing, StartRecord, What};
use super::stop::{not_reached, unfinished_with};
use super::story::Story;

/// Which records a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Everything that is not finished.
    Unfinished,
    /// Only what this job left unclosed.
    Unclosed,
}

fn records(session: &Session, which: Which) -> Result<Vec<Record>, Failure> {
    let all = session.state.records().map_err(|error| {
        Failure::new(Reason::InvalidInput, format!("cannot read {}", session.state.path().display()))
            .because(&error)
            .hint("remove the file, and name the jobs with the setting job-ids")
    })?;
    let ours = |record: &Record| {
        let wanted = match which {
            Which::Unfinished => record.standing != Standing::Done,
            Which::Unclosed => record.standing == Standing::Open,
        };
        // Outside of a CI everything in the folder is this person's; inside, other jobs may share a machine.
        let here = session.place.run.is_empty() || record.place.same_job(&session.place);
        wanted
            && here
            && record.api_url == session.plan.origin
            && record.project_id == session.plan.project_id
    };
    Ok(all.into_iter().filter(ours).collect())
}

/// Gathers the jobs to wait for.
///
/// # Errors
/// When there are none, or the state file cannot be read.
pub(super) async fn collect(session: &Session, story: &mut Story) -> Result<(), Failure> {
    if !session.plan.job_ids.is_empty() {
        let start = StartRecord {
            label: "job".to_owned(),
            required: true,
            job_ids: session.plan.job_ids.clone(),
            ..StartRecord::default()
        };
        story.jobs = tracked(&start);
        for record in records(session, Which::Unfinished).unwrap_or_default() {
            story.take_over(record);
        }
        return Ok(());
    }
    for mut record in records(session, Which::Unfinished)? {
        let id = record.id.clone();
        let What::Start(start) = &mut record.what else { continue };
        if start.job_ids.is_empty() && start.run_ids.is_empty() {
            find_by_tag(session, start).await;
        }
        if story.test_plan_execution_id.is_none() {
            story.test_plan_execution_id.clone_from(&start.test_plan_execution_id);
        }
        story.add(tracked(start), &id);
    }
    if story.jobs.is_empty() {
        let mut failure = Failure::new(
            Reason::InvalidInput,
            "there is nothing to wait for: no unfinished job is recorded here",
        )
        .cause(format!("looked in {}", session.state.path().display()));
        if session.env.get("NUNU_OUTPUT_JOB_IDS").is_some() {
            failure = failure.hint("an earlier job of this pipeline handed on its jobs, and outputs are no settings; hand them on by a variable of this job: NUNU_JOB_IDS: $NUNU_OUTPUT_JOB_IDS (or: nunu-ci wait --job-ids \"$NUNU_OUTPUT_JOB_IDS\")");
        }
        return Err(failure.hint("run nunu-ci start before, in the same job, or name the jobs with the setting job-ids (the output job-ids of the start)"));
    }
    session.log.info(format!("waiting for {} recorded job(s)", story.jobs.len()));
    session.known(story);
    Ok(())
}

/// A start whose answer never came: its tag tells what became of it.
async fn find_by_tag(session: &Session, start: &mut StartRecord) {
    match with_tag(session, &start.tag).await {
        Ok(found) if found.generation == Generation::Runs => {
            start.run_ids = found.ids.into_iter().collect();
        }
        Ok(found) => start.job_ids = found.ids.into_iter().collect(),
        Err(error) => session.log.warn(format!("cannot look for runs with the tag {}: {error}", start.tag)),
    }
}

impl Story {
    /// Jobs named by id may have a record here, which then gives label and tag and is closed with them.
    fn take_over(&mut self, record: Record) {
        let What::Start(start) = record.what else { return };
        for known in tracked(&start) {
            let Some(job) = self.jobs.iter_mut().find(|job| job.report.job_id == known.report.job_id) else {
                continue;
            };
            self.records.entry(record.id.clone()).or_default().insert(known.report.job_id.clone());
            *job = known;
        }
    }
}

/// The command `stop`: stops recorded unfinished jobs (or those named), finds starts whose answer never came by their tag, and
/// cancels a recorded open upload.
///
/// # Errors
/// When something could not be stopped.
pub(super) async fn stop(session: &Session) -> Result<(), Failure> {
    let which = if session.plan.best_effort { Which::Unclosed } else { Which::Unfinished };
    let mut ids: BTreeSet<String> = session.plan.job_ids.iter().cloned().collect();
    let mut nameless: BTreeSet<String> = BTreeSet::new();
    let mut trouble = Trouble::default();
    let mut done: BTreeSet<String> = BTreeSet::new();
    // The safety net ends what this job left, whatever else it is told to stop.
    let named = !ids.is_empty() && !session.plan.best_effort;
    for record in if named { Vec::new() } else { records(session, which)? } {
        match &record.what {
            What::Upload { .. } => match cancel_upload(session, &record).await {
                Ok(()) => {
                    done.insert(record.id.clone());
                }
                Err(error) => {
                    trouble.met(&error, &format!("could not cancel the upload of record {}", record.id));
                }
            },
            What::Start(start) => {
                if start.job_ids.is_empty() {
                    match unfinished_with(session, &start.tag).await {
                        Ok(found) => {
                            ids.extend(found.ids);
                            nameless.extend(found.nameless);
                        }
                        Err(error) => {
                            trouble.met(&error, &format!("cannot look for runs with the tag {}", start.tag));
                            continue;
                        }
                    }
                }
                ids.extend(start.job_ids.iter().cloned());
                done.insert(record.id.clone());
            }
        }
    }
    let ids: Vec<String> = ids.into_iter().collect();
    let reply = if ids.is_empty() { Ok(StopReply::default()) } else { session.api.urgent().stop(&ids).await };
    match reply.map(|reply| not_reached(reply, &nameless)) {
        Ok(reply) => {
            if !reply.stopped.is_empty() {
                session.log.info(format!("stopped {}", reply.stopped.join(", ")));
            }
            if !reply.already_done.is_empty() {
                session.log.info(format!("already finished: {}", reply.already_done.join(", ")));
            }
            for (id, why) in reply.failed {
                trouble.lines.push(format!("could not stop {id}: {why}"));
            }
        }
        Err(error) => trouble.met(&error, &format!("could not stop {}", ids.join(", "))),
    }
    if trouble.lines.is_empty() {
        if ids.is_empty() && done.is_empty() {
            session.log.info("nothing to stop");
        }
        session.mark(&done, Standing::Done);
        return Ok(());
    }
    Err(trouble.failure())
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
            self.first.map_or((Reason::ServiceError, Vec::new()), |first| (first.reason, first.hints));
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
