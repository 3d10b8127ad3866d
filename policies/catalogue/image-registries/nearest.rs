//! The entry of an allow-list that is most like the name that somebody wrote: what they may have meant.

use crate::repository::{Repository, RepositoryPattern};

/// As much of a name is looked at; no registry takes longer ones.
const LONGEST: usize = 255;

/// The entry that takes the fewest changes of a letter to get to.
pub(super) fn nearest<'p>(
    allowed: &'p [RepositoryPattern],
    repository: &Repository<'_>,
) -> Option<&'p RepositoryPattern> {
    let name = repository.to_string();
    allowed.iter().min_by_key(|pattern| {
        let fixed = pattern.as_str().trim_end_matches(['*', '/']);
        // A pattern of one registry is held against the registry alone, and so on.
        let parts = fixed.split('/').count();
        let written = name.split('/').take(parts).collect::<Vec<_>>().join("/");
        distance(fixed, &written)
    })
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

    fn found<'p>(allowed: &'p [RepositoryPattern], image: &str) -> &'p str {
        nearest(allowed, &Repository::of(&Reference::read(image).unwrap())).unwrap().as_str()
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
        let allowed =
            ["quay.io/**", "ghcr.io/team/**", "registry.example"].map(|text| text.to_owned().try_into().unwrap());
        assert_eq!(found(&allowed, "gchr.io/team/app"), "ghcr.io/team/**");
        assert_eq!(found(&allowed, "quay.oi/a/b"), "quay.io/**");
        assert_eq!(found(&allowed, "ghcr.io/teem/app"), "ghcr.io/team/**");
    }
}
