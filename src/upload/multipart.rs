//! A build in parts: the next one begins as soon as there is room, so that no part waits for the slowest of a batch. One loop starts
//! every attempt, so that it alone decides how many there are.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::error::UploadError;
use super::hash::SendPosition;
use super::parallelism::Parallelism;
use super::part_retry::PartRetry;
use super::part_urls::PartUrls;
use super::parts::{Part, Parts};
use super::put::{PartSource, PutError};
use crate::api::ETag;
use crate::model::log::Log;
use crate::model::units;

/// Between two looks at how fast the upload is.
const TICK: Duration = Duration::from_millis(250);

/// One upload in parts.
pub(crate) struct Multipart {
    pub(crate) urls: Arc<PartUrls>,
    pub(crate) source: Arc<PartSource>,
    pub(crate) parts: Parts,
    pub(crate) parallelism: Parallelism,
    /// A part is tried again while its last progress is younger than this.
    pub(crate) part_timeout: Duration,
    /// How far the sending has come, for the digest that follows it.
    pub(crate) position: SendPosition,
    pub(crate) log: Log,
}

/// A part on its way, or waiting for another attempt.
struct Sending {
    part: Part,
    attempts: PartRetry,
    /// When the next attempt may begin.
    due: Instant,
}

impl Multipart {
    /// Sends all parts. Dropping the future ends every transfer.
    pub(crate) async fn send(mut self) -> Result<Vec<(u32, ETag)>, UploadError> {
        let began = Instant::now();
        let mut tick = tokio::time::interval(TICK);
        let mut tags = Vec::new();
        let mut next = 0;
        let mut again = VecDeque::new();
        // Dropping the set at the first error stops the others.
        let mut attempts = JoinSet::new();
        loop {
            while attempts.len() < self.parallelism.limit()
                && let Some(sending) = again.pop_front().or_else(|| self.begin(&mut next))
            {
                let (source, urls) = (Arc::clone(&self.source), Arc::clone(&self.urls));
                attempts.spawn(attempt(sending, source, urls, self.parallelism.limit()));
            }
            tokio::select! {
                done = attempts.join_next() => match done {
                    None => return Ok(tags),
                    Some(Ok((sending, Ok(tag)))) => {
                        self.source.meter.part_done();
                        tags.push((sending.part.number, tag));
                    }
                    Some(Ok((sending, Err(error)))) => {
                        again.push_back(self.failed(sending, error, began.elapsed())?);
                    }
                    Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Some(Err(_)) => return Err(UploadError::Cancelled),
                },
                // The last parts say nothing about how many the link takes.
                _ = tick.tick(), if next < self.parts.count() || !again.is_empty() => {
                    self.measure(began.elapsed(), attempts.len());
                }
            }
        }
    }

    /// The next part that was never tried.
    fn begin(&self, next: &mut u32) -> Option<Sending> {
        let part = self.parts.get(*next)?;
        *next += 1;
        self.position.reach(part.offset + part.len);
        let attempts = PartRetry::new(&self.source.meter, self.part_timeout);
        Some(Sending { part, attempts, due: Instant::now() })
    }

    /// Judges a failed attempt: the part waits for another one, or the upload is over.
    fn failed(
        &mut self,
        mut sending: Sending,
        error: PutError,
        now: Duration,
    ) -> Result<Sending, UploadError> {
        if let Some(overload) = error.overload() {
            self.changing(|parallelism| parallelism.overload(now, overload));
        }
        let what = format!("part {} of {}", sending.part.number, self.parts.count());
        let (wait, error) = sending.attempts.wait(error, &what)?;
        // An expired URL needs no rest, but one that is born expired must not spin.
        let first = sending.attempts.number == 1;
        let wait = if error.wants_fresh_url() && first { Duration::ZERO } else { wait };
        self.urls.api.retries().note(&format!(
            "{what}: attempt {} in {}: {error}",
            sending.attempts.number + 1,
            units::duration(wait)
        ));
        sending.due = Instant::now() + wait;
        Ok(sending)
    }

    fn measure(&mut self, now: Duration, in_flight: usize) {
        let sent = self.source.meter.done();
        self.changing(|parallelism| parallelism.sample(now, sent, in_flight));
    }

    fn changing(&mut self, change: impl FnOnce(&mut Parallelism)) {
        let before = self.parallelism.limit();
        change(&mut self.parallelism);
        let limit = self.parallelism.limit();
        if limit != before {
            self.log.debug(format!("up to {limit} parts at a time, after {before}"));
        }
    }
}

/// Sends one part once.
async fn attempt(
    mut sending: Sending,
    source: Arc<PartSource>,
    urls: Arc<PartUrls>,
    in_flight: usize,
) -> (Sending, Result<ETag, PutError>) {
    // Time in the queue is not the part's own.
    sending.attempts.queued(sending.due.elapsed());
    tokio::time::sleep_until(sending.due).await;
    let progress = sending.attempts.begin();
    let sent = match urls.of(sending.part.number, in_flight).await {
        Ok(url) => source.put(&url, sending.part, sending.attempts.number, progress).await,
        Err(error) => Err(error),
    };
    (sending, sent.and_then(|tag| tag.ok_or(PutError::NoETag)))
}
