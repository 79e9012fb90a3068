//! Origins: who is believed, and what of it.

#![allow(clippy::unwrap_used)]

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

const PROXY: &str = "10.0.0.1";

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    lines.iter().map(line).collect()
}

fn behind_proxy() -> Origin {
    Origin { external_url: None, trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()] }
}

fn base(lines: &[(&str, &str)], peer: &str) -> String {
    behind_proxy().location_base(&headers(lines), peer.parse().unwrap()).into_owned()
}

fn client(lines: &[(&str, &str)], peer: &str) -> String {
    behind_proxy().client_address(&headers(lines), peer.parse().unwrap()).to_string()
}

#[test]
fn an_external_url_is_checked_and_normalised() {
    let parse = |text: &str| text.parse::<ExternalUrl>().map(|url| url.as_str().to_owned());
    assert_eq!(parse("https://r.example"), Ok("https://r.example".to_owned()));
    assert_eq!(parse("HTTP://r.example:5000/"), Ok("http://r.example:5000".to_owned()));
    assert_eq!(parse("https://[::1]:5000"), Ok("https://[::1]:5000".to_owned()));
    assert_eq!(parse("r.example"), Err(ExternalUrlError::NotAbsolute));
    assert_eq!(parse("/v2"), Err(ExternalUrlError::NotAbsolute));
    assert_eq!(parse("ftp://r.example"), Err(ExternalUrlError::Scheme));
    assert_eq!(parse("https://me@r.example"), Err(ExternalUrlError::Host));
    assert_eq!(parse("https://r.example/hub"), Err(ExternalUrlError::Path));
    assert_eq!(parse("https://r.example/?a=b"), Err(ExternalUrlError::Query));
    let url: ExternalUrl = "https://r.example:8443/".parse().unwrap();
    assert_eq!(url.authority(), "r.example:8443");
}

#[test]
fn the_external_url_outranks_every_header() {
    let origin = Origin { external_url: "https://r.example".parse().ok(), ..behind_proxy() };
    let said = headers(&[("x-forwarded-proto", "http"), ("x-forwarded-host", "other.example")]);
    assert_eq!(origin.location_base(&said, PROXY.parse().unwrap()), "https://r.example");
}

#[test]
fn strangers_are_not_believed() {
    let lines = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "r.example"),
        ("x-forwarded-for", "203.0.113.9"),
    ];
    assert_eq!(base(&lines, "192.0.2.1"), "");
    assert_eq!(client(&lines, "192.0.2.1"), "192.0.2.1");
    let nobody = Origin::default();
    assert_eq!(nobody.location_base(&headers(&lines), PROXY.parse().unwrap()), "");
}

#[test]
fn a_trusted_proxy_says_scheme_host_port_and_prefix() {
    let both = [("x-forwarded-proto", "https"), ("x-forwarded-host", "r.example")];
    assert_eq!(base(&both, PROXY), "https://r.example");
    assert_eq!(base(&both, "::ffff:10.0.0.1"), "https://r.example");
    let with = |name, value| [both[0], both[1], (name, value)];
    assert_eq!(base(&with("x-forwarded-port", "8443"), PROXY), "https://r.example:8443");
    assert_eq!(base(&with("x-forwarded-port", "443"), PROXY), "https://r.example");
    assert_eq!(base(&with("x-forwarded-prefix", "/hub/"), PROXY), "https://r.example/hub");
    assert_eq!(base(&[both[0]], PROXY), "");
    assert_eq!(base(&[("x-forwarded-prefix", "/hub")], PROXY), "/hub");
}

#[test]
fn forwarded_is_read_as_rfc_7239_has_it() {
    let line = [("forwarded", "for=\"[2001:db8::1]:4711\";proto=https;host=\"r.example:5000\"")];
    assert_eq!(base(&line, PROXY), "https://r.example:5000");
    assert_eq!(client(&line, PROXY), "2001:db8::1");
    let line = [("forwarded", "For=192.0.2.60; By=203.0.113.43;Proto=http;Host=a.example")];
    assert_eq!(base(&line, PROXY), "http://a.example");
    assert_eq!(client(&line, PROXY), "192.0.2.60");
    assert_eq!(client(&[("forwarded", "for=unknown")], PROXY), PROXY);
    assert_eq!(client(&[("forwarded", "for=\"192.0.2.60")], PROXY), PROXY);
}

