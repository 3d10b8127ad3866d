//! The tests that the table of invariants names are there: a function of that name, in a file of that module. Whether
//! they prove what they are named for is for readers.

use super::Finding;
use crate::checkout::Checkout;

const DOCUMENT: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Invariants";

/// Looks for every `module::test` of the table, and for a row that names none.
pub(super) fn of_invariants(checkout: &Checkout) -> Vec<Finding> {
    let Some(document) = checkout.files.get(DOCUMENT) else { return Vec::new() };
    let mut findings = Vec::new();
    let mut in_table = false;
    for (lines_before, line) in document.lines().enumerate() {
        if line.starts_with("## ") {
            in_table = line == HEADING;
        }
        if !in_table || !line.starts_with("| ") || !line.contains(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let named: Vec<&str> = line.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).collect();
        let missing = named.iter().filter(|test| !is_there(checkout, test));
        findings
            .extend(missing.map(|test| Finding::at_line(DOCUMENT, lines_before, format!("there is no test {test}"))));
        if named.is_empty() {
            findings.push(Finding::at_line(DOCUMENT, lines_before, "an invariant that no test is named for"));
        }
    }
    findings
}

/// Whether some file of this module has a test of this name. `a::b::test` may stand in `b` of `a`, or in `a` itself.
fn is_there(checkout: &Checkout, test: &str) -> bool {
    let Some((modules, name)) = test.rsplit_once("::") else { return false };
    let function = format!("fn {name}(");
    checkout.under("").any(|(path, text)| is_of(path, modules) && is_test(text, &function))
}

/// Whether the file's path ends as the modules do; a last `tests` may be a module within the file.
fn is_of(path: &str, modules: &str) -> bool {
    let Some(place) = path.strip_suffix(".rs").map(|place| place.strip_suffix("/mod").unwrap_or(place)) else {
        return false;
    };
    let within = modules.strip_suffix("::tests").into_iter();
    within.chain([modules]).map(|modules| modules.replace("::", "/")).any(|modules| {
        place.strip_suffix(modules.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('/'))
    })
}

/// Whether the function has the attribute of a test above it, among others.
fn is_test(text: &str, function: &str) -> bool {
    text.match_indices(function).any(|(at, _)| {
        let (before, _) = text.split_at(at);
        let above = before.rsplit_once('\n').map_or("", |(above, _)| above);
        let mut attributes = above.lines().rev().map(str::trim_start).take_while(|line| line.starts_with('#'));
        attributes.any(|line| line.contains("test"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::with_files;
    use super::*;

    const TABLE: &str = "# A\n\n## Invariants\n| | invariant | guarded by |\n|---|---|---|\n";
    const CODE: &str = "//! M.\n#[test]\nfn holds() {}\n\nfn helper() {}\n";

    fn told(row: &str, files: &[(&str, &str)]) -> Vec<String> {
        let document = format!("{TABLE}{row}\n\n## Choices\n| 9 | `a::gone` |\n");
        let mut checkout = with_files([(DOCUMENT, document.as_str())]);
        checkout.files.extend(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        of_invariants(&checkout).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn finds_a_test_that_is_gone_or_is_none() {
        let row = "| 1 | Pure. | `engine` `a::holds`, `a::gone`, `a::helper` |";
        let gone = ["ARCHITECTURE.md:6: there is no test a::gone", "ARCHITECTURE.md:6: there is no test a::helper"];
        assert_eq!(told(row, &[("engine/tests/a.rs", CODE)]), gone);
    }

    #[test]
    fn knows_modules_by_their_files_their_folders_and_within_a_file() {
        for (test, path) in [
            ("a::holds", "engine/tests/a/mod.rs"),
            ("a::tests::holds", "engine/src/a.rs"),
            ("a::tests::holds", "engine/src/a/tests.rs"),
            ("b::a::holds", "engine/src/b/a.rs"),
        ] {
            assert_eq!(told(&format!("| 1 | Pure. | `{test}` |"), &[(path, CODE)]), Vec::<String>::new(), "{path}");
        }
        assert_eq!(told("| 1 | Pure. | `a::holds` |", &[("engine/src/ba.rs", CODE)]).len(), 1);
    }

    #[test]
    fn a_row_that_names_no_test_is_told() {
        assert_eq!(
            told("| 1 | Pure. | `engine`'s tests |", &[]),
            ["ARCHITECTURE.md:6: an invariant that no test is named for"]
        );
    }
}
