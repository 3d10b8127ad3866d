//! A real control plane on loopback, for tests: started, waited for, talked to as users do. Nothing of what is tested
//! with it is known here, so that a crate can test what it does in a cluster without building all the others.

pub mod api_server;
pub mod cluster;
pub mod control_plane;
pub mod kubectl;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What goes wrong in a test's own set-up.
pub type Fault = Box<dyn Error + Send + Sync>;

/// Asks until it is so, for two minutes at most.
///
/// # Errors
/// If it never is.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) -> Result<(), Fault> {
    for _ in 0..1200 {
        if holds().await {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(format!("never: {what}").into())
}

/// The root of the checkout.
fn checkout() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own).to_owned()
}
