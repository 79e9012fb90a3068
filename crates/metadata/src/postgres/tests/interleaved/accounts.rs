//! Changes of accounts that overlap.

use wharf_core::access::Role;
use wharf_core::clock::Clock;
use wharf_core::metadata::{
    AccountChange, AddMember, Change, ChangeRequest, CreateOrganization, CreateTeam,
    DeleteOrganization, DeleteTeam, DeleteUser, Invite, NewGrant, NewRobot, NewUser, Page, Refusal,
    RemoveMember, RemoveRobot, SignUp, UpdateUser,
};
use wharf_core::permissions::AccountName;

use super::{ALL, Scene};

fn account(text: &str) -> AccountName {
    text.parse().unwrap()
}

fn ask(change: impl Into<AccountChange>) -> ChangeRequest {
    ChangeRequest { change: change.into(), by: "system".into(), once: None }
}

/// The users `ada` and `bob`, and the organization `team` of `ada` with the team `devs` and the robot `ci`.
async fn scene() -> Scene {
    let scene = Scene::new().await;
    let mut changes: Vec<AccountChange> = Vec::new();
    for name in ["ada", "bob"].map(account) {
        let user = NewUser { name, email: None, password_hash: None, site_admin: false };
        changes.push(user.into());
    }
    let (name, owner) = (account("team"), account("ada"));
    changes.push(CreateOrganization { name: name.clone(), owner }.into());
    changes.push(CreateTeam { namespace: name, team: account("devs") }.into());
    let robot = "team+ci".parse().unwrap();
    changes.push(NewRobot { name: robot, secret_hash: [1; 32], expires_at: None }.into());
    for change in changes {
        assert_eq!(scene.stand.change(change).await, Change::Done);
    }
    scene
}

fn grant(subject: &str, role: Role) -> ChangeRequest {
    let (namespace, subject) = (account("team"), subject.parse().unwrap());
    ask(NewGrant { namespace, subject, role, pattern: None })
}

async fn grants(scene: &Scene) -> usize {
    let page = Page { after: None, limit: 9 };
    let listed = scene.stand.directory.list_grants(account("team"), page).await.unwrap().unwrap();
    let rows = scene.stand.rows("SELECT 1 FROM grants", &[]).await.len();
    assert_eq!(listed.len(), rows, "a grant is nobody's");
    rows
}

/// Whichever comes first: no grant is left of who is gone.
#[tokio::test]
async fn a_grant_beside_the_removal_of_its_subject() {
    let removals: [(&str, AccountChange); 3] = [
        ("robot:ci", RemoveRobot { name: "team+ci".parse().unwrap() }.into()),
        ("team:devs", DeleteTeam { namespace: account("team"), team: account("devs") }.into()),
        ("user:bob", DeleteUser { name: account("bob") }.into()),
    ];
    for (subject, removal) in removals {
        for how in ALL {
            let scene = scene().await;
            let removal = ask(removal.clone());
            let (granted, removed) = scene.both(how, grant(subject, Role::Read), removal).await;
            assert!(matches!(granted, Change::Done | Change::NotFound), "{how:?} {granted:?}");
            assert_eq!(removed, Change::Done, "{how:?} {subject}");
            assert_eq!(grants(&scene).await, 1, "{how:?} {subject}");
        }
    }
}

/// An organization is one for as long as somebody has a grant in it.
#[tokio::test]
async fn a_grant_beside_the_deletion_of_its_organization() {
    for how in ALL {
        let scene = scene().await;
        let deletion = ask(DeleteOrganization { name: account("team") });
        let (granted, deleted) = scene.both(how, grant("user:bob", Role::Admin), deletion).await;
        assert!(matches!(granted, Change::Done | Change::NotFound), "{how:?} {granted:?}");
        assert_eq!(deleted, Change::Done, "{how:?}");
        let found = scene.stand.directory.find_namespace(account("team")).await.unwrap();
        assert_eq!(found, None, "{how:?}");
        assert_eq!(grants(&scene).await, 0, "{how:?}");
    }
}

/// Each sees the other in the team.
#[tokio::test]
async fn the_last_two_who_administer_go_at_once() {
    for how in ALL {
        let scene = scene().await;
        let (namespace, team) = (account("team"), account("devs"));
        for user in ["ada", "bob"].map(account) {
            let (namespace, team) = (namespace.clone(), team.clone());
            assert_eq!(scene.stand.change(AddMember { namespace, team, user }).await, Change::Done);
        }
        let mut on_team = grant("team:devs", Role::Admin);
        assert_eq!(scene.stand.change(on_team.change).await, Change::Done);
        on_team = grant("user:ada", Role::Read);
        assert_eq!(scene.stand.change(on_team.change).await, Change::Done);
        let removal = ask(RemoveMember { namespace, team, user: account("ada") });
        let deletion = ask(DeleteUser { name: account("bob") });
        let outcome = scene.both(how, removal, deletion).await;
        let refused = Change::Refused(Refusal::LastOwner);
        let one_left = outcome == (Change::Done, refused) || outcome == (refused, Change::Done);
        assert!(one_left, "{how:?} {outcome:?}");
    }
}

/// Each by a grant of their own.
#[tokio::test]
async fn the_last_two_who_administer_are_disabled_at_once() {
    for how in ALL {
        let scene = scene().await;
        let granted = scene.stand.change(grant("user:bob", Role::Admin).change).await;
        assert_eq!(granted, Change::Done);
        let disabling = |name: &str| {
            let (name, disabled) = (account(name), Some(true));
            ask(UpdateUser { name, email: None, disabled, site_admin: None, expected: None })
        };
        let outcome = scene.both(how, disabling("ada"), disabling("bob")).await;
        let refused = Change::Refused(Refusal::LastOwner);
        let one_left = outcome == (Change::Done, refused) || outcome == (refused, Change::Done);
        assert!(one_left, "{how:?} {outcome:?}");
    }
}

/// Each node prints a code of its own.
#[tokio::test]
async fn two_codes_of_the_first_administrator() {
    for how in ALL {
        let scene = Scene::new().await;
        let expires_at = scene.stand.clock.now().after(std::time::Duration::from_secs(3600));
        for secret in [1, 2] {
            let invite = Invite { secret_hash: [secret; 32], expires_at, site_admin: true };
            assert_eq!(scene.stand.change(invite).await, Change::Done);
        }
        let sign_up = |text: &str, secret| {
            let (name, password_hash) = (account(text), "hash".to_owned());
            ask(SignUp { name, email: None, password_hash, invitation: Some([secret; 32]) })
        };
        let outcome = scene.both(how, sign_up("ada", 1), sign_up("bob", 2)).await;
        let refused = Change::Refused(Refusal::NoInvitation);
        let one_first = outcome == (Change::Done, refused) || outcome == (refused, Change::Done);
        assert!(one_first, "{how:?} {outcome:?}");
        let sql = "SELECT count(*) FROM users WHERE site_admin = 1";
        assert_eq!(scene.stand.rows(sql, &[]).await, ["1"], "{how:?}");
    }
}
