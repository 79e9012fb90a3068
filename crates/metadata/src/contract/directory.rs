//! Rules of the directory, and of the changes by those who manage accounts and repositories.

use std::time::Duration;

use futures_util::future::join_all;
use wharf_core::access::{Role, Visibility};
use wharf_core::clock::Clock;
use wharf_core::metadata::{
    AccountChange, AddMember, Change, ChangeRequest, CreateOrganization, CreateTeam,
    DeleteOrganization, DeleteUser, Invite, NewGrant, NewRobot, NewUser, Page, Refusal,
    RemoveGrant, RenameRepository, RepositoryFilter, RevokeInvitation, RotateRobot, SetVisibility,
    SignUp, Subject, UpdateNamespace, UpdateRobot, UpdateUser, Viewer,
};
use wharf_core::permissions::AccountName;

use super::samples::name;
use super::stand::Stand;

const HOUR: Duration = Duration::from_secs(3600);

const DAY: Duration = Duration::from_secs(24 * 3600);

fn account(text: &str) -> AccountName {
    text.parse().unwrap()
}

fn page(after: Option<&str>, limit: usize) -> Page {
    Page { after: after.map(str::to_owned), limit }
}

async fn user(stand: &Stand, text: &str, site_admin: bool) {
    let user = NewUser { name: account(text), email: None, password_hash: None, site_admin };
    assert_eq!(stand.change(user).await, Change::Done);
}

/// The organization `team` of `ada`.
async fn team(stand: &Stand) {
    user(stand, "ada", false).await;
    let team = CreateOrganization { name: account("team"), owner: account("ada") };
    assert_eq!(stand.change(team).await, Change::Done);
}

async fn grant(stand: &Stand, subject: &str, role: Role, pattern: Option<&str>) -> Change {
    let subject = subject.parse().unwrap();
    let pattern = pattern.map(|text| text.parse().unwrap());
    stand.change(NewGrant { namespace: account("team"), subject, role, pattern }).await
}

async fn set_visibility(stand: &Stand, repository: &str, visibility: Visibility) {
    let set = SetVisibility { repository: name(repository), visibility, expected: None };
    assert_eq!(stand.change(set).await, Change::Done);
}

async fn visible(stand: &Stand, viewer: Viewer, namespace: Option<&str>) -> Vec<String> {
    let filter =
        RepositoryFilter { namespace: namespace.map(account), ..RepositoryFilter::default() };
    let found = stand.directory.list_visible(viewer, filter, page(None, 100)).await.unwrap();
    found.into_iter().map(|found| found.name.to_string()).collect()
}

