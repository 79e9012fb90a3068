//! The life of a blob, as a pure state machine: when it may be shared, given a key, marked, condemned, deleted, and its key used again.
//!
//! The transactions load facts, ask here, and write what is answered; `tests/blob_life` explores all orders in which they can meet.
//! The facts of one decision are of one snapshot, and of two transactions that write the same row the later one begins again: that is
//! all that is asked of a database.
//!
//! ```text
//!            a membership or an upload's claim went        grace, and nothing holds it         object deleted
//!   in use ───────────────────────────────────────▶ marked ───────────────────▶ condemned ───────────────▶ deleted ──▶ no row
//!      ▲                                              │                             │                         │
//!      └──────────────────────────────────────────────┘                             └────── a push of it goes to the next key
//!              a push or a mount takes the mark away
//! ```
//!
//! Beside that way, an incarnation whose object is not what its digest says is *quarantined*: nobody is given it any more, a push of the blob
//! goes to the next key, and its object is kept as evidence until an operator releases it. A repair is such a push, by which nobody comes to
//! hold the blob.

use std::time::Duration;

use wharf_oci::Digest;

use crate::blobs::ObjectKey;
use crate::clock::Timestamp;

/// How far an incarnation of a blob is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Somebody stopped holding it. Whether nobody does is looked at when the grace is over.
    Marked,
    /// Nobody holds it and nobody can: its object is about to be deleted.
    Condemned,
    /// Its object was deleted. The row stays while a delete that was sent may still land.
    Deleted,
    /// Its object is not what its digest says, or is not there. Whoever holds the blob holds nothing until it is pushed again; no collector
    /// takes the object.
    Quarantined,
}

/// A row of `blob_marks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// How far.
    pub stage: Stage,
    /// Since when, by the database's clock.
    pub since: Timestamp,
}

/// The incarnation of a digest that is in use, or was last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current {
    /// The key of its object.
    pub key: ObjectKey,
    /// Its mark, if it has one.
    pub mark: Option<Mark>,
    /// The highest incarnation of the digest that has a mark. A database that was restored may know of later ones than the current.
    pub highest_marked: Option<u32>,
}

/// What is to be done to a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MarkWrite {
    /// Its row goes.
    Clear(ObjectKey),
    /// Its row says this, since now. To all stages but [`Stage::Marked`] a row only moves on that is there: where it went meanwhile, the
    /// transaction begins again.
    Set(ObjectKey, Stage),
}

/// Where an upload's object goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Placement {
    /// The key.
    pub key: ObjectKey,
    /// Whether it is a new incarnation, which is to be recorded as the current one.
    pub is_new: bool,
    /// What is to be done to the mark.
    pub write: Option<MarkWrite>,
}

/// Makes somebody hold a blob whose object is in place: `None` where it is past saving, else what is to be done to its mark. Taking
/// the mark away is what stops a collector that condemns the blob meanwhile: both write one row.
pub fn hold(current: &Current) -> Option<Option<MarkWrite>> {
    match current.mark.map(|mark| mark.stage) {
        None => Some(None),
        Some(Stage::Marked) => Some(Some(MarkWrite::Clear(current.key))),
        Some(Stage::Condemned | Stage::Deleted | Stage::Quarantined) => None,
    }
}

/// Where an upload's object goes: to the current key, or to one that was never used where that one is about to be deleted or was just now.
/// So nobody waits for a delete, and one that lands late meets nothing that anybody holds.
///
/// With a new key the mark of the one before is written as it is: where that is forgotten meanwhile, and so used again, this begins again,
/// or it would take the blob from whoever pushed it there.
///
/// Where the current key is quarantined, repositories may hold the blob: it stays the current one until an upload ends. The new key is
/// marked meanwhile, so that it is remembered, and goes if that never comes.
pub fn place(current: &Current) -> Placement {
    let last = current.highest_marked.unwrap_or(0).max(current.key.incarnation);
    let next = ObjectKey { incarnation: last + 1, ..current.key };
    match (hold(current), current.mark) {
        (Some(write), _) => Placement { key: current.key, is_new: false, write },
        (None, Some(Mark { stage: Stage::Quarantined, .. })) => {
            let write = Some(MarkWrite::Set(next, Stage::Marked));
            Placement { key: next, is_new: false, write }
        }
        (None, mark) => {
            let write = mark.map(|mark| MarkWrite::Set(current.key, mark.stage));
            Placement { key: next, is_new: true, write }
        }
    }
}

