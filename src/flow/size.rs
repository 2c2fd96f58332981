//! How many jobs the start of a plan gives: asked of the service while it is not known.

use nunu_protocol::{Event, Expected};

use crate::api::Api;

use super::session::Session;
use super::starts::happened;
use super::story::Story;

/// Where the size of a plan's start is told: its execution counts what was started, its items tell it where one device plays each.
#[derive(Debug, Clone)]
pub(super) struct PlanSize {
    pub(super) plan: String,
    /// False where several devices play each item, and once the items are counted.
    pub(super) by_items: bool,
}

/// What is known of the size of a plan's start.
pub(super) enum Told {
    Nothing,
    ByItems(usize),
    ByExecution(usize),
}

/// Asks how large a plan's start is: its execution, where one is known, else the plan.
pub(super) async fn ask(api: &Api, size: &PlanSize, execution: Option<String>) -> Told {
    if let Some(execution) = execution {
        let all = api.executions(&size.plan).await.unwrap_or_default();
        let ours = all.into_iter().find(|one| one.id == execution);
        if let Some(tests) = ours.and_then(|one| one.tests).filter(|tests| *tests > 0) {
            return Told::ByExecution(tests);
        }
    }
    if size.by_items
        && let Some(tests) = api.test_plan(&size.plan).await.ok().and_then(|plan| plan.tests)
    {
        return Told::ByItems(tests);
    }
    Told::Nothing
}

/// Takes the size of a plan's start. What the execution says stays; the items are the next best.
pub(super) fn take(session: &Session, story: &mut Story, start: usize, told: &Told) {
    let Some(starts) = &mut story.starts else { return };
    let Some(planned) = starts.plans.get_mut(start) else { return };
    let Some(size) = &mut planned.size else { return };
    let tests = match *told {
        Told::ByExecution(tests) => {
            planned.size = None;
            tests
        }
        Told::ByItems(tests) if size.by_items => {
            size.by_items = false;
            tests
        }
        Told::ByItems(_) | Told::Nothing => return,
    };
    happened(session, story, Event::Size(start, Expected::Exactly(tests)));
}
