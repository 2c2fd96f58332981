//! What an upload needs besides the build itself.

use super::current_upload::UploadObserver;
use super::reuse::Purpose;
use super::timeouts::UploadTimeouts;
use crate::api::Api;
use crate::model::build::BuildSpec;
use crate::model::details::Details;
use crate::model::log::Log;

/// Everything an upload needs besides the build itself.
#[derive(Clone, Copy)]
pub(crate) struct Upload<'a> {
    /// The service.
    pub(crate) api: &'a Api,
    /// What the user said.
    pub(crate) spec: &'a BuildSpec,
    /// Where the build comes from.
    pub(crate) details: &'a Details,
    /// Whom it is for.
    pub(crate) purpose: Purpose,
    /// Budgets; the default is the contract's.
    pub(crate) timeouts: UploadTimeouts,
    /// Who must know of an open upload.
    pub(crate) observer: &'a dyn UploadObserver,
    /// The log.
    pub(crate) log: &'a Log,
}
