//! Logins: by password, personal token, robot secret and refresh token, and what each grants.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use wharf_auth::fact_cache::FactCache;
use wharf_auth::key_store::KeyStore;
use wharf_auth::password::{Password, Passwords};
use wharf_auth::secret::{MachineSecret, SecretKind};
use wharf_auth::sign_in::{SignIn, Tokens};
use wharf_core::access::{Narrowing, Role};
use wharf_core::authority::{
    IssuedToken, Login, Secret, TokenIssuer, TokenRefusal, TokenRequest, TokenVerifier,
};
use wharf_core::clock::SystemRandom;
use wharf_core::metadata::{
    AccountChange, Accounts, Change, ChangeRequest, CreateOrganization, NewGrant, NewRobot,
    NewToken, NewUser, Subject, TokenKind, UpdateUser,
};
use wharf_core::permissions::AccountName;
use wharf_metadata::{Database, Sqlite};

use crate::stand::{HandClock, authority, folder};

const PASSWORD: &str = "correct horse battery";

/// `ada`, whose organization is `team`, and its robot `ci`, which may write `team/app`.
struct House {
    accounts: Arc<dyn Accounts>,
    sign_in: SignIn,
    tokens: Tokens,
    _folders: (TempDir, TempDir),
}

impl House {
    async fn new() -> Self {
        let (data, keys) = (TempDir::new().unwrap(), folder());
        let clock = HandClock::new();
        let sqlite = Sqlite::open(&data.path().join("db"), clock.clone()).unwrap();
        let accounts: Arc<dyn Accounts> = Arc::new(Database::on_sqlite(sqlite));
        let store = Arc::new(KeyStore::open(keys.path()).unwrap());
        let passwords = Passwords::new(2).unwrap();
        let user = NewUser {
            name: "ada".parse().unwrap(),
            email: None,
            password_hash: Some(passwords.hash(&Password::new(PASSWORD)).await.unwrap()),
            site_admin: false,
        };
        let tokens = Tokens::new(Arc::clone(&store), authority(), clock.clone());
        let sign_in = SignIn {
            accounts: Arc::clone(&accounts),
            facts: FactCache::new(Arc::clone(&accounts), Duration::ZERO),
            keys: store,
            authority: authority(),
            passwords,
            clock,
            random: Arc::new(SystemRandom),
            workloads: None,
            directory: None,
        };
        let house = Self { accounts, sign_in, tokens, _folders: (data, keys) };
        house.change(user).await;
        let (name, owner) = ("team".parse().unwrap(), "ada".parse().unwrap());
        house.change(CreateOrganization { name, owner }).await;
        house
    }

    async fn change(&self, change: impl Into<AccountChange>) {
        let request = ChangeRequest { change: change.into(), by: "system".into(), once: None };
        assert_eq!(self.accounts.change(request).await.unwrap(), Change::Done);
    }

    /// Somebody else administers the organization from then on.
    async fn disable(&self, name: &str) {
        let heir: AccountName = "heir".parse().unwrap();
        let user =
            NewUser { name: heir.clone(), email: None, password_hash: None, site_admin: false };
        self.change(user).await;
        let (namespace, subject) = ("team".parse().unwrap(), Subject::User(heir));
        self.change(NewGrant { namespace, subject, role: Role::Admin, pattern: None }).await;
        let (name, disabled) = (name.parse().unwrap(), Some(true));
        let update = UpdateUser { name, email: None, disabled, site_admin: None, expected: None };
        self.change(update).await;
    }

    async fn personal(&self, role: Role, on: Option<&str>) -> MachineSecret {
        let secret = MachineSecret::new(SecretKind::PersonalToken, &SystemRandom);
        let token = NewToken {
            user: "ada".parse().unwrap(),
            kind: TokenKind::Personal,
            name: "laptop".into(),
            secret_hash: secret.hash(),
            most: Narrowing { role, pattern: on.map(|text| text.parse().unwrap()) },
            expires_at: None,
            provider: None,
        };
        self.change(token).await;
        secret
    }

    async fn ask(&self, login: Option<Login>, scope: &str) -> Result<IssuedToken, TokenRefusal> {
        let scopes = vec![scope.to_owned()];
        let request =
            TokenRequest { login, scopes, offline: true, client: "test".into(), address: None };
        self.sign_in.issue(request).await
    }

    /// What is granted, as the token says it.
    async fn granted(&self, login: Option<Login>, scope: &str) -> String {
        let issued = self.ask(login, scope).await.unwrap();
        let caller = self.tokens.verify(issued.access.expose()).unwrap();
        let rights = caller.rights.unwrap();
        let texts = rights.repositories.iter().map(|(name, actions)| {
            wharf_auth::scope::needed(name, *actions).replacen("repository:", "", 1)
        });
        let said = texts.collect::<Vec<_>>().join(" ");
        assert_eq!(issued.scope.replace("repository:", ""), said);
        format!("{} {said}", caller.principal).trim_end().to_owned()
    }
}

fn login(name: &str, secret: &str) -> Option<Login> {
    Some(Login::Name { name: name.into(), secret: Secret::new(secret.into()) })
}

const ALL: &str = "repository:team/app:pull,push,delete";

