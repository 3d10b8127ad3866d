//! The receiving end of OTLP, for tests: a port of loopback that takes spans by HTTP, in protobuf, decodes them by the
//! standard's own definitions and keeps them. It is no collector: nothing is sent on, and nothing refused.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::gate::Fault;

/// A span, as far as tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Of the trace, in hex.
    pub trace: String,
    /// Its own, in hex.
    pub id: String,
    /// Of the span that it belongs to, in hex; empty if there is none.
    pub parent: String,
    /// What it is called.
    pub name: String,
    /// Whether it answers somebody from outside.
    pub serves: bool,
    /// What it says, numbers as text too.
    pub says: BTreeMap<String, String>,
    /// Who saw it, said in the same way.
    pub by: BTreeMap<String, String>,
}

/// The port, until it is dropped.
pub struct Collector {
    /// Where it is.
    pub at: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Collector {
    /// One that has seen nothing.
    ///
    /// # Errors
    /// If there is no port.
    pub async fn start() -> Result<Self, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (at, seen) = (listener.local_addr()?, Arc::default());
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&seen));
        let task = tokio::spawn(async move {
            // It ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { at, seen, task })
    }

    /// As a configuration names it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.at)
    }

    /// All spans that came so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    /// Those of one trace.
    #[must_use]
    pub fn of_trace(&self, trace: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|span| span.trace == trace).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(
    State(seen): State<Arc<Mutex<Vec<Seen>>>>,
    body: Bytes,
) -> Result<([(axum::http::HeaderName, &'static str); 1], Vec<u8>), StatusCode> {
    let request = ExportTraceServiceRequest::decode(body).map_err(|_| StatusCode::BAD_REQUEST)?;
    for of_resource in request.resource_spans {
        let by = said(of_resource.resource.map(|resource| resource.attributes).unwrap_or_default());
        let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        lock(&seen).extend(spans.map(|span| seen_by(span, &by)));
    }
    let taken = ExportTraceServiceResponse::default().encode_to_vec();
    Ok(([(CONTENT_TYPE, "application/x-protobuf")], taken))
}

fn seen_by(span: Span, by: &BTreeMap<String, String>) -> Seen {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Seen {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        serves: span.kind() == SpanKind::Server,
        name: span.name,
        says: said(span.attributes),
        by: by.clone(),
    }
}

fn said(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(is)) => is.to_string(),
        other => format!("{other:?}"),
    };
    attributes.into_iter().map(|said| (said.key, text(said.value.and_then(|value| value.value)))).collect()
}

fn lock(seen: &Mutex<Vec<Seen>>) -> MutexGuard<'_, Vec<Seen>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
