//! What a loosening may rest on. Labels and names of containers are what anybody writes who writes a workload; an image
//! or a service account is not. Several policies ask that of their settings.

use portreeve_sdk::image::untagged;

use crate::repository::host;

/// Whether the patterns, of claims or images, name anybody: none does that takes whatever anyone writes.
pub(crate) fn name_somebody<'p>(patterns: impl IntoIterator<Item = &'p str>) -> bool {
    let mut patterns = patterns.into_iter().peekable();
    patterns.peek().is_some() && !patterns.any(takes_anyones)
}

/// Whether nothing is left of a pattern but stars and what stands between the parts of every name. A port says nothing
/// of whose it is.
fn takes_anyones(pattern: &str) -> bool {
    let name = untagged(pattern);
    let (registry, path) = name.split_once('/').unwrap_or(("", name));
    let is_named = |part: &str| part.contains(char::is_alphanumeric);
    !is_named(host(registry)) && !is_named(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_without_a_letter_name_nobody() {
        for pattern in ["*", "**", "*/*", "*.*/*", "*:*/**", "*:5000/**", "*-*", "*/*_*", "*:latest", "*/*:1.2", "*@*"]
        {
            assert!(!name_somebody([pattern]), "{pattern}");
            assert!(!name_somebody(["ghcr.io/team/*", pattern]), "{pattern}");
        }
        assert!(!name_somebody([]));
    }

    #[test]
    fn a_name_of_a_registry_or_a_repository_is_somebodys() {
        for pattern in ["nginx", "gpu-*", "ghcr.io/**", "10.0.0.1:5000/**", "*/team/*", "*.example/**", "nginx:*"] {
            assert!(name_somebody([pattern]), "{pattern}");
        }
    }
}
