//! Who is let in, who is not, and who they are here.

use ureq::http::Method;

use crate::browser::Browser;
use crate::house::{self, basic};
use crate::stand::{PASSWORD, SCOPE, Stand, subject};
use crate::support::slapd::{SUFFIX, person};

#[test]
fn a_password_of_the_directory_lets_in_and_makes_a_user() {
    let stand = Stand::start(&[]);
    assert_eq!(stand.log_in("lin", "wrong").status, 401);
    assert_eq!(stand.log_in("nobody", PASSWORD).status, 401);
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    // How it is compared is the directory's business, and the user is one.
    assert_eq!(stand.user("LIN", PASSWORD), "user:lin");
    let scope = "repository:lin/app:pull,push,delete";
    let reply = stand.house.ask_for_token("lin", PASSWORD, scope);
    assert_eq!(reply.json()["scope"], scope, "the namespace is theirs");
    let users = stand.house.admin(&["audit", "--all", "--json"]);
    assert!(users.contains("lin"), "{users}");
}

/// It would be an anonymous bind, which succeeds (RFC 4513, section 5.1.2).
#[test]
fn an_empty_password_is_refused_before_the_directory_is_asked() {
    let stand = Stand::start(&[]);
    assert_eq!(stand.log_in("lin", "").status, 401);
    let asked = stand.slapd.log();
    assert!(!asked.contains("uid=lin)"), "{asked}");
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    assert_eq!(stand.binds(&person("lin")), 1);
}

#[test]
fn a_name_is_a_value_and_never_a_part_of_the_filter() {
    let stand = Stand::start(&[]);
    stand.slapd.person(r"o(x)\2a", "the password of o");
    for name in [
        "*",
        "l*",
        "l*n",
        "lin)(uid=*",
        "lin)(|(uid=*",
        "*)(userPassword=*",
        r"\6cin",
        r"\2a",
        "lin\0",
        "lin\n",
        " ",
        "uid=lin,ou=people,dc=example,dc=org",
    ] {
        assert_eq!(stand.log_in(name, PASSWORD).status, 401, "{name:?}");
    }
    assert_eq!(stand.log_in(&"x".repeat(5000), PASSWORD).status, 401);
    assert_eq!(stand.log_in("lin", &"x".repeat(5000)).status, 401);
    // Names that hold what filters are made of are names too.
    assert_eq!(stand.user(r"o(x)\2a", "the password of o"), "user:o-x-2a");
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
}

#[test]
fn a_name_that_two_entries_have_is_nobodys() {
    let stand = Stand::start(&[]);
    stand.slapd.person("twin", "the first of them");
    let other = format!("uid=twin,ou=groups,{SUFFIX}");
    stand.slapd.person_at(&other, "twin", "the second of them");
    for password in ["the first of them", "the second of them"] {
        assert_eq!(stand.log_in("twin", password).status, 401);
    }
    assert!(stand.house.server.log().contains("several entries"), "{}", stand.house.server.log());
}

#[test]
fn a_user_with_a_password_here_is_never_tried_in_the_directory() {
    let stand = Stand::start(&[]);
    stand.slapd.person("bob", "bob of the directory");
    assert_eq!(stand.log_in("bob", "bob of the directory").status, 401);
    assert_eq!(stand.user("bob", house::PASSWORD), "user:bob");
    // The directory would take these for the same name.
    for name in ["BOB", "Bob", " bob", "bob "] {
        for password in ["bob of the directory", house::PASSWORD] {
            assert_eq!(stand.log_in(name, password).status, 401, "{name:?}");
        }
    }
    assert!(!stand.slapd.log().contains("SRCH"), "{}", stand.slapd.log());
    // Robots and machine secrets are none of its business either.
    assert_eq!(stand.log_in("team+ci", PASSWORD).status, 401);
    let secret = "wharf_pat_0000000000000000000000000000000000000000000000";
    stand.log_in("lin", secret);
    assert!(!stand.slapd.log().contains("filter="), "{}", stand.slapd.log());
}

