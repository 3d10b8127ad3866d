//! Words that must not stand in any file: work put off, and places that only one machine has.

use super::Finding;
use crate::checkout::Checkout;

/// Each in two halves, so that this file passes.
const FORBIDDEN: [((&str, &str), &str); 3] = [
    (("TO", "DO"), "do it, or leave it out"),
    (("FIX", "ME"), "mend it, or say what the limit is"),
    (("/wo", "rk/"), "is a path of one machine"),
];

/// Finds each line with such a word.
pub(super) fn forbidden(checkout: &Checkout) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ((first, second), why) in FORBIDDEN {
        let word = format!("{first}{second}");
        for (path, text) in checkout.files.iter().filter(|(_, text)| text.contains(&word)) {
            let lines = text.lines().enumerate().filter(|(_, line)| line.contains(&word));
            findings.extend(lines.map(|(at, _)| Finding::at_line(path, at, format!("`{word}` {why}"))));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::with_files;
    use super::*;

    #[test]
    fn finds_the_line_of_each() {
        let text = ["fine", "// FIX", "ME: later"].concat();
        let checkout = with_files([("a.rs", &format!("//! A.\n{text}\n")), ("b.md", "fix me\n")]);
        let [finding] = forbidden(&checkout).try_into().unwrap();
        assert_eq!(finding.place, "a.rs:2");
    }
}
