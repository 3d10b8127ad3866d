//! The five platforms that the program carries, so that it can be shown without a checkout.

use std::path::Path;

use include_dir::{Dir, include_dir};

static PLATFORMS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../tests/platforms");

/// Writes them into a folder.
///
/// # Errors
/// If the operating system refuses.
pub(super) fn unpack(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    PLATFORMS.extract(folder)
}
