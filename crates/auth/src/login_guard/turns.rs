//! Logins of one kind that have to wait for one another: as many as may at once, a bounded number of others behind them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// How many wait in one line at most: somebody who pulls many images at once logs in for each of them.
const MOST_IN_LINE: usize = 512;

/// How many wait in all lines.
const MOST_WAITING: usize = 4096;

/// How long one waits at most.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A line to wait in, and how many may be at its door at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) key: String,
    pub(super) at_once: usize,
}

/// Too many wait already, or it took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crowded;

/// The lines that somebody is in.
#[derive(Default)]
pub(super) struct Turns(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    lines: HashMap<String, Door>,
    waiting: usize,
}

struct Door {
    /// Who has come to it, and of these who went in.
    at_door: usize,
    inside: usize,
    waiting: usize,
    /// How many have come out, whichever way, and how many of them had been inside.
    moved: watch::Sender<()>,
    ended: watch::Sender<()>,
}

impl Door {
    fn new() -> Self {
        let (moved, ended) = (watch::Sender::new(()), watch::Sender::new(()));
        Self { at_door: 0, inside: 0, waiting: 0, moved, ended }
    }

    const fn is_left(&self) -> bool {
        self.at_door == 0 && self.waiting == 0
    }
}

/// A place at the door of each of some lines; given up when it is dropped.
pub(super) struct Turn {
    turns: Arc<Turns>,
    lines: Vec<Line>,
    /// One for each line: tells that somebody who had been inside came out, since this was looked at last.
    ended: Vec<watch::Receiver<()>>,
    is_inside: bool,
    deadline: Instant,
}

impl Turns {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room at the door of every line.
    pub(super) async fn enter(self: &Arc<Self>, lines: Vec<Line>) -> Result<Turn, Crowded> {
        let deadline = Instant::now() + LONGEST_WAIT;
        loop {
            let mut waits = {
                let mut all = self.lines();
                match all.full(&lines) {
                    None => {
                        let ended = all.come(&lines);
                        let turns = Arc::clone(self);
                        return Ok(Turn { turns, lines, ended, is_inside: false, deadline });
                    }
                    Some(line) => self.wait(&mut all, line)?,
                }
            };
            let moved = timeout_at(deadline, waits.moved.changed()).await;
            moved.map_err(|_| Crowded)?.map_err(|_| Crowded)?;
        }
    }

    fn wait<'a>(&'a self, all: &mut Lines, line: &'a Line) -> Result<Waiting<'a>, Crowded> {
        let door = all.lines.get_mut(&line.key).ok_or(Crowded)?;
        if door.waiting >= MOST_IN_LINE || all.waiting >= MOST_WAITING {
            return Err(Crowded);
        }
        door.waiting += 1;
        all.waiting += 1;
        Ok(Waiting { turns: self, key: &line.key, moved: door.moved.subscribe() })
    }
}

impl Lines {
    /// The first line with no room at its door.
    fn full<'a>(&self, lines: &'a [Line]) -> Option<&'a Line> {
        let is_full = |line: &&Line| {
            self.lines.get(&line.key).is_some_and(|door| door.at_door >= line.at_once)
        };
        lines.iter().find(is_full)
    }

    fn come(&mut self, lines: &[Line]) -> Vec<watch::Receiver<()>> {
        let come = |line: &Line| {
            let door = self.lines.entry(line.key.clone()).or_insert_with(Door::new);
            door.at_door += 1;
            door.ended.subscribe()
        };
        lines.iter().map(come).collect()
    }

    fn with_door(&mut self, key: &str, change: impl FnOnce(&mut Door)) {
        if let Some(door) = self.lines.get_mut(key) {
            change(door);
            if door.is_left() {
                self.lines.remove(key);
            }
        }
    }
}

impl Turn {
    /// From now on others wait for how this ends.
    pub(super) fn go_in(&mut self) {
        let mut all = self.turns.lines();
        for line in &self.lines {
            all.with_door(&line.key, |door| door.inside += 1);
        }
        self.is_inside = true;
    }

