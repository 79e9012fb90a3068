//! What there is besides the database: processes, what they have sent, the object store; and what may happen to it.

use crate::rows::{Rows, Write};

/// Somebody who does a few things one after the other.
#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// Ends an upload, which begun before, and commits a manifest.
    Push { upload: usize, repository: usize, manifest: usize },
    /// Mounts the blob from another repository, and commits a manifest.
    Mount { from: usize, to: usize, manifest: usize },
    /// Commits a manifest that needs the blob.
    Commit { repository: usize, manifest: usize },
    /// Is told that a repository holds the blob, and commits a manifest within three quarters of the grace.
    Look { repository: usize, manifest: usize },
    /// Deletes a manifest.
    Delete { repository: usize, manifest: usize },
    /// Brings a deleted manifest back.
    Restore { repository: usize, manifest: usize },
    /// Removes the blob from a repository.
    Remove { repository: usize },
    /// Cancels an upload.
    Cancel { upload: usize },
    /// Finds that the object of the current key is damaged.
    Quarantine,
    /// Finds that the object of the first key is sound.
    Lift,
    /// Copies what the object of the current key should be to another key.
    Repair { upload: usize },
    /// Releases the object of the first key.
    Release,
}

/// How far somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Start,
    /// The upload has reserved a key.
    Reserved(u8),
    /// The move into place was sent.
    Moving,
    /// The store has said that the object is at the key.
    Placed(u8),
    /// The repository was said to hold the blob.
    Held,
    /// It was told that the repository holds the blob, and counts on that.
    Told,
    /// All is done, was refused, or its process died.
    Done,
}

/// A transaction that is open: what it writes when it commits, as it has decided by its snapshot. One that writes what another wrote
/// meanwhile begins again, which is as if it had not begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Open<T> {
    pub writes: Vec<Write>,
    /// Where it leaves who has it.
    pub then: T,
}

/// Somebody's process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Script {
    pub phase: Phase,
    pub open: Option<Open<Phase>>,
    /// The key that a move is under way to, whether anybody waits for it or not.
    pub moving: Option<u8>,
}

/// A delete of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deleting {
    Nothing,
    /// The key was read from the list of the condemned.
    Listed(u8),
    /// The delete was sent; whether the collector still waits for the reply.
    Sent(u8, bool),
    /// The store has said that the object is gone.
    Gone(u8),
}

/// A collector. One that dies begins anew from the rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Collector {
    /// `then` says whether its delete is over with that.
    pub open: Option<Open<bool>>,
    pub deleting: Deleting,
}

impl Collector {
    /// It is done with its delete, which may land yet where it was sent.
    pub fn waits_no_longer(&mut self) {
        self.deleting = match self.deleting {
            Deleting::Sent(key, _) => Deleting::Sent(key, false),
            _ => Deleting::Nothing,
        };
    }
}

/// All there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub rows: Rows,
    /// The objects in the store: a bit for each key.
    pub objects: u8,
    pub scripts: Vec<Script>,
    pub collectors: Vec<Collector>,
    /// How many processes may die yet, or try again.
    pub faults: u8,
    /// How many objects may be said to be found yet that are known, or are not there any more.
    pub old_listings: u8,
}

/// A transaction of a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Sweep(usize),
    Condemn(u8),
    Confirm(u8),
    Forget(u8),
    EmptyTrash(usize, usize),
    EndUpload(usize),
    /// An object that no row explains.
    Found(u8),
    /// An object of a listing that is old.
    FoundLongAgo(u8),
}

/// What may happen next. A number is whose: the place in [`State::scripts`], [`State::collectors`] or [`Rows::uploads`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Script(usize, Deed),
    Collector(usize, Duty),
    Expires(usize),
}

/// Of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    Begin,
    Commit,
    SendMove,
    MoveLands,
    MoveNeverLands,
    /// No reply reaches it any more. What it sent may land yet.
    Die,
    /// It begins again from the start.
    Retry,
}

/// Of a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Duty {
    Begin(Step),
    Commit,
    /// It reads a key from the list of the condemned.
    List(u8),
    SendDelete,
    DeleteLands,
    DeleteNeverLands,
    Die,
}
