//! How a limit is kept without a row that all share: it is dealt out to shards, and a change is measured against the part of one.
//!
//! For each meter the parts of all shards are the limit, always. So as long as no shard uses more than its part, all together use no more than
//! the limit, and a change that fits into its own shard's part need look at no other. One that does not fit takes from the
//! pool (shard 0, where what nobody has taken lies) and from the others, and is refused only where all together have too
//! little. What is over a limit that was lowered, or in spite of it (sizes that became known later), is a debt: a shard that uses more
//! than its part. What is freed pays it first, and until it is paid nobody charges a shard without looking at all.

/// What is limited, each by itself.
pub(super) const METERS: usize = 4;
/// Bytes that manifests need.
pub(super) const BYTES: usize = 0;
/// The same, and bytes of uploads under way.
pub(super) const TOTAL: usize = 1;
pub(super) const MANIFESTS: usize = 2;
pub(super) const TAGS: usize = 3;

/// The shard of what nobody has taken.
pub(super) const POOL: i64 = 0;

/// Of what lies in the pool, who finds it at hand takes a part of this size: the next changes need not ask again.
const PORTION: i64 = 16;

/// A row of the counters of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) number: i64,
    pub(super) used: [i64; METERS],
    /// Its part of each limit; nothing where there is no limit.
    pub(super) allowed: [Option<i64>; METERS],
}

impl Shard {
    /// How much it may still use, where that is limited. Below nothing it is in debt.
    const fn slack(&self, meter: usize) -> Option<i64> {
        match self.allowed[meter] {
            Some(allowed) => Some(allowed - self.used[meter]),
            None => None,
        }
    }

    fn give(&mut self, meter: usize, amount: i64) {
        if let Some(allowed) = &mut self.allowed[meter] {
            *allowed += amount;
        }
    }
}

/// A change that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full {
    pub(super) meter: usize,
    pub(super) used: i64,
    pub(super) limit: i64,
    pub(super) needed: i64,
}

/// Charges `own`, which is one of the shards, with `change`, and lets it take from the others what it lacks. A meter that is not `enforced` is
/// charged whatever its limit.
///
/// # Errors
/// [`Full`], where the limit of an enforced meter has no room in any shard. The shards are not to be used then.
pub(super) fn charge(
    shards: &mut [Shard],
    own: i64,
    change: [i64; METERS],
    enforced: [bool; METERS],
) -> Result<(), Full> {
    for meter in 0..METERS {
        let needed = change[meter];
        let used: i64 = shards.iter().map(|shard| shard.used[meter]).sum();
        if let Some(limit) = limit(shards, meter)
            && enforced[meter]
            && needed > 0
            && used + needed > limit
        {
            return Err(Full { meter, used, limit, needed });
        }
        for shard in shards.iter_mut().filter(|shard| shard.number == own) {
            shard.used[meter] += needed;
        }
        settle(shards, meter, own);
    }
    Ok(())
}

/// Deals out another limit: all of it that is not used lies in the pool, which is one of the shards.
pub(super) fn limit_to(shards: &mut [Shard], meter: usize, limit: Option<i64>) {
    let used: i64 = shards.iter().map(|shard| shard.used[meter]).sum();
    for shard in &mut *shards {
        let free = if shard.number == POOL { limit.map_or(0, |limit| limit - used) } else { 0 };
        shard.allowed[meter] = limit.map(|_| shard.used[meter] + free);
    }
}

/// Whether any shard uses more than its part.
pub(super) fn in_debt(shards: &[Shard]) -> bool {
    let is_in_debt =
        |shard: &Shard| (0..METERS).any(|meter| shard.slack(meter).is_some_and(|slack| slack < 0));
    shards.iter().any(is_in_debt)
}

fn limit(shards: &[Shard], meter: usize) -> Option<i64> {
    shards.iter().map(|shard| shard.allowed[meter]).sum()
}

