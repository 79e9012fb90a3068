//! Rules of trust in workloads: what stands for a robot, and for how long.

use std::time::Duration;

use wharf_core::metadata::{
    Change, Conditions, CreateOrganization, MOST_RULES, NewRobot, NewTrustRule, NewUser,
    NewWorkloadToken, Refusal, RemoveRobot, RemoveTrustRule, TrustRule, UpdateRobot,
};
use wharf_core::permissions::RobotName;

use super::stand::Stand;

const ISSUER: &str = "https://ci.example";
const LIFE: Duration = Duration::from_secs(3600);

fn robot(name: &str) -> RobotName {
    format!("team+{name}").parse().unwrap()
}

fn conditions() -> Conditions {
    Conditions::parse(["repository=team/app", "ref=refs/heads/main"]).unwrap()
}

/// The robots `ci` and `cd` of the organization `team`.
async fn robots(stand: &Stand) {
    let name = "ada".parse().unwrap();
    let ada = NewUser { name, email: None, password_hash: None, site_admin: false };
    assert_eq!(stand.change(ada).await, Change::Done);
    let (name, owner) = ("team".parse().unwrap(), "ada".parse().unwrap());
    assert_eq!(stand.change(CreateOrganization { name, owner }).await, Change::Done);
    for (number, name) in [(1, "ci"), (2, "cd")] {
        let made = NewRobot { name: robot(name), secret_hash: [number; 32], expires_at: None };
        assert_eq!(stand.change(made).await, Change::Done);
    }
}

async fn trust(stand: &Stand, name: &str) -> Change {
    let (issuer, audience) = (ISSUER.to_owned(), "wharf".to_owned());
    let rule = NewTrustRule { robot: robot(name), issuer, audience, conditions: conditions() };
    stand.change(rule).await
}

async fn in_force(stand: &Stand, name: &str, issuer: &str) -> Vec<TrustRule> {
    stand.trust.rules_in_force(robot(name), issuer.to_owned()).await.unwrap()
}

async fn set_disabled(stand: &Stand, disabled: bool) {
    let (name, disabled) = (robot("ci"), Some(disabled));
    let update = UpdateRobot { name, disabled, expires_at: None, expected: None };
    assert_eq!(stand.change(update).await, Change::Done);
}

/// While that may do anything.
pub async fn a_rule_is_in_force_for_its_robot_and_issuer_alone(stand: &Stand) {
    robots(stand).await;
    assert_eq!(trust(stand, "nobody").await, Change::NotFound);
    assert_eq!(trust(stand, "ci").await, Change::Done);
    let rules = in_force(stand, "ci", ISSUER).await;
    assert_eq!(rules.len(), 1);
    assert_eq!((&rules[0].conditions, rules[0].audience.as_str()), (&conditions(), "wharf"));
    assert_eq!(rules[0].created_by, "user:ada");
    assert_eq!(in_force(stand, "cd", ISSUER).await, []);
    assert_eq!(in_force(stand, "ci", "https://other.example").await, []);
    set_disabled(stand, true).await;
    assert_eq!(in_force(stand, "ci", ISSUER).await, []);
    set_disabled(stand, false).await;
    assert_eq!(stand.trust.list_rules(robot("ci")).await.unwrap(), Some(rules.clone()));
    assert_eq!(stand.trust.list_rules(robot("nobody")).await.unwrap(), None);
    // Nobody takes away the rule of another robot.
    let id = rules[0].id;
    let remove = |name| RemoveTrustRule { robot: robot(name), id };
    assert_eq!(stand.change(remove("cd")).await, Change::NotFound);
    assert_eq!(stand.change(remove("ci")).await, Change::Done);
    assert_eq!(in_force(stand, "ci", ISSUER).await, []);
}

/// So that a login reads no more than those.
pub async fn a_robot_has_only_so_many_rules(stand: &Stand) {
    robots(stand).await;
    for _ in 0..MOST_RULES {
        assert_eq!(trust(stand, "ci").await, Change::Done);
    }
    assert_eq!(trust(stand, "ci").await, Change::Refused(Refusal::TooManyRules));
    assert_eq!(trust(stand, "cd").await, Change::Done);
}

/// Whichever is first.
pub async fn what_a_workload_got_ends_with_time_rule_and_robot(stand: &Stand) {
    robots(stand).await;
    let holder = async || {
        let found = stand.trust.find_workload_token([9; 32]).await.unwrap();
        found.map(|robot| robot.to_string())
    };
    let login = async || {
        assert_eq!(trust(stand, "ci").await, Change::Done);
        let rule = in_force(stand, "ci", ISSUER).await.last().unwrap().id;
        let subject = "repo:team/app".to_owned();
        let token = NewWorkloadToken { rule, subject, secret_hash: [9; 32], life: LIFE };
        assert!(stand.trust.create_workload_token(token.clone()).await.unwrap());
        assert_eq!(holder().await.as_deref(), Some("team+ci"));
        token
    };
    let token = login().await;
    set_disabled(stand, true).await;
    assert_eq!(holder().await, None);
    set_disabled(stand, false).await;
    assert_eq!(holder().await.as_deref(), Some("team+ci"));
    let removal = RemoveTrustRule { robot: robot("ci"), id: token.rule };
    assert_eq!(stand.change(removal).await, Change::Done);
    assert_eq!(holder().await, None);
    assert!(!stand.trust.create_workload_token(token).await.unwrap());
    login().await;
    stand.clock.advance(LIFE);
    assert_eq!(holder().await, None);
    assert_eq!(stand.accounts.forget_expired(10).await.unwrap(), 1);
    login().await;
    assert_eq!(stand.change(RemoveRobot { name: robot("ci") }).await, Change::Done);
    assert_eq!(holder().await, None);
}
