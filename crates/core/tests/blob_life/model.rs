//! What may happen next, and what must hold whatever happens.

use stateright::{Model, Property};
use wharf_core::blob_life::Stage;

use crate::guards::Guard;
use crate::life::Life;
use crate::rows::{INCARNATIONS, MANIFESTS, ManifestRow, REPOSITORIES, Rows, UPLOADS};
use crate::state::{Action, Collector, Deed, Deleting, Duty, Phase, Role, Script, State, Step};

/// A manifest that a repository holds has its blobs.
pub const NEEDED_IS_MEMBER: &str = "what a manifest needs is a member";
/// No blob is absent that a repository holds.
pub const MEMBER_IS_STORED: &str = "what is a member is in the store";
/// Nothing condemned or deleted is acknowledged.
pub const CONDEMNED_IS_NO_MEMBER: &str = "what is condemned is no member";
/// What is deleted can be brought back while its grace lasts.
pub const DELETED_COMES_BACK: &str = "what can be brought back is a member";
/// Who was told that a repository holds the blob finds it there.
pub const TOLD_IS_MEMBER: &str = "what a pusher was told of is a member";
/// Nobody comes to hold what was quarantined from the start.
pub const QUARANTINED_IS_NOT_GIVEN: &str = "what is quarantined is not given";
/// No collector takes what is quarantined.
pub const QUARANTINED_IS_KEPT: &str = "what is quarantined is in the store";
/// All is gone in the end that nobody needs.
pub const NOTHING_IS_LEFT: &str = "at rest, nothing is left that nobody needs";

impl Life {
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

    fn deeds(&self, state: &State, who: usize) -> Vec<Deed> {
        let script = &state.scripts[who];
        let mut deeds = Vec::new();
        match script.phase {
            _ if script.open.is_some() => deeds.push(Deed::Commit),
            Phase::Start | Phase::Placed(_) | Phase::Held | Phase::Told => {
                deeds.push(Deed::Begin);
            }
            Phase::Reserved(_) if script.moving.is_none() => deeds.push(Deed::SendMove),
            Phase::Reserved(_) | Phase::Moving | Phase::Done => {}
        }
        if script.moving.is_some() {
            deeds.push(Deed::MoveLands);
            if script.phase != Phase::Moving {
                deeds.push(Deed::MoveNeverLands);
            }
        }
        if state.faults > 0 && script.phase != Phase::Done {
            deeds.push(Deed::Die);
            if matches!(self.roles[who], Role::Push { .. }) && script.phase != Phase::Start {
                deeds.push(Deed::Retry);
            }
        }
        deeds
    }

    fn duties(&self, state: &State, who: usize, steps: &[Step]) -> Vec<Duty> {
        let collector = &state.collectors[who];
        let mut duties = Vec::new();
        if collector.open.is_some() {
            duties.push(Duty::Commit);
        } else {
            duties.extend(steps.iter().map(|step| Duty::Begin(*step)));
            duties.extend(self.confirmable(collector).map(|key| Duty::Begin(Step::Confirm(key))));
        }
        match collector.deleting {
            Deleting::Nothing => {
                let condemned = self.snapshot(&state.rows).condemned();
                duties.extend(condemned.into_iter().map(Duty::List));
            }
            Deleting::Listed(_) => duties.push(Duty::SendDelete),
            Deleting::Sent(_, true) => duties.push(Duty::DeleteLands),
            Deleting::Sent(_, false) => duties.extend([Duty::DeleteLands, Duty::DeleteNeverLands]),
            Deleting::Gone(_) => {}
        }
        let deletes = !matches!(collector.deleting, Deleting::Nothing | Deleting::Sent(_, false));
        if state.faults > 0 && (collector.open.is_some() || deletes) {
            duties.push(Duty::Die);
        }
        duties
    }

    /// The key whose delete is over, as far as the collector knows.
    fn confirmable(&self, collector: &Collector) -> Option<u8> {
        match collector.deleting {
            Deleting::Gone(key) => Some(key),
            Deleting::Listed(key) | Deleting::Sent(key, true) => {
                (!self.has(Guard::ConfirmHasTheStoresWord)).then_some(key)
            }
            Deleting::Sent(_, false) | Deleting::Nothing => None,
        }
    }

