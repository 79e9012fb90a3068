//! The rows that pushing all of it would have left, in the order of the pushes. Nothing is kept: each is made anew.

use wharf_oci::Digest;

use crate::images::{self, Manifest, PUSHES_A_BASE, PUSHES_A_DEPENDENCY, REFERRERS};
use crate::random::Random;
use crate::shape::{LARGE, Place, Shape};

/// Every tenth manifest of a repository is about an earlier one.
const REFERRER_EACH: u64 = 10;

/// Between two pushes, in microseconds.
const PACE: i64 = 1_000_000;

/// Events of the newest tenth of the pushes are still there.
const EVENTS_SHARE: u64 = 10;

/// Who pushed all of it.
pub const PRINCIPAL: &str = "anonymous";

/// All rows.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// How they are spread.
    pub shape: Shape,
    /// When the last of them was pushed, in microseconds since 1970.
    pub newest: i64,
}

/// What a push leaves.
pub struct Pushed {
    /// Where it went.
    pub place: Place,
    /// What was pushed.
    pub manifest: Manifest,
    /// The tag at it.
    pub tag: String,
    /// The blobs that its repository did not hold before.
    pub new_blobs: Vec<Digest>,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Whether its events are still there.
    pub has_events: bool,
}

impl Rows {
    /// What the `nth` push left, from 0.
    pub fn push(&self, nth: u64) -> Pushed {
        let place = self.shape.place(nth);
        let manifest = manifest(place);
        Pushed {
            place,
            tag: tag_of(place, &manifest),
            new_blobs: new_blobs(place, &manifest),
            manifest,
            at: self.newest - (self.shape.manifests() - 1 - nth) as i64 * PACE,
            has_events: self.shape.manifests() - nth <= self.shape.manifests() / EVENTS_SHARE,
        }
    }

    /// When a repository was made.
    pub const fn made_at(&self) -> i64 {
        self.newest - self.shape.manifests() as i64 * PACE
    }
}

impl Pushed {
    /// The row's number of its repository.
    pub const fn repository_id(&self) -> i64 {
        repository_id(self.place.repository)
    }

