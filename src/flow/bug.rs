//! A bug of ours, a panic wherever it happens, ends the job like any other failure: what was started is stopped, and it is reported.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::model::{Env, ExitReason, Failure};

use super::cancel::Cancel;

/// A panic beside the work makes it end as a signal does; work that does not is dropped after this.
const GRACE: Duration = Duration::from_secs(2);

/// Does work that may break, here or in any task or thread of it.
pub(super) async fn guarded<T>(cancel: &Cancel, work: impl Future<Output = T>) -> Result<T, Failure> {
    let ended = tokio::select! {
        biased;
        ended = AssertUnwindSafe(work).catch_unwind() => ended.ok(),
        () = async {
            cancel.broken().await;
            tokio::time::sleep(GRACE).await;
        } => None,
    };
    ended.filter(|_| cancel.bug().is_none()).ok_or_else(|| failure(cancel))
}

/// Does the last work, which a bug that is known by now must not keep from being done; false when it broke.
pub(super) async fn survives(work: impl Future<Output = ()>) -> bool {
    AssertUnwindSafe(work).catch_unwind().await.is_ok()
}

/// What is told of a bug: its place. The panic's own message may hold anything.
pub(super) fn failure(cancel: &Cancel) -> Failure {
    let place = cancel.bug().map_or_else(String::new, |place| format!(" at {place}"));
    Failure::new(ExitReason::Internal, format!("internal error{place}; this is a bug of nunu-ci"))
}

/// Where `NUNU_DEBUG_PANIC` wants a bug, and the key that its message holds, so that tests see what becomes of one. Builds for users
/// have no such thing.
pub(super) struct BrokenAt {
    #[cfg(debug_assertions)]
    moment: String,
    #[cfg(debug_assertions)]
    key: String,
}

impl BrokenAt {
    #[cfg(debug_assertions)]
    pub(super) fn of(env: &Env) -> Self {
        let text = |name: &str| env.get(name).unwrap_or_default().to_owned();
        Self { moment: text("NUNU_DEBUG_PANIC"), key: text("NUNU_API_TOKEN") }
    }

    #[cfg(not(debug_assertions))]
    pub(super) const fn of(_: &Env) -> Self {
        Self {}
    }
}

/// Breaks at a moment that was asked for, in this task, in another one (`:task`) or in a thread (`:thread`).
#[cfg(debug_assertions)]
pub(super) fn provoke(broken_at: &BrokenAt, moment: &str) {
    let key = broken_at.key.clone();
    let way = broken_at.moment.strip_prefix(moment);
    if way == Some("") {
        panic!("a message with a secret: {key}");
    } else if way == Some(":task") {
        drop(tokio::spawn(async move { panic!("a message with a secret: {key}") }));
    } else if way == Some(":thread") {
        drop(tokio::task::spawn_blocking(move || panic!("a message with a secret: {key}")));
    }
}

#[cfg(not(debug_assertions))]
pub(super) const fn provoke(_: &BrokenAt, _: &str) {}
