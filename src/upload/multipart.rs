//! A build in parts: workers take the next part as soon as they are free, so that no part waits for the slowest of a batch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::error::UploadError;
use super::hash::SendPosition;
use super::part_retry::PartRetry;
use super::parts::{Part, Parts};
use super::put::{PartSource, PutError};
use super::throttle::Throttle;
use super::timeouts::UploadTimeouts;
use crate::api::{Api, ETag, PresignedUrl, UploadHandle};
use crate::model::units;

/// Presigned URLs live about an hour; an older one than this is not worth the risk of sending a part in vain.
const FRESH: Duration = Duration::from_secs(600);
/// The service advises 3-10 URLs a request.
const MOST_URLS: u32 = 10;
const LEAST_URLS: u32 = 3;

/// One upload in parts.
pub(crate) struct Multipart {
    pub(crate) api: Api,
    pub(crate) upload: UploadHandle,
    pub(crate) source: Arc<PartSource>,
    pub(crate) parts: Parts,
    pub(crate) parallel: usize,
    pub(crate) timeouts: UploadTimeouts,
    /// How far the sending has come, for the digest that follows it.
    pub(crate) position: SendPosition,
}

struct Shared {
    job: Multipart,
    next: AtomicU32,
    throttle: Throttle,
    urls: tokio::sync::Mutex<Urls>,
}

/// URLs that were fetched a few ahead.
#[derive(Default)]
struct Urls {
    ready: BTreeMap<u32, (PresignedUrl, Instant)>,
    /// Every part up to this one has had a URL.
    fetched_to: u32,
}

impl Multipart {
    /// Sends all parts. Dropping the future ends every transfer.
    pub(crate) async fn send(self) -> Result<Vec<(u32, ETag)>, UploadError> {
        let workers = self.parallel.clamp(1, 16).min(usize::try_from(self.parts.count()).unwrap_or(16));
        let shared = Arc::new(Shared {
            next: AtomicU32::new(0),
            throttle: Throttle::new(workers),
            urls: tokio::sync::Mutex::default(),
            job: self,
        });
        let mut tasks = JoinSet::new();
        for worker in 0..workers {
            let shared = Arc::clone(&shared);
            tasks.spawn(async move { shared.work(worker).await });
        }
        let mut tags = Vec::new();
        // Dropping the set at the first error stops the others.
        while let Some(done) = tasks.join_next().await {
            match done {
                Ok(sent) => tags.extend(sent?),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => return Err(UploadError::Cancelled),
            }
        }
        Ok(tags)
    }
}

impl Shared {
    async fn work(&self, worker: usize) -> Result<Vec<(u32, ETag)>, UploadError> {
        let mut sent = Vec::new();
        loop {
            while !self.throttle.allows(worker) && self.next.load(Ordering::Relaxed) < self.job.parts.count()
            {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = self.job.parts.get(index) else { return Ok(sent) };
            self.job.position.reach(part.offset + part.len);
            let tag = self.part(part).await?;
            self.job.source.meter.part_done();
            sent.push((part.number, tag));
        }
    }

    /// Sends one part, as often as it takes.
    async fn part(&self, part: Part) -> Result<ETag, UploadError> {
        let mut attempts = PartRetry::new(&self.job.source.meter, self.job.timeouts.part);
        let what = format!("part {} of {}", part.number, self.job.parts.count());
        loop {
            let progress = attempts.begin();
            let sent = match self.url(part.number).await {
                Ok(url) => self.job.source.put(&url, part, attempts.number, progress).await,
                Err(error) => Err(error),
            };
            let error = match sent {
                Ok(Some(tag)) => return Ok(tag),
                Ok(None) => PutError::NoETag,
                Err(error) => error,
            };
            if error.asks_to_slow_down() {
                self.throttle.slow_down();
            }
            let (wait, error) = attempts.wait(error, &what)?;
            // An expired URL needs no rest, but one that is born expired must not spin.
            let wait = if error.wants_fresh_url() && attempts.number == 1 { Duration::ZERO } else { wait };
            self.job.api.retries().note(&format!(
                "{what}: attempt {} in {}: {error}",
                attempts.number + 1,
                units::duration(wait)
            ));
            tokio::time::sleep(wait).await;
        }
    }

    /// A URL for one attempt: one that was fetched with others a moment ago, or, for every further attempt, a fresh one.
    async fn url(&self, number: u32) -> Result<PresignedUrl, PutError> {
        {
            // One request at a time: those who wait find their URL when it is their turn.
            let mut urls = self.urls.lock().await;
            if number > urls.fetched_to {
                self.fetch_ahead(&mut urls, number).await?;
            }
            // Taken out, so that no URL is used twice.
            let stored = urls.ready.remove(&number).filter(|(_, fetched)| fetched.elapsed() < FRESH);
            if let Some((url, _)) = stored {
                return Ok(url);
            }
        }
        let fetched = self.job.api.part_urls(&self.job.upload, &[number]).await.map_err(PutError::api)?;
        fetched.into_iter().find(|(part, _)| *part == number).map(|(_, url)| url).ok_or(PutError::NoUrl)
    }

    /// Fetches the URLs of all parts up to this one and a few more.
    async fn fetch_ahead(&self, urls: &mut Urls, number: u32) -> Result<(), PutError> {
        let ahead = u32::try_from(self.job.parallel).unwrap_or(MOST_URLS).clamp(LEAST_URLS, MOST_URLS);
        let last = number.saturating_add(ahead - 1).min(self.job.parts.count());
        while urls.fetched_to < last {
            let to = urls.fetched_to.saturating_add(MOST_URLS).min(last);
            let wanted: Vec<u32> = (urls.fetched_to + 1..=to).collect();
            let now = Instant::now();
            let fetched = self.job.api.part_urls(&self.job.upload, &wanted).await.map_err(PutError::api)?;
            urls.ready.extend(fetched.into_iter().map(|(number, url)| (number, (url, now))));
            urls.fetched_to = to;
        }
        Ok(())
    }
}