    /// Waits until somebody comes out of one of these lines who is inside, or has come out since this was asked last.
    /// `false` where there is nobody, or it took too long.
    pub(super) async fn another_ended(&mut self, keys: &[&str]) -> bool {
        for (line, ended) in self.lines.iter().zip(&mut self.ended) {
            if !keys.contains(&line.key.as_str()) {
                continue;
            }
            let is_somebody_inside =
                self.turns.lines().lines.get(&line.key).is_some_and(|door| door.inside > 0);
            if is_somebody_inside || ended.has_changed().unwrap_or(false) {
                return timeout_at(self.deadline, ended.changed()).await.is_ok();
            }
        }
        false
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = self.turns.lines();
        for line in &self.lines {
            all.with_door(&line.key, |door| {
                door.at_door -= 1;
                door.moved.send_replace(());
                if self.is_inside {
                    door.inside -= 1;
                    door.ended.send_replace(());
                }
            });
        }
    }
}

/// Somebody who waits in a line.
struct Waiting<'a> {
    turns: &'a Turns,
    key: &'a str,
    moved: watch::Receiver<()>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut all = self.turns.lines();
        all.waiting -= 1;
        all.with_door(self.key, |door| door.waiting -= 1);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::task::yield_now;

    use super::*;

    fn line(key: &str, at_once: usize) -> Line {
        Line { key: key.into(), at_once }
    }

    fn waiting(turns: &Turns) -> usize {
        turns.lines().waiting
    }

    #[tokio::test]
    async fn who_finds_no_room_waits_until_there_is_and_nothing_is_left_behind() {
        let turns = Arc::new(Turns::default());
        let both = || vec![line("client", 3), line("name", 1)];
        let first = turns.enter(both()).await.unwrap();
        // Another name of that client need not wait.
        let other = turns.enter(vec![line("client", 3)]).await.unwrap();
        let second = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.enter(both()).await.map(drop) }
        });
        while waiting(&turns) == 0 {
            yield_now().await;
        }
        drop(other);
        assert!(!second.is_finished());
        drop(first);
        assert_eq!(second.await.unwrap(), Ok(()));
        let lines = turns.lines();
        assert!(lines.lines.is_empty() && lines.waiting == 0);
    }

    #[tokio::test]
    async fn a_bounded_number_waits() {
        let turns = Arc::new(Turns::default());
        let first = turns.enter(vec![line("a", 1)]).await.unwrap();
        let enter = |_| {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move { turns.enter(vec![line("a", 1)]).await.map(drop) })
        };
        let others: Vec<_> = (0..MOST_IN_LINE).map(enter).collect();
        while waiting(&turns) < MOST_IN_LINE {
            yield_now().await;
        }
        assert_eq!(turns.enter(vec![line("a", 1)]).await.map(drop), Err(Crowded));
        let another = turns.enter(vec![line("b", 1)]).await.map(drop);
        assert_eq!(another, Ok(()));
        drop(first);
        for other in others {
            assert_eq!(other.await.unwrap(), Ok(()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let turns = Arc::new(Turns::default());
        let _first = turns.enter(vec![line("a", 1)]).await.unwrap();
        assert_eq!(turns.enter(vec![line("a", 1)]).await.map(drop), Err(Crowded));
        assert_eq!(waiting(&turns), 0);
    }

    #[tokio::test]
    async fn who_is_at_the_door_hears_of_who_was_inside_even_if_they_had_left_by_then() {
        let turns = Arc::new(Turns::default());
        let enter = || turns.enter(vec![line("a", 3)]);
        let (mut inside, mut at_door, other) =
            (enter().await.unwrap(), enter().await.unwrap(), enter().await.unwrap());
        assert!(!at_door.another_ended(&["a"]).await, "nobody is inside");
        drop(other);
        assert!(!at_door.another_ended(&["a"]).await, "who was not inside says nothing");
        inside.go_in();
        assert!(!at_door.another_ended(&["b"]).await);
        drop(inside);
        assert!(at_door.another_ended(&["a"]).await);
        assert!(!at_door.another_ended(&["a"]).await);
    }
}