#[tokio::test]
async fn a_password_gives_what_its_user_may_have_and_nothing_more() {
    let house = House::new().await;
    let granted = house.granted(login("ada", PASSWORD), ALL).await;
    assert_eq!(granted, "user:ada team/app:pull,push,delete");
    let granted = house.granted(login("ada", PASSWORD), "repository:other/app:pull").await;
    assert_eq!(granted, "user:ada");
    assert_eq!(house.granted(None, ALL).await, "anonymous");
    let catalog = house.ask(login("ada", PASSWORD), "registry:catalog:*").await.unwrap();
    assert!(!house.tokens.verify(catalog.access.expose()).unwrap().rights.unwrap().catalog);
}

#[tokio::test]
async fn a_wrong_login_is_told_no_more_than_that() {
    let house = House::new().await;
    let unknown = MachineSecret::new(SecretKind::PersonalToken, &SystemRandom);
    for (name, secret) in [
        ("ada", "another password"),
        ("nobody", PASSWORD),
        ("", ""),
        ("team", PASSWORD),
        ("ADA", PASSWORD),
        ("ada", unknown.expose()),
        ("a'; DROP TABLE users; --", PASSWORD),
    ] {
        let refused = house.ask(login(name, secret), ALL).await.unwrap_err();
        assert!(matches!(refused, TokenRefusal::Login), "{name}: {refused:?}");
        assert_eq!(refused.to_string(), "the name or the secret is wrong");
    }
    house.disable("ada").await;
    let refused = house.ask(login("ada", PASSWORD), ALL).await.unwrap_err();
    assert!(matches!(refused, TokenRefusal::Login));
}

#[tokio::test]
async fn a_personal_token_gives_no_more_than_it_says() {
    let house = House::new().await;
    for (role, on, expected) in [
        (Role::Admin, None, "user:ada team/app:pull,push,delete"),
        (Role::Write, None, "user:ada team/app:pull,push"),
        (Role::Read, Some("team/*"), "user:ada team/app:pull"),
        (Role::Admin, Some("team/other"), "user:ada"),
    ] {
        let secret = house.personal(role, on).await;
        assert_eq!(house.granted(login("ada", secret.expose()), ALL).await, expected);
        let of_another = house.ask(login("bob", secret.expose()), ALL).await;
        assert!(matches!(of_another, Err(TokenRefusal::Login)));
    }
}

#[tokio::test]
async fn a_robot_logs_in_by_its_full_name() {
    let house = House::new().await;
    let secret = MachineSecret::new(SecretKind::RobotSecret, &SystemRandom);
    let robot =
        NewRobot { name: "team+ci".parse().unwrap(), secret_hash: secret.hash(), expires_at: None };
    house.change(robot).await;
    assert_eq!(house.granted(login("team+ci", secret.expose()), ALL).await, "robot:team+ci");
    let grant = NewGrant {
        namespace: "team".parse().unwrap(),
        subject: Subject::Robot("ci".parse().unwrap()),
        role: Role::Write,
        pattern: Some("team/app".parse().unwrap()),
    };
    house.change(grant).await;
    let granted = house.granted(login("team+ci", secret.expose()), ALL).await;
    assert_eq!(granted, "robot:team+ci team/app:pull,push");
    for name in ["ci", "team", "other+ci", "ada"] {
        let refused = house.ask(login(name, secret.expose()), ALL).await;
        assert!(matches!(refused, Err(TokenRefusal::Login)), "{name}");
    }
    // A robot keeps its secret: it needs nothing to refresh by.
    let issued = house.ask(login("team+ci", secret.expose()), ALL).await.unwrap();
    assert!(issued.refresh.is_none());
}

#[tokio::test]
async fn a_refresh_token_goes_on_until_its_user_is_disabled_and_is_no_password() {
    let house = House::new().await;
    let issued = house.ask(login("ada", PASSWORD), ALL).await.unwrap();
    let refresh = issued.refresh.unwrap();
    let again = || Some(Login::RefreshToken(refresh.clone()));
    assert_eq!(house.granted(again(), ALL).await, "user:ada team/app:pull,push,delete");
    let as_password = house.ask(login("ada", refresh.expose()), ALL).await;
    assert!(matches!(as_password, Err(TokenRefusal::Login)));
    let personal = house.personal(Role::Read, None).await;
    let as_refresh = Some(Login::RefreshToken(Secret::new(personal.expose().into())));
    assert!(matches!(house.ask(as_refresh, ALL).await, Err(TokenRefusal::Login)));
    // What a narrow token gets never grows into a wide one.
    let issued = house.ask(login("ada", personal.expose()), ALL).await.unwrap();
    assert!(issued.refresh.is_none());
    house.disable("ada").await;
    assert!(matches!(house.ask(again(), ALL).await, Err(TokenRefusal::Login)));
}

#[tokio::test]
async fn a_scope_that_cannot_be_read_is_told_before_anything_is_asked() {
    let house = House::new().await;
    let refused = house.ask(login("ada", "wrong"), "repository:../x:pull").await.unwrap_err();
    assert!(matches!(refused, TokenRefusal::Scope(_)), "{refused:?}");
}
