//! Signals: the first asks us to end politely, a second one 2 s or more later ends us at once. A bug of ours asks to end as well.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::ci::stream;
use crate::model::ExitReason;

/// A second signal counts from here on: shells and runners forward one signal twice.
const SECOND_COUNTS_AFTER: Duration = Duration::from_secs(2);

/// While nothing can have been started, nothing is worth more waiting than this: settings may be read from a pipe that nobody writes to.
const NOTHING_BEGUN: Duration = Duration::from_secs(2);
/// What is not over by then hangs, say in a file of a network that is gone. Hosts kill after 10 s.
const LAST_RESORT: Duration = Duration::from_secs(9);

/// The one cancel token of an invocation, and why it fired.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel {
    token: CancellationToken,
    signal: Arc<AtomicU8>,
    /// True once something may have been started.
    begun: Arc<AtomicBool>,
    broken: CancellationToken,
    bug: Arc<OnceLock<String>>,
}

impl Cancel {
    /// The token that every long wait watches.
    pub(crate) const fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// The reason of the end that the signal asked for; `None` while none came.
    pub(crate) fn reason(&self) -> Option<ExitReason> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(ExitReason::Interrupted),
            _ => Some(ExitReason::Terminated),
        }
    }

    /// From now on something may have been started, and the end takes its time.
    pub(super) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
    }

    /// A bug showed at this place of the sources, in whatever task or thread: all work ends.
    pub(crate) fn break_off(&self, place: String) {
        let _ = self.bug.set(place);
        self.token.cancel();
        self.broken.cancel();
    }

    /// The place of the first bug; `None` while none showed.
    pub(crate) fn bug(&self) -> Option<&str> {
        self.bug.get().map(String::as_str)
    }

    /// Until a bug shows.
    pub(super) async fn broken(&self) {
        self.broken.cancelled().await;
    }

    fn fire(&self, reason: ExitReason) {
        self.signal.store(if reason == ExitReason::Interrupted { 1 } else { 2 }, Ordering::SeqCst);
        stream::hurry();
        self.token.cancel();
    }

    /// Listens for signals from now on. As PID 1 of a container there is no default action, so this must be called early.
    pub(crate) fn listen(&self) -> std::io::Result<()> {
        let mut signals = Signals::install()?;
        let cancel = self.clone();
        tokio::spawn(async move {
            let reason = signals.next().await;
            cancel.fire(reason);
            let first = Instant::now();
            loop {
                let limit = if cancel.begun.load(Ordering::SeqCst) { LAST_RESORT } else { NOTHING_BEGUN };
                tokio::select! {
                    reason = signals.next() => if first.elapsed() >= SECOND_COUNTS_AFTER { leave(reason) },
                    () = tokio::time::sleep(limit.saturating_sub(first.elapsed())) => leave(reason),
                }
            }
        });
        Ok(())
    }
}

#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "the user asked twice, or something hangs; whatever still runs must not hold the process"
)]
fn leave(reason: ExitReason) {
    std::process::exit(i32::from(reason.exit_code()));
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn install() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            // The GitHub runner has been seen to send SIGHUP instead (actions/runner#1309).
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> ExitReason {
        tokio::select! {
            _ = self.interrupt.recv() => ExitReason::Interrupted,
            _ = self.terminate.recv() => ExitReason::Terminated,
            _ = self.hang_up.recv() => ExitReason::Terminated,
        }
    }
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    terminate: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
}

#[cfg(windows)]
impl Signals {
    fn install() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
        Ok(Self { interrupt: ctrl_c()?, terminate: ctrl_break()?, close: ctrl_close()? })
    }

    async fn next(&mut self) -> ExitReason {
        tokio::select! {
            _ = self.interrupt.recv() => ExitReason::Interrupted,
            _ = self.terminate.recv() => ExitReason::Terminated,
            _ = self.close.recv() => ExitReason::Terminated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cancel, ExitReason};

    #[test]
    fn remembers_which_signal_came() {
        let cancel = Cancel::default();
        assert_eq!(cancel.reason(), None);
        cancel.fire(ExitReason::Terminated);
        assert!(cancel.token().is_cancelled());
        assert_eq!(cancel.reason(), Some(ExitReason::Terminated));
    }

    #[test]
    fn a_bug_ends_all_work_and_is_no_signal() {
        let cancel = Cancel::default();
        for place in ["src/a.rs:1:2", "src/b.rs:3:4"] {
            cancel.break_off(place.to_owned());
        }
        assert!(cancel.token().is_cancelled());
        assert_eq!((cancel.reason(), cancel.bug()), (None, Some("src/a.rs:1:2")));
    }
}
