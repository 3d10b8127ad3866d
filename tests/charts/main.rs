//! The tests of the charts that need no cluster, in one binary so that it is linked once. Where there is no helm, each
//! says that it is skipped and how to get it. The charts on a real API server are in `cluster/charts.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail by panic, and says when it is skipped"
)]

#[cfg(test)]
mod environments;
#[cfg(test)]
mod judged;
#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod platforms;
#[cfg(test)]
mod server;
#[cfg(test)]
mod together;

#[cfg(test)]
use portreeve_tests::helm::Helm;

/// helm; none, and a word about it, where there is none.
#[cfg(test)]
fn helm() -> Option<Helm> {
    let helm = Helm::find().unwrap();
    if helm.is_none() {
        println!("skipped: no helm. `cargo xtask assets` builds one (it needs Go), or put one on the path");
    }
    helm
}
