//! The shards of counters: each transaction that writes has a number to itself, so that no two of this process write to one shard.
//!
//! Numbers that were given back are taken first, so that who writes a little uses few of them. Each process begins elsewhere: processes
//! share numbers, and meet only where many of them write at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_core::clock::{Random, SystemRandom};

/// How many shards there are. More transactions than these at once share some.
const SHARDS: u16 = 64;

/// The numbers that are free.
pub(super) struct Shards(Arc<Free>);

struct Free {
    /// How far this process is from the beginning.
    offset: u16,
    numbers: Mutex<BTreeSet<u16>>,
}

impl Free {
    fn numbers(&self) -> MutexGuard<'_, BTreeSet<u16>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number, taken until it is dropped.
pub(super) struct Shard {
    number: u16,
    /// Nobody waits for one where all are taken.
    from: Option<Arc<Free>>,
}

impl Shards {
    pub(super) fn new() -> Self {
        let mut chance = [0; 2];
        SystemRandom.fill(&mut chance);
        let offset = u16::from_le_bytes(chance) % SHARDS;
        Self(Arc::new(Free { offset, numbers: Mutex::new((0..SHARDS).collect()) }))
    }

    /// The lowest number that is free; any, where none is.
    pub(super) fn take(&self) -> Shard {
        if let Some(number) = self.0.numbers().pop_first() {
            return Shard { number: self.shifted(number), from: Some(Arc::clone(&self.0)) };
        }
        let mut chance = [0; 2];
        SystemRandom.fill(&mut chance);
        Shard { number: self.shifted(u16::from_le_bytes(chance) % SHARDS), from: None }
    }

    fn shifted(&self, number: u16) -> u16 {
        (number + self.0.offset) % SHARDS
    }
}

impl Shard {
    /// From 1 on.
    pub(super) fn number(&self) -> i64 {
        i64::from(self.number) + 1
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        if let Some(free) = &self.from {
            free.numbers().insert((self.number + SHARDS - free.offset) % SHARDS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_at_once_have_different_shards_and_one_after_another_the_same() {
        let shards = Shards::new();
        let one = shards.take().number();
        assert_eq!(shards.take().number(), one);
        let all: Vec<_> = (0..SHARDS).map(|_| shards.take()).collect();
        let numbers: BTreeSet<_> = all.iter().map(Shard::number).collect();
        assert_eq!(numbers, (1..=i64::from(SHARDS)).collect());
        assert!(numbers.contains(&shards.take().number()), "one more shares one");
        drop(all);
        assert_eq!(shards.take().number(), one);
    }
}
