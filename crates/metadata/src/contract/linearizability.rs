//! A checker of histories: whether what many clients were told about one register could have happened one after
//! the other, each somewhere between its request and its reply (Wing and Gong, 1993; remembered states after Lowe).

use std::collections::HashSet;

/// What a client did to the register, as its reply tells. Every value is written once at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It found this and changed nothing.
    Saw(Option<u32>),
    /// It wrote, whatever was there.
    Wrote(u32),
    /// It found the one and wrote the other.
    Swapped(u32, u32),
    /// It found nothing and wrote.
    Created(u32),
    /// It found something and took it away.
    Deleted,
}

/// One request with its reply, by a clock that all clients share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) effect: Effect,
    pub(crate) began: u64,
    pub(crate) ended: u64,
}

impl Effect {
    /// What it leaves, if it may happen to `value`.
    fn on(self, value: Option<u32>) -> Option<Option<u32>> {
        match self {
            Self::Saw(seen) => (seen == value).then_some(value),
            Self::Wrote(new) => Some(Some(new)),
            Self::Swapped(old, new) => (value == Some(old)).then_some(Some(new)),
            Self::Created(new) => value.is_none().then_some(Some(new)),
            Self::Deleted => value.is_some().then_some(None),
        }
    }

    /// What it writes.
    pub(crate) const fn writes(self) -> Option<u32> {
        match self {
            Self::Wrote(new) | Self::Swapped(_, new) | Self::Created(new) => Some(new),
            Self::Saw(_) | Self::Deleted => None,
        }
    }

    /// What it has to find.
    const fn needs(self) -> Option<u32> {
        match self {
            Self::Saw(Some(value)) | Self::Swapped(value, _) => Some(value),
            _ => None,
        }
    }
}

/// How many states are looked at before a history counts as undecided.
const STATES: usize = 300_000;

/// An order in which the operations can have happened to a register that held nothing; `None` if there is none.
/// Of those that may come next the one of the lowest rank is tried first: what is known of the order saves time
/// and decides nothing.
pub(crate) fn order(history: &[Operation], ranks: &[u64]) -> Option<Vec<usize>> {
    let mut written = HashSet::new();
    assert!(history.iter().filter_map(|it| it.effect.writes()).all(|value| written.insert(value)));
    let mut search = Search {
        history,
        ranks,
        done: vec![false; history.len()],
        order: Vec::new(),
        seen: HashSet::new(),
    };
    search.from(None).then_some(search.order)
}

struct Search<'a> {
    history: &'a [Operation],
    ranks: &'a [u64],
    done: Vec<bool>,
    order: Vec<usize>,
    seen: HashSet<(Vec<bool>, Option<u32>)>,
}

impl Search<'_> {
    fn from(&mut self, value: Option<u32>) -> bool {
        let left = || (0..self.history.len()).filter(|index| !self.done[*index]);
        let Some(first_reply) = left().map(|index| self.history[index].ended).min() else {
            return true;
        };
        if self.is_stuck(value) || !self.seen.insert((self.done.clone(), value)) {
            return false;
        }
        assert!(self.seen.len() < STATES, "undecided");
        let left = (0..self.history.len()).filter(|index| !self.done[*index]);
        let mut next: Vec<_> =
            left.filter(|index| self.history[*index].began < first_reply).collect();
        next.sort_by_key(|index| self.ranks[*index]);
        // What changes nothing and can happen now may as well.
        let idle = next.iter().find(|index| self.history[**index].effect == Effect::Saw(value));
        if let Some(index) = idle.copied() {
            return self.take(index, value);
        }
        next.into_iter().any(|index| {
            let after = self.history[index].effect.on(value);
            after.is_some_and(|after| self.take(index, after))
        })
    }

    fn take(&mut self, index: usize, after: Option<u32>) -> bool {
        self.done[index] = true;
        self.order.push(index);
        if self.from(after) {
            return true;
        }
        self.done[index] = false;
        self.order.pop();
        false
    }

    /// Whether somebody still has to find a value that was there, is not any more, and is never written again.
    fn is_stuck(&self, value: Option<u32>) -> bool {
        let operations = || self.history.iter().zip(&self.done);
        let gone: HashSet<u32> = operations()
            .filter(|(_, done)| **done)
            .filter_map(|(it, _)| it.effect.writes())
            .filter(|written| Some(*written) != value)
            .collect();
        operations()
            .filter(|(_, done)| !**done)
            .any(|(it, _)| it.effect.needs().is_some_and(|needed| gone.contains(&needed)))
    }
}

