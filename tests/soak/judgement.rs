//! When all trouble is over: what was open is looked up, what must be there is pulled whole, and what was deleted is not there.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::book::{Book, Place, Standing};
use crate::client::Client;
use crate::layers::Layers;
use crate::pulling::pull_whole;
use crate::support::program::wait_until;

/// How long it takes at most until all nodes know what was collected.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// Looks up what was not known. From now on it is.
pub fn settle(client: &mut Client, book: &mut Book) {
    let is_open = |standing| standing == Standing::Open;
    let open: Vec<String> =
        book.manifests.iter().filter(|it| is_open(it.1.standing)).map(|it| it.0.clone()).collect();
    for digest in open {
        let found = client.get(&format!("/v2/{}/manifests/{digest}", book.repository)).status;
        let standing = if found == 200 { Standing::Held } else { Standing::Gone(None) };
        book.set(&digest, standing);
        book.manifests.get_mut(&digest).unwrap().is_loose = true;
    }
    let open: Vec<String> =
        book.tags.iter().filter(|it| it.1.place == Place::Open).map(|it| it.0.clone()).collect();
    for tag in open {
        let found = client.get(&format!("/v2/{}/manifests/{tag}", book.repository));
        if found.status == 200 {
            let digest = found.header("Docker-Content-Digest").unwrap();
            book.note(&tag, &format!("found at {digest}"));
            book.settle_tag(&tag, Some(digest));
        } else {
            assert_eq!(found.status, 404, "{tag}: {}", found.text());
            book.settle_tag(&tag, None);
        }
    }
}

/// Holds the registry to what is known, and returns the tags that there are.
pub fn judge(client: &mut Client, layers: &Layers, book: &mut Book) -> BTreeSet<String> {
    for digest in book.manifests.keys().cloned().collect::<Vec<_>>() {
        let entry = &book.manifests[&digest];
        let target = format!("/v2/{}/manifests/{digest}", book.repository);
        let (standing, is_loose) = (entry.standing, entry.is_loose && !book.is_tagged(&digest));
        if matches!(standing, Standing::Gone(_)) {
            let found = client.get(&target).status;
            assert_eq!(found, 404, "{digest} was deleted\n{}", book.story(&digest));
        } else if let Err(what) = pull_whole(client, layers, book, &digest) {
            assert!(is_loose, "{what}\n{}", book.story(&digest));
            // It may be collected just now: a node answers from its cache until it is told.
            let gone =
                format!("{digest} is collected, as it seems: {what}\n{}", book.story(&digest));
            wait_until(&gone, TOLD_WITHIN, || client.get(&target).status == 404);
            book.deleted_by(&digest, None);
        } else if !is_loose {
            is_listed(client, book, &digest);
        }
    }
    let mut standing = BTreeSet::new();
    for (name, tag) in &book.tags {
        let found = client.get(&format!("/v2/{}/manifests/{name}", book.repository));
        let found = (found.status == 200)
            .then(|| found.header("Docker-Content-Digest").unwrap().to_owned());
        let story = || {
            let at = found.clone().unwrap_or_default();
            format!("{} {name}\n{}{}", book.repository, book.story(name), book.story(&at))
        };
        match &tag.place {
            Place::At(digest) if book.must_stand(name) => {
                assert_eq!(found.as_ref(), Some(digest), "{}", story());
            }
            Place::At(digest) => {
                assert!(found.is_none() || found.as_ref() == Some(digest), "{}", story());
            }
            Place::Nowhere { .. } => assert_eq!(found, None, "{}", story()),
            Place::Open => unreachable!("{name} was looked up"),
        }
        standing.extend(found.map(|_| name.clone()));
    }
    standing
}

/// Who is about a manifest that is there stands in its list.
fn is_listed(client: &mut Client, book: &Book, digest: &str) {
    let Some(subject) = &book.manifests[digest].content.subject else { return };
    let listed = client.get(&format!("/v2/{}/referrers/{subject}", book.repository));
    assert_eq!(listed.status, 200, "{}", listed.text());
    let text = listed.text();
    assert!(text.contains(digest), "{digest} is not among {text}\n{}", book.story(digest));
}

/// The tags that a repository lists are those that there are.
pub fn lists(client: &mut Client, repository: &str, standing: &BTreeSet<String>) {
    let listed = client.get(&format!("/v2/{repository}/tags/list?n=1000"));
    if listed.status == 404 && standing.is_empty() {
        return;
    }
    assert_eq!(listed.status, 200, "{}", listed.text());
    let listed = listed.json()["tags"].as_array().cloned().unwrap_or_default();
    let listed: BTreeSet<String> =
        listed.iter().map(|tag| tag.as_str().unwrap().to_owned()).collect();
    // A policy goes on dropping tags meanwhile.
    let odd: Vec<_> = listed.difference(standing).collect();
    assert!(odd.is_empty(), "{repository} lists tags that nobody made: {odd:?}");
    let missing = standing.difference(&listed).filter(|tag| !Book::is_build(tag));
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "{repository} does not list {missing:?}");
}
