//! Errors as people see them: the message, the causes and the next action of the contract, section 6.

use crate::model::Failure;

use super::error::ApiError;

/// What the job was doing; decides the exit code of faults that are nobody's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Preflight and look-ups before anything is sent: 7.
    Check,
    /// Upload: 5.
    Upload,
    /// Start: 6.
    Start,
    /// Everything later: 7.
    Wait,
    /// Stopping: 7.
    Stop,
}

impl ApiError {
    /// The failure of the job: authentication is 3 in every phase, quota and size are 4, everything else has the code of its phase.
    #[must_use]
    pub fn failure(&self, phase: Phase) -> Failure {
        let _ = phase;
        todo!()
    }
}
