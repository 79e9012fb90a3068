//! Rules of accounts: who there is, what was granted to them, and the facts of a decision.

use std::time::Duration;

use wharf_core::access::{Facts, Grant, NamespaceFacts, Narrowing, Role, Through, Visibility};
use wharf_core::clock::Clock;
use wharf_core::metadata::{
    AddMember, Change, ChangeRequest, CreateOrganization, CreateTeam, NewGrant, NewRobot, NewToken,
    NewUser, Page, RemoveGrant, RemoveMember, RemoveToken, SecretHolder, SetPassword,
    SetVisibility, Subject, TokenKind, UpdateNamespace, UserFilter,
};
use wharf_core::permissions::{AccountName, Principal};

use super::samples::name;
use super::stand::Stand;

const HOUR: Duration = Duration::from_secs(3600);

fn account(text: &str) -> AccountName {
    text.parse().unwrap()
}

async fn user(stand: &Stand, text: &str) -> Change {
    let user = NewUser {
        name: account(text),
        email: None,
        password_hash: Some(format!("hash of {text}")),
        site_admin: text == "root",
    };
    stand.change(user).await
}

/// The users `ada` and `bob`, and the organization `team` of `ada`.
async fn people(stand: &Stand) {
    for text in ["ada", "bob"] {
        assert_eq!(user(stand, text).await, Change::Done);
    }
    assert_eq!(organization(stand, "team", "ada").await, Change::Done);
}

async fn organization(stand: &Stand, name: &str, owner: &str) -> Change {
    stand.change(CreateOrganization { name: account(name), owner: account(owner) }).await
}

async fn team(stand: &Stand, namespace: &str) -> Change {
    stand.change(CreateTeam { namespace: account(namespace), team: account("devs") }).await
}

async fn set_member(stand: &Stand, namespace: &str, is_member: bool) -> Change {
    let (namespace, team, user) = (account(namespace), account("devs"), account("bob"));
    if is_member {
        stand.change(AddMember { namespace, team, user }).await
    } else {
        stand.change(RemoveMember { namespace, team, user }).await
    }
}

async fn facts(stand: &Stand, principal: &str, repository: &str) -> Facts {
    let principal: Principal = principal.parse().unwrap();
    stand.accounts.access_facts(principal, name(repository)).await.unwrap()
}

/// The grants that reach somebody, without their numbers.
async fn grants(stand: &Stand, principal: &str, repository: &str) -> Vec<(Role, String, String)> {
    let facts = facts(stand, principal, repository).await;
    let shown = |Grant { gives: Narrowing { role, pattern }, through, .. }: Grant| {
        let through = match through {
            Through::Direct => String::new(),
            Through::Team(team) => team.to_string(),
        };
        (role, pattern.map(|it| it.to_string()).unwrap_or_default(), through)
    };
    let mut all: Vec<_> =
        facts.namespace.map(|it| it.grants).unwrap_or_default().into_iter().map(shown).collect();
    all.sort();
    all
}

fn grant(subject: Subject, role: Role, pattern: Option<&str>) -> NewGrant {
    let pattern = pattern.map(|text| text.parse().unwrap());
    NewGrant { namespace: account("team"), subject, role, pattern }
}

async fn put(stand: &Stand, subject: Subject, role: Role, pattern: Option<&str>) -> Change {
    stand.change(grant(subject, role, pattern)).await
}

/// Nor may an organization be called like a user, as both are the first word of repositories.
pub async fn a_user_is_found_by_name_and_nobody_else_has_it(stand: &Stand) {
    people(stand).await;
    let found = stand.accounts.find_user(account("ada")).await.unwrap().unwrap();
    assert_eq!(found.password_hash.as_deref(), Some("hash of ada"));
    assert!(!found.disabled && !found.site_admin);
    assert_eq!(stand.accounts.find_user(account("nobody")).await.unwrap(), None);
    assert_eq!(stand.accounts.find_user(account("team")).await.unwrap(), None);
    for taken in ["ada", "team"] {
        assert_eq!(user(stand, taken).await, Change::Taken, "{taken}");
    }
    assert_eq!(organization(stand, "bob", "ada").await, Change::Taken);
    assert_eq!(organization(stand, "new", "nobody").await, Change::NotFound);
    assert_eq!(user(stand, "new").await, Change::Done);
}

