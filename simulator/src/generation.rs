//! Generations of the API, and peculiarities of its servers.

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
    /// Lists of jobs and runs come in an order of their own, neither of time nor of names.
    OwnOrder,
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
