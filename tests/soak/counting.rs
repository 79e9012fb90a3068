//! How much repositories, their namespace and all of the registry are said to hold is what these accounts say that they do: every charge
//! was ended that was begun, and no other; and no count of the rows has ever found that to be otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::book::{Book, Place};
use crate::client::Client;
use crate::layers::Layers;
use crate::site::Site;
use crate::support::program::wait_until;

/// What a node says in its log where a count of the rows finds that the counters say something else.
const COUNTED_WRONGLY: &str = "counted wrongly";

/// How long a count of all that is stored may take.
const COUNTING: Duration = Duration::from_secs(60);

/// What some repositories hold.
#[derive(Default)]
struct Held {
    /// The size of each blob.
    blobs: BTreeMap<String, usize>,
    /// The size of each manifest. None of them is in two repositories.
    manifests: BTreeMap<String, usize>,
    /// Bytes that manifests name, however often the same, and their own.
    referenced: usize,
    tags: usize,
}

impl Held {
    /// What these books hold, but for the tags.
    fn of(layers: &Layers, books: &[&Book]) -> Held {
        let mut held = Held::default();
        for book in books {
            for digest in book.certain() {
                let content = &book.manifests[&digest].content;
                let named = content.layers.iter().map(|number| layers.get(*number));
                // One that a manifest names twice it names.
                let named: BTreeMap<_, _> =
                    named.map(|layer| (layer.digest.clone(), layer.bytes.len())).collect();
                held.referenced += named.values().sum::<usize>() + content.bytes.len();
                held.blobs.extend(named);
                held.manifests.insert(digest, content.bytes.len());
            }
        }
        held
    }

    /// What both hold together.
    fn and(mut self, other: Held) -> Held {
        self.blobs.extend(other.blobs);
        self.manifests.extend(other.manifests);
        self.referenced += other.referenced;
        self.tags += other.tags;
        self
    }

    /// Each blob once, and the manifests.
    fn bytes(&self) -> usize {
        self.blobs.values().sum::<usize>() + self.manifests.values().sum::<usize>()
    }

    /// What is said of a repository or a namespace that holds this.
    fn usage(&self) -> Value {
        json!({
            "referenced_bytes": self.referenced,
            "bytes": self.bytes(),
            "reserved_bytes": 0,
            "saved_bytes": self.referenced - self.bytes(),
            "manifests": self.manifests.len(),
            "tags": self.tags,
            "complete": true,
        })
    }
}

/// No count has found a counter that was wrong, so far; and the parts of each limit are the limit.
pub fn was_never_wrong(site: &Site) {
    let logs = site.logs();
    let wrong: Vec<&str> = logs.lines().filter(|line| line.contains(COUNTED_WRONGLY)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let parts = site.rows().wrong_parts();
    assert!(parts.is_empty(), "the parts of a limit are not the limit: {parts:?}");
}

/// Compares the counters of each repository, of their namespace and of all with what these books say that is held, which is all.
pub fn is_counted(client: &mut Client, layers: &Layers, site: &Site, repositories: &[Vec<&Book>]) {
    // A policy goes on dropping tags, but none comes back: what was so before and after was so all the time.
    let all = loop {
        let before = all_tags(client, repositories);
        let mut all = Held::default();
        let mut odd = Vec::new();
        for (books, tags) in repositories.iter().zip(&before) {
            let name = books[0].repository.as_str();
            let held = Held { tags: *tags, ..Held::of(layers, books) };
            let path = format!("/repositories/{}/usage", name.replace('/', "%2F"));
            odd.extend(differs(client, name, &path, &held.usage()));
            all = all.and(held);
        }
        odd.extend(differs(client, "the namespace", "/namespaces/soak/usage", &all.usage()));
        if all_tags(client, repositories) == before {
            assert!(odd.is_empty(), "{}", odd.join("\n"));
            break all;
        }
    };
    // A count that is under way may have begun too early; the one after it has not.
    count(client, site);
    count(client, site);
    was_never_wrong(site);
    let stored = json!({
        "referenced_bytes": all.referenced,
        "namespace_bytes": all.bytes(),
        "stored_bytes": all.bytes(),
        "saved_bytes": all.referenced - all.bytes(),
        "blobs": all.blobs.len(),
        "manifests": all.manifests.len(),
    });
    let odd = differs(client, "all", "/usage", &stored);
    assert!(odd.is_empty(), "{}", odd.join("\n"));
}

/// What is said otherwise than it is.
fn differs(client: &mut Client, whose: &str, path: &str, is: &Value) -> Vec<String> {
    let said = client.get(&format!("/api/v1{path}"));
    assert_eq!(said.status, 200, "{}", said.text());
    let said = said.json();
    let fields = is.as_object().unwrap().iter();
    let odd = fields.filter(|(field, is)| said[*field] != **is);
    odd.map(|(field, is)| format!("{field} of {whose} is {is}, and it says: {said}")).collect()
}

/// Counts the tags of each repository. Those that a policy may have dropped are looked up.
fn all_tags(client: &mut Client, repositories: &[Vec<&Book>]) -> Vec<usize> {
    let mut stands = |book: &Book, name: &str| {
        let found = client.get(&format!("/v2/{}/manifests/{name}", book.repository)).status;
        assert!([200, 404].contains(&found), "{} {name}: {found}", book.repository);
        found == 200
    };
    let mut count = |book: &&Book| {
        let tags = book.tags.iter().filter(|(_, tag)| matches!(tag.place, Place::At(_)));
        tags.filter(|(name, _)| book.must_stand(name) || stands(book, name)).count()
    };
    repositories.iter().map(|books| books.iter().map(&mut count).sum()).collect()
}

/// Has everything counted once more.
fn count(client: &mut Client, site: &Site) {
    let mut counted_at = || {
        let said = client.get("/api/v1/usage");
        assert_eq!(said.status, 200, "{}", said.text());
        said.json()["counted_at"].clone()
    };
    let before = counted_at();
    wait_until("all that is stored was counted", COUNTING, || {
        site.has_run("usage.count");
        counted_at() != before
    });
}
