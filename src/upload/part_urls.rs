//! The presigned URLs of parts: a few are asked for ahead, so that no part waits for one and none is old when its part begins.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::put::PutError;
use crate::api::{Api, PresignedUrl, UploadHandle};

/// Presigned URLs live about an hour; an older one than this is not worth the risk of sending a part in vain.
const FRESH: Duration = Duration::from_secs(600);
/// The service advises 3-10 URLs a request.
const MOST: u32 = 10;
const LEAST: u32 = 3;

/// The URLs of one upload.
pub(crate) struct PartUrls {
    pub(crate) api: Api,
    upload: UploadHandle,
    /// Parts in all.
    count: u32,
    fetched: Mutex<Fetched>,
}

/// URLs that were fetched a few ahead.
#[derive(Default)]
struct Fetched {
    ready: BTreeMap<u32, (PresignedUrl, Instant)>,
    /// Every part up to this one has had a URL.
    up_to: u32,
}

impl PartUrls {
    /// None is fetched yet.
    pub(crate) fn new(api: Api, upload: UploadHandle, count: u32) -> Self {
        Self { api, upload, count, fetched: Mutex::default() }
    }

    /// A URL for one attempt: one that was fetched with others a moment ago, or, for every further attempt, a fresh one. `in_flight` parts
    /// are sent at a time; as many URLs are fetched ahead, within the service's advice.
    pub(crate) async fn of(&self, number: u32, in_flight: usize) -> Result<PresignedUrl, PutError> {
        {
            // One request at a time: those who wait find their URL when it is their turn.
            let mut fetched = self.fetched.lock().await;
            let ahead = u32::try_from(in_flight).unwrap_or(MOST).clamp(LEAST, MOST);
            let last = number.saturating_add(ahead - 1).min(self.count);
            while number > fetched.up_to {
                self.fetch_up_to(last, &mut fetched).await?;
            }
            // Taken out, so that no URL is used twice.
            let stored = fetched.ready.remove(&number).filter(|(_, at)| at.elapsed() < FRESH);
            if let Some((url, _)) = stored {
                return Ok(url);
            }
        }
        let urls = self.fetch(&[number]).await?;
        urls.into_iter().find(|(part, _)| *part == number).map(|(_, url)| url).ok_or(PutError::NoUrl)
    }

    async fn fetch_up_to(&self, last: u32, fetched: &mut Fetched) -> Result<(), PutError> {
        let to = fetched.up_to.saturating_add(MOST).min(last);
        let wanted: Vec<u32> = (fetched.up_to + 1..=to).collect();
        let now = Instant::now();
        let urls = self.fetch(&wanted).await?;
        fetched.ready.extend(urls.into_iter().map(|(number, url)| (number, (url, now))));
        fetched.up_to = to;
        Ok(())
    }

    async fn fetch(&self, parts: &[u32]) -> Result<Vec<(u32, PresignedUrl)>, PutError> {
        self.api.part_urls(&self.upload, parts).await.map_err(PutError::api)
    }
}
