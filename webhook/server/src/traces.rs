//! Traces: which calls are followed, and whom their spans are sent to. Each step on the way of a call is a span of
//! `tracing` beside its code, in `STEPS`; where nobody listens for those, or nobody follows the call, there are none
//! and a step costs a comparison. What waits to be sent is bounded in `queue`; `collector` sends it.
//!
//! A span says which call it is about and what came of it. Nothing of an object but its kind and namespace is in one.

mod collector;
mod followed;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use portreeve_supply::https::{CaError, ClientError};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{DynFilterFn, LevelFilter};
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

pub use followed::Followed;
pub(crate) use followed::{about, trace_of};
pub use queue::Sent;

use crate::config::{ServerConfig, TracesConfig};
use crate::metrics::Call;
use collector::Collector;
use queue::Counts;

/// The target of the spans of steps.
pub(crate) const STEPS: &str = "portreeve::steps";

/// What we call ourselves, unless `OTEL_SERVICE_NAME` says otherwise.
const SERVICE: &str = "portreeve";

/// How long the end of the server waits for the last spans to be sent.
const LAST_SPANS: Duration = Duration::from_secs(5);

/// Follows calls, and sends what was seen.
pub struct Traces {
    provider: SdkTracerProvider,
    counts: Arc<Counts>,
}

/// A collector that can't be sent anything.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The file of its CAs.
    #[error("traces.caFile")]
    Ca(#[from] CaError),
    /// The client.
    #[error("traces")]
    Client(#[from] ClientError),
    /// The exporter, for a variable of the environment, as a rule.
    #[error("traces, as the configuration and the variables OTEL_EXPORTER_OTLP_… have it")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

impl Traces {
    /// Gets ready to send. The collector is not asked whether it is there: it may come later, and go. To be called on
    /// the runtime that is to send.
    ///
    /// # Errors
    /// If nothing can be sent as it is configured.
    pub fn open(config: &TracesConfig, server: &ServerConfig) -> Result<Self, TracesError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::at(config)?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(config.endpoint.of_traces())
            .build()?;
        let counts = Arc::<Counts>::default();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(server))
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio.get()))))
            .with_span_processor(queue::bounded(exporter, config.waiting, &counts))
            .build();
        Ok(Self { provider, counts })
    }

    /// What has to listen to `tracing`, so that steps of calls that are followed are seen.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(steps())
    }

    /// Whether a call with these headers is followed, from now on until what is given back is dropped.
    #[must_use]
    pub fn follow(&self, call: Call, headers: &HeaderMap) -> Followed {
        let caller = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
        let began_elsewhere = caller.span().span_context().clone();
        if began_elsewhere.is_valid() && !began_elsewhere.is_sampled() {
            return Followed::by_nobody();
        }
        let followed = Followed::begin(call);
        // Where nobody listens there is nothing to put a parent to.
        let _ = followed.span().set_parent(caller);
        followed
    }

    /// What became of spans so far.
    #[must_use]
    pub fn sent(&self) -> Sent {
        self.counts.sent()
    }

    /// Sends what waits, for so long as that may take. Blocks.
    pub fn end(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST_SPANS) {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

/// Lets a call through, and steps that belong to one: steps of what nobody follows would each begin a trace.
fn steps<S>() -> impl Filter<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let is_step = |callsite: &Metadata<'_>| callsite.is_span() && callsite.target() == STEPS;
    let belongs = move |callsite: &Metadata<'_>, context: &Context<'_, S>| {
        is_step(callsite) && (callsite.name() == followed::CALL || context.lookup_current().is_some())
    };
    DynFilterFn::new(belongs)
        .with_callsite_filter(move |callsite| if is_step(callsite) { Interest::sometimes() } else { Interest::never() })
        .with_max_level_hint(LevelFilter::TRACE)
}

/// Who we are. What the environment says of that counts more.
fn resource(server: &ServerConfig) -> Resource {
    let name = std::env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty());
    Resource::builder_empty()
        .with_service_name(name.unwrap_or_else(|| SERVICE.to_owned()))
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", server.replica.clone()),
            KeyValue::new("k8s.cluster.name", server.cluster.clone()),
        ])
        .with_detectors(&[Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())])
        .build()
}
