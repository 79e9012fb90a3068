//! What happens: the steps of processes, of what they have sent, and of time.

use crate::guards::Guard;
use crate::rows::{Ages, Rows, Write};
use crate::state::{Action, Deed, Deleting, Duty, Open, Phase, Role, State, Step};
use crate::transactions::Snapshot;

/// A scenario.
#[derive(Clone, Debug)]
pub struct Life {
    /// The database at the start.
    pub rows: Rows,
    /// The object store at the start.
    pub objects: u8,
    /// Who does something. Four at most.
    pub roles: Vec<Role>,
    /// How many collectors there are. Two at most.
    pub collectors: usize,
    /// How many processes may die, or try again.
    pub faults: u8,
    /// How many objects may be said to be found that are known, or are not there any more.
    pub old_listings: u8,
    /// Whether a move lands within the grace, as it does where no process sleeps for days. Where it may not, a listing is to find what
    /// it leaves; where it does, nothing is to be left for a listing to find.
    pub moves_are_prompt: bool,
    /// The guard that is taken away.
    pub without: Option<Guard>,
}

/// The bits of what is under way: first the transactions of the roles, then these.
const COLLECTORS: usize = 4;
const MOVES: usize = 6;
const DELETES: usize = 10;
const TOLD: usize = 12;

impl Life {
    pub fn snapshot<'a>(&self, rows: &'a Rows) -> Snapshot<'a> {
        Snapshot { rows, without: self.without }
    }

    pub fn has(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    /// Transactions and moves, and deletes, that are under way.
    pub fn underway(&self, state: &State) -> Ages {
        let mut ages = Ages::default();
        for (place, script) in state.scripts.iter().enumerate() {
            if script.open.is_some() {
                ages.grace |= 1 << place;
            }
            if script.phase == Phase::Told {
                ages.grace |= 1 << (TOLD + place);
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
            (Role::Repair { upload }, Phase::Placed(key)) => {
                done(Some(snapshot.repair(upload, key)))
            }
            (Role::Push { upload, .. } | Role::Repair { upload }, Phase::Start) => {
                match snapshot.reserve(upload) {
                    Some((key, writes)) => (writes, Phase::Reserved(key)),
                    None => done(None),
                }
            }
            (Role::Push { upload, repository, .. }, Phase::Placed(key)) => {
                let (writes, finished) = snapshot.finish(upload, repository, key);
                (writes, if finished { Phase::Held } else { Phase::Done })
            }
            (Role::Mount { from, to, .. }, Phase::Start) => held(snapshot.mount(from, to)),
            (Role::Look { repository, .. }, Phase::Start) => match snapshot.keep(repository) {
                Some(writes) => (writes, Phase::Told),
                None => done(None),
            },
            (
                Role::Push { repository, manifest, .. }
                | Role::Mount { to: repository, manifest, .. }
                | Role::Look { repository, manifest }
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
            (Role::Repair { .. }, _) => done(None),
            (Role::Quarantine, _) => done(snapshot.quarantine()),
            (Role::Lift, _) => done(snapshot.lift()),
            (Role::Release, _) => done(snapshot.release()),
        };
        Some(Open { writes, then })
    }

    /// What a collector's transaction writes; nothing where there is nothing to be done.
    pub fn step(&self, state: &State, step: Step) -> Option<Vec<Write>> {
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
                let explained = key == rows.incarnation && (rows.is_member() || rows.is_reserved());
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

    /// A transaction commits: those that write one of its rows begin again.
    fn commit(&self, state: &mut State, writes: &[Write]) {
        let moves_marks = self.has(Guard::StagesMoveAMark);
        let met = |open: &[Write]| {
            open.iter().any(|own| writes.iter().any(|other| own.begins_again(other, moves_marks)))
        };
        for script in &mut state.scripts {
            script.open.take_if(|open| met(&open.writes));
        }
        for collector in &mut state.collectors {
            collector.open.take_if(|open| met(&open.writes));
        }
        let ages = self.underway(state);
        for write in writes {
            state.rows.apply(*write, ages);
        }
    }

    /// What an action changes; nothing where it cannot happen.
    pub fn after(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Script(who, deed) => self.after_deed(state, who, deed)?,
            Action::Collector(who, duty) => self.after_duty(state, who, duty)?,
            Action::Expires(upload) => state.rows.uploads[upload].as_mut()?.expired = true,
        }
        let ages = self.underway(state);
        state.rows.settle(ages.grace | ages.latest);
        Some(())
    }

    fn after_deed(&self, state: &mut State, who: usize, deed: Deed) -> Option<()> {
        let next = if deed == Deed::Begin { self.next(state, who) } else { None };
        let script = &mut state.scripts[who];
        match deed {
            Deed::Begin => {
                let open = next?;
                if open.writes.is_empty() {
                    script.phase = open.then;
                } else {
                    script.open = Some(open);
                }
            }
            Deed::Commit => {
                let open = script.open.take()?;
                script.phase = open.then;
                self.commit(state, &open.writes);
            }
            Deed::SendMove => {
                let Phase::Reserved(key) = script.phase else { return None };
                script.moving = Some(key);
                script.phase = Phase::Moving;
            }
            Deed::MoveLands => {
                let key = script.moving.take()?;
                if script.phase == Phase::Moving {
                    script.phase = Phase::Placed(key);
                }
                state.objects |= 1 << key;
            }
            Deed::MoveNeverLands => script.moving = None,
            Deed::Die | Deed::Retry => {
                script.phase = if deed == Deed::Die { Phase::Done } else { Phase::Start };
                script.open = None;
                state.faults -= 1;
            }
        }
        Some(())
    }

    fn after_duty(&self, state: &mut State, who: usize, duty: Duty) -> Option<()> {
        let writes = if let Duty::Begin(step) = duty { self.step(state, step) } else { None };
        let collector = &mut state.collectors[who];
        match duty {
            Duty::Begin(step) => {
                let then = matches!(step, Step::Confirm(_));
                match writes {
                    Some(writes) => collector.open = Some(Open { writes, then }),
                    None => collector.waits_no_longer(),
                }
                if matches!(step, Step::FoundLongAgo(_)) {
                    state.old_listings -= 1;
                }
            }
            Duty::Commit => {
                let open = collector.open.take()?;
                if open.then {
                    collector.waits_no_longer();
                }
                self.commit(state, &open.writes);
            }
            Duty::List(key) => collector.deleting = Deleting::Listed(key),
            Duty::SendDelete => {
                let Deleting::Listed(key) = collector.deleting else { return None };
                collector.deleting = Deleting::Sent(key, true);
            }
            Duty::DeleteLands => {
                let Deleting::Sent(key, awaited) = collector.deleting else { return None };
                collector.deleting = if awaited { Deleting::Gone(key) } else { Deleting::Nothing };
                state.objects &= !(1 << key);
            }
            Duty::DeleteNeverLands => collector.deleting = Deleting::Nothing,
            Duty::Die => {
                collector.open = None;
                collector.waits_no_longer();
                state.faults -= 1;
            }
        }
        Some(())
    }
}
