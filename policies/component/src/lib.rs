//! Turns a policy crate into a WebAssembly component: cargo compiles it to a core module, and the module, which
//! carries the contract it was written against, is wrapped into a component. For build scripts and tests.
//!
//! What the component may import, and whether the host serves its version of the contract, is the engine's to say.

mod compile;
mod error;

use std::path::Path;

pub use error::BuildError;

/// The target that policies are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The profile of the workspace's `Cargo.toml` that policies are compiled with.
pub const PROFILE: &str = "guest";

/// Compiles the policy crate in `package_dir`, a `cdylib`, and answers the bytes of its component, validated.
///
/// Cargo works in `target_dir`, which must not be the target directory of a cargo that waits for this call: the two
/// would wait for each other. Flags and wrappers that such a cargo left in the environment are not passed on, since
/// they are meant for its own target.
///
/// # Errors
/// [`BuildError`] says which step failed and what to do about it.
///
/// # Examples
/// In a build script:
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
/// let component = portreeve_component::build("../my-policy".as_ref(), &out.join("target"))?;
/// std::fs::write(out.join("my-policy.wasm"), component)?;
/// # Ok(()) }
/// ```
pub fn build(package_dir: &Path, target_dir: &Path) -> Result<Vec<u8>, BuildError> {
    let module = compile::module(package_dir, target_dir)?;
    let bytes = std::fs::read(&module).map_err(|source| BuildError::Unreadable { path: module.clone(), source })?;
    wrap(&bytes).map_err(|reason| BuildError::NotAPolicy { path: module, reason })
}

/// Wraps a core module that carries its contract into a component.
fn wrap(module: &[u8]) -> Result<Vec<u8>, String> {
    let encode = || wit_component::ComponentEncoder::default().validate(true).module(module)?.encode();
    encode().map_err(|error| format!("{error:#}"))
}
