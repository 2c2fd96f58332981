//! Whole uploads against a small service: what arrives, what is left open, what is said.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::Digest as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::testing::{Act, Lines, Service, Stored};
use super::{Content, Purpose, TempFolders, Upload, UploadError, UploadObserver, UploadTimeouts, inspect};
use crate::api::UploadHandle;
use crate::model::ExitReason;
use crate::model::build::{Build, BuildOrigin, BuildSource, BuildSpec, DeletionPolicy, Multipart, Platform};
use crate::model::details::Details;
use crate::model::log::Log;

/// What storage says when a URL is too old.
const EXPIRED: &str = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
/// Bytes of a part of the small service.
const PART: u64 = 300_000;

#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl UploadObserver for Diary {
    fn opened(&self, upload: &UploadHandle) {
        self.0.lock().unwrap().push(format!("opened {}", upload.build_id));
    }
    fn closed(&self) {
        self.0.lock().unwrap().push("closed".to_owned());
    }
}

/// A service, a build and everything an upload needs.
struct Stage {
    service: Service,
    dir: tempfile::TempDir,
    spec: BuildSpec,
    purpose: Purpose,
    timeouts: UploadTimeouts,
    diary: Diary,
    lines: Arc<Lines>,
    cancel: CancellationToken,
}

impl Stage {
    async fn set(size: u64, multipart: Multipart) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("game.bin");
        std::fs::write(&path, bytes(size)).unwrap();
        let timeouts = UploadTimeouts {
            part: Duration::from_secs(2),
            complete: Duration::from_secs(2),
            ready: Duration::from_secs(2),
        };
        Self {
            service: Service::start(PART).await,
            spec: spec(&path, multipart),
            dir,
            purpose: Purpose::Runs,
            timeouts,
            diary: Diary::default(),
            lines: Arc::new(Lines::default()),
            cancel: CancellationToken::new(),
        }
    }

    async fn prepared(&self) -> Arc<Content> {
        let folders = TempFolders(vec![self.dir.path().to_owned()]);
        inspect(&self.spec, &super::KeepOut::default())
            .await
            .unwrap()
            .prepare(&folders, &Log::silent(), &self.cancel)
            .await
            .unwrap()
    }

    async fn send(&self) -> Result<Build, UploadError> {
        self.send_this(&self.prepared().await).await
    }

    async fn send_this(&self, content: &Arc<Content>) -> Result<Build, UploadError> {
        let log = Log::new(self.lines.clone());
        let upload = Upload {
            api: &self.service.api(&log),
            spec: &self.spec,
            details: &Details::default(),
            purpose: self.purpose,
            timeouts: self.timeouts,
            observer: &self.diary,
            log: &log,
        };
        let result = upload.send(content, &self.cancel).await;
        let said = self.lines.all().join("\n");
        assert!(
            !said.contains("signature-") && !said.contains("upload-secret"),
            "a secret is in the log:\n{said}"
        );
        if let Err(error) = &result {
            let text = error.failure().to_string();
            assert!(
                !text.contains("signature-") && !text.contains("upload-secret"),
                "a secret is in the error:\n{text}"
            );
        }
        assert_eq!(self.service.open(), 0, "an upload was left open:\n{said}");
        result
    }

    fn stored(&self) -> Vec<Stored> {
        self.service.builds().into_iter().filter(|build| build.status == "done").collect()
    }

    fn diary(&self) -> Vec<String> {
        self.diary.0.lock().unwrap().clone()
    }
}

fn bytes(size: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(size);
    std::iter::repeat_with(|| random.u8(..)).take(usize::try_from(size).unwrap()).collect()
}

fn digest(bytes: &[u8]) -> String {
    super::hash::hex(&sha2::Sha256::digest(bytes))
}

