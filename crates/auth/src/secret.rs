//! Secrets that machines keep: made by chance, shown once, known afterwards by a hash alone.
//!
//! `wharf_pat_` (a user's token) or `wharf_bot_` (a robot's), 40 letters and digits of chance, and 6 that check them:
//! a scanner that finds the text somewhere can tell, without asking anybody, that it is one of ours.

use std::fmt;

use sha2::{Digest as _, Sha256};
use wharf_core::clock::Random;

/// 238 bits of chance.
const LENGTH: usize = 40;

/// How many characters check the others.
const CHECK: usize = 6;

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// It stands for a user.
    PersonalToken,
    /// It stands for a robot.
    RobotSecret,
    /// It gets new access tokens for who logged in.
    RefreshToken,
    /// It lets somebody sign up.
    Invitation,
}

impl SecretKind {
    const ALL: [Self; 4] =
        [Self::PersonalToken, Self::RobotSecret, Self::RefreshToken, Self::Invitation];

    /// What a secret of the kind begins with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::PersonalToken => "wharf_pat_",
            Self::RobotSecret => "wharf_bot_",
            Self::RefreshToken => "wharf_ref_",
            Self::Invitation => "wharf_inv_",
        }
    }
}

/// A secret. It prints nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct MachineSecret(String);

impl MachineSecret {
    /// A new one.
    pub fn new(kind: SecretKind, random: &dyn Random) -> Self {
        let mut text = kind.prefix().to_owned();
        while text.len() < kind.prefix().len() + LENGTH {
            let mut byte = [0];
            random.fill(&mut byte);
            // What does not divide evenly among the letters is thrown again.
            let within = usize::from(byte[0]);
            if within < LETTERS.len() * 4 {
                text.push(char::from(LETTERS[within % LETTERS.len()]));
            }
        }
        let check = check(&text);
        Self(text + &check)
    }

    /// A text that a client sent, if it is of the form of a secret; of which kind it is.
    #[must_use]
    pub fn recognise(text: &str) -> Option<(SecretKind, Self)> {
        let kind = SecretKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
        if text.len() != kind.prefix().len() + LENGTH + CHECK || !text.is_ascii() {
            return None;
        }
        let (chance, sum) = text.split_at(text.len() - CHECK);
        (check(chance) == sum).then(|| (kind, Self(text.to_owned())))
    }

    /// Whether a text begins as secrets do. Cut short or mistyped, it is none, and yet nothing to be shown to anybody else.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        SecretKind::ALL.into_iter().any(|kind| text.starts_with(kind.prefix()))
    }

    /// The text, for the one reply that shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// By what it is found again. So much chance needs no slow hash.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for MachineSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MachineSecret(…)")
    }
}

/// The beginning of a hash, in our letters.
fn check(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let mut number = hash.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mut letters = String::new();
    for _ in 0..CHECK {
        letters.push(char::from(LETTERS[(number % 62) as usize]));
        number /= 62;
    }
    letters
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use wharf_core::clock::SystemRandom;

    use super::*;

    #[test]
    fn a_secret_is_recognised_and_tells_nothing() {
        for kind in SecretKind::ALL {
            let secret = MachineSecret::new(kind, &SystemRandom);
            let text = secret.expose();
            assert!(
                text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
                "{text}"
            );
            assert_eq!(MachineSecret::recognise(text), Some((kind, secret.clone())));
            assert!(!format!("{secret:?}").contains(&text[10..20]));
            assert_ne!(MachineSecret::new(kind, &SystemRandom).hash(), secret.hash());
        }
    }

    #[test]
    fn what_was_not_made_here_is_not_recognised() {
        let text = MachineSecret::new(SecretKind::PersonalToken, &SystemRandom).expose().to_owned();
        let mut other = text.clone().into_bytes();
        other[20] = if other[20] == b'a' { b'b' } else { b'a' };
        let other = String::from_utf8(other).unwrap();
        let as_robot = text.replace("_pat_", "_bot_");
        for wrong in [&other, &as_robot, &text[..text.len() - 1], "wharf_pat_", "", "hunter2"] {
            assert_eq!(MachineSecret::recognise(wrong), None, "{wrong}");
        }
    }
}
