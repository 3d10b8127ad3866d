//! The HTTP face: two routers, one for the API server over TLS, one for the machine's own probes and metrics. Status
//! codes and who may call are decided here; what a review is answered is decided in `way`.

mod resources;

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwapOption;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::{get, post};
use axum::{Json, Router};
use portreeve_admission::decision::Answer;
use portreeve_admission::response::{RefusalKind, Response};
use portreeve_admission::review::ReviewError;
use portreeve_ledger::BookProof;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;
use tracing::Instrument as _;

use crate::callers::Callers;
use crate::deadline::Deadlines;
use crate::door::Seat;
use crate::health::Health;
use crate::incoming::{Incoming, Refusal};
use crate::metrics::{Call, Exposition, InFlight, Metrics};
use crate::proposal::Proposals;
use crate::traces::{Followed, Traces};
use crate::way::{Answered, Gate};

/// What a book was proved to be last, for whoever keeps that elsewhere. None until it was read again for the first
/// time.
pub type NewestProof = Arc<ArcSwapOption<BookProof>>;

/// What the routers share.
#[derive(Clone)]
pub struct App {
    /// What requests pass through.
    pub gate: Arc<Gate>,
    /// Who may call.
    pub callers: Callers,
    /// Whether we are ready, and why not.
    pub health: Arc<Health>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who follows calls, if somebody does.
    pub traces: Option<Arc<Traces>>,
    /// What the book was proved to be last.
    pub proof: NewestProof,
    /// Who looks at changes of our own resources, where they are in a cluster.
    pub proposals: Option<Proposals>,
    /// How many of them are looked at at one time.
    pub examinations: Arc<Semaphore>,
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// What is left of the bytes that bodies under way may have together.
    pub room: Arc<Semaphore>,
}

/// Our own endpoints for the API server: `/mutate` and `/validate`, with the token behind them if there is one.
pub fn webhook(app: App) -> Router {
    Router::new()
        .route("/mutate", post(mutate))
        .route("/mutate/{token}", post(mutate))
        .route("/validate", post(validate))
        .route("/validate/{token}", post(validate))
        .route("/resources", post(resources::look))
        .route("/resources/{token}", post(resources::look))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz_without_reasons))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app)
}

async fn nothing_here(request: Request) -> HttpResponse {
    let message = format!("there is nothing at {:?}", request.uri().path());
    refused(Incoming::of(request), (StatusCode::NOT_FOUND, message)).await
}

async fn wrong_method(request: Request) -> HttpResponse {
    let message = format!("{} is not for this path; a review is sent by POST", request.method());
    refused(Incoming::of(request), (StatusCode::METHOD_NOT_ALLOWED, message)).await
}

/// Our own endpoints for probes, metrics and what is kept of the book elsewhere.
pub fn operations(app: App) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/proof", get(proof))
        .with_state(app)
}

/// Why a body was not read.
const NO_ROOM: &str = "too many bytes are under way already (limits.bytesUnderWay says how many may be): try again";

/// What the API server adds to the path.
#[derive(Deserialize)]
struct Parameters {
    timeout: Option<String>,
}

type Token = Option<Path<String>>;
type Asked = Result<Query<Parameters>, QueryRejection>;

async fn mutate(State(app): State<App>, token: Token, query: Asked, request: Request) -> HttpResponse {
    let judge = |gate: Arc<Gate>, body: Bytes, deadlines| async move { gate.mutate(&body, deadlines).await };
    answer(app, Call::Mutate, token, query, request, judge).await
}

async fn validate(State(app): State<App>, token: Token, query: Asked, request: Request) -> HttpResponse {
    let judge = |gate: Arc<Gate>, body: Bytes, deadlines| async move { gate.validate(&body, deadlines).await };
    answer(app, Call::Validate, token, query, request, judge).await
}

/// A call that may be made, and has come whole.
struct Received {
    begun: Instant,
    body: Bytes,
    deadlines: Deadlines,
    followed: Followed,
    under_way: UnderWay,
}

/// What a call holds until it is answered.
struct UnderWay {
    _counted: InFlight,
    _room: OwnedSemaphorePermit,
}

