//! Generations, quirks, and what all writers share.

use serde_json::{Map, Value, json};

use crate::call::{Call, Host};
use crate::clock::Moment;
use crate::state::Inner;

/// A generation of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// Runs and the upload of builds only; lower-case words.
    V1,
    /// Adds jobs and the list of builds; start replies carry `job_ids` in an envelope.
    V2,
    /// Start replies without the envelope; plans, tests and configurations can be listed.
    V3,
    /// The newest: several devices, executions of plans, step result summaries.
    V5,
}

/// A small peculiarity that some servers show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quirk {
    /// Enumerations have values nobody knows: STARTING is `WARMING_UP`, and so on.
    UnknownEnums,
    /// `result` is `null` in jobs even at the end; the run itself has it.
    NullResults,
    /// Members whose value is `null` are left out.
    MissingFields,
    /// Lists of jobs and runs ignore every filter but the page.
    IgnoredFilters,
    /// Storage sends entity tags without quotes.
    BareEtags,
    /// Builds are `id`, `file_name`, `file_size` rather than `build_id`, `filename`, `size`.
    OldBuildNames,
    /// Every object has members nobody knows.
    ExtraFields,
    /// A run comes as `{"run": {...}}`.
    WrappedRun,
    /// The bugs of a run come as `{"detail": {"bugs": [...]}}`.
    NestedBugs,
    /// The part URLs come in reverse order.
    ReversedParts,
    /// `instances` of a test are runs of one job, side by side; otherwise each has a job of its own.
    InstancesAsRuns,
    /// The bugs of a run come as their first page of 20, whatever page is asked for.
    OneBugPage,
}

/// Everything a writer of JSON needs.
#[derive(Clone, Copy)]
pub(crate) struct Wire<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) now: Moment,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(inner: &'a Inner) -> Self {
        Self { inner, now: inner.clock.now() }
    }

    pub(crate) fn generation(self) -> Generation {
        self.inner.config.generation
    }

    pub(crate) fn old(self) -> bool {
        self.generation() == Generation::V1
    }

    pub(crate) fn has(self, quirk: Quirk) -> bool {
        self.inner.config.has(quirk)
    }

    pub(crate) fn project(self) -> &'a str {
        &self.inner.config.project
    }

    pub(crate) fn artifact_origin(self) -> String {
        self.inner.origin(Host::Artifacts)
    }

    pub(crate) fn time(self, at: Moment) -> Value {
        let clock = &self.inner.clock;
        json!(if self.old() { clock.old_stamp(at) } else { clock.stamp(at) })
    }

    pub(crate) fn maybe_time(self, at: Option<Moment>) -> Value {
        at.map_or(Value::Null, |at| self.time(at))
    }

    /// A state or a result in this generation's words.
    pub(crate) fn word(self, word: &str) -> Value {
        match word {
            "FAILED" if self.old() => json!("failure"),
            "STARTING" if self.has(Quirk::UnknownEnums) => json!("WARMING_UP"),
            "INITIALIZING" if self.has(Quirk::UnknownEnums) => json!("BOOTSTRAPPING"),
            _ if self.old() => json!(word.to_lowercase()),
            _ => json!(word),
        }
    }

    pub(crate) fn maybe_word(self, word: Option<&str>) -> Value {
        word.map_or(Value::Null, |w| self.word(w))
    }

    /// Applies the quirks that concern every object.
    pub(crate) fn finish(self, mut value: Value) -> Value {
        if self.has(Quirk::MissingFields) {
            drop_nulls(&mut value);
        }
        if self.has(Quirk::ExtraFields) {
            add_strangers(&mut value);
        }
        value
    }
}

impl Call {
    /// Whether a generation of the API has this call.
    pub(crate) fn exists_in(self, generation: Generation) -> bool {
        match self {
            Self::Unknown => false,
            Self::ListJobs | Self::GetJob | Self::ListBuilds | Self::StartPlan => {
                generation >= Generation::V2
            }
            Self::GetBuild
            | Self::DeleteBuild
            | Self::ListTests
            | Self::GetTest
            | Self::ListPlans
            | Self::GetPlan
            | Self::DeploymentConfigs
            | Self::AgentConfigs
            | Self::RunLive => generation >= Generation::V3,
            Self::ListExecutions | Self::GetExecution => generation >= Generation::V5,
            _ => true,
        }
    }

    /// The permission a call needs; none where any key of the project will do.
    pub(crate) fn permission(self) -> Option<&'static str> {
        match self {
            Self::Initiate
            | Self::Complete
            | Self::CancelUpload
            | Self::ListBuilds
            | Self::GetBuild
            | Self::DeleteBuild => Some("project:manage-build-storage"),
            Self::StartRun | Self::StartPlan | Self::Stop => Some("project:operate-runs"),
            Self::ListJobs
            | Self::GetJob
            | Self::ListRuns
            | Self::GetRun
            | Self::RunBugs
            | Self::RunLive
            | Self::ListPlans
            | Self::GetPlan
            | Self::ListExecutions
            | Self::GetExecution => Some("project:read-runs"),
            Self::DeploymentConfigs | Self::AgentConfigs => Some("project:view-configs"),
            _ => None,
        }
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, v| !v.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Not inside maps from names to counts: there a stranger would be data.
fn add_strangers(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.iter_mut().filter(|(name, _)| !is_map(name)).for_each(|(_, v)| add_strangers(v));
            members.insert("x_future".to_owned(), stranger());
        }
        Value::Array(items) => items.iter_mut().for_each(add_strangers),
        _ => {}
    }
}

fn is_map(name: &str) -> bool {
    ["step_result_summary", "template_data", "slot_build_ids"].contains(&name)
}

fn stranger() -> Value {
    Value::Object(Map::from_iter([
        ("level".to_owned(), json!(9)),
        ("words".to_owned(), json!(["new", null])),
    ]))
}
