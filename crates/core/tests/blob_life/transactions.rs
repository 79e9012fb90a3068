//! The transactions of `wharf_metadata`, as far as they bear on one digest: they load the facts of their snapshot, ask
//! `wharf_core::blob_life`, and write what it answers. Each stands for the one of that name in `crates/metadata/src/transactions`.

use std::sync::LazyLock;
use std::time::Duration;

use wharf_core::blob_life::{
    self, Current, Holders, Mark, MarkWrite, Membership, Placed, Removal, Stage,
};
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::Timestamp;
use wharf_oci::{Algorithm, Digest};

use crate::guards::Guard;
use crate::rows::{INCARNATIONS, ManifestRow, Rows, Underway, UploadRow, Write};

const NOW: Timestamp = Timestamp(1_000_000_000);
const GRACE: Duration = Duration::from_secs(100);
static DIGEST: LazyLock<Digest> =
    LazyLock::new(|| Digest::from_hash(Algorithm::Sha256, &[7; 32]).expect("a digest"));

/// A snapshot that a transaction reads.
pub struct Snapshot<'a> {
    pub rows: &'a Rows,
    /// The guard that is taken away.
    pub without: Option<Guard>,
}

/// When a row was written: now, or so long ago that its grace is over.
fn moment(young: Underway) -> Timestamp {
    if young == 0 { NOW.before(GRACE) } else { NOW }
}

fn key(incarnation: u8) -> ObjectKey {
    ObjectKey { digest: *DIGEST, incarnation: incarnation.into() }
}

fn number(key: &ObjectKey) -> u8 {
    u8::try_from(key.incarnation).expect("few incarnations")
}

fn written(write: MarkWrite) -> Write {
    match write {
        MarkWrite::Clear(key) => Write::Mark(number(&key), None),
        MarkWrite::Set(key, stage) => Write::Mark(number(&key), Some(stage)),
    }
}

