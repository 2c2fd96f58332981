//! The handle on the API: where it is, with which key, and how patient.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::http::{HttpError, Limits, Net, RetryLog, Storage, is_confidential, is_loopback};
use crate::model::ApiKey;
use crate::model::secrets::{ExposeSecret as _, Owner};
use crate::model::service::{KeyKind, SERVICE};

/// The artifact host of the service (API reference, "Artifacts").
const ARTIFACTS: &str = "https://bouncer.nunu.ai";
/// Longest part of a path that is shown.
const LONGEST_SEGMENT: usize = 80;

/// How patient calls are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Repeats what may be repeated, for up to 60 s in all.
    Patient,
    /// One attempt.
    Once,
    /// For the way out: 4.5 s in all, 2 s an attempt, connections within 1 s.
    Urgent,
}

/// A call, for people: method and path, without host and query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// HTTP method.
    pub(crate) method: &'static str,
    /// Path below the API base, such as `/builds/upload`.
    pub(crate) path: String,
}

impl Call {
    /// A call to the path of these segments.
    pub(super) fn new(method: &'static str, segments: &[&str]) -> Self {
        let path = segments.iter().fold(String::new(), |path, segment| {
            let shown: String = segment.chars().filter(|c| !c.is_control()).take(LONGEST_SEGMENT).collect();
            format!("{path}/{shown}")
        });
        Self { method, path }
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A cheap handle on the API. Every method may be dropped at any await point without harm to later calls.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    inner: Arc<Inner>,
    mode: Mode,
    /// No budget is longer, when there is one.
    limit: Option<Duration>,
}

#[derive(Debug)]
struct Inner {
    net: Net,
    origin: String,
    /// `.../api/v1` with the project's prefix, or why there is none.
    base: Result<Url, HttpError>,
    project: Option<String>,
    /// The header, marked sensitive; `None` when the key holds characters that no header may carry.
    key: Option<HeaderValue>,
    kind: KeyKind,
}

impl Api {
    /// An API at `origin` (`https://nunu.ai`, without `/api`), patient. The project-scoped routes are used when a project is
    /// given. The key is registered as a secret. A wrong origin shows as an error of the first call.
    pub(crate) fn new(net: Net, origin: &str, project_id: Option<&str>, key: &ApiKey) -> Self {
        let raw = key.expose_secret().trim();
        net.secret(raw, Owner::Key);
        let origin = origin.trim_end_matches('/').to_owned();
        let project = project_id.map(str::trim).filter(|project| !project.is_empty()).map(str::to_owned);
        let inner = Inner {
            base: base(&origin, project.as_deref()),
            project,
            key: HeaderValue::from_str(raw).ok().map(|mut value| {
                value.set_sensitive(true);
                value
            }),
            kind: KeyKind::of(raw),
            net,
            origin,
        };
        Self { inner: Arc::new(inner), mode: Mode::Patient, limit: None }
    }

    /// The same API, never more patient with a service that is silent than `limit`: who gives the whole job seconds does not want
    /// to wait minutes for one call. A budget that is shorter anyway stays as it is.
    pub(crate) fn for_at_most(self, limit: Option<Duration>) -> Self {
        Self { limit, ..self }
    }

    /// The same API, one attempt a call: for polls, whose caller counts streaks.
    pub(crate) fn once(&self) -> Self {
        self.with(Mode::Once)
    }

    /// The same API for the way out: 2 s an attempt, 4.5 s in all.
    pub(crate) fn urgent(&self) -> Self {
        self.with(Mode::Urgent)
    }

    fn with(&self, mode: Mode) -> Self {
        Self { inner: Arc::clone(&self.inner), mode, limit: self.limit }
    }

    /// What kind of key this is; never the key.
    pub(crate) fn key_kind(&self) -> KeyKind {
        self.inner.kind
    }

    /// The project whose routes are used, when one is set.
    pub(crate) fn project_id(&self) -> Option<&str> {
        self.inner.project.as_deref()
    }

    /// Says that this value will be output: nothing that the service or storage lends us from now on may hide it.
    pub(crate) fn will_output(&self, value: &str) {
        self.inner.net.secrets().publish(value);
    }