/// A pattern's `*` is any text, and `_` is nothing but itself; nor does a name that is like another give anything.
pub async fn a_list_of_repositories_has_what_its_viewer_may_pull(stand: &Stand) {
    team(stand).await;
    for text in ["a_b", "axb", "bob", "cy"] {
        user(stand, text, false).await;
    }
    for repository in
        ["team/a_1", "team/ax1", "team/open", "team/inside", "team/x/y", "a_b/own", "axb/own"]
    {
        stand.start(repository).await;
    }
    set_visibility(stand, "team/open", Visibility::Public).await;
    set_visibility(stand, "team/inside", Visibility::Internal).await;
    assert_eq!(grant(stand, "user:bob", Role::Read, Some("team/a_*")).await, Change::Done);
    let devs = CreateTeam { namespace: account("team"), team: account("devs") };
    stand.change(devs).await;
    let member =
        AddMember { namespace: account("team"), team: account("devs"), user: account("cy") };
    stand.change(member).await;
    assert_eq!(grant(stand, "team:devs", Role::Write, Some("team/x/*")).await, Change::Done);
    let robot =
        NewRobot { name: "team+ci".parse().unwrap(), secret_hash: [1; 32], expires_at: None };
    stand.change(robot).await;
    assert_eq!(grant(stand, "robot:ci", Role::Read, None).await, Change::Done);
    let of = |text: &str| Viewer::User(account(text));
    let robot = |text: &str| Viewer::Robot(text.parse().unwrap());
    let open = ["team/inside", "team/open"];
    assert_eq!(visible(stand, Viewer::Anyone, None).await, ["team/open"]);
    assert_eq!(visible(stand, of("a_b"), None).await, [&["a_b/own"], &open[..]].concat());
    assert_eq!(visible(stand, of("axb"), None).await, [&["axb/own"], &open[..]].concat());
    assert_eq!(visible(stand, of("bob"), None).await, [&["team/a_1"], &open[..]].concat());
    assert_eq!(visible(stand, of("cy"), None).await, [&open[..], &["team/x/y"]].concat());
    assert_eq!(visible(stand, of("nobody"), None).await, open);
    let all = ["team/a_1", "team/ax1", "team/inside", "team/open", "team/x/y"];
    assert_eq!(visible(stand, of("ada"), Some("team")).await, all);
    assert_eq!(visible(stand, robot("team+ci"), None).await, all);
    assert_eq!(visible(stand, robot("team+other"), None).await, ["team/open"]);
    assert_eq!(visible(stand, Viewer::All, None).await.len(), 7);
    assert_eq!(visible(stand, Viewer::All, Some("a_b")).await, ["a_b/own"]);
    // What is granted in several ways is one, on whatever page.
    for pattern in ["team/x/*", "team/x*", "team/*"] {
        assert_eq!(grant(stand, "user:cy", Role::Read, Some(pattern)).await, Change::Done);
    }
    let (mut walked, mut after) = (Vec::new(), None);
    loop {
        let filter = RepositoryFilter::default();
        let page = page(after.as_deref(), 1);
        let found = stand.directory.list_visible(of("cy"), filter, page).await.unwrap();
        let Some(found) = found.into_iter().next() else { break };
        after = Some(found.name.to_string());
        walked.push(found.name.to_string());
    }
    assert_eq!(walked, all);
    let pattern = Some("team/a*".parse().unwrap());
    let filter = RepositoryFilter { pattern, ..RepositoryFilter::default() };
    let found = stand.directory.list_visible(of("ada"), filter, page(None, 9)).await.unwrap();
    let found: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(found, ["team/a_1", "team/ax1"]);
}

/// Each once, in the order of bytes.
pub async fn lists_go_on_behind_a_name(stand: &Stand) {
    team(stand).await;
    for team in ["one", "two", "three"] {
        stand.change(CreateTeam { namespace: account("team"), team: account(team) }).await;
    }
    let mut teams: Vec<String> = Vec::new();
    loop {
        let next = page(teams.last().map(String::as_str), 2);
        let found = stand.directory.list_teams(account("team"), next).await.unwrap().unwrap();
        if found.is_empty() {
            break;
        }
        teams.extend(found.iter().map(ToString::to_string));
    }
    assert_eq!(teams, ["one", "three", "two"]);
    let none = stand.directory.list_teams(account("nobody"), page(None, 2)).await.unwrap();
    assert_eq!(none, None);
    let grants = stand.directory.list_grants(account("team"), page(None, 9)).await.unwrap();
    let grants = grants.unwrap();
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0].subject, Subject::User(account("ada")));
    let behind = grants[0].id.to_string();
    let rest = stand.directory.list_grants(account("team"), page(Some(&behind), 9)).await;
    assert_eq!(rest.unwrap(), Some(Vec::new()));
}

/// Of users, namespaces, robots and repositories.
pub async fn a_change_of_an_older_version_is_stale(stand: &Stand) {
    team(stand).await;
    let robot =
        NewRobot { name: "team+ci".parse().unwrap(), secret_hash: [1; 32], expires_at: None };
    stand.change(robot).await;
    stand.start("team/app").await;
    let (visibility, expected) = (Visibility::Public, Some(1));
    for outcome in [Change::Done, Change::Stale] {
        let email = Some(Some("ada@example.com".to_owned()));
        let name_of = account("ada");
        let user = UpdateUser { name: name_of, email, disabled: None, site_admin: None, expected };
        assert_eq!(stand.change(user).await, outcome);
        let namespace = UpdateNamespace {
            name: account("team"),
            default_visibility: Some(visibility),
            create_on_push: None,
            expected,
        };
        assert_eq!(stand.change(namespace).await, outcome);
        let robot = UpdateRobot {
            name: "team+ci".parse().unwrap(),
            disabled: Some(true),
            expires_at: None,
            expected,
        };
        assert_eq!(stand.change(robot).await, outcome);
        let set = SetVisibility { repository: name("team/app"), visibility, expected };
        assert_eq!(stand.change(set).await, outcome);
    }
    let user = stand.accounts.find_user(account("ada")).await.unwrap().unwrap();
    assert_eq!((user.version, user.email.as_deref()), (2, Some("ada@example.com")));
    let robot = stand.directory.find_robot("team+ci".parse().unwrap()).await.unwrap().unwrap();
    assert!(robot.disabled && robot.version == 2);
}

