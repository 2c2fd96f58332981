//! How many jobs the start of a plan gives: asked of the service while it is not known.

use crate::api::Api;

/// Where the size of a plan's start is told: its execution counts what was started, its items tell it where one device plays each.
#[derive(Debug, Clone)]
pub(super) struct PlanSize {
    pub(super) plan: String,
    /// False where several devices play each item, and once the items are counted.
    pub(super) by_items: bool,
}

/// What is known of the size of a plan's start.
pub(super) enum SizeAnswer {
    Nothing,
    ByItems(usize),
    ByExecution(usize),
}

/// Asks how large a plan's start is: its execution, where one is known, else the plan.
pub(super) async fn ask(api: &Api, size: &PlanSize, execution: Option<String>) -> SizeAnswer {
    if let Some(execution) = execution {
        let all = api.executions(&size.plan).await.unwrap_or_default();
        let ours = all.into_iter().find(|one| one.id == execution);
        if let Some(tests) = ours.and_then(|one| one.tests).filter(|tests| *tests > 0) {
            return SizeAnswer::ByExecution(tests);
        }
    }
    if size.by_items
        && let Some(tests) = api.test_plan(&size.plan).await.ok().and_then(|plan| plan.tests)
    {
        return SizeAnswer::ByItems(tests);
    }
    SizeAnswer::Nothing
}
