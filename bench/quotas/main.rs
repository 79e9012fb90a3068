//! `wharf-quotas`: measures what quotas cost a push: its transactions by many pushers at once, to one repository, with a quota on it and
//! its namespace and without any, by turns.
//!
//! See docs/performance.md, "Quotas", for the goal.

mod options;
mod pusher;

use std::sync::Arc;

use anyhow::Result;
use clap::Parser;
use serde_json::json;
use tokio::runtime::Runtime;
use wharf_bench::figures::number;
use wharf_bench::postgres::{connect, url_of};
use wharf_bench::table::{Form, table};
use wharf_bench::{machine, process};
use wharf_core::clock::SystemClock;
use wharf_metadata::{Database, Postgres, PostgresSettings, Sqlite};

use options::Options;
use pusher::{Store, round};

/// The least share of the throughput without quotas.
const LEAST: f64 = 0.95;

/// What was measured of a database.
struct Measured {
    engine: &'static str,
    /// Pushes a second, without and with quotas, round by round.
    rounds: Vec<(f64, f64)>,
}

impl Measured {
    /// The median of what `of` makes of each round.
    fn median(&self, of: impl Fn(&(f64, f64)) -> f64) -> f64 {
        let mut all: Vec<f64> = self.rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    }

    fn without(&self) -> f64 {
        self.median(|(without, _)| *without)
    }

    fn with(&self) -> f64 {
        self.median(|(_, with)| *with)
    }

    fn share(&self) -> f64 {
        self.median(|(without, with)| with / without)
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let folder = tempfile::Builder::new().prefix("wharf-quotas-").tempdir()?;
    process::clean_up_when_interrupted(folder.path().to_owned())?;
    let load = machine::load();
    let runtime = Runtime::new()?;
    let sqlite = Sqlite::open(&folder.path().join("metadata.db"), Arc::new(SystemClock))?;
    let mut all = Vec::new();
    let sqlite = [Arc::new(Database::on_sqlite(sqlite))];
    all.push(runtime.block_on(measure("SQLite", &sqlite, &options))?);
    if let Some(server) = &options.database {
        all.push(runtime.block_on(on_postgres(server, &options))?);
    }
    if options.json {
        let each = all.iter().map(|it| {
            json!({ "engine": it.engine, "without": it.without(), "with": it.with(), "share": it.share() })
        });
        println!("{:#}", json!(each.collect::<Vec<_>>()));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|it| {
            let met = if it.share() >= LEAST { "met" } else { "NOT met" };
            let rate = |value: f64| format!("{} /s", number(value));
            vec![
                it.engine.to_owned(),
                rate(it.without()),
                rate(it.with()),
                format!("{:.3}", it.share()),
                format!("≥ {LEAST}, {met}"),
            ]
        })
        .collect();
    let form = if options.markdown { Form::Markdown } else { Form::Text };
    let heads = ["pushes", "without quotas", "with quotas", "share", "goal"];
    println!("load before: {load}\n");
    print!("{}", table(&heads, &rows, form));
    Ok(())
}

/// Makes a database, measures there, and removes it.
async fn on_postgres(server: &str, options: &Options) -> Result<Measured> {
    let admin = connect(server).await?;
    let name = format!("wharf_quotas_{}", std::process::id());
    let template = "TEMPLATE template0 ENCODING 'UTF8'";
    admin.batch_execute(&format!("CREATE DATABASE {name} {template}")).await?;
    let measured = async {
        let mut settings = PostgresSettings::new(url_of(server, &name).parse()?);
        settings.connections = options.connections;
        Postgres::migrate(&settings).await?;
        let mut nodes = Vec::new();
        for _ in 0..options.nodes {
            nodes.push(Arc::new(Database::on_postgres(Postgres::connect(settings.clone()).await?)));
        }
        measure("PostgreSQL", &nodes, options).await
    }
    .await;
    admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
    measured
}

async fn measure(
    engine: &'static str,
    nodes: &[Arc<impl Store>],
    options: &Options,
) -> Result<Measured> {
    let mut rounds = Vec::new();
    // The first warms up and does not count.
    for number in 0..=options.rounds {
        eprintln!("{engine}, round {number} of {}", options.rounds);
        let of_one = async |limited: bool| {
            let namespace = format!("bench{number}-{}", if limited { "limited" } else { "free" });
            round(nodes, &namespace, limited, options).await
        };
        // By turns, who is first too.
        let both = if number % 2 == 0 {
            let without = of_one(false).await?;
            (without, of_one(true).await?)
        } else {
            let with = of_one(true).await?;
            (of_one(false).await?, with)
        };
        if number > 0 {
            rounds.push(both);
        }
    }
    Ok(Measured { engine, rounds })
}
