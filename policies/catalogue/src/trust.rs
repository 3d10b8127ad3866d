//! What a loosening may rest on. Labels and names of containers are what anybody writes who writes a workload; an image
//! or a service account is not. Several policies ask that of their settings.

use portreeve_sdk::image::untagged;

/// Whether the patterns, of claims or images, name anybody: none does that takes whatever anyone writes.
pub(crate) fn name_somebody<'p>(patterns: impl IntoIterator<Item = &'p str>) -> bool {
    let takes_all = |pattern: &str| untagged(pattern).chars().all(|c| matches!(c, '*' | '/'));
    let mut patterns = patterns.into_iter().peekable();
    patterns.peek().is_some() && !patterns.any(takes_all)
}