/// By any name of theirs that the directory knows, remembered or not.
#[test]
fn a_user_who_gets_a_password_here_logs_in_by_nothing_else() {
    let stand = Stand::start(&[
        ("WHARF_LDAP_FILTER", "(|(uid={name})(mail={name}))"),
        ("WHARF_LDAP_REMEMBER", "10m"),
    ]);
    let names = ["lin@example.org", "LIN@example.org"];
    assert_eq!(stand.user(names[0], PASSWORD), "user:lin");
    stand.house.admin(&["password", "lin", "--password-stdin"]);
    for name in names {
        assert_eq!(stand.log_in(name, PASSWORD).status, 401, "{name}");
    }
    assert_eq!(stand.user("lin", house::PASSWORD), "user:lin");
}

/// Else it would let them in until `ldap.remember` ends.
#[test]
fn what_is_remembered_ends_with_the_identity() {
    let stand = Stand::start(&[("WHARF_LDAP_REMEMBER", "10m")]);
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    assert_eq!(stand.binds(&person("lin")), 1);
    stand.house.admin(&["identity", "lin", "--unlink", "ldap"]);
    // The directory still knows them, and they are somebody new here.
    assert_eq!(stand.user("lin", PASSWORD), "user:lin-2");
    assert_eq!(stand.binds(&person("lin")), 2);
}

#[test]
fn a_session_by_the_directory_ends_with_the_identity() {
    let stand = Stand::start(&[]);
    let url = |path: &str| format!("http://{}{path}", stand.house.server.address());
    let mut browser = Browser::new();
    let form = browser.open(&url("/login"));
    browser.submit(&form, &[("name", "lin"), ("password", PASSWORD)]);
    let is_in = |browser: &mut Browser| browser.open(&url("/login")).text.contains("logged in as");
    assert!(is_in(&mut browser));
    stand.house.admin(&["identity", "lin", "--unlink", "ldap"]);
    assert!(!is_in(&mut browser));
}

/// Somebody who can choose their name in the directory must not choose whose account they get.
#[test]
fn an_account_is_found_by_the_subject_and_by_no_name() {
    let stand = Stand::start(&[]);
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    // Renamed, they are who they were.
    stand.slapd.change(&format!(
        "dn: {}\nchangetype: modrdn\nnewrdn: uid=linnea\ndeleteoldrdn: 1\n",
        person("lin")
    ));
    assert_eq!(stand.user("linnea", PASSWORD), "user:lin");
    assert_eq!(stand.log_in("lin", PASSWORD).status, 401);
    // Another who gets the name gets another account.
    stand.slapd.person("lin", "another lin");
    assert_eq!(stand.user("lin", "another lin"), "user:lin-2");
    assert_eq!(stand.user("linnea", PASSWORD), "user:lin");
    // Nor does one who is called like an organization.
    stand.slapd.person("team", "called like a team");
    assert_eq!(stand.user("team", "called like a team"), "user:team-2");
}

#[test]
fn a_disabled_user_stays_out_at_once_though_the_password_is_remembered() {
    let stand = Stand::start(&[("WHARF_LDAP_REMEMBER", "10m")]);
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    stand.house.admin(&["disable", "lin"]);
    assert_eq!(stand.log_in("lin", PASSWORD).status, 401);
    stand.house.admin(&["enable", "lin"]);
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    assert_eq!(stand.binds(&person("lin")), 1, "the rest was remembered");
}

#[test]
fn a_right_password_is_remembered_for_a_while_and_a_wrong_one_never() {
    let stand = Stand::start(&[("WHARF_LDAP_REMEMBER", "3s")]);
    for _ in 0..5 {
        assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    }
    assert_eq!(stand.binds(&person("lin")), 1);
    for tried in 2..5 {
        assert_eq!(stand.log_in("lin", "wrong").status, 401);
        assert_eq!(stand.binds(&person("lin")), tried, "it is asked about each wrong one");
    }
    let changed = "the next password";
    stand.slapd.change(&format!(
        "dn: {}\nchangetype: modify\nreplace: userPassword\nuserPassword: {changed}\n",
        person("lin")
    ));
    crate::support::program::wait_until(
        "the old password is forgotten",
        std::time::Duration::from_secs(30),
        || stand.log_in("lin", PASSWORD).status == 401,
    );
    assert_eq!(stand.user("lin", changed), "user:lin");
}