    /// Kind and payload of its two events.
    pub fn events(&self) -> [(&'static str, String); 2] {
        let (digest, tag) = (&self.manifest.digest, &self.tag);
        [
            ("manifest.pushed", format!("{{\"by\":\"{PRINCIPAL}\",\"digest\":\"{digest}\"}}")),
            (
                "tag.created",
                format!(
                    "{{\"by\":\"{PRINCIPAL}\",\"from\":null,\"tag\":\"{tag}\",\"to\":\"{digest}\",\"version\":1}}"
                ),
            ),
        ]
    }
}

/// A repository's number in the database, from 1.
pub const fn repository_id(repository: u64) -> i64 {
    repository as i64 + 1
}

/// A repository's name.
pub fn repository_name(repository: u64) -> String {
    if repository == LARGE {
        return "platform/monorepo".to_owned();
    }
    format!("team-{:02}/service-{repository:06}", repository % 97)
}

/// The manifest at `place`.
pub fn manifest(place: Place) -> Manifest {
    if !is_referrer(place) {
        let annotated = place.number.is_multiple_of(10);
        let annotations = if annotated { images::annotations(place) } else { "{}".to_owned() };
        return images::image(place, &annotations);
    }
    let nth = place.number / REFERRER_EACH;
    let kinds = REFERRERS.len() as u64;
    let subject = manifest(subject(place.repository, nth / kinds));
    images::referrer(place, (nth % kinds) as usize, &subject)
}

/// The tag at the manifest at `place`.
pub fn tag(place: Place) -> String {
    tag_of(place, &manifest(place))
}

/// Whether the manifest at `place` is about another one.
pub const fn is_referrer(place: Place) -> bool {
    place.number % REFERRER_EACH == REFERRER_EACH - 1
}

/// The `nth` image of a repository that others are about, if there are that many.
pub const fn subject(repository: u64, nth: u64) -> Place {
    let images = REFERRER_EACH - 1;
    Place { repository, number: nth / images * REFERRER_EACH + nth % images }
}

/// How many images of a repository of `size` manifests have all their referrers.
pub const fn subjects(size: u64) -> u64 {
    size / REFERRER_EACH / REFERRERS.len() as u64
}

/// Where the manifests about the `nth` such image are.
pub fn referrers(repository: u64, nth: u64) -> impl Iterator<Item = Place> {
    let kinds = REFERRERS.len() as u64;
    (nth * kinds..(nth + 1) * kinds).map(move |referrer| Place {
        repository,
        number: referrer * REFERRER_EACH + REFERRER_EACH - 1,
    })
}

fn tag_of(place: Place, manifest: &Manifest) -> String {
    if let Some(subject) = &manifest.subject {
        let kind = place.number / REFERRER_EACH % REFERRERS.len() as u64;
        let (end, _) = REFERRERS[kind as usize];
        return format!("sha256-{}.{end}", subject.hex());
    }
    let commit = Random::new(&[place.repository, place.number, 6]).next() >> 36;
    format!("1.{}.{}-{commit:07x}", place.number / 100, place.number % 100)
}

/// The blobs of the manifest at `place` that no earlier one of its repository names.
fn new_blobs(place: Place, manifest: &Manifest) -> Vec<Digest> {
    let (config, last) = (manifest.blobs[0], manifest.blobs[manifest.blobs.len() - 1]);
    if is_referrer(place) {
        let first = place.number < REFERRER_EACH;
        return if first { vec![config, last] } else { vec![last] };
    }
    let mut blobs = vec![config, last];
    if place.number.is_multiple_of(PUSHES_A_BASE) && place.number / PUSHES_A_BASE < images::BASES {
        blobs.extend(images::base_layers(place));
    }
    let image_before = |number| !is_referrer(Place { number, ..place });
    let first_of_three = place.number - place.number % PUSHES_A_DEPENDENCY;
    if !(first_of_three..place.number).any(image_before) {
        blobs.push(images::dependencies(place));
    }
    blobs
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use wharf_oci::Manifest as Parsed;

    use super::*;

    #[test]
    fn rows_say_what_the_manifests_say() {
        let rows = Rows { shape: Shape::new(1000), newest: 0 };
        let mut bytes = 0;
        for pushed in (0..1000).map(|nth| rows.push(nth)) {
            let Manifest { payload, digest, blobs, artifact_type, subject, annotations } =
                pushed.manifest;
            bytes += payload.len();
            let parsed = Parsed::parse(payload.as_bytes(), Some(images::MANIFEST)).unwrap();
            assert!(digest.hex().len() == 64 && parsed.states_media_type);
            assert_eq!(parsed.blobs().map(|blob| blob.digest).collect::<Vec<_>>(), blobs);
            assert_eq!(parsed.referrer_type(), Some(artifact_type));
            assert_eq!(parsed.subject.as_ref().map(|subject| subject.digest), subject);
            assert_eq!(serde_json::to_string(&parsed.annotations).unwrap(), annotations);
        }
        let mean = bytes / 1000;
        assert!((1100..1300).contains(&mean), "{mean} bytes");
    }

    #[test]
    fn events_tell_of_the_push() {
        let pushed = Rows { shape: Shape::new(1000), newest: 0 }.push(999);
        let [manifest, tag] = pushed.events().map(|(_, payload)| payload);
        let digest = pushed.manifest.digest.to_string();
        let expected = serde_json::json!({ "digest": digest, "by": "anonymous" });
        assert_eq!(manifest, expected.to_string());
        let expected = serde_json::json!({
            "tag": pushed.tag, "version": 1, "from": null, "to": digest, "by": "anonymous",
        });
        assert_eq!(tag, expected.to_string());
    }

    #[test]
    fn every_push_finds_what_it_needs_and_nothing_comes_twice() {
        let rows = Rows { shape: Shape::new(20_000), newest: 0 };
        let (mut held, mut tags, mut digests) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for nth in 0..20_000 {
            let Pushed { place, manifest, tag, new_blobs, .. } = rows.push(nth);
            let in_repository = |digest: Digest| (place.repository, digest);
            for blob in new_blobs {
                assert!(held.insert(in_repository(blob)), "{place:?} brings {blob} again");
            }
            for blob in &manifest.blobs {
                assert!(held.contains(&in_repository(*blob)), "{place:?} misses {blob}");
            }
            if let Some(subject) = manifest.subject {
                assert!(digests.contains(&subject), "{place:?} is about nothing");
            }
            assert!(digests.insert(manifest.digest), "{place:?} is there already");
            assert!(tags.insert((place.repository, tag)), "the tag of {place:?} is taken");
        }
    }

    #[test]
    fn the_referrers_of_a_subject_are_about_it() {
        for nth in [0, 8, 9, 25] {
            let about = manifest(subject(7, nth)).digest;
            let found: Vec<_> = referrers(7, nth).map(|place| manifest(place).subject).collect();
            assert_eq!(found, [Some(about); 3]);
        }
    }
}
