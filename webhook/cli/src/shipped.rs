//! What the program carries of the policies that ship besides their code: pages and cases, as the catalogue has them.

use portreeve_cases::{CaseFile, Page, ReadError, read_text};

use crate::outcome::Failure;

/// What stands beside the code of one policy, as text.
struct Shipped {
    page: &'static str,
    /// Name, such as `non-root/cases/users.yaml`, and text.
    cases: &'static [(&'static str, &'static str)],
}

/// In the order of their names.
static SHIPPED: &[Shipped] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// A policy that ships.
#[derive(Debug)]
pub(crate) struct ShippedPolicy {
    pub(crate) page: Page,
    pub(crate) cases: Vec<CaseFile>,
}

#[derive(Debug, thiserror::Error)]
#[error("what this program carries of its policies can't be read, which is a fault of the program")]
struct Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>);

/// All of them, in the order of their names.
///
/// # Errors
/// None that a user could cause: a test reads them all.
pub(crate) fn shipped() -> Result<Vec<ShippedPolicy>, Failure> {
    SHIPPED.iter().map(read).collect::<Result<_, _>>().map_err(Failure::failed)
}

fn read(shipped: &Shipped) -> Result<ShippedPolicy, Unreadable> {
    let page = Page::read(shipped.page).map_err(|error| Unreadable(error.into()))?;
    let cases = shipped.cases.iter().map(|(name, text)| read_text(name, text));
    let cases = cases.collect::<Result<_, ReadError>>().map_err(|error| Unreadable(error.into()))?;
    Ok(ShippedPolicy { page, cases })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_policy_has_its_page_and_cases() {
        let shipped = shipped().unwrap();
        assert!(shipped.iter().all(|policy| !policy.cases.is_empty()));
        let names: Vec<&str> = shipped.iter().map(|policy| policy.page.name.as_str()).collect();
        for resource in portreeve_server::set::platform() {
            let reference = resource.reference();
            assert!(names.iter().any(|name| reference.ends_with(&format!("/{name}"))), "{reference}");
        }
    }
}
