//! Retention: which tags of a repository a policy keeps, and which it drops. Pure but for [`Plan`], which reads the facts.
//!
//! The order of what decides over content, each of which only ever sees what the one before has left:
//!
//! 1. *Retention* drops tags, and nothing but tags: those that a rule selects and nothing keeps.
//! 2. *Immutability* and *pins* are asked inside the transaction that would drop one, and win. A plan knows of them too.
//! 3. *Children* go on for as long as an index that is kept names them, *referrers* for as long as their subject is kept.
//! 4. *Collection* takes the manifests that no tag, pin, index or subject needs any more, and then their blobs.

mod age;
mod document;
mod facts;
mod judging;
mod plan;
mod policy;
mod ranking;
mod run;

pub use age::{Age, NoAge};
pub use document::{LONGEST_DOCUMENT, PolicyError};
pub use facts::{Companion, PullsKnown, SIGNATURE_TYPES, TagFacts};
pub use judging::{Judgement, Kept, Protection, Verdict};
pub use plan::{Judged, Plan, PlanError, Summary};
pub use policy::{
    Count, CountError, Keep, Newest, OfEach, Policy, Rule, RuleError, RuleName, RuleNameError,
    Untagged,
};
pub use ranking::{Ranking, TooMany};
pub use run::{RunOutcome, Sweeper, Turn};

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
