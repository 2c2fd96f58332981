//! Events and actions as lines of words, for the diagnostics of a run: what happened can be read there, and played again.
//!
//! Ids hold no spaces and no commas; the caller sees to that.

use std::fmt::Write as _;

use crate::state::Protocol;
use crate::types::{
    Action, Answer, Cause, Earlier, Event, Expected, Group, JobState, Limits, Poll, PostRef, Powers, Record,
    Seen, Settled, StartSpec, StopAnswer,
};

fn at(post: PostRef) -> String {
    format!("{}.{}", post.start, post.post)
}

fn expected(expected: Expected) -> String {
    match expected {
        Expected::Unknown => "unknown".to_owned(),
        Expected::Exactly(count) => format!("exactly:{count}"),
        Expected::OneOr(count) => format!("one-or:{count}"),
    }
}

const fn state(state: JobState) -> &'static str {
    match state {
        JobState::Live => "live",
        JobState::Stopped => "stopped",
        JobState::Ended { passed: true } => "passed",
        JobState::Ended { passed: false } => "not-passed",
    }
}

fn jobs(jobs: &[(String, JobState)]) -> String {
    let words: Vec<String> = jobs.iter().map(|(id, how)| format!("{id}={}", state(*how))).collect();
    words.join(",")
}

/// What a protocol began with.
#[must_use]
pub fn beginning(powers: Powers, starts: &[StartSpec<String>]) -> String {
    let earlier = match powers.earlier {
        Earlier::Nothing => "nothing",
        Earlier::Ours => "ours",
        Earlier::Ambiguous => "ambiguous",
    };
    let mut line = format!(
        "new look={} post={} unclosed-only={} carry={} earlier={earlier}",
        powers.look, powers.post, powers.unclosed_only, powers.carry
    );
    for start in starts {
        let _ = write!(line, " start={}", expected(start.expected));
        for record in &start.records {
            let flags = [(record.complete, 'c'), (record.abandoned, 'a'), (record.left, 'l')];
            let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect();
            let _ = write!(line, " record={flags}:{}:{}", record.age, record.jobs.join(","));
        }
    }
    line
}

/// An event as a line.
#[must_use]
pub fn event(event: &Event<String>) -> String {
    match event {
        Event::Begin => "begin".to_owned(),
        Event::LookedBack(None) => "looked-back failed".to_owned(),
        Event::LookedBack(Some(groups)) => {
            let words: Vec<String> = groups
                .iter()
                .map(|group| {
                    let open = if group.on_record { "+" } else { "" };
                    format!("{}{open}@{}:{}", group.start, group.attempt, jobs(&group.jobs))
                })
                .collect();
            format!("looked-back {}", words.join(" ")).trim_end().to_owned()
        }
        Event::Answered(post, Answer::Clear { jobs, partial }) => {
            let word = if *partial { "in-part" } else { "started" };
            format!("answered {} {word} {}", at(*post), jobs.join(","))
        }
        Event::Answered(post, Answer::Refused) => format!("answered {} refused", at(*post)),
        Event::Answered(post, Answer::Unclear) => format!("answered {} unclear", at(*post)),
        Event::Looked(post, Seen::Jobs(seen)) => {
            format!("looked {} {}", at(*post), jobs(seen)).trim_end().to_owned()
        }
        Event::Looked(post, Seen::Failed) => format!("looked {} failed", at(*post)),
        Event::Looked(post, Seen::Denied) => format!("looked {} denied", at(*post)),
        Event::Size(start, size) => format!("size {start} {}", expected(*size)),
        Event::Polled(id, Poll::State(how)) => format!("polled {id} {}", state(*how)),
        Event::Polled(id, Poll::NotFound) => format!("polled {id} not-found"),
        Event::Polled(id, Poll::Failed) => format!("polled {id} failed"),
        Event::StopAnswered(id, answer) => {
            let word = match answer {
                StopAnswer::Done => "done",
                StopAnswer::NotFound => "not-found",
                StopAnswer::Failed => "failed",
                StopAnswer::Impossible => "impossible",
            };
            format!("stop-answered {id} {word}")
        }
        Event::End(cause) => format!("end {}", cause_word(*cause)),
        Event::Leave => "leave".to_owned(),
        Event::TimeUp => "time-up".to_owned(),
        Event::Tick => "tick".to_owned(),
    }
}

const fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::Cancelled => "cancelled",
        Cause::Deadline => "deadline",
        Cause::Failure => "failure",
        Cause::Panic => "panic",
        Cause::Stop => "stop",
    }
}

