//! Rules of who leaves: what goes along, and what must not be left without anybody.

use std::time::Duration;

use wharf_core::access::Role;
use wharf_core::metadata::{
    AddMember, Change, Conditions, CreateOrganization, CreateTeam, DeleteTeam, DeleteUser,
    NewGrant, NewRobot, NewTrustRule, NewUser, NewWorkloadToken, Page, Refusal, RemoveGrant,
    RemoveMember, Subject,
};
use wharf_core::permissions::{AccountName, Principal, RobotName};

use super::samples::name;
use super::stand::Stand;

const ISSUER: &str = "https://ci.example";

fn account(text: &str) -> AccountName {
    text.parse().unwrap()
}

fn ci() -> RobotName {
    "bob+ci".parse().unwrap()
}

async fn user(stand: &Stand, text: &str) {
    let name = account(text);
    let user = NewUser { name, email: None, password_hash: None, site_admin: false };
    assert_eq!(stand.change(user).await, Change::Done);
}

fn grant(namespace: &str, subject: &str, role: Role) -> NewGrant {
    let (namespace, subject) = (account(namespace), subject.parse().unwrap());
    NewGrant { namespace, subject, role, pattern: None }
}

fn robot() -> NewRobot {
    NewRobot { name: ci(), secret_hash: [1; 32], expires_at: None }
}

/// The user `bob` with a robot, a rule by which workloads are that robot, and what one of them got by it.
async fn bob(stand: &Stand) {
    user(stand, "bob").await;
    assert_eq!(stand.change(robot()).await, Change::Done);
    assert_eq!(stand.change(grant("bob", "robot:ci", Role::Write)).await, Change::Done);
    let conditions = Conditions::parse(["repository=bob/app"]).unwrap();
    let (issuer, audience) = (ISSUER.to_owned(), "wharf".to_owned());
    let rule = NewTrustRule { robot: ci(), issuer, audience, conditions };
    assert_eq!(stand.change(rule).await, Change::Done);
    let rule = stand.trust.rules_in_force(ci(), ISSUER.to_owned()).await.unwrap()[0].id;
    let (subject, life) = ("repo:bob/app".to_owned(), Duration::from_secs(3600));
    let token = NewWorkloadToken { rule, subject, secret_hash: [2; 32], life };
    assert!(stand.trust.create_workload_token(token).await.unwrap());
}

/// Each way by which the robot could be let in.
async fn ways_in(stand: &Stand) -> [bool; 4] {
    let facts = stand.accounts.access_facts(Principal::Robot(ci()), name("bob/app")).await;
    [
        stand.accounts.find_secret([1; 32]).await.unwrap().is_some(),
        facts.unwrap().active,
        !stand.trust.rules_in_force(ci(), ISSUER.to_owned()).await.unwrap().is_empty(),
        stand.trust.find_workload_token([2; 32]).await.unwrap().is_some(),
    ]
}

/// And are again once their user is enabled.
pub async fn robots_of_a_user_who_is_disabled_or_gone_are_let_in_nowhere(stand: &Stand) {
    bob(stand).await;
    assert_eq!(ways_in(stand).await, [true; 4]);
    for disabled in [true, false] {
        assert_eq!(stand.set_disabled("bob", disabled).await, Change::Done);
        assert_eq!(ways_in(stand).await, [!disabled; 4]);
    }
    assert_eq!(stand.change(DeleteUser { name: account("bob") }).await, Change::Done);
    assert_eq!(ways_in(stand).await, [false; 4]);
}