/// An administrator of all neither.
pub async fn a_disabled_user_is_active_no_more(stand: &Stand) {
    assert_eq!(user(stand, "root").await, Change::Done);
    // Somebody must be left who may do everything.
    let other =
        NewUser { name: account("other"), email: None, password_hash: None, site_admin: true };
    assert_eq!(stand.change(other).await, Change::Done);
    let active = async || {
        let facts = facts(stand, "user:root", "any/thing").await;
        (facts.active, facts.site_admin)
    };
    assert_eq!(active().await, (true, true));
    let set = async |disabled| stand.set_disabled("root", disabled).await;
    assert_eq!(set(true).await, Change::Done);
    assert_eq!(active().await, (false, false));
    assert!(stand.accounts.find_user(account("root")).await.unwrap().unwrap().disabled);
    assert_eq!(set(false).await, Change::Done);
    assert_eq!(active().await, (true, true));
    assert_eq!(stand.set_disabled("nobody", true).await, Change::NotFound);
    assert_eq!(facts(stand, "user:nobody", "any/thing").await, Facts::default());
}

/// In the order of their names.
pub async fn users_are_listed_a_page_at_a_time(stand: &Stand) {
    for text in ["bob", "ada", "cy"] {
        user(stand, text).await;
    }
    let page = async |after: Option<&str>| {
        let page = Page { after: after.map(str::to_owned), limit: 2 };
        let users = stand.directory.list_users(UserFilter::default(), page).await.unwrap();
        users.into_iter().map(|user| user.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(page(None).await, ["ada", "bob"]);
    assert_eq!(page(Some("bob")).await, ["cy"]);
}

/// By itself and with a pattern; a second one for the same replaces the first.
pub async fn what_is_granted_to_a_user_is_a_fact(stand: &Stand) {
    people(stand).await;
    let bob = || Subject::User(account("bob"));
    assert_eq!(grants(stand, "user:bob", "team/app").await, []);
    put(stand, bob(), Role::Read, None).await;
    put(stand, bob(), Role::Write, Some("team/a*")).await;
    put(stand, bob(), Role::Maintain, Some("team/a*")).await;
    let expected = [
        (Role::Read, String::new(), String::new()),
        (Role::Maintain, "team/a*".into(), String::new()),
    ];
    assert_eq!(grants(stand, "user:bob", "team/app").await, expected);
    // Also of what its maker has.
    assert_eq!(grants(stand, "user:ada", "team/app").await.len(), 1);
    assert_eq!(put(stand, Subject::User(account("no")), Role::Read, None).await, Change::NotFound);
    let own = facts(stand, "user:bob", "bob/app").await;
    let empty = NamespaceFacts { own: true, create_on_push: true, grants: Vec::new() };
    assert_eq!((own.active, own.namespace), (true, Some(empty)));
    assert_eq!(facts(stand, "user:bob", "other/app").await.namespace, None);
}

/// For as long as they are.
pub async fn what_is_granted_to_a_team_is_a_fact_of_its_members(stand: &Stand) {
    people(stand).await;
    let devs = account("devs");
    let set = async |is_member| set_member(stand, "team", is_member).await;
    assert_eq!(set(true).await, Change::NotFound);
    assert_eq!(team(stand, "team").await, Change::Done);
    assert_eq!(team(stand, "team").await, Change::Taken);
    put(stand, Subject::Team(devs.clone()), Role::Write, None).await;
    assert_eq!(grants(stand, "user:bob", "team/app").await, []);
    for _ in 0..2 {
        assert_eq!(set(true).await, Change::Done);
    }
    let expected = [(Role::Write, String::new(), "devs".into())];
    assert_eq!(grants(stand, "user:bob", "team/app").await, expected);
    assert_eq!(set(false).await, Change::Done);
    assert_eq!(grants(stand, "user:bob", "team/app").await, []);
}

/// Teams of the same name included.
pub async fn what_is_granted_in_one_namespace_is_no_fact_in_another(stand: &Stand) {
    people(stand).await;
    organization(stand, "other", "ada").await;
    for namespace in ["team", "other"] {
        team(stand, namespace).await;
    }
    assert_eq!(set_member(stand, "other", true).await, Change::Done);
    put(stand, Subject::Team(account("devs")), Role::Admin, None).await;
    put(stand, Subject::User(account("bob")), Role::Read, None).await;
    assert_eq!(grants(stand, "user:bob", "other/app").await, []);
    assert_eq!(grants(stand, "user:bob", "teams/app").await, []);
    assert_eq!(grants(stand, "user:bob", "team/app").await.len(), 1);
    assert_eq!(facts(stand, "anonymous", "team/app").await, Facts::default());
}

/// With its own pattern only.
pub async fn a_grant_that_is_taken_away_is_no_fact_any_more(stand: &Stand) {
    people(stand).await;
    let bob = || Subject::User(account("bob"));
    put(stand, bob(), Role::Read, None).await;
    put(stand, bob(), Role::Write, Some("team/app")).await;
    let remove = async |pattern: Option<&str>| {
        let pattern = pattern.map(|text| text.parse().unwrap());
        let namespace = account("team");
        stand.change(RemoveGrant { namespace, subject: bob(), pattern }).await
    };
    assert_eq!(remove(Some("team/other")).await, Change::NotFound);
    assert_eq!(remove(None).await, Change::Done);
    assert_eq!(remove(None).await, Change::NotFound);
    let left = [(Role::Write, "team/app".to_owned(), String::new())];
    assert_eq!(grants(stand, "user:bob", "team/app").await, left);
}

async fn robot(stand: &Stand, text: &str, secret: u8, life: Option<Duration>) -> Change {
    let robot = NewRobot {
        name: text.parse().unwrap(),
        secret_hash: [secret; 32],
        expires_at: life.map(|life| stand.clock.now().after(life)),
    };
    stand.change(robot).await
}

/// And none once it has expired.
pub async fn a_robot_has_grants_in_its_namespace_alone(stand: &Stand) {
    people(stand).await;
    assert_eq!(robot(stand, "nobody+ci", 1, None).await, Change::NotFound);
    assert_eq!(robot(stand, "team+ci", 1, Some(HOUR)).await, Change::Done);
    put(stand, Subject::Robot(account("ci")), Role::Write, Some("team/*")).await;
    let expected = [(Role::Write, "team/*".to_owned(), String::new())];
    assert_eq!(grants(stand, "robot:team+ci", "team/app").await, expected);
    assert!(facts(stand, "robot:team+ci", "team/app").await.active);
    assert_eq!(facts(stand, "robot:team+ci", "ada/app").await, Facts::default());
    assert_eq!(facts(stand, "robot:ada+ci", "team/app").await.namespace, None);
    stand.clock.advance(HOUR);
    assert!(!facts(stand, "robot:team+ci", "team/app").await.active);
}

async fn token(stand: &Stand, user: &str, kind: TokenKind, secret: u8) -> Change {
    let token = NewToken {
        user: account(user),
        kind,
        name: "laptop".into(),
        secret_hash: [secret; 32],
        most: most(),
        expires_at: Some(stand.clock.now().after(HOUR)),
        provider: None,
    };
    stand.change(token).await
}

fn most() -> Narrowing {
    Narrowing { role: Role::Write, pattern: Some("team/*".parse().unwrap()) }
}

async fn holder(stand: &Stand, secret: u8) -> Option<SecretHolder> {
    stand.accounts.find_secret([secret; 32]).await.unwrap()
}

/// Is taken away, or its user is disabled.
pub async fn a_secret_is_found_until_it_expires(stand: &Stand) {
    people(stand).await;
    assert_eq!(token(stand, "nobody", TokenKind::Personal, 1).await, Change::NotFound);
    for secret in [1, 2] {
        assert_eq!(token(stand, "bob", TokenKind::Personal, secret).await, Change::Done);
    }
    let expected = SecretHolder {
        principal: "user:bob".parse().unwrap(),
        kind: Some(TokenKind::Personal),
        most: most(),
        expires_at: Some(stand.clock.now().after(HOUR)),
        provider: None,
    };
    assert_eq!(holder(stand, 1).await, Some(expected.clone()));
    assert_eq!(holder(stand, 9).await, None);
    // When it was last used is noted, once an hour.
    let used = async || stand.rows("SELECT last_used_at FROM user_tokens ORDER BY id", &[]).await;
    let first = stand.clock.now().0.to_string();
    assert_eq!(used().await, [first.as_str(), "-"]);
    stand.clock.advance(HOUR / 2);
    assert!(holder(stand, 1).await.is_some());
    assert_eq!(used().await, [first.as_str(), "-"]);
    stand.set_disabled("bob", true).await;
    assert_eq!(holder(stand, 1).await, None);
    stand.set_disabled("bob", false).await;
    assert_eq!(holder(stand, 1).await, Some(expected));
    let remove = || RemoveToken { user: account("bob"), id: [2; 8] };
    assert_eq!(stand.change(remove()).await, Change::Done);
    assert_eq!(stand.change(remove()).await, Change::NotFound);
    assert_eq!(holder(stand, 2).await, None);
    stand.clock.advance(HOUR);
    assert_eq!(holder(stand, 1).await, None);
}

/// Disabling does too; personal tokens stay, unless somebody else sets the password.
pub async fn another_password_ends_what_refreshes(stand: &Stand) {
    people(stand).await;
    for (secret, kind) in [(1, TokenKind::Refresh), (2, TokenKind::Personal)] {
        assert_eq!(token(stand, "bob", kind, secret).await, Change::Done);
    }
    let set_by = async |by: &str| {
        let another = SetPassword { name: account("bob"), hash: "another".into() };
        let request = ChangeRequest { change: another.into(), by: by.into(), once: None };
        assert_eq!(stand.accounts.change(request).await.unwrap(), Change::Done);
    };
    set_by("user:bob").await;
    let bob = stand.accounts.find_user(account("bob")).await.unwrap().unwrap();
    assert_eq!(bob.password_hash.as_deref(), Some("another"));
    assert_eq!(holder(stand, 1).await, None);
    assert!(holder(stand, 2).await.is_some());
    set_by("system").await;
    assert_eq!(holder(stand, 2).await, None);
    assert_eq!(token(stand, "bob", TokenKind::Refresh, 3).await, Change::Done);
    for disabled in [true, false] {
        stand.set_disabled("bob", disabled).await;
    }
    assert_eq!(holder(stand, 3).await, None);
}

/// Private where nothing is said, and what is there stays as it is.
pub async fn a_new_repository_is_as_visible_as_its_namespace_says(stand: &Stand) {
    people(stand).await;
    let visibility =
        async |repository: &str| facts(stand, "anonymous", repository).await.repository;
    for repository in ["team/old", "unknown/app"] {
        stand.start(repository).await;
        assert_eq!(visibility(repository).await, Some(Visibility::Private), "{repository}");
    }
    let update = UpdateNamespace {
        name: account("team"),
        default_visibility: Some(Visibility::Public),
        create_on_push: Some(false),
        expected: None,
    };
    assert_eq!(stand.change(update).await, Change::Done);
    stand.start("team/new").await;
    assert_eq!(visibility("team/new").await, Some(Visibility::Public));
    assert_eq!(visibility("team/old").await, Some(Visibility::Private));
    assert_eq!(visibility("team/none").await, None);
    assert!(!facts(stand, "user:ada", "team/x").await.namespace.unwrap().create_on_push);
    let (repository, visibility) = (name("team/none"), Visibility::Public);
    let set = SetVisibility { repository, visibility, expected: None };
    assert_eq!(stand.change(set).await, Change::NotFound);
}
