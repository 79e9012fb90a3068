//! The requests that are measured: whose tag, subject or repository is chosen at random, and what must come back.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde_json::Value;
use wharf_bench::http::Reply;

use crate::images::{self, MANIFEST, Manifest};
use crate::random::Random;
use crate::rows::{self, Rows, is_referrer, repository_name};
use crate::shape::{LARGE, Place};

/// What a page of tags holds at most.
const PAGE: usize = 100;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A tag, to the digest.
    Resolve,
    /// A page of the large repository's tags.
    LargePage,
    /// A page of a small repository's tags.
    SmallPage,
    /// The signature, attestation and SBOM of an image in the large repository.
    LargeReferrers,
    /// The same in a small repository.
    SmallReferrers,
    /// A new manifest, under a new tag and one that is there by turns.
    Push,
}

/// A request, and what is expected of its reply.
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// The path and query.
    pub path: String,
    /// Lines, each with its end.
    pub headers: String,
    /// The body.
    pub body: Vec<u8>,
    expected: Expected,
}

enum Expected {
    /// So many bytes would follow.
    Length(u64),
    /// Tags behind this one; a full page where `is_full`.
    TagsBehind { last: String, is_full: bool },
    /// These manifests.
    Manifests(BTreeSet<String>),
    /// It was stored.
    Created,
}

impl Kind {
    /// All, in the order in which they are measured. What changes the data is last.
    pub const ALL: [Self; 6] = [
        Self::Resolve,
        Self::LargePage,
        Self::SmallPage,
        Self::LargeReferrers,
        Self::SmallReferrers,
        Self::Push,
    ];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolve => "tag resolve (HEAD manifest by tag)",
            Self::LargePage => "tag page, large repository",
            Self::SmallPage => "tag page, small repository",
            Self::LargeReferrers => "referrers page, large repository",
            Self::SmallReferrers => "referrers page, small repository",
            Self::Push => "push of a manifest by tag",
        }
    }

    /// The `nth` request of `run`, which two runs have different ones of.
    pub fn request(self, rows: &Rows, random: &mut Random, run: &str, nth: usize) -> Request {
        match self {
            Self::Resolve => resolve(any(rows, random)),
            Self::LargePage => page(rows, random, LARGE),
            Self::SmallPage => {
                let repository = small(rows, random);
                page(rows, random, repository)
            }
            Self::LargeReferrers => referrers(rows, random, LARGE),
            Self::SmallReferrers => {
                let repository = small(rows, random);
                referrers(rows, random, repository)
            }
            Self::Push => push(any(rows, random), run, nth),
        }
    }
}

/// Each manifest is as likely as any other, so each repository by its size.
fn any(rows: &Rows, random: &mut Random) -> Place {
    rows.shape.place(random.below(rows.shape.manifests()))
}

fn small(rows: &Rows, random: &mut Random) -> u64 {
    1 + random.below(rows.shape.repositories() - 1)
}

fn resolve(place: Place) -> Request {
    let manifest = rows::manifest(place);
    Request {
        method: "HEAD",
        path: path(place.repository, &format!("manifests/{}", rows::tag(place))),
        headers: format!("Accept: {MANIFEST}\r\n"),
        body: Vec::new(),
        expected: Expected::Length(manifest.payload.len() as u64),
    }
}

fn page(rows: &Rows, random: &mut Random, repository: u64) -> Request {
    let number = random.below(rows.shape.size(repository));
    let last = rows::tag(Place { repository, number });
    // Behind the tag of an image come those of all signatures.
    let is_full = rows.shape.size(repository) / 10 >= PAGE as u64 && !last.starts_with("sha256-");
    Request {
        method: "GET",
        path: path(repository, &format!("tags/list?n={PAGE}&last={last}")),
        headers: String::new(),
        body: Vec::new(),
        expected: Expected::TagsBehind { last, is_full },
    }
}

fn referrers(rows: &Rows, random: &mut Random, repository: u64) -> Request {
    let nth = random.below(rows::subjects(rows.shape.size(repository)));
    let subject = rows::manifest(rows::subject(repository, nth)).digest;
    let about = rows::referrers(repository, nth);
    let digests = about.map(|place| rows::manifest(place).digest.to_string()).collect();
    Request {
        method: "GET",
        path: path(repository, &format!("referrers/{subject}")),
        headers: String::new(),
        body: Vec::new(),
        expected: Expected::Manifests(digests),
    }
}

fn push(place: Place, run: &str, nth: usize) -> Request {
    // An image: the one before where that is a signature.
    let number = place.number - u64::from(is_referrer(place));
    let place = Place { number, ..place };
    let unique = format!("{run}-{nth}");
    let tag = if nth.is_multiple_of(2) { unique.clone() } else { rows::tag(place) };
    Request {
        method: "PUT",
        path: path(place.repository, &format!("manifests/{tag}")),
        headers: format!("Content-Type: {MANIFEST}\r\n"),
        body: pushed(place, &unique).payload.into_bytes(),
        expected: Expected::Created,
    }
}

/// The image at `place` once more, in new bytes.
pub fn pushed(place: Place, unique: &str) -> Manifest {
    images::image(place, &format!("{{\"org.opencontainers.image.ref.name\":\"{unique}\"}}"))
}

fn path(repository: u64, rest: &str) -> String {
    format!("/v2/{}/{rest}", repository_name(repository))
}

impl Request {
    /// Fails unless the reply is what it must be.
    pub fn check(&self, reply: Reply, body: &[u8]) -> Result<()> {
        let Self { method, path, expected, .. } = self;
        let doing = format!("{method} {path}");
        let status = if matches!(expected, Expected::Created) { 201 } else { 200 };
        let reply = reply.expect(status, &doing)?;
        match expected {
            Expected::Created => {}
            Expected::Length(length) => ensure!(reply.length == *length, "{doing}: other bytes"),
            Expected::TagsBehind { last, is_full } => {
                let tags = texts(&serde_json::from_slice(body)?, "tags", None);
                let good = tags.iter().all(|tag| tag > last) && tags.is_sorted();
                ensure!(good && tags.len() <= PAGE, "{doing}: wrong tags");
                ensure!(!is_full || tags.len() == PAGE, "{doing}: {} tags", tags.len());
            }
            Expected::Manifests(digests) => {
                let found = texts(&serde_json::from_slice(body)?, "manifests", Some("digest"));
                let found: BTreeSet<_> = found.into_iter().collect();
                ensure!(found == *digests, "{doing}: other manifests");
            }
        }
        Ok(())
    }
}

/// The texts in a list of a reply, or in a field of each of its items.
fn texts(document: &Value, list: &str, field: Option<&str>) -> Vec<String> {
    let items = document[list].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |item: &Value| field.map_or(item, |field| &item[field]).as_str().map(str::to_owned);
    items.iter().filter_map(text).collect()
}
