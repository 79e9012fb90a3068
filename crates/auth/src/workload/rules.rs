//! Whether the claims of a token meet a trust rule: a pure function.

use serde_json::Value;
use wharf_core::metadata::TrustRule;
use wharf_oci::wildcard_covers;

use super::verification::Workload;

/// Whether a workload is trusted by a rule: it is of its issuer, for its audience, and every condition holds.
#[must_use]
pub fn trusts(rule: &TrustRule, workload: &Workload) -> bool {
    rule.issuer == workload.issuer
        && workload.is_for(&rule.audience)
        && rule.conditions.iter().all(|(claim, pattern)| holds(&workload.claims, claim, pattern))
}

/// Whether a claim is there and its text matches. Lists and objects have no text: a rule that meant one of many
/// could be met by whoever adds to them.
fn holds(claims: &Value, claim: &str, pattern: &str) -> bool {
    let value = if claim.starts_with('/') { claims.pointer(claim) } else { claims.get(claim) };
    match value {
        Some(Value::String(text)) => wildcard_covers(pattern, text),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => {
            wildcard_covers(pattern, &value.to_string())
        }
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;
    use wharf_core::clock::Timestamp;
    use wharf_core::metadata::Conditions;

    use super::*;

    fn met(conditions: &[&str], claims: Value) -> bool {
        let rule = TrustRule {
            id: 1,
            issuer: "https://ci.example".into(),
            audience: "wharf".into(),
            conditions: Conditions::parse(conditions.iter().copied()).unwrap(),
            created_by: "user:ada".into(),
            created_at: Timestamp(0),
        };
        let claim = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
        let (issuer, subject) = (claim("iss"), claim("sub"));
        trusts(&rule, &Workload { issuer, subject, expires_at: 0, claims })
    }

    fn github() -> Value {
        json!({
            "iss": "https://ci.example", "aud": "wharf", "sub": "repo:team/app:ref:refs/heads/main",
            "repository": "team/app", "repository_owner": "team", "ref": "refs/heads/main",
            "ref_protected": true, "run_attempt": 2, "environment": null, "labels": ["main"],
        })
    }

    #[test]
    fn every_condition_must_hold() {
        for (conditions, expected) in [
            (&["repository=team/app"][..], true),
            (&["repository=team/app", "ref=refs/heads/main"], true),
            (&["repository=team/app", "ref=refs/heads/*"], true),
            (&["repository=team/*", "ref_protected=true", "run_attempt=2"], true),
            (&["sub=repo:team/app:*"], true),
            (&["repository=team/app", "ref=refs/heads/release"], false),
            (&["repository=team/app", "ref=refs/heads/mai"], false),
            (&["repository=team/app", "ref=refs/heads/main*x"], false),
            (&["repository=stranger/app", "ref=refs/heads/main"], false),
            (&["repository=Team/app"], false),
            (&["repository=team/app", "missing=*"], false),
            (&["repository=team/app", "environment=*"], false),
            (&["repository=team/app", "labels=main"], false),
            (&["repository=team/app", "/labels/0=main"], true),
        ] {
            assert_eq!(met(conditions, github()), expected, "{conditions:?}");
        }
    }

    #[test]
    fn another_issuer_or_audience_meets_no_rule() {
        for (name, value) in [
            ("iss", json!("https://ci.example/")),
            ("iss", json!("https://other.example")),
            ("aud", json!("wharf2")),
            ("aud", json!(["a", "b"])),
            ("aud", json!(null)),
            ("aud", json!({ "wharf": "wharf" })),
        ] {
            let mut claims = github();
            claims[name] = value;
            assert!(!met(&["repository=team/app"], claims.clone()), "{claims}");
        }
        let mut claims = github();
        claims["aud"] = json!(["other", "wharf"]);
        assert!(met(&["repository=team/app"], claims));
    }

    #[test]
    fn a_dot_in_a_claims_name_is_no_step() {
        let claims = json!({
            "iss": "https://ci.example", "aud": ["wharf"], "sub": "system:serviceaccount:ci:build",
            "kubernetes.io": { "namespace": "ci", "serviceaccount": { "name": "build" } },
            "kubernetes": { "io": { "namespace": "prod" } },
        });
        let namespace = "/kubernetes.io/namespace=ci";
        for (conditions, expected) in [
            (&[namespace][..], true),
            (&[namespace, "/kubernetes.io/serviceaccount/name=build"], true),
            (&["/kubernetes.io/namespace=prod"], false),
            (&[namespace, "kubernetes.io.namespace=prod"], false),
            (&[namespace, "/kubernetes.io=*"], false),
        ] {
            assert_eq!(met(conditions, claims.clone()), expected, "{conditions:?}");
        }
    }
}
