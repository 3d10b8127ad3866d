//! The body of a call: taken whole, or let fall. A caller that is still sending when its answer comes may never read
//! it: over HTTP/1.1 it finds the connection closed, over HTTP/2 its stream reset. So what is not wanted is taken off
//! the wire as well, without being held, so far and for so long.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

/// Bytes that are let fall: more than an API server sends, whose own objects stay under three megabytes.
const FALLEN_BYTES: usize = 16 << 20;

/// How long is waited for them.
const FALLEN_TIME: Duration = Duration::from_secs(5);

/// A body that has not come yet.
pub(crate) struct Incoming {
    headers: HeaderMap,
    body: Body,
    begun: bool,
}

/// The status and the words of a refusal.
pub(crate) type Refusal = (StatusCode, String);

impl Incoming {
    pub(crate) fn of(request: Request) -> Self {
        let (parts, body) = request.into_parts();
        Self { headers: parts.headers, body, begun: false }
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The bytes that it will have at most, if it is JSON by its own account and not larger than `limit` bytes.
    pub(crate) fn expected(&self, limit: usize) -> Result<usize, Refusal> {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let message = format!("content-type is {kind:?}; an AdmissionReview is sent as application/json");
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let told = self.body.size_hint().upper().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        match told {
            Some(bytes) if bytes > limit => Err(too_large(limit)),
            told => Ok(told.unwrap_or(limit)),
        }
    }

    /// The body, if it is whole and not larger than `limit` bytes.
    pub(crate) async fn taken(&mut self, limit: usize) -> Result<Bytes, Refusal> {
        self.begun = true;
        match Limited::new(&mut self.body, limit).collect().await {
            Ok(whole) => Ok(whole.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(too_large(limit)),
            Err(error) => Err((StatusCode::BAD_REQUEST, format!("the body broke off: {error}"))),
        }
    }

    /// Takes the rest and lets it fall, so that the caller comes to read its answer.
    pub(crate) async fn let_fall(mut self) {
        // Whoever asks before it sends has sent nothing, and will not when it reads the answer.
        if !self.begun && self.headers.contains_key(EXPECT) {
            return;
        }
        let rest = async {
            let mut fallen = 0;
            while fallen < FALLEN_BYTES
                && let Some(Ok(frame)) = self.body.frame().await
            {
                fallen += frame.data_ref().map_or(0, Bytes::len);
            }
        };
        // One that takes longer may not read its answer.
        let _ = tokio::time::timeout(FALLEN_TIME, rest).await;
    }
}

fn too_large(limit: usize) -> Refusal {
    (StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than limits.bodyBytes, which is {limit} bytes"))
}