    /// Whether nothing is to be done any more. What may go wrong yet need not.
    fn is_at_rest(&self, state: &State) -> bool {
        let done = |script: &Script| script.phase == Phase::Done && script.moving.is_none();
        if !state.scripts.iter().all(done) {
            return false;
        }
        let mut actions = Vec::new();
        self.actions(state, &mut actions);
        actions.iter().all(|action| {
            matches!(action, Action::Collector(_, Duty::Begin(Step::FoundLongAgo(_))))
        })
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
            let deeds = self.deeds(state, who).into_iter();
            actions.extend(deeds.map(|deed| Action::Script(who, deed)));
        }
        let uploads = (0..).zip(&state.rows.uploads);
        let open = uploads.filter(|(_, row)| row.is_some_and(|row| !row.expired));
        actions.extend(open.map(|(upload, _)| Action::Expires(upload)));
        let steps = self.steps(state);
        for who in 0..state.collectors.len() {
            let duties = self.duties(state, who, &steps).into_iter();
            actions.extend(duties.map(|duty| Action::Collector(who, duty)));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.after(&mut next, action).map(|()| next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NEEDED_IS_MEMBER, |_, state: &State| {
                let needed = (0..REPOSITORIES).filter(|r| state.rows.is_needed(*r));
                needed.into_iter().all(|r| state.rows.served(r).is_some())
            }),
            Property::always(MEMBER_IS_STORED, |_, state: &State| {
                !state.rows.is_member() || state.objects & (1 << state.rows.incarnation) != 0
            }),
            Property::always(CONDEMNED_IS_NO_MEMBER, |_, state: &State| {
                let mark = state.rows.marks[usize::from(state.rows.incarnation)];
                let gone = |stage| matches!(stage, Stage::Condemned | Stage::Deleted);
                !(state.rows.is_member() && mark.is_some_and(|mark| gone(mark.stage)))
            }),
            Property::always(QUARANTINED_IS_NOT_GIVEN, |model: &Self, state: &State| {
                let key = model.rows.incarnation;
                let may_be_sound = model.roles.iter().any(|role| matches!(role, Role::Lift));
                if !is_quarantined(&model.rows, key.into()) || may_be_sound {
                    return true;
                }
                let given = |repository: usize| {
                    model.rows.memberships[repository].is_none()
                        && state.rows.memberships[repository].is_some()
                };
                state.rows.incarnation != key || !(0..REPOSITORIES).any(given)
            }),
            Property::always(QUARANTINED_IS_KEPT, |_, state: &State| {
                (0..INCARNATIONS)
                    .all(|key| !is_quarantined(&state.rows, key) || state.objects & (1 << key) != 0)
            }),
            Property::always(DELETED_COMES_BACK, |_, state: &State| {
                let rows = state.rows.manifests.iter().zip(&state.rows.memberships);
                let back =
                    |m: &ManifestRow| matches!(m, ManifestRow::Deleted { young } if *young != 0);
                rows.into_iter().all(|(m, membership)| membership.is_some() || !m.iter().any(back))
            }),
            Property::always(TOLD_IS_MEMBER, |model, state: &State| {
                let mut told = model.roles.iter().zip(&state.scripts);
                told.all(|(role, script)| match (role, script.phase) {
                    (Role::Look { repository, .. }, Phase::Told) => {
                        state.rows.served(*repository).is_some()
                    }
                    _ => true,
                })
            }),
            Property::always(NOTHING_IS_LEFT, |model, state| {
                !model.is_at_rest(state) || is_clean(state)
            }),
        ]
    }
}

fn is_quarantined(rows: &Rows, key: usize) -> bool {
    rows.marks[key].is_some_and(|mark| mark.stage == Stage::Quarantined)
}

/// Whether nothing is there that nobody needs, but for what is quarantined.
fn is_clean(state: &State) -> bool {
    let rows = &state.rows;
    let kept = (0..INCARNATIONS).filter(|key| is_quarantined(rows, *key));
    let kept: u8 = kept.map(|key| 1 << key).sum();
    let current = if rows.is_member() { 1 << rows.incarnation } else { 0 };
    let needed = (0..REPOSITORIES).all(|r| rows.memberships[r].is_none() || rows.is_needed(r));
    let deleted = |m: &ManifestRow| matches!(m, ManifestRow::Deleted { .. });
    state.objects == current | kept
        && needed
        && (0..INCARNATIONS).all(|key| rows.marks[key].is_none() || is_quarantined(rows, key))
        && rows.uploads.iter().all(Option::is_none)
        && !rows.manifests.iter().flatten().any(deleted)
}
