//! What ends the starting of runs early: a signal, or the deadline, which counts from the first start.

use tokio::time::{Instant, sleep_until};

use crate::model::{ExitReason, Failure, units};

use super::context::Context;

/// What ends the starting early.
pub(super) struct Deadline<'a> {
    ctx: &'a Context,
    /// `None` when it lies beyond what clocks can tell.
    deadline: Option<Instant>,
}

impl<'a> Deadline<'a> {
    /// The deadline counts from now.
    pub(super) fn of(ctx: &'a Context) -> Self {
        Self { ctx, deadline: Instant::now().checked_add(ctx.plan.wait.timeout) }
    }

    /// Returns with a signal or at the deadline.
    pub(super) async fn comes(&self) {
        let late = async {
            match self.deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.ctx.cancel.token().cancelled() => {}
            () = late => {}
        }
    }

    /// What it means for the starts of which nobody knows yet what became of them; a signal speaks for itself.
    pub(super) fn verdict(&self, labels: &[&str]) -> Result<(), Failure> {
        if self.ctx.cancel.token().is_cancelled() {
            return Ok(());
        }
        let limit = units::duration(self.ctx.plan.wait.timeout);
        Err(Failure::new(
            ExitReason::Timeout,
            format!("the timeout of {limit} passed before it was known what was started"),
        )
        .cause(format!("without a clear answer to their start: {}", labels.join(", ")))
        .hint("the service did not answer in time: try again later, or raise the setting timeout"))
    }
}
