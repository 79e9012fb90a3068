//! How large the next piece of a stream is: small for who is slow, large for who is fast.

use std::time::{Duration, Instant};

/// The smallest piece, and the first: what a slow reader holds in memory. A multiple of
/// [`Mapping::ALIGNMENT`](super::mapping::Mapping::ALIGNMENT), as are all sizes that come of doubling it.
pub(super) const SMALLEST: usize = 64 << 10;

/// How many bytes are taken fast whoever reads: the socket's buffers on both sides swallow them. Only what
/// comes behind tells of the reader.
const SWALLOWED: u64 = 4 << 20;

/// A reader who comes back sooner than this is fast.
const FAST: Duration = Duration::from_millis(20);

/// A reader who stays away longer than this is slow.
const SLOW: Duration = Duration::from_millis(250);

/// The pace at which a stream's pieces are taken.
pub(super) struct Pace {
    size: usize,
    largest: usize,
    /// How many bytes were handed out since the reader was slow last.
    streak: u64,
    handed: Option<Instant>,
}

impl Pace {
    /// Begins with small pieces, and goes up to `largest` bytes.
    pub(super) fn new(largest: usize) -> Self {
        Self { size: SMALLEST, largest, streak: 0, handed: None }
    }

    /// The next piece is asked for.
    pub(super) fn asked(&mut self) {
        self.came_back(self.handed.map_or(Duration::ZERO, |handed| handed.elapsed()));
    }

    /// A piece of `length` bytes was handed out.
    pub(super) fn handed(&mut self, length: usize) {
        self.streak += length as u64;
        self.handed = Some(Instant::now());
    }

    fn came_back(&mut self, away: Duration) {
        if away > SLOW {
            self.streak = 0;
            self.size = SMALLEST;
        } else if away < FAST && self.streak >= SWALLOWED {
            self.size = (self.size * 2).min(self.largest);
        }
    }

    /// How many bytes the next piece has.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Whether the reader is worth having a piece ready for.
    pub(super) fn reads_ahead(&self) -> bool {
        self.size > SMALLEST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The piece after `bytes` were taken, each piece after so long.
    fn after(pace: &mut Pace, bytes: u64, away: Duration) -> usize {
        let mut taken = 0;
        while taken < bytes {
            taken += pace.size() as u64;
            pace.handed(pace.size());
            pace.came_back(away);
        }
        pace.size()
    }

    #[test]
    fn a_fast_reader_gets_large_pieces_once_the_socket_is_full() {
        let mut pace = Pace::new(1 << 20);
        assert_eq!(after(&mut pace, SWALLOWED - 1, Duration::ZERO), 2 * SMALLEST);
        assert!(pace.reads_ahead());
        assert_eq!(after(&mut pace, 16 << 20, Duration::ZERO), 1 << 20);
    }

    #[test]
    fn what_a_socket_swallows_earns_nothing() {
        let mut pace = Pace::new(1 << 20);
        assert_eq!(after(&mut pace, SWALLOWED - SMALLEST as u64, Duration::ZERO), SMALLEST);
        assert!(!pace.reads_ahead());
    }

    #[test]
    fn a_reader_who_becomes_slow_gets_small_pieces_again() {
        let mut pace = Pace::new(1 << 20);
        after(&mut pace, 16 << 20, Duration::ZERO);
        assert_eq!(after(&mut pace, 1, 2 * SLOW), SMALLEST);
        assert_eq!(after(&mut pace, 1 << 20, Duration::ZERO), SMALLEST);
    }

    #[test]
    fn a_reader_in_between_keeps_the_size_it_has() {
        let mut pace = Pace::new(1 << 20);
        assert_eq!(after(&mut pace, 16 << 20, 2 * FAST), SMALLEST);
    }
}
