//! What is to be reached, and whether it was.

use crate::manifests::{BY_DIGEST, BY_TAG};
use crate::results::{
    EACH, Metric, P99, PROCESSOR, PROPORTIONAL, RATE, REQUESTS, RESIDENT, Results, TIME,
};
use crate::servers::Subject::{self, Dd, Multipart, Nginx, Registry, Wharf};
use crate::{pull, push, redirects, slow, start, steady};

/// On which side of a number the value has to be.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    /// No less.
    AtLeast(f64),
    /// No more.
    AtMost(f64),
    /// Less.
    Below(f64),
}

/// Something to be reached.
#[derive(Debug)]
pub struct Goal {
    /// In words.
    pub text: &'static str,
    measure: String,
    metric: Metric,
    against: Option<Subject>,
    bound: Bound,
}

impl Goal {
    /// The median that `subject` reached: of the ratios for a goal against another, of the values otherwise.
    pub fn reached(&self, results: &Results, subject: Subject) -> Option<f64> {
        let row = results.row(&self.measure, self.metric)?;
        let spread = match self.against {
            Some(other) => row.ratio(subject, other),
            None => row.spread(subject),
        };
        spread.map(|spread| spread.median)
    }

    /// Whether `value` reaches it.
    pub fn is_met_by(&self, value: f64) -> bool {
        match self.bound {
            Bound::AtLeast(least) => value >= least,
            Bound::AtMost(most) => value <= most,
            Bound::Below(most) => value < most,
        }
    }

    /// The unit of what is reached.
    pub fn unit(&self) -> &'static str {
        if self.against.is_some() { "×" } else { self.metric.unit }
    }
}

fn goal(
    text: &'static str,
    measure: &str,
    metric: Metric,
    against: Option<Subject>,
    bound: Bound,
) -> Goal {
    Goal { text, measure: measure.to_owned(), metric, against, bound }
}

/// The goals on engines that nodes share, beside the embedded ones.
pub fn shared() -> Vec<Goal> {
    use Bound::{AtLeast, Below};
    let push = push::name(1);
    vec![
        goal("manifests by tag ≥ 0.7 × embedded", BY_TAG, REQUESTS, Some(Wharf), AtLeast(0.7)),
        goal("push to S3 ≥ 0.85 × multipart", &push, RATE, Some(Multipart), AtLeast(0.85)),
        goal("a redirect < 1 ms of node CPU", redirects::NAME, EACH, None, Below(1.0)),
    ]
}

/// The goals beside other programs.
pub fn embedded() -> Vec<Goal> {
    use Bound::{AtLeast, AtMost, Below};
    let pull = pull::name(1);
    let push = push::name(1);
    vec![
        goal("pull ≥ 1.2 × nginx", &pull, RATE, Some(Nginx), AtLeast(1.2)),
        goal("pull CPU ≤ 1.3 × nginx", &pull, PROCESSOR, Some(Nginx), AtMost(1.3)),
        goal(
            "manifests by digest ≥ 20 × docker-registry",
            BY_DIGEST,
            REQUESTS,
            Some(Registry),
            AtLeast(20.0),
        ),
        goal(
            "manifests by tag ≥ 15 × docker-registry",
            BY_TAG,
            REQUESTS,
            Some(Registry),
            AtLeast(15.0),
        ),
        goal("durable push ≥ 4 × docker-registry", &push, RATE, Some(Registry), AtLeast(4.0)),
        goal("durable push ≥ 0.95 × dd", &push, RATE, Some(Dd), AtLeast(0.95)),
        goal("one client pushes ≥ 500 MB/s", &push, RATE, None, AtLeast(500.0)),
        goal(
            "1,000 slow pulls ≤ 100 MB more (Pss)",
            &slow::name(1000),
            PROPORTIONAL,
            None,
            AtMost(100.0),
        ),
        goal("5,000 manifests/s, p99 < 100 ms", steady::NAME, P99, None, Below(100.0)),
        goal("first reply < 200 ms", start::NEW, TIME, None, Below(200.0)),
        goal("idle ≤ 30 MB (VmRSS)", start::IDLE, RESIDENT, None, AtMost(30.0)),
    ]
}
