//! The server's certificate: loaded, offered to clients, loaded anew when its files change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::time::{MissedTickBehavior, interval};

use super::settings::TlsFiles;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file does not hold what it should, as PEM.
    #[error("{} holds no usable {expected}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        expected: &'static str,
        /// What was found instead.
        reason: String,
    },
    /// Certificate and key do not belong together, or the key is of an unknown kind.
    #[error("{} and {} cannot be used together: {source}", chain.display(), key.display())]
    Pair {
        /// The file of the certificate chain.
        chain: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// The reason.
        source: rustls::Error,
    },
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// A certificate with its key, and the files they came from.
pub struct Certificate {
    files: TlsFiles,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pair = read_pair(&files, &provider)?;
        let current = Arc::new(Current(ArcSwap::from_pointee(pair)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
        Ok(Self { files, current, config: Arc::new(config) })
    }

    /// Reads both files again; new connections get what they hold. On an error the certificate
    /// stays what it was.
    ///
    /// # Errors
    /// Those of [`Certificate::load`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let pair = read_pair(&self.files, self.config.crypto_provider())?;
        self.current.0.store(Arc::new(pair));
        Ok(())
    }

    /// Reloads whenever a file changes, for ever. Failures are logged, and tried again at the next change.
    pub async fn follow(&self) {
        let mut seen = self.stamps();
        let mut ticks = interval(self.files.poll_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.stamps();
            if now == seen {
                continue;
            }
            seen = now;
            match self.reload() {
                Ok(()) => {
                    let file = self.files.certificate_chain.display();
                    tracing::info!(%file, "certificate loaded anew");
                }
                Err(error) => tracing::error!(%error, "the old certificate stays in use"),
            }
        }
    }

    pub(super) fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    fn stamps(&self) -> [Option<(SystemTime, u64)>; 2] {
        [&self.files.certificate_chain, &self.files.key].map(|path| stamp(path))
    }
}

/// Changes whenever the file does: the time of its last change, and its size.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read_pair(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let TlsFiles { certificate_chain, key, .. } = files;
    let chain = CertificateDer::pem_slice_iter(&read(certificate_chain)?)
        .collect::<Result<Vec<_>, _>>()
        .and_then(|chain| match chain.is_empty() {
            true => Err(pem::Error::NoItemsFound),
            false => Ok(chain),
        })
        .map_err(|error| content(certificate_chain, "certificate", &error))?;
    let private = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|error| content(key, "private key", &error))?;
    CertifiedKey::from_der(chain, private, provider).map_err(|source| TlsError::Pair {
        chain: certificate_chain.clone(),
        key: key.clone(),
        source,
    })
}

fn content(path: &Path, expected: &'static str, error: &pem::Error) -> TlsError {
    TlsError::Content { path: path.to_owned(), expected, reason: error.to_string() }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}
