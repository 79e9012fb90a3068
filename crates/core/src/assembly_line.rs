//! Work on pieces in their order, on a thread that may block, while the next pieces are awaited.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::StoreError;
use crate::blobs::StageError;

/// How many pieces wait at most. With none, whoever brings pieces stops whenever this work is the slower of
/// the two for a moment.
const WAITING: usize = 2;

/// The thread that worked was lost: the program is being stopped, or the work panicked.
#[derive(Debug)]
pub struct Lost;

impl From<Lost> for StoreError {
    fn from(_: Lost) -> Self {
        Self::Unavailable("a thread that worked on an upload ended early".into())
    }
}

impl From<Lost> for StageError {
    fn from(lost: Lost) -> Self {
        Self::Store(lost.into())
    }
}

/// A state of type `S`, changed by one piece after the other.
///
/// The thread takes the pieces as long as there are any and then goes home, so that a client who sends
/// slowly holds none. Dropped before its end, it forgets the pieces that wait.
pub struct AssemblyLine<S, E> {
    shared: Arc<Shared<S, E>>,
    work: Work<S, E>,
}

/// What is done with a piece.
pub type Work<S, E> = fn(S, &Bytes) -> Result<S, E>;

struct Shared<S, E> {
    inner: Mutex<Inner<S, E>>,
    changed: Notify,
}

struct Inner<S, E> {
    waiting: VecDeque<Bytes>,
    state: State<S, E>,
}

enum State<S, E> {
    Resting(S),
    Working,
    Failed(Option<E>),
}

impl<S, E> Shared<S, E> {
    fn lock(&self) -> MutexGuard<'_, Inner<S, E>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S, E> AssemblyLine<S, E>
where
    S: Send + 'static,
    E: From<Lost> + Send + 'static,
{
    /// A line at rest.
    pub fn new(state: S, work: Work<S, E>) -> Self {
        let inner = Inner { waiting: VecDeque::new(), state: State::Resting(state) };
        Self { shared: Arc::new(Shared { inner: Mutex::new(inner), changed: Notify::new() }), work }
    }

    /// Hands a piece over; waits while too many wait.
    ///
    /// # Errors
    /// What the work on an earlier piece ended with. The line is of no more use then.
    pub async fn give(&mut self, piece: Bytes) -> Result<(), E> {
        let mut piece = Some(piece);
        loop {
            if self.offer(&mut piece)? {
                return Ok(());
            }
            self.shared.changed.notified().await;
        }
    }

    fn offer(&self, piece: &mut Option<Bytes>) -> Result<bool, E> {
        let mut inner = self.shared.lock();
        let full = inner.waiting.len() >= WAITING;
        match &mut inner.state {
            State::Failed(error) => return Err(error.take().unwrap_or_else(|| Lost.into())),
            State::Working if full => return Ok(false),
            _ => {}
        }
        inner.waiting.extend(piece.take());
        if let State::Resting(state) = std::mem::replace(&mut inner.state, State::Working) {
            let shared = Arc::clone(&self.shared);
            let worker = Worker { shared, state: Some(state), ended: false };
            let work = self.work;
            tokio::task::spawn_blocking(move || worker.run(work));
        }
        Ok(true)
    }

    /// Hands a small piece over: it is worked on here and now if the line is at rest.
    ///
    /// # Errors
    /// As [`AssemblyLine::give`].
    pub async fn give_small(&mut self, piece: Bytes) -> Result<(), E> {
        let resting = {
            let mut inner = self.shared.lock();
            match std::mem::replace(&mut inner.state, State::Working) {
                State::Resting(state) => Some(state),
                other => {
                    inner.state = other;
                    None
                }
            }
        };
        let Some(state) = resting else { return self.give(piece).await };
        let state = (self.work)(state, &piece)?;
        self.shared.lock().state = State::Resting(state);
        Ok(())
    }

    /// Waits until all pieces are worked on, and returns what became of the state.
    ///
    /// # Errors
    /// What the work on a piece ended with.
    pub async fn finish(self) -> Result<S, E> {
        loop {
            match std::mem::replace(&mut self.shared.lock().state, State::Working) {
                State::Resting(state) => return Ok(state),
                State::Failed(error) => return Err(error.unwrap_or_else(|| Lost.into())),
                State::Working => {}
            }
            self.shared.changed.notified().await;
        }
    }
}

impl<S, E> Drop for AssemblyLine<S, E> {
    fn drop(&mut self) {
        self.shared.lock().waiting.clear();
    }
}

/// The work on a thread. Dropped with the state still in it, it was lost.
struct Worker<S, E> {
    shared: Arc<Shared<S, E>>,
    state: Option<S>,
    ended: bool,
}

impl<S, E> Worker<S, E> {
    fn run(mut self, work: Work<S, E>) {
        while let Some(piece) = self.next() {
            let Some(state) = self.state.take() else { return };
            match work(state, &piece) {
                Ok(state) => self.state = Some(state),
                Err(error) => return self.end(State::Failed(Some(error))),
            }
        }
    }

