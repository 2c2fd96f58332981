//! The build of this invocation: uploaded, found stored, given, or none.

use std::sync::{Mutex, PoisonError};

use crate::api::UploadHandle;
use crate::config::Command;
use crate::model::build::BuildSource;
use crate::model::{Build, BuildOrigin, Failure};
use crate::upload::{Inspected, Journal, KeepOut, Places, Purpose, Upload, UploadError, inspect};

use super::bug;
use super::session::Session;
use super::state::{Record, Standing, What};
use super::story::Story;

/// Stores the build, and puts it into the story. In a dry run it is only looked at.
pub(super) async fn store(
    session: &Session,
    story: &mut Story,
    inspected: Option<Inspected>,
) -> Result<Build, Failure> {
    let stored = match (&session.plan.build.source, inspected) {
        (BuildSource::Id(id), _) => {
            Build { id: Some(id.clone()), origin: BuildOrigin::Given, ..Build::none() }
        }
        (_, Some(inspected)) => upload(session, story, inspected).await?,
        (_, None) => Build::none(),
    };
    story.build = Some(stored.clone());
    session.known(story);
    Ok(stored)
}

/// Looks at the build that will be uploaded, if one will: a bad one is found before any request.
pub(super) async fn look(session: &Session) -> Result<Option<Inspected>, Failure> {
    match &session.plan.build.source {
        BuildSource::Path(_) => {
            let keep_out = KeepOut::new(session.own_folders(), &session.workspace);
            inspect(&session.plan.build, &keep_out).await.map(Some).map_err(|error| error.failure())
        }
        BuildSource::None | BuildSource::Id(_) => Ok(None),
    }
}

async fn upload(session: &Session, story: &mut Story, inspected: Inspected) -> Result<Build, Failure> {
    session.log.group("Build");
    let cancel = session.cancel.token();
    let spec = &session.plan.build;
    for note in &inspected.notes {
        session.log.warn(note);
    }
    let looked_at = Build {
        name: Some(spec.name.clone()),
        file_name: Some(inspected.file_name.clone()),
        platform: Some(inspected.platform),
        size_bytes: Some(inspected.size_bytes),
        ..Build::none()
    };
    if session.plan.dry_run {
        session.log.info(format!(
            "would upload {} ({}, {}) as \"{}\"",
            inspected.file_name,
            crate::model::units::bytes(inspected.size_bytes),
            inspected.platform.as_str(),
            spec.name
        ));
        session.log.end_group();
        return Ok(looked_at);
    }
    let journal = Notes { session, open: Mutex::default(), left: Mutex::default() };
    let sent = async {
        let prepared = inspected.prepare(&Places::of(&session.env), &session.log, cancel).await?;
        let upload = Upload {
            api: &session.api,
            spec,
            details: &session.details,
            purpose: if session.plan.command == Command::Upload { Purpose::Storage } else { Purpose::Runs },
            patience: session.patience(),
            journal: &journal,
            log: &session.log,
        };
        upload.send(&prepared, cancel).await
    }
    .await;
    session.log.end_group();
    story.warnings.extend(journal.left.into_inner().unwrap_or_else(PoisonError::into_inner));
    match sent {
        Ok(build) => Ok(build),
        Err(UploadError::Cancelled) => Ok(looked_at),
        Err(error) => Err(error.failure()),
    }
}

/// Keeps the state file in step with the open upload.
struct Notes<'a> {
    session: &'a Session,
    open: Mutex<Option<Record>>,
    /// What may be left on the service.
    left: Mutex<Vec<String>>,
}

impl Journal for Notes<'_> {
    fn opened(&self, upload: &UploadHandle) {
        use secrecy::ExposeSecret as _;
        let record = self.session.record(What::Upload {
            build_id: upload.build_id.clone(),
            object_key: upload.object_key.clone(),
            upload_id: upload.upload_id.as_ref().map(|id| id.expose_secret().to_owned()),
        });
        self.session.put(&record);
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
        bug::provoke(&self.session.env, "upload");
    }

    fn left(&self, what: &str) {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).push(what.to_owned());
    }

    fn closed(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut record) = open {
            record.standing = Standing::Done;
            if let What::Upload { upload_id, .. } = &mut record.what {
                // Nothing needs it any more.
                *upload_id = None;
            }
            self.session.put(&record);
        }
    }
}