#[cfg(test)]
mod tests {
    use super::Effect::{Created, Deleted, Saw, Swapped, Wrote};
    use super::*;

    fn order(history: &[Operation]) -> Option<Vec<usize>> {
        let ranks: Vec<_> = history.iter().map(|operation| operation.ended).collect();
        super::order(history, &ranks)
    }

    fn history(operations: &[(Effect, u64, u64)]) -> Vec<Operation> {
        operations
            .iter()
            .map(|&(effect, began, ended)| Operation { effect, began, ended })
            .collect()
    }

    #[test]
    fn what_can_have_happened_is_allowed() {
        for good in [
            history(&[]),
            history(&[(Saw(None), 0, 1), (Wrote(1), 2, 3), (Saw(Some(1)), 4, 5)]),
            // The read is under way with the write, and may come before it or behind.
            history(&[(Wrote(1), 0, 5), (Saw(None), 1, 2), (Saw(Some(1)), 3, 4)]),
            history(&[(Wrote(1), 0, 9), (Wrote(2), 0, 9), (Saw(Some(1)), 10, 11)]),
            history(&[
                (Created(1), 0, 9),
                (Swapped(1, 2), 0, 9),
                (Deleted, 0, 9),
                (Created(3), 0, 9),
            ]),
        ] {
            let order = order(&good).unwrap();
            assert_eq!(order.len(), good.len());
        }
    }

    #[test]
    fn what_cannot_have_happened_is_refused() {
        for bad in [
            // A read that is too old, a value from nowhere, a value before it was written.
            history(&[(Wrote(1), 0, 1), (Wrote(2), 2, 3), (Saw(Some(1)), 4, 5)]),
            history(&[(Saw(Some(1)), 0, 1)]),
            history(&[(Saw(Some(1)), 0, 1), (Wrote(1), 2, 3)]),
            // Time that goes back between two reads, during one write.
            history(&[(Wrote(1), 0, 9), (Saw(Some(1)), 1, 2), (Saw(None), 3, 4)]),
            // Two that win the same swap, two that create, a write that is lost.
            history(&[(Wrote(1), 0, 1), (Swapped(1, 2), 2, 9), (Swapped(1, 3), 2, 9)]),
            history(&[(Created(1), 0, 9), (Created(2), 0, 9)]),
            history(&[(Wrote(1), 0, 1), (Wrote(2), 2, 9), (Swapped(1, 3), 10, 11)]),
            history(&[(Deleted, 0, 1)]),
        ] {
            assert_eq!(order(&bad), None, "{bad:?}");
        }
    }

    /// Every order there is, tried one by one.
    fn tried(history: &[Operation], left: &mut Vec<usize>, value: Option<u32>) -> bool {
        left.is_empty()
            || (0..left.len()).any(|at| {
                let index = left.remove(at);
                let early = left.iter().all(|it| history[index].began < history[*it].ended);
                let after = history[index].effect.on(value).filter(|_| early);
                let works = after.is_some_and(|after| tried(history, left, after));
                left.insert(at, index);
                works
            })
    }

    #[test]
    fn the_search_finds_what_trying_every_order_does() {
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let mut allowed = 0;
        for _ in 0..4000 {
            let operations: Vec<_> = (1..=6)
                .map(|new| {
                    let old = random(6) as u32;
                    let effect = match random(5) {
                        0 => Saw((old > 0).then_some(old)),
                        1 => Wrote(new),
                        2 => Swapped(old.max(1), new),
                        3 => Created(new),
                        _ => Deleted,
                    };
                    let began = random(12);
                    Operation { effect, began, ended: began + 1 + random(8) }
                })
                .collect();
            let expected = tried(&operations, &mut (0..operations.len()).collect(), None);
            allowed += usize::from(expected);
            assert_eq!(order(&operations).is_some(), expected, "{operations:?}");
        }
        assert!((100..3900).contains(&allowed), "{allowed}");
    }
}
