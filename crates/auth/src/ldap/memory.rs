//! What right passwords a directory said lately, so that it is not asked for each token of one login.
//!
//! Docker shows the password for every token. Kept are hashes by a key that only this process has, in memory alone.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, Key, Tag};
use wharf_core::authority::Secret;
use wharf_core::clock::Random;
use wharf_core::metadata::ExternalName;
use wharf_core::permissions::AccountName;

use crate::spelling::plain;

/// The most names that are remembered.
const MOST: usize = 10_000;

/// Who a name and a password are: a user here, by an identity there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub user: AccountName,
    pub subject: ExternalName,
}

struct Remembered {
    hash: Tag,
    known: Known,
    until: Instant,
}

/// Names, each in one spelling, with their right passwords and who they are here, each for a while.
pub struct Memory {
    key: Key,
    life: Duration,
    names: Mutex<HashMap<String, Remembered>>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Memory").field("life", &self.life).finish_non_exhaustive()
    }
}

impl Memory {
    /// One that forgets after `life`; zero remembers nothing.
    pub fn new(life: Duration, random: &dyn Random) -> Self {
        let mut key = [0; 32];
        random.fill(&mut key);
        Self { key: Key::new(hmac::HMAC_SHA256, &key), life, names: Mutex::default() }
    }

    /// Who a name and password are, where that is remembered. That a password is wrong is not.
    pub fn recall(&self, name: &str, password: &Secret, now: Instant) -> Option<Known> {
        let hash = self.hash(name, password);
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = names.get(&plain(name)).filter(|kept| now < kept.until)?;
        let is_same = verify_slices_are_equal(kept.hash.as_ref(), hash.as_ref()).is_ok();
        is_same.then(|| kept.known.clone())
    }

    /// Remembers what a directory said just now.
    pub fn remember(&self, name: &str, password: &Secret, known: Known, now: Instant) {
        if self.life.is_zero() {
            return;
        }
        let hash = self.hash(name, password);
        let remembered = Remembered { hash, known, until: now + self.life };
        let name = plain(name);
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MOST && !names.contains_key(&name) {
            names.retain(|_, kept| now < kept.until);
        }
        if names.len() < MOST || names.contains_key(&name) {
            names.insert(name, remembered);
        }
    }

    fn hash(&self, name: &str, password: &Secret) -> Tag {
        let mut context = hmac::Context::with_key(&self.key);
        // As it was typed: not all who share a spelling are one.
        // Its length first: no two names and passwords are the same bytes.
        context.update(&(name.len() as u64).to_be_bytes());
        context.update(name.as_bytes());
        context.update(password.expose().as_bytes());
        context.sign()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use wharf_core::clock::SystemRandom;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn known(user: &str) -> Known {
        Known { user: user.parse().unwrap(), subject: "4711".parse().unwrap() }
    }

    #[test]
    fn a_right_password_is_known_again_for_a_while_and_no_other_is() {
        let (life, begin) = (Duration::from_secs(60), Instant::now());
        let memory = Memory::new(life, &SystemRandom);
        let user = known("ada-2");
        assert_eq!(memory.recall("ada", &secret("right"), begin), None);
        memory.remember("ada", &secret("right"), user.clone(), begin);
        let almost = begin + life - Duration::from_millis(1);
        assert_eq!(memory.recall("ada", &secret("right"), almost), Some(user.clone()));
        assert_eq!(memory.recall("ada", &secret("right"), begin + life), None);
        for (name, password) in [("ada", "wrong"), ("ada", ""), ("adar", "ight"), ("Ada", "right")]
        {
            assert_eq!(memory.recall(name, &secret(password), begin), None, "{name} {password}");
        }
        // The new one ends the old one, however the name is typed.
        memory.remember("ADA ", &secret("newer"), user.clone(), begin);
        assert_eq!(memory.recall("ada", &secret("right"), begin), None);
        assert_eq!(memory.recall("ada", &secret("newer"), begin), None);
        memory.remember("ada", &secret("newer"), user.clone(), begin);
        assert_eq!(memory.recall("ada", &secret("right"), begin), None);
        assert_eq!(memory.recall("ada", &secret("newer"), begin), Some(user));
        assert!(!format!("{memory:?}").contains("newer"));
    }

    #[test]
    fn nothing_is_remembered_where_that_is_not_wanted() {
        let memory = Memory::new(Duration::ZERO, &SystemRandom);
        let now = Instant::now();
        memory.remember("ada", &secret("right"), known("ada"), now);
        assert_eq!(memory.recall("ada", &secret("right"), now), None);
    }

    #[test]
    fn a_bounded_number_of_names_is_remembered() {
        let (life, begin) = (Duration::from_secs(60), Instant::now());
        let memory = Memory::new(life, &SystemRandom);
        let user = known("ada");
        for number in 0..MOST + 10 {
            memory.remember(&number.to_string(), &secret("right"), user.clone(), begin);
        }
        assert_eq!(memory.names.lock().unwrap().len(), MOST);
        let later = begin + life;
        memory.remember("last", &secret("right"), user.clone(), later);
        assert_eq!(memory.names.lock().unwrap().len(), 1);
        assert_eq!(memory.recall("last", &secret("right"), later), Some(user));
    }
}
