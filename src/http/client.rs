//! The clients: one for the API and artifacts, one for the way out, one for storage.

use std::sync::Arc;

use crate::model::{Env, Log, Secrets};

use super::error::HttpError;
use super::recorder::Recorder;
use super::storage::Storage;

/// A cheap handle on the network.
#[derive(Debug, Clone)]
pub struct Net(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    recorder: Recorder,
    secrets: Secrets,
    log: Log,
}

impl Net {
    /// Clients with the proxies and certificates of `env`. Also installs the crypto provider.
    ///
    /// # Errors
    /// When a proxy setting cannot be used. An unreadable `SSL_CERT_FILE` is a warning in the log.
    pub fn new(env: &Env, user_agent: &str, secrets: Secrets, log: Log) -> Result<Self, HttpError> {
        let _ = (env, user_agent);
        Ok(Self(Arc::new(Inner { recorder: Recorder::new(secrets.clone()), secrets, log })))
    }
    /// The flight recorder.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }
    /// The storage client.
    #[must_use]
    pub fn storage(&self) -> Storage {
        todo!()
    }
    /// Registers a secret and masks every form of it on the host.
    pub fn secret(&self, raw: &str) {
        for form in self.0.secrets.register(raw) {
            self.0.log.mask(&form);
        }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request;
