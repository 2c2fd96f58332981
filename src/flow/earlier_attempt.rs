//! What an earlier attempt of the same place left: read from the service, and sorted by the start it belongs to.

use std::collections::{BTreeMap, BTreeSet};

use nunu_protocol::{Group, JobState, PostRef};

use crate::api::{Api, ApiError};
use crate::config::RerunMode;
use crate::model::job::Job;

use super::context::Context;
use super::jobs_by_tag::Found;
use super::starts::{Earlier, Posted, Starts};
use super::state_file::{Record, RecordStatus, StartRecord, What};
use super::tags::PostTag;

/// Tags that lead to jobs which may be ours: those of this place, and those of unclosed records. Without a CI run the tag of the
/// place is new each time, and only the records know the old ones.
pub(super) fn tags(ctx: &Context) -> Vec<String> {
    let open = open_records(ctx).into_iter().map(|record| record.1.invocation);
    open.chain(std::iter::once(ctx.records.invocation.clone())).collect::<BTreeSet<_>>().into_iter().collect()
}

/// True when an attempt of the same CI run came before, as far as the host tells.
pub(super) fn is_repeated(ctx: &Context) -> bool {
    !ctx.records.place.run.is_empty() && number(&ctx.records.place.attempt) > 1
}

/// The attempt as people count it. GitLab numbers the jobs of all pipelines: there it is the place among those that are known.
pub(super) fn shown(ctx: &Context, attempt: u64, all: &[Earlier]) -> u32 {
    let before: BTreeSet<u64> = all.iter().map(|post| post.attempt).filter(|one| *one <= attempt).collect();
    let place = u32::try_from(before.len()).unwrap_or(u32::MAX);
    let counts_jobs = ctx.host.kind() == crate::ci::Kind::GitLab;
    if counts_jobs { place } else { u32::try_from(attempt).unwrap_or(place) }
}

/// Whether an earlier attempt may have left anything.
pub(super) fn power(ctx: &Context) -> nunu_protocol::Earlier {
    if !ctx.may_read || (!is_repeated(ctx) && open_records(ctx).is_empty()) {
        return nunu_protocol::Earlier::Nothing;
    }
    // GitHub tells the legs of a matrix apart to the action alone.
    let github = ctx.host.kind() == crate::ci::Kind::GitHub;
    if github && ctx.records.place.matrix.is_empty() {
        return nunu_protocol::Earlier::Ambiguous;
    }
    nunu_protocol::Earlier::Ours
}

/// Unclosed starts of this very place.
fn open_records(ctx: &Context) -> Vec<(Record, StartRecord)> {
    let records = ctx.records.all().unwrap_or_default();
    let here = |record: &Record| {
        record.status == RecordStatus::Open && record.place.parts() == ctx.records.place.parts()
    };
    let starts = records.into_iter().filter(here).filter_map(|record| {
        let What::Start(start) = &record.what else { return None };
        let start = (**start).clone();
        Some((record, start))
    });
    starts.collect()
}

