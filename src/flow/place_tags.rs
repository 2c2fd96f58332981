//! The tags by which later invocations find a start: where in which repository it was made, in which week, of which commit, by which
//! CI run. Pure.
//!
//! Lists of the service have neither an order nor dates to filter by, and name no deployment configuration: place and week together
//! select what may be a baseline. A reused build keeps the commit of its first upload, so the start has the commit itself.

use chrono::{Datelike as _, TimeDelta};

use crate::ci::Revision;
use crate::model::units::Timestamp;

use super::tags::{PREFIX, digest};

/// Digits of the hash of a place or a run.
const DIGITS: usize = 16;
/// Digits of a commit: all of SHA-1, as many as a tag of 50 characters takes.
const COMMIT_DIGITS: usize = 40;

/// What is tested in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A branch.
    Branch(&'a str),
    /// A pull or merge request: never a baseline, whatever its branch is called.
    PullRequest(u64),
}

/// The tag of one line of a repository with one deployment configuration: `nunu-ci.place.<16 hex>`.
pub(super) fn place_tag(repository: &str, line: Line<'_>, configuration: &str) -> String {
    let (kind, name) = match line {
        Line::Branch(branch) => ("branch", branch.to_owned()),
        Line::PullRequest(number) => ("pull-request", format!("pr-{number}")),
    };
    format!("{PREFIX}.place.{}", digest(&[&one_spelling(repository), kind, &name, configuration], DIGITS))
}

/// Hosts and checkouts spell one repository differently.
fn one_spelling(repository: &str) -> String {
    let bare = repository.trim().trim_end_matches('/');
    bare.strip_suffix(".git").unwrap_or(bare).to_ascii_lowercase()
}

/// The tag of a week: `nunu-ci.week.2026-W48`.
pub(super) fn week_tag(at: Timestamp) -> String {
    let week = at.iso_week();
    format!("{PREFIX}.week.{:04}-W{:02}", week.year(), week.week())
}

/// The tags of the last `count` weeks, this one first.
pub(super) fn weeks_back(now: Timestamp, count: i64) -> Vec<String> {
    (0..count).map(|back| week_tag(now - TimeDelta::weeks(back))).collect()
}

/// The tag of a commit: `nunu-ci.c.<40 hex>`; `None` for what is no hash.
pub(super) fn commit_tag(commit: &str) -> Option<String> {
    let hash: String = commit.trim().to_ascii_lowercase().chars().take(COMMIT_DIGITS).collect();
    is_hash(&hash).then(|| format!("{PREFIX}.c.{hash}"))
}

/// The commit that tags of ours name.
pub(super) fn commit_of(tags: &[String]) -> Option<String> {
    let hash = |tag: &String| tag.strip_prefix(PREFIX)?.strip_prefix(".c.").map(str::to_owned);
    tags.iter().filter_map(hash).find(|hash| is_hash(hash))
}

