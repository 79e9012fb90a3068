//! Takes over another registry's store where it lies, a slice at a time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::adoption::{Adopter, SliceEnd};
use wharf_core::metadata::{JobOutcome, NewJob};

use crate::Handler;

/// The kind.
const KIND: &str = "store.adopt";

/// The job that works on the adoption that runs: there is one at a time.
pub fn adoption_job() -> NewJob {
    let (kind, key) = (KIND.to_owned(), String::new());
    NewJob { kind, key, payload: "{}".into(), delay: Duration::ZERO }
}

/// The job.
pub struct Adoption {
    adopter: Arc<Adopter>,
}

impl Adoption {
    /// Works by this adopter.
    pub const fn new(adopter: Arc<Adopter>) -> Self {
        Self { adopter }
    }
}

#[async_trait]
impl Handler for Adoption {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, _: &str) -> JobOutcome {
        match self.adopter.work().await {
            Ok(SliceEnd::More) => JobOutcome::Again(Duration::ZERO),
            Ok(SliceEnd::Done) => JobOutcome::Done,
            Ok(SliceEnd::Elsewhere(source)) => JobOutcome::Retry {
                after: Duration::from_secs(60),
                error: format!(
                    "the adoption is of {source}, and this node's blobs.adopted is {}; set it alike on all nodes",
                    self.adopter.source
                ),
            },
            Err(error) => JobOutcome::Retry { after: Duration::ZERO, error: error.to_string() },
        }
    }
}