    /// The storage client, for PUTs to presigned URLs.
    pub(crate) fn storage(&self) -> Storage {
        let storage = Storage::new(self.inner.net.clone());
        // Half of it, so that there is time for another attempt.
        let Some(limit) = self.limit.map(|limit| limit / 2) else { return storage };
        let Limits { stall, answer } = Limits::default();
        storage.with_limits(Limits { stall: stall.min(limit), answer: answer.min(limit) })
    }

    /// Dashboard link of a run: `<origin>/nexus/<project>/runs/m/<run>/details`.
    pub(crate) fn run_url(&self, project_id: &str, run_id: &str) -> String {
        self.link(&["nexus", project_id, "runs", "m", run_id, "details"])
    }

    /// Dashboard link of one player's run: `<origin>/nexus/<project>/runs/c/<player>`.
    pub(crate) fn player_url(&self, project_id: &str, player_id: &str) -> String {
        self.link(&["nexus", project_id, "runs", "c", player_id])
    }

    fn link(&self, segments: &[&str]) -> String {
        join(&self.inner.origin, segments).map_or_else(|| self.inner.origin.clone(), |url| url.to_string())
    }

    /// The longest budget of a call.
    pub(super) const fn limit(&self) -> Option<Duration> {
        self.limit
    }

    pub(super) const fn mode(&self) -> Mode {
        self.mode
    }

    /// What tells of retries, of storage too.
    pub(crate) fn retries(&self) -> &RetryLog {
        self.inner.net.retries()
    }

    pub(super) fn net(&self) -> &Net {
        &self.inner.net
    }

    pub(super) fn key(&self) -> Option<&HeaderValue> {
        self.inner.key.as_ref()
    }

    /// The URL of a path below the API base.
    pub(super) fn url(&self, segments: &[&str]) -> Result<Url, HttpError> {
        let base = self.inner.base.clone()?;
        extend(base, segments)
            .ok_or_else(|| HttpError::Setup("an id in the path is empty or a dot".to_owned()))
    }

    /// Where artifacts are asked for when the service gives no address.
    pub(super) fn artifact_url(&self, player_id: &str, file_name: &str) -> Option<String> {
        let host = if self.inner.origin == SERVICE { ARTIFACTS } else { &self.inner.origin };
        let mut segments = vec!["runs", player_id, "artifacts"];
        segments.extend(file_name.split('/'));
        join(host, &segments).map(|url| url.to_string())
    }

    /// True when the key may be sent to `url`: the API's own host, the artifact host, and with a loopback API other loopback ports.
    pub(super) fn may_see_key(&self, url: &Url) -> bool {
        let Ok(base) = &self.inner.base else { return false };
        let same = base.host_str() == url.host_str()
            && base.port_or_known_default() == url.port_or_known_default()
            && base.scheme() == url.scheme();
        let artifacts = url.scheme() == "https"
            && url.host_str() == Some("bouncer.nunu.ai")
            && url.port_or_known_default() == Some(443);
        is_confidential(url) && (same || artifacts || (is_loopback(base) && is_loopback(url)))
    }

    /// True when a file may be fetched from `url`: encrypted, and this machine's own ports only when the API is there too.
    pub(super) fn may_fetch(&self, url: &Url) -> bool {
        is_confidential(url) && (!is_loopback(url) || self.inner.base.as_ref().is_ok_and(is_loopback))
    }
}

/// The base of every API path.
fn base(origin: &str, project: Option<&str>) -> Result<Url, HttpError> {
    let setup = |text: &str| HttpError::Setup(format!("api-url: {text}"));
    let url = Url::parse(origin).map_err(|_| setup("not a URL such as https://nunu.ai"))?;
    if !is_confidential(&url) {
        return Err(setup("only https:// is accepted (http:// for addresses of this machine alone)"));
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(setup("no user, query or fragment may stand in it"));
    }
    let mut segments = vec!["api", "v1"];
    if let Some(project) = project {
        segments.extend(["project", project]);
    }
    extend(url, &segments).ok_or_else(|| setup("the project id cannot be part of a path"))
}

fn join(origin: &str, segments: &[&str]) -> Option<Url> {
    extend(Url::parse(origin).ok()?, segments)
}

/// The URL with further path segments, each percent-encoded; `None` for segments that would change the path's shape.
fn extend(mut url: Url, segments: &[&str]) -> Option<Url> {
    if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
        return None;
    }
    url.path_segments_mut().ok()?.pop_if_empty().extend(segments);
    Some(url)
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::{Api, Call};
    use crate::http::testing::{Lines, net};
    use crate::model::ApiKey;

