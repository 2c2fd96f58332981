//! Uploads against the simulator, whose storage checks signatures, expiry and lengths as the real one does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nunu_sim::{Call, DEFAULT_KEY, Fault, Sim, UploadState};
use sha2::Digest as _;
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::http::Net;
use crate::model::build::{BuildOrigin, BuildSource, DeletionPolicy, Multipart};
use crate::model::{ApiKey, Build, BuildSpec, Details, Env, ExitReason, Log, Platform, Secrets};

use super::{KeepOut, NoObserver, Purpose, TempFolders, Upload, UploadError, UploadTimeouts, inspect};

/// Bytes of a part: small, so that many parts cost little.
const PART: u64 = 256 * 1024;

fn sim() -> Sim {
    Sim::builder().part_size(PART).start().unwrap()
}

fn noise(seed: u64, size: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(usize::try_from(size).unwrap()).collect()
}

fn digest(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn spec(path: PathBuf, multipart: Multipart) -> BuildSpec {
    BuildSpec {
        source: BuildSource::Path(path),
        name: "nightly".to_owned(),
        platform: Some(Platform::Linux),
        description: None,
        tags: vec!["ci".to_owned()],
        auto_delete: false,
        deletion_policy: DeletionPolicy::LeastRecent,
        upload_timeout_minutes: None,
        reuse: true,
        multipart,
        parallel: None,
    }
}

async fn send(sim: &Sim, spec: &BuildSpec, cancel: &CancellationToken) -> Result<Build, UploadError> {
    let log = Log::silent();
    let net = Net::new(&Env::default(), "nunu-ci/test", Secrets::default(), log.clone()).unwrap();
    let api = Api::new(net, &sim.api_url(), None, &ApiKey::from(DEFAULT_KEY));
    let folders = TempFolders(vec![std::env::temp_dir()]);
    let prepared = inspect(spec, &KeepOut::default()).await?.prepare(&folders, &log, cancel).await?;
    let upload = Upload {
        api: &api,
        spec,
        details: &Details::default(),
        purpose: Purpose::Runs,
        timeouts: UploadTimeouts { part: Duration::from_secs(20), ..UploadTimeouts::default() },
        observer: &NoObserver,
        log: &log,
    };
    let result = upload.send(&prepared, cancel).await;
    assert!(sim.open_uploads().is_empty(), "an upload was left open");
    let broken = sim.ledger().violations;
    assert!(broken.is_empty(), "{broken:?}");
    result
}

fn write(dir: &Path, bytes: &[u8]) -> PathBuf {
    let path = dir.join("game.bin");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn real_storage_takes_every_size_bit_for_bit() {
    let sim = sim();
    let dir = tempfile::tempdir().unwrap();
    for size in [1, PART - 1, PART, PART + 1, 7 * PART + 3] {
        for multipart in [Multipart::Always, Multipart::Never] {
            let bytes = noise(size, size);
            let mut spec = spec(write(dir.path(), &bytes), multipart);
            spec.reuse = size % 2 == 0;
            spec.tags.push(format!("{multipart:?}"));
            let build = send(&sim, &spec, &CancellationToken::new()).await.unwrap();
            let id = build.id.unwrap();
            assert_eq!(sim.build_digest(&id), Some(digest(&bytes)), "{size} {multipart:?}");
            assert_eq!(build.sha256, Some(digest(&bytes)));
        }
    }
    let ledger = sim.ledger();
    assert_eq!(ledger.complete_builds().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_what_storage_does_to_parts() {
    let sim = sim();
    let dir = tempfile::tempdir().unwrap();
    let bytes = noise(1, 9 * PART);
    sim.fault(Call::PutPart(1), Fault::expired_url());
    sim.fault(Call::PutPart(2), Fault::slow_down());
    sim.fault(Call::PutPart(3), Fault::cut_request(100_000));
    sim.fault(Call::PutPart(4), Fault::drop_after());
    sim.fault(Call::PutPart(5), Fault::html_502());
    sim.fault(Call::PutPart(6), Fault::drop_before());
    sim.fault(Call::Complete, Fault::drop_after());
    let build = send(&sim, &spec(write(dir.path(), &bytes), Multipart::Always), &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(sim.build_digest(&build.id.unwrap()), Some(digest(&bytes)));
    assert_eq!(sim.ledger().complete_builds().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_piece_starts_again_as_an_upload_of_its_own() {
    let sim = sim();
    let dir = tempfile::tempdir().unwrap();
    let bytes = noise(2, 500_000);
    sim.fault(Call::PutPart(1), Fault::cut_request(100_000));
    let build =
        send(&sim, &spec(write(dir.path(), &bytes), Multipart::Never), &CancellationToken::new()).await;
    let build = build.unwrap();
    assert_eq!(sim.build_digest(&build.id.unwrap()), Some(digest(&bytes)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_arrives_as_its_zip_and_is_reused() {
    let sim = sim();
    let dir = tempfile::tempdir().unwrap();
    let game = dir.path().join("Game");
    std::fs::create_dir_all(game.join("Data")).unwrap();
    std::fs::write(game.join("Game.x86_64"), [b"\x7fELF".as_slice(), &noise(5, 300_000)].concat()).unwrap();
    std::fs::write(game.join("Data/level.bin"), noise(3, 700_000)).unwrap();
    let spec = spec(game, Multipart::Always);
    let first = send(&sim, &spec, &CancellationToken::new()).await.unwrap();
    assert_eq!((first.file_name.as_deref(), first.origin), (Some("Game.zip"), BuildOrigin::Uploaded));
    assert_eq!(sim.build_digest(first.id.as_deref().unwrap()), first.sha256);
    let second = send(&sim, &spec, &CancellationToken::new()).await.unwrap();
    assert_eq!((second.origin, &second.id, &second.sha256), (BuildOrigin::Reused, &first.id, &first.sha256));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_upload_leaves_nothing_open() {
    for seed in 0..12 {
        let sim =
            Sim::builder().part_size(PART).throttle(nunu_sim::Host::Storage, 4_000_000).start().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let multipart = if seed % 2 == 0 { Multipart::Always } else { Multipart::Never };
        let spec = spec(write(dir.path(), &noise(seed, 12 * PART)), multipart);
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let wait = Duration::from_millis(fastrand::Rng::with_seed(seed).u64(0..800));
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            stop.cancel();
        });
        match send(&sim, &spec, &cancel).await {
            Err(error) => assert!(matches!(error, UploadError::Cancelled), "{error}"),
            Ok(build) => assert!(sim.build_digest(&build.id.unwrap()).is_some()),
        }
        let states: Vec<UploadState> = sim.ledger().builds.iter().map(|build| build.state).collect();
        assert!(
            states.iter().all(|state| [UploadState::Cancelled, UploadState::Complete].contains(state)),
            "{states:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_storage_is_explained() {
    let sim = Sim::builder().capacity(1000).start().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(write(dir.path(), &noise(4, 5000)), Multipart::Auto);
    let failure = send(&sim, &spec, &CancellationToken::new()).await.unwrap_err().failure();
    assert_eq!(failure.reason, ExitReason::QuotaExceeded);
    assert!(failure.to_string().contains("auto-delete"), "{failure}");
}
