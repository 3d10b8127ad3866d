//! Where the tests find their data: in this checkout, or beside it where third-party data is kept.

use std::path::{Path, PathBuf};

/// The root of the checkout.
#[must_use]
pub fn checkout() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Third-party data: the path in the variable, or the place beside the checkout. None if it is at neither; the caller
/// then says that its test is skipped.
#[must_use]
pub fn beside(variable: &str, place: &str) -> Option<PathBuf> {
    let given = std::env::var_os(variable).map(PathBuf::from);
    let path = given.unwrap_or_else(|| checkout().join("..").join(place));
    path.exists().then_some(path)
}
