//! What a browser or a device keeps, and what follows from it.

use std::fmt;
use std::str::FromStr;

use wharf_oci::{Algorithm, Hasher};

use crate::clock::Random;

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
}
