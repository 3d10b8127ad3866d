//! What every source file looks like from outside.

use super::Finding;
use crate::checkout::Checkout;

/// Lines beyond which there are two rooms in a file.
const LONGEST: usize = 400;

/// Columns that a line of comment may take: as many as rustfmt leaves to code. It breaks no comments by itself.
const WIDEST: usize = 120;

/// Files that may be longer, and why.
const LONGER: [(&str, &str); 1] = [("wit/policy.wit", "the contract is read as one")];

/// Every Rust file begins with the comment that says what it is for.
pub(super) fn first_comments(checkout: &Checkout) -> Vec<Finding> {
    let silent = checkout.files.iter().filter(|(path, text)| path.ends_with(".rs") && !text.starts_with("//! "));
    silent
        .map(|(path, _)| Finding::at_line(path, 0, "begins without a `//!` comment that says what happens in it"))
        .collect()
}

/// No Rust or WIT file is longer than one reading.
pub(super) fn lengths(checkout: &Checkout) -> Vec<Finding> {
    let may_be_longer = |path: &str| LONGER.iter().any(|(longer, _)| *longer == path);
    let sources = checkout.files.iter().filter(|(path, _)| is_source(path) && !may_be_longer(path));
    sources
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(path, lines)| Finding::new(path, format!("has {lines} lines; past {LONGEST} there are two files in it")))
        .collect()
}

/// No line of comment is wider than code may be, but for a row of a table, which can't be broken.
pub(super) fn widths(checkout: &Checkout) -> Vec<Finding> {
    let sources = checkout.files.iter().filter(|(path, _)| is_source(path));
    sources.flat_map(|(path, text)| too_wide(text).map(|line| Finding::at_line(path, line, TOO_WIDE))).collect()
}

const TOO_WIDE: &str = "is a comment of more than 120 columns";

fn too_wide(text: &str) -> impl Iterator<Item = usize> {
    let is_row = |comment: &str| comment.trim_start_matches(['/', '!', ' ']).starts_with('|');
    let breaks = move |line: &str| line.trim_start().starts_with("//") && !is_row(line.trim_start());
    let lines = text.lines().enumerate();
    lines.filter(move |(_, line)| breaks(line) && line.chars().count() > WIDEST).map(|(number, _)| number)
}

fn is_source(path: &str) -> bool {
    path.ends_with(".rs") || path.ends_with(".wit")
}

#[cfg(test)]
mod tests {
    use super::super::with_files;
    use super::*;

    #[test]
    fn asks_for_the_first_comment() {
        let checkout = with_files([("a.rs", "//! What.\n"), ("b.rs", "use std;\n"), ("c.md", "text")]);
        let [finding] = first_comments(&checkout).try_into().unwrap();
        assert_eq!(finding.place, "b.rs:1");
    }

    #[test]
    fn counts_lines() {
        let fits = "x\n".repeat(LONGEST);
        let over = "x\n".repeat(LONGEST + 1);
        let checkout = with_files([("fits.rs", &fits), ("over.rs", &over), ("wit/policy.wit", &over)]);
        let [finding] = lengths(&checkout).try_into().unwrap();
        assert_eq!(finding.place, "over.rs");
    }

    #[test]
    fn measures_comments() {
        let fits = format!("    // {}\n", "ü".repeat(WIDEST - 7));
        let row = format!("/// | {} |\n", "x".repeat(WIDEST));
        let text = format!("//! What.\n{fits}    // {}\n{row}", "x".repeat(WIDEST - 6));
        let [finding] = widths(&with_files([("a.rs", &text), ("a.md", &text)])).try_into().unwrap();
        assert_eq!(finding.place, "a.rs:3");
    }
}