    fn api(origin: &str, project: Option<&str>) -> Api {
        Api::new(net(&Lines::default()), origin, project, &ApiKey::from("nunu_test_key_0123456789"))
    }

    #[test]
    fn builds_paths_with_and_without_project() {
        for (origin, project, want) in [
            ("https://nunu.ai", None, "https://nunu.ai/api/v1/jobs/a%2Fb"),
            ("https://nunu.ai/", Some("p 1"), "https://nunu.ai/api/v1/project/p%201/jobs/a%2Fb"),
            ("http://127.0.0.1:7777", Some(" "), "http://127.0.0.1:7777/api/v1/jobs/a%2Fb"),
            ("https://eu.example/nunu", None, "https://eu.example/nunu/api/v1/jobs/a%2Fb"),
        ] {
            assert_eq!(api(origin, project).url(&["jobs", "a/b"]).unwrap().as_str(), want);
        }
    }

    #[test]
    fn refuses_what_must_not_be_called() {
        for (origin, project, segment) in [
            ("http://nunu.ai", None, "j"),
            ("nunu.ai", None, "j"),
            ("https://user@nunu.ai", None, "j"),
            ("https://nunu.ai?x", None, "j"),
            ("https://nunu.ai#x", None, "j"),
            ("https://nunu.ai", Some(".."), "j"),
            ("https://nunu.ai", None, ".."),
            ("https://nunu.ai", None, ""),
        ] {
            assert!(api(origin, project).url(&["jobs", segment]).is_err(), "{origin} {project:?} {segment}");
        }
    }

    #[test]
    fn the_key_goes_to_the_api_and_artifact_hosts_alone() {
        let service = api("https://nunu.ai", None);
        let local = api("http://127.0.0.1:7777", None);
        for (url, from_service, from_local) in [
            ("https://nunu.ai/x", true, false),
            ("https://nunu.ai:8443/x", false, false),
            ("https://bouncer.nunu.ai/x", true, true),
            ("http://bouncer.nunu.ai/x", false, false),
            ("https://bouncer.nunu.ai.evil.example/x", false, false),
            ("https://nunu.ai.evil.example/x", false, false),
            ("https://a.r2.cloudflarestorage.com/x", false, false),
            ("http://127.0.0.1:9999/x", false, true),
            ("http://localhost:9999/x", false, true),
            ("https://nunu.ai@evil.example/x", false, false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(
                (service.may_see_key(&url), local.may_see_key(&url)),
                (from_service, from_local),
                "{url}"
            );
        }
        let mine = Url::parse("http://127.0.0.1:22/").unwrap();
        assert!(!service.may_fetch(&mine) && local.may_fetch(&mine));
    }

    #[test]
    fn links_to_the_dashboard_and_to_artifacts() {
        let api = api("https://nunu.ai", None);
        assert_eq!(api.run_url("p", "r"), "https://nunu.ai/nexus/p/runs/m/r/details");
        assert_eq!(api.player_url("p", "r-1"), "https://nunu.ai/nexus/p/runs/c/r-1");
        assert_eq!(
            api.artifact_url("r-1", "deliverables/a b.md").as_deref(),
            Some("https://bouncer.nunu.ai/runs/r-1/artifacts/deliverables/a%20b.md")
        );
        assert_eq!(api.artifact_url("r-1", "../x"), None);
    }

    #[test]
    fn calls_are_shown_without_control_characters() {
        assert_eq!(Call::new("GET", &["jobs", "a\n::error::b"]).to_string(), "GET /jobs/a::error::b");
    }
}
