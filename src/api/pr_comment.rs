//! Comments on GitHub pull requests and GitLab merge requests, with their own tokens on their own hosts.
//! The nunu.ai key never comes here.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::http::{Class, HttpError, Net, Policy, Reply, Request, Route, is_confidential, retry};
use crate::model::Secrets;
use crate::model::secrets::{ExposeSecret as _, Owner, SecretString};
use crate::model::service::KeyKind;

use super::Fault;
use super::client::Call;
use super::error::{ApiError, KeyNote};
use super::error_body;
use super::json::{Fields, list_of};

/// Comments on a page.
const PAGE: usize = 100;
/// Pages that are read.
const PAGES: usize = 10;
/// All attempts of one call together: a comment must not hold a job up.
const BUDGET: Duration = Duration::from_secs(20);
/// One attempt.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Where comments go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommentTarget {
    /// GitHub: issue comments (REST API, "Issue comments").
    GitHub {
        /// `GITHUB_API_URL`.
        api_url: String,
        /// `owner/name`.
        repository: String,
        /// Pull request number.
        number: u64,
    },
    /// GitLab: merge request notes (REST API, "Notes").
    GitLab {
        /// `CI_API_V4_URL`.
        api_url: String,
        /// Numeric id, or path.
        project: String,
        /// Merge request `iid`.
        number: u64,
    },
}

/// Who writes with the token of a GitHub workflow, which may not ask who it is.
const WORKFLOW: &str = "github-actions[bot]";

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comment {
    /// Id.
    pub(crate) id: u64,
    /// Login of who wrote it; empty when the target does not say.
    pub(crate) author: String,
    /// Text.
    pub(crate) body: String,
}

/// Why a comment could not be read or written. Never fails the job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct CommentError {
    /// What failed, with the server's words.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
    status: Option<u16>,
}

/// Calls to a target.
#[derive(Debug, Clone)]
pub(crate) struct Comments {
    net: Net,
    target: CommentTarget,
    token: SecretString,
}

impl Comments {
    /// Comments at `target`, with a token of that target, which is registered as a secret.
    pub(crate) fn new(net: Net, target: CommentTarget, token: SecretString) -> Self {
        net.secret(token.expose_secret(), Owner::User);
        Self { net, target, token }
    }

    /// The login that the token writes as.
    pub(crate) async fn author(&self) -> Result<String, CommentError> {
        let said = match self.call("GET", self.api(&["user"])?, None, Class::Repeatable).await {
            Ok(said) => said,
            // Tokens of an installation are nobody's.
            Err(error) if matches!(error.status, Some(401 | 403 | 404)) && self.is_github() => {
                return Ok(WORKFLOW.to_owned());
            }
            Err(error) => return Err(error),
        };
        Fields::of(&said).text(&["login", "username"]).ok_or_else(|| CommentError {
            message: format!("{} does not say whose token this is", self.name()),
            hint: None,
            status: None,
        })
    }

    /// All comments, at most 1,000.
    pub(crate) async fn list(&self) -> Result<Vec<Comment>, CommentError> {
        let mut comments = Vec::new();
        for page in 1..=PAGES {
            let mut url = self.url(None)?;
            url.query_pairs_mut()
                .append_pair("per_page", &PAGE.to_string())
                .append_pair("page", &page.to_string());
            let reply = self.call("GET", url, None, Class::Repeatable).await?;
            let items = list_of(&reply, &[]).map(<[Value]>::to_vec).unwrap_or_default();
            comments.extend(items.iter().filter_map(|item| {
                let fields = Fields::of(item);
                let author = [fields.object(&["user"]), fields.object(&["author"])]
                    .into_iter()
                    .find_map(|author| author.text(&["login", "username"]));
                Some(Comment {
                    id: fields.count(&["id"])?,
                    author: author.unwrap_or_default(),
                    body: fields.text(&["body"]).unwrap_or_default(),
                })
            }));
            if items.len() < PAGE {
                break;
            }
        }
        Ok(comments)
    }

    /// Writes a new comment.
    pub(crate) async fn create(&self, body: &str) -> Result<(), CommentError> {
        self.call("POST", self.url(None)?, Some(body), Class::Effectful).await.map(drop)
    }

    /// Replaces the text of a comment.
    pub(crate) async fn update(&self, id: u64, body: &str) -> Result<(), CommentError> {
        let method = match self.target {
            CommentTarget::GitHub { .. } => "PATCH",
            CommentTarget::GitLab { .. } => "PUT",
        };
        self.call(method, self.url(Some(id))?, Some(body), Class::Repeatable).await.map(drop)
    }

    /// The list of comments, or one of them.
    fn url(&self, id: Option<u64>) -> Result<Url, CommentError> {
        let mut segments = match &self.target {
            CommentTarget::GitHub { repository, number, .. } => {
                let mut segments = vec!["repos".to_owned()];
                segments.extend(repository.split('/').map(str::to_owned));
                segments.push("issues".to_owned());
                if id.is_none() {
                    segments.push(number.to_string());
                }
                segments.push("comments".to_owned());
                segments
            }
            CommentTarget::GitLab { project, number, .. } => {
                let words = ["projects", project, "merge_requests", &number.to_string(), "notes"];
                words.map(str::to_owned).to_vec()
            }
        };
        segments.extend(id.map(|id| id.to_string()));
        self.api(&segments)
    }

