//! Blobs: pulled whole, in ranges, on conditions (end-2), and deleted (end-10).

use super::request::{Request, delete, get, head};
use super::transcript::Transcript;
use crate::support::registry::digest;

const TEN: &[u8] = b"0123456789";

fn ten() -> (Transcript, String) {
    let transcript = Transcript::start();
    let target = format!("/v2/app/blobs/{}", transcript.holds_blob("app", TEN));
    (transcript, target)
}

#[test]
fn a_blob_is_pulled_and_looked_up() {
    let (mut transcript, target) = ten();
    transcript.step("whole", get(&target));
    transcript.step("headers alone", head(&target));
    transcript.step("the proxy's ns parameter is ignored", get(format!("{target}?ns=docker.io")));
    transcript.step("a colon that came encoded", get(target.replace(':', "%3A")));
    let unknown = digest(b"never pushed");
    transcript.step("unknown", get(format!("/v2/app/blobs/{unknown}")));
    transcript.step("unknown, headers alone", head(format!("/v2/app/blobs/{unknown}")));
    transcript.step("held by another repository only", get(target.replace("app", "other")));
    transcript.holds_blob("app", b"");
    transcript.step("of no bytes", get(format!("/v2/app/blobs/{}", digest(b""))));
    transcript.matches("blobs_pull");
}

#[test]
fn a_range_of_a_blob_is_pulled() {
    let (mut transcript, target) = ten();
    let range = |text: &str| -> Request { get(&target).header("Range", text) };
    transcript.step("closed", range("bytes=2-5"));
    transcript.step("open", range("bytes=7-"));
    transcript.step("the last bytes", range("bytes=-3"));
    transcript.step("more last bytes than there are", range("bytes=-30"));
    transcript.step("past the end, cut", range("bytes=8-100"));
    transcript.step("wholly past the end", range("bytes=10-"));
    transcript.step("no last bytes", range("bytes=-0"));
    transcript.step("several ranges are not supported: whole", range("bytes=0-1,4-5"));
    transcript.step("another unit is ignored: whole", range("items=0-1"));
    transcript.step("backwards is no range: whole", range("bytes=5-2"));
    transcript.step("headers alone: Range is for GET", head(&target).header("Range", "bytes=2-5"));
    transcript.matches("blobs_ranges");
}

#[test]
fn conditions_on_a_blob_are_about_its_digest() {
    let (mut transcript, target) = ten();
    let tag = format!("\"{}\"", digest(TEN));
    let none_match = |text: &str| get(&target).header("If-None-Match", text);
    transcript.step("If-None-Match that matches", none_match(&tag));
    transcript.step("weakly, in a list", none_match(&format!("\"else\", W/{tag}")));
    transcript.step("any", none_match("*"));
    transcript.step("that does not match", none_match("\"else\""));
    transcript.step("headers alone", head(&target).header("If-None-Match", &tag));
    let if_range = |text: &str| get(&target).header("Range", "bytes=2-5").header("If-Range", text);
    transcript.step("If-Range that matches", if_range(&tag));
    transcript.step("If-Range, weak: whole", if_range(&format!("W/{tag}")));
    transcript.step("If-Range that does not match: whole", if_range("\"else\""));
    transcript.step("If-Range with a date: whole", if_range("Tue, 24 Nov 2026 00:00:00 GMT"));
    let both = none_match(&tag).header("Range", "bytes=2-5");
    transcript.step("If-None-Match is before Range", both);
    let unknown = get(format!("/v2/app/blobs/{}", digest(b"never pushed")));
    transcript.step("of an unknown blob", unknown.header("If-None-Match", "*"));
    transcript.matches("blobs_conditions");
}

#[test]
fn a_blob_is_deleted_unless_it_is_needed() {
    let mut transcript = Transcript::start();
    let (_, image) = transcript.holds_image("app", "latest");
    let layer = format!("/v2/app/blobs/{}", digest(b"a layer"));
    transcript.step("needed", delete(&layer));
    transcript.given(delete(format!("/v2/app/manifests/{image}")));
    transcript.step("not needed any more", delete(&layer));
    transcript.step("gone", get(&layer));
    transcript.step("again", delete(&layer));
    transcript.step("in an unknown repository", delete(layer.replace("app", "nowhere")));
    transcript.matches("blobs_delete");
}
