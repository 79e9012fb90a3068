//! Addresses as people write them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use wharf_client::{AddressError, HostName, ImageAddress};

fn parse(text: &str) -> Result<ImageAddress, AddressError> {
    text.parse()
}

#[test]
fn host_repository_tag_and_digest_are_told_apart() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let full = format!("localhost:5000/team/app:v1@{digest}");
    let address = parse(&full).unwrap();
    assert_eq!(address.host.as_str(), "localhost:5000");
    assert_eq!(address.repository.as_str(), "team/app");
    assert_eq!(address.tag.as_ref().unwrap().as_str(), "v1");
    assert_eq!(address.reference().to_string(), digest, "the digest decides");
    assert_eq!(address.to_string(), full);
    assert_eq!(parse("registry.example/app").unwrap().reference().to_string(), "latest");
    assert_eq!(parse("[::1]:5000/app:v2").unwrap().host.as_str(), "[::1]:5000");
    assert_eq!(parse("localhost/app").unwrap().host.as_str(), "localhost");
    assert_eq!(parse("Registry.Example/app").unwrap().host.as_str(), "registry.example");
}

#[test]
fn what_is_wrong_is_said() {
    let starts = [
        ("", "\"\" does not begin with the host"),
        ("alpine", "\"alpine\" does not begin with the host"),
        ("library/alpine", "\"library/alpine\" does not begin with the host"),
        ("localhost", "\"localhost\" names no repository"),
        ("registry.example/", "\"registry.example/\" names no repository"),
        ("registry.example/App", "in \"registry.example/App\", a repository name"),
        ("registry.example/app:", "in \"registry.example/app:\", a tag"),
        (
            "registry.example/app@sha256:12",
            "in \"registry.example/app@sha256:12\", a sha256 digest",
        ),
        ("registry.example:99999/app", "\"registry.example:99999\" is no host"),
        ("registry..example/app", "\"registry..example\" is no host"),
        ("user@registry.example/app", "\"user@registry.example\" is no host"),
        ("https://registry.example/app", "\"https:\" is no host"),
    ];
    for (text, expected) in starts {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn only_this_machine_is_loopback() {
    for host in [
        "localhost",
        "localhost:5000",
        "127.0.0.1:80",
        "127.9.9.9",
        "[::1]",
        "[::1]:5000",
        "a.localhost",
    ] {
        assert!(host.parse::<HostName>().unwrap().is_loopback(), "{host}");
    }
    for host in
        ["localhost.example", "10.0.0.1:5000", "registry.example", "127.0.0.1.example", "[::2]"]
    {
        assert!(!host.parse::<HostName>().unwrap().is_loopback(), "{host}");
    }
}

proptest! {
    #[test]
    fn whatever_is_taken_is_written_as_it_was(text in "[a-z0-9.:/@_-]{0,60}") {
        if let Ok(address) = parse(&text) {
            prop_assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn nothing_breaks_the_parser(text in ".{0,80}") {
        let _ = parse(&text);
    }
}