/// What came, unless the call is refused. It is read only when it is known who calls: who may not call can't make us
/// hold a body.
async fn received(
    app: &App,
    call: Call,
    token: Token,
    query: Asked,
    request: Request,
) -> Result<Received, HttpResponse> {
    let begun = Instant::now();
    // Without a seat there is no connection: a test, or an embedder.
    let seat = request.extensions().get::<Arc<Seat>>().cloned();
    let mut incoming = Incoming::of(request);
    let deadlines = match admitted(app, call, token, query, seat.as_deref(), begun) {
        Ok(deadlines) => deadlines,
        Err(refusal) => return Err(refused(incoming, refusal).await),
    };
    let in_flight = app.metrics.begun(call);
    // Whoever may not call begins no trace.
    let followed =
        app.traces.as_ref().map_or_else(Followed::by_nobody, |traces| traces.follow(call, incoming.headers()));
    let room = match incoming.expected(app.body_bytes) {
        Ok(bytes) => room(app, call, bytes, deadlines.judged).await,
        Err(refusal) => Err(refusal),
    };
    let room = match room {
        Ok(room) => room,
        Err(refusal) => return Err(refused(incoming, refusal).await),
    };
    let under_way = UnderWay { _counted: in_flight, _room: room };
    match tokio::time::timeout_at(deadlines.judged.into(), incoming.taken(app.body_bytes)).await {
        Ok(Ok(body)) => Ok(Received { begun, body, deadlines, followed, under_way }),
        Ok(Err(refusal)) => Err(refused(incoming, refusal).await),
        Err(_) => Err(refuse(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

/// Room for the whole body, before any of it is read: two that are read by halves would wait for each other.
async fn room(app: &App, call: Call, bytes: usize, until: Instant) -> Result<OwnedSemaphorePermit, Refusal> {
    let room = Arc::clone(&app.room).acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX));
    match tokio::time::timeout_at(until.into(), room).await {
        Ok(Ok(room)) => Ok(room),
        Ok(Err(_)) | Err(_) => {
            app.metrics.no_room(call);
            Err((StatusCode::SERVICE_UNAVAILABLE, NO_ROOM.to_owned()))
        }
    }
}

/// Until when a call is answered, if it may be made.
fn admitted(
    app: &App,
    call: Call,
    token: Token,
    query: Asked,
    seat: Option<&Seat>,
    begun: Instant,
) -> Result<Deadlines, Refusal> {
    if !app.callers.admit(token.as_ref().map(|Path(token)| token.as_str())) {
        app.metrics.turned_away(call);
        return Err((StatusCode::FORBIDDEN, "the path does not carry a token in force".to_owned()));
    }
    if let Some(Err(crowded)) = seat.map(Seat::prove) {
        return Err((StatusCode::SERVICE_UNAVAILABLE, crowded.to_string()));
    }
    let Query(query) = query.map_err(|rejected| (StatusCode::BAD_REQUEST, rejected.body_text()))?;
    Deadlines::of(begun, query.timeout.as_deref()).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

async fn refused(incoming: Incoming, (status, message): Refusal) -> HttpResponse {
    incoming.let_fall().await;
    refuse(status, &message)
}

async fn answer<Judged>(
    app: App,
    call: Call,
    token: Token,
    query: Asked,
    request: Request,
    judge: impl FnOnce(Arc<Gate>, Bytes, Deadlines) -> Judged,
) -> HttpResponse
where
    Judged: Future<Output = Result<Answered, ReviewError>> + Send + 'static,
{
    let Received { begun, body, deadlines, followed, under_way } =
        match received(&app, call, token, query, request).await {
            Ok(received) => received,
            Err(refusal) => return refusal,
        };
    // A task of its own: a caller that hangs up does not stop a decision halfway, and it is counted.
    let judged = judge(Arc::clone(&app.gate), body, deadlines).instrument(followed.span().clone());
    let work = tokio::spawn(async move {
        let _until_answered = under_way;
        match judged.await {
            Ok(mut answered) => {
                followed.came_to(&answered);
                app.metrics.answered(call, &mut answered, begun.elapsed(), &followed);
                send(&answered.response)
            }
            Err(error) => unreadable(&app, call, &error),
        }
    });
    work.await.unwrap_or_else(|error| lost(&error))
}

fn lost(error: &JoinError) -> HttpResponse {
    tracing::error!(%error, "a request was lost");
    refuse(StatusCode::INTERNAL_SERVER_ERROR, "the request could not be judged")
}

/// With a uid a review can be answered; without, only the HTTP call can.
fn unreadable(app: &App, call: Call, error: &ReviewError) -> HttpResponse {
    app.metrics.unreadable(call);
    match &error.uid {
        Some(uid) => send(&Response::refused(uid, RefusalKind::BadRequest, error.to_string())),
        None => refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn send(response: &Response) -> HttpResponse {
    match response.to_json() {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn refuse(status: StatusCode, message: &str) -> HttpResponse {
    (status, Json(json!({"error": message}))).into_response()
}

async fn livez() -> &'static str {
    "ok\n"
}

#[derive(Deserialize)]
struct Verbosity {
    verbose: Option<String>,
}

/// As the API server does it: whoever reaches this port learns what is not well, and not why.
async fn readyz_without_reasons(State(app): State<App>, query: Query<Verbosity>) -> HttpResponse {
    readiness(&app, &query, Health::outline)
}

async fn readyz(State(app): State<App>, query: Query<Verbosity>) -> HttpResponse {
    readiness(&app, &query, Health::report)
}

fn readiness(app: &App, asked: &Verbosity, whole: impl Fn(&Health) -> String) -> HttpResponse {
    let status = if app.health.ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let text = if asked.verbose.is_some() { whole(&app.health) } else { app.health.line() };
    (status, text).into_response()
}

async fn metrics(State(app): State<App>, headers: HeaderMap) -> HttpResponse {
    app.metrics.observe(&app);
    let exposition = Exposition::accepted(headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()));
    match app.metrics.text(exposition) {
        Ok(text) => ([(CONTENT_TYPE, exposition.content_type())], text).into_response(),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn proof(State(app): State<App>) -> HttpResponse {
    match app.proof.load_full() {
        Some(proof) => Json(proof.as_ref()).into_response(),
        None => {
            refuse(StatusCode::SERVICE_UNAVAILABLE, "no book was read again yet; /readyz?verbose says when one will be")
        }
    }
}

impl Answered {
    /// The name of the answer, for a metric.
    pub(crate) fn label(&self) -> &'static str {
        match self.answer {
            Answer::Allowed if self.response.patch.is_some() => "corrected",
            answer => answer.name(),
        }
    }
}