#[test]
fn what_the_client_wrote_itself_is_passed_over() {
    let lines = [("x-forwarded-for", "1.1.1.1, 203.0.113.9"), ("x-forwarded-for", "10.0.0.2")];
    assert_eq!(client(&lines, PROXY), "203.0.113.9");
    let line = [(
        "forwarded",
        "for=1.1.1.1;proto=http;host=evil.example, for=203.0.113.9;proto=https;host=r.example, \
         for=10.0.0.2;proto=http;host=inside",
    )];
    assert_eq!(client(&line, PROXY), "203.0.113.9");
    assert_eq!(base(&line, PROXY), "https://r.example");
    let lines = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example, r.example"),
    ];
    assert_eq!(base(&lines, PROXY), "https://r.example");
}

#[test]
fn two_kinds_of_headers_must_agree() {
    let lines = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=1.1.1.1")];
    assert_eq!(client(&lines, PROXY), PROXY);
    let lines = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")];
    assert_eq!(client(&lines, PROXY), "203.0.113.9");
}

#[test]
fn hostile_values_make_it_relative() {
    let long = "a".repeat(300);
    for host in ["a b", "a/b", "me@a", "a\tb", "", ":80", "a:0", "a:99999", "[::1", "a?b", &long] {
        let lines = [("x-forwarded-proto", "https"), ("x-forwarded-host", host)];
        assert_eq!(base(&lines, PROXY), "", "{host:?}");
    }
    for (name, value) in [
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-port", "80/x"),
        ("x-forwarded-port", "+80"),
        ("x-forwarded-prefix", "//evil.example"),
        ("x-forwarded-prefix", "evil"),
        ("x-forwarded-prefix", "/a/../b"),
    ] {
        let mut lines = vec![("x-forwarded-host", "r.example"), (name, value)];
        if name != "x-forwarded-proto" {
            lines.push(("x-forwarded-proto", "https"));
        }
        assert_eq!(base(&lines, PROXY), "", "{name}: {value}");
    }
}

proptest! {
    #[test]
    fn a_base_is_always_clean(
        host in "[ -~\t]{0,40}", scheme in "(https?|[ -~]{0,8})", prefix in "[ -~]{0,20}",
        port in "[ -~]{0,6}", forwarded in proptest::option::of("[ -~]{0,60}"),
    ) {
        let mut lines = vec![
            ("x-forwarded-host", host.as_str()),
            ("x-forwarded-proto", scheme.as_str()),
            ("x-forwarded-prefix", prefix.as_str()),
            ("x-forwarded-port", port.as_str()),
        ];
        lines.extend(forwarded.as_deref().map(|value| ("forwarded", value)));
        let base = base(&lines, PROXY);
        if !base.is_empty() && !base.starts_with('/') {
            let path = base.match_indices('/').nth(2).map_or(base.len(), |(index, _)| index);
            let (top, path) = base.split_at(path);
            prop_assert!(top.parse::<ExternalUrl>().is_ok_and(|url| url.as_str() == top), "{base:?}");
            prop_assert!(!path.ends_with('/') && !path.contains("//"), "{base:?}");
        }
        prop_assert!(!base.starts_with("//"));
        prop_assert!(HeaderValue::from_str(&base).is_ok());
    }

    #[test]
    fn a_client_behind_a_trusted_chain_is_found(
        client_address in any::<u32>(), spoofed in proptest::collection::vec("[ -~&&[^,]]{0,20}", 0..4),
        proxies in proptest::collection::vec(0u32..0x00ff_ffff, 0..4),
    ) {
        let address = IpAddr::from(client_address.to_be_bytes());
        prop_assume!(!behind_proxy().trusts(address));
        let hops = proxies.iter().map(|low| IpAddr::from((0x0a00_0000 | low).to_be_bytes()));
        let list: Vec<String> = spoofed.into_iter()
            .chain([address.to_string()])
            .chain(hops.map(|hop| hop.to_string()))
            .collect();
        prop_assert_eq!(client(&[("x-forwarded-for", &list.join(","))], PROXY), address.to_string());
    }
}
