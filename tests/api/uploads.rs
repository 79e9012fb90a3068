//! Uploads: in one request, in two, in chunks, resumed, cancelled (end-4 to end-6, end-13, end-14).

use std::time::Duration;

use sha2::{Digest as _, Sha512};

use super::request::{delete, get, head, patch, post, put};
use super::transcript::Transcript;
use super::wire::Wire;
use crate::support::program::wait_until;
use crate::support::registry::digest;

const START: &str = "/v2/app/blobs/uploads/";
const WHOLE: &str = "hello world";

fn closing(place: &str) -> String {
    format!("{place}?digest={}", digest(WHOLE.as_bytes()))
}

fn sha512(bytes: &[u8]) -> String {
    let hash = Sha512::digest(bytes);
    hash.iter().fold("sha512:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn a_blob_is_pushed_whole() {
    let mut transcript = Transcript::start();
    let digest = digest(WHOLE.as_bytes());
    let one = format!("{START}?digest={digest}");
    transcript.step("in one request (end-4b)", post(&one).body(WHOLE));
    transcript.step("again", post(&one).body(WHOLE));
    transcript.step("with other bytes", post(&one).body("something else"));
    let started = transcript.step("in two (end-4a)", post(START));
    let place = started.header("location").unwrap();
    transcript.step("the second (end-6)", put(closing(place)).body(WHOLE));
    transcript.step("the second once more: its reply was lost", put(closing(place)).body(WHOLE));
    transcript.step("the upload is no more", get(place));
    transcript.step("the Location is a blob's", get(format!("/v2/app/blobs/{digest}")));
    transcript.step("a begin with a body and no digest", post(START).body(WHOLE));
    transcript.step("a begin without the last slash", post(START.trim_end_matches('/')));
    transcript.matches("uploads_whole");
}

#[test]
fn a_blob_is_pushed_in_chunks() {
    let mut transcript = Transcript::start();
    let started = transcript.step("begin", post(START));
    let place = started.header("location").unwrap();
    transcript.step("nothing has come", get(place));
    transcript.step("a chunk", patch(place).header("Content-Range", "0-4").body("hello"));
    transcript.step("so far", get(place));
    transcript.step("so far, headers alone", head(place));
    transcript.step("a chunk twice", patch(place).header("Content-Range", "0-4").body("hello"));
    transcript.step("a chunk too far", patch(place).header("Content-Range", "7-10").body("orld"));
    transcript
        .step("a close too far", put(closing(place)).header("Content-Range", "7-10").body("orld"));
    transcript.step("nothing was changed by these", get(place));
    transcript.step("a chunk that does not say where", patch(place).body(" w"));
    let rest = put(closing(place)).header("Content-Range", "7-10").body("orld");
    transcript.step("the last, with the close", rest);
    transcript.matches("uploads_chunks");
}

#[test]
fn chunks_may_all_come_before_the_close() {
    let mut transcript = Transcript::start();
    let place = transcript.begins_upload("app");
    transcript.step("all", patch(&place).header("Content-Range", "0-10").body(WHOLE));
    transcript.step("the close has no body", put(closing(&place)));
    transcript.matches("uploads_chunks_before_close");
}

#[test]
fn an_upload_that_is_not_as_it_says_is_refused() {
    let mut transcript = Transcript::start();
    let place = transcript.begins_upload("app");
    let short = patch(&place).header("Content-Range", "0-9").body("hello");
    transcript.step("more announced than sent", short);
    transcript.step("no range", patch(&place).header("Content-Range", "0 to 4").body("hello"));
    transcript.step("a close without a digest", put(&place).body(WHOLE));
    transcript.step("a close with what is no digest", put(format!("{place}?digest=x")).body(WHOLE));
    transcript.step("it still stands", get(&place));
    transcript.step("a close with other bytes", put(closing(&place)).body("something else"));
    transcript.step("which ends it", get(&place));
    transcript.matches("uploads_refused");
}

#[test]
fn an_upload_is_cancelled() {
    let mut transcript = Transcript::start();
    let place = transcript.begins_upload("app");
    transcript.step("end-14", delete(&place));
    transcript.step("again", delete(&place));
    transcript.step("status", get(&place));
    transcript.step("a chunk", patch(&place).body("hello"));
    transcript.step("a close", put(closing(&place)).body(WHOLE));
    transcript.matches("uploads_cancelled");
}

#[test]
fn an_upload_is_bound_to_its_repository() {
    let mut transcript = Transcript::start();
    let place = transcript.begins_upload("app");
    let elsewhere = place.replace("/app/", "/other/");
    transcript.step("status", get(&elsewhere));
    transcript.step("a chunk", patch(&elsewhere).body("hello"));
    transcript.step("a close", put(closing(&elsewhere)).body(WHOLE));
    transcript.step("a cancel", delete(&elsewhere));
    transcript.step("it still stands where it is", get(&place));
    transcript.matches("uploads_elsewhere");
}

#[test]
fn an_upload_cut_in_the_middle_of_a_chunk_is_resumed() {
    let mut transcript = Transcript::start();
    let place = transcript.begins_upload("app");
    let mut wire = Wire::to(transcript.port());
    wire.send(
        format!("PATCH {place} HTTP/1.1\r\nHost: registry.test\r\nContent-Length: 11\r\n\r\nhello")
            .as_bytes(),
    );
    drop(wire);
    wait_until("the bytes that came count", Duration::from_secs(30), || {
        transcript.given(get(&place)).header("upload-offset") == Some("5")
    });
    transcript.step("how far it came", get(&place));
    let rest = patch(&place).header("Content-Range", "5-10").body(" world");
    transcript.step("from there", rest);
    transcript.step("the close", put(closing(&place)));
    transcript.matches("uploads_resumed");
}

#[test]
fn digests_of_sha512_are_as_good() {
    let mut transcript = Transcript::start();
    let digest = sha512(WHOLE.as_bytes());
    let announced = format!("{START}?digest-algorithm=sha512");
    let started = transcript.step("announced (end-4c)", post(&announced));
    let place = started.header("location").unwrap();
    transcript.step("its close", put(format!("{place}?digest={digest}")).body(WHOLE));
    let place = transcript.begins_upload("other");
    let late = put(format!("{place}?digest={digest}")).body(WHOLE);
    transcript.step("a close in sha512 of what began as sha256", late);
    let started = transcript.given(post(&announced));
    let place = started.header("location").unwrap();
    transcript.step("and the other way round", put(closing(place)).body(WHOLE));
    let one = post(format!("/v2/third/blobs/uploads/?digest={digest}")).body(WHOLE);
    transcript.step("in one request", one);
    transcript.step("pulled", get(format!("/v2/app/blobs/{digest}")));
    let unknown = format!("{START}?digest-algorithm=md5");
    transcript.step("an algorithm that is not known", post(unknown));
    transcript.matches("uploads_sha512");
}
