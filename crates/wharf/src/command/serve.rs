//! `wharf serve`: brings a registry up, and down again when a signal asks for it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use wharf_core::tally::Tally;
use wharf_http::access_log::{AccessLog, Format, LogThread};
use wharf_http::api::{Api, ROUTES, management};
use wharf_http::metrics::Metrics;
use wharf_http::serve::{self, Server};

use super::announce::announce;
use super::open_files;
use super::set_up_code;
use super::settings::{SettingFlags, warn};
use super::signals::{Shutdown, reload_on_hangup};
use super::wiring;
use crate::config::{AccessLog as LogTo, Config, LogFormat, Role};
use crate::data_folder::DataFolder;
use crate::telemetry::Telemetry;

/// How many threads there are for work that blocks: hashing, files, SQLite's readers. They are made when needed and
/// end when idle; each upload that comes fast holds two. Work beyond them waits its turn.
const BLOCKING_THREADS: usize = 512;

/// How long work on blocking threads may go on after everything else has stopped.
const BLOCKING_WORK: Duration = Duration::from_secs(5);

/// How long changes whose clients were cut may take to record what came.
const SETTLING: Duration = Duration::from_secs(10);

/// How long the last counts of pulls and pushes may take to be written, once all requests have ended.
const LAST_COUNTS: Duration = Duration::from_secs(10);

/// The flags of `wharf serve`.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    settings: SettingFlags,
}

/// Serves until a signal asks for a stop.
pub fn execute(command: &Serve) -> anyhow::Result<()> {
    let loaded = command.settings.load()?;
    loaded.require_open()?;
    warn(&loaded);
    let runtime =
        Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build()?;
    let telemetry = {
        let _inside = runtime.enter();
        Telemetry::start(&loaded.config)?
    };
    let outcome = start(&runtime, &loaded.config);
    telemetry.stop();
    runtime.shutdown_timeout(BLOCKING_WORK);
    // The lock on the data folder, if it was taken, is given back only now that nothing writes there.
    outcome.map(drop)
}

/// Returns the data folder, if one is used, which is to be kept until the runtime has stopped.
fn start(runtime: &Runtime, config: &Config) -> anyhow::Result<Option<DataFolder>> {
    open_files::raise();
    let data_folder =
        tracing::info_span!("open data folder").in_scope(|| wiring::data_folder(config))?;
    runtime.block_on(async {
        let shutdown = Shutdown::on_signals().context("signals cannot be watched")?;
        run(config, data_folder.as_ref(), shutdown).await
    })?;
    Ok(data_folder)
}

/// Serves the registry; returns when a stop was asked for and requests have drained.
async fn run(
    config: &Config,
    data_folder: Option<&DataFolder>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let node = wiring::node(config).await?;
    let mut metrics = Metrics::new(&operations());
    metrics.registry().register_collector(Box::new(node.watched.clone()));
    let metrics = Arc::new(metrics);
    let (log, log_thread) = access_log(config, &metrics)?;
    let access = wiring::access::open(config, &node)?;
    let settings = wiring::api(config, access, Arc::clone(&node.limiter))?;
    let rules = wiring::jobs(config)?;
    let api = Api::new(Arc::clone(&node.registry), settings, Arc::clone(&metrics), log);
    let address = config.http.listen;
    let max_connections = open_files::connections(config.http.max_connections.get());
    let server = Server::bind(serve::Settings { max_connections, ..wiring::server(config) })
        .await
        .with_context(|| format!("cannot listen on {address} (http.listen)"))?
        .with_counters(metrics.connections());
    reload_on_hangup(server.certificate()).context("signals cannot be watched")?;
    announce(config, server.local_addr().unwrap_or(address), data_folder)?;
    set_up_code::offer(config, &node).await?;

    let asked = shutdown.clone();
    let stopped = async move { asked.requested().await };
    wiring::decision::begin(config, Arc::clone(&node.accounts), stopped).await?;

    let tallying = Tallying::begin(&node);
    let (queue, usage) = (Arc::clone(&node.jobs), Arc::clone(&node.usage));
    let counting = wiring::metrics::count(queue, usage, node.watched.clone());
    let scrapes = tokio::spawn(serve_metrics(config.clone(), metrics, counting, shutdown.clone()));
    let jobs = tokio::spawn(background_work(config.clone(), rules, node, shutdown.clone()));
    let draining = api.clone();
    let stop_delay = config.http.stop_delay.get();
    let stop = async move {
        shutdown.requested().await;
        draining.drain();
        sleep(stop_delay).await;
    };
    let cut = server.run(api.clone(), stop).await;
    if cut > 0 {
        tracing::warn!(
            cut,
            "connections were cut because they did not end within http.drain_timeout"
        );
    }
    if !api.settled(SETTLING).await {
        tracing::warn!(
            "changes were under way still; what they did not record is as if never sent"
        );
    }
    tallying.end().await;
    // It was asked to stop when the server was, and bounds its own end.
    let _ = jobs.await;
    scrapes.abort();
    if let Some(log_thread) = log_thread {
        log_thread.stop();
    }
    Ok(())
}

