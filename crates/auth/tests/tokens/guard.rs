//! The guard of logins: who has to wait, who has not, and what an attacker gains by cancelling, hurrying or locking out.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::{JoinHandle, yield_now};
use wharf_auth::login_guard::{GuardParts, GuardRules, LoginGuard};
use wharf_auth::secret::{MachineSecret, SecretKind};
use wharf_cache::MemoryLimiter;
use wharf_core::StoreError;
use wharf_core::authority::{
    Authenticator, IssuedToken, Login, Secret, TokenIssuer, TokenRefusal, TokenRequest,
};
use wharf_core::clock::{SystemClock, SystemRandom};
use wharf_core::limits::{Limiter, Take, Verdict};
use wharf_core::metadata::{AuditEntry, AuditFilter, AuditLog, AuditOrder, AuditRecord};
use wharf_core::permissions::{Caller, Principal};
use wharf_metadata::{Database, Sqlite};

const RIGHT: &str = "right";
const WRONG: &str = "wrong";
const HOME: &str = "192.0.2.7";

/// Who lets in: everyone whose secret is right, or a machine's, once it is open.
struct Desk {
    looked_at: Arc<AtomicUsize>,
    open: watch::Receiver<bool>,
}

impl Desk {
    async fn look(&self, login: Option<&Login>) -> Result<(), TokenRefusal> {
        self.looked_at.fetch_add(1, Ordering::SeqCst);
        self.open.clone().wait_for(|open| *open).await.unwrap();
        match login {
            Some(Login::Name { secret, .. })
                if secret.expose() == RIGHT
                    || MachineSecret::recognise(secret.expose()).is_some() =>
            {
                Ok(())
            }
            Some(_) => Err(TokenRefusal::Login),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl TokenIssuer for Desk {
    async fn issue(&self, request: TokenRequest) -> Result<IssuedToken, TokenRefusal> {
        self.look(request.login.as_ref()).await?;
        let access = Secret::new(String::new());
        let (life, scope) = (Duration::ZERO, String::new());
        Ok(IssuedToken { access, issued_at: 0, life, scope, refresh: None })
    }

    fn published_keys(&self) -> String {
        String::new()
    }
}

#[async_trait]
impl Authenticator for Desk {
    async fn authenticate(&self, login: Login, _: Option<IpAddr>) -> Result<Caller, TokenRefusal> {
        self.look(Some(&login)).await.map(|()| Caller::new(Principal::Anonymous))
    }
}

/// A log that cannot be written.
struct NoAudit;

#[async_trait]
impl AuditLog for NoAudit {
    async fn append_audit(&self, _: AuditEntry) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("on purpose".into()))
    }

    async fn list_audit(
        &self,
        _: AuditFilter,
        _: AuditOrder,
        _: Option<i64>,
        _: usize,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn make_room_for_audit(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn expire_audit(&self, _: Duration, _: usize) -> Result<u64, StoreError> {
        Ok(0)
    }
}

/// Counts in process, and remembers by which keys.
struct Spied(MemoryLimiter, Mutex<Vec<String>>);

#[async_trait]
impl Limiter for Spied {
    async fn take(&self, takes: &[Take]) -> Verdict {
        self.1.lock().unwrap().extend(takes.iter().map(|take| take.key.clone()));
        self.0.take(takes).await
    }

    async fn give_back(&self, takes: &[Take]) {
        self.0.give_back(takes).await;
    }

    async fn forget(&self, takes: &[Take]) {
        self.0.forget(takes).await;
    }
}

struct Stand {
    guard: Arc<LoginGuard<Desk>>,
    looked_at: Arc<AtomicUsize>,
    open: watch::Sender<bool>,
    limiter: Arc<Spied>,
    _folder: TempDir,
}

impl Stand {
    fn new(failures: &str) -> Self {
        Self::with(failures, &[], None)
    }

    fn with(failures: &str, exempt: &[&str], audit: Option<Arc<dyn AuditLog>>) -> Self {
        let folder = TempDir::new().unwrap();
        let sqlite = Sqlite::open(&folder.path().join("db"), Arc::new(SystemClock)).unwrap();
        let database = Arc::new(Database::on_sqlite(sqlite));
        let looked_at = Arc::new(AtomicUsize::new(0));
        let open = watch::Sender::new(true);
        let memory = MemoryLimiter::new(Arc::new(SystemClock));
        let limiter = Arc::new(Spied(memory, Mutex::default()));
        let guard = LoginGuard::new(GuardParts {
            issuer: Desk { looked_at: Arc::clone(&looked_at), open: open.subscribe() },
            limiter: Arc::clone(&limiter) as _,
            rules: GuardRules {
                requests: None,
                failures: Some(failures.parse().unwrap()),
                exempt: exempt.iter().map(|text| text.parse().unwrap()).collect(),
            },
            accounts: Arc::clone(&database) as _,
            audit: audit.unwrap_or(database),
        });
        Self { guard: Arc::new(guard), looked_at, open, limiter, _folder: folder }
    }

    fn looked_at(&self) -> usize {
        self.looked_at.load(Ordering::SeqCst)
    }

    /// Waits until so many have been looked at.
    async fn looks_at(&self, count: usize) {
        while self.looked_at() < count {
            yield_now().await;
        }
    }

    /// Begins to log in, in one of the two ways.
    fn begin(&self, way: usize, name: &str, secret: &str, from: &str) -> JoinHandle<Said> {
        let guard = Arc::clone(&self.guard);
        let (name, secret) = (name.to_owned(), Secret::new(secret.to_owned()));
        let login = Login::Name { name, secret };
        let address = Some(from.parse().unwrap());
        tokio::spawn(async move {
            let answer = if way.is_multiple_of(2) {
                let (scopes, client) = (Vec::new(), String::new());
                let login = Some(login);
                let request = TokenRequest { login, scopes, offline: false, client, address };
                guard.issue(request).await.map(drop)
            } else {
                guard.authenticate(login, address).await.map(drop)
            };
            match answer {
                Ok(()) => Said::In,
                Err(TokenRefusal::Login) => Said::Wrong,
                Err(TokenRefusal::TooMany(_)) => Said::Wait,
                Err(other) => panic!("{other}"),
            }
        })
    }

    async fn ask(&self, name: &str, secret: &str, from: &str) -> Said {
        self.begin(0, name, secret, from).await.unwrap()
    }

    /// So many at once.
    async fn crowd(&self, count: usize, secret: &str) -> Vec<Said> {
        let logins: Vec<_> = (0..count).map(|way| self.begin(way, "ada", secret, HOME)).collect();
        let mut said = Vec::new();
        for login in logins {
            said.push(login.await.unwrap());
        }
        said
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    In,
    Wrong,
    Wait,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_right_logins_at_once_get_in_however_few_may_fail() {
    for failures in ["1/1h", "3/1h", "10/1h"] {
        let stand = Stand::new(failures);
        assert_eq!(stand.crowd(100, RIGHT).await, [Said::In; 100], "{failures}");
    }
}

#[tokio::test]
async fn who_failed_before_gets_in_with_many_at_once() {
    // Three come to the door at once, of whom one may fail.
    let stand = Stand::new("9/1h");
    for _ in 0..8 {
        assert_eq!(stand.ask("ada", WRONG, HOME).await, Said::Wrong);
    }
    stand.open.send_replace(false);
    let crowd = stand.crowd(50, RIGHT);
    let open = async {
        stand.looks_at(9).await;
        for _ in 0..1000 {
            yield_now().await;
        }
        assert_eq!(stand.looked_at(), 9);
        stand.open.send_replace(true);
    };
    let (said, ()) = tokio::join!(crowd, open);
    assert_eq!(said, [Said::In; 50]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_wrong_guesses_at_once_no_more_are_looked_at_than_may_fail() {
    let stand = Stand::new("3/1h");
    let said = stand.crowd(100, WRONG).await;
    assert_eq!(stand.looked_at(), 3);
    assert_eq!(said.iter().filter(|said| **said == Said::Wrong).count(), 3);
    assert_eq!(said.iter().filter(|said| **said == Said::Wait).count(), 97);
    assert_eq!(stand.ask("ada", RIGHT, HOME).await, Said::Wait);
    assert_eq!(stand.looked_at(), 3);
}

/// Else who waits in front of a right login would be refused by it.
#[tokio::test]
async fn who_waits_is_told_when_those_before_them_failed() {
    let stand = Stand::new("1/1h");
    stand.open.send_replace(false);
    let first = stand.begin(0, "ada", WRONG, HOME);
    stand.looks_at(1).await;
    let second = stand.begin(1, "ada", RIGHT, HOME);
    for _ in 0..100 {
        yield_now().await;
    }
    assert!(!second.is_finished());
    stand.open.send_replace(true);
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (Said::Wrong, Said::Wait));
    assert_eq!(stand.looked_at(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_takes_nothing_with_it() {
    for way in 0..2 {
        let stand = Stand::new("1/1h");
        stand.open.send_replace(false);
        let gone = stand.begin(way, "ada", RIGHT, HOME);
        stand.looks_at(1).await;
        gone.abort();
        let _ = gone.await;
        stand.open.send_replace(true);
        // It was good, and counts as that.
        assert_eq!(stand.ask("ada", WRONG, HOME).await, Said::Wrong);
        assert_eq!(stand.ask("ada", WRONG, HOME).await, Said::Wait);
    }
}

#[tokio::test]
async fn a_guess_that_is_cancelled_is_a_guess() {
    for way in 0..2 {
        let stand = Stand::new("1/1h");
        stand.open.send_replace(false);
        let gone = stand.begin(way, "ada", WRONG, HOME);
        stand.looks_at(1).await;
        gone.abort();
        let _ = gone.await;
        stand.open.send_replace(true);
        assert_eq!(stand.ask("ada", RIGHT, HOME).await, Said::Wait);
    }
}

#[tokio::test]
async fn who_mistypes_now_and_then_is_never_locked_out() {
    let stand = Stand::new("2/1h");
    for _ in 0..10 {
        // More of them in all than may fail in any of the three times; the client's own limit is another.
        assert_eq!(stand.ask("ada", RIGHT, HOME).await, Said::In);
        assert_eq!(stand.ask("ada", WRONG, HOME).await, Said::Wrong);
    }
    assert_eq!(stand.ask("ada", WRONG, HOME).await, Said::Wait);
}

#[tokio::test]
async fn an_account_of_ones_own_opens_no_others() {
    let stand = Stand::new("2/1h");
    for number in 0..10 {
        assert_eq!(stand.ask("mallory", RIGHT, HOME).await, Said::In);
        assert_eq!(stand.ask(&format!("user-{number}"), WRONG, HOME).await, Said::Wrong);
    }
    assert_eq!(stand.ask("another", WRONG, HOME).await, Said::Wait);
    assert_eq!(stand.ask("mallory", RIGHT, HOME).await, Said::Wait);
    // A name that has failed too often stays so, whoever else logs in there.
    let stand = Stand::new("2/1h");
    for _ in 0..2 {
        assert_eq!(stand.ask("ada", WRONG, HOME).await, Said::Wrong);
    }
    assert_eq!(stand.ask("mallory", RIGHT, HOME).await, Said::In);
    assert_eq!(stand.ask("ada", RIGHT, HOME).await, Said::Wait);
}

/// Strangers keep out strangers.
#[tokio::test]
async fn who_is_locked_out_by_strangers_goes_on_where_they_were_and_by_secrets_of_machines() {
    let stand = Stand::new("3/1h");
    assert_eq!(stand.ask("ada", RIGHT, HOME).await, Said::In);
    for number in 0..20 {
        for _ in 0..3 {
            let from = format!("198.51.100.{number}");
            assert_eq!(stand.ask("ada", WRONG, &from).await, Said::Wrong);
        }
    }
    let stranger = "203.0.113.9";
    assert_eq!(stand.ask("ada", RIGHT, stranger).await, Said::Wait);
    assert_eq!(stand.ask("bob", RIGHT, stranger).await, Said::In);
    let machine = MachineSecret::new(SecretKind::PersonalToken, &SystemRandom);
    assert_eq!(stand.ask("ada", machine.expose(), stranger).await, Said::In);
    assert_eq!(stand.ask("ada", RIGHT, HOME).await, Said::In);
    // Where they were, guesses are limited as ever.
    for _ in 0..3 {
        assert_eq!(stand.ask("ada", WRONG, HOME).await, Said::Wrong);
    }
    assert_eq!(stand.ask("ada", RIGHT, HOME).await, Said::Wait);
}

/// Jobs of a CI system come from ever other addresses, by tokens that nobody guesses.
#[tokio::test]
async fn nobody_locks_out_a_robot() {
    let stand = Stand::new("1/1h");
    for number in 0..40 {
        let from = format!("198.51.100.{number}");
        assert_eq!(stand.ask("team+ci", WRONG, &from).await, Said::Wrong);
    }
    assert_eq!(stand.ask("team+ci", RIGHT, HOME).await, Said::In);
    // A client that tries has its limit.
    for _ in 0..5 {
        assert_eq!(stand.ask("team+ci", WRONG, HOME).await, Said::Wrong);
    }
    assert_eq!(stand.ask("team+ci", RIGHT, HOME).await, Said::Wait);
}

#[tokio::test]
async fn an_exempt_network_lifts_what_is_limited_of_a_client_and_not_what_is_of_a_name() {
    let stand = Stand::with("1/1h", &["192.0.2.0/24"], None);
    for number in 0..20 {
        assert_eq!(stand.ask("ada", WRONG, HOME).await, Said::Wrong, "{number}");
        assert_eq!(stand.ask(&format!("user-{number}"), WRONG, HOME).await, Said::Wrong);
    }
    assert_eq!(stand.ask("ada", WRONG, HOME).await, Said::Wait);
    assert_eq!(stand.ask("ada", RIGHT, "198.51.100.1").await, Said::Wait);
    assert_eq!(stand.ask("bob", RIGHT, HOME).await, Said::In);
}

#[tokio::test]
async fn an_audit_log_that_cannot_be_written_changes_no_answer() {
    let stand = Stand::with("2/1h", &[], Some(Arc::new(NoAudit)));
    assert_eq!(stand.ask("ada", WRONG, HOME).await, Said::Wrong);
    assert_eq!(stand.ask("ada", RIGHT, HOME).await, Said::In);
}

#[tokio::test]
async fn what_was_typed_as_a_name_is_in_no_key() {
    let stand = Stand::new("2/1h");
    let typed = "correct horse battery";
    assert_eq!(stand.ask(typed, WRONG, HOME).await, Said::Wrong);
    assert_eq!(stand.ask(typed, RIGHT, HOME).await, Said::In);
    let keys = stand.limiter.1.lock().unwrap();
    assert!(keys.len() > 5 && keys.iter().all(|key| !key.contains("horse")), "{keys:?}");
}