/// Also where two of them step down at once.
pub async fn somebody_is_left_who_may_do_everything(stand: &Stand) {
    for round in 0..5 {
        let names = [format!("one{round}"), format!("two{round}")];
        for text in &names {
            user(stand, text, true).await;
        }
        let step_down = async |text: &String| {
            let (name, site_admin) = (account(text), Some(false));
            let change =
                UpdateUser { name, email: None, disabled: None, site_admin, expected: None };
            stand.change(change).await
        };
        let outcomes = join_all(names.iter().map(step_down)).await;
        let refused = Change::Refused(Refusal::LastAdministrator);
        assert_eq!(outcomes.iter().filter(|it| **it == refused).count(), 1, "{outcomes:?}");
        let last = names.iter().zip(&outcomes).find(|(_, outcome)| **outcome == refused).unwrap().0;
        assert_eq!(stand.set_disabled(last, true).await, refused);
        assert_eq!(stand.change(DeleteUser { name: account(last) }).await, refused);
        // So that the next round has two of its own alone.
        user(stand, &format!("next{round}"), true).await;
        assert_eq!(step_down(last).await, Change::Done);
        let sql = format!("UPDATE users SET site_admin = 0 WHERE name = 'next{round}'");
        stand.rows(&sql, &[]).await;
    }
}

/// By a grant on all of it: neither taken away nor made less.
pub async fn an_organization_keeps_an_administrator(stand: &Stand) {
    team(stand).await;
    user(stand, "bob", false).await;
    let refused = Change::Refused(Refusal::LastOwner);
    let remove = || RemoveGrant {
        namespace: account("team"),
        subject: Subject::User(account("ada")),
        pattern: None,
    };
    assert_eq!(stand.change(remove()).await, refused);
    assert_eq!(grant(stand, "user:ada", Role::Write, None).await, refused);
    assert_eq!(grant(stand, "user:bob", Role::Admin, Some("team/*")).await, Change::Done);
    assert_eq!(stand.change(remove()).await, refused);
    assert_eq!(grant(stand, "user:bob", Role::Admin, None).await, Change::Done);
    assert_eq!(stand.change(remove()).await, Change::Done);
}

/// Also where they have it through a team. Who is disabled already goes on being so.
pub async fn the_last_administrator_of_an_organization_is_not_disabled(stand: &Stand) {
    team(stand).await;
    user(stand, "bob", false).await;
    let refused = Change::Refused(Refusal::LastOwner);
    assert_eq!(stand.set_disabled("ada", true).await, refused);
    assert_eq!(grant(stand, "user:bob", Role::Admin, None).await, Change::Done);
    assert_eq!(stand.set_disabled("ada", true).await, Change::Done);
    assert_eq!(stand.set_disabled("bob", true).await, refused);
    assert_eq!(stand.set_disabled("ada", true).await, Change::Done);
    assert_eq!(stand.set_disabled("ada", false).await, Change::Done);
    assert_eq!(stand.set_disabled("bob", true).await, Change::Done);
}

