//! Direct uploads into files: begin, addresses, parts, end, cancel (docs/direct-upload.md).

use super::request::{Request, delete, get, head, post, put};
use super::transcript::Transcript;
use crate::support::registry::digest;

const START: &str = "/v2/app/_wharf/direct/uploads/";
const WHOLE: &str = "hello world";

fn closing(place: &str) -> String {
    format!("{place}?digest={}", digest(WHOLE.as_bytes()))
}

fn naming(place: &str, tag: &str) -> Request {
    let tag = tag.trim_matches('"');
    put(closing(place)).body(format!("{{\"parts\":[{{\"number\":1,\"etag\":{tag:?}}}]}}"))
}

#[test]
fn a_blob_is_sent_in_parts() {
    let mut transcript = Transcript::start();
    let started = transcript.step("begin", post(START).body(r#"{"size":11}"#));
    let place = started.header("location").unwrap();
    transcript.step("nothing has come", get(place));
    let addresses = post(format!("{place}/parts")).body(r#"{"parts":[1]}"#);
    transcript.step("where the part goes", addresses);
    let sent = transcript.step("the part", put(format!("{place}/parts/1")).body(WHOLE));
    let tag = sent.header("etag").unwrap();
    transcript.step("it has come", get(place));
    transcript.step("the same, headers alone", head(place));
    transcript.step("the end", naming(place, tag));
    transcript.step("once more: its reply was lost", naming(place, tag));
    transcript.step("the upload is no more", get(place));
    let held = format!("{{\"size\":11,\"digest\":{:?}}}", digest(WHOLE.as_bytes()));
    transcript.step("a blob that is held need not be sent", post(START).body(held));
    transcript.matches("direct_uploads_parts");
}

#[test]
fn a_direct_upload_that_is_not_as_it_says_is_refused() {
    let mut transcript = Transcript::start();
    transcript.step("no document", post(START));
    transcript.step("no bytes", post(START).body(r#"{"size":0}"#));
    transcript.step("too many", post(START).body(r#"{"size":1099511627776}"#));
    let bad = r#"{"size":11,"digest":"x"}"#;
    transcript.step("with what is no digest", post(START).body(bad));
    let long = format!("{{\"size\":11,\"more\":\"{}\"}}", "x".repeat(5000));
    transcript.step("a document that is too long", post(START).body(long));
    let place = transcript.given(post(START).body(r#"{"size":11}"#));
    let place = place.header("location").unwrap();
    let parts =
        |numbers: &str| post(format!("{place}/parts")).body(format!("{{\"parts\":[{numbers}]}}"));
    transcript.step("the addresses of no parts", parts(""));
    transcript.step("of a part that there is not", parts("2"));
    transcript.step("of part 0", parts("0"));
    transcript.step("of too many", parts(&vec!["1"; 101].join(",")));
    transcript.step("a short part", put(format!("{place}/parts/1")).body("hello"));
    transcript.step("a part of no number", put(format!("{place}/parts/x")).body(WHOLE));
    let tag = "\"0123456789abcdef0123456789abcdef\"";
    transcript.step("an end before the part has come", naming(place, tag));
    transcript.given(put(format!("{place}/parts/1")).body("hello there"));
    transcript.step("an end with another etag", naming(place, tag));
    transcript.step("an end with what is no etag", naming(place, "<a>"));
    transcript.step("an end without a digest", put(place).body(r#"{"parts":[]}"#));
    transcript.step("an end without parts", put(closing(place)).body(r#"{"parts":[]}"#));
    let came = transcript.given(get(place)).text();
    let tag = came.split("\"etag\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    transcript.step("an end with other bytes", naming(place, &tag));
    transcript.step("which ends it", get(place));
    transcript.matches("direct_uploads_refused");
}

#[test]
fn a_direct_upload_is_cancelled_and_bound_to_its_repository_and_protocol() {
    let mut transcript = Transcript::start();
    let place = transcript.given(post(START).body(r#"{"size":11}"#));
    let place = place.header("location").unwrap();
    let elsewhere = place.replace("/app/", "/other/");
    transcript.step("of another repository", get(&elsewhere));
    transcript.step("a part there", put(format!("{elsewhere}/parts/1")).body(WHOLE));
    transcript.step("a cancel there", delete(&elsewhere));
    let standard = place.replace("/_wharf/direct/", "/blobs/");
    transcript.step("by the standard protocol", get(&standard));
    transcript.step("a close by it", put(closing(&standard)).body(WHOLE));
    transcript.step("a cancel by it", delete(&standard));
    transcript.step("it still stands", get(place));
    transcript.step("a cancel", delete(place));
    transcript.step("again", delete(place));
    transcript.step("a part", put(format!("{place}/parts/1")).body(WHOLE));
    transcript.matches("direct_uploads_cancelled");
}
