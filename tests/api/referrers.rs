//! Referrers: the manifests about a manifest (end-12).

use super::request::{delete, get, put};
use super::transcript::Transcript;
use crate::support::registry::{OCI_MANIFEST, digest};

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Pushes an artifact about the subject: by `artifactType` where there is one, else typed by its config.
fn attach(transcript: &Transcript, subject: &str, kind: Option<&str>, config: &str, mark: &str) {
    let blob = transcript.holds_blob("app", b"{}");
    let kind = kind.map_or_else(String::new, |kind| format!(r#""artifactType":"{kind}","#));
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}",{kind}"config":{{"mediaType":"{config}","digest":"{blob}","size":2}},"layers":[],"subject":{{"mediaType":"{OCI_MANIFEST}","digest":"{subject}","size":1}},"annotations":{{"mark":"{mark}"}}}}"#
    );
    push(transcript, OCI_MANIFEST, &manifest);
}

fn push(transcript: &Transcript, kind: &str, manifest: &str) -> String {
    let target = format!("/v2/app/manifests/{}", digest(manifest.as_bytes()));
    transcript.given(put(&target).header("Content-Type", kind).body(manifest));
    target
}

const EMPTY: &str = "application/vnd.oci.empty.v1+json";

#[test]
fn a_manifest_without_referrers_has_an_empty_list() {
    let mut transcript = Transcript::start();
    let unknown = digest(b"never pushed");
    let target = format!("/v2/app/referrers/{unknown}");
    transcript.step("in an unknown repository", get(&target));
    transcript.holds_image("app", "latest");
    transcript.step("an unknown manifest", get(&target));
    transcript.step("with a filter", get(format!("{target}?artifactType=application/x")));
    transcript.step("what is no digest", get("/v2/app/referrers/latest"));
    transcript.matches("referrers_empty");
}

#[test]
fn referrers_are_typed_annotated_and_filtered() {
    let mut transcript = Transcript::start();
    let subject = digest(b"the subject");
    let target = format!("/v2/app/referrers/{subject}");
    let (sbom, signature) = ("application/vnd.example.sbom+json", "application/vnd.example.sig");
    attach(&transcript, &subject, Some(sbom), EMPTY, "typed by artifactType");
    attach(&transcript, &subject, None, signature, "typed by its config");
    attach(&transcript, &subject, Some(""), signature, "an empty artifactType is none");
    let about =
        format!(r#""subject":{{"mediaType":"{OCI_MANIFEST}","digest":"{subject}","size":1}}"#);
    let untyped = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[],{about},"annotations":{{"mark":"an index without a type"}}}}"#
    );
    let index = push(&transcript, OCI_INDEX, &untyped);
    let typed =
        untyped.replace("\"manifests\"", &format!("\"artifactType\":\"{sbom}\",\"manifests\""));
    push(&transcript, OCI_INDEX, &typed.replace("without", "with"));
    transcript.step("all", get(&target));
    transcript.step("of one type", get(format!("{target}?artifactType={sbom}")));
    let encoded = sbom.replace('/', "%2F").replace('+', "%2B");
    transcript.step("whose text came encoded", get(format!("{target}?artifactType={encoded}")));
    transcript.step("of the config's type", get(format!("{target}?artifactType={signature}")));
    transcript.step("of a type of nobody", get(format!("{target}?artifactType=text/plain")));
    transcript.step("of no type named", get(format!("{target}?artifactType=")));
    transcript.given(delete(&index));
    transcript.step("one was deleted", get(format!("{target}?n=10")));
    transcript.step("of another repository", get(target.replace("app", "other")));
    transcript.matches("referrers_list");
}

#[test]
fn referrers_come_in_pages_that_link_to_each_other() {
    let mut transcript = Transcript::start();
    let subject = digest(b"the subject");
    let target = format!("/v2/app/referrers/{subject}");
    let kind = "application/vnd.example.sbom+json";
    for mark in ["one", "two", "three"] {
        attach(&transcript, &subject, Some(kind), EMPTY, mark);
    }
    attach(&transcript, &subject, None, "application/x", "another type");
    for query in ["?n=2".to_owned(), format!("?n=1&artifactType={kind}")] {
        let mut page = Some(transcript.step("the first page", get(format!("{target}{query}"))));
        while let Some(reply) = page {
            page = transcript.next_page(&reply);
        }
    }
    transcript.step("a place that is no digest", get(format!("{target}?last=latest")));
    transcript.step("an n that is no number", get(format!("{target}?n=-1")));
    transcript.matches("referrers_pages");
}
