//! Passwords: which are taken (NIST SP 800-63B, section 5.1.1.2), and their hashes by argon2id, made on threads of
//! their own, a bounded number at once.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

/// The least characters of a password.
pub const SHORTEST: usize = 10;

/// The longest password in bytes.
pub const LONGEST: usize = 256;

/// Passwords that are tried first, and what they have in common: OWASP's and NCSC's lists, those of ten characters or
/// more.
const COMMON: &str = include_str!("password/common.txt");

/// Memory of one hash in KiB, and its passes: OWASP's least for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// A password. It prints nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// What somebody typed.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it may be chosen by the user of that name.
    ///
    /// # Errors
    /// [`Unfit`], which says what to do.
    pub fn check(&self, user: &str) -> Result<(), Unfit> {
        let Self(text) = self;
        if text.len() > LONGEST {
            return Err(Unfit::TooLong);
        }
        if text.chars().count() < SHORTEST {
            return Err(Unfit::TooShort);
        }
        let lower = text.to_lowercase();
        let distinct: std::collections::BTreeSet<char> = lower.chars().collect();
        if distinct.len() < 4 || COMMON.lines().any(|known| known == lower) {
            return Err(Unfit::Common);
        }
        if lower.contains(&user.to_lowercase()) || lower.contains("wharf") {
            return Err(Unfit::Name);
        }
        Ok(())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is too short.
    #[error("a password has at least {SHORTEST} characters")]
    TooShort,
    /// It is too long.
    #[error("a password has at most {LONGEST} bytes")]
    TooLong,
    /// Many people have it.
    #[error("that password is one of those that are tried first; choose another")]
    Common,
    /// It holds the user's name, or ours.
    #[error("a password must not hold the user's name or that of the registry; choose another")]
    Name,
}

/// Why a password could not be hashed or compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// As many as may are being hashed.
    #[error("as many passwords are being checked as this registry takes at once")]
    Busy,
    /// What is stored is no hash.
    #[error("a stored password hash cannot be read: {0}")]
    Corrupt(String),
}

/// The hash of what nobody knows, made as all are: compared with where there is no user, so that it takes as long.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$9tVq6H52lyLV9TiK50YF9Q$RDJPPDbruk4mBsZ8AEg5XGFPHGrKb79KrA1G+kQ+Q88";

/// Makes and compares hashes.
#[derive(Clone)]
pub struct Passwords {
    places: Arc<Semaphore>,
    params: Params,
}

impl Passwords {
    /// At most `at_once` hashes at a time, each of 19 MiB; whoever waits too long for his turn is refused.
    ///
    /// # Errors
    /// [`HashError::Corrupt`] when the library refuses its own parameters.
    pub fn new(at_once: usize) -> Result<Self, HashError> {
        let corrupt = |error: argon2::Error| HashError::Corrupt(error.to_string());
        let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(corrupt)?;
        Ok(Self { places: Arc::new(Semaphore::new(at_once)), params })
    }

    /// The hash of a password, as text that says how it was made.
    ///
    /// # Errors
    /// [`HashError`].
    pub async fn hash(&self, password: &Password) -> Result<String, HashError> {
        let (params, text) = (self.params.clone(), password.0.clone());
        self.apart(move || hash(&params, &text)).await
    }

    /// Whether a password is the one that `stored` was made of. Without one, it takes as long and is not.
    ///
    /// # Errors
    /// [`HashError`].
    pub async fn verify(
        &self,
        password: &Password,
        stored: Option<String>,
    ) -> Result<bool, HashError> {
        if password.0.len() > LONGEST {
            return Ok(false);
        }
        let (known, text) = (stored.is_some(), password.0.clone());
        let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
        let same = self.apart(move || compare(&stored, &text)).await?;
        Ok(same && known)
    }

    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        // A bounded wait: a burst of logins is served one after the other, a flood is told to come back.
        let waiting = Arc::clone(&self.places).acquire_owned();
        let place = tokio::time::timeout(std::time::Duration::from_secs(5), waiting).await;
        let place = place.map_err(|_| HashError::Busy)?.map_err(|_| HashError::Busy)?;
        let hashing = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        hashing.await.unwrap_or(Err(HashError::Busy))
    }
}

fn hash(params: &Params, text: &str) -> Result<String, HashError> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let hashed = argon2.hash_password(text.as_bytes());
    Ok(hashed.map_err(|error| HashError::Corrupt(error.to_string()))?.to_string())
}

fn compare(stored: &str, text: &str) -> Result<bool, HashError> {
    let corrupt = |error: argon2::password_hash::phc::Error| HashError::Corrupt(error.to_string());
    let hash = PasswordHash::new(stored).map_err(corrupt)?;
    Ok(Argon2::default().verify_password(text.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_enough_and_not_one_that_is_tried_first() {
        for (text, found) in [
            ("correct horse battery", Ok(())),
            ("пароль-который-длинный", Ok(())),
            ("short", Err(Unfit::TooShort)),
            ("1234567890", Err(Unfit::Common)),
            ("aaaaaaaaaaaaa", Err(Unfit::Common)),
            ("Password123", Err(Unfit::Common)),
            ("qwertyuiop", Err(Unfit::Common)),
            ("xx-Ada-lovelace", Err(Unfit::Name)),
            ("the wharf registry", Err(Unfit::Name)),
        ] {
            assert_eq!(Password::new(text).check("ada"), found, "{text}");
        }
        assert_eq!(Password::new("é".repeat(LONGEST)).check("ada"), Err(Unfit::TooLong));
    }

    #[tokio::test]
    async fn a_password_is_known_again_by_its_hash_alone() {
        let passwords = Passwords::new(2).unwrap();
        let password = Password::new("correct horse battery");
        let hash = passwords.hash(&password).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(passwords.hash(&password).await.unwrap(), hash);
        assert!(passwords.verify(&password, Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(&Password::new("another one"), Some(hash)).await.unwrap());
        assert!(!format!("{password:?}").contains("horse"));
    }

    #[tokio::test]
    async fn nobody_has_a_password() {
        let passwords = Passwords::new(2).unwrap();
        assert!(!passwords.verify(&Password::new("another"), None).await.unwrap());
        let made = passwords.hash(&Password::new("another")).await.unwrap();
        let parameters = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(parameters(NOBODY), parameters(&made), "it would tell by its time");
        assert!(PasswordHash::new(NOBODY).is_ok());
    }

    #[tokio::test]
    async fn what_is_stored_and_no_hash_is_told() {
        let passwords = Passwords::new(2).unwrap();
        let compared = passwords.verify(&Password::new("x"), Some("plain".into())).await;
        assert!(matches!(compared, Err(HashError::Corrupt(_))), "{compared:?}");
    }
}
