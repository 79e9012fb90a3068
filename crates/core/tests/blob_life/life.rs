//! What happens: the steps of processes, of what they have sent, and of time.

use crate::guards::Guard;
use crate::rows::{Ages, Rows, Write};
use crate::state::{Action, Deleting, Open, Phase, Role, State, Step};
use crate::transactions::Snapshot;

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

    pub fn after(&self, state: &mut State, action: Action) -> Option<()> {
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
        let ages = self.underway(state);
        state.rows.settle(ages.grace | ages.latest);
        Some(())
    }
}
