//! Whose certificates are trusted, on the way to services that are asked or told something.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Why TLS cannot be set up.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

/// TLS that trusts the certificates in a PEM file and no others, or without one those of the system.
///
/// # Errors
/// [`TlsError`] where the file cannot be read or holds no certificate.
pub fn trusting(file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(error.to_string()))?;
    let builder = match file {
        Some(file) => builder.with_root_certificates(roots(file)?),
        None => builder.with_native_roots().map_err(|error| TlsError(error.to_string()))?,
    };
    Ok(Arc::new(builder.with_no_client_auth()))
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let shown = file.display();
    let unreadable = |error: &dyn fmt::Display| TlsError(format!("{shown}: {error}"));
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        roots.add(certificate).map_err(|error| unreadable(&error))?;
    }
    if roots.is_empty() {
        return Err(unreadable(&"it holds no certificate in PEM"));
    }
    Ok(roots)
}
