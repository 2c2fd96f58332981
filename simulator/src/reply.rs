//! An answer of one of the hosts.

use bytes::Bytes;
use serde_json::{Value, json};

/// An answer before it meets the wire.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::typed(status, "application/json", value.to_string())
    }

    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "error": message }))
    }

    pub(crate) fn xml(status: u16, code: &str, message: &str) -> Self {
        Self::typed(status, "application/xml", crate::storage::xml(code, message))
    }

    pub(crate) fn typed(status: u16, kind: &str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), kind.to_owned())], body: body.into() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}