/// How an upload ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Finish {
    /// Whether its key is recorded as the current one.
    pub is_new: bool,
    /// What is to be done to its mark.
    pub write: Option<MarkWrite>,
    /// What is to be done to the mark of the key whose place it takes.
    pub before: Option<MarkWrite>,
}

/// The object that an upload has put in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its key.
    pub key: ObjectKey,
    /// The mark of that key.
    pub mark: Option<Mark>,
    /// Whether the upload has that key reserved still.
    pub reserved: bool,
    /// Where that key is not the current one: whether a repository holds the blob.
    pub member: bool,
}

/// Ends an upload that has put its object in place: as [`hold`], and `None` where the reservation is lost or there is no key that can be held.
///
/// Where the current key is quarantined, the upload's takes its place; also where it was let go of since, by an operator who did not see the reservation.
/// The mark of the quarantined one is written as it is: where its object is found to be sound meanwhile, and its key may be reserved again, this begins
/// again, or nobody would let go of that.
///
/// Where another upload or a repair was first to do that, or the quarantined object was found to be sound, that one is held too: it is in place if a
/// repository holds it. What this upload has put in place goes then, as it is marked.
pub fn finish(current: &Current, placed: &Placed) -> Option<Finish> {
    if !placed.reserved {
        return None;
    }
    if let Some(Mark { stage, .. }) = current.mark.filter(|_| hold(current).is_none())
        && placed.mark.is_some_and(|mark| mark.stage == Stage::Marked)
    {
        return Some(Finish {
            is_new: true,
            write: Some(MarkWrite::Clear(placed.key)),
            before: Some(MarkWrite::Set(current.key, stage)),
        });
    }
    let write = hold(current).filter(|_| current.key == placed.key || placed.member)?;
    Some(Finish { is_new: false, write, before: None })
}

/// Ends a repair that has put a copy of a quarantined object in place: as [`finish`], where the quarantined one is the current one still.
///
/// Nobody comes to hold the blob by that, and whoever let go of it meanwhile has written the mark of the quarantined key. So the new one is
/// marked as of now: where it is held it is spared when the grace is over.
pub fn repair(current: &Current, placed: &Placed) -> Option<Finish> {
    let is_quarantined = current.mark.is_some_and(|mark| mark.stage == Stage::Quarantined);
    let finish = finish(current, placed).filter(|finish| finish.is_new && is_quarantined)?;
    let write = Some(MarkWrite::Set(placed.key, Stage::Marked));
    Some(Finish { write, ..finish })
}

/// Somebody stops holding a blob: a membership went, or an upload that had reserved a key for it. Whoever else holds it is not asked: two
/// who let go at once would each find the other. The moment is written anew each time, since the grace counts from the last who let go; of
/// what is quarantined, the grace after which it can be released.
pub fn let_go(current: &Current) -> Option<MarkWrite> {
    match current.mark.map(|mark| mark.stage) {
        Some(Stage::Quarantined) => Some(MarkWrite::Set(current.key, Stage::Quarantined)),
        _ => hold(current).map(|_| MarkWrite::Set(current.key, Stage::Marked)),
    }
}

/// An object was found in the store that no row explains. It is marked only, whatever it is; and not where its key has a mark. One that
/// says `deleted` would not any more that a delete may still land, and what was seen may be of before: what is there is found again
/// when the key is forgotten.
pub fn found(key: &ObjectKey, mark: Option<Mark>) -> Option<MarkWrite> {
    mark.is_none().then_some(MarkWrite::Set(*key, Stage::Marked))
}

/// Whether anything holds an incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holders {
    /// It is the current one of its digest, so that memberships are of it.
    pub is_current: bool,
    /// A repository holds the digest.
    pub member: bool,
    /// An upload has reserved a key of the digest.
    pub reserved: bool,
    /// An upload has reserved this very key: where it is not the current one, it may be when the upload ends.
    pub placed: bool,
}

/// Judges a marked incarnation: `None` while the grace lasts, or an upload may still make it the current one; else it is condemned, or spared where something holds it.
///
/// The grace is longer than any transaction, upload and move that could have begun before the mark was set, so that whatever they hold is seen.
pub fn judge(
    key: &ObjectKey,
    mark: &Mark,
    holders: &Holders,
    now: Timestamp,
    grace: Duration,
) -> Option<MarkWrite> {
    if mark.stage != Stage::Marked || mark.since > now.before(grace) {
        return None;
    }
    let held = holders.is_current && (holders.member || holders.reserved);
    if !held && holders.placed {
        return None;
    }
    Some(if held { MarkWrite::Clear(*key) } else { MarkWrite::Set(*key, Stage::Condemned) })
}