fn spec(path: &Path, multipart: Multipart) -> BuildSpec {
    BuildSpec {
        source: BuildSource::Path(path.to_owned()),
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

#[tokio::test]
async fn arrives_bit_for_bit_at_every_boundary() {
    for size in [1, PART - 1, PART, PART + 1, 3 * PART - 1, 3 * PART, 3 * PART + 1, 17 * PART + 5] {
        for (multipart, reuse) in [
            (Multipart::Always, true),
            (Multipart::Always, false),
            (Multipart::Auto, true),
            (Multipart::Never, false),
        ] {
            let mut stage = Stage::set(size, multipart).await;
            stage.spec.reuse = reuse;
            let build = stage.send().await.unwrap();
            let want = digest(&bytes(size));
            let stored = stage.stored();
            assert_eq!(stored.len(), 1);
            assert_eq!(digest(&stored[0].bytes()), want, "{size} {multipart:?}");
            assert_eq!(stored[0].multipart, multipart == Multipart::Always);
            assert_eq!(build.sha256.as_deref(), Some(want.as_str()));
            assert_eq!((build.origin, build.size_bytes), (BuildOrigin::Uploaded, Some(size)));
            let tags: Vec<&str> = stored[0].request["tags"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tag| tag.as_str().unwrap())
                .collect();
            let tag = format!("sha256:{}", &want[..40]);
            assert_eq!(tags, if reuse { vec!["ci", &tag] } else { vec!["ci"] });
            assert_eq!(stage.diary(), ["opened build-000", "closed"]);
        }
    }
}

#[tokio::test]
async fn every_try_of_a_part_has_a_url_of_its_own() {
    let stage = Stage::set(5 * PART, Multipart::Always).await;
    stage.service.fault(
        "PUT /storage/build-000/3",
        3,
        Act::Answer(500, "<Error><Code>InternalError</Code></Error>"),
    );
    stage.service.fault("PUT /storage/build-000/2", 1, Act::Cut(100_000));
    stage.service.fault("PUT /storage/build-000/5", 1, Act::NoETag);
    stage.service.fault("PUT /storage/build-000/1", 1, Act::Answer(403, EXPIRED));
    stage.send().await.unwrap();
    let puts = stage.service.requests("PUT ");
    assert_eq!(puts.len(), 5 + 3 + 1 + 1 + 1, "{puts:?}");
    let distinct: std::collections::BTreeSet<&String> = puts.iter().collect();
    assert_eq!(distinct.len(), puts.len(), "a URL was used twice");
    assert_eq!(digest(&stage.stored()[0].bytes()), digest(&bytes(5 * PART)));
    let said = stage.lines.all().join("\n");
    assert!(said.contains("part 3 of 5: attempt 4 in"), "{said}");
    assert!(said.contains("6 retries"), "{said}");
}

#[tokio::test]
async fn fetches_urls_a_few_ahead_and_not_all_at_once() {
    let stage = Stage::set(23 * PART, Multipart::Always).await;
    stage.send().await.unwrap();
    let calls = stage.service.requests("GET /builds/upload/parts").len();
    assert!((3..=8).contains(&calls), "{calls} calls for 23 parts");
}

#[tokio::test]
async fn one_piece_that_fails_is_cancelled_and_opened_anew() {
    let stage = Stage::set(400_000, Multipart::Never).await;
    stage.service.fault("PUT ", 1, Act::Cut(200_000));
    stage.service.fault("PUT ", 1, Act::Answer(503, "<Error><Code>SlowDown</Code></Error>"));
    let build = stage.send().await.unwrap();
    assert_eq!(build.id.as_deref(), Some("build-002"));
    let states: Vec<&str> = stage.service.builds().iter().map(|build| build.status).collect();
    assert_eq!(states, ["cancelled", "cancelled", "done"]);
    assert_eq!(
        stage.diary(),
        ["opened build-000", "closed", "opened build-001", "closed", "opened build-002", "closed"]
    );
}

#[tokio::test]
async fn gives_a_part_up_when_its_last_progress_is_too_old() {
    for multipart in [Multipart::Always, Multipart::Never] {
        let stage = Stage::set(2 * PART, multipart).await;
        stage.service.fault(
            "PUT ",
            usize::MAX,
            Act::Answer(500, "<Error><Code>InternalError</Code><Message>We are sorry</Message></Error>"),
        );
        let began = std::time::Instant::now();
        let failure = stage.send().await.unwrap_err().failure();
        assert_eq!(failure.reason, ExitReason::UploadFailed);
        assert!(
            failure.to_string().contains("attempts") && failure.to_string().contains("We are sorry"),
            "{failure}"
        );
        let took = began.elapsed();
        assert!(took + Duration::from_millis(500) >= stage.timeouts.part, "{took:?}");
        assert_eq!(stage.diary().last().map(String::as_str), Some("closed"));
    }
}

#[tokio::test]
async fn an_unclear_completion_is_settled_by_reading_the_build() {
    for act in [
        Act::DropAfter,
        Act::AnswerAfter(502, "<html>Bad Gateway</html>"),
        Act::AnswerAfter(200, "garbage"),
        Act::Answer(503, "{}"),
        Act::Cut(0),
    ] {
        let stage = Stage::set(2 * PART, Multipart::Always).await;
        stage.service.fault("POST /builds/upload/complete", 1, act.clone());
        let build = stage.send().await.unwrap_or_else(|error| panic!("{act:?}: {}", error.failure()));
        assert_eq!(build.id.as_deref(), Some("build-000"));
        assert_eq!(stage.stored().len(), 1);
    }
}

#[tokio::test]
async fn a_completion_that_is_refused_is_the_end() {
    for (act, words) in [
        (Act::Answer(400, r#"{"error":"bad parts"}"#), "bad parts"),
        (Act::Answer(404, r#"{"error":"Upload not found","code":"UPLOAD_NOT_FOUND"}"#), "upload-timeout"),
    ] {
        let stage = Stage::set(2 * PART, Multipart::Always).await;
        stage.service.fault("POST /builds/upload/complete", 1, act);
        let failure = stage.send().await.unwrap_err().failure();
        assert_eq!(failure.reason, ExitReason::UploadFailed);
        assert!(failure.to_string().contains(words), "{failure}");
    }
}

#[tokio::test]
async fn waits_until_the_build_is_ready_but_not_for_what_it_does_not_know() {
    for (words, want) in [
        (vec!["uploading", "ready"], Ok(())),
        (vec!["processing-new-word"], Ok(())),
        (vec!["uploading"], Ok(())),
        (vec!["UNHEALTHY"], Err(ExitReason::BuildUnsupported)),
        (vec!["uploading", "failed"], Err(ExitReason::BuildUnsupported)),
    ] {
        let stage = Stage::set(1000, Multipart::Auto).await;
        stage.service.statuses(&words);
        let result = stage.send().await.map(|_| ()).map_err(|error| error.reason());
        assert_eq!(result, want, "{words:?}");
    }
}

#[tokio::test]
async fn a_service_that_shows_no_builds_does_not_block() {
    let stage = Stage::set(2 * PART, Multipart::Always).await;
    stage.service.fault("GET /builds/build-000", usize::MAX, Act::Answer(404, r#"{"error":"not found"}"#));
    stage.service.fault("POST /builds/upload/complete", 1, Act::Cut(0));
    assert_eq!(stage.send().await.unwrap().id.as_deref(), Some("build-000"));
}

#[tokio::test]
async fn a_stored_build_is_not_sent_again() {
    let mut stage = Stage::set(PART, Multipart::Auto).await;
    stage.send().await.unwrap();
    let again = stage.send().await.unwrap();
    assert_eq!((again.origin, again.id.as_deref()), (BuildOrigin::Reused, Some("build-000")));
    assert_eq!(again.sha256, Some(digest(&bytes(PART))));
    assert_eq!(stage.service.requests("PUT ").len(), 1);

    // Another tag is asked for, so it is another build.
    stage.spec.tags.push("nightly".to_owned());
    assert_eq!(stage.send().await.unwrap().origin, BuildOrigin::Uploaded);
    // Now there is a newer one, which is enough for the command `upload` too.
    stage.purpose = Purpose::Storage;
    assert_eq!(stage.send().await.unwrap().id.as_deref(), Some("build-001"));
    // For the older one it is not.
    let other = Stage { service: stage.service.clone(), ..Stage::set(PART + 1, Multipart::Auto).await };
    other.send().await.unwrap();
    assert_eq!(stage.send().await.unwrap().id.as_deref(), Some("build-003"));

    stage.spec.reuse = false;
    assert_eq!(stage.send().await.unwrap().origin, BuildOrigin::Uploaded);
    stage.spec.reuse = true;
    stage.service.fault("GET /builds", 1, Act::Answer(400, r#"{"error":"no such filter"}"#));
    assert_eq!(stage.send().await.unwrap().origin, BuildOrigin::Uploaded);
}

#[tokio::test]
async fn a_cancelled_upload_is_given_back_at_once() {
    for (on, act) in [
        ("PUT ", Act::Wait(Duration::from_secs(60))),
        ("POST /builds/upload", Act::Wait(Duration::from_millis(700))),
        ("POST /builds/upload/complete", Act::Wait(Duration::from_secs(60))),
        ("GET /builds/upload/parts", Act::Wait(Duration::from_secs(60))),
    ] {
        let stage = Stage::set(4 * PART, Multipart::Always).await;
        stage.service.fault(on, 9, act);
        let (cancel, service) = (stage.cancel.clone(), stage.service.clone());
        let began = std::time::Instant::now();
        tokio::spawn(async move {
            service.asked(on).await;
            cancel.cancel();
        });
        let prepared = stage.prepared().await;
        assert!(matches!(stage.send_this(&prepared).await, Err(UploadError::Cancelled)), "{on}");
        assert!(began.elapsed() < Duration::from_secs(60), "{on}: it waited for the answer");
        assert_eq!(stage.diary(), ["opened build-000", "closed"], "{on}");
        assert_eq!(stage.service.builds()[0].status, "cancelled", "{on}");
    }
}

#[tokio::test]
async fn a_build_that_changes_while_it_is_sent_is_never_completed() {
    for reuse in [true, false] {
        let mut stage = Stage::set(8 * PART, Multipart::Always).await;
        stage.spec.reuse = reuse;
        let (hold, service) = (Arc::new(Notify::new()), stage.service.clone());
        stage.service.fault("PUT /storage/build-000/1", 1, Act::Hold(Arc::clone(&hold)));
        let prepared = stage.prepared().await;
        let path = stage.dir.path().join("game.bin");
        tokio::spawn(async move {
            service.asked("PUT /storage/build-000/1").await;
            std::fs::write(path, vec![0; 1000]).unwrap();
            hold.notify_one();
        });
        let failure = stage.send_this(&prepared).await.unwrap_err().failure();
        assert_eq!(failure.reason, ExitReason::BuildChanged, "{failure}");
        assert!(stage.stored().is_empty());
    }
}

#[tokio::test]
async fn a_build_that_is_rewritten_after_it_was_read_is_never_completed() {
    for multipart in [Multipart::Always, Multipart::Never] {
        let stage = Stage::set(PART, multipart).await;
        let (hold, service) = (Arc::new(Notify::new()), stage.service.clone());
        stage.service.fault("PUT ", 1, Act::Hold(Arc::clone(&hold)));
        let prepared = stage.prepared().await;
        let path = stage.dir.path().join("game.bin");
        tokio::spawn(async move {
            service.asked("PUT ").await;
            std::fs::write(path, vec![0; usize::try_from(PART).unwrap()]).unwrap();
            hold.notify_one();
        });
        let failure = stage.send_this(&prepared).await.unwrap_err().failure();
        assert_eq!(failure.reason, ExitReason::BuildChanged, "{failure}");
        assert!(stage.stored().is_empty());
    }
}

#[tokio::test]
async fn words_of_the_service_decide_the_exit_code() {
    for (status, body, reason) in [
        (
            402,
            r#"{"error":"Storage capacity exceeded","code":"QUOTA_EXCEEDED","details":{"used":10,"capacity":10,"needed":5}}"#,
            ExitReason::QuotaExceeded,
        ),
        (401, r#"{"error":"Invalid API key"}"#, ExitReason::ApiKeyInvalid),
        (
            403,
            r#"{"error":"API key missing required permission: project:manage-build-storage"}"#,
            ExitReason::PermissionMissing,
        ),
        (413, r#"{"error":"too large"}"#, ExitReason::BuildTooLarge),
        (400, r#"{"error":"bad name"}"#, ExitReason::UploadFailed),
    ] {
        let stage = Stage::set(1000, Multipart::Auto).await;
        stage.service.fault("POST /builds/upload", 1, Act::Answer(status, body));
        let failure = stage.send().await.unwrap_err().failure();
        assert_eq!(failure.reason, reason, "{failure}");
        assert!(stage.diary().is_empty());
    }
}

/// Between two attempts there is time: a service that is slow to give an upload back must not be left with two.
#[tokio::test]
async fn a_slow_cancel_between_two_tries_is_waited_for() {
    let stage = Stage::set(1000, Multipart::Never).await;
    stage.service.fault("PUT ", 1, Act::Answer(500, "oops"));
    stage.service.fault("DELETE ", 9, Act::Wait(Duration::from_secs(5)));
    stage.send().await.unwrap();
    assert_eq!(stage.service.requests("DELETE ").len(), 1);
}

#[tokio::test]
async fn random_faults_never_change_a_byte() {
    futures_util::future::join_all((0..40).map(random_faults)).await;
}

async fn random_faults(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let size = random.u64(1..6 * PART);
    let multipart = if random.bool() { Multipart::Always } else { Multipart::Never };
    let mut stage = Stage::set(size, multipart).await;
    stage.spec.reuse = random.bool();
    stage.spec.parallel = random.bool().then(|| random.usize(1..=32));
    stage.timeouts.part = Duration::from_secs(60);
    for _ in 0..random.usize(0..5) {
        let act = match random.u8(..6) {
            0 => Act::Answer(500, "oops"),
            1 => Act::Answer(503, "<Error><Code>SlowDown</Code></Error>"),
            2 => Act::Answer(403, EXPIRED),
            3 => Act::DropAfter,
            4 => Act::Cut(random.usize(0..200_000)),
            _ => Act::Wait(Duration::from_millis(random.u64(0..300))),
        };
        stage.service.fault("PUT ", 1, act);
    }
    let build = stage.send().await.unwrap_or_else(|error| panic!("seed {seed}: {}", error.failure()));
    assert_eq!(digest(&stage.stored()[0].bytes()), digest(&bytes(size)), "seed {seed}");
    assert_eq!(build.sha256, Some(digest(&bytes(size))), "seed {seed}");
}
