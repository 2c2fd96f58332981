//! TLS: the crypto provider and whom to trust.

/// Makes ring the process's crypto provider. Call first in `main`; calling again changes nothing.
pub fn install_crypto() {
    // An earlier call has already done it; that is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