/// By who may: with what the list calls it, and in pages.
pub async fn an_invitation_is_listed_until_it_is_used_or_taken_back(stand: &Stand) {
    user(stand, "root", true).await;
    let expires_at = stand.clock.now().after(HOUR);
    for (secret, site_admin) in [(1, false), (2, false), (3, false), (4, true)] {
        let invite = Invite { secret_hash: [secret; 32], expires_at, site_admin };
        assert_eq!(stand.change(invite).await, Change::Done);
    }
    let listed = async |after: Option<u8>, limit| {
        let after = after.map(|it| [it; 8]);
        let listed = stand.directory.list_invitations(after, limit).await.unwrap();
        listed.iter().map(|it| it.id[0]).collect::<Vec<_>>()
    };
    assert_eq!(listed(None, 9).await, [1, 2, 3]);
    assert_eq!((listed(None, 2).await, listed(Some(2), 2).await), (vec![1, 2], vec![3]));
    let first = &stand.directory.list_invitations(None, 1).await.unwrap()[0];
    assert_eq!((first.created_by.as_str(), first.expires_at), ("user:ada", expires_at));
    assert_eq!(stand.change(RevokeInvitation { id: [2; 8] }).await, Change::Done);
    assert_eq!(stand.change(RevokeInvitation { id: [2; 8] }).await, Change::NotFound);
    // The code of the first administrator is not one of these.
    assert_eq!(stand.change(RevokeInvitation { id: [4; 8] }).await, Change::NotFound);
    let sign_up = |name: &str, secret| SignUp {
        name: account(name),
        email: None,
        password_hash: String::new(),
        invitation: Some([secret; 32]),
    };
    let refused = Change::Refused(Refusal::NoInvitation);
    assert_eq!(stand.change(sign_up("eve", 2)).await, refused);
    assert_eq!(stand.change(sign_up("eve", 1)).await, Change::Done);
    assert_eq!(listed(None, 9).await, [3]);
    stand.clock.advance(HOUR);
    assert_eq!(listed(None, 9).await, [0; 0]);
    let sql = "SELECT action, target, detail FROM audit_log
               WHERE action LIKE 'invitation.%' AND outcome = 'done' ORDER BY id DESC LIMIT 2";
    assert_eq!(
        stand.rows(sql, &[]).await,
        [
            "invitation.revoke site id=0202020202020202",
            "invitation.create site id=0404040404040404 site_admin=true"
        ]
    );
}

/// Nobody else gets it. An organization neither; and neither goes while it has repositories.
pub async fn a_user_who_goes_leaves_nothing_but_the_name(stand: &Stand) {
    team(stand).await;
    user(stand, "bob", false).await;
    grant(stand, "user:bob", Role::Read, None).await;
    stand.push("bob/app", "one", &["v1"]).await;
    let not_empty = Change::Refused(Refusal::NotEmpty);
    assert_eq!(stand.change(DeleteUser { name: account("bob") }).await, not_empty);
    let moved = RenameRepository { from: name("bob/app"), to: name("team/app") };
    assert_eq!(stand.change(moved).await, Change::Done);
    assert_eq!(stand.change(DeleteUser { name: account("bob") }).await, Change::Done);
    assert_eq!(stand.change(DeleteUser { name: account("bob") }).await, Change::NotFound);
    assert!(stand.accounts.find_user(account("bob")).await.unwrap().is_none());
    let again =
        NewUser { name: account("bob"), email: None, password_hash: None, site_admin: false };
    assert_eq!(stand.change(again).await, Change::Taken);
    assert_eq!(stand.rows("SELECT 1 FROM grants", &[]).await.len(), 1);
    let delete = || DeleteOrganization { name: account("team") };
    assert_eq!(stand.change(delete()).await, not_empty);
    let moved = RenameRepository { from: name("team/app"), to: name("ada/app") };
    assert_eq!(stand.change(moved).await, Change::Done);
    assert_eq!(stand.change(delete()).await, Change::Done);
    assert!(stand.rows("SELECT 1 FROM grants", &[]).await.is_empty());
    let taken = CreateOrganization { name: account("team"), owner: account("ada") };
    assert_eq!(stand.change(taken).await, Change::Taken);
}

