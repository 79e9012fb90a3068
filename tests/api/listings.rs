//! Lists: tags of a repository (end-8), and repositories (`_catalog`).

use super::request::{delete, get, put};
use super::transcript::Transcript;
use crate::support::registry::OCI_MANIFEST;

#[test]
fn tags_are_listed_in_order_and_in_pages() {
    let mut transcript = Transcript::start();
    let manifest = transcript.image("app", "all");
    for tag in ["v2", "latest", "V1", "1.0", "v10", "_under"] {
        let push = put(format!("/v2/app/manifests/{tag}")).header("Content-Type", OCI_MANIFEST);
        transcript.given(push.body(manifest.as_str()));
    }
    transcript.step("all", get("/v2/app/tags/list"));
    let mut page = Some(transcript.step("two at a time", get("/v2/app/tags/list?n=2")));
    while let Some(reply) = page {
        page = transcript.next_page(&reply);
    }
    transcript.step("as many as there are", get("/v2/app/tags/list?n=6"));
    transcript.step("more than there are", get("/v2/app/tags/list?n=99999999999999999999999"));
    transcript.step("none", get("/v2/app/tags/list?n=0"));
    transcript.step("behind one", get("/v2/app/tags/list?last=latest"));
    transcript.step("behind one that is not there", get("/v2/app/tags/list?last=m&n=1"));
    transcript.step("behind the last", get("/v2/app/tags/list?last=zzz"));
    transcript.step("the proxy's ns parameter is ignored", get("/v2/app/tags/list?ns=a.io&n=1"));
    transcript.matches("listings_tags");
}

#[test]
fn a_repository_without_tags_has_an_empty_list_and_an_unknown_one_none() {
    let mut transcript = Transcript::start();
    transcript.step("unknown", get("/v2/app/tags/list"));
    transcript.holds_image("app", "latest");
    transcript.given(delete("/v2/app/manifests/latest"));
    transcript.step("without tags", get("/v2/app/tags/list"));
    transcript.begins_upload("begun");
    transcript.step("with nothing but an upload", get("/v2/begun/tags/list"));
    transcript.matches("listings_no_tags");
}

#[test]
fn repositories_are_listed_in_order_and_in_pages() {
    let mut transcript = Transcript::start();
    transcript.step("none yet", get("/v2/_catalog"));
    transcript.holds_blob("only-a-blob", b"not listed");
    for name in ["team/app", "app", "team/app/worker", "zoo", "app-two"] {
        transcript.holds_image(name, "latest");
    }
    transcript.step("all", get("/v2/_catalog"));
    let mut page = Some(transcript.step("two at a time", get("/v2/_catalog?n=2")));
    while let Some(reply) = page {
        page = transcript.next_page(&reply);
    }
    transcript.step("none", get("/v2/_catalog?n=0"));
    transcript.step("behind one", get("/v2/_catalog?last=team/app&n=1"));
    transcript.step("behind one that came encoded", get("/v2/_catalog?last=team%2Fapp&n=1"));
    transcript.matches("listings_catalog");
}
