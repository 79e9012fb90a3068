//! The model: who does what in which order, what is lost on the way, and what must hold whatever happens.

use stateright::{Model, Property};
use wharf_core::blob_life::Stage;

use crate::guards::Guard;
use crate::rows::{Ages, INCARNATIONS, MANIFESTS, ManifestRow, REPOSITORIES, Rows, UPLOADS, Underway, Write};
use crate::transactions::Snapshot;

/// Somebody who does a few things one after the other.
#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// Ends an upload, which begun before, and commits a manifest.
    Push { upload: usize, repository: usize, manifest: usize },
    /// Mounts the blob from another repository, and commits a manifest.
    Mount { from: usize, to: usize, manifest: usize },
    /// Commits a manifest that needs the blob.
    Commit { repository: usize, manifest: usize },
    /// Deletes a manifest.
    Delete { repository: usize, manifest: usize },
    /// Brings a deleted manifest back.
    Restore { repository: usize, manifest: usize },
    /// Removes the blob from a repository.
    Remove { repository: usize },
    /// Cancels an upload.
    Cancel { upload: usize },
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
    /// All is done, was refused, or its process died.
    Done,
}

/// A transaction that is open: what it writes when it commits, as it has decided by its snapshot. One that writes what another wrote
/// meanwhile begins again, which is as if it had not begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Open<T> {
    writes: Vec<Write>,
    /// Where it leaves who has it.
    then: T,
}

/// Somebody's process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Script {
    pub phase: Phase,
    open: Option<Open<Phase>>,
    /// The key that a move is under way to, whether anybody waits for it or not.
    moving: Option<u8>,
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
    open: Option<Open<bool>>,
    deleting: Deleting,
}