/// Writes counts of pulls and pushes to the database until the end.
struct Tallying {
    tally: Arc<Tally>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Tallying {
    fn begin(node: &wiring::Node) -> Self {
        let (tally, counts) = (Arc::clone(&node.tally), Arc::clone(&node.counts));
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn({
            let tally = Arc::clone(&tally);
            async move {
                let stopped = async {
                    let _ = stopped.await;
                };
                tally.run(counts, stopped).await;
            }
        });
        Self { tally, stop, running }
    }

    /// Writes what was counted last. Nothing counts any more.
    async fn end(self) {
        let _ = self.stop.send(());
        let _ = timeout(LAST_COUNTS, self.running).await;
        let lost = self.tally.totals().waiting();
        if lost > 0 {
            tracing::error!(lost, "the last counts of pulls and pushes could not be written");
        }
    }
}

/// Does jobs until a stop is asked for, where that is this process's part.
async fn background_work(
    config: Config,
    rules: wharf_jobs::Rules,
    node: wiring::Node,
    shutdown: Shutdown,
) {
    if config.node.roles.contains(&Role::Jobs) {
        let watched = node.watched;
        let parts = wharf_jobs::Parts {
            registry: node.registry,
            jobs: node.jobs,
            events: node.events,
            accounts: node.accounts,
            audit: node.audit,
            counts: node.counts,
            garbage: node.garbage,
            retention: node.retention,
            writes: node.writes,
            adopter: node.adopter,
            usage: node.usage,
            objects: node.objects,
            integrity: node.integrity,
            copies: node.copies,
            scrubbed: watched.scrubbed,
            usage_counters: watched.usage,
            counters: watched.runs,
            collected: watched.collected,
        };
        wharf_jobs::run(parts, rules, shutdown.requested()).await;
    }
}

/// Serves the metrics on their own address, where one is set, and counts for them meanwhile. Failing there stops
/// nothing else.
async fn serve_metrics(
    config: Config,
    metrics: Arc<Metrics>,
    counting: impl Future<Output = ()>,
    shutdown: Shutdown,
) {
    let Some(address) = config.metrics.listen.0 else { return };
    match wharf_http::metrics::serve(address, metrics, shutdown.requested()).await {
        Ok((bound, serving)) => {
            tracing::info!("metrics at http://{bound}/metrics");
            tokio::select! {
                _ = serving => {}
                () = counting => {}
            }
        }
        Err(error) => {
            tracing::error!(%error, "metrics cannot be served on {address} (metrics.listen)")
        }
    }
}

/// The names of all operations, each once.
fn operations() -> Vec<&'static str> {
    let mut names: Vec<_> = ROUTES.iter().map(|route| route.operation).collect();
    names.extend(management::listed().iter().map(|endpoint| endpoint.operation));
    names.sort_unstable();
    names.dedup();
    names
}

fn access_log(
    config: &Config,
    metrics: &Metrics,
) -> anyhow::Result<(AccessLog, Option<LogThread>)> {
    let format = match config.log.access {
        LogTo::Off => return Ok((AccessLog::off(), None)),
        LogTo::In(LogFormat::Text) => Format::Text,
        LogTo::In(LogFormat::Json) => Format::Json,
    };
    let (log, thread) = AccessLog::to_stdout(format, metrics.log_lines_dropped())?;
    Ok((log, Some(thread)))
}
