//! Keys in a folder, a clock that is moved by hand, and an authority.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use wharf_auth::keys::{KeyRing, make_first};
use wharf_auth::token::{Authority, IssuedToken, TokenError, Verifier, issue};
use wharf_core::clock::{Clock, SystemRandom, Timestamp};
use wharf_core::permissions::{Caller, Principal, Rights};

/// A clock that is moved by hand.
#[derive(Default)]
pub struct HandClock(AtomicI64);

impl HandClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_800_000_000_000_000)))
    }

    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_micros() as i64, Ordering::SeqCst);
    }

    pub fn turn_back(&self, by: Duration) {
        self.0.fetch_sub(by.as_micros() as i64, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub fn authority() -> Authority {
    Authority {
        issuer: "registry.example".into(),
        service: "registry.example".into(),
        life: Duration::from_secs(300),
    }
}

/// A folder of one key, which signs.
pub fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    assert!(make_first(folder.path()).unwrap());
    folder
}

pub fn ring(folder: &Path) -> KeyRing {
    KeyRing::read(folder, SystemTime::now()).unwrap()
}

/// Adds a key that signs by this name, whose file is as old as that.
pub fn add_key(folder: &Path, name: &str, age: Duration) {
    let other = self::folder();
    let path = folder.join(name);
    fs::copy(other.path().join("first.pem"), &path).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

pub struct Stand {
    pub folder: TempDir,
    pub keys: KeyRing,
    pub clock: Arc<HandClock>,
    pub verifier: Verifier,
}

impl Stand {
    pub fn new() -> Self {
        let (folder, clock) = (folder(), HandClock::new());
        let verifier = Verifier::new(authority(), clock.clone());
        Self { keys: ring(folder.path()), folder, clock, verifier }
    }

    pub fn issue(&self, principal: &str, rights: &Rights) -> IssuedToken {
        self.issue_as(&authority(), principal, rights)
    }

    pub fn issue_as(&self, authority: &Authority, principal: &str, rights: &Rights) -> IssuedToken {
        let principal: Principal = principal.parse().unwrap();
        issue(&self.keys, authority, &principal, rights, &*self.clock, &SystemRandom).unwrap()
    }

    pub fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        self.verifier.verify(&self.keys, token)
    }
}
