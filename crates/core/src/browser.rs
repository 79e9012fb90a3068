//! Browsers: the secrets in their cookies, where they go on after a login, and the seam to who logs people in.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use wharf_oci::{Algorithm, Hasher};

use crate::StoreError;
use crate::authority::Secret;
use crate::clock::Random;
use crate::metadata::Session;

/// What is derived from a browser's secret. None of them tells another, nor the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What the database knows it by.
    Row,
    /// The synchronizer token of forms.
    Form,
    /// `state` of OpenID Connect, by which an answer belongs to a question of this browser.
    State,
    /// `nonce` of OpenID Connect, by which an ID token was made for that question.
    Nonce,
    /// The verifier of PKCE (RFC 7636), by which a code is worth nothing to who only sees it.
    Verifier,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Row => b"row",
            Self::Form => b"form",
            Self::State => b"state",
            Self::Nonce => b"nonce",
            Self::Verifier => b"verifier",
        }
    }
}

/// 256 bits of chance that a browser or a device keeps. It prints nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct BrowserSecret([u8; 32]);

impl BrowserSecret {
    /// A new one.
    #[must_use]
    pub fn new(random: &dyn Random) -> Self {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        Self(bytes)
    }

    /// The text, for the one reply that shows it: 64 hexadecimal digits.
    #[must_use]
    pub fn expose(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// By what the database finds what belongs to it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.digest(Purpose::Row).hash());
        hash
    }

    /// What follows from it for a purpose: 64 hexadecimal digits.
    #[must_use]
    pub fn derived(&self, purpose: Purpose) -> String {
        self.digest(purpose).hex()
    }

    /// Whether a text is what follows from it for a purpose. Takes as long however much of it is right.
    #[must_use]
    pub fn is_derived(&self, purpose: Purpose, text: &str) -> bool {
        let expected = self.derived(purpose);
        let differences = expected.bytes().zip(text.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        expected.len() == text.len() && differences == 0
    }

    fn digest(&self, purpose: Purpose) -> wharf_oci::Digest {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(purpose.label());
        hasher.update(&[0]);
        hasher.update(&self.0);
        hasher.finish()
    }
}

impl fmt::Debug for BrowserSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BrowserSecret(…)")
    }
}

/// A text that is no secret of a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no secret of a browser")]
pub struct NoBrowserSecret;

impl FromStr for BrowserSecret {
    type Err = NoBrowserSecret;

    fn from_str(text: &str) -> Result<Self, NoBrowserSecret> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NoBrowserSecret);
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).ok_or(NoBrowserSecret)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NoBrowserSecret)?;
        }
        Ok(Self(bytes))
    }
}

/// The longest path in bytes.
const LONGEST_PATH: usize = 512;

/// A path of this registry, with its query: where a browser goes on. It cannot lead anywhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// The path, which begins with one slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The page that says who is logged in.
impl Default for ReturnTo {
    fn default() -> Self {
        Self("/login".to_owned())
    }
}

/// A text that is no path of this registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no path of this registry")]
pub struct NoPath;

impl FromStr for ReturnTo {
    type Err = NoPath;

    fn from_str(text: &str) -> Result<Self, NoPath> {
        // Browsers take `//host` and `/\host` for another host, and leave out tabs and line ends before they look.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/?&=%-._~:+".contains(&byte);
        let is_path = text.len() <= LONGEST_PATH
            && text.starts_with('/')
            && !text.starts_with("//")
            && text.bytes().all(plain);
        if is_path { Ok(Self(text.to_owned())) } else { Err(NoPath) }
    }
}

/// What a provider answered through the browser.
#[derive(Clone, Debug)]
pub struct ProviderAnswer {
    /// To which question.
    pub state: String,
    /// What gets the ID token.
    pub code: Option<Secret>,
    /// Who answers, where the provider says so (RFC 9207).
    pub issuer: Option<String>,
    /// What went wrong there: a code of OAuth 2.0.
    pub error: Option<String>,
}

