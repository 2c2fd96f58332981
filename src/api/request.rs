//! One `send` for all calls: status and body become a value or a typed error, once.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::Value;

use crate::http::{Class, HttpError, Policy, Reply, Request, Route, retry};
use crate::model::redact::Redact as _;

use super::client::{Api, Call, Mode};
use super::error::{ApiError, Fault, KeyNote};
use super::error_body::{is_html, problem};
use super::incoming;
use super::json::{Fields, clip, list_of};
use super::list_filter::ListFilter;

/// The header that carries the key.
pub(super) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Longest attempt of a call that reads or changes little.
pub(super) const SHORT: Duration = Duration::from_secs(20);
/// Longest attempt of a call that makes the service work: starts and completions.
pub(super) const LONG: Duration = Duration::from_secs(60);
/// Longest attempt on the way out.
const URGENT: Duration = Duration::from_secs(2);
/// An attempt with an effect is never cut shorter: its fate would be unclear for nothing.
const SHORTEST_EFFECTFUL: Duration = Duration::from_secs(30);
/// Most values of a JSON answer; more of them would take memory far beyond the answer's own size.
const MOST_VALUES: usize = 1_000_000;
/// Longest beginning of an unusable answer that is shown, in bytes.
const LONGEST_RAW: usize = 300;
/// Objects on a page of a list.
const PAGE: usize = 100;

/// A call to be made.
#[derive(Debug, Clone)]
pub(super) struct ApiRequest<'a> {
    method: &'static str,
    segments: Vec<&'a str>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    class: Class,
    timeout: Duration,
    keyed: bool,
    lends: bool,
    accept: fn(u16, &Value) -> bool,
}

impl<'a> ApiRequest<'a> {
    fn new(method: &'static str, segments: &[&'a str], class: Class) -> Self {
        Self {
            method,
            segments: segments.to_vec(),
            query: Vec::new(),
            body: None,
            class,
            timeout: SHORT,
            keyed: true,
            lends: false,
            accept: |_, _| false,
        }
    }

    /// A GET.
    pub(super) fn get(segments: &[&'a str]) -> Self {
        Self::new("GET", segments, Class::Repeatable)
    }

    /// A DELETE, safe to repeat.
    pub(super) fn delete(segments: &[&'a str]) -> Self {
        Self::new("DELETE", segments, Class::Repeatable)
    }

    /// A POST of JSON.
    pub(super) fn post(segments: &[&'a str], body: Value, class: Class) -> Self {
        Self { body: Some(body), ..Self::new("POST", segments, class) }
    }

    /// With a query parameter; empty values are left out.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.query.push((name, value));
        }
        self
    }

    /// For replies that lend us secrets, which are read as they are.
    pub(super) fn lending(self) -> Self {
        Self { lends: true, ..self }
    }

    /// With another longest attempt.
    pub(super) fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Without the key.
    pub(super) fn keyless(self) -> Self {
        Self { keyed: false, ..self }
    }

    /// Takes answers that are no success as answers all the same.
    pub(super) fn accepting(self, accept: fn(u16, &Value) -> bool) -> Self {
        Self { accept, ..self }
    }
}

/// A usable answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// Body; null when it is empty.
    pub(super) json: Value,
}

