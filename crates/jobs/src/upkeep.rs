//! What jobs have in common that keep house: a step until there is nothing left, and a rest.

use std::fmt::Display;
use std::time::Duration;

use wharf_core::StoreError;
use wharf_core::metadata::JobOutcome;

/// Takes a step again and again until it finds nothing to do. Returns the sum of what it found.
pub(crate) async fn until_nothing<F>(step: impl Fn() -> F) -> Result<u64, StoreError>
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let mut sum = 0;
    loop {
        match step().await? {
            0 => return Ok(sum),
            some => sum += some,
        }
    }
}

/// Again after a rest; where it failed, as soon as the runner tries again.
pub(crate) fn again(looked: Result<(), impl Display>, rest: Duration) -> JobOutcome {
    match looked {
        Ok(()) => JobOutcome::Again(rest),
        Err(error) => JobOutcome::Retry { after: Duration::ZERO, error: error.to_string() },
    }
}
