//! A call to the API, and what its handlers ask of it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::reply::Reply;
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
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.body.as_ref()?.get(name).filter(|v| !v.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.field(name)?.as_str()
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.field(name)?.as_bool()
    }

    /// A list of strings; absent counts as empty.
    pub(super) fn list(&self, name: &str) -> Result<Vec<String>, Reply> {
        let Some(value) = self.field(name) else { return Ok(Vec::new()) };
        let items = value.as_array().and_then(|items| {
            items.iter().map(|i| i.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        items.ok_or_else(|| Reply::error(400, &format!("{name} must be a list of strings")))
    }

    /// A list reply, one page of it.
    pub(super) fn page(&self, mut items: Vec<Value>, default_size: usize) -> Reply {
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
