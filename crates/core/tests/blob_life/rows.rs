//! The model's database: the rows that bear on one digest, and what a transaction writes of them.

use wharf_core::blob_life::Stage;

/// How many keys the digest can have.
pub const INCARNATIONS: usize = 4;
/// How many repositories there are.
pub const REPOSITORIES: usize = 2;
/// How many manifests there are, all of which need the blob.
pub const MANIFESTS: usize = 2;
/// How many uploads there are.
pub const UPLOADS: usize = 2;

/// What was under way when a row was written, and still is: a bit for each transaction, move and delete. The row's grace is over when
/// nothing is left of it; that is all that the model knows of time.
pub type Underway = u16;

/// A row of `blob_marks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarkRow {
    pub stage: Stage,
    pub young: Underway,
}

/// A row of `repository_blobs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MembershipRow {
    pub needed: bool,
    /// Somebody deleted the blob by hand, and the row is kept for what is in the trash.
    pub removed: bool,
    pub young: Underway,
}

/// A manifest in a repository: in `repository_manifests`, in `deleted_manifests`, or in neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ManifestRow {
    Absent,
    Held,
    Deleted { young: Underway },
}

/// A row of `uploads`, with the key that it has in `blob_reservations`. They are one row here, as a key of the one is in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UploadRow {
    pub expired: bool,
    pub reserved: Option<u8>,
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rows {
    /// The row of `blob_incarnations`.
    pub incarnation: u8,
    pub marks: [Option<MarkRow>; INCARNATIONS],
    pub uploads: [Option<UploadRow>; UPLOADS],
    pub memberships: [Option<MembershipRow>; REPOSITORIES],
    pub manifests: [[ManifestRow; MANIFESTS]; REPOSITORIES],
}

/// What a transaction writes, "now" being when it commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    Mark(u8, Option<Stage>),
    /// The mark's row is written, and keeps its age: only where a guard is taken away.
    MarkAsItWas(u8),
    Incarnation(u8),
    Reserve(usize, u8),
    Unreserve(usize),
    EndUpload(usize),
    /// A membership is added, or is touched where there is one.
    Add(usize),
    /// A membership that is there is touched and says whether it is needed; or it goes.
    Membership(usize, Option<bool>),
    /// A membership that is there is hidden.
    Hide(usize),
    Hold(usize, usize),
    Delete(usize, usize),
    Forget(usize, usize),
}

/// What of the things that are under way a row waits for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ages {
    /// What a grace is longer than.
    pub grace: Underway,
    /// What a deleted key is remembered for.
    pub latest: Underway,
}

impl Write {
    /// Whether a transaction that is to write this begins again since another one has written `other` meanwhile: it does where both write
    /// one row. But what is inserted where there is nothing (an upsert) does not find out that there was a row, which is gone now.
    pub fn begins_again(&self, other: &Self, moves_marks: bool) -> bool {
        let upsert = match self {
            Self::Add(_) | Self::Mark(_, Some(Stage::Marked)) | Self::MarkAsItWas(_) => true,
            Self::Mark(_, Some(_)) => !moves_marks,
            _ => false,
        };
        let gone = matches!(other, Self::Mark(_, None) | Self::Membership(_, None));
        self.row() == other.row() && !(upsert && gone)
    }

    /// The number of the row that it writes.
    fn row(&self) -> usize {
        match *self {
            Self::Mark(incarnation, _) | Self::MarkAsItWas(incarnation) => usize::from(incarnation),
            Self::Incarnation(_) => 8,
            Self::Reserve(upload, _) | Self::Unreserve(upload) | Self::EndUpload(upload) => {
                9 + upload
            }
            Self::Add(repository) | Self::Membership(repository, _) | Self::Hide(repository) => {
                12 + repository
            }
            Self::Hold(repository, manifest)
            | Self::Delete(repository, manifest)
            | Self::Forget(repository, manifest) => 16 + repository * MANIFESTS + manifest,
        }
    }
}

