//! Mounts: a blob of one repository made another one's, without sending it (end-11).

use super::request::{get, post};
use super::transcript::Transcript;
use crate::support::registry::digest;

#[test]
fn a_blob_is_mounted_from_where_it_is() {
    let mut transcript = Transcript::start();
    let blob = transcript.holds_blob("source", b"shared");
    let mount = format!("blobs/uploads/?mount={blob}");
    transcript.step("from a repository", post(format!("/v2/one/{mount}&from=source")));
    transcript.step("it is there", get(format!("/v2/one/blobs/{blob}")));
    transcript.step("again", post(format!("/v2/one/{mount}&from=source")));
    transcript.step("from wherever it is", post(format!("/v2/two/{mount}")));
    transcript.step("from nothing", post(format!("/v2/four/{mount}&from=")));
    transcript.step("from itself", post(format!("/v2/source/{mount}&from=source")));
    let encoded = mount.replace(':', "%3A");
    transcript.step("encoded", post(format!("/v2/three/{encoded}&from=source")));
    transcript.matches("mounts");
}

#[test]
fn a_mount_that_cannot_be_is_an_upload_instead() {
    let mut transcript = Transcript::start();
    let blob = transcript.holds_blob("source", b"shared");
    let mount = format!("/v2/one/blobs/uploads/?mount={blob}");
    transcript.step("the source is unknown", post(format!("{mount}&from=nowhere")));
    transcript.holds_blob("other", b"else");
    transcript.step("the source does not hold it", post(format!("{mount}&from=other")));
    let nowhere = digest(b"never pushed");
    let unknown = format!("/v2/one/blobs/uploads/?mount={nowhere}");
    transcript.step("nobody holds it", post(&unknown));
    transcript.step("from is no name", post(format!("{mount}&from=No/Name")));
    transcript.step("mount is no digest", post("/v2/one/blobs/uploads/?mount=latest&from=source"));
    transcript.matches("mounts_refused");
}
