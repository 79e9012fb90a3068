//! What is to be reached, and whether it was.

use crate::manifests::{BY_DIGEST, BY_TAG};
use crate::results::{
    Metric, P99, PROCESSOR, PROPORTIONAL, RATE, REQUESTS, RESIDENT, Results, TIME,
};
use crate::servers::Subject::{self, Dd, Nginx, Registry};
use crate::{pull, push, slow, start, steady};

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
    /// The median reached: of the ratios for a goal against another, of the values otherwise.
    pub fn reached(&self, results: &Results) -> Option<f64> {
        let row = results.row(&self.measure, self.metric)?;
        let spread = match self.against {
            Some(other) => row.ratio(other),
            None => row.spread(Subject::Wharf),
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

/// All goals.
pub fn goals() -> Vec<Goal> {
    use Bound::{AtLeast, AtMost, Below};
    let goal = |text, measure: &str, metric, against, bound| Goal {
        text,
        measure: measure.to_owned(),
        metric,
        against,
        bound,
    };
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
