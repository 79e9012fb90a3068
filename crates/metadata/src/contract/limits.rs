//! Rules of how much one account makes.

use std::time::Duration;

use wharf_core::access::{Narrowing, Role};
use wharf_core::actor::Actor;
use wharf_core::clock::Clock;
use wharf_core::metadata::{
    AccountChange, AddMember, Change, ChangeRequest, CreateOrganization, CreateTeam, MOST_GRANTS,
    MOST_MEMBERS, MOST_ORGANIZATIONS, MOST_REFRESH_TOKENS, MOST_ROBOTS, MOST_TEAMS, MOST_TOKENS,
    NewGrant, NewRobot, NewToken, NewUser, Refusal, TokenKind,
};
use wharf_core::permissions::AccountName;

use super::stand::Stand;

const HOUR: Duration = Duration::from_secs(3600);

fn account(text: &str) -> AccountName {
    text.parse().unwrap()
}

/// The user `ada`.
async fn ada(stand: &Stand) {
    let name = account("ada");
    let user = NewUser { name, email: None, password_hash: None, site_admin: false };
    assert_eq!(stand.change(user).await, Change::Done);
}

/// Makes `most - 1` rows by a statement in which `i` counts from 1.
async fn fill(stand: &Stand, most: usize, insert: &str) {
    let (head, rest) = insert.split_once(" SELECT ").unwrap();
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) {head} SELECT {rest}",
        most - 1
    );
    stand.rows(&sql, &[]).await;
}

/// The registry itself may go on.
pub async fn organizations_are_limited_for_each_user(stand: &Stand) {
    ada(stand).await;
    let make = async |number: usize, by: &str| {
        let name = account(&format!("org{number}"));
        let change: AccountChange = CreateOrganization { name, owner: account("ada") }.into();
        let request = ChangeRequest { change, by: Actor::from(by), once: None };
        stand.accounts.change(request).await.unwrap()
    };
    for number in 0..MOST_ORGANIZATIONS {
        assert_eq!(make(number, "user:ada").await, Change::Done);
    }
    let refused = Refusal::TooManyOrganizations;
    assert_eq!(make(MOST_ORGANIZATIONS, "user:ada").await, Change::Refused(refused));
    assert!(refused.to_string().contains(&MOST_ORGANIZATIONS.to_string()), "{refused}");
    assert_eq!(make(MOST_ORGANIZATIONS, "system").await, Change::Done);
}

/// What is there already may be asked for again.
pub async fn teams_members_and_grants_are_limited(stand: &Stand) {
    ada(stand).await;
    let namespace = || account("ada");
    let team = |text: &str| CreateTeam { namespace: namespace(), team: account(text) };
    fill(
        stand,
        MOST_TEAMS,
        "INSERT INTO teams (namespace_id, name, created_at) SELECT u.namespace_id, 't' || i, 1 FROM n, users u",
    )
    .await;
    assert_eq!(stand.change(team("last")).await, Change::Done);
    assert_eq!(stand.change(team("more")).await, Change::Refused(Refusal::TooManyTeams));
    assert_eq!(stand.change(team("last")).await, Change::Taken);
    fill(
        stand,
        MOST_MEMBERS,
        "INSERT INTO namespaces (name, kind, created_at) SELECT 'u' || i, 'user', 1 FROM n",
    )
    .await;
    let users = "INSERT INTO users (name, namespace_id, created_at)
                 SELECT name, id, 1 FROM namespaces WHERE name <> 'ada'";
    stand.rows(users, &[]).await;
    let members = "INSERT INTO team_members (team_id, user_id)
                   SELECT t.id, u.id FROM teams t, users u WHERE t.name = 'last' AND u.name <> 'ada'";
    stand.rows(members, &[]).await;
    let add = |text: &str| {
        let (team, user) = (account("last"), account(text));
        AddMember { namespace: namespace(), team, user }
    };
    assert_eq!(stand.change(add("ada")).await, Change::Done);
    assert_eq!(stand.change(add("u1")).await, Change::Done);
    let late =
        NewUser { name: account("late"), email: None, password_hash: None, site_admin: false };
    assert_eq!(stand.change(late).await, Change::Done);
    assert_eq!(stand.change(add("late")).await, Change::Refused(Refusal::TooManyMembers));
    let grants = "INSERT INTO grants (namespace_id, subject_kind, subject_id, role, pattern, created_by, created_at)
                  SELECT a.namespace_id, 'user', u.id, 'read', '', 'user:ada', 1 FROM users a, users u
                  WHERE a.name = 'ada' AND u.name LIKE 'u%'";
    stand.rows(grants, &[]).await;
    let grant = |subject: &str, pattern: Option<&str>| NewGrant {
        namespace: namespace(),
        subject: subject.parse().unwrap(),
        role: Role::Write,
        pattern: pattern.map(|text| text.parse().unwrap()),
    };
    let made = stand.rows("SELECT count(*) FROM grants", &[]).await;
    assert_eq!(made, [(MOST_GRANTS - 1).to_string()]);
    assert_eq!(stand.change(grant("team:last", None)).await, Change::Done);
    let more = grant("team:last", Some("ada/app"));
    assert_eq!(stand.change(more).await, Change::Refused(Refusal::TooManyGrants));
    assert_eq!(stand.change(grant("user:u1", None)).await, Change::Done);
}

