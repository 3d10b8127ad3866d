//! The licence: its text, and what every package says.

use super::Finding;
use crate::checkout::Checkout;

const LICENCE: &str = "Apache-2.0";

/// The text is there, and every package names it.
pub(super) fn everywhere(checkout: &Checkout) -> Vec<Finding> {
    let text = checkout.files.get("LICENSE").is_some_and(|text| text.contains("Apache License"));
    let missing = (!text).then(|| Finding::new("LICENSE", "must hold the text of the Apache License 2.0"));
    let others = checkout.packages.iter().filter(|package| package.licence.as_deref() != Some(LICENCE));
    missing
        .into_iter()
        .chain(others.map(|package| Finding::new(&package.name, "says no `license.workspace = true`")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::with_files;
    use super::*;
    use crate::checkout::Package;

    #[test]
    fn asks_for_the_text() {
        assert_eq!(everywhere(&with_files([])).len(), 1);
        assert!(everywhere(&with_files([("LICENSE", "Apache License")])).is_empty());
    }

    #[test]
    fn asks_every_package() {
        let mut checkout = with_files([("LICENSE", "Apache License")]);
        checkout.packages.push(Package { name: "a".into(), licence: Some("MIT".into()), dependencies: Vec::new() });
        assert_eq!(everywhere(&checkout).len(), 1);
    }
}
