//! The two comparisons: Wharf beside other programs, and Wharf on engines that nodes share beside the embedded one.

use std::iter;

use anyhow::Result;

use crate::fixture::Fixture;
use crate::goals::{self, Goal};
use crate::results::Results;
use crate::servers::Subject;
use crate::{manifests, pull, push, redirects, slow, start, steady};

/// A group of measures.
type Measure = fn(&Fixture, &mut Results) -> Result<()>;

/// What is measured, beside what, for which goals.
pub struct Comparison {
    /// What the goals are for.
    pub subject: Subject,
    /// What it is compared with.
    pub others: &'static [Subject],
    /// The measures, by the names of their groups.
    pub groups: &'static [(&'static str, Measure)],
    /// What is to be reached.
    pub goals: fn() -> Vec<Goal>,
}

/// Wharf with nothing to set up, beside other programs.
pub const EMBEDDED: Comparison = Comparison {
    subject: Subject::Wharf,
    others: &[Subject::Nginx, Subject::Registry, Subject::Dd],
    groups: &[
        ("pull", pull::run),
        ("push", push::run),
        ("manifests", manifests::run),
        ("steady", steady::run),
        ("slow", slow::run),
        ("start", start::run),
        ("idle", start::idle),
    ],
    goals: goals::embedded,
};

/// Wharf on PostgreSQL, S3 and Redis, beside the embedded one and the S3 server itself.
pub const SHARED: Comparison = Comparison {
    subject: Subject::Shared,
    others: &[Subject::Wharf, Subject::Multipart],
    groups: &[
        ("pull", pull::run),
        ("redirects", redirects::run),
        ("push", push::run),
        ("manifests", manifests::run),
        ("steady", steady::run),
    ],
    goals: goals::shared,
};

impl Comparison {
    /// All that is measured, in the order of columns.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> + use<> {
        iter::once(self.subject).chain(self.others.iter().copied())
    }
}