    /// The address of a path of the target's API.
    fn api<S: AsRef<str>>(&self, segments: &[S]) -> Result<Url, CommentError> {
        let (CommentTarget::GitHub { api_url, .. } | CommentTarget::GitLab { api_url, .. }) = &self.target;
        let wrong = || CommentError {
            message: format!("the address of the {} API is not an https:// URL", self.name()),
            hint: None,
            status: None,
        };
        let mut url = Url::parse(api_url).ok().filter(is_confidential).ok_or_else(wrong)?;
        url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(segments);
        Ok(url)
    }

    async fn call(
        &self,
        method: &'static str,
        url: Url,
        text: Option<&str>,
        class: Class,
    ) -> Result<Value, CommentError> {
        let call = Call { method, path: url.path().to_owned() };
        let request = self.request(method, url, text)?;
        let policy = Policy { budget: BUDGET, ..Policy::patient(class) };
        let (call, request) = (&call, &request);
        let answer = retry(policy, self.net.retries(), |attempt| async move {
            let time = ATTEMPT.min(attempt.time_left.max(Duration::from_secs(1)));
            let reply = self.net.send(request, attempt.number, time).await;
            let fail = |error| ApiError::new(call.clone(), NO_KEY, None, Fault::Network(error));
            check(call, &reply.map_err(fail)?, self.net.secrets())
        });
        answer.await.map_err(|error| self.error(&error))
    }

    fn request(&self, method: &'static str, url: Url, text: Option<&str>) -> Result<Request, CommentError> {
        let token = self.token.expose_secret().trim();
        let (name, value, accept) = match self.target {
            CommentTarget::GitHub { .. } => {
                (AUTHORIZATION, format!("Bearer {token}"), "application/vnd.github+json")
            }
            CommentTarget::GitLab { .. } => {
                (HeaderName::from_static("private-token"), token.to_owned(), "application/json")
            }
        };
        let mut value = HeaderValue::from_str(&value).map_err(|_| CommentError {
            message: format!("the {} token holds characters that no token has", self.name()),
            hint: None,
            status: None,
        })?;
        value.set_sensitive(true);
        let mut headers = vec![(name, value), (ACCEPT, HeaderValue::from_static(accept))];
        if self.is_github() {
            let version = HeaderValue::from_static("2022-11-28");
            headers.push((HeaderName::from_static("x-github-api-version"), version));
        }
        if text.is_some() {
            headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
        let body = text.map(|text| Bytes::from(json!({ "body": text }).to_string()));
        Ok(Request { method, url, headers, body, route: Route::Pooled })
    }

    const fn is_github(&self) -> bool {
        matches!(self.target, CommentTarget::GitHub { .. })
    }

    const fn name(&self) -> &'static str {
        match self.target {
            CommentTarget::GitHub { .. } => "GitHub",
            CommentTarget::GitLab { .. } => "GitLab",
        }
    }

    fn error(&self, error: &ApiError) -> CommentError {
        let hint = match (&self.target, error.status) {
            (CommentTarget::GitHub { .. }, Some(401)) => {
                Some("the token is not valid: pass github-token: ${{ github.token }}")
            }
            (CommentTarget::GitHub { .. }, Some(403 | 404)) => Some(
                "the token may not write comments (pull requests of forks get a read-only one); add to the job:\n  permissions:\n    pull-requests: write",
            ),
            (CommentTarget::GitLab { .. }, Some(401)) => Some(
                "the token is not valid: use a project access token with the scope api (CI_JOB_TOKEN cannot write notes)",
            ),
            (CommentTarget::GitLab { .. }, Some(403 | 404)) => Some(
                "the token may not write notes: it needs the scope api and at least the role Reporter in this project",
            ),
            _ => None,
        };
        let network = match &error.fault {
            Fault::Network(HttpError::Tls { certificate: true, host, .. }) => {
                Some(format!("put your company's CA of {host} into a PEM file and set SSL_CERT_FILE to it"))
            }
            _ => None,
        };
        CommentError {
            message: format!("{}: {error}", self.name()),
            hint: hint.map(str::to_owned).or(network),
            status: error.status,
        }
    }
}

/// There is no nunu.ai key in these calls.
const NO_KEY: KeyNote = KeyNote { kind: KeyKind::Other, project: false };

fn check(call: &Call, reply: &Reply, secrets: &Secrets) -> Result<Value, ApiError> {
    let status = reply.head.status;
    if (200..300).contains(&status) {
        return serde_json::from_slice(&reply.body).map_err(|_| {
            ApiError::new(
                call.clone(),
                NO_KEY,
                Some(status),
                Fault::Unreadable("something that is not JSON".to_owned()),
            )
        });
    }
    let problem = error_body::problem(&reply.body, secrets);
    Err(ApiError::of_answer(call.clone(), NO_KEY, status, problem, reply.head.retry_after))
}
