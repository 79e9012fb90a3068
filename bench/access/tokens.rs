//! Tokens issued for a personal token, and verified, in this process on one thread: what each takes of a core.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use wharf_auth::fact_cache::FactCache;
use wharf_auth::key_store::KeyStore;
use wharf_auth::keys;
use wharf_auth::password::Passwords;
use wharf_auth::secret::{MachineSecret, SecretKind};
use wharf_auth::sign_in::{SignIn, Tokens};
use wharf_auth::token::Authority;
use wharf_bench::usage::processor;
use wharf_core::access::Narrowing;
use wharf_core::authority::{Login, Secret, TokenIssuer, TokenRequest, TokenVerifier};
use wharf_core::clock::{SystemClock, SystemRandom};
use wharf_core::metadata::{
    AccountChange, Accounts, Change, ChangeRequest, NewToken, NewUser, TokenKind,
};
use wharf_metadata::{Database, Sqlite};

use crate::Figure;

/// The least tokens a second of a core.
const LEAST_ISSUED: f64 = 2000.0;

/// The most that verifying may add to a request, in microseconds.
const MOST_VERIFYING: f64 = 30.0;

/// Issues and verifies so many.
pub async fn measure(folder: &Path, samples: usize) -> Result<Vec<Figure>> {
    let (sign_in, tokens, secret) = house(folder).await?;
    let request = || TokenRequest {
        login: Some(Login::Name {
            name: "ada".to_owned(),
            secret: Secret::new(secret.expose().to_owned()),
        }),
        scopes: vec!["repository:ada/app:pull,push".to_owned()],
        offline: false,
        client: String::new(),
        address: None,
    };
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let begin = processor(own)?;
    let mut last = None;
    for _ in 0..samples {
        last = Some(sign_in.issue(request()).await?);
    }
    let issued = samples as f64 / (processor(own)? - begin);
    let token = last.map(|token| token.access.expose().to_owned()).unwrap_or_default();
    ensure!(tokens.verify(&token).is_ok(), "the token is not valid");
    let begin = Instant::now();
    for _ in 0..samples {
        std::hint::black_box(tokens.verify(std::hint::black_box(&token)).is_ok());
    }
    let verified = begin.elapsed().as_secs_f64() * 1e6 / samples as f64;
    Ok(vec![
        Figure::new("tokens issued a second of a core", issued, "/s")
            .goal("≥ 2000 /s", issued >= LEAST_ISSUED),
        Figure::new("verifying a token", verified, "µs").goal("< 30 µs", verified < MOST_VERIFYING),
    ])
}

/// A user with a personal token, on SQLite.
async fn house(folder: &Path) -> Result<(SignIn, Tokens, MachineSecret)> {
    let clock = Arc::new(SystemClock);
    let sqlite = Sqlite::open(&folder.join("metadata.db"), clock.clone())?;
    let accounts: Arc<dyn Accounts> = Arc::new(Database::on_sqlite(sqlite));
    let name: wharf_core::permissions::AccountName = "ada".parse()?;
    let user = NewUser { name: name.clone(), email: None, password_hash: None, site_admin: false };
    change(&*accounts, user).await?;
    let secret = MachineSecret::new(SecretKind::PersonalToken, &SystemRandom);
    let token = NewToken {
        user: name,
        kind: TokenKind::Personal,
        name: "bench".to_owned(),
        secret_hash: secret.hash(),
        most: Narrowing::WHOLE,
        expires_at: None,
        provider: None,
    };
    change(&*accounts, token).await?;
    let keys_folder = folder.join("keys");
    std::fs::create_dir(&keys_folder)?;
    keys::make_first(&keys_folder)?;
    let keys = Arc::new(KeyStore::open(&keys_folder)?);
    let authority = Authority {
        issuer: "wharf".to_owned(),
        service: "wharf".to_owned(),
        life: Duration::from_secs(300),
    };
    let tokens = Tokens::new(Arc::clone(&keys), authority.clone(), clock.clone());
    let (passwords, random) = (Passwords::new(1)?, Arc::new(SystemRandom));
    let facts = FactCache::new(Arc::clone(&accounts), Duration::ZERO);
    let sign_in = SignIn {
        accounts,
        facts,
        keys,
        authority,
        passwords,
        workloads: None,
        directory: None,
        clock,
        random,
    };
    Ok((sign_in, tokens, secret))
}

async fn change(accounts: &dyn Accounts, change: impl Into<AccountChange>) -> Result<()> {
    let request = ChangeRequest { change: change.into(), by: "system".into(), once: None };
    ensure!(accounts.change(request).await? == Change::Done, "a change was refused");
    Ok(())
}
