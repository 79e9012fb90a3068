//! `wharf-garbage`: measures garbage collection: how fast it deletes beside what the store itself can do, how long marking takes, and what
//! both cost pushes and pulls meanwhile. Runs within `wharf-engines`.
//!
//! See docs/performance.md, "Garbage collection", for the goals.

mod collector;
mod delays;
mod deleting;
mod marking;
mod options;
mod statements;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::json;
use wharf_bench::engines::{Engines, Place};
use wharf_bench::figures::number;
use wharf_bench::postgres::connect;
use wharf_bench::table::{Form, table};
use wharf_bench::{machine, process};
use wharf_blobs::{FileBlobs, Limits, MemoryBlobs, ObjectBlobs};
use wharf_core::clock::SystemClock;
use wharf_core::metadata::{Garbage, Integrity, Metadata};
use wharf_metadata::{Database, Postgres, PostgresSettings, Sqlite};

use delays::{Among, Delays, Times};
use deleting::{Rates, Store};
use options::Options;

/// The least share of the rate at which the store itself deletes.
const LEAST_SHARE: f64 = 0.8;

/// How long marking may take, in seconds.
const MARKING: f64 = 60.0;

/// How long a statement may take, in seconds.
const STATEMENT: f64 = 1.0;

/// By how many milliseconds the slowest pushes and pulls may be slower.
const DELAY: f64 = 50.0;

/// How long they are looked at while nothing is collected.
const QUIET: Duration = Duration::from_secs(20);

/// How many times as many objects as in a round are deleted among pushes and pulls.
const AMONG: usize = 5;

/// A figure: what, how much in which unit, and up to or from where it is good.
struct Figure {
    of: String,
    value: f64,
    unit: &'static str,
    /// The goal in words, and whether it is met.
    goal: Option<(String, bool)>,
}

impl Figure {
    fn plain(of: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { of: of.into(), value, unit, goal: None }
    }

