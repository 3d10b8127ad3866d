//! Telling that denials are dropped, loudly and for as long as they are: in the log, on `/readyz?verbose`, as a metric.

use jiff::Timestamp;
use portreeve_admission::break_glass::BreakGlass;

use crate::health::{Health, Part, State};
use crate::metrics::Metrics;

/// Looks whether denials are dropped.
pub(super) fn look(glass: Option<&BreakGlass>, health: &Health, metrics: &Metrics, now: Timestamp) {
    let open = glass.filter(|glass| glass.is_open(now));
    let state = match open {
        None => State::Good("count".to_owned()),
        Some(glass) => State::Kept(glass.to_string()),
    };
    metrics.break_glass(open.is_some());
    let is_news = health.set(Part::Denials, state);
    if let Some(glass) = open.filter(|_| is_news) {
        tracing::error!("break-glass: {glass}");
    }
}
