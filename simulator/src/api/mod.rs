//! The API host: authentication, then one function per call.

mod follow;
mod start;
mod upload;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::call::Call;
use crate::exchange::Reply;
use crate::keys::{Refusal, authorize};
use crate::route::Routed;
use crate::state::Inner;
use crate::wire::Wire;

/// A request to the API with everything its handler needs.
pub(crate) struct ApiRequest {
    pub(crate) inner: Arc<Inner>,
    pub(crate) routed: Routed,
    pub(crate) key: Option<String>,
    pub(crate) body: Option<Value>,
    /// There was a body; when it is not JSON, `body` is none.
    pub(crate) malformed: bool,
}

impl ApiRequest {
    /// A field of the body that is not `null`.
    fn field(&self, name: &str) -> Option<&Value> {
        self.body.as_ref()?.get(name).filter(|v| !v.is_null())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.field(name)?.as_str()
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.field(name)?.as_bool()
    }

    /// A list of strings; absent counts as empty.
    fn list(&self, name: &str) -> Result<Vec<String>, Reply> {
        let Some(value) = self.field(name) else { return Ok(Vec::new()) };
        let items = value.as_array().and_then(|items| {
            items.iter().map(|i| i.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        items.ok_or_else(|| Reply::error(400, &format!("{name} must be a list of strings")))
    }

    /// A list reply, one page of it.
    fn page(&self, mut items: Vec<Value>, default_size: usize) -> Reply {
        let number = |name: &str, default| {
            self.routed.param(name).map_or(Ok(default), |v| v.parse::<usize>().map_err(|_| name.to_owned()))
        };
        let (page, size) = match (number("page", 0), number("page_size", default_size)) {
            (Ok(page), Ok(size)) if (1..=100).contains(&size) => (page, size),
            (Err(name), _) => return Reply::error(400, &format!("{name} must be a number")),
            _ => return Reply::error(400, "page_size must be between 1 and 100"),
        };
        let total = items.len();
        let data: Vec<Value> = items.drain(page.saturating_mul(size).min(total)..).take(size).collect();
        let wire = Wire::new(&self.inner);
        Reply::json(
            200,
            &wire.finish(json!({
                "data": data,
                "pagination": { "page": page, "page_size": size, "total_count": total,
                    "total_pages": total.div_ceil(size) },
            })),
        )
    }
}

/// Answers a call to the API.
pub(crate) async fn answer(request: ApiRequest) -> Reply {
    let call = request.routed.call;
    if !request.inner.config.serves(call) {
        return Reply::error(404, "not found");
    }
    if call == Call::PartUrls {
        return upload::part_urls(&request);
    }
    let home = &request.inner.config.project;
    let allowed = request.inner.with(|state| {
        let project = request.routed.project.as_deref();
        authorize(&state.keys, request.key.as_deref(), project, home, call.permission())
            .map(|key| key.id.clone())
    });
    let key_id = match allowed {
        Ok(key_id) => key_id,
        Err(Refusal(status, message)) => return Reply::error(status, &message),
    };
    if request.malformed && request.body.is_none() {
        return Reply::error(400, "request body is not valid JSON");
    }
    match call {
        Call::Initiate => upload::initiate(&request).await,
        Call::Complete => upload::complete(&request).await,
        Call::CancelUpload => upload::cancel(&request).await,
        Call::ListBuilds => upload::list(&request),
        Call::GetBuild => upload::get(&request),
        Call::DeleteBuild => upload::delete(&request),
        Call::StartRun => start::run(&request, &key_id),
        Call::StartPlan => start::plan(&request, &key_id),
        Call::Stop => start::stop(&request, &key_id),
        _ => follow::answer(&request),
    }
}
