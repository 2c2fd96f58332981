//! Units as people read them, and the service's time stamps.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// A point in time as the service and our files write it.
pub(crate) type Timestamp = DateTime<Utc>;

/// One mebibyte.
pub(crate) const MIB: u64 = 1024 * 1024;

/// Reads an ISO-8601 time stamp of any generation; `None` when it is not one.
pub(crate) fn parse_time(raw: &str) -> Option<Timestamp> {
    let raw = raw.trim();
    DateTime::parse_from_rfc3339(raw).map(|time| time.with_timezone(&Utc)).ok().or_else(|| {
        // A stamp without an offset is taken as UTC.
        chrono::NaiveDateTime::parse_from_str(raw, "%Y-%m-%dT%H:%M:%S%.f").ok().map(|time| time.and_utc())
    })
}

/// `2026-03-03T15:50:23Z`.
pub(crate) fn format_time(time: Timestamp) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// At most `most` characters, with an ellipsis for the rest.
pub(crate) fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

/// `2 h 5 min`, `3 min 20 s`, `12 s`, `0.4 s`: at most two units.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.as_millis() > 0 => format!("0.{} s", (time.as_millis() / 100).clamp(1, 9)),
        0..=59 => format!("{seconds} s"),
        60..=3599 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..=86_399 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn two(big: u64, big_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{big} {big_unit}") } else { format!("{big} {big_unit} {small} {small_unit}") }
}

/// `512 B`, `3.0 KB`, `1.5 GB`: powers of 1000, as storage services count.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KB", "MB", "GB", "TB", "PB"];
    let mut unit = 0;
    let mut scale: u128 = 1;
    // One rounding, at the end: the number shown is the nearest tenth.
    while (u128::from(count) * 10 + scale / 2) / scale >= 10_000 && unit + 1 < UNITS.len() {
        scale *= 1000;
        unit += 1;
    }
    let tenths = (u128::from(count) * 10 + scale / 2) / scale;
    if unit == 0 { format!("{count} B") } else { format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::{Duration, bytes, duration, format_time, parse_time};

    #[test]
    fn reads_old_and_new_time_stamps() {
        for raw in [
            "2026-03-03T15:50:23Z",
            "2026-03-03T15:50:23.601048+00:00",
            "2026-03-03T15:50:23.601048",
            "2026-03-03T17:50:23+02:00",
        ] {
            assert_eq!(parse_time(raw).map(format_time).as_deref(), Some("2026-03-03T15:50:23Z"), "{raw}");
        }
        assert_eq!(parse_time("yesterday"), None);
    }

    #[test]
    fn shows_durations_in_two_units() {
        for (millis, want) in [
            (0, "0 s"),
            (40, "0.1 s"),
            (450, "0.4 s"),
            (12_000, "12 s"),
            (200_000, "3 min 20 s"),
            (3_600_000, "1 h"),
            (7_500_000, "2 h 5 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), want);
        }
    }

    #[test]
    fn shows_bytes_in_decimal_units() {
        for (count, want) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KB"),
            (1_500_000_000, "1.5 GB"),
            (3_000_000, "3.0 MB"),
            (10_737_418_240, "10.7 GB"),
            (999_960, "1.0 MB"),
        ] {
            assert_eq!(bytes(count), want);
        }
        assert!(bytes(u64::MAX).ends_with("PB"));
    }
}
