//! One of several who push, delete and bring back at random. Each has manifests and tags of its own in every repository; the layers
//! are everybody's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ureq::http::Method;

use crate::book::{BUILDS_KEPT, Book, Content};
use crate::client::{Client, Lost};
use crate::layers::Layers;
use crate::manifests;
use crate::policies::PUSHERS;
use crate::pulling::pull_whole;
use crate::support::random::Random;
use crate::support::registry::digest;
use crate::whole::Wholes;

/// With so many manifests in one repository, a pusher deletes one before it pushes another.
const MOST_HELD: usize = 3;

/// The longest pause: what is not in use is collected meanwhile.
const PAUSE: Duration = Duration::from_millis(400);

/// What all pushers have in common.
pub struct Common {
    pub layers: Layers,
    pub repositories: Vec<String>,
    pub grace: Duration,
    /// Set when it is time to end, or a pusher has failed.
    pub over: AtomicBool,
    /// How much each pusher has done so far.
    pub done: Mutex<[Done; PUSHERS]>,
}

impl Common {
    /// Whether all that a soak is for was done, by any of them: what is shown by nothing that happened is shown to nobody.
    pub fn is_enough(&self) -> bool {
        let done = *self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let counts: [fn(&Done) -> u32; 4] =
            [|it| it.pushed, |it| it.deleted, |it| it.restored, |it| it.pulled];
        counts.iter().all(|count| done.iter().map(count).sum::<u32>() > 0)
    }
}

/// How much was done.
#[derive(Clone, Copy, Default, Debug)]
pub struct Done {
    pub pushed: u32,
    pub deleted: u32,
    pub restored: u32,
    /// Repositories that were deleted and brought back whole.
    pub whole: u32,
    pub pulled: u32,
    pub lost: u32,
    /// Pushes that found a layer by asking, and were told at their end that it is not there: its grace was over by then.
    pub refused: u32,
}

pub struct Pusher<'a> {
    pub common: &'a Common,
    pub number: usize,
    pub client: Client,
    pub random: Random,
    pub books: Vec<Book>,
    pub wholes: Wholes,
    pub done: Done,
    count: u64,
}

