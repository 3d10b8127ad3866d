//! Where traces of requests are sent, and of how many requests, as it is configured. What is sent, and how, is in
//! `crate::traces`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where traces of requests are sent. A call with a `traceparent`, as the API server sends it where its tracing is on,
/// is followed if its sampled flag says so; of all others a share.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TracesConfig {
    /// A collector of OpenTelemetry, as `http://collector.observability:4318`: it is sent OTLP over HTTP, in protobuf,
    /// at `/v1/traces` behind that.
    pub endpoint: CollectorUrl,
    /// PEM of the CAs that signed the collector's certificate. Left out: those that this machine trusts.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The share of calls without a `traceparent` that are followed, from 0 for none to 1 for all.
    #[serde(default)]
    pub sample_ratio: Share,
    /// Spans that may wait to be sent. One more is dropped, and counted.
    #[serde(default = "two_thousand")]
    pub waiting: NonZeroU32,
}

/// Where a collector is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CollectorUrl(Url);

/// An address that is no collector's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectorUrlError {
    /// It is no URL.
    #[error("{text:?} is no URL; write the collector's, as http://collector:4318")]
    NoUrl {
        /// As written.
        text: String,
    },
    /// OTLP over gRPC, perhaps.
    #[error(
        "{scheme}:// can't be spoken; traces are sent by http:// or https://, to the collector's port for that (4318, as a rule)"
    )]
    Scheme {
        /// As written.
        scheme: String,
    },
    /// Whoever can read the configuration could read them.
    #[error("the URL has credentials; give the collector's headers in the variable OTEL_EXPORTER_OTLP_HEADERS instead")]
    Credentials,
    /// A query or a fragment.
    #[error("the URL goes on behind its path; write it without `?` and `#`")]
    Behind,
    /// The path of the signal itself.
    #[error("the URL ends in /v1/traces, which is put behind it anyway; leave it out")]
    Whole,
}

/// Of all, so many: from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct Share(f64);

/// A number that is no share.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is no share; write a number from 0 to 1, as 0.01 for one in a hundred")]
pub struct NoShare(f64);

/// What OTLP over HTTP puts behind the address for traces.
const SIGNAL: &str = "/v1/traces";

impl CollectorUrl {
    /// Where traces are sent.
    #[must_use]
    pub fn of_traces(&self) -> String {
        format!("{}{SIGNAL}", self.0.as_str().trim_end_matches('/'))
    }

    /// Whether TLS is spoken there.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl TryFrom<String> for CollectorUrl {
    type Error = CollectorUrlError;

    fn try_from(text: String) -> Result<Self, CollectorUrlError> {
        let Ok(url) = Url::parse(&text) else { return Err(CollectorUrlError::NoUrl { text }) };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(CollectorUrlError::Scheme { scheme: url.scheme().to_owned() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(CollectorUrlError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(CollectorUrlError::Behind);
        }
        if url.path().trim_end_matches('/').ends_with(SIGNAL) {
            return Err(CollectorUrlError::Whole);
        }
        Ok(Self(url))
    }
}

impl From<CollectorUrl> for String {
    fn from(url: CollectorUrl) -> Self {
        url.0.into()
    }
}

impl JsonSchema for CollectorUrl {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CollectorUrl".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "uri", "pattern": "^https?://"})
    }
}

impl Share {
    /// As a number from 0 to 1.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Default for Share {
    /// One in a hundred.
    fn default() -> Self {
        Self(0.01)
    }
}

impl TryFrom<f64> for Share {
    type Error = NoShare;

    fn try_from(number: f64) -> Result<Self, NoShare> {
        if (0.0..=1.0).contains(&number) { Ok(Self(number)) } else { Err(NoShare(number)) }
    }
}

impl JsonSchema for Share {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "number", "minimum": 0, "maximum": 1})
    }
}

fn two_thousand() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(2_047)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<CollectorUrl, CollectorUrlError> {
        text.to_owned().try_into()
    }

    #[test]
    fn traces_go_to_their_place_behind_the_address() {
        for (text, traces) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            ("https://example.org/otlp", "https://example.org/otlp/v1/traces"),
        ] {
            assert_eq!(url(text).unwrap().of_traces(), traces);
        }
    }

    #[test]
    fn what_is_no_collectors_address_is_refused_with_what_to_write() {
        for (text, words) in [
            ("collector", "is no URL"),
            ("grpc://collector:4317", "grpc:// can't be spoken"),
            ("http://me:secret@collector:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
            ("http://collector:4318?a=b", "without `?` and `#`"),
            ("http://collector:4318/v1/traces", "leave it out"),
        ] {
            let error = url(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_share_is_no_more_than_all_and_no_less_than_none() {
        assert_eq!(Share::try_from(1.0).map(Share::get), Ok(1.0));
        for number in [-0.1, 1.1, f64::NAN] {
            assert!(Share::try_from(number).is_err(), "{number}");
        }
    }
}
