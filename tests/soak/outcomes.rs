//! What becomes of an account by what was answered, or was not.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::book::{BUILDS_KEPT, Book, Content, Entry, Place, Standing, Tag};

impl Book {
    /// A push was acknowledged.
    pub fn pushed(&mut self, digest: &str, content: Content, tag: Option<&str>) {
        let is_loose = self.is_left_behind(digest, &content);
        let entry = Entry { content, standing: Standing::Held, is_loose };
        self.manifests.insert(digest.to_owned(), entry);
        if let Some(tag) = tag {
            self.stands(tag, digest);
        }
    }

    /// What became of a push is not known.
    pub fn push_lost(&mut self, digest: &str, content: Content, tag: Option<&str>) {
        let open = Entry { content, standing: Standing::Open, is_loose: true };
        let entry = self.manifests.entry(digest.to_owned()).or_insert(open);
        if entry.standing != Standing::Held {
            entry.standing = Standing::Open;
        }
        if let Some(tag) = tag
            && self.tags.get(tag).is_none_or(|it| it.place != Place::At(digest.to_owned()))
        {
            self.is_open(tag);
        }
    }

    /// A manifest was deleted by a request that was sent then.
    pub fn deleted_by(&mut self, digest: &str, since: Option<Instant>) {
        self.set(digest, Standing::Gone(since));
        for tag in self.tags_at(digest) {
            self.note(&tag, &format!("deleted with {digest}"));
            self.tag_deleted(&tag, since);
        }
        self.loosen(digest);
    }

    /// What became of a deletion is not known.
    pub fn deletion_lost(&mut self, digest: &str) {
        self.set(digest, Standing::Open);
        for tag in self.tags_at(digest) {
            self.is_open(&tag);
        }
        self.loosen(digest);
    }

    /// A tag was deleted by a request that was sent then.
    pub fn tag_deleted(&mut self, tag: &str, since: Option<Instant>) {
        if let Some(Tag { place: Place::At(was_at), .. }) = self.tags.get(tag) {
            let since = since.filter(|_| self.must_stand(tag));
            let place = Place::Nowhere { since, was_at: was_at.clone() };
            self.place(tag, place);
        }
    }

    /// What became of a tag is not known.
    pub fn is_open(&mut self, tag: &str) {
        self.note(tag, "is open");
        self.place(tag, Place::Open);
    }

    /// A tag stands there since the last request about it, unless there is one of which nobody knows.
    pub fn stands(&mut self, tag: &str, digest: &str) {
        let known = [Place::Open, Place::At(digest.to_owned())];
        if self.tags.get(tag).is_none_or(|it| !known.contains(&it.place)) {
            self.note(tag, &format!("at {digest}"));
            self.place(tag, Place::At(digest.to_owned()));
        }
    }

    /// A manifest was brought back, with those that it needs.
    pub fn restored(&mut self, digest: &str, tags: &[String]) {
        let is_loose = self.is_left_behind(digest, &self.manifests[digest].content);
        self.set(digest, Standing::Held);
        self.manifests.get_mut(digest).unwrap().is_loose = is_loose;
        for tag in tags {
            self.stands(tag, digest);
        }
        for child in self.manifests[digest].content.children.clone() {
            if let Standing::Gone(_) = self.manifests[&child].standing {
                self.note(&child, &format!("brought back with {digest}"));
                self.restored(&child, &[]);
            }
        }
    }

    /// What became of that is not known.
    pub fn restoring_lost(&mut self, digest: &str) {
        self.set(digest, Standing::Open);
        let with_it = |(name, tag): (&String, &Tag)| match &tag.place {
            Place::Nowhere { was_at, .. } if was_at == digest => Some(name.clone()),
            _ => None,
        };
        for tag in self.tags.iter().filter_map(with_it).collect::<Vec<_>>() {
            self.is_open(&tag);
        }
        for child in self.manifests[digest].content.children.clone() {
            if let Standing::Gone(_) = self.manifests[&child].standing {
                self.restoring_lost(&child);
            }
        }
    }

