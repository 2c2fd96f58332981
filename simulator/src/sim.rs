//! A running simulator, as tests hold it.

use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use crate::builds::{Build, Kind};
use crate::call::{Call, Host};
use crate::dispatch::{Serving, refuse_for};
use crate::faults::{Fault, FaultId};
use crate::jobs::Job;
use crate::keys::Key;
use crate::ledger::{BuildRecord, JobRecord, Ledger, PartRecord, RequestRecord, UploadState};
use crate::net::{Listener, Listeners};
use crate::scenario::Scenario;
use crate::state::Inner;

/// A running simulator; it ends and takes its files away when dropped.
#[derive(Debug)]
pub struct Sim {
    inner: Arc<Inner>,
    runtime: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Sim {
    pub(crate) fn launch(inner: Inner, ports: [u16; 3]) -> io::Result<Self> {
        let inner = Arc::new(inner);
        let shared = Arc::clone(&inner);
        let (tell, told) = mpsc::channel();
        let thread = std::thread::Builder::new().name("nunu-sim".to_owned()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(error))),
            };
            runtime.block_on(async {
                let opened = open(&shared, ports).map(|()| Handle::current());
                let failed = opened.is_err();
                if tell.send(opened).is_err() || failed {
                    return;
                }
                shared.shutdown.cancelled().await;
            });
            runtime.shutdown_background();
        })?;
        let runtime = told.recv().map_err(io::Error::other)??;
        Ok(Self { inner, runtime, thread: Some(thread) })
    }

    /// The API's origin: what `NUNU_API_URL` is set to.
    #[must_use]
    pub fn api_url(&self) -> String {
        self.inner.origin(Host::Api)
    }

    /// The origin of the storage host.
    #[must_use]
    pub fn storage_url(&self) -> String {
        self.inner.origin(Host::Storage)
    }

    /// The origin of the artifact host.
    #[must_use]
    pub fn artifacts_url(&self) -> String {
        self.inner.origin(Host::Artifacts)
    }

    /// The id of the project.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.inner.config.project
    }

    /// Queues a fault; earlier ones come first.
    pub fn fault(&self, call: Call, fault: Fault) -> FaultId {
        self.inner.with(|s| s.faults.push(call, fault))
    }

    /// Takes a fault out of the queue.
    pub fn clear_fault(&self, id: FaultId) {
        self.inner.with(|s| s.faults.remove(id));
    }

    /// Takes all faults out of the queue.
    pub fn clear_faults(&self) {
        self.inner.with(|s| s.faults.clear());
    }

    /// Closes a host: new connections are refused and open ones end, until [`Sim::reopen`].
    pub fn refuse(&self, host: Host) {
        if let Some(listeners) = self.inner.listeners.get() {
            listeners.of(host).close();
        }
    }

    /// Opens a closed host at its old address.
    ///
    /// # Errors
    /// Somebody took the port meanwhile.
    pub fn reopen(&self, host: Host) -> io::Result<()> {
        let _entered = self.runtime.enter();
        let Some(listeners) = self.inner.listeners.get() else { return Ok(()) };
        let serving = Serving { inner: Arc::clone(&self.inner), host };
        // The old socket is closed by its own task, which may not have run yet.
        for _ in 0..100 {
            match listeners.of(host).reopen(&serving) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                other => return other,
            }
        }
        listeners.of(host).reopen(&serving)
    }

    /// Refuses connections to a host for a while.
    pub fn refuse_for(&self, host: Host, period: Duration) {
        let _entered = self.runtime.enter();
        refuse_for(&self.inner, host, period);
    }

    /// Resets the next `count` connections to a host as soon as they are made.
    pub fn reset_connections(&self, host: Host, count: u32) {
        self.inner.with(|s| s.resets.0.insert(host, count));
    }

    /// Presigned URLs are signed as if this long ago from now on: with two hours they have all expired.
    pub fn set_url_age(&self, age: Duration) {
        self.inner.with(|s| s.url_age = age);
    }

    /// Adds a key, or replaces one of the same value (to expire or disable it while a job runs).
    pub fn set_key(&self, key: Key) {
        self.inner.with(|s| {
            s.keys.retain(|k| k.value != key.value);
            s.keys.push(key);
        });
    }

    /// What tests do that are started from now on.
    pub fn set_scenario(&self, scenario: Scenario) {
        self.inner.with(|s| s.scenario = scenario);
    }

    /// Somebody in the dashboard stops this job now.
    pub fn stop_from_dashboard(&self, job_id: &str) {
        let now = self.inner.clock.now();
        self.inner.with(|s| {
            if let Some(job) = s.jobs.iter_mut().find(|j| j.id == job_id) {
                job.script.stopped_remotely = Some(now.saturating_sub(job.created));
            }
        });
    }

    /// Changes a tag of all jobs that have it, such as that of the week in which they were started.
    pub fn retag(&self, from: &str, to: &str) {
        self.inner.with(|s| {
            for tag in s.jobs.iter_mut().flat_map(|job| &mut job.tags).filter(|tag| *tag == from) {
                to.clone_into(tag);
            }
        });
    }

    /// Everything that happened so far.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.digest_builds();
        let now = self.inner.clock.now();
        self.inner.with(|s| {
            s.builds.iter_mut().for_each(|b| b.expire(now));
            Ledger {
                requests: s.requests.clone(),
                starts: s.starts.clone(),
                jobs: s.jobs.iter().map(|j| job_record(j, now)).collect(),
                builds: s.builds.iter().map(build_record).collect(),
                violations: s.violations.clone(),
            }
        })
    }

    /// How many starts took effect.
    #[must_use]
    pub fn effective_starts(&self) -> usize {
        self.inner.with(|s| s.starts.len())
    }

    /// Jobs that have not reached COMPLETED.
    #[must_use]
    pub fn unfinished_jobs(&self) -> Vec<JobRecord> {
        let now = self.inner.clock.now();
        self.inner
            .with(|s| s.jobs.iter().map(|j| job_record(j, now)).filter(|j| j.finished_at.is_none()).collect())
    }

    /// Uploads that were neither completed nor cancelled, and have not timed out.
    #[must_use]
    pub fn open_uploads(&self) -> Vec<BuildRecord> {
        let now = self.inner.clock.now();
        self.inner.with(|s| {
            s.builds.iter_mut().for_each(|b| b.expire(now));
            s.builds.iter().filter(|b| b.state == UploadState::Open).map(build_record).collect()
        })
    }

    /// SHA-256 of a completed build as it lies in storage, in lower-case hex.
    #[must_use]
    pub fn build_digest(&self, build_id: &str) -> Option<String> {
        self.digest_builds();
        self.inner.with(|s| s.build(build_id).and_then(|b| b.digest.clone()))
    }

    /// All requests that a call, or a group of calls, covers.
    #[must_use]
    pub fn requests_to(&self, call: Call) -> Vec<RequestRecord> {
        self.inner.with(|s| s.requests.iter().filter(|r| call.covers(r.call, r.host)).cloned().collect())
    }

    /// Waits until `done` says so, looking every few milliseconds; false when the time is over.
    pub fn wait_until(&self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let start = std::time::Instant::now();
        loop {
            if done(self) {
                return true;
            }
            if start.elapsed() >= limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn digest_builds(&self) {
        let missing: Vec<(String, String)> = self.inner.with(|s| {
            let fresh = s.builds.iter().filter(|b| b.state == UploadState::Complete && b.digest.is_none());
            fresh.map(|b| (b.id.clone(), b.storage_key())).collect()
        });
        for (id, key) in missing {
            let digest = file_digest(&self.inner.storage.path(&key)).ok();
            self.inner.with(|s| {
                if let Some(build) = s.build_mut(&id) {
                    build.digest = digest;
                }
            });
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.inner.remember();
        self.inner.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Binds the three hosts and starts to accept.
fn open(inner: &Arc<Inner>, [api, storage, artifacts]: [u16; 3]) -> io::Result<()> {
    let bind = |port| {
        Listener::bind(port)
            .map_err(|e| io::Error::new(e.kind(), format!("cannot listen on port {port}: {e}")))
    };
    let ((api, api_socket), (storage, storage_socket), (artifacts, artifacts_socket)) =
        (bind(api)?, bind(storage)?, bind(artifacts)?);
    let _ = inner.listeners.set(Listeners { api, storage, artifacts });
    let own = inner.origin(Host::Storage);
    inner.storage.at(inner.config.storage_origin.as_deref().unwrap_or(&own))?;
    if let Some(listeners) = inner.listeners.get() {
        let serving = |host| Serving { inner: Arc::clone(inner), host };
        listeners.api.accept(api_socket, serving(Host::Api));
        listeners.storage.accept(storage_socket, serving(Host::Storage));
        listeners.artifacts.accept(artifacts_socket, serving(Host::Artifacts));
    }
    Ok(())
}

fn job_record(job: &Job, now: Duration) -> JobRecord {
    let view = job.view(now);
    let by = |key: &Option<String>| if key.is_some() { "api" } else { "dashboard" }.to_owned();
    JobRecord {
        job_id: job.id.clone(),
        run_ids: job.run_ids.iter().take(view.runs.len()).cloned().collect(),
        test_id: job.test.id.clone(),
        test_name: job.test.name.clone(),
        tags: job.tags.clone(),
        status: view.phase.word().to_owned(),
        visible: job.visible(now),
        result: view.runs.last().and_then(|r| r.result.clone()),
        created_at: job.created,
        finished_at: view.done_at,
        stopped_by: view.stop.as_ref().map(|s| by(&s.key)),
        stopped_at: view.stop.as_ref().map(|s| s.at),
        stop_requests: job.stop_requests,
    }
}

fn build_record(build: &Build) -> BuildRecord {
    let parts = (1..=build.total_parts()).filter_map(|number| {
        let part = build.parts.get(&number)?;
        let expected = build.part_length(number)?;
        Some(PartRecord {
            number,
            expected,
            received: part.received,
            attempts: part.attempts,
            stored: part.etag.is_some() && part.size == expected,
        })
    });
    BuildRecord {
        build_id: build.id.clone(),
        request: build.request.clone(),
        name: build.name.clone(),
        file_name: build.file_name.clone(),
        size: build.size,
        tags: build.tags.clone(),
        state: build.state,
        multipart: matches!(build.kind, Kind::Multi { .. }),
        upload_id: match &build.kind {
            Kind::Multi { secret, .. } => Some(secret.clone()),
            Kind::Single => None,
        },
        parts: parts.collect(),
        sha256: build.digest.clone(),
    }
}

fn file_digest(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0_u8; 256 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(crate::digest::hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}