/// Nor can anything be made in it again, and no push makes a repository.
pub async fn nothing_is_left_in_the_namespace_of_a_user_who_goes(stand: &Stand) {
    bob(stand).await;
    user(stand, "ada").await;
    let team = || CreateTeam { namespace: account("bob"), team: account("devs") };
    assert_eq!(stand.change(team()).await, Change::Done);
    let member =
        AddMember { namespace: account("bob"), team: account("devs"), user: account("ada") };
    assert_eq!(stand.change(member).await, Change::Done);
    for subject in ["team:devs", "user:ada"] {
        assert_eq!(stand.change(grant("bob", subject, Role::Admin)).await, Change::Done);
    }
    assert_eq!(stand.change(DeleteUser { name: account("bob") }).await, Change::Done);
    for table in ["grants", "teams", "team_members", "robots", "trust_rules", "workload_tokens"] {
        let sql = format!("SELECT 1 FROM {table}");
        assert!(stand.rows(&sql, &[]).await.is_empty(), "{table}");
    }
    let sql = "SELECT create_on_push FROM namespaces WHERE name = 'bob'";
    assert_eq!(stand.rows(sql, &[]).await, ["0"]);
    assert_eq!(stand.directory.find_namespace(account("bob")).await.unwrap(), None);
    assert!(stand.directory.find_namespace(account("ada")).await.unwrap().is_some());
    assert_eq!(stand.change(team()).await, Change::NotFound);
    assert_eq!(stand.change(robot()).await, Change::NotFound);
    assert_eq!(stand.change(grant("bob", "user:ada", Role::Admin)).await, Change::NotFound);
}

/// By a grant of their own, by a team, and never only by somebody who is disabled.
pub async fn an_organization_keeps_somebody_who_can_administer_it(stand: &Stand) {
    let refused = Change::Refused(Refusal::LastOwner);
    for text in ["ada", "bob", "cy"] {
        user(stand, text).await;
    }
    let organization = CreateOrganization { name: account("team"), owner: account("ada") };
    assert_eq!(stand.change(organization).await, Change::Done);
    let delete = |text: &str| DeleteUser { name: account(text) };
    assert_eq!(stand.change(delete("ada")).await, refused);
    let (namespace, team) = (account("team"), account("devs"));
    let devs = CreateTeam { namespace: namespace.clone(), team: team.clone() };
    assert_eq!(stand.change(devs).await, Change::Done);
    assert_eq!(stand.change(grant("team", "team:devs", Role::Admin)).await, Change::Done);
    // A team in which nobody is administers nothing.
    assert_eq!(stand.change(delete("ada")).await, refused);
    let take_from_ada = || RemoveGrant {
        namespace: account("team"),
        subject: Subject::User(account("ada")),
        pattern: None,
    };
    assert_eq!(stand.change(take_from_ada()).await, refused);
    for text in ["bob", "cy"] {
        let (namespace, team, user) = (namespace.clone(), team.clone(), account(text));
        assert_eq!(stand.change(AddMember { namespace, team, user }).await, Change::Done);
    }
    assert_eq!(stand.change(take_from_ada()).await, Change::Done);
    let remove = |text: &str| {
        let (namespace, team, user) = (namespace.clone(), team.clone(), account(text));
        RemoveMember { namespace, team, user }
    };
    stand.set_disabled("cy", true).await;
    assert_eq!(stand.change(remove("bob")).await, refused);
    assert_eq!(stand.change(delete("bob")).await, refused);
    // Who is disabled goes without a loss.
    assert_eq!(stand.change(remove("cy")).await, Change::Done);
    let delete_team = || DeleteTeam { namespace: namespace.clone(), team: team.clone() };
    assert_eq!(stand.change(delete_team()).await, refused);
    assert_eq!(stand.change(grant("team", "user:ada", Role::Admin)).await, Change::Done);
    assert_eq!(stand.change(delete_team()).await, Change::Done);
    assert_eq!(stand.change(delete("bob")).await, Change::Done);
    assert_eq!(stand.change(delete("ada")).await, refused);
}

/// As older versions left some.
pub async fn a_grant_of_nobody_is_passed_over(stand: &Stand) {
    user(stand, "ada").await;
    let organization = CreateOrganization { name: account("team"), owner: account("ada") };
    assert_eq!(stand.change(organization).await, Change::Done);
    let sql = "INSERT INTO grants (namespace_id, subject_kind, subject_id, role, pattern, created_by, created_at)
               SELECT id, 'robot', 4711, 'read', '', 'user:ada', 1 FROM namespaces WHERE name = 'team'";
    stand.rows(sql, &[]).await;
    let page = Page { after: None, limit: 9 };
    let grants = stand.directory.list_grants(account("team"), page).await.unwrap().unwrap();
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0].subject, Subject::User(account("ada")));
}
