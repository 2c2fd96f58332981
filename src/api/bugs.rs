//! Bugs of a run, in each of the lists they have come in.

use serde_json::Value;

use crate::model::job::Bug;

use super::client::Api;
use super::error::ApiError;
use super::json::{Fields, list_of};
use super::request::ApiRequest;

/// Most bugs of a run.
const MOST_BUGS: usize = 2_000;
/// Bugs on a page.
const BUG_PAGE: u64 = 100;
/// Most pages of bugs; a service may show fewer on a page than it was asked for.
const MOST_BUG_PAGES: u64 = 100;

/// The bugs of a run, from all pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bugs {
    /// At most 2,000.
    pub(crate) bugs: Vec<Bug>,
    /// How many there are, as far as the service says or shows.
    pub(crate) count: u64,
}

/// One page of a run's bugs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct BugPage {
    pub(super) bugs: Vec<Bug>,
    /// Bugs that were left out because there were too many to hold.
    pub(super) left_out: u64,
    /// Bugs in all, as the page says.
    pub(super) total: Option<u64>,
    /// Pages in all, as the page says.
    pub(super) pages: Option<u64>,
}

impl Api {
    /// `GET runs/{id}/bugs`, all pages (at most 2,000 bugs). What a page counts beyond them is in `count`.
    pub(crate) async fn bugs(&self, run_id: &str) -> Result<Bugs, ApiError> {
        let mut all: Vec<Bug> = Vec::new();
        let mut count = 0;
        for number in 0..MOST_BUG_PAGES {
            let request = ApiRequest::get(&["runs", run_id, "bugs"])
                .with("page", number.to_string())
                .with("page_size", BUG_PAGE.to_string());
            let page = self
                .send(&request, |answer| bugs(&answer.json).ok_or_else(|| "no list of bugs".to_owned()))
                .await?;
            let shown = page.bugs.len();
            let before = all.len();
            // A service that does not know pages gives the first one for ever.
            let fresh = page
                .bugs
                .into_iter()
                .filter(|bug| bug.id.is_empty() || all.iter().all(|known| known.id != bug.id));
            let fresh: Vec<Bug> = fresh.collect();
            all.extend(fresh);
            let read = u64::try_from(all.len()).unwrap_or(u64::MAX);
            count = page.total.unwrap_or_default().max(count).max(read).max(page.left_out + read);
            let more = page.pages.is_some_and(|pages| pages > number + 1) || count > read;
            if !more || shown == 0 || all.len() == before || all.len() >= MOST_BUGS {
                break;
            }
        }
        all.truncate(MOST_BUGS);
        Ok(Bugs { bugs: all, count })
    }
}

/// The first list found; `None` when there is none at all, which is not the same as no bugs.
pub(super) fn bugs(value: &Value) -> Option<BugPage> {
    let names = ["bug_occurrences", "data", "bugs"];
    let items = list_of(value, &names).or_else(|| {
        ["detail", "data", "run"].iter().find_map(|wrapper| list_of(value.get(wrapper)?, &names))
    })?;
    let bugs: Vec<Bug> = items.iter().filter(|item| item.is_object()).take(MOST_BUGS).map(bug).collect();
    let pages = Fields::of(value).object(&["pagination"]);
    Some(BugPage {
        // What is no bug that can be read is one all the same.
        left_out: u64::try_from(items.len() - bugs.len()).unwrap_or(u64::MAX),
        total: pages.count(&["total_count"]),
        pages: pages.count(&["total_pages"]),
        bugs,
    })
}

fn bug(value: &Value) -> Bug {
    let fields = Fields::of(value);
    let id = fields.text(&["id", "occurrence_id"]).unwrap_or_default();
    Bug {
        bug_id: fields.text(&["bug_id"]).unwrap_or_else(|| id.clone()),
        id,
        title: fields.text(&["title", "name"]).unwrap_or_default(),
        description: fields.text(&["description"]),
        category: fields.text(&["category"]),
        severity: fields.text(&["severity"]),
        confidence: fields.text(&["confidence"]),
        reproduction_steps: fields.text(&["reproduction_steps"]).or_else(|| steps(fields)),
        player_number: fields.count(&["player_number", "player_index"]),
        test_step: fields.text(&["test_step"]),
        detected_at: fields.time(&["detected_at", "created_at"]),
        screenshot_url: fields
            .object(&["details"])
            .text(&["screenshot_url"])
            .or_else(|| fields.text(&["screenshot_url"])),
        screenshot_saved_as: None,
    }
}

/// Steps as a list rather than a text.
fn steps(fields: Fields<'_>) -> Option<String> {
    let lines = fields.texts(&["reproduction_steps"]);
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MOST_BUGS, bugs};

    #[test]
    fn finds_the_list_wherever_it_is() {
        let bug = json!({"id": "o1", "bug_id": "b1", "title": "Sky missing", "severity": "high", "confidence": "low",
            "player_number": 0, "test_step": 3, "detected_at": "2026-03-03T15:50:23Z", "details": {"screenshot_url": "https://x/y"}});
        for value in [
            json!({"multiplayer_run_id": "r", "bug_occurrences": [bug]}),
            json!({"data": [bug], "pagination": {"page": 0}}),
            json!({"bugs": [bug]}),
            json!({"detail": {"bugs": [bug]}}),
            json!([bug]),
        ] {
            let page = bugs(&value).unwrap();
            assert_eq!(page.bugs.len(), 1, "{value}");
            let bug = &page.bugs[0];
            assert_eq!(
                (bug.bug_id.as_str(), bug.test_step.as_deref(), bug.player_number),
                ("b1", Some("3"), Some(0))
            );
            assert_eq!(bug.screenshot_url.as_deref(), Some("https://x/y"));
        }
        assert_eq!(bugs(&json!({"data": []})).unwrap().bugs.len(), 0);
        assert_eq!(bugs(&json!({"message": "hello"})), None);
    }

    #[test]
    fn an_occurrence_without_bug_id_is_a_bug_of_its_own() {
        assert_eq!(bugs(&json!({"bugs": [{"id": "o1"}]})).unwrap().bugs[0].bug_id, "o1");
    }

    #[test]
    fn holds_a_bounded_number() {
        let many: Vec<_> = (0..MOST_BUGS + 7).map(|number| json!({"id": number})).collect();
        let page = bugs(&json!({"data": many})).unwrap();
        assert_eq!((page.bugs.len(), page.left_out), (MOST_BUGS, 7));
    }
}
