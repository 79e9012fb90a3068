//! Manifests: pushed (end-7), pulled (end-3), deleted (end-9), of every kind.

use super::request::{Request, delete, get, head, put};
use super::transcript::Transcript;
use crate::support::registry::{OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, digest};

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

fn push(reference: &str, kind: &str, manifest: &str) -> Request {
    let target = format!("/v2/app/manifests/{reference}");
    put(target).header("Content-Type", kind).body(manifest)
}

#[test]
fn a_manifest_is_pushed_and_pulled_by_tag_and_by_digest() {
    let mut transcript = Transcript::start();
    let manifest = transcript.image("app", "one");
    let digest = digest(manifest.as_bytes());
    let (by_tag, by_digest) = ("/v2/app/manifests/latest", format!("/v2/app/manifests/{digest}"));
    transcript.step("pushed by tag", push("latest", OCI_MANIFEST, &manifest));
    transcript.step("pushed again", push("latest", OCI_MANIFEST, &manifest));
    transcript.step("pushed by digest", push(&digest, OCI_MANIFEST, &manifest));
    transcript.step("pulled by tag", get(by_tag));
    transcript.step("pulled by digest", get(&by_digest));
    transcript.step("looked up by tag", head(by_tag));
    transcript.step("looked up by digest", head(&by_digest));
    let have = |target: &str| get(target).header("If-None-Match", format!("\"{digest}\""));
    transcript.step("had already, by tag", have(by_tag));
    transcript.step("had already, by digest", have(&by_digest));
    let looked = head(by_tag).header("If-None-Match", format!("\"{digest}\""));
    transcript.step("had already, looked up", looked);
    transcript.step("had another", get(by_tag).header("If-None-Match", "\"else\""));
    transcript.step("accepts something else only", get(by_tag).header("Accept", DOCKER_LIST));
    transcript.step("the proxy's ns parameter is ignored", head(format!("{by_tag}?ns=docker.io")));
    transcript.matches("manifests_push_and_pull");
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut transcript = Transcript::start();
    let unknown = format!("/v2/app/manifests/{}", digest(b"never pushed"));
    transcript.step("a repository", get("/v2/app/manifests/latest"));
    transcript.step("a repository to delete in", delete(&unknown));
    transcript.step("a repository to delete a tag in", delete("/v2/app/manifests/latest"));
    transcript.holds_image("app", "latest");
    transcript.step("a tag", get("/v2/app/manifests/none"));
    transcript.step("a tag, headers alone", head("/v2/app/manifests/none"));
    transcript.step("a digest", get(&unknown));
    transcript.step("a tag to delete", delete("/v2/app/manifests/none"));
    transcript.step("a digest to delete", delete(&unknown));
    transcript.matches("manifests_not_found");
}

#[test]
fn one_push_moves_several_tags() {
    let mut transcript = Transcript::start();
    let manifest = transcript.image("app", "one");
    let digest = digest(manifest.as_bytes());
    let several = format!("{digest}?tag=1.2.3&tag=1.2&tag=1&tag=latest&tag=1");
    transcript.step("four", push(&several, OCI_MANIFEST, &manifest));
    transcript.step("they are there", get("/v2/app/tags/list"));
    transcript.step("with a push by tag", push("v1?tag=v2", OCI_MANIFEST, &manifest));
    transcript.step(
        "one of them no tag",
        push(&format!("{digest}?tag=ok&tag=.no"), OCI_MANIFEST, &manifest),
    );
    let many: Vec<String> = (0..101).map(|number| format!("tag=t{number}")).collect();
    let many = push(&format!("{digest}?{}", many.join("&")), OCI_MANIFEST, &manifest);
    transcript.step("more than one push moves", many);
    transcript.step("nothing was moved by these", get("/v2/app/tags/list"));
    transcript.matches("manifests_several_tags");
}

