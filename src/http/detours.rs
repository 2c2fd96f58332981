//! What in the environment changes the way of every request or whom it trusts. Pure.

use crate::model::Env;

use super::proxy;

/// A proxy and further certificates, in words that name the variable; nothing in the usual case. A proxy's password is not among them.
pub(crate) fn detours(env: &Env) -> Vec<String> {
    let mut told = Vec::new();
    if let Ok(Some(setting)) = proxy::from_env(env) {
        told.push(format!("through the proxy {} ({})", setting.host, setting.variable));
    }
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        if let Some(place) = env.get(variable) {
            told.push(format!("trusting also the certificates of {place} ({variable})"));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::{Env, detours};

    #[test]
    fn proxy_and_certificates_are_named_and_no_password_is() {
        assert_eq!(detours(&Env::from([("HTTP_PROXY", "http://proxy:1")])), Vec::<String>::new());
        let env = Env::from([
            ("HTTPS_PROXY", "http://me:hunter2@proxy.corp:3128"),
            ("SSL_CERT_FILE", "/etc/corp.pem"),
            ("SSL_CERT_DIR", "/etc/corp"),
        ]);
        assert_eq!(
            detours(&env),
            [
                "through the proxy proxy.corp:3128 (HTTPS_PROXY)",
                "trusting also the certificates of /etc/corp.pem (SSL_CERT_FILE)",
                "trusting also the certificates of /etc/corp (SSL_CERT_DIR)",
            ]
        );
    }
}
