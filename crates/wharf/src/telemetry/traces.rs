//! Traces: spans of this program, sent to a collector by OTLP over HTTP.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use opentelemetry_sdk::{Resource, runtime};
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::config::Traces;

/// The longest that sending one batch may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest that stopping waits for the last batch.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends finished spans in batches, in the background. Spans are dropped while the collector is
/// away and the queue of 2,048 is full; nothing waits for it.
pub struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// Starts sending, inside a Tokio runtime; nothing where `traces.endpoint` is empty.
    pub fn start(settings: &Traces) -> anyhow::Result<Option<Exporter>> {
        let Some(endpoint) = &settings.endpoint.0 else { return Ok(None) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint.traces_url())
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .with_context(|| format!("traces.endpoint = {:?}", endpoint.to_string()))?;
        let resource = Resource::builder()
            .with_service_name("wharf")
            .with_attribute(opentelemetry::KeyValue::new(
                "service.version",
                env!("CARGO_PKG_VERSION"),
            ))
            .build();
        // A trace begun by a caller is sent when the caller sends it; the share is for our own.
        let ratio = Sampler::TraceIdRatioBased(settings.sample_ratio.get());
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter, runtime::Tokio).build())
            .with_resource(resource)
            .with_sampler(Sampler::ParentBased(Box::new(ratio)))
            .build();
        Ok(Some(Exporter { provider }))
    }

    /// The layer that turns tracing's spans into those that are sent: Wharf's own, at level INFO
    /// and above. Those of libraries would include the sending itself.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let tracer: SdkTracer = self.provider.tracer("wharf");
        let own = filter_fn(|metadata: &Metadata<'_>| metadata.target().starts_with("wharf"));
        let own = own.with_max_level_hint(LevelFilter::INFO);
        tracing_opentelemetry::layer().with_tracer(tracer).with_filter(own)
    }

    /// Sends what is left, for [`STOP_TIMEOUT`] at most. The SDK's own shutdown waits for as long
    /// as the collector takes, so it runs on a thread that is left behind if it must be.
    pub fn stop(self) {
        let (done, stopped) = mpsc::channel();
        let stopping = thread::Builder::new().name("traces-stop".to_owned()).spawn(move || {
            // The receiver is gone only when it has waited long enough.
            let _ = done.send(self.provider.shutdown());
        });
        let outcome = stopping.map(|_| stopped.recv_timeout(STOP_TIMEOUT));
        match outcome {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last traces were not sent"),
            Ok(Err(_)) => tracing::warn!("the last traces were not sent: the collector is slow"),
            Err(error) => tracing::warn!(%error, "the last traces were not sent"),
        }
    }
}

/// The trace that a request continues, from its W3C `traceparent` and `tracestate` headers; an
/// empty context where there is none or it is malformed. It becomes the parent of a span by
/// `tracing_opentelemetry::OpenTelemetrySpanExt::set_parent`.
pub fn remote_parent(headers: &http::HeaderMap) -> Context {
    // Not the current context: a request's trace comes from its own headers or from nowhere.
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers))
}

/// The span of a request, which continues the caller's trace where there is one.
pub fn request_span(head: &http::request::Parts, operation: &'static str) -> tracing::Span {
    let span = tracing::info_span!(
        "request",
        otel.name = operation,
        otel.kind = "server",
        http.request.method = %head.method,
        url.path = head.uri.path(),
    );
    // Failing, the span begins a trace of its own.
    let _ = span.set_parent(remote_parent(&head.headers));
    span
}

/// Headers as the propagator reads them.
struct Headers<'a>(&'a http::HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use opentelemetry::trace::TraceContextExt;

    use super::remote_parent;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_request_continues_the_trace_of_its_header() {
        let mut headers = http::HeaderMap::new();
        headers.insert("traceparent", PARENT.parse().unwrap());
        let context = remote_parent(&headers);
        let span = context.span().span_context().clone();
        assert!(span.is_remote() && span.is_sampled());
        assert_eq!(span.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    }

    #[test]
    fn a_malformed_header_continues_nothing() {
        let mut headers = http::HeaderMap::new();
        headers.insert("traceparent", "00-zz-01".parse().unwrap());
        assert!(!remote_parent(&headers).span().span_context().is_valid());
    }
}
