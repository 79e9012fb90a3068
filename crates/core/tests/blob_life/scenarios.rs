//! The scenarios: what there is at the start, and who meets whom.

use wharf_core::blob_life::Stage;

use crate::life::Life;
use crate::rows::{ManifestRow, MarkRow, MembershipRow, Rows, UploadRow};
use crate::state::Role;

/// Nobody does anything, and a collector looks on.
fn quiet() -> Life {
    Life {
        rows: Rows::new(),
        objects: 0,
        roles: Vec::new(),
        collectors: 1,
        faults: 0,
        old_listings: 0,
        moves_are_prompt: true,
        without: None,
    }
}

impl Life {
    /// The same with more that may go wrong: two collectors; and one more process that dies, where moves that are late are not enough.
    pub fn in_full(self) -> Self {
        let faults = self.faults + u8::from(self.moves_are_prompt);
        Self { collectors: 2, faults, ..self }
    }

    /// So many uploads have begun.
    fn uploads(mut self, count: usize) -> Self {
        for row in self.rows.uploads.iter_mut().take(count) {
            *row = Some(UploadRow { expired: false, reserved: None });
        }
        self
    }

    /// A repository holds the blob, and these manifests that need it.
    fn held(mut self, repository: usize, manifests: &[usize]) -> Self {
        self.objects = 1;
        let needed = !manifests.is_empty();
        self.rows.memberships[repository] =
            Some(MembershipRow { needed, removed: false, young: 0 });
        for manifest in manifests {
            self.rows.manifests[repository][*manifest] = ManifestRow::Held;
        }
        self
    }

    /// The object is at the first key, and nobody holds it.
    fn let_go(mut self, stage: Stage) -> Self {
        self.objects = 1;
        self.rows.marks[0] = Some(MarkRow { stage, young: 0 });
        self
    }

    fn roles(mut self, roles: &[Role]) -> Self {
        self.roles = roles.to_vec();
        self
    }
}

const PUSH: Role = Role::Push { upload: 0, repository: 0, manifest: 0 };
const OTHER_PUSH: Role = Role::Push { upload: 1, repository: 1, manifest: 0 };

/// Two push a blob that was never there; a process dies.
pub fn two_pushes() -> Life {
    Life { faults: 1, ..quiet().uploads(2).roles(&[PUSH, OTHER_PUSH]) }
}

/// An upload is cancelled while it is pushed, and another one meets it.
pub fn cancelled_push() -> Life {
    quiet().uploads(2).roles(&[PUSH, OTHER_PUSH, Role::Cancel { upload: 0 }])
}

/// As [`cancelled_push`], where a process may sleep for days before its move is sent, and a move lands when it likes.
pub fn late_moves() -> Life {
    Life { moves_are_prompt: false, ..cancelled_push() }
}

/// Two push a blob that is about to be deleted.
pub fn pushes_of_a_condemned_blob() -> Life {
    quiet().let_go(Stage::Condemned).uploads(2).roles(&[PUSH, OTHER_PUSH])
}

/// One pushes a blob that is about to be deleted by two collectors.
pub fn two_collectors_and_a_push() -> Life {
    let start = quiet().let_go(Stage::Condemned).uploads(1).roles(&[PUSH]);
    Life { collectors: 2, ..start }
}

/// The same, and an old listing says that the object is there; and moves may be late.
pub fn old_listing_and_a_push() -> Life {
    Life { old_listings: 1, moves_are_prompt: false, ..two_collectors_and_a_push() }
}

/// The same in a database that was restored, and knows of a condemned key that is later than the current one.
pub fn push_beside_a_later_key() -> Life {
    let mut start = quiet().let_go(Stage::Condemned).uploads(1).roles(&[PUSH]);
    start.rows.marks[1] = start.rows.marks[0];
    start.objects = 0b11;
    start
}

/// One pushes a blob whose mark is old.
pub fn push_of_a_marked_blob() -> Life {
    let start = quiet().let_go(Stage::Marked).uploads(1).roles(&[PUSH]);
    Life { collectors: 2, faults: 1, ..start }
}

/// The blob is mounted from a repository that removes it.
pub fn mount_and_removal() -> Life {
    let mount = Role::Mount { from: 0, to: 1, manifest: 0 };
    let start = quiet().held(0, &[]).roles(&[mount, Role::Remove { repository: 0 }]);
    Life { collectors: 2, faults: 1, ..start }
}

/// The blob is mounted from a repository where the last manifest that needs it is deleted and brought back.
pub fn mount_and_deletion() -> Life {
    let mount = Role::Mount { from: 0, to: 1, manifest: 0 };
    let delete = Role::Delete { repository: 0, manifest: 0 };
    let restore = Role::Restore { repository: 0, manifest: 0 };
    Life { faults: 1, ..quiet().held(0, &[0]).roles(&[mount, delete, restore]) }
}