impl Snapshot<'_> {
    fn has(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    fn grace(&self, guard: Guard) -> Duration {
        if self.has(guard) { GRACE } else { Duration::ZERO }
    }

    fn mark(&self, incarnation: u8) -> Option<Mark> {
        self.rows.marks[usize::from(incarnation)]
            .map(|row| Mark { stage: row.stage, since: moment(row.young) })
    }

    /// The mark, as of a stage that a decision expects, where it does not ask for that.
    fn mark_taken_for(&self, incarnation: u8, stage: Stage, guard: Guard) -> Option<Mark> {
        let mark = self.mark(incarnation)?;
        Some(if self.has(guard) { mark } else { Mark { stage, ..mark } })
    }

    /// An upload that is open.
    fn open(&self, upload: usize) -> Option<UploadRow> {
        let all = !self.has(Guard::ExpiredUploadIsOver);
        self.rows.uploads[upload].filter(|row| all || !row.expired)
    }

    /// `marks::current`
    fn current(&self) -> Current {
        let marked = (0_u32..).zip(&self.rows.marks).filter(|(_, mark)| mark.is_some());
        Current {
            key: key(self.rows.incarnation),
            mark: self.mark(self.rows.incarnation),
            highest_marked: marked.map(|(incarnation, _)| incarnation).max(),
        }
    }

    /// The facts by which somebody begins to hold the blob.
    fn current_to_hold(&self) -> Current {
        let mut current = self.current();
        if !self.has(Guard::CondemnedIsPastSaving) {
            current.mark = current.mark.map(|mark| Mark { stage: Stage::Marked, ..mark });
        }
        current
    }

    fn holding(&self, write: Option<MarkWrite>) -> Option<Write> {
        write.filter(|_| self.has(Guard::HoldingTakesTheMark)).map(written)
    }

    /// `memberships::let_go`
    fn let_go(&self) -> Option<Write> {
        let current = self.current();
        let write = blob_life::let_go(&current).map(written)?;
        if current.mark.is_some() && !self.has(Guard::LettingGoWrites) {
            return None;
        }
        if current.mark.is_some() && !self.has(Guard::LettingGoSetsTheMoment) {
            return Some(Write::MarkAsItWas(self.rows.incarnation));
        }
        Some(write)
    }

    /// As [`let_go`](Self::let_go), of a repository.
    fn membership_goes(&self, repository: usize) -> Vec<Write> {
        let others = (0..).zip(&self.rows.memberships).filter(|(other, _)| *other != repository);
        let seen = others.filter(|(_, membership)| membership.is_some()).count();
        let mark =
            if seen > 0 && !self.has(Guard::LettingGoAsksNobody) { None } else { self.let_go() };
        [Write::Membership(repository, None)].into_iter().chain(mark).collect()
    }

    /// `ReserveBlob`: the key, and what is written. Nothing where the upload is over.
    pub fn reserve(&self, upload: usize) -> Option<(u8, Vec<Write>)> {
        self.open(upload)?;
        let mut current = self.current();
        if !self.has(Guard::CondemnedKeyIsLeft) && blob_life::hold(&current).is_none() {
            current.mark = None;
        }
        if !self.has(Guard::NewKeyWasNeverMarked) {
            current.highest_marked = None;
        }
        let placement = blob_life::place(&current);
        let incarnation = number(&placement.key);
        let mut writes = vec![Write::Reserve(upload, incarnation)];
        if placement.is_new {
            let mark = placement.write.filter(|_| self.has(Guard::NewKeyWritesTheMark));
            writes.extend(mark.map(written));
            writes.push(Write::Incarnation(incarnation));
        } else {
            if placement.key != current.key && !self.has(Guard::QuarantinedStaysCurrent) {
                writes.push(Write::Incarnation(incarnation));
            }
            writes.extend(self.holding(placement.write));
        }
        Some((incarnation, writes))
    }

    /// `FinishUpload`: what is written, and whether the repository holds the blob then.
    pub fn finish(&self, upload: usize, repository: usize, placed: u8) -> (Vec<Write>, bool) {
        let open = self.open(upload);
        let reserved = open.is_some_and(|row| row.reserved == Some(placed));
        let reserved = reserved || !self.has(Guard::FinishSeesReservation);
        let current = self.current_to_hold();
        let placed =
            if self.has(Guard::FinishSeesTheIncarnation) { key(placed) } else { current.key };
        let mark = u8::try_from(placed.incarnation).ok().and_then(|placed| self.mark(placed));
        let member = self.rows.is_member() || !self.has(Guard::FinishSeesMembers);
        let facts = Placed { key: placed, mark, reserved, member };
        let Some(finish) = blob_life::finish(&current, &facts) else {
            if open.is_none() || !reserved {
                return (Vec::new(), false);
            }
            let let_go = self.let_go().filter(|_| self.has(Guard::EndedUploadLetsGo));
            return ([Write::Unreserve(upload)].into_iter().chain(let_go).collect(), false);
        };
        let mut writes = vec![Write::EndUpload(upload), Write::Add(repository)];
        if finish.is_new {
            writes.push(Write::Incarnation(number(&placed)));
        }
        writes.extend(self.holding(finish.write));
        writes.extend(self.before(finish.before));
        (writes, true)
    }

    /// `FinishRepair`
    pub fn repair(&self, upload: usize, placed: u8) -> Vec<Write> {
        let open = self.open(upload);
        let reserved = open.is_some_and(|row| row.reserved == Some(placed));
        let current = self.current();
        let mark = self.mark(placed);
        let facts = Placed { key: key(placed), mark, reserved, member: self.rows.is_member() };
        let Some(finish) = blob_life::repair(&current, &facts) else {
            let ends = [Write::Unreserve(upload)].into_iter().chain(self.let_go());
            return ends.filter(|_| reserved).collect();
        };
        let mark = match finish.write {
            Some(_) if !self.has(Guard::RepairedIsMarked) => Some(Write::Mark(placed, None)),
            write => write.map(written),
        };
        let writes = [Write::EndUpload(upload), Write::Incarnation(placed)];
        writes.into_iter().chain(mark).chain(self.before(finish.before)).collect()
    }

    /// The mark of the quarantined key whose place another one takes.
    fn before(&self, write: Option<MarkWrite>) -> Option<Write> {
        write.filter(|_| self.has(Guard::QuarantinedIsWrittenAgain)).map(written)
    }

    /// `uploads::Cancel`
    pub fn cancel(&self, upload: usize) -> Option<Vec<Write>> {
        let row = self.rows.uploads[upload]?;
        let mut writes = vec![Write::EndUpload(upload)];
        if row.reserved.is_some() && self.has(Guard::EndedUploadLetsGo) {
            writes.extend(self.let_go());
        }
        Some(writes)
    }

    /// `MountBlob`
    pub fn mount(&self, from: usize, to: usize) -> Option<Vec<Write>> {
        self.rows.served(from)?;
        let write = blob_life::hold(&self.current_to_hold())?;
        let mut writes = vec![Write::Add(to)];
        writes.extend(self.holding(write));
        Some(writes)
    }

    /// `KeepBlob`. A grace is young or over here: whatever is not needed is older than a quarter of one.
    pub fn keep(&self, repository: usize) -> Option<Vec<Write>> {
        let row = self.rows.served(repository)?;
        let touched_at = moment(row.young).before(GRACE / 2);
        let membership = Membership { needed: row.needed, touched_at };
        let touches = blob_life::renew(&membership, NOW, GRACE) && self.has(Guard::TellingTouches);
        Some(touches.then_some(Write::Membership(repository, Some(false))).into_iter().collect())
    }

    /// `CommitManifest`
    pub fn commit(&self, repository: usize, manifest: usize) -> Option<Vec<Write>> {
        if self.has(Guard::CommitSeesMemberships) {
            self.rows.served(repository)?;
        }
        let mut writes = vec![Write::Hold(repository, manifest)];
        if self.has(Guard::CommitUpdates) && self.rows.memberships[repository].is_some() {
            writes.push(Write::Membership(repository, Some(true)));
        }
        Some(writes)
    }

    /// `DeleteManifest`, and what else takes a manifest away (`trash::Deletion`).
    pub fn delete(&self, repository: usize, manifest: usize) -> Option<Vec<Write>> {
        if self.rows.manifests[repository][manifest] != ManifestRow::Held {
            return None;
        }
        let others = (0..).zip(&self.rows.manifests[repository]).filter(|(m, _)| *m != manifest);
        let needed = others.filter(|(_, row)| **row == ManifestRow::Held).count() > 0;
        let mut writes = vec![Write::Delete(repository, manifest)];
        // Without this guard the row is updated where the deletion is the last, by what it saw: that is, too late.
        if self.rows.memberships[repository].is_some()
            && (self.has(Guard::DeletionUpdates) || !needed)
        {
            writes.push(Write::Membership(repository, Some(needed)));
        }
        Some(writes)
    }

    /// Brings a manifest back: a push without the bytes.
    pub fn restore(&self, repository: usize, manifest: usize) -> Option<Vec<Write>> {
        let row = self.rows.manifests[repository][manifest];
        if !matches!(row, ManifestRow::Deleted { .. }) {
            return None;
        }
        let is_member = self.rows.memberships[repository].is_some();
        if !is_member && self.has(Guard::RestoreSeesMemberships) {
            return None;
        }
        let mut writes = vec![Write::Hold(repository, manifest)];
        if self.has(Guard::RestoreUpdates) && is_member {
            writes.push(Write::Membership(repository, Some(true)));
        }
        Some(writes)
    }

    /// `RemoveBlob`
    pub fn remove(&self, repository: usize) -> Option<Vec<Write>> {
        self.rows.served(repository)?;
        let needed = self.rows.is_needed(repository) && self.has(Guard::RemovalSeesManifests);
        let restorable =
            self.rows.is_restorable(repository) && self.has(Guard::RemovalSeesTheTrash);
        match blob_life::remove(needed.then_some(*DIGEST), restorable) {
            Removal::Refused(_) => None,
            Removal::Hidden => Some(vec![Write::Hide(repository)]),
            Removal::Gone => Some(self.membership_goes(repository)),
        }
    }

    /// `sweep::Sweep`, of one repository.
    pub fn sweep(&self, repository: usize) -> Option<Vec<Write>> {
        let row = self.rows.memberships[repository]?;
        let needed = row.needed || self.rows.is_needed(repository);
        let needed = needed && self.has(Guard::SweepSeesManifests);
        let membership = Membership { needed, touched_at: moment(row.young) };
        blob_life::sweep(&membership, NOW, self.grace(Guard::SweepWaits))
            .then(|| self.membership_goes(repository))
    }

    /// `trash::Empty`, of one manifest.
    pub fn empty_trash(&self, repository: usize, manifest: usize) -> Option<Vec<Write>> {
        (self.rows.manifests[repository][manifest] == ManifestRow::Deleted { young: 0 })
            .then(|| vec![Write::Forget(repository, manifest)])
    }

    /// `blobs::Condemn`, of one incarnation.
    pub fn condemn(&self, incarnation: u8) -> Option<Vec<Write>> {
        let is_current = incarnation == self.rows.incarnation;
        let holders = Holders {
            is_current: is_current || !self.has(Guard::JudgeSeesTheIncarnation),
            member: self.rows.is_member() && self.has(Guard::JudgeSeesMemberships),
            reserved: self.rows.is_reserved() && self.has(Guard::JudgeSeesReservations),
            placed: self.rows.has_reserved(incarnation)
                && self.has(Guard::JudgeSeesReservations)
                && self.has(Guard::JudgeSeesThePlaced),
        };
        let (mark, grace) = (self.mark(incarnation)?, self.grace(Guard::JudgeWaits));
        let write = blob_life::judge(&key(incarnation), &mark, &holders, NOW, grace)?;
        Some(vec![written(write)])
    }

    /// `blobs::Condemned`: the keys whose objects are to be deleted.
    pub fn condemned(&self) -> Vec<u8> {
        let keys = 0..INCARNATIONS as u8;
        keys.filter(|key| self.mark(*key).is_some_and(|m| m.stage == Stage::Condemned)).collect()
    }

    /// `blobs::Confirm`, of one key.
    pub fn confirm(&self, incarnation: u8) -> Option<Vec<Write>> {
        let guard = Guard::DeletedWasCondemned;
        let mark = self.mark_taken_for(incarnation, Stage::Condemned, guard);
        let write = blob_life::deleted(&key(incarnation), mark)?;
        Some(vec![written(write)])
    }

    /// `blobs::Forget`, of one key.
    pub fn forget(&self, incarnation: u8) -> Option<Vec<Write>> {
        let latest = self.grace(Guard::ForgettingWaits);
        let guard = Guard::ForgottenWasDeleted;
        let mark = self.mark_taken_for(incarnation, Stage::Deleted, guard)?;
        let write = blob_life::forget(&key(incarnation), &mark, NOW, latest)?;
        Some(vec![written(write)])
    }

    /// `quarantine::Quarantine`, of the current incarnation.
    pub fn quarantine(&self) -> Option<Vec<Write>> {
        let current = self.current();
        let writes = blob_life::quarantine(&current.key, current.mark)?;
        self.rows.is_member().then(|| writes.map(written).to_vec())
    }

    /// `quarantine::Sound`, of the first incarnation.
    pub fn lift(&self) -> Option<Vec<Write>> {
        let current = self.current();
        let (number, guard) = (self.rows.incarnation, Guard::SoundWasQuarantined);
        let mark = self.mark_taken_for(number, Stage::Quarantined, guard);
        let write = blob_life::lift(&current.key, mark)?;
        (self.rows.incarnation == 0).then(|| vec![written(write)])
    }

    /// `quarantine::Release`, of the first incarnation.
    pub fn release(&self) -> Option<Vec<Write>> {
        let holders = Holders {
            is_current: self.rows.incarnation == 0,
            member: self.rows.is_member() && self.has(Guard::ReleaseSeesMemberships),
            reserved: self.rows.is_reserved() && self.has(Guard::ReleaseSeesReservations),
            placed: self.rows.has_reserved(0) && self.has(Guard::ReleaseSeesReservations),
        };
        let grace = self.grace(Guard::ReleaseWaits);
        let write = blob_life::release(&key(0), self.mark(0), &holders, NOW, grace)?;
        Some(vec![written(write)])
    }

    /// `blobs::Found`, of one object.
    pub fn found(&self, incarnation: u8) -> Option<Vec<Write>> {
        let mut mark = self.mark(incarnation);
        if !self.has(Guard::FoundLeavesDeletedKeys) {
            mark = mark.filter(|mark| mark.stage != Stage::Deleted);
        }
        let write = blob_life::found(&key(incarnation), mark)?;
        Some(vec![written(write)])
    }
}