/// Whether they are disabled or not.
pub async fn robots_are_limited_for_each_namespace(stand: &Stand) {
    ada(stand).await;
    let make = async |number: usize| {
        let mut secret_hash = [0; 32];
        secret_hash[..8].copy_from_slice(&number.to_be_bytes());
        let name = format!("ada+ci{number}").parse().unwrap();
        stand.change(NewRobot { name, secret_hash, expires_at: None }).await
    };
    for number in 0..MOST_ROBOTS {
        assert_eq!(make(number).await, Change::Done);
    }
    assert_eq!(make(MOST_ROBOTS).await, Change::Refused(Refusal::TooManyRobots));
    assert_eq!(make(0).await, Change::Taken);
}

fn token(stand: &Stand, number: u16, life: Option<Duration>) -> NewToken {
    let mut secret_hash = [0; 32];
    secret_hash[..2].copy_from_slice(&number.to_be_bytes());
    NewToken {
        user: account("ada"),
        kind: TokenKind::Personal,
        name: format!("token {number}"),
        secret_hash,
        most: Narrowing::WHOLE,
        expires_at: life.map(|life| stand.clock.now().after(life)),
        provider: None,
    }
}

/// The oldest goes: whoever logs in again and again is let in still. Those of others stay.
pub async fn refresh_tokens_are_limited_for_each_user(stand: &Stand) {
    ada(stand).await;
    let bob = NewUser { name: account("bob"), email: None, password_hash: None, site_admin: false };
    assert_eq!(stand.change(bob).await, Change::Done);
    let refresh = |user: &str, number| NewToken {
        user: account(user),
        kind: TokenKind::Refresh,
        ..token(stand, number, None)
    };
    let most = MOST_REFRESH_TOKENS as u16;
    assert_eq!(stand.change(refresh("bob", 1000)).await, Change::Done);
    assert_eq!(stand.change(token(stand, 2000, None)).await, Change::Done);
    for number in 0..most + 2 {
        assert_eq!(stand.change(refresh("ada", number)).await, Change::Done);
    }
    let works = async |number| {
        let hash = token(stand, number, None).secret_hash;
        stand.accounts.find_secret(hash).await.unwrap().is_some()
    };
    assert_eq!((works(0).await, works(1).await), (false, false));
    assert!(works(2).await && works(most + 1).await, "the newest are there");
    assert!(works(1000).await && works(2000).await, "nobody else's, and no personal one");
    let sql = "SELECT count(*) FROM user_tokens WHERE kind = 'refresh'";
    assert_eq!(stand.rows(sql, &[]).await, [(most + 1).to_string()]);
}

/// Those that have expired make room; all that there are, are listed.
pub async fn tokens_are_limited_for_each_user(stand: &Stand) {
    ada(stand).await;
    let most = MOST_TOKENS as u16;
    for number in 0..most {
        let life = (number < 2).then_some(HOUR);
        assert_eq!(stand.change(token(stand, number, life)).await, Change::Done);
    }
    let refused = Change::Refused(Refusal::TooManyTokens);
    assert_eq!(stand.change(token(stand, most, None)).await, refused);
    stand.clock.advance(HOUR);
    for number in [most, most + 1] {
        assert_eq!(stand.change(token(stand, number, None)).await, Change::Done);
    }
    assert_eq!(stand.change(token(stand, most + 2, None)).await, refused);
    let listed = stand.directory.list_tokens(account("ada")).await.unwrap().unwrap();
    assert_eq!(listed.len(), MOST_TOKENS);
    assert_eq!(listed.last().unwrap().name, format!("token {}", most + 1));
}

/// A week after it.
pub async fn personal_tokens_are_found_and_forgotten_after_their_end(stand: &Stand) {
    ada(stand).await;
    for (number, life) in [(1, None), (2, Some(HOUR))] {
        assert_eq!(stand.change(token(stand, number, life)).await, Change::Done);
    }
    let found = async |number: u8| {
        let id = [0, number, 0, 0, 0, 0, 0, 0];
        let found = stand.directory.find_token(account("ada"), id).await.unwrap();
        found.map(|token| token.name)
    };
    assert_eq!(found(2).await.as_deref(), Some("token 2"));
    assert_eq!(found(3).await, None);
    assert_eq!(stand.directory.find_token(account("nobody"), [0; 8]).await.unwrap(), None);
    stand.clock.advance(24 * HOUR);
    assert_eq!(stand.accounts.forget_expired(10).await.unwrap(), 0);
    assert!(found(2).await.is_some());
    stand.clock.advance(7 * 24 * HOUR);
    assert_eq!(stand.accounts.forget_expired(10).await.unwrap(), 1);
    assert!(found(2).await.is_none() && found(1).await.is_some());
}