/// The last two manifests that need the blob are deleted at once, and one is brought back.
pub fn two_deletions() -> Life {
    let delete = |manifest| Role::Delete { repository: 0, manifest };
    let restore = Role::Restore { repository: 0, manifest: 1 };
    Life { faults: 1, ..quiet().held(0, &[0, 1]).roles(&[delete(0), delete(1), restore]) }
}

/// A manifest is committed while the only other one that needs the blob is deleted, and the blob is removed.
pub fn commit_and_deletion() -> Life {
    let commit = Role::Commit { repository: 0, manifest: 1 };
    let delete = Role::Delete { repository: 0, manifest: 0 };
    let remove = Role::Remove { repository: 0 };
    Life { collectors: 2, ..quiet().held(0, &[0]).roles(&[commit, delete, remove]) }
}

/// One is told of a blob that nothing needs, another one of a blob while the only manifest that needs it is deleted; both push.
pub fn look_and_deletion() -> Life {
    let look = |repository| Role::Look { repository, manifest: 1 };
    let delete = Role::Delete { repository: 1, manifest: 0 };
    let start = quiet().held(0, &[]).held(1, &[0]);
    Life { faults: 1, ..start.roles(&[look(0), look(1), delete]) }
}

/// The only manifest that needs the blob is deleted and brought back, the blob is removed, and another push goes on.
pub fn deletion_and_removal() -> Life {
    let delete = Role::Delete { repository: 0, manifest: 0 };
    let restore = Role::Restore { repository: 0, manifest: 0 };
    let remove = Role::Remove { repository: 0 };
    quiet().held(0, &[0]).uploads(2).roles(&[delete, restore, remove, OTHER_PUSH])
}

/// Two repositories remove the blob at once.
pub fn two_removals() -> Life {
    let remove = |repository| Role::Remove { repository };
    let commit = Role::Commit { repository: 1, manifest: 0 };
    let start = quiet().held(0, &[]).held(1, &[]);
    Life { collectors: 2, ..start.roles(&[remove(0), remove(1), commit]) }
}

/// An object that no row explains, at a key that is the current one, and at another one of a blob that is held.
pub fn found_objects() -> Life {
    let mut start = quiet().held(0, &[]).uploads(1).roles(&[
        Role::Push { upload: 0, repository: 1, manifest: 0 },
        Role::Commit { repository: 0, manifest: 0 },
    ]);
    start.rows.incarnation = 1;
    start.objects = 0b11;
    Life { moves_are_prompt: false, ..start }
}

/// A blob that a repository holds is in quarantine, and two push it.
pub fn pushes_of_a_quarantined_blob() -> Life {
    let start = quiet().held(1, &[1]).let_go(Stage::Quarantined).uploads(2);
    start.roles(&[PUSH, Role::Push { upload: 1, repository: 0, manifest: 0 }])
}

/// One pushes a blob that is in quarantine, and one mounts it, while it is found to be sound.
pub fn quarantine_and_lift() -> Life {
    let mount = Role::Mount { from: 1, to: 0, manifest: 0 };
    let start = quiet().held(1, &[]).let_go(Stage::Quarantined).uploads(1);
    start.roles(&[Role::Push { upload: 0, repository: 0, manifest: 1 }, mount, Role::Lift])
}

/// A blob that a repository holds is in quarantine, and is repaired, pushed, and removed by who holds it.
pub fn repair_and_push() -> Life {
    let start = quiet().held(1, &[]).let_go(Stage::Quarantined).uploads(2);
    let repair = Role::Repair { upload: 1 };
    start.roles(&[PUSH, repair, Role::Remove { repository: 1 }])
}

/// One pushes a blob whose mark is old, and another one found its object to be sound.
pub fn lift_and_push() -> Life {
    quiet().let_go(Stage::Marked).uploads(1).roles(&[PUSH, Role::Lift])
}

/// Two push a blob that is in quarantine, while it is found to be sound.
pub fn pushes_and_lift() -> Life {
    let start = quiet().held(1, &[1]).let_go(Stage::Quarantined).uploads(2);
    start.roles(&[PUSH, Role::Push { upload: 1, repository: 0, manifest: 0 }, Role::Lift])
}

/// Two repair a blob that is in quarantine, while it is found to be sound.
pub fn repairs_and_lift() -> Life {
    let start = quiet().held(1, &[0]).let_go(Stage::Quarantined).uploads(2);
    start.roles(&[Role::Repair { upload: 0 }, Role::Repair { upload: 1 }, Role::Lift])
}

/// A blob is quarantined while one pushes it and another removes it, and released.
pub fn quarantine_and_release() -> Life {
    let start = quiet().held(1, &[]).uploads(1);
    start.roles(&[PUSH, Role::Quarantine, Role::Remove { repository: 1 }, Role::Release])
}

/// A blob that a repository holds is in quarantine and is mounted, and an operator wants to release it.
pub fn mount_of_a_quarantined_blob() -> Life {
    let mount = Role::Mount { from: 1, to: 0, manifest: 0 };
    let start = quiet().held(1, &[0]).let_go(Stage::Quarantined);
    Life { faults: 1, ..start.roles(&[mount, Role::Release]) }
}
