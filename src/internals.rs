//! What the benchmark and the integration tests take apart; no part of the interface.

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::http::Net;
use crate::model::build::{BuildSource, DeletionPolicy, Multipart};
use crate::model::{ApiKey, BuildSpec, Details, Env, Log, Platform, Secrets};
use crate::upload::{Content, KeepOut, NoObserver, Purpose, TempFolders, Upload, UploadTimeouts, inspect};

pub use crate::config::{DefaultValue, Definition, SETTINGS, Shape};
pub use crate::http::install_crypto;
pub use crate::model::secrets::forms;

/// Sends a build as the program does it, without the program around it.
///
/// # Errors
/// When the build cannot be read or sent.
pub async fn upload(
    origin: &str,
    key: &str,
    path: &str,
    in_parts: bool,
    reuse: bool,
    parallel: Option<usize>,
) -> anyhow::Result<()> {
    let (log, cancel) = (Log::silent(), CancellationToken::new());
    let net = Net::new(&Env::default(), "nunu-ci/bench", Secrets::default(), log.clone())?;
    let api = Api::new(net, origin, None, &ApiKey::from(key));
    let spec = spec(path, if in_parts { Multipart::Always } else { Multipart::Never }, reuse, parallel);
    let prepared = prepare(&spec).await?;
    let upload = Upload {
        api: &api,
        spec: &spec,
        details: &Details::default(),
        purpose: Purpose::Runs,
        timeouts: UploadTimeouts::default(),
        observer: &NoObserver,
        log: &log,
    };
    upload.send(&prepared, &cancel).await?;
    Ok(())
}

/// Makes the zip of a folder; gives its size in bytes.
///
/// # Errors
/// When the folder cannot be read or the zip not be written.
pub async fn zip(folder: &str) -> anyhow::Result<u64> {
    Ok(prepare(&spec(folder, Multipart::Auto, false, None)).await?.size_bytes)
}

async fn prepare(spec: &BuildSpec) -> anyhow::Result<std::sync::Arc<Content>> {
    let folders = TempFolders(vec![std::env::temp_dir()]);
    let inspected = inspect(spec, &KeepOut::default()).await?;
    Ok(inspected.prepare(&folders, &Log::silent(), &CancellationToken::new()).await?)
}

fn spec(path: &str, multipart: Multipart, reuse: bool, parallel: Option<usize>) -> BuildSpec {
    BuildSpec {
        source: BuildSource::Path(PathBuf::from(path)),
        name: "bench".to_owned(),
        platform: Some(Platform::Linux),
        description: None,
        tags: Vec::new(),
        auto_delete: false,
        deletion_policy: DeletionPolicy::LeastRecent,
        upload_timeout_minutes: None,
        reuse,
        multipart,
        parallel,
    }
}