/// The store has confirmed that the object of a condemned incarnation is deleted. `None` where it is not condemned.
pub fn deleted(key: &ObjectKey, mark: Option<Mark>) -> Option<MarkWrite> {
    mark.is_some_and(|mark| mark.stage == Stage::Condemned)
        .then_some(MarkWrite::Set(*key, Stage::Deleted))
}

/// Forgets a deleted incarnation, whose key may then be used again, when no delete of it can land any more: `None` before. That is longer
/// than it can take from reading the key in a list of the condemned to the delete's landing.
pub fn forget(key: &ObjectKey, mark: &Mark, now: Timestamp, latest: Duration) -> Option<MarkWrite> {
    (mark.stage == Stage::Deleted && mark.since <= now.before(latest))
        .then_some(MarkWrite::Clear(*key))
}

/// The object of an incarnation was found to be corrupt, or not there: what is to be done to its mark, one after the other. `None` where it is
/// on its way out anyway, or quarantined already. Who holds it is not asked: it is of no use to anybody.
pub fn quarantine(key: &ObjectKey, mark: Option<Mark>) -> Option<[MarkWrite; 2]> {
    match mark.map(|mark| mark.stage) {
        None | Some(Stage::Marked) => {
            let set = |stage| MarkWrite::Set(*key, stage);
            Some([set(Stage::Marked), set(Stage::Quarantined)])
        }
        Some(Stage::Condemned | Stage::Deleted | Stage::Quarantined) => None,
    }
}

/// The object of a quarantined incarnation was read whole and is what its digest says. It is marked, since who let go of the blob meanwhile
/// could not; where it is held it is spared when the grace is over.
pub fn lift(key: &ObjectKey, mark: Option<Mark>) -> Option<MarkWrite> {
    mark.is_some_and(|mark| mark.stage == Stage::Quarantined)
        .then_some(MarkWrite::Set(*key, Stage::Marked))
}

/// An operator does not need a quarantined object any more: it goes like any other that nobody holds. `None` where it is not
/// quarantined; where the blob was not pushed again and repositories hold it, since the quarantine is what tells them, or an upload has
/// reserved it; and within the grace since it was quarantined or last let go of, in which a move to its key may land.
pub fn release(
    key: &ObjectKey,
    mark: Option<Mark>,
    holders: &Holders,
    now: Timestamp,
    grace: Duration,
) -> Option<MarkWrite> {
    let mark = mark.filter(|mark| mark.stage == Stage::Quarantined)?;
    let held = holders.placed || holders.is_current && (holders.member || holders.reserved);
    let waits = mark.since > now.before(grace);
    (!held && !waits).then_some(MarkWrite::Set(*key, Stage::Condemned))
}

/// What a sweep knows of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Whether a manifest of the repository needs the blob.
    pub needed: bool,
    /// When the repository was last given it, a push last named it, a pusher was told of it, or a manifest that needs it was deleted.
    pub touched_at: Timestamp,
}

/// What becomes of a membership when somebody deletes the blob from its repository by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It stays: this manifest needs the blob.
    Refused(Digest),
    /// It stays for what was deleted, and for nobody else: a manifest that can be brought back needs the blob. A sweep takes it later.
    Hidden,
    /// It goes.
    Gone,
}

/// Decides about a removal: which manifest of the repository needs the blob, if one does, and whether one does that was deleted and can be
/// brought back.
pub fn remove(needed_by: Option<Digest>, restorable: bool) -> Removal {
    match needed_by {
        Some(manifest) => Removal::Refused(manifest),
        None if restorable => Removal::Hidden,
        None => Removal::Gone,
    }
}

/// Whether a membership is touched as a pusher is told of it, who may count on it for three quarters of the grace then: one that is needed
/// outlasts the manifest by a grace, one that is younger has that much left, and whoever touches it *updates* it, as a push does.
pub fn renew(membership: &Membership, now: Timestamp, grace: Duration) -> bool {
    !membership.needed && membership.touched_at <= now.before(grace / 4)
}

/// Whether a sweep takes a membership away. A push that needs it *updates* it, so that the later of the two begins again.
pub fn sweep(membership: &Membership, now: Timestamp, grace: Duration) -> bool {
    !membership.needed && membership.touched_at <= now.before(grace)
}