/// An action as a line.
#[must_use]
pub fn action(action: &Action<String>) -> String {
    match action {
        Action::LookBack(when) => format!("look-back not before {when}"),
        Action::TakeUp(post, group) => format!("take up group {group} as {}", at(*post)),
        Action::CarryOver { start, group } => format!("carry over group {group} as start {start}"),
        Action::Record(post) => format!("record {}", at(*post)),
        Action::Post(post) => format!("post {}", at(*post)),
        Action::Abandon(post) => format!("abandon {}", at(*post)),
        Action::Look(post, when) => format!("look {} not before {when}", at(*post)),
        Action::Follow { post, jobs, complete } => {
            let word = if *complete { "complete" } else { "incomplete" };
            format!("follow {} {} {word}", at(*post), jobs.join(","))
        }
        Action::Stop(jobs, when) => format!("stop {} not before {when}", jobs.join(",")),
        Action::Close(post) => format!("close {}", at(*post)),
        Action::Leave(post) => format!("leave {}", at(*post)),
        Action::Settled(start, Settled::Started { complete: true }) => format!("start {start} is started"),
        Action::Settled(start, Settled::Started { complete: false }) => {
            format!("start {start} is started in part")
        }
        Action::Settled(start, Settled::CarriedOver) => format!("start {start} is carried over"),
        Action::Settled(start, Settled::Refused) => format!("start {start} is refused"),
        Action::Settled(start, Settled::Unknown) => format!("start {start} is unknown"),
        Action::Finish(outcome) => format!("finish {outcome:?}"),
    }
}

/// A protocol as [`beginning`] told it, at the moment it began; `None` for other text.
#[must_use]
pub fn read_beginning(line: &str, now: u64) -> Option<Protocol<String>> {
    let mut words = line.split(' ');
    (words.next()? == "new").then_some(())?;
    let mut flag = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
    let (look, post) = (flag("look")? == "true", flag("post")? == "true");
    let (unclosed_only, carry) = (flag("unclosed-only")? == "true", flag("carry")? == "true");
    let earlier = match flag("earlier")?.as_str() {
        "nothing" => Earlier::Nothing,
        "ours" => Earlier::Ours,
        "ambiguous" => Earlier::Ambiguous,
        _ => return None,
    };
    let mut starts: Vec<StartSpec<String>> = Vec::new();
    for word in words {
        if let Some(size) = word.strip_prefix("start=") {
            starts.push(StartSpec { expected: read_expected(size)?, records: Vec::new() });
        } else {
            let mut parts = word.strip_prefix("record=")?.splitn(3, ':');
            let flags = parts.next()?;
            let age = parts.next()?.parse().ok()?;
            let jobs = ids(parts.next()?);
            let has = |flag: char| flags.contains(flag);
            let record = Record { jobs, complete: has('c'), abandoned: has('a'), left: has('l'), age };
            starts.last_mut()?.records.push(record);
        }
    }
    let powers = Powers { look, earlier, post, unclosed_only, carry };
    Some(Protocol::new(Limits::default(), powers, starts, now))
}