#[test]
fn every_kind_of_manifest_keeps_its_type_and_bytes() {
    let mut transcript = Transcript::start();
    let image = transcript.image("app", "one");
    let docker = image
        .replace(OCI_MANIFEST, DOCKER_MANIFEST)
        .replace(OCI_CONFIG, "application/vnd.docker.container.image.v1+json")
        .replace(OCI_LAYER, "application/vnd.docker.image.rootfs.diff.tar.gzip");
    let index_of = |kind: &str, child: &str, of: &str| {
        format!(
            "{{\"schemaVersion\": 2, \"mediaType\": \"{kind}\",\n  \"manifests\": [{{\"mediaType\": \"{child}\", \"digest\": \"{}\", \"size\": {}}}]\n}}\n",
            digest(of.as_bytes()),
            of.len()
        )
    };
    let kinds = [
        ("oci-image", OCI_MANIFEST, image.clone()),
        ("docker-image", DOCKER_MANIFEST, docker.clone()),
        ("oci-index", OCI_INDEX, index_of(OCI_INDEX, OCI_MANIFEST, &image)),
        ("docker-list", DOCKER_LIST, index_of(DOCKER_LIST, DOCKER_MANIFEST, &docker)),
    ];
    for (tag, kind, manifest) in &kinds {
        transcript.step("pushed", push(tag, kind, manifest));
        transcript.step("pulled", get(format!("/v2/app/manifests/{tag}")));
    }
    let parameters = push("parameters", &format!("{OCI_MANIFEST}; charset=utf-8"), &image);
    transcript.step("parameters of the Content-Type are ignored", parameters);
    let untyped = image.replace(&format!("\"mediaType\":\"{OCI_MANIFEST}\","), "");
    transcript.step("without a mediaType of its own", push("untyped", OCI_MANIFEST, &untyped));
    transcript.step("pulled", head("/v2/app/manifests/untyped"));
    let bare = put("/v2/app/manifests/bare").body(image.as_str());
    transcript.step("without a Content-Type", bare);
    transcript.step("under another Content-Type", push("wrong", OCI_INDEX, &image));
    transcript.step("under a type of nobody", push("wrong", "application/json", &image));
    transcript.matches("manifests_kinds");
}

#[test]
fn what_a_manifest_names_must_be_there_and_each_missing_one_is_told() {
    let mut transcript = Transcript::start();
    let (config, layer) = (digest(b"{}"), digest(b"a layer"));
    let held = transcript.holds_blob("app", b"a held layer");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"{OCI_CONFIG}","digest":"{config}","size":2}},"layers":[{{"mediaType":"{OCI_LAYER}","digest":"{held}","size":12}},{{"mediaType":"{OCI_LAYER}","digest":"{layer}","size":7}}]}}"#
    );
    transcript.step("config and one layer", push("latest", OCI_MANIFEST, &manifest));
    transcript.holds_blob("other", b"{}");
    transcript.step("what another repository holds", push("latest", OCI_MANIFEST, &manifest));
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{{"mediaType":"{OCI_MANIFEST}","digest":"{config}","size":2}}]}}"#
    );
    transcript.step("a manifest of an index", push("latest", OCI_INDEX, &index));
    transcript.step("nothing came of them", get("/v2/app/manifests/latest"));
    let elsewhere = digest(b"other bytes");
    transcript.step("bytes that are not the digest's", push(&elsewhere, OCI_MANIFEST, &manifest));
    transcript.matches("manifests_missing_content");
}

#[test]
fn artifacts_and_subjects_are_accepted() {
    let mut transcript = Transcript::start();
    let empty = transcript.holds_blob("app", b"{}");
    let subject = digest(b"not pushed yet");
    let descriptor = format!(
        r#"{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{empty}","size":2,"data":"e30="}}"#
    );
    let artifact = |more: &str| {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","artifactType":"application/vnd.example.sbom.v1","config":{descriptor},"layers":[{descriptor}]{more}}}"#
        )
    };
    transcript.step("an artifact", push("artifact", OCI_MANIFEST, &artifact("")));
    let about =
        format!(r#","subject":{{"mediaType":"{OCI_MANIFEST}","digest":"{subject}","size":14}}"#);
    let artifact = artifact(&about);
    transcript.step("about what is not there yet", push("about", OCI_MANIFEST, &artifact));
    let name = digest(artifact.as_bytes());
    transcript.step("the same by digest", push(&name, OCI_MANIFEST, &artifact));
    let index = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[]{about}}}"#);
    transcript.step("an index about it", push("index", OCI_INDEX, &index));
    let about_index = artifact.replace(&subject, &digest(index.as_bytes()));
    transcript.step("about what is there", push("known", OCI_MANIFEST, &about_index));
    transcript.matches("manifests_artifacts");
}

#[test]
fn a_tag_is_deleted_alone_and_a_manifest_with_its_tags() {
    let mut transcript = Transcript::start();
    let (manifest, digest) = transcript.holds_image("app", "one");
    for tag in ["two", "three"] {
        transcript.given(push(tag, OCI_MANIFEST, &manifest));
    }
    let by_digest = format!("/v2/app/manifests/{digest}");
    transcript.step("a tag", delete("/v2/app/manifests/one"));
    transcript.step("it is gone", get("/v2/app/manifests/one"));
    transcript.step("again", delete("/v2/app/manifests/one"));
    transcript.step("the others are not", get("/v2/app/tags/list"));
    transcript.step("the manifest", delete(&by_digest));
    transcript.step("it is gone", get(&by_digest));
    transcript.step("with its tags", get("/v2/app/manifests/two"));
    transcript.step("all of them", get("/v2/app/tags/list"));
    transcript.step("again", delete(&by_digest));
    transcript.matches("manifests_delete");
}
