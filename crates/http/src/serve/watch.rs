//! How a handler learns that its reply was sent, or was not.

use std::fmt;
use std::sync::Arc;

/// Is told once how the sending of a reply ended.
pub trait OnEnd: Send + Sync + 'static {
    /// `bytes` of the body were handed to the connection; `complete` if that was all of it. The
    /// last of them may still lie in buffers. Runs where the reply is sent: it must not block.
    fn ended(&self, bytes: u64, complete: bool);
}

impl<A: OnEnd, B: OnEnd> OnEnd for (A, B) {
    fn ended(&self, bytes: u64, complete: bool) {
        self.0.ended(bytes, complete);
        self.1.ended(bytes, complete);
    }
}

/// An extension of a reply: who wants to know how it ended. When the reply never reaches the
/// connection, the value is dropped without a call.
#[derive(Clone)]
pub struct Watch(Arc<dyn OnEnd>);

impl Watch {
    /// Tells `target`.
    pub fn new(target: impl OnEnd) -> Self {
        Self(Arc::new(target))
    }

    pub(super) fn ended(&self, bytes: u64, complete: bool) {
        self.0.ended(bytes, complete);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Watch")
    }
}
