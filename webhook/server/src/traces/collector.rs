//! The way to a collector: one HTTP client, used on the server's runtime, for whichever thread has something to send.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use portreeve_supply::https;
use tokio::runtime::Handle;

use super::TracesError;
use crate::config::TracesConfig;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(3);

/// How long an exchange may take. Meanwhile other spans wait.
const EXCHANGE: Duration = Duration::from_secs(10);

/// The most that is read of an answer, in bytes. A collector says how many spans it took, or why it took none.
const ANSWER: usize = 64 << 10;

/// A collector.
#[derive(Debug)]
pub(super) struct Collector {
    client: reqwest::Client,
    runtime: Handle,
}

/// An answer that is none.
#[derive(Debug, thiserror::Error)]
#[error("the collector's answer has more than {ANSWER} bytes")]
struct LongAnswer;

impl Collector {
    /// The one that is configured, asked on the runtime that this is called on.
    pub(super) fn at(config: &TracesConfig) -> Result<Self, TracesError> {
        let mut roots = config.endpoint.speaks_tls().then(https::machine_roots);
        if let (Some(roots), Some(file)) = (&mut roots, &config.ca_file) {
            https::add_ca_file(roots, file)?;
        }
        Ok(Self { client: https::client(roots, CONNECT)?, runtime: Handle::current() })
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // The thread that asks is none of the runtime's, and connections live on the runtime.
        self.runtime.spawn(exchange(self.client.clone(), request)).await?
    }
}

async fn exchange(client: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let mut request = reqwest::Request::try_from(request)?;
    *request.timeout_mut() = Some(EXCHANGE);
    let mut came = client.execute(request).await?;
    let mut body = Vec::new();
    while let Some(part) = came.chunk().await? {
        body.extend_from_slice(&part);
        if body.len() > ANSWER {
            return Err(LongAnswer.into());
        }
    }
    let mut answer = Response::builder().status(came.status());
    if let Some(headers) = answer.headers_mut() {
        *headers = came.headers().clone();
    }
    Ok(answer.body(body.into())?)
}