/// Pays debts as far as there is slack, the own first, from the pool first. In the end nobody has slack or nobody has debts.
fn settle(shards: &mut [Shard], meter: usize, own: i64) {
    let debt = |shard: &Shard| -shard.slack(meter).unwrap_or_default().min(0);
    let slack = |shard: &Shard| shard.slack(meter).unwrap_or_default().max(0);
    let mut debtors: Vec<_> = (0..shards.len()).filter(|index| debt(&shards[*index]) > 0).collect();
    debtors.sort_by_key(|index| shards[*index].number != own);
    for debtor in debtors {
        let mut givers: Vec<_> =
            (0..shards.len()).filter(|index| slack(&shards[*index]) > 0).collect();
        // The fewest that do: each row that is written may be one that another transaction writes.
        givers.sort_by_key(|index| (shards[*index].number != POOL, -slack(&shards[*index])));
        for giver in givers {
            let (has, lacks) = (slack(&shards[giver]), debt(&shards[debtor]));
            let portion = if shards[giver].number == POOL { has / PORTION } else { 0 };
            if lacks > 0 {
                let given = lacks.max(portion).min(has);
                shards[giver].give(meter, -given);
                shards[debtor].give(meter, given);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const ALL: [bool; METERS] = [true; METERS];

    fn scope(limit: Option<i64>, shards: i64) -> Vec<Shard> {
        let shard = |number| Shard { number, used: [0; METERS], allowed: [None; METERS] };
        let mut shards: Vec<_> = (POOL..=shards).map(shard).collect();
        (0..METERS).for_each(|meter| limit_to(&mut shards, meter, limit));
        shards
    }

    fn used(shards: &[Shard], meter: usize) -> i64 {
        shards.iter().map(|shard| shard.used[meter]).sum()
    }

    #[test]
    fn a_change_that_fits_into_what_all_have_left_takes_it_together() {
        let mut shards = scope(Some(100), 4);
        for own in 1..=4 {
            charge(&mut shards, own, [25; METERS], ALL).unwrap();
        }
        for own in 1..=4 {
            charge(&mut shards, own, [-10; METERS], ALL).unwrap();
        }
        charge(&mut shards, 2, [40; METERS], ALL).unwrap();
        let full = charge(&mut shards, 3, [1; METERS], ALL).unwrap_err();
        assert_eq!(full, Full { meter: BYTES, used: 100, limit: 100, needed: 1 });
    }

    #[test]
    fn below_a_lowered_limit_nothing_fits_until_the_debt_is_paid() {
        let mut shards = scope(Some(100), 2);
        charge(&mut shards, 1, [80; METERS], ALL).unwrap();
        limit_to(&mut shards, BYTES, Some(50));
        assert!(in_debt(&shards));
        charge(&mut shards, 2, [-30, 0, 0, 0], ALL).unwrap();
        assert!(!in_debt(&shards));
        assert!(charge(&mut shards.clone(), 2, [1, 0, 0, 0], ALL).is_err());
        charge(&mut shards, 2, [-1, 0, 0, 0], ALL).unwrap();
        charge(&mut shards, 1, [1, 0, 0, 0], ALL).unwrap();
    }

    #[test]
    fn without_a_limit_everything_fits() {
        let mut shards = scope(None, 1);
        charge(&mut shards, 1, [i64::MAX / 2; METERS], ALL).unwrap();
        assert!(!in_debt(&shards));
    }

    proptest! {
        /// The way of a node: its own shard alone where the change fits there and nobody has debts, else all.
        #[test]
        fn whatever_is_charged_a_limit_is_reached_and_not_exceeded(
            limit in 0_i64..200,
            steps in vec((1_i64..6, -60_i64..80, any::<bool>(), proptest::option::weighted(0.1, 0_i64..200)), 1..200),
        ) {
            let (mut shards, mut limit, mut expected) = (scope(Some(limit), 5), limit, 0_i64);
            for (own, amount, forced, another) in steps {
                if let Some(another) = another {
                    limit = another;
                    limit_to(&mut shards, TAGS, Some(limit));
                }
                let change = [0, 0, 0, amount.max(-expected)];
                let amount = change[TAGS];
                let fits = amount <= 0 || forced || expected + amount <= limit;
                let own_slack = shards[own as usize].slack(TAGS).unwrap();
                if !in_debt(&shards) && amount <= own_slack {
                    shards[own as usize].used[TAGS] += amount;
                    prop_assert!(fits, "a shard let through what does not fit");
                    expected += amount;
                } else {
                    let mut after = shards.clone();
                    let charged = charge(&mut after, own, change, [true, true, true, !forced]);
                    prop_assert_eq!(charged.is_ok(), fits, "used {} of {}, {} more", expected, limit, amount);
                    if fits {
                        shards = after;
                        expected += amount;
                    }
                }
                prop_assert_eq!(used(&shards, TAGS), expected);
                prop_assert_eq!(super::limit(&shards, TAGS), Some(limit));
                prop_assert_eq!(in_debt(&shards), expected > limit);
            }
        }
    }
}
