//! Any text as headers that are parsed here: who is believed about the client, and what a condition names.
//!
//! A line is a header: its first character says which, the rest is the value.

#![no_main]

use std::net::IpAddr;

use http::header::{FORWARDED, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use wharf_fuzz::http::headers::{is_clean_base, lists};
use wharf_http::api::conditions::{has_already, precondition, range_applies};
use wharf_http::origin::Origin;
use wharf_oci::Digest;

const PROXY: &str = "10.0.0.1";
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fuzz_target!(|text: &str| {
    let mut headers = HeaderMap::new();
    for line in text.lines() {
        let Some(first) = line.chars().next() else { continue };
        let name = match first {
            'f' => FORWARDED,
            'a' => HeaderName::from_static("x-forwarded-for"),
            's' => HeaderName::from_static("x-forwarded-proto"),
            'h' => HeaderName::from_static("x-forwarded-host"),
            'p' => HeaderName::from_static("x-forwarded-port"),
            'x' => HeaderName::from_static("x-forwarded-prefix"),
            'm' => IF_MATCH,
            'n' => IF_NONE_MATCH,
            _ => continue,
        };
        if let Ok(value) = HeaderValue::from_str(&line[first.len_utf8()..]) {
            headers.append(name, value);
        }
    }
    check_origin(&headers);
    check_conditions(&headers, text);
});

fn check_origin(headers: &HeaderMap) {
    let peer: IpAddr = PROXY.parse().expect("an address");
    let strict = Origin::default();
    assert_eq!(strict.location_base(headers, peer), "");
    assert_eq!(strict.client_address(headers, peer), peer);

    let trusting = Origin { external_url: None, trusted_proxies: vec![peer.into()] };
    let base = trusting.location_base(headers, peer);
    assert!(is_clean_base(&base), "{base:?}");
    let client = trusting.client_address(headers, peer);
    assert_eq!(client, client.to_canonical());
    let stranger: IpAddr = "192.0.2.1".parse().expect("an address");
    assert_eq!(trusting.location_base(headers, stranger), "");
    assert_eq!(trusting.client_address(headers, stranger), stranger);
}

fn check_conditions(headers: &HeaderMap, text: &str) {
    let digest: Digest = DIGEST.parse().expect("a digest");
    assert_eq!(has_already(headers, &digest), lists(headers, &IF_NONE_MATCH, DIGEST));
    let both = headers.contains_key(IF_MATCH) && headers.contains_key(IF_NONE_MATCH);
    match precondition(headers) {
        Err(_) => assert!(both),
        Ok(_) => assert!(!both),
    }
    let strong = [format!("\"{DIGEST}\""), DIGEST.to_owned()];
    assert_eq!(range_applies(Some(text), &digest), strong.iter().any(|tag| text.trim() == *tag));
    assert!(range_applies(None, &digest));
}
