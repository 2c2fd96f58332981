//! Fuzz targets of this module: headers of any server.

use std::time::Duration;

use crate::model::units::{Timestamp, format_time, parse_time};

use super::presigned::ETag;
use super::reply::retry_after;

/// `Retry-After`, `ETag` and time stamps.
pub(crate) fn headers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    assert!(retry_after(&text, Timestamp::default()).is_none_or(|wait| wait <= Duration::from_secs(60)));
    if let Some(tag) = ETag::parse(&text) {
        assert!(!tag.as_str().is_empty() && !tag.as_str().starts_with('"') && !tag.as_str().ends_with('"'));
    }
    if let Some(time) = parse_time(&text) {
        let written = format_time(time);
        assert!(parse_time(&written).map(format_time).is_none_or(|again| again == written), "{written}");
    }
}
