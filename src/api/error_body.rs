//! Error bodies: `{"error"}`, `{"error","code","details"}`, the old envelope, XML, HTML, text or nothing.

use serde_json::Value;

use crate::model::Secrets;
use crate::model::redact::Redact as _;

use super::json::{Fields, clip};
use super::start_reply::{devices, none_started};

/// Longest words of the server that are kept, in bytes.
const LONGEST_WORDS: usize = 1_000;

/// What an error body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Problem {
    /// The server's own words, one line.
    pub(super) words: Option<String>,
    /// Its code.
    pub(super) code: Option<String>,
    /// Numbers of a full storage.
    pub(super) used: Option<u64>,
    /// Numbers of a full storage.
    pub(super) capacity: Option<u64>,
    /// Numbers of a full storage.
    pub(super) needed: Option<u64>,
    /// Devices on which nothing was started, with the server's words.
    pub(super) refused: Vec<(String, String)>,
    /// True when the body says that nothing at all was started.
    pub(super) none_started: bool,
    /// True when the body is a web page: something else than the service may have answered.
    pub(super) html: bool,
}

/// Reads an error body: the first non-empty of `error`, `message`, the XML's `Message` and the raw text. A server may echo what it was
/// sent: secrets are replaced before anything is cut.
pub(super) fn problem(body: &[u8], secrets: &Secrets) -> Problem {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    if is_html(text) {
        return Problem { html: true, ..Problem::default() };
    }
    if let Ok(mut value) = serde_json::from_str::<Value>(text) {
        value.redact(secrets);
        return of_json(&value);
    }
    let text = &*secrets.redact(text);
    let xml =
        text.split_once("<Message>").and_then(|(_, rest)| rest.split_once("</")).map(|(words, _)| words);
    Problem { words: one_line(xml.unwrap_or(text)), ..Problem::default() }
}

/// True for web pages.
pub(super) fn is_html(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(100).collect::<String>().to_ascii_lowercase();
    ["<!doctype html", "<html", "<head", "<body", "<!--"].iter().any(|tag| start.starts_with(tag))
}

fn of_json(value: &Value) -> Problem {
    let fields = Fields::of(value);
    let nested = fields.object(&["error"]);
    let details = fields.object(&["details"]);
    let words = fields
        .text(&["error"])
        .or_else(|| nested.text(&["message", "error"]))
        .or_else(|| fields.text(&["message", "detail", "title"]))
        .or_else(|| value.as_str().map(str::to_owned));
    let refused = devices(value).1;
    let failed: Vec<String> =
        refused.iter().take(10).map(|(label, words)| format!("{label}: {words}")).collect();
    let words = match (words, failed.is_empty()) {
        (words, true) => words,
        (Some(words), false) => Some(format!("{words} ({})", failed.join("; "))),
        (None, false) => Some(failed.join("; ")),
    };
    let quota = details.count(&["needed"]).is_some();
    let words = match fields.value(&["details"]).filter(|details| !quota && is_telling(details)) {
        Some(details) => Some(format!("{} {}", words.unwrap_or_default(), clip(&details.to_string(), 300))),
        None => words,
    };
    Problem {
        words: words.as_deref().and_then(one_line),
        code: fields.text(&["code"]).or_else(|| nested.text(&["code"])).map(|code| clip(&code, 100)),
        used: details.count(&["used"]),
        capacity: details.count(&["capacity"]),
        needed: details.count(&["needed"]),
        none_started: none_started(value),
        refused,
        html: false,
    }
}

/// True for details that say anything.
fn is_telling(details: &Value) -> bool {
    match details {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => false,
    }
}

fn one_line(text: &str) -> Option<String> {
    let line = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    let line = clip(&line.collect::<Vec<_>>().join(" "), LONGEST_WORDS);
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use crate::model::Secrets;

    fn problem(body: &[u8]) -> super::Problem {
        super::problem(body, &Secrets::default())
    }

    #[test]
    fn finds_the_words_in_every_shape() {
        for (body, words, code) in [
            (r#"{"error":"API key required"}"#, Some("API key required"), None),
            (
                r#"{"error":"Upload not found","code":"UPLOAD_NOT_FOUND"}"#,
                Some("Upload not found"),
                Some("UPLOAD_NOT_FOUND"),
            ),
            (
                r#"{"ok":false,"status":404,"message":"test not found","error":""}"#,
                Some("test not found"),
                None,
            ),
            (r#"{"error":{"message":"nested","code":"X"}}"#, Some("nested"), Some("X")),
            (r#"{"error":null,"message":null}"#, None, None),
            (r#"{"error":"bad","details":{"players":[2]}}"#, Some(r#"bad {"players":[2]}"#), None),
            (r#"{"error":"bad","details":{}}"#, Some("bad"), None),
            ("<Error><Code>A</Code><Message>gone\n away</Message></Error>", Some("gone away"), None),
            ("  upstream\ttimed out \n", Some("upstream timed out"), None),
            ("\u{feff}{\"error\":\"bom\"}", Some("bom"), None),
            ("<!DOCTYPE html><html>secret page</html>", None, None),
            ("", None, None),
            (
                r#"{"ok":false,"results":[{"device_label":"Pixel 8","ok":false,"status":500,"error":"no device"}]}"#,
                Some("Pixel 8: no device"),
                None,
            ),
        ] {
            let problem = problem(body.as_bytes());
            assert_eq!((problem.words.as_deref(), problem.code.as_deref()), (words, code), "{body}");
        }
        assert!(problem(b" <HTML><body>502").html);
    }

    #[test]
    fn reads_the_numbers_of_a_full_storage() {
        let body = br#"{"error":"Storage capacity exceeded","code":"QUOTA_EXCEEDED","details":{"used":10737418240,"capacity":10737418240,"needed":524288000}}"#;
        let problem = problem(body);
        assert_eq!(
            (problem.used, problem.capacity, problem.needed),
            (Some(10_737_418_240), Some(10_737_418_240), Some(524_288_000))
        );
    }

    #[test]
    fn holds_little_of_much() {
        let body = format!(r#"{{"error":"{}"}}"#, "x\\n".repeat(1_000_000));
        assert!(problem(body.as_bytes()).words.unwrap().len() <= 1_000);
    }
}