    /// The next piece; at rest when there is none.
    fn next(&mut self) -> Option<Bytes> {
        let mut inner = self.shared.lock();
        let piece = inner.waiting.pop_front();
        if piece.is_none()
            && let Some(state) = self.state.take()
        {
            inner.state = State::Resting(state);
            self.ended = true;
        }
        drop(inner);
        self.shared.changed.notify_one();
        piece
    }

    fn end(&mut self, state: State<S, E>) {
        self.ended = true;
        self.shared.lock().state = state;
        self.shared.changed.notify_one();
    }
}

impl<S, E> Drop for Worker<S, E> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(State::Failed(None));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[derive(Debug, PartialEq)]
    enum Fault {
        Lost,
        Bad(u8),
    }

    impl From<Lost> for Fault {
        fn from(_: Lost) -> Self {
            Self::Lost
        }
    }

    /// Remembers each piece; cannot take one that begins with 255, and dies of 254.
    fn remember(mut seen: Vec<u8>, piece: &Bytes) -> Result<Vec<u8>, Fault> {
        match piece[0] {
            255 => return Err(Fault::Bad(seen.last().copied().unwrap_or(0))),
            254 => panic!("as the test asks"),
            first => seen.push(first),
        }
        Ok(seen)
    }

    fn line() -> AssemblyLine<Vec<u8>, Fault> {
        AssemblyLine::new(Vec::new(), remember)
    }

    async fn give_all(line: &mut AssemblyLine<Vec<u8>, Fault>, bytes: &[u8]) -> Result<(), Fault> {
        for byte in bytes {
            let piece = Bytes::copy_from_slice(&[*byte]);
            if byte % 3 == 0 { line.give_small(piece).await? } else { line.give(piece).await? }
        }
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn pieces_are_worked_on_in_their_order() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|number| (number % 250) as u8).collect();
        let mut line = line();
        give_all(&mut line, &bytes).await.unwrap();
        assert_eq!(line.finish().await.unwrap(), bytes);
    }

    #[tokio::test]
    async fn without_pieces_the_state_is_as_it_was() {
        assert!(line().finish().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_failure_is_told_at_the_end_at_the_latest() {
        let mut line = line();
        line.give(Bytes::from_static(&[1])).await.unwrap();
        line.give(Bytes::from_static(&[255])).await.unwrap();
        assert_eq!(line.finish().await.unwrap_err(), Fault::Bad(1));
    }

    #[tokio::test]
    async fn a_failure_ends_the_giving() {
        let mut line = line();
        let given = give_all(&mut line, &[255; 100]).await;
        assert_eq!(given.unwrap_err(), Fault::Bad(0));
    }

    #[tokio::test]
    async fn a_panic_is_a_loss_and_not_a_wait_for_ever() {
        let mut line = line();
        line.give(Bytes::from_static(&[254])).await.unwrap();
        assert_eq!(line.finish().await.unwrap_err(), Fault::Lost);
    }

    #[tokio::test]
    async fn who_is_dropped_forgets_what_waits() {
        let (entered, entering) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        type Held = (std::sync::mpsc::Sender<()>, std::sync::mpsc::Receiver<()>);
        let work: Work<Held, Lost> = |held, _| {
            let _ = held.0.send(());
            let _ = held.1.recv();
            Ok(held)
        };
        let mut line = AssemblyLine::new((entered, released), work);
        for _ in 0..=WAITING {
            line.give(Bytes::from_static(b"piece")).await.unwrap();
        }
        entering.recv().unwrap();
        drop(line);
        release.send(()).unwrap();
        // The thread went home after the one piece, and the state with it.
        assert!(entering.recv().is_err());
    }
}
