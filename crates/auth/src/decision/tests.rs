//! The decision as a table that a person can read, and what holds for all facts.

use wharf_core::access::{NamespaceFacts, Narrowing};

use super::*;

/// Who asks.
fn principal(text: &str) -> Principal {
    text.parse().unwrap()
}

fn grant(role: Role, pattern: Option<&str>) -> Grant {
    let pattern = pattern.map(|text| text.parse().unwrap());
    Grant { id: 7, gives: Narrowing { role, pattern }, through: Through::Direct }
}

/// The facts of a namespace in which who asks has these grants.
fn granted(repository: Option<Visibility>, grants: Vec<Grant>) -> Facts {
    let namespace = NamespaceFacts { own: false, create_on_push: true, grants };
    Facts { active: true, site_admin: false, repository, namespace: Some(namespace) }
}

/// The actions that are allowed, a letter each.
fn letters(who: &str, facts: &Facts) -> String {
    let name = "team/app".parse().unwrap();
    let all: Actions = Action::ALL.into_iter().collect();
    let allowed = allowed(&principal(who), &name, all, facts);
    Action::ALL
        .into_iter()
        .map(|it| if allowed.contains(it) { it.name().chars().next().unwrap() } else { '-' })
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

#[test]
fn what_each_role_gives_on_each_visibility() {
    use Visibility::{Internal, Private, Public};
    #[rustfmt::skip]
    let table: [(Option<Role>, Visibility, &str); 15] = [
        (None,                 Private,  "---"),
        (None,                 Internal, "p--"),
        (None,                 Public,   "p--"),
        (Some(Role::Read),     Private,  "p--"),
        (Some(Role::Read),     Internal, "p--"),
        (Some(Role::Read),     Public,   "p--"),
        (Some(Role::Write),    Private,  "pp-"),
        (Some(Role::Write),    Internal, "pp-"),
        (Some(Role::Write),    Public,   "pp-"),
        (Some(Role::Maintain), Private,  "ppd"),
        (Some(Role::Maintain), Internal, "ppd"),
        (Some(Role::Maintain), Public,   "ppd"),
        (Some(Role::Admin),    Private,  "ppd"),
        (Some(Role::Admin),    Internal, "ppd"),
        (Some(Role::Admin),    Public,   "ppd"),
    ];
    for (role, visibility, expected) in table {
        let grants = role.map(|role| grant(role, None)).into_iter().collect();
        let facts = granted(Some(visibility), grants);
        assert_eq!(letters("user:ada", &facts), expected, "{role:?} {visibility:?}");
    }
}

#[test]
fn the_anonymous_read_what_is_public_and_nothing_else() {
    for (visibility, expected) in [
        (None, "---"),
        (Some(Visibility::Private), "---"),
        (Some(Visibility::Internal), "---"),
        (Some(Visibility::Public), "p--"),
    ] {
        // Whatever else the facts say.
        let mut facts = granted(visibility, vec![grant(Role::Admin, None)]);
        facts.site_admin = true;
        assert_eq!(letters("anonymous", &facts), expected, "{visibility:?}");
    }
}

#[test]
fn a_robot_is_not_a_logged_in_user() {
    let facts = granted(Some(Visibility::Internal), Vec::new());
    assert_eq!(letters("robot:other+ci", &facts), "---");
    assert_eq!(letters("user:ada", &facts), "p--");
}

#[test]
fn a_disabled_user_keeps_what_everyone_has() {
    for visibility in Visibility::ALL {
        let mut facts = granted(Some(visibility), vec![grant(Role::Admin, None)]);
        (facts.active, facts.site_admin) = (false, true);
        let expected = if visibility == Visibility::Public { "p--" } else { "---" };
        assert_eq!(letters("user:ada", &facts), expected, "{visibility:?}");
    }
}

#[test]
fn a_pattern_reaches_the_repositories_that_it_covers() {
    for (pattern, expected) in [
        ("team/*", "ppd"),
        ("team/app", "ppd"),
        ("team/app-*", "---"),
        ("*", "ppd"),
        ("team", "---"),
    ] {
        let facts = granted(Some(Visibility::Private), vec![grant(Role::Maintain, Some(pattern))]);
        assert_eq!(letters("user:ada", &facts), expected, "{pattern}");
    }
}

#[test]
fn of_several_grants_the_greatest_counts_and_is_named() {
    let grants = vec![grant(Role::Read, None), grant(Role::Write, Some("team/a*"))];
    let facts = granted(Some(Visibility::Private), grants);
    let name = "team/app".parse().unwrap();
    let reason = decide(&principal("user:ada"), &name, Action::Push, &facts);
    assert_eq!(reason.to_string(), "allowed: grant 7 gives write on team/a*");
}

#[test]
fn a_repository_that_does_not_exist_is_made_by_a_push_only_where_that_is_allowed() {
    let mut facts = granted(None, vec![grant(Role::Write, None)]);
    assert_eq!(letters("user:ada", &facts), "pp-");
    facts.namespace.as_mut().unwrap().create_on_push = false;
    assert_eq!(letters("user:ada", &facts), "p--");
    facts.namespace.as_mut().unwrap().own = true;
    assert_eq!(letters("user:ada", &facts), "p-d");
    facts.site_admin = true;
    assert_eq!(letters("user:ada", &facts), "ppd");
}

#[test]
fn nothing_is_given_in_a_namespace_that_does_not_exist() {
    let facts = Facts { active: true, ..Facts::default() };
    assert_eq!(letters("user:ada", &facts), "---");
}

#[test]
fn more_facts_never_take_an_action_away() {
    // Monotone: adding a grant, or raising one, or a wider visibility, allows no less.
    let name = "team/app".parse().unwrap();
    let all: Actions = Action::ALL.into_iter().collect();
    let who = principal("user:ada");
    for visibility in
        [None, Some(Visibility::Private), Some(Visibility::Internal), Some(Visibility::Public)]
    {
        for role in Role::ALL {
            let less = granted(visibility, vec![grant(role, Some("team/*"))]);
            let before = allowed(&who, &name, all, &less);
            for more in Role::ALL {
                let grants = vec![grant(role, Some("team/*")), grant(more, None)];
                let after = allowed(&who, &name, all, &granted(visibility, grants));
                assert_eq!(before.and(after), before);
            }
        }
    }
}

#[test]
fn a_role_on_a_repository_is_given_by_what_covers_it() {
    let name = "team/app".parse().unwrap();
    let has = |who: &str, role: Role, facts: &Facts| {
        decide_role(&principal(who), &name, role, facts).allows()
    };
    for (pattern, covers) in [(None, true), (Some("team/a*"), true), (Some("team/b*"), false)] {
        for given in Role::ALL {
            let facts = granted(Some(Visibility::Private), vec![grant(given, pattern)]);
            for role in Role::ALL {
                let expected = covers && given >= role;
                assert_eq!(
                    has("user:ada", role, &facts),
                    expected,
                    "{given:?} {pattern:?} {role:?}"
                );
                assert!(!has("anonymous", role, &facts), "{role:?}");
            }
        }
    }
    // Whoever may pull may read, and no more than that.
    let public = granted(Some(Visibility::Public), Vec::new());
    for role in Role::ALL {
        assert_eq!(has("anonymous", role, &public), role == Role::Read, "{role:?}");
    }
}

/// Whom something else let in, a grant on a repository or some, is no member.
#[test]
fn teams_are_seen_by_members_and_by_who_administers_something() {
    let sees = |facts: &Facts| decide_teams(&principal("user:ada"), facts).allows();
    let of_team = |role, pattern| Grant {
        through: Through::Team("devs".parse().unwrap()),
        ..grant(role, pattern)
    };
    for (given, expected) in [
        (grant(Role::Read, None), true),
        (grant(Role::Maintain, Some("team/*")), false),
        (grant(Role::Read, Some("team/app")), false),
        (grant(Role::Admin, Some("team/app")), true),
        (of_team(Role::Read, Some("team/app")), true),
    ] {
        assert_eq!(sees(&granted(None, vec![given.clone()])), expected, "{given:?}");
    }
    let mut facts = granted(Some(Visibility::Public), Vec::new());
    assert!(!sees(&facts));
    facts.site_admin = true;
    assert!(sees(&facts));
    facts.active = false;
    assert!(!sees(&facts));
}

#[test]
fn a_namespace_is_governed_by_grants_on_all_of_it() {
    let has =
        |role: Role, facts: &Facts| decide_namespace(&principal("user:ada"), role, facts).allows();
    for (given, pattern, expected) in [
        (Role::Admin, None, Role::Admin),
        (Role::Write, None, Role::Write),
        // Part of it is enough to see that it is there.
        (Role::Admin, Some("team/*"), Role::Read),
    ] {
        let facts = granted(None, vec![grant(given, pattern)]);
        for role in Role::ALL {
            assert_eq!(has(role, &facts), role <= expected, "{given:?} {pattern:?} {role:?}");
        }
    }
    let mut facts = granted(None, Vec::new());
    assert!(!has(Role::Read, &facts));
    facts.site_admin = true;
    assert!(has(Role::Admin, &facts));
    facts.active = false;
    assert!(!has(Role::Read, &facts));
}
