//! TLS to the database: the server's certificate is always verified, by the system's roots or by given ones.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresError;

/// What makes TLS connections. Where none will be made, no certificate is read.
pub(super) fn connector(
    wanted: bool,
    given: Option<&Path>,
) -> Result<MakeRustlsConnect, PostgresError> {
    let mut roots = RootCertStore::empty();
    match given {
        Some(path) => {
            let refused = |reason: String| PostgresError::Certificates {
                path: path.display().to_string(),
                reason,
            };
            let all =
                CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))?;
            for certificate in all {
                let certificate = certificate.map_err(|error| refused(error.to_string()))?;
                roots.add(certificate).map_err(|error| refused(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(refused("there is none in it".into()));
            }
        }
        // What the system cannot give is missed when a server is verified, with an error that says so.
        None if wanted => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        None => {}
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| PostgresError::Unavailable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