/// Reads everything that carries one of the tags.
pub(super) async fn read(api: &Api, tags: &[String]) -> Result<Vec<Job>, ApiError> {
    let mut all = Vec::new();
    for tag in tags {
        match api.jobs_by_tag(tag).await {
            Ok(found) => all.extend(found),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// What was read, by start; `None` when it could not be.
pub(super) fn groups(
    ctx: &Context,
    starts: &mut Starts,
    look: Result<Vec<Found>, ApiError>,
) -> Option<Vec<Group<String>>> {
    let found = match look {
        Ok(found) => found,
        Err(error) if error.is_auth() => {
            ctx.log.warn(format!("the runs of an earlier attempt cannot be looked for: {error}"));
            Vec::new()
        }
        Err(error) => {
            ctx.log.warn(format!("cannot look for runs of an earlier attempt: {error}"));
            return None;
        }
    };
    let digests: Vec<Option<&str>> = starts
        .plans
        .iter()
        .map(|planned| planned.request.as_ref().map(|request| request.digest.as_str()))
        .collect();
    let records = open_records(ctx);
    let open = records.iter().map(|(_, start)| (start.tag.clone(), start.abandoned)).collect();
    let mut earlier = sort(&found, &ctx.records.place.attempt, &open, &digests, starts.same_build);
    earlier.append(&mut starts.recalled.of_plans);
    if let Some(passed) = &starts.recalled.passed {
        for (id, state) in earlier.iter_mut().flat_map(|post| &mut post.jobs) {
            if let JobState::Ended { passed: as_listed } = state {
                *as_listed = passed.contains_key(id);
            }
        }
    }
    starts.earlier = earlier;
    if power(ctx) == nunu_protocol::Earlier::Ambiguous {
        warn_of_equal_jobs(ctx, &starts.earlier);
    }
    let groups = starts.earlier.iter();
    Some(
        groups
            .map(|earlier| Group {
                start: earlier.start,
                attempt: earlier.attempt,
                jobs: earlier.jobs.clone(),
                on_record: earlier.on_record,
            })
            .collect(),
    )
}

/// Equal starts of an earlier attempt are those of several legs of a matrix, and nobody says which is whose.
fn warn_of_equal_jobs(ctx: &Context, earlier: &[Earlier]) {
    let ended = |(_, state): &(String, JobState)| matches!(state, JobState::Ended { passed: true });
    if ctx.plan.rerun.mode != RerunMode::All && earlier.iter().any(|post| post.jobs.iter().any(ended)) {
        ctx.log.warn(
            "what passed in an earlier attempt is started again: GitHub does not say which leg of a matrix this is; \
             NUNU_MATRIX_INDEX: ${{ strategy.job-index }} in the step's env tells it",
        );
    }
    let equal = |one: &Earlier| earlier.iter().filter(|other| other.start == one.start).count() > 1;
    if earlier.iter().any(equal) {
        ctx.log.warn(
            "several equal runs of an earlier attempt were found, and GitHub does not say which leg of a matrix this is: nothing \
             of them is gone on with; NUNU_MATRIX_INDEX: ${{ strategy.job-index }} in the step's env tells it",
        );
    }
}

/// Sorts jobs by the POST that made them, and keeps those of the same starts: made by an earlier attempt, or on an unclosed record
/// (`open`: its tag, and whether it was given up). Where nobody knows that the build is the same, records alone count.
pub(super) fn sort(
    found: &[Found],
    attempt: &str,
    open: &BTreeMap<String, bool>,
    digests: &[Option<&str>],
    same_build: bool,
) -> Vec<Earlier> {
    let mut by_tag: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for one in found {
        for tag in one.tags.iter().filter(|tag| PostTag::parse(tag).is_some()) {
            by_tag.entry(tag).or_default().push(one);
        }
    }
    let mut groups = Vec::new();
    for (tag, mut jobs) in by_tag {
        let Some(post) = PostTag::parse(tag) else { continue };
        let Some(start) = digests.iter().position(|digest| *digest == Some(post.start.as_str())) else {
            continue;
        };
        let earlier = is_earlier(&post.attempt, attempt) && same_build;
        if !earlier && !open.contains_key(tag) {
            continue;
        }
        jobs.sort_by(|a, b| a.id.cmp(&b.id));
        jobs.dedup_by(|a, b| a.id == b.id);
        let jobs = jobs.into_iter().map(|found| (found.id.clone(), found.state_of_earlier())).collect();
        let (attempt, on_record) = (number(&post.attempt), open.contains_key(tag));
        groups.push(Earlier { tag: tag.to_owned(), start, attempt, jobs, on_record });
    }
    // What is on record may have started something that is not shown yet.
    let shown: BTreeSet<String> = groups.iter().map(|group| group.tag.clone()).collect();
    for tag in open.keys().filter(|tag| !shown.contains(*tag)) {
        let Some(post) = PostTag::parse(tag) else { continue };
        let start = digests.iter().position(|digest| *digest == Some(post.start.as_str()));
        let attempt = number(&post.attempt);
        groups.extend(start.map(|start| Earlier {
            tag: tag.clone(),
            start,
            attempt,
            jobs: Vec::new(),
            on_record: true,
        }));
    }
    // What was given up for a later post comes last.
    groups.sort_by_key(|group| open.get(&group.tag).copied().unwrap_or(false));
    groups
}

/// An attempt as a number; 0 where the host tells none.
fn number(attempt: &str) -> u64 {
    attempt.parse().unwrap_or(0)
}

fn is_earlier(theirs: &str, ours: &str) -> bool {
    match (theirs.parse::<u64>(), ours.parse::<u64>()) {
        (Ok(theirs), Ok(ours)) => theirs < ours,
        _ => false,
    }
}

/// Makes a group a post of this invocation. Its record, if it is in the same file, goes on: one record is enough.
pub(super) fn take_up(ctx: &Context, starts: &mut Starts, at: PostRef, group: usize) {
    let Some(earlier) = starts.earlier.get(group) else { return };
    let Some(request) = starts.plans.get(at.start).and_then(|planned| planned.request.as_ref()) else {
        return;
    };
    if earlier.jobs.is_empty() {
        ctx.log.info(format!(
            "{}: an earlier attempt may have started it: looking for runs with the tag {}",
            request.spec.label, earlier.tag
        ));
    }
    let old = open_records(ctx).into_iter().find(|(_, start)| start.tag == earlier.tag);
    let mut start = StartRecord::of(&request.spec, &earlier.tag, &ctx.records.invocation);
    start.given = request.given.clone();
    let mut record = ctx.records.open(What::Start(Box::new(start)));
    if let Some((old, _)) = old {
        record.id = old.id;
    }
    starts.posts.insert(at, Posted { earlier: true, ..Posted::new(record) });
}

#[cfg(test)]
mod tests {
    use super::{BTreeMap, Earlier, Found, JobState, PostTag, sort};

    fn job(id: &str, state: JobState, tag: &str) -> Found {
        Found {
            id: id.to_owned(),
            run_id: None,
            state,
            spoilt: false,
            tags: vec!["nightly".to_owned(), tag.to_owned()],
            test_plan_execution_id: None,
        }
    }

    fn tag(attempt: &str) -> String {
        PostTag::new("abc", attempt, 1).as_str().to_owned()
    }

    fn sorted(found: &[Found], attempt: &str, open: &[(&str, bool)]) -> Vec<Earlier> {
        let open = open.iter().map(|(tag, given_up)| ((*tag).to_owned(), *given_up)).collect();
        sort(found, attempt, &open, &[Some("other"), Some("abc")], true)
    }

    #[test]
    fn finds_the_jobs_of_an_earlier_attempt_only() {
        let (first, second) = (tag("1"), tag("2"));
        let found = sorted(&[job("b", JobState::Live, &first), job("a", JobState::Live, &first)], "2", &[]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].start, found[0].jobs.len(), found[0].jobs[0].0.as_str()), (1, 2, "a"));
        for other in [second, tag("3"), tag("x"), PostTag::new("no", "1", 1).as_str().to_owned()] {
            assert!(sorted(&[job("a", JobState::Live, &other)], "2", &[]).is_empty(), "{other}");
        }
    }

    #[test]
    fn what_somebody_stopped_is_not_gone_on_with() {
        let odd = Found { spoilt: true, ..job("a", JobState::Live, &tag("1")) };
        assert_eq!(sorted(&[odd], "2", &[])[0].jobs[0].1, JobState::Stopped);
    }

    #[test]
    fn an_unclosed_record_counts_whatever_the_attempt() {
        let local = tag("");
        assert_eq!(sorted(&[job("a", JobState::Live, &local)], "", &[(&local, false)]).len(), 1);
        assert!(sorted(&[job("a", JobState::Live, &local)], "", &[]).is_empty());
    }

    #[test]
    fn what_is_on_record_and_shows_nothing_is_looked_up() {
        let silent = tag("1");
        let found = sorted(&[], "2", &[(&silent, false), ("nunu-ci.gone.1.00000000", false)]);
        assert_eq!(found, [Earlier { tag: silent, start: 1, attempt: 1, jobs: Vec::new(), on_record: true }]);
    }

    #[test]
    fn where_the_build_may_be_another_only_records_count() {
        let first = tag("1");
        let found = [job("a", JobState::Live, &first)];
        let digests = [Some("abc")];
        assert!(sort(&found, "2", &BTreeMap::new(), &digests, false).is_empty());
        assert_eq!(sort(&found, "2", &BTreeMap::from([(first, false)]), &digests, false).len(), 1);
    }

    #[test]
    fn what_was_given_up_comes_last() {
        let (one, two) = (PostTag::new("abc", "1", 1), PostTag::new("abc", "1", 2));
        let found = [job("a", JobState::Live, one.as_str()), job("b", JobState::Live, two.as_str())];
        assert_eq!(sorted(&found, "1", &[(one.as_str(), true), (two.as_str(), false)])[0].tag, two.as_str());
    }
}
