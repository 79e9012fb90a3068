//! Every route × what somebody shows: nothing, a token that is fresh, expired, not yet valid, forged, or of something else;
//! and what is left of credentials that were taken away.

use std::time::Duration;

use crate::forging::{LIFE, SKEW, claiming, part, signed_ago, signed_by_a_stranger, with_part};
use crate::house::{House, PASSWORD, bearer};
use crate::matrix::{login, peopled};
use crate::routes::rows;

const REPOSITORIES: [&str; 3] = ["team/public", "team/internal", "team/private"];

/// What is shown, and what the challenge says of it; `None` is let in.
#[rustfmt::skip]
const SHOWN: [(&str, Option<&str>); 13] = [
    ("a fresh token",                          None),
    ("one in the half minute after its end",   None),
    ("nothing",                                Some("")),
    ("one that has expired",                   Some("invalid_token")),
    ("one that is not valid yet",              Some("invalid_token")),
    ("one signed by another key",              Some("invalid_token")),
    ("one without a signature",                Some("invalid_token")),
    ("one with wider claims than were signed", Some("invalid_token")),
    ("one made root's",                        Some("invalid_token")),
    ("one whose end was moved",                Some("invalid_token")),
    ("one for another repository",             Some("insufficient_scope")),
    ("one for a repository below",             Some("insufficient_scope")),
    ("one for nothing",                        Some("insufficient_scope")),
];

/// The header `Authorization`, for whoever could do everything with this repository.
fn authorization(house: &House, shown: &str, repository: &str) -> Option<String> {
    let keys = house.data().join("keys");
    let all = format!("repository:{repository}:pull,push,delete registry:catalog:*");
    let ago = |ago: Duration, scope: &str| signed_ago(&keys, ago, "user:root", scope);
    let second = Duration::from_secs(1);
    let expired = ago(LIFE + SKEW + second, &all);
    let narrow = ago(Duration::ZERO, "repository:team/other:pull");
    let token = match shown {
        "nothing" => return None,
        "a fresh token" => ago(Duration::ZERO, &all),
        "one in the half minute after its end" => ago(LIFE + second, &all),
        "one that has expired" => expired,
        "one that is not valid yet" => {
            // A minute ahead, since clocks may differ by half of that.
            let early = ago(Duration::ZERO, &all);
            let mut claims = part(&early, 1);
            for name in ["nbf", "iat", "exp"] {
                claims[name] = (claims[name].as_u64().unwrap() + 60).into();
            }
            let kid = part(&early, 0)["kid"].as_str().unwrap().to_owned();
            let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
            let header = jsonwebtoken::Header { kid: Some(kid), ..header };
            crate::forging::signed_with_header(&keys, &header, &claims)
        }
        "one signed by another key" => signed_by_a_stranger("user:root", &all),
        "one without a signature" => {
            let token = ago(Duration::ZERO, &all);
            let mut header = part(&token, 0);
            header["alg"] = "none".into();
            let changed = with_part(&token, 0, &header);
            format!("{}.", changed.rsplit_once('.').unwrap().0)
        }
        "one with wider claims than were signed" => {
            claiming(&narrow, |claims| claims["access"] = part(&expired, 1)["access"].clone())
        }
        "one made root's" => {
            let reader = signed_ago(&keys, Duration::ZERO, "user:reader", &all);
            claiming(&reader, |claims| claims["sub"] = "user:root".into())
        }
        "one whose end was moved" => claiming(&expired, |claims| {
            claims["exp"] = (claims["exp"].as_u64().unwrap() + 3600).into();
        }),
        "one for another repository" => {
            ago(Duration::ZERO, "repository:team/other:pull,push,delete")
        }
        "one for a repository below" => {
            ago(Duration::ZERO, &format!("repository:{repository}/below:pull,push,delete"))
        }
        "one for nothing" => ago(Duration::ZERO, ""),
        other => panic!("{other}"),
    };
    Some(bearer(&token))
}

#[test]
fn every_route_takes_what_is_shown_as_the_table_says() {
    let house = House::start();
    for (shown, refused) in SHOWN {
        for repository in REPOSITORIES {
            let authorization = authorization(&house, shown, repository);
            let headers: Vec<(&str, &str)> =
                authorization.iter().map(|text| ("Authorization", text.as_str())).collect();
            for row in rows() {
                let target = row.target(repository);
                let reply = house.send(row.method.clone(), &target, &headers);
                let what = format!("{shown}: {} {target}: {}", row.method, reply.text());
                // Health is told to everyone, and so are the public keys; the token's end-point knows Basic alone.
                let is_door = row.path == "/token" && authorization.is_some();
                let any_token_does = row.asks == 't' && refused == Some("insufficient_scope");
                match refused {
                    _ if row.asks == '.' && !is_door => {
                        assert_eq!(reply.status, row.answers, "{what}")
                    }
                    _ if is_door => assert!(reply.status < 500, "{what}"),
                    None => assert_eq!(reply.status, row.answers, "{what}"),
                    Some(_) if any_token_does => assert_eq!(reply.status, row.answers, "{what}"),
                    Some(error) => {
                        assert_eq!(reply.status, 401, "{what}");
                        let challenge = reply.header("WWW-Authenticate").unwrap();
                        let said = challenge.split_once("error=\"").map_or("", |(_, rest)| rest);
                        assert_eq!(said.trim_end_matches('"'), error, "{what}");
                        assert!(!reply.text().contains("manifest"), "{what}");
                    }
                }
            }
        }
    }
}

/// What was taken away gives no new token at once, and a token that is out ends by itself.
#[test]
fn a_credential_that_was_taken_away_gives_no_token_any_more() {
    let house = peopled();
    let scope = "repository:team/private:pull";
    let target = "/v2/team/private/tags/list";
    let mut taken = Vec::new();
    for who in ["reader", "team+ci", "ada's to read"] {
        let (name, secret) = login(&house, who);
        let said = house.ask_for_token(&name, &secret, scope);
        assert_eq!(said.json()["scope"], scope, "{who}: {}", said.text());
        taken.push((who, name, secret, bearer(said.json()["token"].as_str().unwrap())));
    }
    house.admin(&["disable", "reader"]);
    house.admin(&["robot", "team+ci"]);
    house.admin(&["grant", "team", "admin", "--to", "user:keeper"]);
    house.admin(&["disable", "ada"]);
    for (who, name, secret, token) in &taken {
        let said = house.ask_for_token(name, secret, scope);
        assert_eq!(said.status, 401, "{who}: {}", said.text());
        // The stated bound: what was issued before is good until its own end, and is not renewed.
        let reply = house.ask(ureq::http::Method::GET, target, token);
        assert_eq!(reply.status, 200, "{who}: {}", reply.text());
    }
    assert_eq!(house.ask_for_token("ada", PASSWORD, scope).status, 401);
    assert_eq!(house.ask_for_token("keeper", PASSWORD, scope).status, 200);
}