impl Rows {
    /// Nothing is known of the digest; the uploads have begun.
    pub fn new() -> Self {
        Self {
            incarnation: 0,
            marks: [None; INCARNATIONS],
            uploads: [None; UPLOADS],
            memberships: [None; REPOSITORIES],
            manifests: [[ManifestRow::Absent; MANIFESTS]; REPOSITORIES],
        }
    }

    /// Whether a manifest of the repository needs the blob.
    pub fn is_needed(&self, repository: usize) -> bool {
        self.manifests[repository].contains(&ManifestRow::Held)
    }

    /// The membership, for whoever asks: one that is hidden is none.
    pub fn served(&self, repository: usize) -> Option<MembershipRow> {
        self.memberships[repository].filter(|row| !row.removed)
    }

    /// Whether a manifest that needs the blob can be brought back.
    pub fn is_restorable(&self, repository: usize) -> bool {
        let manifests = self.manifests[repository].iter();
        manifests.filter(|manifest| matches!(manifest, ManifestRow::Deleted { .. })).count() > 0
    }

    /// Whether a repository holds the blob.
    pub fn is_member(&self) -> bool {
        self.memberships.iter().any(Option::is_some)
    }

    /// Whether an upload has reserved a key.
    pub fn is_reserved(&self) -> bool {
        self.uploads.iter().flatten().any(|upload| upload.reserved.is_some())
    }

    /// Whether an upload has reserved this key.
    pub fn has_reserved(&self, key: u8) -> bool {
        self.uploads.iter().flatten().any(|upload| upload.reserved == Some(key))
    }

    /// Does what a transaction wrote.
    pub fn apply(&mut self, write: Write, ages: Ages) {
        match write {
            Write::Mark(incarnation, stage) => {
                self.marks[usize::from(incarnation)] = stage.map(|stage| MarkRow {
                    stage,
                    young: match stage {
                        Stage::Marked | Stage::Quarantined => ages.grace,
                        Stage::Condemned => 0,
                        Stage::Deleted => ages.latest,
                    },
                });
            }
            Write::MarkAsItWas(incarnation) => {
                self.marks[usize::from(incarnation)]
                    .get_or_insert(MarkRow { stage: Stage::Marked, young: ages.grace });
            }
            Write::Incarnation(incarnation) => self.incarnation = incarnation,
            Write::Reserve(upload, incarnation) => {
                self.uploads[upload].as_mut().expect("an upload").reserved = Some(incarnation);
            }
            Write::Unreserve(upload) => {
                self.uploads[upload].as_mut().expect("an upload").reserved = None;
            }
            Write::EndUpload(upload) => self.uploads[upload] = None,
            Write::Add(repository) => {
                let needed = self.memberships[repository].is_some_and(|row| row.needed);
                self.memberships[repository] =
                    Some(MembershipRow { needed, removed: false, young: ages.grace });
            }
            Write::Membership(repository, needed) => {
                let row = |needed| MembershipRow { needed, removed: false, young: ages.grace };
                self.memberships[repository] = needed.map(row);
            }
            Write::Hide(repository) => {
                self.memberships[repository].as_mut().expect("a membership").removed = true;
            }
            Write::Hold(repository, manifest) => {
                self.manifests[repository][manifest] = ManifestRow::Held;
            }
            Write::Delete(repository, manifest) => {
                self.manifests[repository][manifest] = ManifestRow::Deleted { young: ages.grace };
            }
            Write::Forget(repository, manifest) => {
                self.manifests[repository][manifest] = ManifestRow::Absent;
            }
        }
    }

    /// What is not under way any more makes nothing young.
    pub fn settle(&mut self, underway: Underway) {
        let marks = self.marks.iter_mut().flatten().map(|mark| &mut mark.young);
        let memberships = self.memberships.iter_mut().flatten().map(|held| &mut held.young);
        let deleted = self.manifests.iter_mut().flatten().filter_map(|manifest| match manifest {
            ManifestRow::Deleted { young } => Some(young),
            ManifestRow::Absent | ManifestRow::Held => None,
        });
        for young in marks.chain(memberships).chain(deleted) {
            *young &= underway;
        }
    }
}