impl Api {
    /// Makes the call as patiently as this handle is, and reads the answer with `read`, whose error says what is missing.
    pub(super) async fn send<T>(
        &self,
        request: &ApiRequest<'_>,
        read: impl Fn(&Answer) -> Result<T, String> + Send + Sync,
    ) -> Result<T, ApiError> {
        let call = Call::new(request.method, &request.segments);
        let fail = |fault| ApiError::new(call.clone(), self.key_note(), None, fault);
        let http_request = self.http_request(request).map_err(|error| fail(Fault::Network(error)))?;
        let timeout = match (self.mode(), request.class, self.limit()) {
            (Mode::Urgent, ..) => URGENT,
            // Half of it, so that there is time for another attempt.
            (_, Class::Repeatable, Some(limit)) => request.timeout.min(limit / 2),
            _ => request.timeout,
        };
        let policy = match self.mode() {
            Mode::Patient => Policy::patient(request.class).within(self.limit().unwrap_or(Duration::MAX)),
            Mode::Once => Policy::once(request.class, timeout),
            Mode::Urgent => Policy::urgent(request.class),
        };
        let least =
            if request.class == Class::Effectful { SHORTEST_EFFECTFUL } else { Duration::from_secs(1) };
        let (call, fail, read, http_request) = (&call, &fail, &read, &http_request);
        retry(policy, self.net().retries(), |attempt| async move {
            let time = timeout.min(attempt.time_left.max(least));
            let reply = self.net().send(http_request, attempt.number, time).await;
            let reply = reply.map_err(|error| fail(Fault::Network(error)))?;
            let answer = self.check(request, call, &reply)?;
            read(&answer).map_err(|what| self.unusable(call, &answer, &what))
        })
        .await
    }

    /// All pages of a list, at most `most` objects, each read by `read`; those it cannot read are left out, and so are those that
    /// `filter` does not want, for services that ignore filters. There the pages go on only as long as they may hold something:
    /// a list that begins with the newest is left once it is a day old, or once everything of one moment was found.
    pub(super) async fn pages<T>(
        &self,
        request: &ApiRequest<'_>,
        names: &'static [&'static str],
        most: usize,
        read: impl Fn(&Value) -> Option<T> + Send + Sync,
        filter: ListFilter<'_, T>,
    ) -> Result<Vec<T>, ApiError>
    where
        T: PartialEq + Clone + Send,
    {
        let mut all: Vec<T> = Vec::new();
        let mut first: Option<T> = None;
        for page in 0..most.div_ceil(PAGE).max(1) {
            let request = request
                .clone()
                .with("page", page.to_string())
                .with("page_size", most.clamp(1, PAGE).to_string());
            let (items, more) = self
                .send(&request, |answer| {
                    let items = list_of(&answer.json, names).ok_or("no list")?;
                    let pages = Fields::of(&answer.json).object(&["pagination"]).count(&["total_pages"]);
                    let more = pages.is_some_and(|pages| pages > page as u64 + 1) && !items.is_empty();
                    Ok((items.iter().filter_map(&read).collect::<Vec<T>>(), more))
                })
                .await?;
            // A service that does not know pages gives the first one for ever.
            let repeated = page > 0 && !items.is_empty() && items.first() == first.as_ref();
            if repeated {
                break;
            }
            first = first.or_else(|| items.first().cloned());
            let over = !more || filter.is_over(&items, !all.is_empty(), chrono::Utc::now());
            all.extend(items.into_iter().filter(|item| (filter.keep)(item)));
            if over || all.len() >= most {
                break;
            }
        }
        all.truncate(most);
        Ok(all)
    }

    /// What messages may tell of the key.
    pub(super) fn key_note(&self) -> KeyNote {
        KeyNote { kind: self.key_kind(), project: self.project_id().is_some() }
    }

    fn http_request(&self, request: &ApiRequest<'_>) -> Result<Request, HttpError> {
        let mut url = self.url(&request.segments)?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut headers = vec![(ACCEPT, HeaderValue::from_static("application/json"))];
        if request.keyed {
            let key = self.key().ok_or_else(|| {
                HttpError::Setup(
                    "the API key holds characters that no key has, such as a line break".to_owned(),
                )
            })?;
            headers.push((API_KEY, key.clone()));
        }
        let body = request.body.as_ref().map(|body| Bytes::from(body.to_string()));
        if body.is_some() {
            headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        }
        let route = match (self.mode(), request.class) {
            (Mode::Urgent, _) => Route::Urgent,
            (_, Class::Effectful) => Route::Fresh,
            (_, Class::Repeatable) => Route::Pooled,
        };
        let method = match request.method {
            "POST" => Method::POST,
            "DELETE" => Method::DELETE,
            _ => Method::GET,
        };
        Ok(Request { method, url, headers, body, route })
    }

    /// An answer that lacks what it has to hold, with its beginning as the server's words.
    fn unusable(&self, call: &Call, answer: &Answer, what: &str) -> ApiError {
        let fault = Fault::Unreadable(format!("an answer that cannot be used ({what})"));
        let mut error = ApiError::new(call.clone(), self.key_note(), Some(answer.status), fault);
        error.understood = answer.json.is_object();
        let mut shown = without_secrets(&answer.json);
        shown.redact(self.net().secrets());
        error.words = Some(clip(&shown.to_string(), LONGEST_RAW)).filter(|_| !shown.is_null());
        error
    }

    /// Status and body become an answer or an error.
    fn check(&self, request: &ApiRequest<'_>, call: &Call, reply: &Reply) -> Result<Answer, ApiError> {
        let status = reply.head.status;
        let parsed = parse(&reply.body);
        if let Ok(json) = &parsed
            && ((200..300).contains(&status) || (request.accept)(status, json))
        {
            let mut answer = Answer { status, json: json.clone() };
            let received = if request.lends {
                incoming::check_ids(&answer.json, self.net())
            } else {
                incoming::receive(&mut answer.json, self.net())
            };
            return match received {
                Ok(()) => Ok(answer),
                Err(what) => Err(self.unusable(call, &answer, &what)),
            };
        }
        if let (Err(what), 200..300) = (parsed, status) {
            return Err(ApiError::new(call.clone(), self.key_note(), Some(status), Fault::Unreadable(what)));
        }
        let problem = problem(&reply.body, self.net().secrets());
        Err(ApiError::of_answer(call.clone(), self.key_note(), status, problem, reply.head.retry_after))
    }
}

