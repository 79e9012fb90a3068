//! The layers that all images of a soak are made of: few, so that they are shared, mounted, let go of, collected and pushed again.

use std::time::{Duration, Instant};

use crate::support::random::Random;
use crate::support::registry::digest;

/// How many there are.
const COUNT: u64 = 64;

/// How many of them images are made of at one time.
const IN_USE: u64 = 5;

/// How long these are the same. So a layer is not asked for in many times as long, on average, before it comes again.
const SPELL: Duration = Duration::from_millis(1500);

const LARGEST: u64 = 30_000;

/// One of so many layers is as large as this: where the store takes parts, it has some.
const HUGE_EACH: u64 = 32;
const HUGE: usize = 5_500_000;

/// A layer.
pub struct Layer {
    pub digest: String,
    pub bytes: Vec<u8>,
}

/// All of them.
pub struct Layers {
    all: Vec<Layer>,
    seed: u64,
    began: Instant,
}

impl Layers {
    pub fn made_from(seed: u64) -> Layers {
        let mut random = Random::seeded(seed);
        let make = |number| {
            let length =
                if number % HUGE_EACH == 1 { HUGE } else { 1 + random.below(LARGEST) as usize };
            let bytes = random.bytes(length);
            Layer { digest: digest(&bytes), bytes }
        };
        Layers { all: (0..COUNT).map(make).collect(), seed, began: Instant::now() }
    }

    /// One of those that are in use now.
    pub fn choose(&self, random: &mut Random) -> usize {
        let spell = self.began.elapsed().as_millis() / SPELL.as_millis();
        let mut in_use = Random::seeded(self.seed ^ spell as u64);
        let mut chosen = in_use.below(COUNT);
        for _ in 0..random.below(IN_USE) {
            chosen = in_use.below(COUNT);
        }
        chosen as usize
    }

    pub fn get(&self, number: usize) -> &Layer {
        &self.all[number]
    }
}
