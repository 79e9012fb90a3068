//! `wharf-scale`: measures how Wharf's requests slow down as its database grows, on SQLite or PostgreSQL.
//!
//! See docs/scale.md for what is measured and why.

mod images;
mod measure;
mod options;
mod plans;
mod postgres;
mod progress;
mod random;
mod report;
mod requests;
mod rows;
mod server;
mod shape;
mod sqlite;
mod statements;

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Parser;
use tokio::runtime::Runtime;
use wharf_bench::table::Form;
use wharf_bench::{machine, process, program};

use options::{Engine, Options};
use report::Run;
use rows::Rows;
use server::Place;
use shape::Shape;

fn main() -> Result<()> {
    let options = Options::parse();
    options.check()?;
    let wharf = program::wharf(options.wharf.as_deref())?;
    let runtime = Runtime::new()?;
    let about = about(&options, &wharf, &runtime)?;
    let folder = working_folder(&options)?;
    // It is removed when this is dropped, or on Ctrl-C.
    let folder = tempfile::Builder::new().prefix("wharf-scale-").tempdir_in(folder)?;
    process::clean_up_when_interrupted(folder.path().to_owned())?;
    let mut runs = Vec::new();
    for &manifests in &options.sizes {
        eprintln!("{manifests} manifests on {}", options.engine.name());
        let rows = Rows { shape: Shape::new(manifests), newest: now()? };
        let folder = folder.path().join(manifests.to_string());
        let run = match &options.database {
            Some(server) if options.engine == Engine::Postgres => {
                on_postgres(&options, &wharf, folder, &rows, server, &runtime)
            }
            _ => on_sqlite(&options, &wharf, folder, &rows),
        };
        let run = run.with_context(|| format!("at {manifests} manifests"))?;
        if let Some(folder) = &options.plans {
            let name = format!("{}-{manifests}", options.engine.name());
            plans::write(&folder.join(name), &run.plans)?;
        }
        runs.push(run);
    }
    if options.json {
        println!("{:#}", report::as_json(&runs, &about));
    } else {
        let form = if options.markdown { Form::Markdown } else { Form::Text };
        print!("{}", report::render(&runs, &about, form));
    }
    Ok(())
}

fn on_sqlite(options: &Options, wharf: &Path, folder: PathBuf, rows: &Rows) -> Result<Run> {
    let file = folder.join("metadata.sqlite");
    let database = format!("sqlite://{}", file.display());
    let place = Place { wharf: wharf.to_owned(), folder, database };
    place.migrate()?;
    let begin = Instant::now();
    let size = sqlite::load(&file, rows)?;
    let loading = begin.elapsed();
    let plans = plans::sqlite(&file, &statements::operations(rows)?)?;
    let latencies = measure::run(&place.serve()?, rows, options.samples)?;
    std::fs::remove_dir_all(&place.folder)?;
    Ok(Run { manifests: rows.shape.manifests(), loading, size, latencies, plans })
}

fn on_postgres(
    options: &Options,
    wharf: &Path,
    folder: PathBuf,
    rows: &Rows,
    server: &str,
    runtime: &Runtime,
) -> Result<Run> {
    let manifests = rows.shape.manifests();
    let database = runtime.block_on(postgres::Database::create(server, manifests))?;
    let run = || -> Result<Run> {
        let place = Place { wharf: wharf.to_owned(), folder, database: database.url() };
        place.migrate()?;
        let begin = Instant::now();
        let size = runtime.block_on(database.load(rows))?;
        let loading = begin.elapsed();
        let operations = statements::operations(rows)?;
        let plans = runtime
            .block_on(async { plans::postgres(&database.connect().await?, &operations).await })?;
        let latencies = measure::run(&place.serve()?, rows, options.samples)?;
        std::fs::remove_dir_all(&place.folder)?;
        Ok(Run { manifests, loading, size, latencies, plans })
    };
    let run = run();
    let dropped = runtime.block_on(database.drop());
    let run = run?;
    dropped?;
    Ok(run)
}

/// What is to be known of the run to judge its figures.
fn about(
    options: &Options,
    wharf: &Path,
    runtime: &Runtime,
) -> Result<Vec<(&'static str, String)>> {
    let engine = match &options.database {
        Some(server) if options.engine == Engine::Postgres => {
            format!("PostgreSQL {}", runtime.block_on(postgres::Database::version(server))?)
        }
        _ => format!("SQLite {}", rusqlite::version()),
    };
    Ok(vec![
        ("machine", machine::machine()),
        ("load before", machine::load()),
        (
            "wharf",
            format!("{}; cache.size 0, log.access off", program::version(wharf, "--version")),
        ),
        ("database", engine),
        ("client", "one connection, one request at a time, on the same machine".to_owned()),
        ("samples", format!("{} of each request, on manifests chosen at random", options.samples)),
    ])
}

/// On the disk where the program was built, unless told otherwise: /tmp may be memory.
fn working_folder(options: &Options) -> Result<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/scale");
    let folder = options.dir.clone().unwrap_or_else(default);
    let doing = || format!("making {}", folder.display());
    std::fs::create_dir_all(&folder).with_context(doing)?;
    folder.canonicalize().with_context(doing)
}

/// In microseconds since 1970.
fn now() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?)
}