impl Collector {
    /// It is done with its delete, which may land yet where it was sent.
    fn waits_no_longer(&mut self) {
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
    faults: u8,
    /// How many objects may be said to be found yet that are known, or are not there any more.
    old_listings: u8,
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

/// What may happen next. A number is whose: the place in [`State::scripts`] or [`State::collectors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Begin(usize),
    Commit(usize),
    SendMove(usize),
    MoveLands(usize),
    MoveNeverLands(usize),
    /// It dies; so no reply reaches it. What it sent may land yet.
    Dies(usize),
    /// It tries again from the start.
    Retries(usize),
    Expires(usize),
    BeginStep(usize, Step),
    CommitStep(usize),
    List(usize, u8),
    SendDelete(usize),
    DeleteLands(usize),
    DeleteNeverLands(usize),
    CollectorDies(usize),
}

/// A scenario.
#[derive(Clone, Debug)]
pub struct Life {
    pub rows: Rows,
    pub objects: u8,
    pub roles: Vec<Role>,
    pub collectors: usize,
    pub faults: u8,
    pub old_listings: u8,
    /// Whether a move lands within the grace, as it does where no process sleeps for days. Where it may not, a listing is to find what
    /// it leaves; where it does, nothing is to be left for a listing to find.
    pub moves_are_prompt: bool,
    /// The guard that is taken away.
    pub without: Option<Guard>,
}

const MOVES: usize = 6;
const DELETES: usize = 10;
const COLLECTORS: usize = 4;

impl Life {
    fn snapshot<'a>(&self, rows: &'a Rows) -> Snapshot<'a> {
        Snapshot { rows, without: self.without }
    }

    fn has(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    /// Transactions and moves, and deletes, that are under way.
    fn underway(&self, state: &State) -> Ages {
        let mut ages = Ages::default();
        for (place, script) in state.scripts.iter().enumerate() {
            if script.open.is_some() {
                ages.grace |= 1 << place;
            }
            let moves = script.moving.is_some()
                || matches!(script.phase, Phase::Reserved(_) | Phase::Moving);
            if moves && self.moves_are_prompt {
                ages.grace |= 1 << (MOVES + place);
            }
        }
        for (place, collector) in state.collectors.iter().enumerate() {
            if collector.open.is_some() {
                ages.grace |= 1 << (COLLECTORS + place);
            }
            let deletes = match collector.deleting {
                Deleting::Nothing => false,
                Deleting::Listed(_) => self.has(Guard::DeleteIsPrompt),
                Deleting::Sent(..) | Deleting::Gone(_) => true,
            };
            if deletes {
                ages.latest |= 1 << (DELETES + place);
            }
        }
        ages
    }

    /// What is written next by somebody, and where that leaves them.
    fn next(&self, state: &State, who: usize) -> Option<Open<Phase>> {
        let snapshot = self.snapshot(&state.rows);
        let done = |writes: Option<Vec<Write>>| (writes.unwrap_or_default(), Phase::Done);
        let held = |writes: Option<Vec<Write>>| match writes {
            Some(writes) => (writes, Phase::Held),
            None => (Vec::new(), Phase::Done),
        };
        let (writes, then) = match (self.roles[who], state.scripts[who].phase) {
            (_, Phase::Done | Phase::Reserved(_) | Phase::Moving) => return None,
            (Role::Push { upload, .. }, Phase::Start) => match snapshot.reserve(upload) {
                Some((key, writes)) => (writes, Phase::Reserved(key)),
                None => done(None),
            },
            (Role::Push { upload, repository, .. }, Phase::Placed(key)) => {
                let (writes, finished) = snapshot.finish(upload, repository, key);
                (writes, if finished { Phase::Held } else { Phase::Done })
            }
            (Role::Mount { from, to, .. }, Phase::Start) => held(snapshot.mount(from, to)),
            (
                Role::Push { repository, manifest, .. }
                | Role::Mount { to: repository, manifest, .. }
                | Role::Commit { repository, manifest },
                _,
            ) => done(snapshot.commit(repository, manifest)),
            (Role::Delete { repository, manifest }, _) => {
                done(snapshot.delete(repository, manifest))
            }
            (Role::Restore { repository, manifest }, _) => {
                done(snapshot.restore(repository, manifest))
            }
            (Role::Remove { repository }, _) => done(snapshot.remove(repository)),
            (Role::Cancel { upload }, _) => done(snapshot.cancel(upload)),
        };
        Some(Open { writes, then })
    }

    /// What a collector's transaction writes; nothing where there is nothing to be done.
    fn step(&self, state: &State, step: Step) -> Option<Vec<Write>> {
        let snapshot = self.snapshot(&state.rows);
        match step {
            Step::Sweep(repository) => snapshot.sweep(repository),
            Step::Condemn(key) => snapshot.condemn(key),
            Step::Confirm(key) => snapshot.confirm(key),
            Step::Forget(key) => snapshot.forget(key),
            Step::EmptyTrash(repository, manifest) => snapshot.empty_trash(repository, manifest),
            Step::EndUpload(upload) => {
                state.rows.uploads[upload].filter(|row| row.expired)?;
                snapshot.cancel(upload)
            }
            Step::Found(key) => {
                let rows = &state.rows;
                let explained =
                    key == rows.incarnation && (rows.is_member() || rows.is_reserved());
                let there = state.objects & (1 << key) != 0;
                if !there || explained || self.moves_are_prompt || !self.has(Guard::ListingFinds) {
                    return None;
                }
                snapshot.found(key)
            }
            Step::FoundLongAgo(key) => {
                if state.old_listings == 0 || key > state.rows.incarnation {
                    return None;
                }
                snapshot.found(key)
            }
        }
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        let keys = 0..INCARNATIONS as u8;
        let mut steps: Vec<_> = (0..REPOSITORIES).map(Step::Sweep).collect();
        for repository in 0..REPOSITORIES {
            steps.extend((0..MANIFESTS).map(|manifest| Step::EmptyTrash(repository, manifest)));
        }
        steps.extend((0..UPLOADS).map(Step::EndUpload));
        for step in [Step::Condemn, Step::Forget, Step::Found, Step::FoundLongAgo] {
            steps.extend(keys.clone().map(step));
        }
        steps.retain(|step| self.step(state, *step).is_some());
        steps
    }

    /// A transaction commits: those that write one of its rows begin again.
    fn commit(&self, state: &mut State, writes: &[Write]) {
        let rows = |writes: &[Write]| writes.iter().fold(0, |rows, write| rows | write.row());
        let written = rows(writes);
        for script in &mut state.scripts {
            script.open.take_if(|open| rows(&open.writes) & written != 0);
        }
        for collector in &mut state.collectors {
            collector.open.take_if(|open| rows(&open.writes) & written != 0);
        }
        let ages = self.underway(state);
        for write in writes {
            state.rows.apply(*write, ages);
        }
    }

    fn after(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Begin(who) => {
                let open = self.next(state, who)?;
                let script = &mut state.scripts[who];
                if open.writes.is_empty() {
                    script.phase = open.then;
                } else {
                    script.open = Some(open);
                }
            }
            Action::Commit(who) => {
                let open = state.scripts[who].open.take()?;
                state.scripts[who].phase = open.then;
                self.commit(state, &open.writes);
            }
            Action::SendMove(who) => {
                let script = &mut state.scripts[who];
                let Phase::Reserved(key) = script.phase else { return None };
                script.moving = Some(key);
                script.phase = Phase::Moving;
            }
            Action::MoveLands(who) => {
                let script = &mut state.scripts[who];
                let key = script.moving.take()?;
                state.objects |= 1 << key;
                if script.phase == Phase::Moving {
                    script.phase = Phase::Placed(key);
                }
            }
            Action::MoveNeverLands(who) => state.scripts[who].moving = None,
            Action::Dies(who) => {
                state.faults -= 1;
                let script = &mut state.scripts[who];
                script.phase = Phase::Done;
                script.open = None;
            }
            Action::Retries(who) => {
                state.faults -= 1;
                let script = &mut state.scripts[who];
                script.phase = Phase::Start;
                script.open = None;
            }
            Action::Expires(upload) => state.rows.uploads[upload].as_mut()?.expired = true,
            Action::BeginStep(who, step) => {
                let writes = self.step(state, step);
                if matches!(step, Step::FoundLongAgo(_)) {
                    state.old_listings -= 1;
                }
                let then = matches!(step, Step::Confirm(_));
                let collector = &mut state.collectors[who];
                match writes {
                    Some(writes) => collector.open = Some(Open { writes, then }),
                    None => collector.waits_no_longer(),
                }
            }
            Action::CommitStep(who) => {
                let collector = &mut state.collectors[who];
                let open = collector.open.take()?;
                if open.then {
                    collector.waits_no_longer();
                }
                self.commit(state, &open.writes);
            }
            Action::List(who, key) => state.collectors[who].deleting = Deleting::Listed(key),
            Action::SendDelete(who) => {
                let deleting = &mut state.collectors[who].deleting;
                let Deleting::Listed(key) = *deleting else { return None };
                *deleting = Deleting::Sent(key, true);
            }
            Action::DeleteLands(who) => {
                let deleting = &mut state.collectors[who].deleting;
                let Deleting::Sent(key, awaited) = *deleting else { return None };
                state.objects &= !(1 << key);
                *deleting = if awaited { Deleting::Gone(key) } else { Deleting::Nothing };
            }
            Action::DeleteNeverLands(who) => state.collectors[who].deleting = Deleting::Nothing,
            Action::CollectorDies(who) => {
                state.faults -= 1;
                let collector = &mut state.collectors[who];
                collector.open = None;
                collector.waits_no_longer();
            }
        }
        let underway = self.underway(state);
        let underway: Underway = underway.grace | underway.latest;
        state.rows.settle(underway);
        Some(())
    }

    fn script_actions(&self, state: &State, who: usize, actions: &mut Vec<Action>) {
        let script = &state.scripts[who];
        if script.open.is_some() {
            actions.push(Action::Commit(who));
        } else {
            match script.phase {
                Phase::Start | Phase::Placed(_) | Phase::Held => actions.push(Action::Begin(who)),
                Phase::Reserved(_) if script.moving.is_none() => {
                    actions.push(Action::SendMove(who));
                }
                Phase::Reserved(_) | Phase::Moving | Phase::Done => {}
            }
        }
        if script.moving.is_some() {
            actions.push(Action::MoveLands(who));
            if script.phase != Phase::Moving {
                actions.push(Action::MoveNeverLands(who));
            }
        }
        if state.faults > 0 && script.phase != Phase::Done {
            actions.push(Action::Dies(who));
            if matches!(self.roles[who], Role::Push { .. }) && script.phase != Phase::Start {
                actions.push(Action::Retries(who));
            }
        }
    }

    fn collector_actions(
        &self,
        state: &State,
        who: usize,
        steps: &[Step],
        actions: &mut Vec<Action>,
    ) {
        let collector = &state.collectors[who];
        if collector.open.is_some() {
            actions.push(Action::CommitStep(who));
        } else {
            actions.extend(steps.iter().map(|step| Action::BeginStep(who, *step)));
            let confirmed = match collector.deleting {
                Deleting::Gone(key) => Some(key),
                Deleting::Listed(key) | Deleting::Sent(key, true)
                    if !self.has(Guard::ConfirmHasTheStoresWord) =>
                {
                    Some(key)
                }
                _ => None,
            };
            if let Some(key) = confirmed {
                actions.push(Action::BeginStep(who, Step::Confirm(key)));
            }
        }
        match collector.deleting {
            Deleting::Nothing => {
                let condemned = self.snapshot(&state.rows).condemned();
                actions.extend(condemned.into_iter().map(|key| Action::List(who, key)));
            }
            Deleting::Listed(_) => actions.push(Action::SendDelete(who)),
            Deleting::Sent(_, awaited) => {
                actions.push(Action::DeleteLands(who));
                if !awaited {
                    actions.push(Action::DeleteNeverLands(who));
                }
            }
            Deleting::Gone(_) => {}
        }
        let busy = collector.open.is_some()
            || !matches!(collector.deleting, Deleting::Nothing | Deleting::Sent(_, false));
        if state.faults > 0 && busy {
            actions.push(Action::CollectorDies(who));
        }
    }

    /// Whether nothing is to be done any more. What may go wrong yet need not.
    fn is_at_rest(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.actions(state, &mut actions);
        actions.iter().all(|action| matches!(action, Action::BeginStep(_, Step::FoundLongAgo(_))))
    }
}

