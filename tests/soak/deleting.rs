//! Manifests and tags are deleted, and what is answered goes into the account.

use std::time::Instant;

use ureq::http::Method;

use crate::book::Place;
use crate::client::Lost;
use crate::pusher::Pusher;

impl Pusher<'_> {
    pub(super) fn delete(&mut self, book: usize) {
        let deletable = self.books[book].deletable();
        if let Some(digest) = self.random.choose(&deletable).cloned() {
            self.delete_manifest(book, &digest);
        }
    }

    /// Everything of one repository at once.
    pub(super) fn clear(&mut self, book: usize) {
        while let Some(digest) = self.books[book].deletable().first().cloned() {
            self.delete_manifest(book, &digest);
        }
    }

    fn delete_manifest(&mut self, book: usize, digest: &str) {
        let since = Instant::now();
        let target = format!("/v2/{}/manifests/{digest}", self.books[book].repository);
        let deleted = self.client.ask(Method::DELETE, &target, &[], None);
        let account = &mut self.books[book];
        match deleted {
            Ok(reply) if reply.status == 202 => {
                account.note(digest, "deleted");
                account.deleted_by(digest, Some(since));
                self.done.deleted += 1;
            }
            Ok(reply) => {
                let text = format!("not deleted: {} {}", reply.status, reply.text());
                account.note(digest, &text);
                let is_loose = account.manifests[digest].is_loose && !account.is_tagged(digest);
                let may_be_gone = is_loose && reply.status == 404;
                assert!(may_be_gone, "{text}\n{}", account.story(digest));
                account.deleted_by(digest, None);
            }
            Err(Lost(why)) => {
                account.note(digest, &format!("perhaps deleted: {why}"));
                account.deletion_lost(digest);
                self.done.lost += 1;
            }
        }
    }

    pub(super) fn delete_tag(&mut self, book: usize) {
        let standing = self.books[book].tags.iter();
        let standing = standing.filter(|(_, tag)| matches!(tag.place, Place::At(_)));
        let standing: Vec<String> = standing.map(|(name, _)| name.clone()).collect();
        let Some(tag) = self.random.choose(&standing).cloned() else { return };
        let since = Instant::now();
        let target = format!("/v2/{}/manifests/{tag}", self.books[book].repository);
        let deleted = self.client.ask(Method::DELETE, &target, &[], None);
        let account = &mut self.books[book];
        match deleted {
            Ok(reply) if reply.status == 202 => {
                account.note(&tag, "deleted");
                account.tag_deleted(&tag, Some(since));
            }
            Ok(reply) => {
                let text = format!("not deleted: {} {}", reply.status, reply.text());
                account.note(&tag, &text);
                let dropped = !account.must_stand(&tag) && reply.status == 404;
                assert!(dropped, "{tag}: {text}\n{}", account.story(&tag));
                account.tag_deleted(&tag, Some(since));
            }
            Err(Lost(why)) => {
                account.note(&tag, &format!("perhaps deleted: {why}"));
                account.is_open(&tag);
                self.done.lost += 1;
            }
        }
    }
}
