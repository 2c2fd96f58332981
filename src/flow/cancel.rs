//! Signals: the first asks us to end politely, a second one 2 s or more later ends us at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::model::Reason;

/// A second signal counts from here on: shells and runners forward one signal twice.
const SECOND_COUNTS_AFTER: Duration = Duration::from_secs(2);

/// The one cancel token of an invocation, and why it fired.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    token: CancellationToken,
    signal: Arc<AtomicU8>,
}

impl Cancel {
    /// The token that every long wait watches.
    #[must_use]
    pub const fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// The reason of the end that the signal asked for; `None` while none came.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(Reason::Interrupted),
            _ => Some(Reason::Terminated),
        }
    }

    fn fire(&self, reason: Reason) {
        self.signal.store(if reason == Reason::Interrupted { 1 } else { 2 }, Ordering::SeqCst);
        self.token.cancel();
    }

    /// Listens for signals from now on. As PID 1 of a container there is no default action, so this must be called early.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn listen(&self) -> std::io::Result<()> {
        let mut signals = Signals::install()?;
        let cancel = self.clone();
        tokio::spawn(async move {
            let reason = signals.next().await;
            cancel.fire(reason);
            let first = Instant::now();
            loop {
                let reason = signals.next().await;
                if first.elapsed() >= SECOND_COUNTS_AFTER {
                    leave(reason);
                }
            }
        });
        Ok(())
    }
}

#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "the user asked twice; whatever still runs must not hold the process"
)]
fn leave(reason: Reason) {
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

    async fn next(&mut self) -> Reason {
        tokio::select! {
            _ = self.interrupt.recv() => Reason::Interrupted,
            _ = self.terminate.recv() => Reason::Terminated,
            _ = self.hang_up.recv() => Reason::Terminated,
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

    async fn next(&mut self) -> Reason {
        tokio::select! {
            _ = self.interrupt.recv() => Reason::Interrupted,
            _ = self.terminate.recv() => Reason::Terminated,
            _ = self.close.recv() => Reason::Terminated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cancel, Reason};

    #[test]
    fn remembers_which_signal_came() {
        let cancel = Cancel::default();
        assert_eq!(cancel.reason(), None);
        cancel.fire(Reason::Terminated);
        assert!(cancel.token().is_cancelled());
        assert_eq!(cancel.reason(), Some(Reason::Terminated));
    }
}
