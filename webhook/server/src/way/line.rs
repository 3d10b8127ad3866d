//! What the log says of a call. Every line that is written while it goes on says whose it is, by the uid of the call;
//! one at its end says what came of it and names its record, by which the book is asked for all the rest.

use portreeve_admission::decision::Answer;
use portreeve_admission::message;
use portreeve_admission::response::AuditKey;
use portreeve_admission::review::Review;
use tracing::Span;

use super::Answered;

/// What lines of a `/mutate` call stand in. An error's level, so that no level that is asked for parts a line from it.
pub(super) fn of_mutate(review: &Review) -> Span {
    tracing::error_span!("mutate", uid = review.uid)
}

/// The same of a `/validate` call.
pub(super) fn of_validate(review: &Review) -> Span {
    tracing::error_span!("validate", uid = review.uid)
}

/// Writes what came of a call, the louder the more somebody should look after it.
pub(super) fn end(review: &Review, answered: &Answered) {
    // The level of a line is fixed where it is written.
    macro_rules! write_line {
        ($level:ident, $words:literal) => {
            tracing::$level!(
                record = said(answered, AuditKey::Record),
                answer = answered.label(),
                operation = %review.request.operation,
                kind = review.request.kind.kind,
                namespace = review.request.namespace,
                name = message::name(review),
                dry_run = answered.dry_run,
                violations = said(answered, AuditKey::Violations),
                failures = said(answered, AuditKey::Failures),
                $words
            )
        };
    }
    match answered.answer {
        Answer::Failed => write_line!(warn, "could not be judged"),
        Answer::Denied => write_line!(info, "denied"),
        Answer::Allowed => write_line!(debug, "allowed"),
    }
}

fn said(answered: &Answered, key: AuditKey) -> Option<&str> {
    answered.response.audit.get(&key).map(String::as_str)
}
