//! What can go wrong between a policy crate and its component.

use std::path::PathBuf;

use crate::{PROFILE, TARGET};

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A program could not be started.
    #[error("can't run {program:?}: {source}; is the Rust toolchain on the path?")]
    NotRun {
        /// `cargo` or `rustc`, as it was looked for.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The standard library for the target is not installed.
    #[error(
        "the toolchain has no standard library for {TARGET} (looked in {}): run `rustup target add {TARGET}` in the \
         workspace", looked_in.display()
    )]
    NoTarget {
        /// Where it would be.
        looked_in: PathBuf,
    },
    /// The crate does not compile, or has no such profile.
    #[error("cargo could not compile {} with the profile `{PROFILE}`:\n{stderr}", package_dir.display())]
    Compile {
        /// The crate.
        package_dir: PathBuf,
        /// What cargo printed.
        stderr: String,
    },
    /// The crate compiles to something other than a core module.
    #[error("{} makes no WebAssembly module: set `crate-type = [\"cdylib\"]` under `[lib]`", package_dir.display())]
    NoModule {
        /// The crate.
        package_dir: PathBuf,
    },
    /// The module that cargo named can't be read.
    #[error("can't read the module {}: {source}", path.display())]
    Unreadable {
        /// The module.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The module does not implement the contract that it carries.
    #[error("{} is no component: {reason}; does the crate call `portreeve_sdk::catalogue!`?", path.display())]
    NotAPolicy {
        /// The module.
        path: PathBuf,
        /// What the encoder said.
        reason: String,
    },
}