fn is_hash(text: &str) -> bool {
    (7..=COMMIT_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The tag of a whole CI run, all its jobs and attempts: `nunu-ci.run.<16 hex>`.
pub(super) fn run_tag(parts: &[&str]) -> String {
    format!("{PREFIX}.run.{}", digest(parts, DIGITS))
}

/// All of them for one start; none where nobody knows repository and branch. `run` names the CI run, where it has a name.
pub(super) fn of_start(
    revision: &Revision,
    run: Option<&str>,
    configuration: &str,
    now: Timestamp,
) -> Vec<String> {
    let line = match (revision.pull_request, revision.branch.as_deref()) {
        (Some(number), _) => Line::PullRequest(number),
        (None, Some(branch)) => Line::Branch(branch),
        (None, None) => return Vec::new(),
    };
    let Some(repository) = revision.repository.as_deref() else { return Vec::new() };
    let tags = [place_tag(repository, line, configuration), week_tag(now)];
    let commit = revision.commit.as_deref().and_then(commit_tag);
    tags.into_iter().chain(commit).chain(run.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::{
        Line, Revision, Timestamp, commit_of, commit_tag, of_start, place_tag, run_tag, week_tag, weeks_back,
    };
    use crate::flow::tags::{LONGEST, PostTag, is_invocation_tag};

    const REPOSITORY: &str = "https://github.com/acme/game";

    fn at(text: &str) -> Timestamp {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn all_fit_the_service_and_none_is_taken_for_another() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let tags = [
            place_tag(REPOSITORY, Line::Branch("main"), "dc"),
            week_tag(at("2026-11-24T21:00:00Z")),
            commit_tag(hash).unwrap(),
            run_tag(&["github-actions", "acme/game/1"]),
        ];
        for tag in &tags {
            assert!(tag.len() <= LONGEST && !is_invocation_tag(tag), "{tag}");
            assert_eq!(PostTag::parse(tag), None, "{tag}");
        }
        assert_eq!(commit_of(&tags).as_deref(), Some(hash));
        assert_eq!(commit_of(&tags[..2]), None);
    }

    #[test]
    fn a_place_is_repository_line_and_configuration() {
        let main = place_tag(REPOSITORY, Line::Branch("main"), "dc");
        for same in [
            "https://github.com/Acme/Game",
            "https://github.com/acme/game.git",
            "https://github.com/acme/game/",
        ] {
            assert_eq!(place_tag(same, Line::Branch("main"), "dc"), main, "{same}");
        }
        for other in [
            place_tag("https://github.com/acme/other", Line::Branch("main"), "dc"),
            place_tag(REPOSITORY, Line::Branch("Main"), "dc"),
            place_tag(REPOSITORY, Line::Branch("main"), "other"),
        ] {
            assert_ne!(other, main);
        }
        // A branch that is called like a pull request is none.
        assert_ne!(
            place_tag(REPOSITORY, Line::Branch("pr-7"), "dc"),
            place_tag(REPOSITORY, Line::PullRequest(7), "dc")
        );
    }

    #[test]
    fn a_start_is_tagged_where_repository_and_branch_are_known() {
        let now = at("2026-11-24T21:00:00Z");
        let main = Revision {
            repository: Some(REPOSITORY.to_owned()),
            branch: Some("feature".to_owned()),
            commit: Some("0123456789".to_owned()),
            ..Revision::default()
        };
        let branch = of_start(&main, Some("nunu-ci.run.x"), "dc", now);
        assert_eq!(branch[0], place_tag(REPOSITORY, Line::Branch("feature"), "dc"));
        assert_eq!(branch[1..], ["nunu-ci.week.2026-W48", "nunu-ci.c.0123456789", "nunu-ci.run.x"]);
        let change = of_start(&Revision { pull_request: Some(7), ..main.clone() }, None, "dc", now);
        assert_eq!(change[0], place_tag(REPOSITORY, Line::PullRequest(7), "dc"));
        assert!(of_start(&Revision { branch: None, ..main.clone() }, None, "dc", now).is_empty());
        assert!(of_start(&Revision { repository: None, ..main }, None, "dc", now).is_empty());
    }

    #[test]
    fn weeks_go_back_over_the_new_year() {
        assert_eq!(
            weeks_back(at("2027-01-05T00:00:00Z"), 3),
            ["nunu-ci.week.2027-W01", "nunu-ci.week.2026-W53", "nunu-ci.week.2026-W52"]
        );
        assert_eq!(week_tag(at("2027-01-03T23:59:59Z")), "nunu-ci.week.2026-W53");
    }

    #[test]
    fn only_hashes_are_commits() {
        let sha256 = "ab".repeat(32);
        assert_eq!(commit_tag(&sha256).map(|tag| tag.len()), Some(LONGEST));
        for no in ["", "HEAD", "main", "12,34567", "123456"] {
            assert_eq!(commit_tag(no), None, "{no}");
        }
    }
}