    fn below(of: impl Into<String>, value: f64, unit: &'static str, most: f64) -> Self {
        let goal = Some((format!("< {most} {unit}"), value < most));
        Self { of: of.into(), value, unit, goal }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let folder = tempfile::Builder::new().prefix("wharf-garbage-").tempdir()?;
    process::clean_up_when_interrupted(folder.path().to_owned())?;
    let load = machine::load();
    let engines = Arc::new(Engines::find()?);
    let mut figures = Vec::new();
    if !options.no_deletes {
        figures.extend(on_files(folder.path(), &engines, &options)?);
        figures.extend(on_bucket(&engines, &options)?);
    }
    figures.extend(marks(&engines, &options)?);
    if options.json {
        let each = figures.iter().map(|figure| {
            let met = figure.goal.as_ref().map(|(_, met)| *met);
            json!({ "of": figure.of, "value": figure.value, "unit": figure.unit, "met": met })
        });
        println!("{:#}", json!(each.collect::<Vec<_>>()));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = figures
        .iter()
        .map(|figure| {
            let goal = figure.goal.as_ref().map_or_else(String::new, |(goal, met)| {
                format!("{goal}, {}", if *met { "met" } else { "NOT met" })
            });
            vec![figure.of.clone(), format!("{} {}", number(figure.value), figure.unit), goal]
        })
        .collect();
    let form = if options.markdown { Form::Markdown } else { Form::Text };
    println!("load before: {load}\n");
    print!("{}", table(&["", "", "goal"], &rows, form));
    Ok(())
}

/// Deletes of a registry that stands alone: SQLite and files.
fn on_files(folder: &Path, engines: &Engines, options: &Options) -> Result<Vec<Figure>> {
    let database = Sqlite::open(&folder.join("metadata.db"), Arc::new(SystemClock))?;
    let files = folder.join("blobs");
    let store = Store::Files(Arc::new(FileBlobs::open(&files)?), FileBlobs::objects_folder(&files));
    let database = Arc::new(Database::on_sqlite(database));
    engines.runtime.block_on(deletes(&store, database, options))
}

/// Deletes of nodes that share PostgreSQL and a bucket.
fn on_bucket(engines: &Arc<Engines>, options: &Options) -> Result<Vec<Figure>> {
    let place = Place::new(engines, "deletes")?;
    let settings: Vec<_> = place.settings();
    let find = |wanted: &str| {
        let found = settings.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.clone()).with_context(|| format!("{wanted} is not set"))
    };
    let environment = settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let limits = Limits::of_requests(Duration::from_secs(60));
    let blobs = ObjectBlobs::open(&find("WHARF_BLOBS_URL")?.parse()?, environment, limits)?;
    let store = Store::Bucket(Arc::new(blobs), Arc::new(place.client()?));
    engines.runtime.block_on(async {
        let database = Arc::new(on_postgres(&find("WHARF_DATABASE_URL")?).await?);
        deletes(&store, database, options).await
    })
}

/// Deletes alone, then among pushes and pulls.
async fn deletes<D: Metadata + Garbage + Integrity>(
    store: &Store,
    database: Arc<D>,
    options: &Options,
) -> Result<Vec<Figure>> {
    let mut figures = of_rates(store.name(), &deleting::measure(store, &database, options).await?);
    let among = Among::prepare(Arc::clone(&database), store.blobs(), options.pushers).await?;
    eprintln!("{}: pushes and pulls, without and with a collection", store.name());
    let ((), before) = among.measure("before", quiet()).await?;
    let collector = deleting::prepare(store, &database, options.objects * AMONG).await?;
    let (_, meanwhile) = among.measure("meanwhile", collector.run(&*database)).await?;
    figures.extend(of_delays(&format!("deletes in {}", store.name()), &before, &meanwhile));
    Ok(figures)
}

async fn quiet() -> Result<()> {
    tokio::time::sleep(QUIET).await;
    Ok(())
}

fn of_delays(doing: &str, before: &Delays, meanwhile: &Delays) -> Vec<Figure> {
    let of = |what: &str, before: &Times, meanwhile: &Times| {
        let name = |figure: &str| format!("{what} and {doing}: {figure}");
        [
            Figure::plain(name("looked at, before"), before.count as f64, ""),
            Figure::plain(name("looked at, meanwhile"), meanwhile.count as f64, ""),
            Figure::plain(name("median before"), before.median, "ms"),
            Figure::plain(name("median meanwhile"), meanwhile.median, "ms"),
            Figure::plain(name("p99 before"), before.p99, "ms"),
            Figure::plain(name("p99 meanwhile"), meanwhile.p99, "ms"),
            Figure::below(name("delay at p99"), meanwhile.p99 - before.p99, "ms", DELAY),
        ]
    };
    let pushes = of("pushes", &before.pushes, &meanwhile.pushes);
    pushes.into_iter().chain(of("pulls", &before.pulls, &meanwhile.pulls)).collect()
}

fn of_rates(store: &str, rates: &Rates) -> Vec<Figure> {
    let median = |of: fn(&(f64, f64)) -> f64| {
        let mut all: Vec<f64> = rates.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    let share = median(|(plainly, collected)| collected / plainly);
    let goal = Some((format!("≥ {LEAST_SHARE}"), share >= LEAST_SHARE));
    vec![
        Figure::plain(format!("{store}: deleted plainly"), median(|rate| rate.0), "/s"),
        Figure::plain(format!("{store}: deleted by a collection"), median(|rate| rate.1), "/s"),
        Figure { of: format!("{store}: share"), value: share, unit: "", goal },
    ]
}

/// Marking, and pushes and pulls before it and meanwhile.
fn marks(engines: &Arc<Engines>, options: &Options) -> Result<Vec<Figure>> {
    let place = Place::new(engines, "marks")?;
    let settings = place.settings();
    let url = settings.iter().find(|(name, _)| *name == "WHARF_DATABASE_URL");
    let (_, url) = url.context("WHARF_DATABASE_URL is not set")?;
    engines.runtime.block_on(async {
        let client = connect(url).await?;
        let database = Arc::new(on_postgres(url).await?);
        marking::fill(&client, options).await?;
        eprintln!("PostgreSQL: marking");
        let alone = marking::measure(&client, Arc::clone(&database), options).await?;
        marking::refill(&client, options).await?;
        eprintln!("PostgreSQL: pushes and pulls, without and with a collection");
        let layers = Arc::new(MemoryBlobs::default());
        let among = Among::prepare(Arc::clone(&database), layers, options.pushers).await?;
        let ((), before) = among.measure("before", quiet()).await?;
        let collection = marking::measure(&client, Arc::clone(&database), options);
        let (marked, meanwhile) = among.measure("meanwhile", collection).await?;
        let blobs =
            format!("marking {} blobs, {} references each", options.blobs, options.references);
        let mut figures = vec![
            Figure::below(&blobs, alone.took, "s", MARKING),
            Figure::below("its longest statement", alone.longest, "s", STATEMENT),
            Figure::plain(format!("{blobs}, among pushes and pulls"), marked.took, "s"),
            Figure::below("the longest statement then", marked.longest, "s", STATEMENT),
        ];
        figures.extend(of_delays("marking", &before, &meanwhile));
        anyhow::Ok(figures)
    })
}

async fn on_postgres(url: &str) -> Result<Database<Postgres>> {
    let settings = PostgresSettings::new(url.parse()?);
    Postgres::migrate(&settings).await?;
    Ok(Database::on_postgres(Postgres::connect(settings).await?))
}
