//! The keys by which tokens are signed and verified: PEM files of one folder, read again while it runs.
//!
//! A file `NAME.pem` holds an RSA private key, which signs and verifies, or a public one, which verifies. Which file a
//! token names is found by the key's thumbprint (RFC 7638); nothing else that a token's header says is looked at.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jsonwebtoken::jwk::{Jwk, JwkSet, KeyOperations, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

use crate::signing::{SigningKey, VerifyingKey};

/// The largest key file in bytes.
const LARGEST_FILE: u64 = 64 << 10;

/// The most keys of a folder.
const MOST_KEYS: usize = 32;

/// The least size of a key in bits (NIST SP 800-57).
const LEAST_BITS: usize = 2048;

/// How old the file of a key must be to sign, where another one can: by then every node has read it.
pub const SETTLING: Duration = Duration::from_secs(300);

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The folder or a file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A file holds no key of a kind that is used.
    #[error("{path} holds no RSA key of {LEAST_BITS} bits or more in PEM: {reason}")]
    NoKey {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There are none.
    #[error(
        "{0} holds no key: put an RSA key there as NAME.pem, such as made by `openssl genrsa 2048`"
    )]
    None(PathBuf),
    /// There are too many.
    #[error("{0} holds more than {MOST_KEYS} keys")]
    TooMany(PathBuf),
}

/// The keys, as they were read at one moment.
pub struct KeyRing {
    signing: Option<SigningKey>,
    verifying: BTreeMap<String, VerifyingKey>,
    published: JwkSet,
}

impl KeyRing {
    /// Reads all `*.pem` of a folder. The last one by name that is old enough signs; a private key that is alone
    /// signs at once.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(folder: &Path, now: SystemTime) -> Result<Self, KeyError> {
        let mut ring =
            Self { signing: None, verifying: BTreeMap::new(), published: JwkSet::default() };
        let mut oldest_new: Option<SigningKey> = None;
        for file in files(folder)? {
            let (bytes, changed) = read(&file)?;
            let no_key = |reason: String| KeyError::NoKey { path: file.clone(), reason };
            let (public, private) = parse(&bytes).map_err(no_key)?;
            let id = public.thumbprint(ThumbprintHash::SHA256);
            let id = id.map_err(|error| no_key(error.to_string()))?;
            let verifies = VerifyingKey::new(&public).map_err(|error| no_key(error.to_string()))?;
            if ring.verifying.insert(id.clone(), verifies).is_none() {
                ring.published.keys.push(published(public, &id));
            }
            let Some(key) = private else { continue };
            let key = SigningKey::new(&id, &key).map_err(|error| no_key(error.to_string()))?;
            if now.duration_since(changed).unwrap_or_default() >= SETTLING {
                ring.signing = Some(key);
            } else {
                oldest_new.get_or_insert(key);
            }
        }
        ring.signing = ring.signing.or(oldest_new);
        if ring.verifying.is_empty() {
            return Err(KeyError::None(folder.to_owned()));
        }
        Ok(ring)
    }

    /// Whether tokens can be signed, not only verified.
    #[must_use]
    pub const fn can_sign(&self) -> bool {
        self.signing.is_some()
    }

    pub(crate) const fn signing(&self) -> Option<&SigningKey> {
        self.signing.as_ref()
    }

    pub(crate) fn verifying(&self, id: &str) -> Option<&VerifyingKey> {
        self.verifying.get(id)
    }

    /// The public keys, for whoever verifies tokens elsewhere (RFC 7517).
    #[must_use]
    pub const fn published(&self) -> &JwkSet {
        &self.published
    }
}

/// Makes a key of the least size in a file that only its owner reads, unless the folder has keys.
///
/// # Errors
/// When the folder or the file cannot be written.
pub fn make_first(folder: &Path) -> Result<bool, KeyError> {
    let unreadable = |path: &Path, reason| KeyError::Unreadable { path: path.to_owned(), reason };
    fs::create_dir_all(folder).map_err(|reason| unreadable(folder, reason))?;
    if !files(folder)?.is_empty() {
        return Ok(false);
    }
    let path = folder.join("first.pem");
    let made = new_key().map_err(|reason| KeyError::NoKey { path: path.clone(), reason })?;
    write_durably(folder, &path, made.as_bytes()).map_err(|reason| unreadable(&path, reason))?;
    Ok(true)
}

fn write_durably(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let new = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    fs::File::open(folder)?.sync_all()
}

/// A new private key as PKCS#8 in PEM.
fn new_key() -> Result<String, String> {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    let failed = |_| "the key could not be made".to_owned();
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    Ok(pem::encode_config(&pem::Pem::new("PRIVATE KEY", der.as_ref()), lines))
}

/// The key files in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, KeyError> {
    let unreadable = |reason| KeyError::Unreadable { path: folder.to_owned(), reason };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            files.push(path);
        }
    }
    if files.len() > MOST_KEYS {
        return Err(KeyError::TooMany(folder.to_owned()));
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<(Vec<u8>, SystemTime), KeyError> {
    let unreadable = |reason| KeyError::Unreadable { path: path.to_owned(), reason };
    let about = fs::metadata(path).map_err(unreadable)?;
    if about.len() > LARGEST_FILE {
        let reason = format!("it has {} bytes", about.len());
        return Err(KeyError::NoKey { path: path.to_owned(), reason });
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    Ok((bytes, about.modified().map_err(unreadable)?))
}

/// The public key of a file, and the private one if it has that.
fn parse(pem: &[u8]) -> Result<(Jwk, Option<EncodingKey>), String> {
    let text = |error: jsonwebtoken::errors::Error| error.to_string();
    let is_private = pem.windows(11).any(|window| window == b"PRIVATE KEY");
    let (public, private) = if is_private {
        let private = EncodingKey::from_rsa_pem(pem).map_err(text)?;
        (Jwk::from_encoding_key(&private, Algorithm::RS256).map_err(text)?, Some(private))
    } else {
        let public = DecodingKey::from_rsa_pem(pem).map_err(text)?;
        (Jwk::from_decoding_key(&public, Some(Algorithm::RS256)).map_err(text)?, None)
    };
    let bits = bits(&public);
    if bits < LEAST_BITS {
        return Err(format!("it has {bits} bits"));
    }
    Ok((public, private))
}

fn bits(key: &Jwk) -> usize {
    use base64::Engine as _;
    let jsonwebtoken::jwk::AlgorithmParameters::RSA(rsa) = &key.algorithm else { return 0 };
    let modulus = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&rsa.n);
    let modulus = modulus.unwrap_or_default();
    let leading = modulus.iter().take_while(|byte| **byte == 0).count();
    modulus.get(leading..).map_or(0, |rest| {
        rest.len() * 8 - rest.first().map_or(0, |byte| byte.leading_zeros() as usize)
    })
}

fn published(mut key: Jwk, id: &str) -> Jwk {
    key.common.key_id = Some(id.to_owned());
    key.common.public_key_use = Some(PublicKeyUse::Signature);
    key.common.key_operations = Some(vec![KeyOperations::Verify]);
    key
}
