//! What goes wrong: nodes are killed at any moment, and ways are cut, stalled, slowed down and broken off, before nodes and before
//! what they stand on.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::pusher::{Common, EndsAll};
use crate::site::Site;
use crate::support::proxy::{Fault, Proxy};
use crate::support::random::Random;

/// The longest time between two of them.
const PEACE: Duration = Duration::from_millis(1500);

/// The longest time that a way is faulty.
const FAULTY: Duration = Duration::from_millis(1200);

/// The longest time that a node is down.
const DOWN: Duration = Duration::from_millis(500);

/// In so much of a start a node may be killed again.
const START: Duration = Duration::from_millis(200);

/// How many times as long it goes on at most where nothing was collected, or nothing was done of what it is for.
const LONGER: u32 = 5;

/// How often jobs are hastened.
const HASTE: Duration = Duration::from_secs(4);

/// How much there was.
#[derive(Default, Debug)]
pub struct Made {
    pub kills: u32,
    pub faults: u32,
}

/// Makes trouble for so long, and until something was collected meanwhile and enough was done; then the soak is over.
pub fn make(site: &mut Site, common: &Common, time: Duration, random: &mut Random) -> Made {
    let _over = EndsAll(&common.over);
    let (mut made, began, mut hastened) = (Made::default(), Instant::now(), Instant::now());
    let is_early = |site: &Site| {
        let left = time.saturating_sub(began.elapsed());
        let lacks = || site.rows().deleted_keys() == 0 || !common.is_enough();
        !left.is_zero() || (began.elapsed() < time * LONGER && lacks())
    };
    while !common.over.load(Ordering::Relaxed) && is_early(site) {
        random.moment(PEACE);
        if hastened.elapsed() > HASTE {
            hastened = Instant::now();
            site.hasten();
        }
        let node = random.below(site.nodes() as u64) as usize;
        let (kills, breaks) = match random.below(4) {
            0 | 1 => (true, false),
            2 => (false, true),
            _ => (true, true),
        };
        // At first both, so that there is none of either kind only where it failed.
        let (kills, breaks) = (kills || made.kills == 0, breaks || made.faults == 0);
        let way = random.below(ways(site).count() as u64) as usize;
        let way = breaks.then_some(way);
        if let Some(way) = way {
            ways(site).nth(way).unwrap().fail(some_fault(random));
            random.moment(FAULTY);
            made.faults += 1;
        }
        if kills {
            site.kill(node);
            random.moment(DOWN);
            made.kills += 1;
        }
        if let Some(way) = way {
            ways(site).nth(way).unwrap().heal();
        }
        if kills {
            let stumbling =
                (random.below(4) == 0).then(|| START.mul_f64(random.below(100) as f64 / 100.0));
            site.start_again(node, stumbling);
            // Else what the dead node was at would rest for a minute.
            site.rows().end_leases();
        }
    }
    made
}

/// Kills every node with all requests under way, and starts it again: nothing is done any more that was asked before.
pub fn end(site: &mut Site) {
    for node in 0..site.nodes() {
        site.kill(node);
    }
    for node in 0..site.nodes() {
        site.start_again(node, None);
    }
    site.rows().end_leases();
    site.recovers();
}

/// Those to nodes, and those from nodes.
fn ways(site: &Site) -> impl Iterator<Item = &Proxy> {
    let engines = site.engines.as_ref().map(|it| [&it.database, &it.objects, &it.redis]);
    site.ways().chain(engines.into_iter().flatten())
}

fn some_fault(random: &mut Random) -> Fault {
    match random.below(6) {
        0 | 1 => Fault::Cut,
        2 => Fault::Stall,
        3 => Fault::HalfClose,
        4 => Fault::Truncate(random.below(3000) as usize),
        _ => Fault::Delay(Duration::from_millis(5 + random.below(40))),
    }
}
