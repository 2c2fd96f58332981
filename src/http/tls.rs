//! TLS: the crypto provider and whom to trust: the system's store, the bundled roots and the company's own CA.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::disk;
use crate::model::{Env, Log};

use super::error::HttpError;

/// Most files that are read from one folder of certificates.
const MOST_FILES: usize = 1_000;
/// A store with every certificate of the world is far below.
const LARGEST_PEM: u64 = 16 * 1024 * 1024;

/// Makes ring the process's crypto provider. Call first in `main`; calling again changes nothing.
pub fn install_crypto() {
    // An earlier call has already done it; that is fine.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// What every client speaks: TLS 1.2 or 1.3, HTTP/1.1, certificates verified against the system's store, the bundled Mozilla
/// roots (containers without a store) and the files that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
pub(crate) fn config(env: &Env, log: &Log) -> Result<ClientConfig, HttpError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // A store that is missing or damaged leaves the others; a certificate that is no trust anchor is left out.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(company_roots(env, log));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| HttpError::Setup(format!("cannot set up TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates of `SSL_CERT_FILE` and `SSL_CERT_DIR`. What cannot be used is a warning: the other roots may do.
fn company_roots(env: &Env, log: &Log) -> Vec<CertificateDer<'static>> {
    let mut roots = Vec::new();
    if let Some(file) = env.get("SSL_CERT_FILE") {
        match read(Path::new(file)) {
            Ok(found) if !found.is_empty() => roots.extend(found),
            Ok(_) => log.warn(format!("SSL_CERT_FILE: no certificate in PEM form in {file}")),
            Err(error) => log.warn(format!("SSL_CERT_FILE: cannot read {file}: {error}")),
        }
    }
    if let Some(folders) = env.get("SSL_CERT_DIR") {
        for folder in std::env::split_paths(folders).filter(|folder| !folder.as_os_str().is_empty()) {
            match files(&folder) {
                // Folders hold links, indexes and lists of revoked certificates too; only certificates count.
                Ok(files) => roots.extend(files.iter().filter_map(|file| read(file).ok()).flatten()),
                Err(error) => log.warn(format!("SSL_CERT_DIR: cannot read {}: {error}", folder.display())),
            }
        }
    }
    roots
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    Ok(std::fs::read_dir(folder)?
        .take(MOST_FILES)
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file())
        .collect())
}

/// The usable certificates of a PEM file.
fn read(file: &Path) -> std::io::Result<Vec<CertificateDer<'static>>> {
    let pem = disk::read(file, LARGEST_PEM)?;
    Ok(CertificateDer::pem_slice_iter(&pem)
        .filter_map(Result::ok)
        // One certificate that is no trust anchor would make the verifier refuse them all.
        .filter(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok())
        .map(CertificateDer::into_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::{company_roots, config};
    use crate::http::testing::Lines;
    use crate::model::Env;

    /// A self-signed test CA, made for this test and used nowhere else.
    const CA: &str = include_str!("../../tests/fixtures/tls/ca.pem");

    #[test]
    fn reads_company_roots_from_file_and_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, CA).unwrap();
        std::fs::write(folder.path().join("crl.pem"), "not a certificate").unwrap();
        let lines = Lines::default();
        let env = Env::from([
            ("SSL_CERT_FILE", file.to_str().unwrap()),
            ("SSL_CERT_DIR", folder.path().to_str().unwrap()),
        ]);
        assert_eq!(company_roots(&env, &lines.log()).len(), 2);
        assert_eq!(lines.take(), Vec::<String>::new());
        assert!(config(&env, &lines.log()).is_ok());
    }

    #[test]
    fn warns_about_certificates_that_cannot_be_used_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("empty.pem");
        std::fs::write(&file, "nothing here").unwrap();
        let lines = Lines::default();
        let env = Env::from([("SSL_CERT_FILE", file.to_str().unwrap()), ("SSL_CERT_DIR", "/does/not/exist")]);
        assert!(config(&env, &lines.log()).is_ok());
        let said = lines.take();
        assert!(said[0].contains("no certificate in PEM form"), "{said:?}");
        assert!(said[1].contains("SSL_CERT_DIR: cannot read /does/not/exist"), "{said:?}");
    }
}
