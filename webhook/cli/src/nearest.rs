//! What somebody meant who wrote a name that is not there.

/// Names less alike than this are no help; 1 is the same name.
const ALIKE: f64 = 0.8;

/// How many are offered.
const OFFERED: usize = 3;

/// The known names that are nearest to one that is not, or all of them where none is near, as the end of a sentence.
pub(crate) fn nearest(name: &str, known: &[String]) -> String {
    let mut alike: Vec<(f64, &str)> =
        known.iter().map(|known| (strsim::jaro_winkler(name, known), known.as_str())).collect();
    alike.retain(|(likeness, _)| *likeness >= ALIKE);
    alike.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let alike: Vec<&str> = alike.into_iter().take(OFFERED).map(|(_, known)| known).collect();
    match alike.as_slice() {
        [] => format!("there are {}", known.join(", ")),
        [one] => format!("did you mean {one}?"),
        several => format!("did you mean one of {}?", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        ["non-root", "image-digest", "image-registries", "seccomp"].map(str::to_owned).into()
    }

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        assert_eq!(nearest("no-root", &known()), "did you mean non-root?");
        assert!(nearest("image-digests", &known()).contains("image-digest"));
    }

    #[test]
    fn what_is_like_nothing_is_answered_with_all_there_are() {
        assert_eq!(nearest("xyz", &known()), "there are non-root, image-digest, image-registries, seccomp");
    }
}
