//! `/resources`: changes of our own resources, before they are stored. They are no decision about a workload, and the
//! book does not tell of them: what came of each is counted, and the log says who was refused.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response as HttpResponse;
use portreeve_admission::message;
use portreeve_admission::response::{RefusalKind, Response};
use portreeve_admission::review::{Review, decode};
use tokio::task::JoinError;
use tracing::Instrument as _;

use super::{App, Asked, Received, Token, UnderWay, lost, received, send, unreadable};
use crate::deadline::Deadlines;
use crate::metrics::Call;
use crate::proposal::NOT_LOOKED_AT;
use crate::traces;

/// Answers one change.
pub(super) async fn look(State(app): State<App>, token: Token, query: Asked, request: Request) -> HttpResponse {
    let Received { begun, body, deadlines, followed, under_way } =
        match received(&app, Call::Resources, token, query, request).await {
            Ok(received) => received,
            Err(refusal) => return refusal,
        };
    let review = match decode(&body) {
        Ok(review) => Arc::new(review),
        Err(error) => return unreadable(&app, Call::Resources, &error),
    };
    followed.span().in_scope(|| traces::about(&review));
    let answered = answer(&app, Arc::clone(&review), deadlines, under_way).instrument(followed.span().clone()).await;
    let response = match answered {
        Ok(response) => response,
        Err(error) => return lost(&error),
    };
    let label = label(&response);
    followed.ended(label);
    app.metrics.looked_at(label, review.dry_run, begun.elapsed(), &followed);
    say(&review, label);
    send(&response)
}

/// What this change is answered, at its deadline at the latest.
async fn answer(
    app: &App,
    review: Arc<Review>,
    deadlines: Deadlines,
    under_way: UnderWay,
) -> Result<Response, JoinError> {
    let uid = review.uid.clone();
    let Some(proposals) = app.proposals.clone() else { return Ok(Response::allowed(&uid)) };
    if let Some(response) = proposals.at_once(&review) {
        return Ok(response);
    }
    let examinations = Arc::clone(&app.examinations);
    let step = tracing::Span::current();
    let looked_at = async {
        let turn = examinations.acquire_owned().await;
        let look = move || {
            // Until it is done, whether or not somebody still waits for it.
            let _held = (under_way, turn);
            step.in_scope(|| proposals.answer(&review, deadlines.judged))
        };
        tokio::task::spawn_blocking(look).await
    };
    match tokio::time::timeout_at(deadlines.recorded.into(), looked_at).await {
        Ok(answered) => answered,
        Err(_) => Ok(Response { warnings: vec![NOT_LOOKED_AT.to_owned()], ..Response::allowed(&uid) }),
    }
}

/// The name of the answer, for a metric.
fn label(response: &Response) -> &'static str {
    match response.refusal.as_ref().map(|refusal| refusal.kind) {
        None => "allowed",
        Some(RefusalKind::Forbidden) => "denied",
        Some(RefusalKind::BadRequest | RefusalKind::InternalError) => "failed",
    }
}

/// One line for each change, louder where it was refused: somebody may have tried what is not his to do.
fn say(review: &Review, answer: &'static str) {
    // The level of a line is fixed where it is written.
    macro_rules! write_line {
        ($level:ident) => {
            tracing::$level!(
                uid = review.uid,
                answer,
                operation = %review.request.operation,
                kind = review.request.kind.kind,
                namespace = review.request.namespace,
                name = message::name(review),
                user = review.request.user_name,
                dry_run = review.dry_run,
                "a change of our resources was looked at"
            )
        };
    }
    if answer == "allowed" { write_line!(debug) } else { write_line!(info) }
}
