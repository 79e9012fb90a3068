//! Compare-and-swap: a push or a delete that happens only where a tag stands as the client says (RFC 9110, section 13).

use super::request::{Request, delete, get, put};
use super::transcript::Transcript;
use crate::support::registry::{OCI_MANIFEST, digest};

struct Scenario {
    transcript: Transcript,
    first: String,
    second: String,
}

/// `latest` stands at the first image; the second one is not pushed.
fn scenario() -> Scenario {
    let transcript = Transcript::start();
    let (first, _) = transcript.holds_image("app", "latest");
    let second = transcript.image("app", "second");
    Scenario { transcript, first, second }
}

fn push(reference: &str, manifest: &str) -> Request {
    let target = format!("/v2/app/manifests/{reference}");
    put(target).header("Content-Type", OCI_MANIFEST).body(manifest)
}

fn tag_of(manifest: &str) -> String {
    format!("\"{}\"", digest(manifest.as_bytes()))
}

#[test]
fn a_tag_is_moved_only_from_where_it_is_said_to_be() {
    let Scenario { mut transcript, first, second } = scenario();
    let (at_first, at_second) = (tag_of(&first), tag_of(&second));
    let step = |request: Request, header: &str, value: &str| request.header(header, value);
    transcript.step("a miss", step(push("latest", &second), "If-Match", &at_second));
    transcript.step("a hit", step(push("latest", &second), "If-Match", &at_first));
    transcript.step("the same again misses", step(push("latest", &first), "If-Match", &at_first));
    let either = format!("{at_first}, {at_second}");
    transcript.step("a hit in a list", step(push("latest", &first), "If-Match", &either));
    transcript.step(
        "weak tags never match",
        step(push("latest", &first), "If-Match", &format!("W/{at_first}")),
    );
    transcript.step("any, and it is there", step(push("latest", &second), "If-Match", "*"));
    transcript.step("any, and it is not", step(push("new", &first), "If-Match", "*"));
    transcript.step("a tag that is not there", step(push("new", &first), "If-Match", &at_first));
    transcript
        .step("creation of what is there", step(push("latest", &first), "If-None-Match", "*"));
    transcript.step("creation", step(push("new", &first), "If-None-Match", "*"));
    transcript.step("unless it is there", step(push("new", &second), "If-None-Match", &at_first));
    transcript.step("and it is elsewhere", step(push("new", &second), "If-None-Match", &at_second));
    transcript.matches("conditions_push");
}

#[test]
fn a_manifest_by_digest_is_pushed_on_conditions_too() {
    let Scenario { mut transcript, first, second } = scenario();
    let by_digest = |manifest: &str| push(&digest(manifest.as_bytes()), manifest);
    transcript.step("creation of what is there", by_digest(&first).header("If-None-Match", "*"));
    transcript.step("creation", by_digest(&second).header("If-None-Match", "*"));
    transcript.step("a hit", by_digest(&second).header("If-Match", tag_of(&second)));
    transcript.matches("conditions_push_by_digest");
}

#[test]
fn several_tags_are_moved_all_or_none() {
    let Scenario { mut transcript, first, second } = scenario();
    transcript.given(push("stable", &first));
    let (one, two) = (digest(first.as_bytes()), digest(second.as_bytes()));
    let both =
        |manifest: &str, digest: &str| push(&format!("{digest}?tag=latest&tag=stable"), manifest);
    transcript.step("both hit", both(&second, &two).header("If-Match", tag_of(&first)));
    transcript.given(push("stable", &first));
    transcript.step("one misses", both(&first, &one).header("If-Match", tag_of(&first)));
    transcript.step("the other was not moved", get("/v2/app/manifests/latest"));
    let fresh = |tags: &str| push(&format!("{one}?{tags}"), &first).header("If-None-Match", "*");
    transcript.step("one of two is there", fresh("tag=new&tag=latest"));
    transcript.step("the other was not created", get("/v2/app/tags/list"));
    transcript.step("none is there", fresh("tag=new&tag=newer"));
    transcript.step("both were created", get("/v2/app/tags/list"));
    transcript.matches("conditions_several_tags");
}

#[test]
fn a_delete_happens_only_where_the_tag_is_said_to_be() {
    let Scenario { mut transcript, first, second } = scenario();
    let tag = || delete("/v2/app/manifests/latest");
    transcript.step("a miss", tag().header("If-Match", tag_of(&second)));
    transcript.step("unless it is there", tag().header("If-None-Match", tag_of(&first)));
    transcript.step("a hit", tag().header("If-Match", tag_of(&first)));
    transcript.step("a tag that is gone", tag().header("If-Match", tag_of(&first)));
    let manifest = || delete(format!("/v2/app/manifests/{}", digest(first.as_bytes())));
    transcript.step("a manifest, a miss", manifest().header("If-Match", tag_of(&second)));
    transcript.step("a manifest, a hit", manifest().header("If-Match", tag_of(&first)));
    transcript.step("a manifest that is gone", manifest().header("If-Match", "*"));
    transcript.matches("conditions_delete");
}

#[test]
fn conditions_that_contradict_each_other_are_refused() {
    let Scenario { mut transcript, first, second } = scenario();
    let both =
        |request: Request| request.header("If-Match", tag_of(&first)).header("If-None-Match", "*");
    transcript.step("on a push", both(push("latest", &second)));
    transcript.step("on a delete", both(delete("/v2/app/manifests/latest")));
    transcript.matches("conditions_both");
}