impl Model for Life {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let script = Script { phase: Phase::Start, open: None, moving: None };
        let collector = Collector { open: None, deleting: Deleting::Nothing };
        vec![State {
            rows: self.rows.clone(),
            objects: self.objects,
            scripts: vec![script; self.roles.len()],
            collectors: vec![collector; self.collectors],
            faults: self.faults,
            old_listings: self.old_listings,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for who in 0..state.scripts.len() {
            self.script_actions(state, who, actions);
        }
        let uploads = (0..).zip(&state.rows.uploads);
        let open = uploads.filter(|(_, row)| row.is_some_and(|row| !row.expired));
        actions.extend(open.map(|(upload, _)| Action::Expires(upload)));
        let steps = self.steps(state);
        for who in 0..state.collectors.len() {
            self.collector_actions(state, who, &steps, actions);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.after(&mut next, action).map(|()| next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("what a manifest needs is a member", |_, state: &State| {
                let needed = (0..REPOSITORIES).filter(|r| state.rows.is_needed(*r));
                needed.into_iter().all(|r| state.rows.memberships[r].is_some())
            }),
            Property::always("what is a member is in the store", |_, state: &State| {
                !state.rows.is_member() || state.objects & (1 << state.rows.incarnation) != 0
            }),
            Property::always("what is condemned is no member", |_, state: &State| {
                let mark = state.rows.marks[usize::from(state.rows.incarnation)];
                !(state.rows.is_member() && mark.is_some_and(|mark| mark.stage > Stage::Marked))
            }),
            Property::always("what can be brought back is a member", |_, state: &State| {
                let rows = state.rows.manifests.iter().zip(&state.rows.memberships);
                let back = |m: &ManifestRow| matches!(m, ManifestRow::Deleted { young } if *young != 0);
                rows.into_iter().all(|(m, membership)| membership.is_some() || !m.iter().any(back))
            }),
            Property::always("at rest, nothing is left that nobody needs", |model, state| {
                !model.is_at_rest(state) || is_clean(state)
            }),
        ]
    }
}

/// Whether nothing is there that nobody needs.
fn is_clean(state: &State) -> bool {
    let rows = &state.rows;
    let current = if rows.is_member() { 1 << rows.incarnation } else { 0 };
    let needed = (0..REPOSITORIES).all(|r| rows.memberships[r].is_none() || rows.is_needed(r));
    let deleted = |m: &ManifestRow| matches!(m, ManifestRow::Deleted { .. });
    state.objects == current
        && needed
        && rows.marks.iter().all(Option::is_none)
        && rows.uploads.iter().all(Option::is_none)
        && !rows.manifests.iter().flatten().any(deleted)
}
