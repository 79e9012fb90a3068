//! What one pusher knows of what it pushed to one repository: what was acknowledged, and what is not known since an answer was lost.
//!
//! Whatever is *open* is left alone from then on and may have become either, as a request may be done long after its client was cut
//! off. It is looked up when all trouble is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How many tags of builds the policy of each repository keeps, the newest.
pub const BUILDS_KEPT: usize = 3;

/// What is told where a pusher fails at something that has no account of its own.
const LATELY: Duration = Duration::from_secs(5);

/// What a manifest is, whatever becomes of it.
#[derive(Clone)]
pub struct Content {
    pub bytes: Vec<u8>,
    pub media_type: &'static str,
    /// By their numbers.
    pub layers: Vec<usize>,
    pub children: Vec<String>,
    pub subject: Option<String>,
}

/// How a manifest stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    Held,
    /// Deleted by a request that was sent then; or by the registry itself, nobody knows when.
    Gone(Option<Instant>),
    Open,
}

pub struct Entry {
    pub content: Content,
    pub standing: Standing,
    /// What needed it went, or is not known to be there: the registry may collect it.
    pub is_loose: bool,
}

/// Where a tag stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    At(String),
    /// Deleted then, alone or with that manifest; nobody knows when where a policy may have dropped it before.
    Nowhere {
        since: Option<Instant>,
        was_at: String,
    },
    Open,
}

pub struct Tag {
    pub place: Place,
    /// The later it was moved, the higher.
    pub moved: u64,
    /// Whether a policy may have dropped it: since it was moved, there were too many that may have been moved later. That there
    /// are less of them now came too late, perhaps.
    pub is_old: bool,
}

/// The account.
pub struct Book {
    pub repository: String,
    pusher: usize,
    pub manifests: BTreeMap<String, Entry>,
    pub tags: BTreeMap<String, Tag>,
    pub(super) moves: u64,
    builds: u64,
    stories: BTreeMap<String, Vec<(Duration, String)>>,
    began: Instant,
}

impl Book {
    pub fn of(repository: &str, pusher: usize) -> Book {
        Book {
            repository: repository.to_owned(),
            pusher,
            manifests: BTreeMap::new(),
            tags: BTreeMap::new(),
            moves: 0,
            builds: 0,
            stories: BTreeMap::new(),
            began: Instant::now(),
        }
    }

    /// Writes down what was asked about a manifest or tag, and what was answered.
    pub fn note(&mut self, name: &str, what: &str) {
        let story = self.stories.entry(name.to_owned()).or_default();
        story.push((self.began.elapsed(), what.to_owned()));
    }

    /// All that was written down about a manifest or tag, and about what it has to do with.
    pub fn story(&self, name: &str) -> String {
        let mut names = self.relatives(name);
        names.extend(self.tags_at(name));
        names.insert(name.to_owned());
        self.tell(|other, _| names.contains(other))
    }

    /// What was written down lately.
    pub fn latest(&self) -> String {
        let since = self.began.elapsed().saturating_sub(LATELY);
        self.tell(|_, time| time > since)
    }

    fn tell(&self, is_meant: impl Fn(&str, Duration) -> bool) -> String {
        let all = self.stories.iter();
        let all = all.flat_map(|(name, story)| story.iter().map(move |it| (it.0, name, &it.1)));
        let mut meant: Vec<_> = all.filter(|(time, name, _)| is_meant(name, *time)).collect();
        meant.sort();
        let line = |(time, name, what): &(Duration, &String, &String)| {
            format!("{:9.3} s  {}  {name}  {what}\n", time.as_secs_f64(), self.repository)
        };
        meant.iter().map(line).collect()
    }

    /// The children of a manifest, its parents, its referrers and its subject.
    pub fn relatives(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (other, entry) in &self.manifests {
            let below = entry.content.children.iter().chain(&entry.content.subject);
            for below in below {
                if below == name {
                    found.insert(other.clone());
                } else if other == name {
                    found.insert(below.clone());
                }
            }
        }
        found
    }

    /// Whether a manifest names this blob or manifest.
    pub fn names(&self, manifest: &str, digest: &str) -> bool {
        String::from_utf8_lossy(&self.manifests[manifest].content.bytes).contains(digest)
    }

    /// Whether a manifest must be there.
    pub fn is_certain(&self, digest: &str) -> bool {
        self.manifests
            .get(digest)
            .is_some_and(|entry| entry.standing == Standing::Held && !entry.is_loose)
    }

    /// Whether a tag keeps a manifest, whatever it was left behind by.
    pub fn is_tagged(&self, digest: &str) -> bool {
        self.tags_at(digest).iter().any(|tag| self.must_stand(tag))
    }

    pub fn certain(&self) -> Vec<String> {
        self.manifests.keys().filter(|digest| self.is_certain(digest)).cloned().collect()
    }

    /// Manifests that may be deleted without breaking an index.
    pub fn deletable(&self) -> Vec<String> {
        let mut needed = BTreeSet::new();
        for entry in self.manifests.values() {
            if !matches!(entry.standing, Standing::Gone(_)) {
                needed.extend(&entry.content.children);
            }
        }
        let held = self.manifests.iter().filter(|(_, entry)| entry.standing == Standing::Held);
        held.map(|(digest, _)| digest).filter(|digest| !needed.contains(digest)).cloned().collect()
    }

    /// Manifests that were deleted at a known time.
    pub fn deleted(&self) -> Vec<(String, Instant)> {
        let since = |entry: &Entry| match entry.standing {
            Standing::Gone(since) => since,
            _ => None,
        };
        self.manifests
            .iter()
            .filter_map(|(digest, entry)| Some((digest.clone(), since(entry)?)))
            .collect()
    }

    /// A tag of builds, which is new.
    pub fn next_build(&mut self) -> String {
        self.builds += 1;
        format!("build-{}-{}", self.pusher, self.builds)
    }

    /// The tag of this number; another one each time that one of that number is open.
    pub fn tag(&self, number: u64) -> String {
        let named = |generation: usize| format!("t-{}-{number}-{generation}", self.pusher);
        let open = |name: &String| self.tags.get(name).is_some_and(|tag| tag.place == Place::Open);
        (0..).map(named).find(|name| !open(name)).unwrap()
    }

    pub fn is_build(name: &str) -> bool {
        name.starts_with("build-")
    }

    /// Whether no policy may have dropped a tag.
    pub fn must_stand(&self, name: &str) -> bool {
        self.tags.get(name).is_some_and(|tag| !tag.is_old)
    }

    /// The tags at a manifest, as far as is known.
    pub fn tags_at(&self, digest: &str) -> Vec<String> {
        let at = Place::At(digest.to_owned());
        self.tags.iter().filter(|(_, tag)| tag.place == at).map(|(name, _)| name.clone()).collect()
    }
}
