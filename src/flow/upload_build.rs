//! The build of this invocation: uploaded, found stored, given, or none.

use std::sync::{Mutex, PoisonError};

use crate::api::UploadHandle;
use crate::config::Command;
use crate::model::build::BuildSource;
use crate::model::{Build, BuildOrigin, Failure};
use crate::upload::{InspectedBuild, KeepOut, Purpose, Upload, UploadError, UploadObserver, inspect};

use super::bug;
use super::context::Context;
use super::publish;
use super::run_state::RunState;
use super::state_file::{Record, RecordStatus, What};

/// Stores the build, and puts it into the run state. In a dry run it is only looked at.
pub(super) async fn store(
    ctx: &Context,
    state: &mut RunState,
    inspected: Option<InspectedBuild>,
) -> Result<Build, Failure> {
    let stored = match (&ctx.plan.build.source, inspected) {
        (BuildSource::Id(id), _) => {
            Build { id: Some(id.clone()), origin: BuildOrigin::Given, ..Build::none() }
        }
        (_, Some(inspected)) => upload(ctx, state, inspected).await?,
        (_, None) => Build::none(),
    };
    state.build = Some(stored.clone());
    publish::interim(ctx, state);
    Ok(stored)
}

/// Looks at the build that will be uploaded, if one will: a bad one is found before any request.
pub(super) async fn look(ctx: &Context) -> Result<Option<InspectedBuild>, Failure> {
    match &ctx.plan.build.source {
        BuildSource::Path(_) => {
            let keep_out = KeepOut::new(ctx.own_folders(), &ctx.workspace);
            inspect(&ctx.plan.build, &keep_out).await.map(Some).map_err(|error| error.failure())
        }
        BuildSource::None | BuildSource::Id(_) => Ok(None),
    }
}

async fn upload(ctx: &Context, state: &mut RunState, inspected: InspectedBuild) -> Result<Build, Failure> {
    ctx.log.group("Build");
    let cancel = ctx.cancel.token();
    let spec = &ctx.plan.build;
    for note in &inspected.notes {
        ctx.log.warn(note);
    }
    let looked_at = Build {
        name: Some(spec.name.clone()),
        file_name: Some(inspected.file_name.clone()),
        platform: Some(inspected.platform),
        size_bytes: Some(inspected.size_bytes),
        ..Build::none()
    };
    if ctx.plan.dry_run {
        ctx.log.info(format!(
            "would upload {} ({}, {}) as \"{}\"",
            inspected.file_name,
            crate::model::units::bytes(inspected.size_bytes),
            inspected.platform.as_str(),
            spec.name
        ));
        ctx.log.end_group();
        return Ok(looked_at);
    }
    let observer = Notes { ctx, open: Mutex::default(), left: Mutex::default() };
    let sent = async {
        let prepared = inspected.prepare(&ctx.temp_folders, &ctx.log, cancel).await?;
        let upload = Upload {
            api: &ctx.api,
            spec,
            details: &ctx.host.details(env!("CARGO_PKG_VERSION")),
            purpose: if ctx.plan.command == Command::Upload { Purpose::Storage } else { Purpose::Runs },
            timeouts: ctx.upload_timeouts(),
            observer: &observer,
            log: &ctx.log,
        };
        upload.send(&prepared, cancel).await
    }
    .await;
    ctx.log.end_group();
    state.warnings.extend(observer.left.into_inner().unwrap_or_else(PoisonError::into_inner));
    match sent {
        Ok(build) => Ok(build),
        Err(UploadError::Cancelled) => Ok(looked_at),
        Err(error) => Err(error.failure()),
    }
}

/// Keeps the state file in step with the open upload.
struct Notes<'a> {
    ctx: &'a Context,
    open: Mutex<Option<Record>>,
    /// What may be left on the service.
    left: Mutex<Vec<String>>,
}

impl UploadObserver for Notes<'_> {
    fn opened(&self, upload: &UploadHandle) {
        use secrecy::ExposeSecret as _;
        let record = self.ctx.records.open(What::Upload {
            build_id: upload.build_id.clone(),
            object_key: upload.object_key.clone(),
            upload_id: upload.upload_id.as_ref().map(|id| id.expose_secret().to_owned()),
        });
        self.ctx.records.put(&record);
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
        bug::provoke(&self.ctx.broken_at, "upload");
    }

    fn left(&self, what: &str) {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).push(what.to_owned());
    }

    fn closed(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut record) = open {
            record.status = RecordStatus::Done;
            if let What::Upload { upload_id, .. } = &mut record.what {
                // Nothing needs it any more.
                *upload_id = None;
            }
            self.ctx.records.put(&record);
        }
    }
}