fn ids(text: &str) -> Vec<String> {
    text.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

fn read_expected(text: &str) -> Option<Expected> {
    match text.split_once(':') {
        None if text == "unknown" => Some(Expected::Unknown),
        Some(("exactly", count)) => count.parse().ok().map(Expected::Exactly),
        Some(("one-or", count)) => count.parse().ok().map(Expected::OneOr),
        _ => None,
    }
}

fn read_state(text: &str) -> Option<JobState> {
    Some(match text {
        "live" => JobState::Live,
        "stopped" => JobState::Stopped,
        "passed" => JobState::Ended { passed: true },
        "not-passed" => JobState::Ended { passed: false },
        _ => return None,
    })
}

fn read_jobs(text: &str) -> Option<Vec<(String, JobState)>> {
    let read = |word: &str| {
        let (id, how) = word.rsplit_once('=')?;
        Some((id.to_owned(), read_state(how)?))
    };
    text.split(',').filter(|word| !word.is_empty()).map(read).collect()
}

fn read_post(text: &str) -> Option<PostRef> {
    let (start, post) = text.split_once('.')?;
    Some(PostRef { start: start.parse().ok()?, post: post.parse().ok()? })
}

/// An event as [`event`] told it; `None` for other text.
#[must_use]
pub fn read_event(line: &str) -> Option<Event<String>> {
    let mut words = line.split(' ');
    let verb = words.next()?;
    let rest: Vec<&str> = words.collect();
    let word = |place: usize| rest.get(place).copied().unwrap_or_default();
    Some(match verb {
        "begin" => Event::Begin,
        "looked-back" if word(0) == "failed" => Event::LookedBack(None),
        "looked-back" => {
            let group = |word: &&str| {
                let (post, jobs) = word.split_once(':')?;
                let (start, attempt) = post.split_once('@')?;
                let on_record = start.ends_with('+');
                let start = start.trim_end_matches('+').parse().ok()?;
                Some(Group { start, attempt: attempt.parse().ok()?, jobs: read_jobs(jobs)?, on_record })
            };
            Event::LookedBack(Some(rest.iter().map(group).collect::<Option<_>>()?))
        }
        "answered" => {
            let answer = match word(1) {
                "refused" => Answer::Refused,
                "unclear" => Answer::Unclear,
                "started" => Answer::Clear { jobs: ids(word(2)), partial: false },
                "in-part" => Answer::Clear { jobs: ids(word(2)), partial: true },
                _ => return None,
            };
            Event::Answered(read_post(word(0))?, answer)
        }
        "looked" => {
            let seen = match word(1) {
                "failed" => Seen::Failed,
                "denied" => Seen::Denied,
                jobs => Seen::Jobs(read_jobs(jobs)?),
            };
            Event::Looked(read_post(word(0))?, seen)
        }
        "size" => Event::Size(word(0).parse().ok()?, read_expected(word(1))?),
        "polled" => {
            let poll = match word(1) {
                "not-found" => Poll::NotFound,
                "failed" => Poll::Failed,
                how => Poll::State(read_state(how)?),
            };
            Event::Polled(word(0).to_owned(), poll)
        }
        "stop-answered" => {
            let answer = match word(1) {
                "done" => StopAnswer::Done,
                "not-found" => StopAnswer::NotFound,
                "failed" => StopAnswer::Failed,
                "impossible" => StopAnswer::Impossible,
                _ => return None,
            };
            Event::StopAnswered(word(0).to_owned(), answer)
        }
        "end" => {
            let causes = [Cause::Cancelled, Cause::Deadline, Cause::Failure, Cause::Panic, Cause::Stop];
            Event::End(causes.into_iter().find(|cause| cause_word(*cause) == word(0))?)
        }
        "leave" => Event::Leave,
        "time-up" => Event::TimeUp,
        "tick" => Event::Tick,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{
        Answer, Cause, Event, Expected, Group, JobState, Poll, PostRef, Seen, StopAnswer, event, read_event,
    };

    #[test]
    fn every_event_reads_back() {
        let post = PostRef { start: 1, post: 2 };
        let job = |state| ("j-1".to_owned(), state);
        let jobs = vec![job(JobState::Live), job(JobState::Ended { passed: false })];
        let id = || "j-1".to_owned();
        for one in [
            Event::Begin,
            Event::LookedBack(None),
            Event::LookedBack(Some(Vec::new())),
            Event::LookedBack(Some(vec![
                Group { start: 0, attempt: 1, jobs: jobs.clone(), on_record: true },
                Group { start: 1, attempt: 12_345_678_901, jobs: jobs.clone(), on_record: false },
                Group { start: 2, attempt: 0, jobs: Vec::new(), on_record: true },
            ])),
            Event::Answered(post, Answer::Clear { jobs: vec![id(), id()], partial: false }),
            Event::Answered(post, Answer::Clear { jobs: vec![id()], partial: true }),
            Event::Answered(post, Answer::Refused),
            Event::Answered(post, Answer::Unclear),
            Event::Looked(post, Seen::Jobs(Vec::new())),
            Event::Looked(post, Seen::Jobs(jobs)),
            Event::Looked(post, Seen::Failed),
            Event::Looked(post, Seen::Denied),
            Event::Size(3, Expected::Unknown),
            Event::Size(3, Expected::Exactly(4)),
            Event::Size(3, Expected::OneOr(4)),
            Event::Polled(id(), Poll::State(JobState::Stopped)),
            Event::Polled(id(), Poll::NotFound),
            Event::Polled(id(), Poll::Failed),
            Event::StopAnswered(id(), StopAnswer::Done),
            Event::StopAnswered(id(), StopAnswer::NotFound),
            Event::StopAnswered(id(), StopAnswer::Failed),
            Event::StopAnswered(id(), StopAnswer::Impossible),
            Event::End(Cause::Deadline),
            Event::Leave,
            Event::TimeUp,
            Event::Tick,
        ] {
            let line = event(&one);
            assert_eq!(read_event(&line), Some(one), "{line}");
        }
    }
}
