//! The guards of the protocol, each of which a test takes away: a decision is given other facts than it asks for, or something else is written
//! than it answers. Nothing in production knows of that.

/// A guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// A condemnation looks at memberships.
    JudgeSeesMemberships,
    /// A condemnation looks at reservations.
    JudgeSeesReservations,
    /// A condemnation looks at whether the incarnation is the current one.
    JudgeSeesTheIncarnation,
    /// A mark is judged when its grace is over.
    JudgeWaits,
    /// What is condemned or deleted is not held again.
    CondemnedIsPastSaving,
    /// Who begins to hold a blob takes its mark away.
    HoldingTakesTheMark,
    /// A commit updates the memberships that it needs.
    CommitUpdates,
    /// A sweep looks at whether a manifest needs the blob.
    SweepSeesManifests,
    /// A sweep takes nothing that was touched within the grace.
    SweepWaits,
    /// Who is told of a blob before a push touches its membership.
    TellingTouches,
    /// A removal looks at whether a manifest needs the blob.
    RemovalSeesManifests,
    /// A removal looks at whether what can be brought back needs the blob.
    RemovalSeesTheTrash,
    /// A deletion updates the memberships of what it needed.
    DeletionUpdates,
    /// A manifest is brought back together with its memberships, or not at all.
    RestoreUpdates,
    /// An upload ends by what it has reserved still.
    FinishSeesReservation,
    /// An upload ends by the key that is the current one.
    FinishSeesTheIncarnation,
    /// A reservation, and the end of an upload, look at whether it has expired.
    ExpiredUploadIsOver,
    /// A commit looks at memberships.
    CommitSeesMemberships,
    /// A manifest is brought back where its memberships are there.
    RestoreSeesMemberships,
    /// An upload that ends at another key than the current one looks whether a repository holds the blob.
    FinishSeesMembers,
    /// A push of a condemned blob goes to a new key.
    CondemnedKeyIsLeft,
    /// A new key is one that has no mark.
    NewKeyWasNeverMarked,
    /// Who takes a new key writes the mark of the one before again.
    NewKeyWritesTheMark,
    /// A mark is condemned, and deleted, by an update of a row that is there.
    StagesMoveAMark,
    /// Who lets go writes the mark even where there is one.
    LettingGoWrites,
    /// Who lets go sets the mark's moment anew.
    LettingGoSetsTheMoment,
    /// Who lets go does not ask who else holds the blob.
    LettingGoAsksNobody,
    /// An upload that ends with a reservation lets go of the blob.
    EndedUploadLetsGo,
    /// A deleted key is forgotten when no delete of it can land any more.
    ForgettingWaits,
    /// What is forgotten was deleted.
    ForgottenWasDeleted,
    /// What is deleted was condemned.
    DeletedWasCondemned,
    /// What is found to be sound was quarantined.
    SoundWasQuarantined,
    /// A delete is sent soon after the list that names the key was read, or not at all.
    DeleteIsPrompt,
    /// A delete is confirmed when the store has said so.
    ConfirmHasTheStoresWord,
    /// An object that was found is not marked where its key was deleted.
    FoundLeavesDeletedKeys,
    /// A listing finds what no row explains.
    ListingFinds,
    /// A quarantined key is the current one until a push of the blob ends.
    QuarantinedStaysCurrent,
    /// Who takes the place of a quarantined key writes its mark again.
    QuarantinedIsWrittenAgain,
    /// What was copied by a repair is marked, since nobody comes to hold it by that.
    RepairedIsMarked,
    /// A condemnation looks at whether an upload has reserved the very key.
    JudgeSeesThePlaced,
    /// What is quarantined is released where no repository holds it.
    ReleaseSeesMemberships,
    /// … and no upload has reserved a key.
    ReleaseSeesReservations,
    /// … when its grace is over.
    ReleaseWaits,
}
