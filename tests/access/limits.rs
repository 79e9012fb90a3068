//! How often somebody may ask for tokens and fail to log in, and that nobody learns names by it.

use std::time::Duration;

use ureq::http::Method;

use crate::house::{House, PASSWORD};
use crate::support::registry::Reply;

const SCOPE: &str = "repository:team/private:pull";

fn wait(reply: &Reply) -> u64 {
    assert_eq!(reply.status, 429, "{}", reply.text());
    assert!(reply.text().contains("TOOMANYREQUESTS"), "{}", reply.text());
    reply.header("Retry-After").unwrap().parse().unwrap()
}

/// Also with the right password: else that would tell it. Others from there are not kept out at once.
#[test]
fn who_fails_to_log_in_too_often_has_to_wait() {
    let house = House::start_with(&[("WHARF_LIMITS_FAILED_LOGINS", "3/1h")]);
    // The same, whether there is such a user or not.
    for name in ["reader", "nobody"] {
        for _ in 0..3 {
            assert_eq!(house.ask_for_token(name, "wrong", SCOPE).status, 401);
        }
        let refused = house.ask_for_token(name, "wrong", SCOPE);
        assert!((1190..=1200).contains(&wait(&refused)), "{}", wait(&refused));
    }
    wait(&house.ask_for_token("reader", PASSWORD, SCOPE));
    // Logins that are good take nothing, however many.
    for _ in 0..10 {
        assert_eq!(house.ask_for_token("writer", PASSWORD, SCOPE).status, 200);
    }
    assert_eq!(house.ask_for_token("", "", SCOPE).status, 200);
    let written = house.admin(&["audit", "--action", "login", "--json"]);
    assert_eq!(written.lines().count(), 6, "{written}");
    assert_eq!(written.matches("\"target\":\"user:reader\"").count(), 3, "{written}");
    // Somebody may have typed a password there.
    assert!(!written.contains("nobody"), "{written}");
    assert!(written.contains("\"address\":\"127.0.0.1\""), "{written}");
    // Who administers the namespace of a user is not told from where they log in.
    assert_eq!(written.matches("\"namespace\":null").count(), 6, "{written}");
}

/// Whatever names they try.
#[test]
fn who_tries_many_names_has_to_wait_too() {
    let house = House::start_with(&[("WHARF_LIMITS_FAILED_LOGINS", "2/1h")]);
    for number in 0..10 {
        assert_eq!(house.ask_for_token(&format!("name{number}"), "wrong", SCOPE).status, 401);
    }
    wait(&house.ask_for_token("another", "wrong", SCOPE));
    let secret = "wharf_pat_0000000000000000000000000000000000000000000000";
    wait(&house.ask_for_token("writer", secret, SCOPE));
}

#[test]
fn a_client_is_issued_so_many_tokens() {
    let settings =
        [("WHARF_LIMITS_TOKEN_REQUESTS", "5/1h"), ("WHARF_HTTP_TRUSTED_PROXIES", "127.0.0.1")];
    let house = House::start_with(&settings);
    let from = |address: &str| {
        let headers = [("X-Forwarded-For", address)];
        house.registry.send(Method::GET, "/token?service=wharf", &headers, None).unwrap()
    };
    // Two addresses of one network are one client.
    for address in ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "2001:db8::5"] {
        assert_eq!(from(address).status, 200);
    }
    let left = Duration::from_secs(wait(&from("2001:db8::6")));
    assert!(left <= Duration::from_secs(720), "{left:?}");
    assert_eq!(from("2001:db8:0:1::1").status, 200);
    assert_eq!(from("192.0.2.7").status, 200);
}

/// Nobody else says where they come from.
#[test]
fn an_address_is_believed_from_a_trusted_proxy_alone() {
    let house = House::start_with(&[("WHARF_LIMITS_TOKEN_REQUESTS", "9/1h")]);
    let asked = (0..20).map(|number| {
        let address = format!("192.0.2.{number}");
        let headers = [("X-Forwarded-For", address.as_str())];
        house.registry.send(Method::GET, "/token?service=wharf", &headers, None).unwrap()
    });
    let refused = asked.filter(|reply| reply.status == 429).count();
    assert!(refused >= 11, "{refused}");
}

#[test]
fn an_exempt_network_is_not_limited() {
    let settings = [
        ("WHARF_LIMITS_TOKEN_REQUESTS", "1/1h"),
        ("WHARF_LIMITS_FAILED_LOGINS", "1/1h"),
        ("WHARF_LIMITS_EXEMPT_NETWORKS", "127.0.0.0/8"),
    ];
    let house = House::start_with(&settings);
    for _ in 0..5 {
        for name in ["reader", "nobody"] {
            assert_eq!(house.ask_for_token(name, "wrong", SCOPE).status, 401);
        }
    }
    // What is limited of a name over all clients stays so.
    for _ in 0..15 {
        assert_eq!(house.ask_for_token("reader", "wrong", SCOPE).status, 401);
    }
    wait(&house.ask_for_token("reader", "wrong", SCOPE));
}

/// Whatever becomes of them; reading costs nothing, nor does what somebody may not do.
#[test]
fn changes_are_limited_for_each_principal() {
    let settings =
        [("WHARF_LIMITS_CHANGES", "3/1h"), ("WHARF_LIMITS_EXEMPT_PRINCIPALS", "user:root")];
    let house = House::start_with(&settings);
    house.push("ada", "team/app");
    let path = "/namespaces/team/teams";
    let change = |who: &str| house.manage(who, Method::POST, path, Some(r#"{"name":"devs"}"#));
    let statuses = |who: &str| [(); 4].map(|()| change(who).status);
    assert_eq!(statuses("bob"), [404; 4]);
    assert_eq!(statuses("ada"), [201, 409, 409, 429]);
    let refused = change("ada");
    assert!(refused.text().contains("user:ada has asked for more changes than 3/1h"));
    let wait: u64 = refused.header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=1201).contains(&wait), "{wait}");
    let tag = "/repositories/team%2Fapp/tags/v1";
    assert_eq!(house.manage("ada", Method::DELETE, tag, None).status, 429);
    assert_eq!(house.manage("ada", Method::GET, path, None).status, 200);
    assert_eq!(statuses("root"), [409; 4]);
}
