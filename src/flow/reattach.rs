//! A repeated attempt adopts what an earlier one started and nobody ended, instead of paying twice.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{JobFilter, JobSnapshot};
use crate::model::RunSpec;

use super::session::Session;
use super::start::tracked;
use super::state::{Record, Standing, StartRecord, What};
use super::story::Story;
use super::tags::PostTag;

/// Jobs of one earlier POST that may be adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Digest of the start it was.
    pub(super) start: String,
    /// Its post tag.
    pub(super) tag: String,
    /// Its jobs.
    pub(super) job_ids: Vec<String>,
    /// Of plans.
    pub(super) test_plan_execution_id: Option<String>,
}

/// What earlier attempts of the same place left unfinished. Any doubt means none: a start anew is always right, if dear.
pub(super) async fn candidates(session: &Session) -> Vec<Group> {
    if !session.may_read {
        return Vec::new();
    }
    let open = open_tags(session);
    let repeated = session.place.attempt.parse::<u64>().is_ok_and(|attempt| attempt > 1);
    if open.is_empty() && (session.place.run.is_empty() || !repeated) {
        return Vec::new();
    }
    let mut jobs = Vec::new();
    // Without a CI run the invocation tag is new each time, and only the records know the old ones.
    let tags: BTreeSet<&str> =
        open.values().map(String::as_str).chain(std::iter::once(session.invocation.as_str())).collect();
    for tag in tags {
        let filter = JobFilter { tags: vec![tag.to_owned()], ..JobFilter::default() };
        match session.api.list_jobs(&filter).await {
            Ok(found) => jobs.extend(found),
            Err(error) => session.log.debug(format!("no look at earlier runs: {error}")),
        }
    }
    groups(&jobs, &session.place.attempt, &open.into_keys().collect())
}

/// Post tags of unclosed records of this very place, with their invocation tags.
fn open_tags(session: &Session) -> BTreeMap<String, String> {
    let records = session.state.records().unwrap_or_default();
    let here = |record: &&Record| {
        record.standing == Standing::Open
            && record.place.parts() == session.place.parts()
            && record.api_url == session.plan.origin
            && record.project_id == session.plan.project_id
    };
    records
        .iter()
        .filter(here)
        .filter_map(|record| match &record.what {
            What::Start(start) => Some((start.tag.clone(), start.invocation.clone())),
            What::Upload { .. } => None,
        })
        .collect()
}

/// Sorts jobs by the POST that made them and keeps those that may be adopted: made by an earlier attempt or by an unclosed
/// record, every job unfinished, and stopped by nobody.
fn groups(jobs: &[JobSnapshot], attempt: &str, open: &BTreeSet<String>) -> Vec<Group> {
    let mut by_tag: BTreeMap<&str, Vec<&JobSnapshot>> = BTreeMap::new();
    for job in jobs {
        for tag in &job.tags {
            if PostTag::parse(tag).is_some() {
                by_tag.entry(tag).or_default().push(job);
            }
        }
    }
    let mut groups = Vec::new();
    for (tag, mut jobs) in by_tag {
        let Some(post) = PostTag::parse(tag) else { continue };
        jobs.sort_by(|a, b| a.job_id.cmp(&b.job_id));
        jobs.dedup_by(|a, b| a.job_id == b.job_id);
        let earlier = is_earlier(&post.attempt, attempt) || open.contains(tag);
        let alive = jobs.iter().all(|job| {
            job.stopped_by.is_none() && matches!(job.status.as_str(), "QUEUED" | "STARTING" | "RUNNING")
        });
        if earlier && alive {
            groups.push(Group {
                start: post.start,
                tag: tag.to_owned(),
                job_ids: jobs.iter().map(|job| job.job_id.clone()).collect(),
                test_plan_execution_id: jobs.iter().find_map(|job| job.test_plan_execution_id.clone()),
            });
        }
    }
    groups
}

fn is_earlier(theirs: &str, ours: &str) -> bool {
    match (theirs.parse::<u64>(), ours.parse::<u64>()) {
        (Ok(theirs), Ok(ours)) => theirs < ours,
        _ => false,
    }
}

/// Takes the group's jobs as this entry's.
pub(super) fn adopt(session: &Session, story: &mut Story, spec: &RunSpec, group: &Group) {
    // The earlier attempt may have stored the same content under another id, so nothing is expected of the builds' ids.
    let start = StartRecord {
        job_ids: group.job_ids.clone(),
        test_plan_execution_id: group.test_plan_execution_id.clone(),
        ..StartRecord::of(spec, &group.tag, &session.invocation)
    };
    let count = group.job_ids.len();
    session.log.info(format!(
        "{}: {count} job{} of an earlier attempt still unfinished, going on with {}",
        spec.label,
        if count == 1 { "" } else { "s" },
        if count == 1 { "it" } else { "them" },
    ));
    // The earlier record, if it is in the same file, is about the same jobs: one record is enough.
    let earlier = session
        .state
        .records()
        .unwrap_or_default()
        .into_iter()
        .find(|record| matches!(&record.what, What::Start(start) if start.tag == group.tag));
    let mut record = session.record(What::Start(Box::new(start.clone())));
    if let Some(earlier) = earlier {
        record.id = earlier.id;
    }
    if story.test_plan_execution_id.is_none() {
        story.test_plan_execution_id.clone_from(&group.test_plan_execution_id);
    }
    story.add(tracked(&start), &record.id);
    session.save(story, &record);
    session.known(story);
}

#[cfg(test)]
mod tests {
    use super::{BTreeSet, JobSnapshot, PostTag, groups};

    fn job(id: &str, status: &str, tag: &str) -> JobSnapshot {
        JobSnapshot {
            job_id: id.to_owned(),
            status: status.to_owned(),
            tags: vec!["nightly".to_owned(), tag.to_owned()],
            ..JobSnapshot::default()
        }
    }

    fn tag(attempt: &str) -> String {
        PostTag::new("abc", attempt, 1).as_str().to_owned()
    }

    #[test]
    fn adopts_unfinished_jobs_of_an_earlier_attempt_only() {
        let none = BTreeSet::new();
        let (first, second) = (tag("1"), tag("2"));
        let found = groups(&[job("a", "RUNNING", &first), job("b", "QUEUED", &first)], "2", &none);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].job_ids, ["a", "b"]);
        assert!(
            groups(&[job("a", "RUNNING", &second)], "2", &none).is_empty(),
            "another step of this attempt"
        );
        assert!(groups(&[job("a", "RUNNING", &tag("3"))], "2", &none).is_empty());
        assert!(groups(&[job("a", "RUNNING", &tag("x"))], "2", &none).is_empty());
    }

    #[test]
    fn never_adopts_finished_or_stopped_jobs() {
        let none = BTreeSet::new();
        let first = tag("1");
        for status in ["COMPLETED", "STOPPING", "CLEANING_UP", "SOMETHING_NEW"] {
            let jobs = [job("a", "RUNNING", &first), job("b", status, &first)];
            assert!(groups(&jobs, "2", &none).is_empty(), "{status}");
        }
        let stopped = JobSnapshot { stopped_by: Some("a person".to_owned()), ..job("a", "RUNNING", &first) };
        assert!(groups(&[stopped], "2", &none).is_empty());
    }

    #[test]
    fn adopts_what_an_unclosed_record_names() {
        let local = tag("");
        let open = BTreeSet::from([local.clone()]);
        assert_eq!(groups(&[job("a", "RUNNING", &local)], "", &open).len(), 1);
        assert!(groups(&[job("a", "RUNNING", &local)], "", &BTreeSet::new()).is_empty());
    }
}
