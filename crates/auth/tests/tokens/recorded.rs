//! Rights by what is recorded now: for each requirement who has it, with which secret, and that it ends at once.

use std::sync::Arc;

use tempfile::TempDir;
use wharf_auth::recorded::AsRecorded;
use wharf_core::access::{Narrowing, Role};
use wharf_core::metadata::{
    AccountChange, Accounts, Change, ChangeRequest, CreateOrganization, NewGrant, NewUser,
    RemoveGrant, Subject, UpdateUser,
};
use wharf_core::operation::{Action, Requirement};
use wharf_core::permissions::{AccountName, Caller, Permissions};
use wharf_metadata::{Database, Sqlite};

use crate::stand::HandClock;

/// `root`, who administers everything; `ada`, whose organization is `team`; and `bob`, who may write `team/app`.
struct House {
    accounts: Arc<dyn Accounts>,
    permissions: AsRecorded,
    _folder: TempDir,
}

fn account(text: &str) -> AccountName {
    text.parse().unwrap()
}

impl House {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let sqlite = Sqlite::open(&folder.path().join("db"), HandClock::new()).unwrap();
        let accounts: Arc<dyn Accounts> = Arc::new(Database::on_sqlite(sqlite));
        let permissions = AsRecorded::new(Arc::clone(&accounts));
        let house = Self { accounts, permissions, _folder: folder };
        for name in ["root", "ada", "bob"] {
            let site_admin = name == "root";
            let name = account(name);
            house.change(NewUser { name, email: None, password_hash: None, site_admin }).await;
        }
        house.change(CreateOrganization { name: account("team"), owner: account("ada") }).await;
        let grant = NewGrant {
            namespace: account("team"),
            subject: Subject::User(account("bob")),
            role: Role::Write,
            pattern: Some("team/app".parse().unwrap()),
        };
        house.change(grant).await;
        house
    }

    async fn change(&self, change: impl Into<AccountChange>) {
        let request = ChangeRequest { change: change.into(), by: "system".into(), once: None };
        assert_eq!(self.accounts.change(request).await.unwrap(), Change::Done);
    }

    async fn has(&self, who: &str, most: Narrowing, requirement: Requirement<'_>) -> bool {
        let caller = Caller { most, ..Caller::new(who.parse().unwrap()) };
        self.permissions.allows(&caller, requirement).await.unwrap()
    }
}

fn at_most(role: Role, pattern: Option<&str>) -> Narrowing {
    Narrowing { role, pattern: pattern.map(|text| text.parse().unwrap()) }
}

#[tokio::test]
async fn each_requirement_is_met_by_those_who_have_it() {
    let house = House::new().await;
    let (ada, team, app) = (account("ada"), account("team"), "team/app".parse().unwrap());
    let everyone = ["anonymous", "user:bob", "user:ada", "user:root", "robot:team+ci"];
    for (requirement, who) in [
        (Requirement::Access, &everyone[..]),
        (Requirement::Site, &["user:root"]),
        (Requirement::Catalog, &["user:root"]),
        (Requirement::Own(&ada, Role::Admin), &["user:ada", "user:root"]),
        (Requirement::Namespace(&team, Role::Admin), &["user:ada", "user:root"]),
        (Requirement::Namespace(&team, Role::Read), &["user:bob", "user:ada", "user:root"]),
        (Requirement::Teams(&team), &["user:ada", "user:root"]),
        (Requirement::Role(&app, Role::Write), &["user:bob", "user:ada", "user:root"]),
        (Requirement::Role(&app, Role::Maintain), &["user:ada", "user:root"]),
        (Requirement::Repository(&app, Action::Push), &["user:bob", "user:ada", "user:root"]),
        (Requirement::Repository(&app, Action::Delete), &["user:ada", "user:root"]),
    ] {
        for name in everyone {
            let has = house.has(name, Narrowing::WHOLE, requirement).await;
            assert_eq!(has, who.contains(&name), "{name}: {requirement:?}");
        }
    }
}

#[tokio::test]
async fn a_narrow_secret_is_good_for_no_more_than_it_says() {
    let house = House::new().await;
    let (root, team) = (account("root"), account("team"));
    let (app, other) = ("team/app".parse().unwrap(), "team/other".parse().unwrap());
    for (most, requirement, expected) in [
        (at_most(Role::Write, None), Requirement::Site, false),
        (at_most(Role::Admin, Some("*")), Requirement::Site, false),
        (at_most(Role::Read, None), Requirement::Own(&root, Role::Read), true),
        (at_most(Role::Read, None), Requirement::Own(&root, Role::Admin), false),
        (at_most(Role::Admin, Some("team/*")), Requirement::Namespace(&team, Role::Admin), false),
        (at_most(Role::Read, None), Requirement::Namespace(&team, Role::Admin), false),
        (at_most(Role::Read, Some("team/*")), Requirement::Teams(&team), false),
        (at_most(Role::Read, None), Requirement::Teams(&team), true),
        (at_most(Role::Admin, Some("team/app")), Requirement::Role(&app, Role::Admin), true),
        (at_most(Role::Admin, Some("team/app")), Requirement::Role(&other, Role::Read), false),
        (at_most(Role::Read, None), Requirement::Repository(&app, Action::Push), false),
    ] {
        let has = house.has("user:root", most.clone(), requirement).await;
        assert_eq!(has, expected, "{most:?}: {requirement:?}");
    }
}

#[tokio::test]
async fn a_right_that_is_taken_away_is_gone_at_once() {
    let house = House::new().await;
    let (ada, app) = (account("ada"), "team/app".parse().unwrap());
    let write = Requirement::Role(&app, Role::Write);
    assert!(house.has("user:bob", Narrowing::WHOLE, write).await);
    let (namespace, subject) = (account("team"), Subject::User(account("bob")));
    let pattern = Some("team/app".parse().unwrap());
    house.change(RemoveGrant { namespace, subject, pattern }).await;
    assert!(!house.has("user:bob", Narrowing::WHOLE, write).await);
    let own = Requirement::Own(&ada, Role::Admin);
    assert!(house.has("user:ada", Narrowing::WHOLE, own).await);
    let (namespace, subject) = (account("team"), Subject::User(account("bob")));
    house.change(NewGrant { namespace, subject, role: Role::Admin, pattern: None }).await;
    let (name, disabled) = (ada.clone(), Some(true));
    let disable = UpdateUser { name, email: None, disabled, site_admin: None, expected: None };
    house.change(disable).await;
    for requirement in [own, write] {
        assert!(!house.has("user:ada", Narrowing::WHOLE, requirement).await, "{requirement:?}");
    }
}
