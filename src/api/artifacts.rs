//! Artifacts: files that a run left, from the artifact host.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, HeaderValue, RANGE};
use reqwest::{Method, Url};

use crate::http::{Class, Download, HttpError, Policy, Request, Route, retry};

use super::client::{Api, Call, Mode};
use super::error::{ApiError, Fault};
use super::error_body::problem;
use super::request::API_KEY;

/// Time until the head of an answer comes, and longest pause between pieces.
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest refusal that is read.
const LARGEST_REFUSAL: u64 = 64 * 1024;

/// An artifact on its way.
#[derive(Debug)]
pub(crate) struct ArtifactStream {
    /// Bytes in all, when the server says so.
    pub(crate) size_bytes: Option<u64>,
    /// First byte that comes; 0 although more was asked for when the server knows no ranges.
    pub(crate) offset: u64,
    download: Option<Download>,
    call: Call,
    api: Api,
}

impl ArtifactStream {
    /// The next piece; `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, ApiError> {
        let Some(download) = &mut self.download else { return Ok(None) };
        let chunk = download.chunk().await;
        chunk.map_err(|error| {
            ApiError::new(self.call.clone(), self.api.key_note(), None, Fault::Network(error))
        })
    }
}

impl Api {
    /// `GET` an artifact by its URL, from byte `from`. The key goes to the host of the API and to `bouncer.nunu.ai` only; one
    /// redirect is followed, without it.
    pub(crate) async fn artifact(&self, url: &str, from: u64) -> Result<ArtifactStream, ApiError> {
        let parsed = Url::parse(url).ok();
        let path = parsed.as_ref().map_or("/artifact", |url| url.path()).trim_start_matches('/').to_owned();
        let call = Call::new("GET", &path.split('/').collect::<Vec<_>>());
        let policy = match self.mode() {
            Mode::Patient => Policy::patient(Class::Repeatable),
            Mode::Once | Mode::Urgent => Policy::once(Class::Repeatable, PATIENCE),
        };
        let (parsed, call) = (&parsed, &call);
        retry(policy, self.net().retries(), |attempt| async move {
            match parsed {
                Some(url) => self.fetch(url, from, attempt.number, call).await,
                None => Err(self.refused(call, "the address is not a URL")),
            }
        })
        .await
    }

    async fn fetch(
        &self,
        url: &Url,
        from: u64,
        attempt: u32,
        call: &Call,
    ) -> Result<ArtifactStream, ApiError> {
        let first = self.open(url, from, attempt, call, self.may_see_key(url)).await?;
        let status = first.head.status;
        let Some(location) =
            first.head.location.clone().filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308))
        else {
            return self.stream(first, from, call).await;
        };
        let target =
            url.join(&location).map_err(|_| self.refused(call, "the redirect does not lead to a URL"))?;
        self.net().lent_url(&target);
        drop(first);
        let second = self.open(&target, from, attempt, call, false).await?;
        self.stream(second, from, call).await
    }

    async fn open(
        &self,
        url: &Url,
        from: u64,
        attempt: u32,
        call: &Call,
        keyed: bool,
    ) -> Result<Download, ApiError> {
        if !self.may_fetch(url) {
            return Err(self.refused(call, "only https:// addresses outside this machine are fetched"));
        }
        // Sizes and ranges are those of the file itself.
        let mut headers = vec![(ACCEPT_ENCODING, HeaderValue::from_static("identity"))];
        if let Some(key) = self.key().filter(|_| keyed) {
            headers.push((API_KEY, key.clone()));
        }
        if from > 0
            && let Ok(range) = HeaderValue::from_str(&format!("bytes={from}-"))
        {
            headers.push((RANGE, range));
        }
        let request =
            Request { method: Method::GET, url: url.clone(), headers, body: None, route: Route::Pooled };
        let opened = self.net().open(&request, attempt, PATIENCE).await;
        opened.map_err(|error| ApiError::new(call.clone(), self.key_note(), None, Fault::Network(error)))
    }

    async fn stream(&self, download: Download, from: u64, call: &Call) -> Result<ArtifactStream, ApiError> {
        let head = download.head.clone();
        let range = head.content_range.as_deref().and_then(content_range);
        let stream = |size_bytes, offset, download| ArtifactStream {
            size_bytes,
            offset,
            download,
            call: call.clone(),
            api: self.clone(),
        };
        match (head.status, range) {
            (206, Some((Some(start), size))) => Ok(stream(size, start, Some(download))),
            (206, _) => Ok(stream(None, from, Some(download))),
            (200..=299, _) => Ok(stream(head.content_length, 0, Some(download))),
            // All of it is here already.
            (416, Some((None, Some(size)))) if size == from => Ok(stream(Some(size), from, None)),
            (status, _) => {
                let body = download.rest(LARGEST_REFUSAL).await.unwrap_or_default();
                let problem = problem(&body, self.net().secrets());
                Err(ApiError::of_answer(call.clone(), self.key_note(), status, problem, head.retry_after))
            }
        }
    }

    fn refused(&self, call: &Call, why: &str) -> ApiError {
        let fault = Fault::Network(HttpError::Setup(why.to_owned()));
        ApiError::new(call.clone(), self.key_note(), None, fault)
    }
}

/// `bytes 5-9/10` or `bytes */10`: the first byte, and the size (RFC 9110, section 14.4).
pub(super) fn content_range(raw: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (range, size) = raw.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let start = range.split_once('-').and_then(|(start, _)| start.trim().parse().ok());
    Some((start, size.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::content_range;

    #[test]
    fn reads_content_ranges() {
        for (raw, want) in [
            ("bytes 5-9/10", Some((Some(5), Some(10)))),
            ("bytes 5-9/*", Some((Some(5), None))),
            ("bytes */10", Some((None, Some(10)))),
            ("pages 1-2/3", None),
            ("bytes", None),
        ] {
            assert_eq!(content_range(raw), want, "{raw}");
        }
    }
}
