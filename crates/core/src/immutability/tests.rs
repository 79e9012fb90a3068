//! Names, ages, and the decision: a few by example, all by their properties.

use proptest::prelude::*;
use proptest::sample::select;
use wharf_oci::{Algorithm, Hasher};

use super::*;

const SECOND: i64 = 1_000_000;

fn digest(text: &str) -> Digest {
    Hasher::digest(Algorithm::Sha256, text.as_bytes())
}

fn record(of: PolicyScope, name: &str, tags: TagSelection, seconds: u64, at: i64) -> PolicyRecord {
    let mutable_for = MutableFor::from_seconds(seconds).unwrap();
    PolicyRecord {
        of,
        policy: Policy { name: name.parse().unwrap(), tags, mutable_for },
        created_by: "user:ada".to_owned(),
        created_at: Timestamp(0),
        changed_at: Timestamp(at),
        version: 1,
    }
}

fn of_namespace() -> PolicyScope {
    PolicyScope::Namespace("team".parse().unwrap())
}

fn of_repository() -> PolicyScope {
    PolicyScope::Repository("team/app".parse().unwrap())
}

fn policies(records: Vec<PolicyRecord>) -> Policies {
    Policies::new("team/app".parse().unwrap(), records)
}

#[test]
fn a_refusal_names_the_tag_the_policy_and_since_when() {
    let releases = TagSelection::new(&["v*"], &["v*-rc*"]).unwrap();
    let policies = policies(vec![record(of_namespace(), "releases", releases, 3600, 0)]);
    let stands = Stands { digest: digest("one"), created_at: Timestamp(0) };
    let tag: Tag = "v1.2".parse().unwrap();
    let (other, frozen_at) = (digest("two"), Timestamp(3600 * SECOND));
    let decide = |to, now| policies.decide(&tag, Some(&stands), to, now);
    assert_eq!(decide(Some(&other), frozen_at.before(Duration::from_micros(1))), Ok(()));
    for to in [Some(&other), None] {
        let frozen = decide(to, frozen_at).unwrap_err();
        assert_eq!(
            frozen.to_string(),
            "tag \"v1.2\" of team/app is immutable since 1970-01-01T01:00:00Z by policy \"releases\" of namespace team \
             (v* except v*-rc*)"
        );
    }
    let candidate = "v1.2-rc1".parse().unwrap();
    assert_eq!(policies.decide(&candidate, Some(&stands), None, frozen_at), Ok(()));
}

#[test]
fn what_is_no_name_or_age_is_refused_with_its_value() {
    for good in ["a", "0", "releases", "v1.x_y-z", &"a".repeat(64)] {
        assert_eq!(good.parse::<PolicyName>().unwrap().to_string(), good);
    }
    for bad in ["", "-a", ".", "A", "a b", "a/b", "ä", &"a".repeat(65)] {
        let error = bad.parse::<PolicyName>().unwrap_err().to_string();
        assert!(error.contains(&format!("{bad:?}")), "{error}");
    }
    let most = u64::from(MutableFor::MOST);
    assert_eq!(MutableFor::from_seconds(most).unwrap().seconds(), MutableFor::MOST);
    for seconds in [most + 1, u64::MAX] {
        let error = MutableFor::from_seconds(seconds).unwrap_err().to_string();
        assert!(error.contains(&seconds.to_string()), "{error}");
    }
}

fn tags() -> impl Strategy<Value = Tag> {
    select(vec!["v1", "v1-rc1", "latest", "main"]).prop_map(|text| text.parse().unwrap())
}

fn selections() -> impl Strategy<Value = TagSelection> {
    let patterns = select(vec!["*", "v*", "latest", "m*"]);
    let exceptions = prop::collection::vec(select(vec!["latest", "*-rc*", "v1"]), 0..2);
    (patterns, exceptions)
        .prop_map(|(pattern, exceptions)| TagSelection::new(&[pattern], &exceptions).unwrap())
}

fn records() -> impl Strategy<Value = Vec<PolicyRecord>> {
    let one = (any::<bool>(), selections(), 0..4_u64, 0..4_i64);
    prop::collection::vec(one, 0..5).prop_map(|all| {
        let each = all.into_iter().enumerate();
        each.map(|(index, (wide, tags, seconds, at))| {
            let of = if wide { of_namespace() } else { of_repository() };
            record(of, &format!("p{index}"), tags, seconds, at * SECOND)
        })
        .collect()
    })
}

proptest! {
    /// By the words of the guide: a tag is frozen when a policy covers it that it is old enough for.
    #[test]
    fn a_tag_changes_unless_a_policy_freezes_it(
        records in records(), tag in tags(), created in 0..4_i64, now in 0..8_i64, deletes in any::<bool>(),
    ) {
        let (created_at, now) = (Timestamp(created * SECOND), Timestamp(now * SECOND));
        let stands = Stands { digest: digest("one"), created_at };
        let other = digest("two");
        let to = (!deletes).then_some(&other);
        let freezes = |record: &PolicyRecord| {
            record.policy.tags.covers(&tag)
                && created_at.0 + i64::from(record.policy.mutable_for.seconds()) * SECOND <= now.0
        };
        let decided = policies(records.clone()).decide(&tag, Some(&stands), to, now);
        match decided {
            Ok(()) => prop_assert!(!records.iter().any(freezes)),
            Err(frozen) => {
                let named = records.iter().find(|record| record.policy.name == frozen.policy.name).unwrap();
                prop_assert!(freezes(named) && frozen.of == named.of);
                let seconds = i64::from(named.policy.mutable_for.seconds());
                prop_assert_eq!(frozen.since.0, named.changed_at.0.max(created_at.0 + seconds * SECOND));
            }
        }
    }

    #[test]
    fn what_is_new_or_stays_where_it_is_is_allowed(
        records in records(), tag in tags(), created in 0..4_i64, now in 0..8_i64,
    ) {
        let (policies, now) = (policies(records), Timestamp(now * SECOND));
        let stands = Stands { digest: digest("one"), created_at: Timestamp(created * SECOND) };
        prop_assert_eq!(policies.decide(&tag, None, Some(&stands.digest), now), Ok(()));
        prop_assert_eq!(policies.decide(&tag, Some(&stands), Some(&stands.digest), now), Ok(()));
    }

    /// Neither by time nor by further policies, above all not by those of a repository.
    #[test]
    fn what_is_frozen_stays_so(
        records in records(), more in records(), tag in tags(), created in 0..4_i64, now in 0..8_i64, later in 0..8_i64,
    ) {
        let (created_at, now) = (Timestamp(created * SECOND), Timestamp(now * SECOND));
        let frozen = policies(records.clone()).frozen(&tag, created_at, now);
        let all = policies([records, more].concat());
        let later = now.after(Duration::from_secs(later.unsigned_abs()));
        prop_assert!(frozen.is_none() || all.frozen(&tag, created_at, later).is_some());
    }
}
