//! What the audit log is told of changes.

use super::*;

#[test]
fn no_value_is_taken_for_words() {
    let rule = |issuer: &str| NewTrustRule {
        robot: "team+ci".parse().unwrap(),
        issuer: issuer.to_owned(),
        audience: "wharf".to_owned(),
        conditions: Conditions::parse(["sub=a b\" to=user:eve", "repository=team/app"]).unwrap(),
    };
    let detail = |issuer: &str| AccountChange::from(rule(issuer)).detail();
    assert_eq!(
        detail("https://ci.example"),
        r#"issuer=https://ci.example audience=wharf conditions="repository=team/app,sub=a b\" to=user:eve""#
    );
    let forged = detail("x role=admin");
    assert!(forged.starts_with(r#"issuer="x role=admin" audience=wharf"#), "{forged}");
    assert!(detail("").starts_with(r#"issuer="" audience"#));
    let grant = NewGrant {
        namespace: "team".parse().unwrap(),
        subject: "robot:ci".parse().unwrap(),
        role: Role::Write,
        pattern: Some("team/app-*".parse().unwrap()),
    };
    assert_eq!(AccountChange::from(grant).detail(), "role=write to=robot:ci on=team/app-*");
}

#[test]
fn what_is_about_an_account_is_of_no_namespace() {
    let name: AccountName = "ada".parse().unwrap();
    let changes: [AccountChange; 3] = [
        SetPassword { name: name.clone(), hash: String::new() }.into(),
        RemoveToken { user: name.clone(), id: [0; 8] }.into(),
        DeleteUser { name: name.clone() }.into(),
    ];
    for change in changes {
        assert_eq!(change.namespace(), None, "{change:?}");
    }
    let team = CreateTeam { namespace: name.clone(), team: name };
    assert_eq!(AccountChange::from(team).namespace().as_deref(), Some("ada"));
}
