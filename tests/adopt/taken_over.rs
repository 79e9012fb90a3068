//! All that the other registry served is served, and it goes on meanwhile.

use ureq::http::Method;

use crate::content::{Content, blob, push_image};
use crate::site::{Old, Own, Site, files};
use crate::support::random::Random;
use crate::support::registry::{Registry, digest};

fn is_taken_over(old: Old, own: Own) {
    let mut site = Site::new(old, own);
    let registry = site.old.registry();
    let mut content = Content::push(&registry);
    let before = files(&site.old_folder);

    // Nothing is asked of a node, and nothing is there yet.
    let rehearsed = site.adopt(&["--dry-run"]);
    site.start();
    let wharf = site.registry();
    assert_eq!(wharf.manifest("team/app", "v1").unwrap().status, 404);
    let adopted = site.adopt(&[]);
    let (repositories, manifests, tags) = content.counts();
    for (said, state) in [(&rehearsed, "rehearsed"), (&adopted, "finished")] {
        assert_eq!(said.len(), 1, "{said:?}");
        let sum = &said[0];
        assert_eq!((&sum["state"], &sum["left_out"]), (&state.into(), &0.into()), "{sum}");
        let expected = [repositories, manifests, tags];
        let counted = ["repositories", "manifests", "tags"].map(|name| &sum[name]);
        assert_eq!(counted.map(|it| it.as_u64().unwrap() as usize), expected, "{sum}");
    }
    assert_eq!(adopted[0]["bytes"], rehearsed[0]["bytes"]);
    content.is_same(&registry, &wharf);
    assert!(files(&site.old_folder) == before, "the other registry's folder was changed");

    // Who sends it: the bucket where it lies, or this node.
    let name = digest(&Random::seeded(1).bytes(3 << 20));
    let sent = wharf.blob("team/app", &name).unwrap();
    let from_bucket = old == Old::Bucket && own == Own::Shared;
    assert_eq!(sent.status, if from_bucket { 307 } else { 200 });
    let place = sent.header("Location").unwrap_or_default();
    assert_eq!(place.contains("/docker/registry/v2/blobs/"), from_bucket, "{place}");

    // Part of an adopted blob, and what its repository does not hold.
    assert_eq!(wharf.blob("library/docker", &name).unwrap().status, 404);
    let target = format!("/v2/team/app/blobs/{name}");
    let mut part = wharf.send(Method::GET, &target, &[("Range", "bytes=10-19")], None).unwrap();
    if let Some(place) = part.header("Location") {
        part = wharf.send(Method::GET, place, &[("Range", "bytes=10-19")], None).unwrap();
    }
    assert!(
        part.status == 206 && part.body == Random::seeded(1).bytes(20)[10..],
        "{}",
        part.status
    );

    // A push mounts what was adopted, and goes into Wharf's own store otherwise.
    let pushed = push_image(&wharf, "team/app", "mine", &Random::seeded(1).bytes(3 << 20), 21);
    blob(&wharf, "team/app", &digest(&Random::seeded(21).bytes(200_021)));
    assert!(files(&site.old_folder) == before, "the other registry's folder was changed");

    // The other registry serves on: what came since is adopted by the next run, and what was done here stays.
    let newer = push_image(&registry, "team/app", "v1", b"another base", 31);
    content = Content::default();
    content.knows("team/app", &["v1", &newer]);
    push_image(&registry, "team/app", "mine", b"another base", 32);
    let again = site.adopt(&[]);
    content.is_same(&registry, &wharf);
    let left_out = &again[0];
    assert_eq!((again.len(), &left_out["subject"]), (2, &"tag mine".into()), "{again:?}");
    assert!(left_out["reason"].as_str().unwrap().contains(&pushed), "{left_out}");
    assert_eq!(digest(&wharf.manifest("team/app", "mine").unwrap().body), pushed);
    // What is new: two configurations, two layers and the other base.
    assert_eq!(again[1]["blobs"], 5, "{again:?}");
    assert_eq!(site.adopt(&["--status"]), again);
    site.wharf = None;
    still_serves(&mut site, &content, &registry);
}

/// Also after a start.
fn still_serves(site: &mut Site, content: &Content, old: &Registry) {
    site.start();
    content.is_same(old, &site.registry());
}

#[test]
fn a_folder_on_sqlite() {
    is_taken_over(Old::Files, Own::Embedded);
}

#[test]
fn a_bucket_on_sqlite() {
    is_taken_over(Old::Bucket, Own::Embedded);
}

#[test]
fn a_folder_on_postgres() {
    is_taken_over(Old::Files, Own::Shared);
}

#[test]
fn a_bucket_on_postgres() {
    is_taken_over(Old::Bucket, Own::Shared);
}
