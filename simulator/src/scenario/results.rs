//! What a run shows and leaves: attempts, players, steps, bugs, artifacts.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One expectation inside a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Item {
    /// Such as `1a`.
    pub id: String,
    /// What should be seen.
    pub expected: String,
    /// `passed`, `failed`, `skipped`, ...
    pub status: String,
    /// The agent's remark.
    pub comment: String,
}

/// One step of a test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// What the agent tries.
    pub goal: String,
    /// When it counts as done.
    pub finish_condition: String,
    /// Upper case result, or none when it was never reached.
    pub result: Option<String>,
    /// The agent's words.
    pub report: Option<String>,
    /// Expectations.
    pub items: Vec<Item>,
    /// Share of the run's time.
    pub weight: u32,
}

impl Step {
    /// A step with this goal and result.
    #[must_use]
    pub fn new(goal: impl Into<String>, result: &str) -> Self {
        let goal = goal.into();
        Self {
            finish_condition: "the goal is visibly reached".to_owned(),
            result: Some(result.to_owned()),
            report: None,
            items: Vec::new(),
            weight: 1,
            goal,
        }
    }

    /// Adds the agent's report.
    #[must_use]
    pub fn report(mut self, text: impl Into<String>) -> Self {
        self.report = Some(text.into());
        self
    }

    /// Adds an expectation.
    #[must_use]
    pub fn item(mut self, expected: &str, status: &str, comment: &str) -> Self {
        let letter = char::from(b'a' + u8::try_from(self.items.len() % 26).unwrap_or(0));
        self.items.push(Item {
            id: format!("1{letter}"),
            expected: expected.to_owned(),
            status: status.to_owned(),
            comment: comment.to_owned(),
        });
        self
    }
}

/// A bug found during a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bug {
    /// The same in every run that meets the bug.
    pub bug_id: String,
    /// Short title.
    pub title: String,
    /// Long text.
    pub description: String,
    /// `ui`, `gameplay`, `performance`, `crash`, `audio`, `visual`
    pub category: String,
    /// `low`, `medium`, `high`, `critical`
    pub severity: String,
    /// `low`, `medium`, `high`
    pub confidence: String,
    /// Steps to reproduce.
    pub reproduction_steps: String,
    /// 0-based.
    pub player_number: u32,
    /// Step in which it was seen, 1-based.
    pub test_step: u32,
    /// Extra details.
    pub details: Value,
}

impl Bug {
    /// A bug with a title, severity and confidence; the rest is filled in.
    #[must_use]
    pub fn new(title: &str, severity: &str, confidence: &str) -> Self {
        Self {
            bug_id: crate::ids::uuid(),
            title: title.to_owned(),
            description: format!("{title}. Seen once while following the test."),
            category: "gameplay".to_owned(),
            severity: severity.to_owned(),
            confidence: confidence.to_owned(),
            reproduction_steps: "1. Start the game\n2. Follow the test until the failing step".to_owned(),
            player_number: 0,
            test_step: 2,
            details: serde_json::json!({}),
        }
    }

    /// Sets the id that joins occurrences of one bug.
    #[must_use]
    pub fn id(mut self, bug_id: &str) -> Self {
        bug_id.clone_into(&mut self.bug_id);
        self
    }

    /// Sets the category.
    #[must_use]
    pub fn category(mut self, category: &str) -> Self {
        category.clone_into(&mut self.category);
        self
    }
}

/// A file a run leaves behind.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// May contain sub-folders.
    pub name: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// The host answers 404, as for files hidden from the key.
    pub hidden: bool,
}

impl Artifact {
    /// A file. Names ending in `.mp4` are served by a redirect to storage.
    #[must_use]
    pub fn new(name: &str, bytes: impl Into<Bytes>) -> Self {
        Self { name: name.to_owned(), bytes: bytes.into(), hidden: false }
    }

    /// Whether the host answers with a redirect to storage.
    pub(crate) fn is_large_media(&self) -> bool {
        std::path::Path::new(&self.name).extension().is_some_and(|e| e.eq_ignore_ascii_case("mp4"))
    }

    /// A file listed in the run but refused with 404.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }
}

/// One player (device) of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Player {
    /// What it does.
    pub steps: Vec<Step>,
    /// What it leaves; nobody remembers files.
    #[serde(skip)]
    pub artifacts: Vec<Artifact>,
    /// Overrides the run's result for this player.
    pub result: Option<String>,
    /// Device name; the deployment configuration's when empty.
    pub device: String,
}

impl Player {
    /// A player that follows these steps.
    #[must_use]
    pub fn new(steps: Vec<Step>) -> Self {
        Self { steps, artifacts: Vec::new(), result: None, device: String::new() }
    }
}

/// One attempt of a test: a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attempt {
    /// Upper case result; none stays `null` for ever.
    pub result: Option<String>,
    /// How long it runs.
    pub duration: Duration,
    /// Its players.
    pub players: Vec<Player>,
    /// Its bugs.
    pub bugs: Vec<Bug>,
}
