//! Requests by operation and class of status: a fixed table of atomics, no lock and no lookup by label.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::serve::OnEnd;

/// Upper bounds of the duration histogram, in seconds; the last one has none.
const BOUNDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, f64::INFINITY];

/// Values of the label `status`. A request without a reply (its client went away, or its handler
/// panicked) is `none`.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Requests of one operation and class.
#[derive(Debug, Default)]
struct Cell {
    buckets: [AtomicU64; BOUNDS.len()],
    microseconds: AtomicU64,
}

#[derive(Debug)]
struct Row {
    operation: &'static str,
    classes: [Cell; CLASSES.len()],
}

/// The table: a row an operation, the last one for `other`.
pub(super) struct Requests {
    rows: Vec<Row>,
    in_flight: AtomicI64,
}

impl Requests {
    pub(super) fn new(operations: &[&'static str]) -> Self {
        let row = |operation| Row { operation, classes: Default::default() };
        let rows = operations.iter().copied().chain(["other"]).map(row).collect();
        Self { rows, in_flight: AtomicI64::new(0) }
    }

    fn row(&self, operation: &str) -> usize {
        let found = self.rows.iter().position(|row| row.operation == operation);
        found.unwrap_or(self.rows.len() - 1)
    }

    fn record(&self, row: usize, status: Option<StatusCode>, duration: Duration) {
        let class = status.map_or(0, |status| usize::from(status.as_u16() / 100));
        let cell = self.rows.get(row).and_then(|row| row.classes.get(class));
        let Some(cell) = cell else { return };
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len() - 1);
        cell.buckets[bucket].fetch_add(1, Relaxed);
        cell.microseconds.fetch_add(duration.as_micros() as u64, Relaxed);
    }

    /// Every cell that has counted something: its labels, and its counts a bucket.
    fn cells(&self) -> impl Iterator<Item = (Labels, &Cell, [(f64, u64); BOUNDS.len()])> {
        self.rows.iter().flat_map(|row| {
            row.classes.iter().zip(CLASSES).filter_map(|(cell, class)| {
                let counts = std::array::from_fn(|bucket| {
                    (BOUNDS[bucket], cell.buckets[bucket].load(Relaxed))
                });
                let labels = [("operation", row.operation), ("status", class)];
                (total(&counts) > 0).then_some((labels, cell, counts))
            })
        })
    }
}

type Labels = [(&'static str, &'static str); 2];

fn total(counts: &[(f64, u64)]) -> u64 {
    counts.iter().map(|(_, count)| count).sum()
}

impl fmt::Debug for Requests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Requests({} operations)", self.rows.len())
    }
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        encoder
            .encode_descriptor(
                "requests_in_flight",
                "Requests whose reply is not yet sent",
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&self.in_flight.load(Relaxed))?;
        let help = "Requests that ended, by operation and class of status";
        let mut family = encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
        for (labels, _, counts) in self.cells() {
            family
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, u64, u64>(&total(&counts), None)?;
        }
        let help = "Time from a request's head to the end of its reply";
        let mut family = encoder.encode_descriptor(
            "request_duration",
            help,
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for (labels, cell, counts) in self.cells() {
            let sum = cell.microseconds.load(Relaxed) as f64 / 1e6;
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                sum,
                total(&counts),
                &counts,
                None,
            )?;
        }
        Ok(())
    }
}

/// One request being measured; counted when it is dropped.
pub struct Measurement {
    requests: Arc<Requests>,
    row: usize,
    started: Instant,
    status: Option<StatusCode>,
}

impl Measurement {
    pub(super) fn begin(requests: &Arc<Requests>, operation: &'static str) -> Self {
        requests.in_flight.fetch_add(1, Relaxed);
        Self {
            row: requests.row(operation),
            requests: Arc::clone(requests),
            started: Instant::now(),
            status: None,
        }
    }

    /// What the request turned out to ask for.
    pub fn set_operation(&mut self, operation: &'static str) {
        self.row = self.requests.row(operation);
    }

    /// The status of the reply. Without it the request counts as one without a reply.
    pub fn set_status(&mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

/// So that it can be part of a [`Watch`](crate::serve::Watch), which drops it at the end of the reply.
impl OnEnd for Measurement {
    fn ended(&self, _bytes: u64, _complete: bool) {}
}

impl Drop for Measurement {
    fn drop(&mut self) {
        self.requests.in_flight.fetch_sub(1, Relaxed);
        self.requests.record(self.row, self.status, self.started.elapsed());
    }
}
