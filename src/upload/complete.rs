//! From "everything is sent" to "runs can use it": complete, settle what is unclear, wait until the build is ready.

use std::time::Duration;

use tokio::time::Instant;

use super::error::UploadError;
use super::timeouts::UploadTimeouts;
use crate::api::{Api, ApiError, BuildReadiness, ETag, Phase, StoredBuild, UploadHandle};
use crate::http::Backoff;
use crate::model::log::Log;
use crate::model::units;
use crate::model::{ExitReason, Failure};

/// Between two looks.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(10) };
/// A longer wait is told.
const LOGGED_AFTER: Duration = Duration::from_secs(10);
/// A completed build that cannot be seen for that long is taken as ready: its completion had a good answer.
const INVISIBLE: Duration = Duration::from_secs(1);

/// How long looking at a stored build may fail before the job goes on without having seen it.
const SILENT: Duration = Duration::from_secs(60);

/// What a look at the build says about an unclear `complete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// It had its effect.
    Stored,
    /// It had none, or not yet.
    Open,
    /// Nothing can be said.
    Unknown,
}

fn settled(build: &StoredBuild) -> Settled {
    match build.readiness() {
        // A bad build is a stored one too; the wait for readiness explains what is wrong with it.
        BuildReadiness::Ready | BuildReadiness::Bad => Settled::Stored,
        BuildReadiness::Pending => Settled::Open,
        BuildReadiness::Unknown => Settled::Unknown,
    }
}

/// Completes the upload. An unclear answer is settled by reading the build; only an upload that is still open is completed once more.
pub(crate) async fn complete(
    api: &Api,
    upload: &UploadHandle,
    parts: &[(u32, ETag)],
    timeouts: UploadTimeouts,
    log: &Log,
) -> Result<(), UploadError> {
    let began = Instant::now();
    let mut looks = 0;
    let mut unclear = false;
    loop {
        looks += 1;
        let wait = BACKOFF.ceiling(looks);
        let error = match api.complete_upload(upload, parts).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // A 404 after an unclear answer (ours or one inside the call's own retries) is what a second `complete` gets.
        if !(error.is_unclear() || error.is_transient() || error.is_upload_gone()) {
            return Err(refused(&error));
        }
        unclear |= !error.is_upload_gone();
        log.info(format!(
            "no clear answer to the completion of the upload ({error}); reading build {}",
            upload.build_id
        ));
        match api.build(&upload.build_id).await.as_ref().map(settled) {
            Ok(Settled::Stored) => return Ok(()),
            // A word we do not know after a completion that may have worked: the service knows the build, and runs will tell.
            Ok(Settled::Unknown) if unclear => return Ok(()),
            Ok(Settled::Open) if !error.is_upload_gone() || unclear => {}
            Err(look) if look.is_transient() => {}
            // The oldest service shows no builds; completing once more tells there.
            Err(look) if look.is_not_found() && !error.is_upload_gone() => {}
            _ => return Err(refused(&error)),
        }
        if began.elapsed() + wait > timeouts.complete {
            return Err(refused(&error));
        }
        tokio::time::sleep(wait).await;
    }
}

fn refused(error: &ApiError) -> UploadError {
    let mut failure = error.failure(Phase::Upload);
    if error.is_upload_gone() {
        failure = failure.hint("the service has dropped the upload, as it does when upload-timeout has passed: set upload-timeout to more minutes");
    }
    failure.into()
}

/// Waits until runs can use the build. What is unknown does not block, and neither does a service that takes too long.
pub(crate) async fn ready(
    api: &Api,
    build_id: &str,
    timeouts: UploadTimeouts,
    log: &Log,
) -> Result<(), UploadError> {
    let began = Instant::now();
    let mut looks = 0;
    let mut told = false;
    loop {
        looks += 1;
        let wait = BACKOFF.ceiling(looks);
        let (status, limit) = match api.once().build(build_id).await {
            Ok(build) => match build.readiness() {
                BuildReadiness::Ready => return Ok(()),
                BuildReadiness::Unknown => {
                    log.debug(format!("build {build_id} has a status this version does not know; going on"));
                    return Ok(());
                }
                BuildReadiness::Bad => return Err(bad(&build)),
                BuildReadiness::Pending => {
                    ("the service is still getting it ready".to_owned(), timeouts.ready)
                }
            },
            Err(error) if error.is_auth() => return Err(error.failure(Phase::Upload).into()),
            // The build may not be visible at once; but old generations of the service never show single builds.
            Err(error) if error.is_not_found() && began.elapsed() >= INVISIBLE => {
                log.debug(format!("the service does not show build {build_id}, going on"));
                return Ok(());
            }
            Err(error) if error.is_not_found() => (error.to_string(), timeouts.ready),
            Err(error) if error.is_transient() => (error.to_string(), SILENT.min(timeouts.ready)),
            Err(error) => {
                log.warn(format!("cannot tell whether build {build_id} is ready, going on: {error}"));
                return Ok(());
            }
        };
        if began.elapsed() + wait > limit {
            log.warn(format!(
                "cannot tell that build {build_id} is ready after {}, going on: {status}",
                units::duration(began.elapsed())
            ));
            return Ok(());
        }
        if !told && began.elapsed() >= LOGGED_AFTER {
            told = true;
            log.info(format!("waiting for build {build_id}: {status}"));
        }
        tokio::time::sleep(wait).await;
    }
}

fn bad(build: &StoredBuild) -> UploadError {
    let status = build.status.as_deref().unwrap_or("bad");
    Failure::new(
        ExitReason::BuildUnsupported,
        format!("the service stored build {} but found it unusable: its status is {status}", build.id),
    )
    .hint(
        "check that the build is complete and made for its platform; the dashboard's build storage says more",
    )
    .into()
}
