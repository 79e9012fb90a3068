//! Everything is deleted but a part, and when the collector has done its work there is nothing in the store and in the database that
//! this part does not need.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ureq::http::Method;

use crate::book::{Book, Standing};
use crate::client::Client;
use crate::layers::Layers;
use crate::pulling::pull_whole;
use crate::rows::{Found, Rows};
use crate::site::Site;
use crate::store::{Store, Stored};
use crate::support::random::Random;

/// Many times the graces that pass one after the other: of an index, its children, their layers in the repository, and in the store.
const GRACES: u32 = 40;

/// How often jobs are hastened meanwhile.
const HASTE: Duration = Duration::from_secs(1);

/// What is to be there in the end.
#[derive(Default)]
pub struct Left {
    rows: Found,
    objects: BTreeSet<String>,
}

impl Left {
    /// Deletes all of what a book has but a part, which is added to what is to be there.
    pub fn delete_others(
        &mut self,
        client: &mut Client,
        layers: &Layers,
        book: &mut Book,
        random: &mut Random,
    ) {
        let kept = keep_some(book, random);
        let held = book.manifests.iter().filter(|it| it.1.standing == Standing::Held);
        for digest in held.map(|it| it.0.clone()).collect::<Vec<_>>() {
            if kept.contains(&digest) {
                self.needs(layers, book, &digest);
                continue;
            }
            let is_loose = book.manifests[&digest].is_loose && !book.is_tagged(&digest);
            let target = format!("/v2/{}/manifests/{digest}", book.repository);
            let deleted = client.patiently(Method::DELETE, &target, None);
            let done = deleted.status == 202 || (is_loose && deleted.status == 404);
            assert!(done, "{digest}: {}\n{}", deleted.text(), book.story(&digest));
            book.note(&digest, "deleted in the end");
            book.deleted_by(&digest, None);
        }
    }

    fn needs(&mut self, layers: &Layers, book: &Book, digest: &str) {
        self.rows.held.insert(format!("{} {digest}", book.repository));
        self.rows.manifests.insert(digest.to_owned());
        for number in &book.manifests[digest].content.layers {
            let layer = &layers.get(*number).digest;
            self.rows.memberships.insert(format!("{} {layer}", book.repository));
            self.objects.insert(layer.clone());
        }
    }

    /// Waits until exactly that is there.
    pub fn wait_for(&self, site: &Site, books: &[&Book]) {
        let (rows, store) = (site.rows(), site.store());
        let (began, longest) = (Instant::now(), site.grace * GRACES);
        loop {
            let hastened = Instant::now();
            site.hasten();
            while hastened.elapsed() < HASTE {
                let odd = self.compare(&rows, &store);
                if odd.is_empty() {
                    println!("only what is needed was left after {:?}", began.elapsed());
                    return;
                }
                if began.elapsed() > longest {
                    panic!("after {longest:?}:\n{}", explain(&odd, &rows, books));
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    /// What is there and should not be, and what is not there.
    fn compare(&self, rows: &Rows, store: &Store) -> Vec<String> {
        let (rows, Stored { objects, staged }) = (rows.find(), store.find());
        let mut odd = Vec::new();
        let mut differ = |what: &str, found: &BTreeSet<String>, wanted: &BTreeSet<String>| {
            odd.extend(found.difference(wanted).map(|it| format!("{what} left: {it}")));
            odd.extend(wanted.difference(found).map(|it| format!("{what} lost: {it}")));
        };
        let nothing = BTreeSet::new();
        differ("manifest in a repository", &rows.held, &self.rows.held);
        differ("manifest", &rows.manifests, &self.rows.manifests);
        differ("membership", &rows.memberships, &self.rows.memberships);
        differ("row", &rows.others, &nothing);
        differ("staged", &staged, &nothing);
        // Whatever its incarnation, each is there once.
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for object in &objects {
            let hex = object.split('.').next().unwrap();
            *times.entry(format!("sha256:{hex}")).or_default() += 1;
        }
        differ("object", &times.keys().cloned().collect(), &self.objects);
        odd.extend(
            times.iter().filter(|it| *it.1 > 1).map(|it| format!("object {} {} times", it.0, it.1)),
        );
        odd
    }
}

/// Pulls all that is left.
pub fn is_whole(client: &mut Client, layers: &Layers, books: &[&Book]) {
    for book in books {
        for digest in book.certain() {
            if let Err(what) = pull_whole(client, layers, book, &digest) {
                panic!("{what}\n{}", book.story(&digest));
            }
        }
    }
}

/// Whole families, of which nothing is about to be collected for what was deleted before.
fn keep_some(book: &Book, random: &mut Random) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut kept = BTreeSet::new();
    for digest in book.manifests.keys() {
        let family = family(book, digest, &mut seen);
        let whole = family.iter().all(|it| book.is_certain(it));
        if whole && random.below(3) == 0 {
            kept.extend(family);
        }
    }
    kept
}

/// A manifest with all that are there and have to do with it, unless they were seen before.
fn family(book: &Book, digest: &str, seen: &mut BTreeSet<String>) -> BTreeSet<String> {
    let (mut found, mut waiting) = (BTreeSet::new(), vec![digest.to_owned()]);
    while let Some(digest) = waiting.pop() {
        if book.manifests[&digest].standing == Standing::Held && seen.insert(digest.clone()) {
            waiting.extend(book.relatives(&digest));
            found.insert(digest);
        }
    }
    found
}

/// What is odd, with all that is known of it.
fn explain(odd: &[String], rows: &Rows, books: &[&Book]) -> String {
    let mut told = odd.join("\n");
    for digest in odd.iter().filter_map(|it| it.split(' ').find(|word| word.starts_with("sha256:")))
    {
        told += &format!("\n{digest}: marks {:?}\n", rows.marks(digest));
        for book in books {
            let about = |it: &&String| it.as_str() == digest || book.names(it, digest);
            for manifest in book.manifests.keys().filter(about) {
                told += &book.story(manifest);
            }
        }
    }
    told
}
