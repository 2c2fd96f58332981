//! A test plan as the single tests that it is made of, so that only some of them need to be started.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::PlanFacts;
use crate::model::{RunSpec, Target};

use super::context::Context;
use super::run_state::RunState;

/// Each test of a plan as a start of its own, in the plan's order; why that cannot be, in words, where it cannot.
pub(super) fn parts(spec: &RunSpec, facts: &PlanFacts) -> Result<Vec<RunSpec>, String> {
    if !spec.slots.is_empty() {
        return Err("its slots have deployments of their own, which single tests do not know".to_owned());
    }
    if spec.all_configured_devices {
        return Err("it is started on all configured devices".to_owned());
    }
    let Some(items) = &facts.items else {
        return Err("the service does not show its tests with their retries".to_owned());
    };
    let distinct: BTreeSet<&str> = items.iter().map(|item| item.test_id.as_str()).collect();
    if distinct.len() < items.len() {
        return Err("it holds a test more than once".to_owned());
    }
    let part = |test_id: &str, retries: u8| RunSpec {
        target: Target::Test(test_id.to_owned()),
        retries: Some(retries),
        instances: None,
        players: BTreeMap::new(),
        ..spec.clone()
    };
    Ok(items.iter().map(|item| part(&item.test_id, item.retries)).collect())
}

/// What the service tells of the plan that a run starts, as its tests.
pub(super) async fn read(ctx: &Context, spec: &RunSpec) -> Option<Result<Vec<RunSpec>, String>> {
    let Target::Plan(plan) = &spec.target else { return None };
    Some(match ctx.api.test_plan(plan).await {
        Ok(facts) => parts(spec, &facts),
        Err(error) => Err(format!("the plan could not be read: {error}")),
    })
}

/// The runs of the plan, without the tests of test plans that `rerun-from` does not name.
pub(super) async fn only_named(ctx: &Context, state: &mut RunState) -> Vec<RunSpec> {
    let mut runs = Vec::new();
    for spec in &ctx.plan.runs {
        let named = ctx.plan.rerun.only.get(&spec.label).filter(|named| !named.is_empty());
        let parts = match named {
            Some(_) => read(ctx, spec).await,
            None => None,
        };
        match (named, parts) {
            (Some(named), Some(parts)) => match parts.and_then(|parts| pick(parts, named)) {
                Ok(parts) => {
                    let (label, count) = (&spec.label, parts.len());
                    ctx.log.info(format!("{label}: rerun-from names {count} of its tests"));
                    runs.extend(parts);
                }
                Err(why) => {
                    let what = format!("{}: all of the plan is started again: {why}", spec.label);
                    ctx.log.warn(&what);
                    state.warnings.push(what);
                    runs.push(spec.clone());
                }
            },
            _ => runs.push(spec.clone()),
        }
    }
    runs
}

/// The parts with these tests.
fn pick(parts: Vec<RunSpec>, named: &BTreeSet<String>) -> Result<Vec<RunSpec>, String> {
    let known: BTreeSet<&str> = parts.iter().map(|part| part.target.value()).collect();
    if let Some(other) = named.iter().find(|id| !known.contains(id.as_str())) {
        return Err(format!("it does not hold the test {other} any more"));
    }
    Ok(parts.into_iter().filter(|part| named.contains(part.target.value())).collect())
}

#[cfg(test)]
mod tests {
    use super::{BTreeMap, PlanFacts, RunSpec, Target, parts, pick};
    use crate::api::PlanItem;
    use crate::model::run::Deployment;

    fn plan() -> RunSpec {
        RunSpec {
            label: "nightly".to_owned(),
            deployment_config: Some("d".to_owned()),
            tags: vec!["ci".to_owned()],
            required: false,
            ..RunSpec::of(Target::Plan("p".to_owned()))
        }
    }

    fn facts(items: &[(&str, u8)]) -> PlanFacts {
        let item = |(test, retries): &(&str, u8)| PlanItem { test_id: (*test).to_owned(), retries: *retries };
        PlanFacts { items: Some(items.iter().map(item).collect()), ..PlanFacts::default() }
    }

    #[test]
    fn a_plan_becomes_its_tests_with_their_retries() {
        let split = parts(&plan(), &facts(&[("a", 0), ("b", 2)])).unwrap();
        let told: Vec<_> = split.iter().map(|part| (part.target.value(), part.retries)).collect();
        assert_eq!(told, [("a", Some(0)), ("b", Some(2))]);
        let rest = RunSpec { target: plan().target, retries: None, ..split[0].clone() };
        assert_eq!(rest, plan(), "everything else is the plan's");
        let named = pick(split.clone(), &["b".to_owned()].into()).unwrap();
        assert_eq!((named.len(), named[0].target.value()), (1, "b"));
        assert!(pick(split, &["c".to_owned()].into()).unwrap_err().contains("test c"));
    }

    #[test]
    fn a_plan_that_single_tests_cannot_stand_for_stays_whole() {
        let slot =
            Deployment { deployment_config: "e".to_owned(), build: None, extra_builds: BTreeMap::new() };
        let two = facts(&[("a", 0), ("b", 0)]);
        for (spec, facts, why) in [
            (RunSpec { slots: [(2, slot)].into(), ..plan() }, &two, "slots"),
            (RunSpec { all_configured_devices: true, ..plan() }, &two, "devices"),
            (plan(), &PlanFacts::default(), "does not show"),
            (plan(), &facts(&[("a", 0), ("a", 1)]), "more than once"),
        ] {
            assert!(parts(&spec, facts).unwrap_err().contains(why), "{why}");
        }
    }
}
