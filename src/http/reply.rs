//! Answers: read to the end within bounds, or streamed.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};

use crate::model::units::Timestamp;

use super::error::HttpError;
use super::retry::LONGEST_RETRY_AFTER;

/// Longest header value that is kept.
const LONGEST_HEADER: usize = 8 * 1024;

/// The parts of an answer's head that matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// HTTP status.
    pub(crate) status: u16,
    /// `Retry-After`, at most 60 s.
    pub(crate) retry_after: Option<Duration>,
    /// `Location`.
    pub(crate) location: Option<String>,
    /// `ETag` as sent.
    pub(crate) etag: Option<String>,
    /// `Content-Range` as sent.
    pub(crate) content_range: Option<String>,
    /// `Content-Length`.
    pub(crate) content_length: Option<u64>,
}

impl Head {
    pub(crate) fn of(response: &Response, now: Timestamp) -> Self {
        let headers = response.headers();
        Self {
            status: response.status().as_u16(),
            retry_after: text(headers, &RETRY_AFTER).and_then(|raw| retry_after(&raw, now)),
            location: text(headers, &LOCATION),
            etag: text(headers, &ETAG),
            content_range: text(headers, &CONTENT_RANGE),
            content_length: text(headers, &CONTENT_LENGTH).and_then(|raw| raw.parse().ok()),
        }
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty() && value.len() <= LONGEST_HEADER).then(|| value.to_owned())
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Status and headers.
    pub(crate) head: Head,
    /// The body, bounded.
    pub(crate) body: Bytes,
}

/// `Retry-After` in whole or broken seconds or as an HTTP date (RFC 9110, section 10.2.3), at most 60 s; a past date is no wait.
pub(super) fn retry_after(raw: &str, now: Timestamp) -> Option<Duration> {
    let wait = match raw.parse::<f64>() {
        Ok(seconds) if seconds >= 0.0 => Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_RETRY_AFTER),
        Ok(_) => return None,
        Err(_) => {
            let date = chrono::DateTime::parse_from_rfc2822(raw).ok()?;
            date.with_timezone(&chrono::Utc).signed_duration_since(now).to_std().unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// Reads the whole body, at most `limit` bytes of it.
pub(crate) async fn read(
    mut response: Response,
    limit: u64,
    host: &str,
    count: &mut u64,
) -> Result<Bytes, HttpError> {
    let too_large = || HttpError::TooLarge { host: host.to_owned(), limit };
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| HttpError::classify(error, host))? {
        *count += chunk.len() as u64;
        if body.len() as u64 + chunk.len() as u64 > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::retry_after;
    use crate::model::units::parse_time;

    #[test]
    fn reads_retry_after_in_seconds_and_as_a_date() {
        let now = parse_time("2026-03-03T15:50:00Z").unwrap();
        for (raw, want) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("60", Some(60)),
            ("3600", Some(60)),
            ("99999999999999999999999999", Some(60)),
            ("1e999", Some(60)),
            ("-5", None),
            ("NaN", None),
            ("soon", None),
            ("Tue, 03 Mar 2026 15:50:09 GMT", Some(9)),
            ("Tue, 03 Mar 2026 16:50:09 GMT", Some(60)),
            ("Tue, 03 Mar 2026 15:49:00 GMT", Some(0)),
        ] {
            assert_eq!(retry_after(raw, now), want.map(Duration::from_secs), "{raw}");
        }
    }
}