/// Unless it is taken, or nobody's. Of two that ask for one name at once one gets it.
pub async fn a_repository_takes_all_along_to_another_name(stand: &Stand) {
    team(stand).await;
    let digest = stand.push("team/old", "one", &["v1"]).await;
    stand.push("team/other", "two", &["v1"]).await;
    let rename = async |from: &str, to: &str| {
        stand.change(RenameRepository { from: name(from), to: name(to) }).await
    };
    assert_eq!(rename("team/old", "team/other").await, Change::Taken);
    assert_eq!(rename("team/old", "nobody/app").await, Change::NotFound);
    assert_eq!(rename("team/none", "team/new").await, Change::NotFound);
    assert_eq!(rename("team/old", "ada/new").await, Change::Done);
    assert_eq!(stand.tag("ada/new", "v1").await, Some(digest));
    assert_eq!(stand.tag("team/old", "v1").await, None);
    let both = join_all([rename("ada/new", "team/one"), rename("team/other", "team/one")]).await;
    assert_eq!(both.iter().filter(|it| **it == Change::Done).count(), 1, "{both:?}");
    assert_eq!(both.iter().filter(|it| **it == Change::Taken).count(), 1, "{both:?}");
}

/// Who comes at once with another finds it used. One for an administrator of all is for the first user alone.
pub async fn an_invitation_lets_in_one(stand: &Stand) {
    let invite = async |secret: u8, site_admin| {
        let expires_at = stand.clock.now().after(DAY);
        let invite = Invite { secret_hash: [secret; 32], expires_at, site_admin };
        assert_eq!(stand.change(invite).await, Change::Done);
    };
    let sign_up = async |text: &str, secret: u8| {
        let invitation = Some([secret; 32]);
        let password_hash = "hash".to_owned();
        stand.change(SignUp { name: account(text), email: None, password_hash, invitation }).await
    };
    let works = async |secret| stand.accounts.find_invitation([secret; 32]).await.unwrap();
    let refused = Change::Refused(Refusal::NoInvitation);
    for secret in [1, 2] {
        invite(secret, true).await;
        assert!(works(secret).await);
    }
    assert_eq!(sign_up("nobody", 9).await, refused);
    assert_eq!(sign_up("root", 1).await, Change::Done);
    assert!(stand.accounts.find_user(account("root")).await.unwrap().unwrap().site_admin);
    assert_eq!(sign_up("other", 2).await, refused);
    // Those of other nodes end with it.
    assert!(stand.rows("SELECT 1 FROM invitations", &[]).await.is_empty());
    invite(3, false).await;
    assert!(works(3).await && !works(9).await);
    assert_eq!(sign_up("root", 3).await, Change::Taken);
    let both = join_all([sign_up("one", 3), sign_up("two", 3)]).await;
    assert_eq!(both.iter().filter(|it| **it == Change::Done).count(), 1, "{both:?}");
    assert_eq!(both.iter().filter(|it| **it == refused).count(), 1, "{both:?}");
    invite(4, false).await;
    // Where somebody without one asks for a name, no answer tells what repositories there are.
    stand.start("old/app").await;
    assert_eq!(sign_up("old", 9).await, refused);
    assert_eq!(sign_up("old", 4).await, Change::Taken);
    stand.clock.advance(DAY);
    assert!(!works(4).await);
    assert_eq!(sign_up("late", 4).await, refused);
    assert!(stand.accounts.forget_expired(10).await.unwrap() >= 1);
}

/// Making a robot that is there takes its secret from nobody, and only what is there is given another one.
pub async fn a_robot_is_made_once_and_then_given_another_secret(stand: &Stand) {
    team(stand).await;
    let name = || "team+ci".parse().unwrap();
    let rotate = |secret| RotateRobot { name: name(), secret_hash: [secret; 32], expires_at: None };
    assert_eq!(stand.change(rotate(1)).await, Change::NotFound);
    for (secret, outcome) in [(1, Change::Done), (2, Change::Taken)] {
        let robot = NewRobot { name: name(), secret_hash: [secret; 32], expires_at: None };
        assert_eq!(stand.change(robot).await, outcome);
    }
    let works = async |secret| stand.accounts.find_secret([secret; 32]).await.unwrap().is_some();
    assert!(works(1).await && !works(2).await);
    assert_eq!(stand.change(rotate(3)).await, Change::Done);
    assert!(works(3).await && !works(1).await);
    // What was disabled in an incident stays so.
    let disabled = Some(true);
    let update = UpdateRobot { name: name(), disabled, expires_at: None, expected: None };
    assert_eq!(stand.change(update).await, Change::Done);
    assert_eq!(stand.change(rotate(4)).await, Change::Done);
    assert!(!works(4).await);
    assert!(stand.directory.find_robot(name()).await.unwrap().unwrap().disabled);
}

