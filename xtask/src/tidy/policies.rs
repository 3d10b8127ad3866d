//! What belongs to every policy of the catalogue besides its code. Whether what stands there is right is tested by the
//! catalogue itself.

use super::Finding;
use crate::checkout::Checkout;

const CATALOGUE: &str = "policies/catalogue/";
const PAGES: &str = "docs/policies/";

/// Every policy has its page's data, the schema of its settings, and cases of both outcomes.
pub(super) fn complete(checkout: &Checkout) -> Vec<Finding> {
    let mut findings = Vec::new();
    for policy in policies(checkout) {
        let folder = format!("{CATALOGUE}{policy}/");
        for file in ["policy.yaml", "schema.json"] {
            if !checkout.files.contains_key(&format!("{folder}{file}")) {
                findings.push(Finding::new(&folder, format!("has no {file}")));
            }
        }
        let cases_folder = format!("{folder}cases/");
        let files = checkout.under(&cases_folder).filter(|(path, _)| path.ends_with(".yaml"));
        let cases: Vec<&str> =
            files.flat_map(|(_, text)| text.split("\n- ")).filter(|case| case.contains("expect:")).collect();
        if !cases.iter().any(|case| denies(case)) {
            findings.push(Finding::new(&cases_folder, "has no case that ends in a violation"));
        }
        if !cases.iter().any(|case| !denies(case)) {
            findings.push(Finding::new(&cases_folder, "has no case without a violation"));
        }
    }
    findings
}

/// Every policy has a page, once there are pages, and every page a policy.
pub(super) fn pages(checkout: &Checkout) -> Vec<Finding> {
    let pages: Vec<&str> = checkout.under(PAGES).filter_map(|(path, _)| path.strip_suffix(".md")).collect();
    if pages.is_empty() {
        return Vec::new();
    }
    let policies = policies(checkout);
    let without = policies.iter().filter(|policy| !pages.contains(*policy));
    let stray = pages.iter().filter(|page| !policies.contains(*page) && !["README", "index"].contains(*page));
    without
        .map(|policy| Finding::new(format!("{PAGES}{policy}.md"), "is missing"))
        .chain(stray.map(|page| Finding::new(format!("{PAGES}{page}.md"), "is the page of no policy")))
        .collect()
}

fn policies(checkout: &Checkout) -> Vec<&str> {
    let folders = checkout.folders(CATALOGUE).into_iter();
    folders.filter(|folder| checkout.files.contains_key(&format!("{CATALOGUE}{folder}/policy.rs"))).collect()
}

/// Whether a case, as its file writes it, expects violations.
fn denies(case: &str) -> bool {
    let after = case.split_once("violations:").map(|(_, after)| after.trim_start());
    after.is_some_and(|after| !after.starts_with("[]"))
}

#[cfg(test)]
mod tests {
    use super::super::with_files;
    use super::*;

    const CASES: &str =
        "- name: one\n  expect: {unchanged: true}\n\n- name: two\n  expect:\n    violations: [{rule: a}]\n";

    #[test]
    fn a_policy_with_everything_is_complete() {
        let checkout = with_files([
            ("policies/catalogue/a/policy.rs", ""),
            ("policies/catalogue/a/policy.yaml", ""),
            ("policies/catalogue/a/schema.json", ""),
            ("policies/catalogue/a/cases/a.yaml", CASES),
            ("policies/catalogue/src/lib.rs", ""),
        ]);
        assert_eq!(complete(&checkout), []);
    }

    #[test]
    fn asks_for_each_missing_part() {
        assert_eq!(complete(&with_files([("policies/catalogue/a/policy.rs", "")])).len(), 4);
    }

    #[test]
    fn asks_for_pages_only_once_there_are_some() {
        assert_eq!(pages(&with_files([("policies/catalogue/a/policy.rs", "")])), []);
        let checkout = with_files([("policies/catalogue/a/policy.rs", ""), ("docs/policies/b.md", "")]);
        let places: Vec<_> = pages(&checkout).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["docs/policies/a.md", "docs/policies/b.md"]);
    }
}
