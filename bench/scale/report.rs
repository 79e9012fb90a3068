//! The results as text, Markdown and JSON.

use std::time::Duration;

use serde_json::{Map, Value, json};
use wharf_bench::figures::number;
use wharf_bench::table::{Form, table};

use crate::measure::Latency;
use crate::plans::{Cost, Plans};
use crate::requests::Kind;

/// How much slower the largest may be than the smallest.
const MOST_GROWTH: f64 = 2.0;

/// What was found at one size.
pub struct Run {
    /// How many manifests there are.
    pub manifests: u64,
    /// How long loading took.
    pub loading: Duration,
    /// The size of the database in bytes.
    pub size: u64,
    /// How long requests take.
    pub latencies: Vec<Latency>,
    /// What the engine does for them.
    pub plans: Vec<Plans>,
}

/// One percentile of one kind of request.
struct Row {
    kind: Kind,
    percentile: &'static str,
    /// At each size, in milliseconds.
    values: Vec<f64>,
}

impl Row {
    /// The largest size's value through the smallest's.
    fn growth(&self) -> f64 {
        match self.values.as_slice() {
            [first, .., last] => last / first,
            _ => 1.0,
        }
    }

    fn is_met(&self) -> bool {
        self.growth() <= MOST_GROWTH
    }
}

fn rows(runs: &[Run]) -> Vec<Row> {
    type Percentile = (&'static str, fn(&Latency) -> f64);
    let percentiles: [Percentile; 2] = [("p50", |it| it.p50), ("p99", |it| it.p99)];
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        for (percentile, value) in percentiles {
            let of = |run: &Run| run.latencies.iter().find(|it| it.kind == kind).map(value);
            rows.push(Row { kind, percentile, values: runs.iter().filter_map(of).collect() });
        }
    }
    rows
}

/// All that is to be told: `about` first, then each size, then the requests.
pub fn render(runs: &[Run], about: &[(&str, String)], form: Form) -> String {
    let about: Vec<Vec<String>> =
        about.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
    let loaded: Vec<Vec<String>> = runs.iter().map(loaded).collect();
    let mut heads = vec!["ms".to_owned(), String::new()];
    heads.extend(runs.iter().map(|run| run.manifests.to_string()));
    heads.extend(["growth".to_owned(), format!("goal: ≤ {MOST_GROWTH} ×")]);
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let requests: Vec<Vec<String>> = rows(runs).iter().map(cells).collect();
    let mut tables = vec![
        table(&["run", ""], &about, form),
        table(&["manifests", "loaded in, s", "database, MB", "bytes a manifest"], &loaded, form),
        table(&heads, &requests, form),
    ];
    let mut heads = vec!["plans".to_owned()];
    heads.extend(runs.iter().map(|run| run.manifests.to_string()));
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    tables.push(table(&heads, &planned(runs), form));
    tables.join("\n")
}

fn loaded(run: &Run) -> Vec<String> {
    vec![
        run.manifests.to_string(),
        number(run.loading.as_secs_f64()),
        number(run.size as f64 / 1e6),
        (run.size / run.manifests).to_string(),
    ]
}

fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![row.kind.name().to_owned(), row.percentile.to_owned()];
    cells.extend(row.values.iter().map(|value| number(*value)));
    cells.push(format!("{} ×", number(row.growth())));
    cells.push(if row.is_met() { "met" } else { "NOT met" }.to_owned());
    cells
}

/// For each operation, what its plans come to at each size.
fn planned(runs: &[Run]) -> Vec<Vec<String>> {
    let Some(first) = runs.first() else { return Vec::new() };
    let row = |(index, plans): (usize, &Plans)| {
        let mut cells = vec![plans.operation.to_owned()];
        cells.extend(runs.iter().map(|run| run.plans.get(index).map_or(String::new(), told)));
        cells
    };
    first.plans.iter().enumerate().map(row).collect()
}

fn told(plans: &Plans) -> String {
    let cost = plans.cost.map(|Cost { pages, rows }| format!("{pages} pages, {rows} rows"));
    let scans =
        (!plans.full_scans.is_empty()).then(|| format!("all of {}", plans.full_scans.join(", ")));
    let told: Vec<String> = cost.into_iter().chain(scans).collect();
    if told.is_empty() { "no full scan".to_owned() } else { told.join("; ") }
}

/// All figures, for programs.
pub fn as_json(runs: &[Run], about: &[(&str, String)]) -> Value {
    let about: Map<String, Value> =
        about.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let sizes = runs.iter().map(|run| {
        let plans = run.plans.iter().map(|plans| {
            json!({
                "operation": plans.operation,
                "pages": plans.cost.map(|cost| cost.pages),
                "rows": plans.cost.map(|cost| cost.rows),
                "fullScans": plans.full_scans,
            })
        });
        json!({
            "manifests": run.manifests,
            "loadingSeconds": run.loading.as_secs_f64(),
            "databaseBytes": run.size,
            "plans": plans.collect::<Vec<_>>(),
        })
    });
    let requests = rows(runs).into_iter().map(|row| {
        json!({
            "request": row.kind.name(),
            "percentile": row.percentile,
            "milliseconds": row.values,
            "growth": row.growth(),
            "met": row.is_met(),
        })
    });
    json!({
        "run": about,
        "sizes": sizes.collect::<Vec<_>>(),
        "requests": requests.collect::<Vec<_>>(),
    })
}