/// One by one, as they stand in the lists.
pub async fn a_grant_a_tag_and_a_manifest_are_found_by_what_names_them(stand: &Stand) {
    team(stand).await;
    user(stand, "bob", false).await;
    grant(stand, "user:bob", Role::Read, None).await;
    grant(stand, "user:bob", Role::Write, Some("team/app-*")).await;
    let listed = stand.directory.list_grants(account("team"), page(None, 9)).await.unwrap();
    for record in listed.unwrap() {
        let (subject, pattern) = (record.subject.clone(), record.gives.pattern.clone());
        let found = stand.directory.find_grant(account("team"), subject, pattern).await.unwrap();
        assert_eq!(found, Some(record));
    }
    for (namespace, subject) in
        [("team", "user:nobody"), ("team", "robot:bob"), ("ada", "user:bob")]
    {
        let subject = subject.parse().unwrap();
        let found = stand.directory.find_grant(account(namespace), subject, None).await.unwrap();
        assert_eq!(found, None, "{namespace}");
    }
    let app = name("team/app");
    stand.start("team/app").await;
    stand.start("team/other").await;
    let digest = stand.push("team/app", "one", &["v1"]).await;
    let tags = stand.directory.list_tag_records(app.clone(), page(None, 9)).await.unwrap().unwrap();
    let tag: wharf_oci::Tag = "v1".parse().unwrap();
    let found = stand.directory.find_tag_record(app.clone(), tag.clone()).await.unwrap();
    assert_eq!(found.as_ref(), tags.first());
    assert_eq!(found.unwrap().digest, digest);
    let manifests = stand.directory.list_manifest_records(app.clone(), None, 9).await.unwrap();
    let found = stand.directory.find_manifest_record(app, digest).await.unwrap();
    assert_eq!(found.as_ref(), manifests.unwrap().first());
    let other = name("team/other");
    assert_eq!(stand.directory.find_tag_record(other.clone(), tag).await.unwrap(), None);
    assert_eq!(stand.directory.find_manifest_record(other, digest).await.unwrap(), None);
}

/// Who takes the name of repositories from before there were accounts would get those: only an administrator may.
pub async fn what_nobody_owns_is_got_by_no_name(stand: &Stand) {
    user(stand, "root", true).await;
    user(stand, "bob", false).await;
    stand.start("old/app").await;
    let change_by = async |change: AccountChange, by: &str| {
        let request = ChangeRequest { change, by: by.into(), once: None };
        stand.accounts.change(request).await.unwrap()
    };
    let org = || CreateOrganization { name: account("old"), owner: account("bob") };
    let sign_up = SignUp {
        name: account("old"),
        email: None,
        password_hash: String::new(),
        invitation: None,
    };
    assert_eq!(change_by(sign_up.into(), "anonymous").await, Change::Taken);
    assert_eq!(change_by(org().into(), "user:bob").await, Change::Taken);
    assert_eq!(change_by(org().into(), "user:root").await, Change::Done);
}

/// It has no administrator, and is in no list.
pub async fn an_organization_that_was_deleted_is_not_found(stand: &Stand) {
    team(stand).await;
    let found = async || stand.directory.find_namespace(account("team")).await.unwrap().is_some();
    let listed =
        async || stand.directory.list_organizations(None, page(None, 9)).await.unwrap().len();
    assert!(found().await && listed().await == 1);
    let delete = DeleteOrganization { name: account("team") };
    assert_eq!(stand.change(delete).await, Change::Done);
    assert!(!found().await && listed().await == 0);
    let again = CreateOrganization { name: account("team"), owner: account("ada") };
    assert_eq!(stand.change(again).await, Change::Taken, "the name stays taken");
}
