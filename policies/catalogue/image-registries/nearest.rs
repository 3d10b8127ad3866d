//! The entry of an allow-list that is most like the name that somebody wrote: what they may have meant.

use crate::repository::{Repository, RepositoryPattern, pattern_parts};

/// As much of a name is looked at; no registry takes longer ones.
const LONGEST: usize = 255;
/// Up to one letter in so many may differ between what is written and what is meant.
const A_PART: usize = 3;

/// The entry that takes the fewest changes of a letter to get to, if those are few; else one that ends with the image's
/// own name. None if nothing is like it.
pub(super) fn nearest<'p>(
    allowed: &'p [RepositoryPattern],
    repository: &Repository<'_>,
) -> Option<&'p RepositoryPattern> {
    let name = repository.to_string();
    let measured = allowed.iter().filter_map(|pattern| Some((pattern, apart(pattern, &name)?)));
    measured.min_by_key(|&(_, apart)| apart).map(|(pattern, _)| pattern)
}

/// How many letters are between the two; none if so many that nobody means the one by the other.
fn apart(pattern: &RepositoryPattern, name: &str) -> Option<usize> {
    let (registry, path) = pattern_parts(pattern.as_str()).ok()?;
    let whole = format!("{registry}/{path}");
    let fixed = whole.trim_end_matches(['*', '/']);
    // A pattern of one registry is held against the registry alone, and so on.
    let parts = fixed.split('/').count();
    let alike = fixed.split('/').zip(name.split('/')).take_while(|(one, other)| one == other).count();
    let rest = |text: &str| text.split('/').take(parts).skip(alike).collect::<Vec<_>>().join("/");
    let (meant, written) = (rest(fixed), rest(name));
    let letters = distance(&meant, &written);
    let has_its_name = || !whole.ends_with('*') && fixed.rsplit('/').next() == name.rsplit('/').next();
    let few = meant.chars().count().max(written.chars().count()).div_ceil(A_PART);
    if letters <= few { Some(letters) } else { has_its_name().then_some(usize::MAX) }
}

/// Letters to be changed, put in or left out to make one text of the other (Levenshtein's distance).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(LONGEST).collect();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.chars().take(LONGEST).enumerate() {
        let mut left = row + 1;
        let mut diagonal = row;
        for (cell, theirs) in above.iter_mut().skip(1).zip(&other) {
            let changed = diagonal + usize::from(letter != *theirs);
            diagonal = *cell;
            left = changed.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = above.first_mut() {
            *first = row + 1;
        }
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use portreeve_sdk::image::Reference;

    use super::*;

    fn patterns(texts: &[&str]) -> Vec<RepositoryPattern> {
        texts.iter().map(|&text| text.to_owned().try_into().unwrap()).collect()
    }

    fn found<'p>(allowed: &'p [RepositoryPattern], image: &str) -> Option<&'p str> {
        nearest(allowed, &Repository::of(&Reference::read(image).unwrap())).map(RepositoryPattern::as_str)
    }

    #[test]
    fn distances_are_levenshteins() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn a_misspelt_registry_is_near_the_right_one() {
        let allowed = patterns(&["quay.io/**", "ghcr.io/team/**", "registry.example", "nginx"]);
        assert_eq!(found(&allowed, "gchr.io/team/app"), Some("ghcr.io/team/**"));
        assert_eq!(found(&allowed, "quay.oi/a/b"), Some("quay.io/**"));
        assert_eq!(found(&allowed, "ghcr.io/teem/app"), Some("ghcr.io/team/**"));
        assert_eq!(found(&allowed, "ngnix:1"), Some("nginx"));
    }

    #[test]
    fn the_same_name_elsewhere_is_near() {
        let allowed = patterns(&["ghcr.io/team/**", "mirror.example/hub/busybox"]);
        assert_eq!(found(&allowed, "busybox:1.36"), Some("mirror.example/hub/busybox"));
    }

    #[test]
    fn another_name_is_not_near_for_being_in_the_same_place() {
        let allowed = patterns(&["postgres", "redis", "ghcr.io/team/**", "*.azurecr.io"]);
        assert_eq!(found(&allowed, "busybox:1.36"), None);
        assert_eq!(found(&allowed, "evil.example/a/b"), None);
    }
}
