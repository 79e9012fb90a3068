//! What was measured, and what it says: medians, spans, and ratios round by round.

use std::collections::BTreeMap;

use crate::servers::Subject;

/// Something that is measured, with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// What it is.
    pub name: &'static str,
    /// In what.
    pub unit: &'static str,
}

/// Bytes a second.
pub const RATE: Metric = Metric { name: "rate", unit: "MB/s" };
/// Processor time of the server for its bytes.
pub const PROCESSOR: Metric = Metric { name: "server CPU", unit: "s/GiB" };
/// The most resident memory.
pub const PEAK: Metric = Metric { name: "peak memory (VmHWM)", unit: "MB" };
/// The most anonymous memory.
pub const PEAK_ANONYMOUS: Metric = Metric { name: "peak RssAnon", unit: "MB" };
/// Requests a second.
pub const REQUESTS: Metric = Metric { name: "requests", unit: "/s" };
/// The median time of a request.
pub const P50: Metric = Metric { name: "p50", unit: "ms" };
/// The time that 99 of 100 requests take at most.
pub const P99: Metric = Metric { name: "p99", unit: "ms" };
/// Processor time of a node for a request.
pub const EACH: Metric = Metric { name: "node CPU", unit: "ms each" };
/// Anonymous memory.
pub const ANONYMOUS: Metric = Metric { name: "RssAnon", unit: "MB" };
/// Mapped files.
pub const FILE: Metric = Metric { name: "RssFile", unit: "MB" };
/// Proportional memory.
pub const PROPORTIONAL: Metric = Metric { name: "Pss", unit: "MB" };
/// Resident memory.
pub const RESIDENT: Metric = Metric { name: "VmRSS", unit: "MB" };
/// A time.
pub const TIME: Metric = Metric { name: "first reply", unit: "ms" };

/// A median, and from where to where the values go.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// The value in the middle.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of some values; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[half - 1], sorted[half]),
            _ => sorted[half],
        };
        Some(Self { median, least, most })
    }
}

/// One metric of one measure.
#[derive(Debug)]
pub struct Row {
    /// What was done.
    pub measure: String,
    /// What was looked at.
    pub metric: Metric,
    /// The values of each subject, one a round.
    pub values: BTreeMap<Subject, Vec<f64>>,
}

impl Row {
    /// The spread of `subject`.
    pub fn spread(&self, subject: Subject) -> Option<Spread> {
        Spread::of(self.values.get(&subject)?)
    }

    /// The value of `subject` through that of `other`, in each round.
    pub fn ratio(&self, subject: Subject, other: Subject) -> Option<Spread> {
        let ours = self.values.get(&subject)?;
        let theirs = self.values.get(&other)?;
        let pairs = ours.iter().zip(theirs).filter(|(_, theirs)| **theirs > 0.0);
        Spread::of(&pairs.map(|(ours, theirs)| ours / theirs).collect::<Vec<_>>())
    }
}

/// All that was measured.
#[derive(Debug, Default)]
pub struct Results {
    /// In the order of their first values.
    pub rows: Vec<Row>,
}

impl Results {
    /// Adds a value.
    pub fn add(&mut self, measure: &str, metric: Metric, subject: Subject, value: f64) {
        let found = self.rows.iter().position(|row| row.measure == measure && row.metric == metric);
        let index = found.unwrap_or_else(|| {
            let values = BTreeMap::new();
            self.rows.push(Row { measure: measure.to_owned(), metric, values });
            self.rows.len() - 1
        });
        self.rows[index].values.entry(subject).or_default().push(value);
    }

    /// The row of a metric.
    pub fn row(&self, measure: &str, metric: Metric) -> Option<&Row> {
        self.rows.iter().find(|row| row.measure == measure && row.metric == metric)
    }
}

/// Bytes as MB.
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