/// The answer without what lets others write to storage: nobody has registered that of an answer that could not be read.
fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let value = if name.contains("upload_id") { "***".into() } else { without_secrets(value) };
                (name.clone(), value)
            };
            members.iter().map(member).collect()
        }
        Value::Array(items) => items.iter().map(without_secrets).collect(),
        Value::String(text) if text.contains("://") => "***".into(),
        other => other.clone(),
    }
}

/// The JSON of a body; null when it is empty.
pub(super) fn parse(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|_| "text that is not UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Ok(Value::Null);
    }
    if is_html(text) {
        return Err("a web page instead of JSON".to_owned());
    }
    if text.bytes().filter(|byte| *byte == b',').count() > MOST_VALUES {
        return Err("more values than the service ever sends".to_owned());
    }
    // serde_json itself refuses nesting deeper than 128.
    serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => "JSON that is cut short".to_owned(),
        _ => "something that is not JSON".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{parse, without_secrets};

    #[test]
    fn an_unusable_answer_shows_no_way_to_storage() {
        let answer = json!({"build_id": "b", "upload_id": "secret", "upload_urls": [{"url": "https://s3/x?sig=1", "part_number": 1}]});
        assert_eq!(
            without_secrets(&answer),
            json!({"build_id": "b", "upload_id": "***", "upload_urls": [{"url": "***", "part_number": 1}]})
        );
    }

    #[test]
    fn tells_what_an_answer_is_instead_of_json() {
        assert_eq!(parse(b"\xef\xbb\xbf {\"a\":1}\n"), Ok(json!({"a": 1})));
        assert_eq!(parse(b" "), Ok(json!(null)));
        for (body, want) in [
            (b"<html>".to_vec(), "a web page instead of JSON"),
            (b"{\"a\":".to_vec(), "JSON that is cut short"),
            (b"garbage".to_vec(), "something that is not JSON"),
            (b"\xff\xfe".to_vec(), "text that is not UTF-8"),
            ("[".repeat(100_000).into_bytes(), "something that is not JSON"),
            (
                format!("[{}1]", "1,".repeat(2_000_000)).into_bytes(),
                "more values than the service ever sends",
            ),
        ] {
            assert_eq!(parse(&body).unwrap_err(), want);
        }
    }
}