/// Why nobody was logged in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoginRefusal {
    /// The name or the password is wrong, or who has them is disabled: which of it nobody is told.
    #[error("The name or the password is wrong.")]
    Credentials,
    /// Too many log in.
    #[error("Too many people log in right now. Try again in a moment.")]
    Busy,
    /// What came back is no answer to what this browser asked a short time ago.
    #[error("This login was begun too long ago, or in another browser. Begin again.")]
    Stale,
    /// The provider did not let them in, by a code of OAuth 2.0.
    #[error("The identity provider did not log you in.")]
    Denied,
    /// The provider knows them, and they may not use this registry.
    #[error("You may not use this registry: ask its administrator.")]
    NotAllowed,
    /// The provider cannot be reached, or what it says is not to be believed. The log says why.
    #[error("The identity provider cannot be used right now.")]
    Provider,
    /// A store failed.
    #[error("The registry cannot reach one of its stores right now.")]
    Store(#[from] StoreError),
}

/// Logs people in who have a browser.
#[async_trait]
pub trait BrowserLogin: Send + Sync + 'static {
    /// What the identity provider is called on its button, where there is one.
    fn provider(&self) -> Option<&str>;

    /// Logs in by name and password. The secret is that of the new session.
    async fn log_in(&self, name: String, password: Secret) -> Result<BrowserSecret, LoginRefusal>;

    /// The address at the provider where a browser is sent that keeps `attempt`, to come back to `callback`.
    async fn begin(&self, attempt: &BrowserSecret, callback: &str) -> Result<String, LoginRefusal>;

    /// Logs in by what the provider answered to the browser that kept `attempt`. The secret is that of the new session.
    async fn finish(
        &self,
        attempt: &BrowserSecret,
        callback: &str,
        answer: ProviderAnswer,
    ) -> Result<BrowserSecret, LoginRefusal>;

    /// The session of a secret, if it goes on.
    async fn session(&self, secret: &BrowserSecret) -> Result<Option<Session>, StoreError>;

    /// Ends a session.
    async fn log_out(&self, secret: &BrowserSecret) -> Result<(), StoreError>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;

    #[test]
    fn a_secret_comes_back_from_its_text_and_tells_nothing_else() {
        let secret = BrowserSecret::new(&SystemRandom);
        assert_eq!(secret.expose().parse::<BrowserSecret>().unwrap(), secret);
        assert!(!format!("{secret:?}").contains(&secret.expose()[..8]));
        let all = [Purpose::Row, Purpose::Form, Purpose::State, Purpose::Nonce, Purpose::Verifier];
        for (index, purpose) in all.iter().enumerate() {
            let derived = secret.derived(*purpose);
            assert!(secret.is_derived(*purpose, &derived));
            assert!(!secret.is_derived(*purpose, &derived[1..]));
            assert!(!secret.is_derived(all[(index + 1) % all.len()], &derived));
            assert!(!BrowserSecret::new(&SystemRandom).is_derived(*purpose, &derived));
        }
        for wrong in ["", "0", &"g".repeat(64), &"0".repeat(63), &"é".repeat(32)] {
            assert!(wrong.parse::<BrowserSecret>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn nobody_is_sent_to_another_place_after_a_login() {
        for path in ["/", "/login", "/login/device?user_code=BCDF-GHJK", "/ui/team/app?tag=v1%2B2"]
        {
            assert_eq!(path.parse::<ReturnTo>().unwrap().as_str(), path);
        }
        for elsewhere in [
            "",
            "login",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "https://evil.example/",
            "/%0d%0aSet-Cookie: a",
            "javascript:alert(1)",
            &format!("/{}", "a".repeat(LONGEST_PATH)),
        ] {
            assert!(elsewhere.parse::<ReturnTo>().is_err(), "{elsewhere:?}");
        }
    }
}