    /// Where a tag was found when all trouble was over. Nobody knows when it was moved.
    pub fn settle_tag(&mut self, tag: &str, found: Option<&str>) {
        let place = match found {
            Some(digest) => Place::At(digest.to_owned()),
            None => Place::Nowhere { since: None, was_at: String::new() },
        };
        self.place(tag, place);
        self.tags.get_mut(tag).unwrap().is_old = Book::is_build(tag);
    }

    /// Forgets what was deleted, once that was seen; but for what has left something behind, which is not pushed or brought back any more.
    pub fn forget(&mut self) {
        let is_gone = |entry: &Entry| matches!(entry.standing, Standing::Gone(_));
        let there = self.manifests.iter().filter(|it| !is_gone(it.1)).map(|it| it.0.clone());
        let mut kept: BTreeSet<String> = there.collect();
        kept.extend(kept.iter().flat_map(|it| self.relatives(it)).collect::<Vec<_>>());
        self.manifests.retain(|digest, _| kept.contains(digest));
        for entry in self.manifests.values_mut().filter(|entry| is_gone(entry)) {
            entry.standing = Standing::Gone(None);
        }
        self.tags.retain(|_, tag| !matches!(tag.place, Place::Nowhere { .. }));
    }

    pub fn set(&mut self, digest: &str, standing: Standing) {
        self.note(
            digest,
            match standing {
                Standing::Held => "is there",
                Standing::Gone(_) => "is gone",
                Standing::Open => "is open",
            },
        );
        self.manifests.get_mut(digest).unwrap().standing = standing;
    }

    fn place(&mut self, tag: &str, place: Place) {
        self.moves += 1;
        self.tags.insert(tag.to_owned(), Tag { place, moved: self.moves, is_old: false });
        if Book::is_build(tag) {
            self.age();
        }
    }

    /// Finds the builds that are not among the newest any more, perhaps. What is open may have been moved last.
    fn age(&mut self) {
        let moved = |(name, tag): (&String, &Tag)| match tag.place {
            _ if !Book::is_build(name) => None,
            Place::At(_) => Some(tag.moved),
            Place::Open => Some(u64::MAX),
            Place::Nowhere { .. } => None,
        };
        let mut all: Vec<u64> = self.tags.iter().filter_map(moved).collect();
        all.sort_unstable_by(|one, other| other.cmp(one));
        let Some(last_kept) = all.get(BUILDS_KEPT - 1) else { return };
        for (name, tag) in &mut self.tags {
            tag.is_old |= Book::is_build(name) && tag.moved < *last_kept;
        }
    }

    /// Whether an index that had a manifest in it went, or its subject, so that it may go after them: also where it was pushed or
    /// brought back since, as that is found out some time after their grace.
    fn is_left_behind(&self, digest: &str, content: &Content) -> bool {
        let has_it = |index: &&Entry| index.content.children.iter().any(|child| child == digest);
        let held = |index: &Entry| index.standing == Standing::Held && !index.is_loose;
        !self.manifests.values().filter(has_it).all(held)
            || content.subject.as_ref().is_some_and(|subject| !self.is_certain(subject))
    }

    /// What a manifest leaves behind when it goes may go after it.
    fn loosen(&mut self, digest: &str) {
        let left = |(name, entry): (&String, &Entry)| {
            let refers = entry.content.subject.as_deref() == Some(digest);
            (refers && !entry.is_loose).then(|| name.clone())
        };
        let mut behind: Vec<String> = self.manifests.iter().filter_map(left).collect();
        for child in &self.manifests[digest].content.children {
            if !self.manifests[child].is_loose {
                behind.push(child.clone());
            }
        }
        for name in behind {
            self.note(&name, &format!("left behind by {digest}"));
            self.manifests.get_mut(&name).unwrap().is_loose = true;
            self.loosen(&name);
        }
    }
}
