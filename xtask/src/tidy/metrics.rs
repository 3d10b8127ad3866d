//! Every metric that the code registers stands in the documentation under its full name.

use super::Finding;
use crate::checkout::Checkout;

const DOCUMENT: &str = "docs/metrics.md";

/// What the registry puts before every name.
const PREFIX: &str = "portreeve_";

/// Looks for the names where they are registered. Until there is a document nothing is asked.
pub(super) fn documented(checkout: &Checkout) -> Vec<Finding> {
    let Some(document) = checkout.files.get(DOCUMENT) else { return Vec::new() };
    let known = |name: &str| document.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name);
    let mut findings = Vec::new();
    for (path, text) in checkout.under("").filter(|(path, _)| path.starts_with("webhook/") && path.ends_with(".rs")) {
        for (at, _) in text.match_indices(".register(") {
            let (before, call) = text.split_at(at);
            let Some(name) = registered(call) else { continue };
            let name = format!("{PREFIX}{name}");
            if !known(&name) && !known(&format!("{name}_total")) {
                let lines = before.matches('\n').count();
                findings.push(Finding::at_line(path, lines, format!("{name} does not stand in {DOCUMENT}")));
            }
        }
    }
    findings
}

/// The first argument, if it is a name written out.
fn registered(call: &str) -> Option<&str> {
    let (_, arguments) = call.split_once('(')?;
    arguments.trim_start().strip_prefix('"')?.split_once('"').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::super::with_files;
    use super::*;

    const CODE: &str =
        "//! M.\nregistry.register(\n    \"requests\",\n    \"Calls\");\nregistry.register(\"ready\", \"R\");\n";

    #[test]
    fn finds_a_metric_that_is_not_documented() {
        let checkout = with_files([("webhook/m.rs", CODE), (DOCUMENT, "| `portreeve_requests_total` |")]);
        let [finding] = documented(&checkout).try_into().unwrap();
        assert_eq!(finding.to_string(), "webhook/m.rs:5: portreeve_ready does not stand in docs/metrics.md");
    }

    #[test]
    fn asks_nothing_until_there_is_a_document() {
        assert_eq!(documented(&with_files([("webhook/m.rs", CODE)])), []);
    }
}
