//! Lines of the access log, exact.

#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::super::request_id::RequestIds;
use super::*;

fn line<'a>(target: &'a str, user_agent: Option<&'a [u8]>) -> Line<'a> {
    Line {
        time: UNIX_EPOCH + Duration::from_millis(1_795_485_555_042),
        id: RequestIds::new().next_id(),
        client: Ipv4Addr::new(192, 0, 2, 1).into(),
        principal: "-",
        method: "GET",
        target,
        status: Some(StatusCode::OK),
        bytes: 1234,
        complete: true,
        duration: Duration::from_micros(1_204),
        operation: "pull_manifest",
        user_agent,
    }
}

fn formatted(line: &Line<'_>, format: Format) -> String {
    let mut text = Vec::new();
    line.format(format, |bytes| text.extend_from_slice(bytes));
    String::from_utf8(text).unwrap()
}

#[test]
fn text_says_all_in_one_line() {
    let line = line("/v2/a/manifests/latest?ns=docker.io", Some(b"containerd/2.1"));
    assert_eq!(
        formatted(&line, Format::Text),
        format!(
            "2026-11-24T01:59:15.042Z {} 192.0.2.1 - \"GET /v2/a/manifests/latest?ns=docker.io\" \
             200 1234 1.204ms pull_manifest complete \"containerd/2.1\"\n",
            line.id
        )
    );
}

#[test]
fn text_quotes_what_could_forge_a_line() {
    let line = line("/a\"b\\c", Some(b"x\"\n2026 \xff\x1b[31m"));
    assert!(formatted(&line, Format::Text).ends_with(
        " - \"GET /a\\\"b\\\\c\" 200 1234 1.204ms pull_manifest complete \"x\\\"\\x0a2026 \\xff\\x1b[31m\"\n"
    ));
}

#[test]
fn json_says_the_same() {
    let line = line("/a\"b", Some(b"x\"\n\xff"));
    assert_eq!(
        formatted(&line, Format::Json),
        format!(
            "{{\"time\":\"2026-11-24T01:59:15.042Z\",\"request_id\":\"{}\",\"client\":\"192.0.2.1\",\
             \"principal\":\"-\",\"method\":\"GET\",\"path\":\"/a\\\"b\",\"status\":200,\"bytes\":1234,\
             \"complete\":true,\"duration_ms\":1.204,\"operation\":\"pull_manifest\",\
             \"user_agent\":\"x\\\"\\n\u{fffd}\"}}\n",
            line.id
        )
    );
}

#[test]
fn a_request_without_reply_has_no_status() {
    let line = Line { status: None, complete: false, user_agent: None, ..line("/", None) };
    assert!(
        formatted(&line, Format::Text).contains(" - 1234 1.204ms pull_manifest broken \"-\"\n")
    );
    assert!(formatted(&line, Format::Json).contains("\"status\":null"));
}

#[test]
fn a_long_user_agent_is_cut() {
    let text = formatted(&line("/", Some(&[b'z'; 300])), Format::Text);
    assert_eq!(text.matches('z').count(), 200);
}

proptest! {
    #[test]
    fn whatever_a_client_sends_is_one_line(target in any::<String>(), agent in any::<Vec<u8>>()) {
        let line = line(&target, Some(&agent));
        let text = formatted(&line, Format::Text);
        prop_assert!(text.trim_end_matches('\n').bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let json = formatted(&line, Format::Json);
        prop_assert_eq!(json.matches('\n').count(), 1);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    }
}
