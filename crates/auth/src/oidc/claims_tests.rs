//! Claims as Keycloak, Google, Entra ID and Dex write them, and as nobody should.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;

fn rules() -> ClaimRules {
    ClaimRules::default()
}

fn identity(rules: &ClaimRules, claims: Value) -> Result<ExternalIdentity, OidcError> {
    rules.identity(&"sso".parse().unwrap(), &claims)
}

fn groups(rules: &ClaimRules, claims: Value) -> Vec<String> {
    let identity = identity(rules, claims).unwrap();
    identity.groups.iter().map(ToString::to_string).collect()
}

#[test]
fn keycloak_dex_google_and_entra_are_understood() {
    let keycloak = json!({
        "sub": "f3a1", "preferred_username": "Ada", "email": "ada@example.com", "email_verified": true,
        "groups": ["/devs", "/staff"], "realm_access": { "roles": ["offline_access", "registry"] },
    });
    let ada = identity(&rules(), keycloak.clone()).unwrap();
    assert_eq!((ada.subject.as_str(), ada.preferred_name.as_str()), ("f3a1", "Ada"));
    assert_eq!(ada.email.as_deref(), Some("ada@example.com"));
    assert_eq!(groups(&rules(), keycloak.clone()), ["/devs", "/staff"]);
    let roles = ClaimRules { groups: "realm_access.roles".into(), ..rules() };
    assert_eq!(groups(&roles, keycloak), ["offline_access", "registry"]);

    let dex = json!({ "sub": "CgNhZGE", "name": "ada", "groups": ["team:devs"] });
    assert_eq!(identity(&rules(), dex).unwrap().preferred_name, "ada");

    let google = json!({ "sub": "1172", "hd": "example.com", "email": "ada@example.com" });
    let of_domain = ClaimRules { required: vec![("hd".into(), "example.com".into())], ..rules() };
    assert_eq!(identity(&of_domain, google).unwrap().names()[0].as_str(), "ada");

    let entra = json!({ "sub": "pairwise", "oid": "0e4f", "tid": "t1", "preferred_username": "ada@example.com" });
    let by_oid = ClaimRules { subject: "oid".into(), ..rules() };
    assert_eq!(identity(&by_oid, entra).unwrap().subject.as_str(), "0e4f");
}

#[test]
fn a_claim_with_dots_in_its_name_comes_before_one_inside_of_others() {
    let name = "https://example.com/groups";
    let rules = ClaimRules { groups: name.into(), ..rules() };
    assert_eq!(groups(&rules, json!({ "sub": "1", name: ["a"] })), ["a"]);
    assert_eq!(
        groups(&rules, json!({ "sub": "1", "https://example": { "com/groups": ["b"] } })),
        ["b"]
    );
    assert!(groups(&rules, json!({ "sub": "1" })).is_empty());
}

#[test]
fn groups_are_texts_within_limits() {
    for (claim, expected) in [
        (json!("one"), vec!["one"]),
        (json!(["a", "a", "b"]), vec!["a", "b"]),
        (json!(["a", 7, null, { "name": "b" }, "", "c\n", "x".repeat(256)]), vec!["a"]),
        (json!({ "a": true }), vec![]),
        (json!(null), vec![]),
    ] {
        assert_eq!(groups(&rules(), json!({ "sub": "1", "groups": claim })), expected, "{claim}");
    }
    let many: Vec<String> = (0..=MOST_GROUPS).map(|number| number.to_string()).collect();
    let refused = identity(&rules(), json!({ "sub": "1", "groups": many }));
    assert!(matches!(refused, Err(OidcError::Provider(_))));
    let overage = json!({ "sub": "1", "_claim_names": { "groups": "src1" } });
    assert!(groups(&rules(), overage).is_empty());
}

#[test]
fn who_has_not_what_is_required_is_not_let_in() {
    let strict = ClaimRules {
        required_groups: ["/registry".parse().unwrap(), "/admins".parse().unwrap()].into(),
        required: vec![
            ("hd".into(), "example.com".into()),
            ("hd".into(), "example.org".into()),
            ("email_verified".into(), "true".into()),
        ],
        ..rules()
    };
    let claims = |changes: Value| {
        let mut claims = json!({
            "sub": "1", "groups": ["/admins"], "hd": "example.org", "email_verified": true,
        });
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims
    };
    assert!(identity(&strict, claims(json!({}))).is_ok());
    for wrong in [
        json!({ "groups": [] }),
        json!({ "groups": ["/registry2", "registry"] }),
        json!({ "hd": "example.net" }),
        json!({ "hd": null }),
        json!({ "hd": "EXAMPLE.org" }),
        json!({ "hd": { "example.org": true } }),
        json!({ "email_verified": false }),
        json!({ "email_verified": null }),
    ] {
        let refused = identity(&strict, claims(wrong.clone()));
        assert!(matches!(refused, Err(OidcError::NotAllowed { .. })), "{wrong}");
    }
}

/// Who may write any address into their profile would have the one that lets in.
#[test]
fn an_address_that_is_required_must_be_verified() {
    let rules =
        ClaimRules { required: vec![("email".into(), "ada@example.com".into())], ..rules() };
    let claims = |verified: Value| json!({ "sub": "1", "email": "ada@example.com", "email_verified": verified });
    for verified in [json!(true), json!("true")] {
        assert!(identity(&rules, claims(verified.clone())).is_ok(), "{verified}");
    }
    for unverified in [json!(false), json!("false"), json!(null), json!(1), json!({})] {
        let refused = identity(&rules, claims(unverified.clone()));
        assert!(matches!(refused, Err(OidcError::NotAllowed { .. })), "{unverified}");
    }
    // What the ID token does not say of it is asked for elsewhere.
    let all = json!({ "preferred_username": "ada", "groups": [], "email": "ada@example.com" });
    assert!(rules.lack(&all));
    let mut verified = all.clone();
    verified["email_verified"] = json!(true);
    assert!(!rules.lack(&verified) && !ClaimRules::default().lack(&all));
}

#[test]
fn a_subject_is_a_text_and_nothing_else_makes_up_for_it() {
    for subject in
        [json!(null), json!(7), json!(""), json!("a\nb"), json!(["a"]), json!("x".repeat(256))]
    {
        let claims =
            json!({ "sub": subject, "preferred_username": "ada", "email": "ada@example.com" });
        assert!(identity(&rules(), claims).is_err(), "{subject}");
    }
}

#[test]
fn an_address_that_nobody_verified_is_not_kept() {
    let with = |verified: Value, email: &str| {
        let claims = json!({ "sub": "1", "email": email, "email_verified": verified });
        identity(&rules(), claims).unwrap().email
    };
    assert_eq!(with(json!(true), "ada@example.com").as_deref(), Some("ada@example.com"));
    assert_eq!(with(json!(null), "ada@example.com").as_deref(), Some("ada@example.com"));
    // Some providers write it as a text.
    for unverified in [json!(false), json!("false")] {
        assert_eq!(with(unverified, "ada@example.com"), None);
    }
    for email in ["ada", "ada@exa mple.com", "a\n@b", &format!("{}@example.com", "a".repeat(250))] {
        assert_eq!(with(json!(true), email), None, "{email:?}");
    }
}