impl<'a> Pusher<'a> {
    pub fn new(common: &'a Common, number: usize, client: Client, random: Random) -> Pusher<'a> {
        let books = common.repositories.iter().map(|name| Book::of(name, number)).collect();
        let (wholes, done) = (Wholes::of(number), Done::default());
        Pusher { common, number, client, random, books, wholes, done, count: 0 }
    }

    /// Works until it is over. Where it fails, all others end, too.
    pub fn work(&mut self) {
        let _over = EndsAll(&self.common.over);
        while !self.common.over.load(Ordering::Relaxed) {
            self.step();
            let mut done = self.common.done.lock().unwrap_or_else(PoisonError::into_inner);
            done[self.number] = self.done;
        }
    }

    fn step(&mut self) {
        let book = self.random.below(self.books.len() as u64) as usize;
        if self.books[book].certain().len() > MOST_HELD {
            self.delete(book);
        }
        match self.random.below(100) {
            0..34 => self.push_new(book),
            34..41 => self.push_again(book),
            41..48 => self.push_index(book),
            48..54 => self.push_referrer(book),
            54..60 => self.move_tag(book),
            60..68 => self.delete(book),
            68..73 => self.delete_tag(book),
            73..81 => self.restore(book),
            81..85 => self.restore_tag(book),
            85..91 => self.pull(book),
            91..93 => self.leave_upload(book),
            93..95 => self.clear(book),
            95 => drop(crate::policies::renew(&mut self.client, &self.common.repositories[book])),
            96 => {
                let repository = &self.common.repositories[book];
                crate::limits::of_a_repository(&mut self.client, repository, &mut self.random);
            }
            97 => self.whole(),
            _ => self.random.moment(PAUSE),
        }
    }

    /// A word that no other manifest has.
    pub(super) fn mark(&mut self) -> String {
        self.count += 1;
        format!("{}-{}", self.number, self.count)
    }

    fn push_new(&mut self, book: usize) {
        let count = 1 + self.random.below(3);
        let layers: Vec<usize> =
            (0..=count).map(|_| self.common.layers.choose(&mut self.random)).collect();
        let mark = self.mark();
        let image = manifests::image(&self.common.layers, &layers, None, &mark);
        let tag = match self.random.below(10) {
            0..5 => Some(self.some_tag(book)),
            5..8 => Some(self.books[book].next_build()),
            _ => None,
        };
        self.push(book, &image, tag.as_deref());
    }

    /// More builds than a policy keeps.
    pub fn push_builds(&mut self, book: usize) {
        for _ in 0..BUILDS_KEPT + 2 {
            let layers = [self.common.layers.choose(&mut self.random)];
            let mark = self.mark();
            let image = manifests::image(&self.common.layers, &layers, None, &mark);
            let tag = self.books[book].next_build();
            self.push(book, &image, Some(&tag));
        }
    }

    /// What was deleted is pushed once more, byte by byte.
    fn push_again(&mut self, book: usize) {
        let gone: Vec<_> = self.books[book].deleted();
        let Some((digest, _)) = self.random.choose(&gone).cloned() else { return };
        let content = self.books[book].manifests[&digest].content.clone();
        if content.children.iter().all(|child| self.books[book].is_certain(child)) {
            let tag = (self.random.below(2) == 0).then(|| self.some_tag(book));
            self.push(book, &content, tag.as_deref());
        }
    }

    fn push_index(&mut self, book: usize) {
        let certain = self.books[book].certain();
        let count = 1 + self.random.below(3);
        let mut children: Vec<String> =
            (0..count).filter_map(|_| self.random.choose(&certain).cloned()).collect();
        children.sort();
        children.dedup();
        if children.is_empty() {
            return self.push_new(book);
        }
        let mark = self.mark();
        let index = manifests::index(&self.books[book], &children, &mark);
        let tag = (self.random.below(3) > 0).then(|| self.some_tag(book));
        self.push(book, &index, tag.as_deref());
    }

    fn push_referrer(&mut self, book: usize) {
        let certain = self.books[book].certain();
        let Some(subject) = self.random.choose(&certain).cloned() else { return };
        let layers = [self.common.layers.choose(&mut self.random)];
        let mark = self.mark();
        let subject = Some((&self.books[book], subject.as_str()));
        let referrer = manifests::image(&self.common.layers, &layers, subject, &mark);
        self.push(book, &referrer, None);
    }

    fn move_tag(&mut self, book: usize) {
        let certain = self.books[book].certain();
        let Some(digest) = self.random.choose(&certain) else { return };
        let content = self.books[book].manifests[digest].content.clone();
        let tag = self.some_tag(book);
        self.push(book, &content, Some(&tag));
    }

    /// The manifest after all that it needs.
    fn push(&mut self, book: usize, content: &Content, tag: Option<&str>) {
        let (repository, name) = (self.books[book].repository.clone(), digest(&content.bytes));
        for looks in [true, false] {
            let Some(sent) = self.send_layers(&repository, &content.layers, looks) else { return };
            let target = format!("/v2/{repository}/manifests/{}", tag.unwrap_or(&name));
            let headers = [("Content-Type", content.media_type)];
            let pushed = self.client.ask(Method::PUT, &target, &headers, Some(&content.bytes));
            let account = &mut self.books[book];
            match pushed {
                Ok(reply) if reply.status == 201 => {
                    account.note(
                        &name,
                        &format!("pushed as {tag:?} over layers {:?}", content.layers),
                    );
                    account.pushed(&name, content.clone(), tag);
                    self.done.pushed += 1;
                    return;
                }
                Ok(reply) => {
                    let text = reply.text();
                    account.note(&name, &format!("not pushed as {tag:?}: {text}"));
                    assert!(
                        text.contains("MANIFEST_BLOB_UNKNOWN"),
                        "{}: {text}\n{}",
                        reply.status,
                        account.story(&name)
                    );
                    // Whoever only asks for a blob does not have it last longer.
                    let may_be_gone = sent.by_looking || sent.since.elapsed() > self.common.grace;
                    assert!(
                        may_be_gone && !account.is_certain(&name),
                        "what was sent just now, or is needed, is not there: {text}\n{}",
                        account.story(&name)
                    );
                    self.done.refused += 1;
                }
                Err(Lost(why)) => {
                    account.note(&name, &format!("perhaps pushed as {tag:?}: {why}"));
                    account.push_lost(&name, content.clone(), tag);
                    self.done.lost += 1;
                    return;
                }
            }
        }
    }

    /// Pulls something that must be there, at any moment.
    fn pull(&mut self, book: usize) {
        let certain = self.books[book].certain();
        let Some(digest) = self.random.choose(&certain) else { return };
        let (client, layers) = (&mut self.client, &self.common.layers);
        if let Err(what) = pull_whole(client, layers, &self.books[book], digest) {
            panic!("{what}\n{}", self.books[book].story(digest));
        }
        self.done.pulled += 1;
    }

    fn some_tag(&mut self, book: usize) -> String {
        let number = self.random.below(4);
        self.books[book].tag(number)
    }
}

impl Drop for Pusher<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.books.is_empty() {
            let told = self.books.iter().map(Book::latest).collect::<String>();
            eprintln!("what pusher {} did last:\n{told}", self.number);
        }
    }
}

/// Has all end when one does, for whichever reason.
pub struct EndsAll<'a>(pub &'a AtomicBool);

impl Drop for EndsAll<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