/// The directory does not tell when somebody leaves, and a refresh token would outlive that by a month.
#[test]
fn who_the_directory_let_in_gets_no_refresh_token() {
    let stand = Stand::start(&[]);
    let ask = |user: &str, password: &str| {
        let target = format!("/token?service=wharf&offline_token=true&scope={SCOPE}");
        let basic = basic(user, password);
        let headers = [("Authorization", basic.as_str())];
        stand.house.registry.send(Method::GET, &target, &headers, None).unwrap().json()
    };
    assert!(ask("lin", PASSWORD)["refresh_token"].is_null());
    assert!(ask("lin", PASSWORD)["token"].is_string());
    assert!(ask("bob", house::PASSWORD)["refresh_token"].is_string());
}

#[test]
fn nobody_is_made_where_users_are_not_to_be() {
    let stand = Stand::start(&[("WHARF_LDAP_CREATE_USERS", "false")]);
    assert_eq!(stand.log_in("lin", PASSWORD).status, 401);
    assert_eq!(stand.log_in("lin", PASSWORD).status, 401, "nor was the password remembered");
}

#[test]
fn logins_that_fail_in_the_directory_are_limited_like_others() {
    let stand = Stand::start(&[("WHARF_LIMITS_FAILED_LOGINS", "3/1h")]);
    for _ in 0..3 {
        assert_eq!(stand.log_in("lin", "wrong").status, 401);
    }
    let before = stand.slapd.log().len();
    assert_eq!(stand.log_in("lin", PASSWORD).status, 429);
    let after = &stand.slapd.log()[before..];
    assert!(!after.contains("lin"), "{after}");
}

/// The directory takes all of these for one name, and would let in who guesses by one after the other.
#[test]
fn a_name_has_no_more_tries_for_being_spelled_in_many_ways() {
    let stand = Stand::start(&[("WHARF_LIMITS_FAILED_LOGINS", "3/1h")]);
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    for name in ["LIN", " lin", "Lin "] {
        assert_eq!(stand.log_in(name, "wrong").status, 401, "{name:?}");
    }
    for name in ["lin", "lIn", "\u{ff4c}in"] {
        assert_eq!(stand.log_in(name, PASSWORD).status, 429, "{name:?}");
    }
    let written = stand.house.admin(&["audit", "--action", "login", "--json"]);
    let denied: Vec<_> = written.lines().filter(|line| line.contains("denied")).collect();
    assert_eq!(denied.len(), 3, "{written}");
    assert!(denied.iter().all(|line| line.contains("user:lin")), "{written}");
}

#[test]
fn another_attribute_can_say_who_somebody_is() {
    let stand = Stand::start(&[
        ("WHARF_LDAP_FILTER", "(|(uid={name})(mail={name}))"),
        ("WHARF_LDAP_SUBJECT_ATTRIBUTE", "employeeNumber"),
        ("WHARF_LDAP_NAME_ATTRIBUTE", "mail"),
    ]);
    // Who has none cannot be known again: an operator has to look, and it is nobody's failed login.
    let reply = stand.log_in("lin", PASSWORD);
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(stand.house.server.log().contains("employeeNumber"), "{}", stand.house.server.log());
    assert_eq!(stand.log_in("lin", "wrong").status, 401);
    let add = |value: &str| {
        let dn = person("lin");
        let add = "changetype: modify\nadd: employeeNumber\nemployeeNumber:";
        stand.slapd.change(&format!("dn: {dn}\n{add} {value}\n"));
    };
    add("4711");
    assert_eq!(subject(&stand.log_in("lin@example.org", PASSWORD)), "user:lin");
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
}
