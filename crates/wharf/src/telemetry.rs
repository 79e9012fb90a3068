//! What Wharf tells about itself while it runs: messages and traces (the access log is the HTTP server's).

mod traces;

use std::io::{self, IsTerminal};

use anyhow::Context as _;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::config::{Config, LogFormat};

pub use traces::request_span;

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// What has to be stopped at the end so that the last traces arrive.
pub struct Telemetry {
    traces: Option<traces::Exporter>,
}

impl Telemetry {
    /// Starts logs and, where `traces.endpoint` is set, traces. Once in a process, inside a Tokio
    /// runtime, which sends the traces. No collector needs to be there yet.
    pub fn start(config: &Config) -> anyhow::Result<Telemetry> {
        let traces = traces::Exporter::start(&config.traces).context("traces cannot be started")?;
        let mut layers = vec![messages(config)];
        layers.extend(traces.as_ref().map(|traces| traces.layer().boxed()));
        tracing_subscriber::registry().with(layers).try_init().context("logs cannot be started")?;
        Ok(Telemetry { traces })
    }

    /// Sends what was not sent yet and stops; waits a few seconds at most. Call it from outside
    /// the runtime while that still runs.
    pub fn stop(self) {
        if let Some(traces) = self.traces {
            traces.stop();
        }
    }
}

/// Messages on stderr, as `log.level` and `log.format` say.
fn messages(config: &Config) -> BoxedLayer {
    let filter = config.log.level.get();
    let layer = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    match config.log.format {
        LogFormat::Text => layer.with_filter(filter).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_filter(filter).boxed(),
    }
}
