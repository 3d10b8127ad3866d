//! What admission costs: policy sets in process, the wire with and without policies, starting. One run, so that the
//! numbers can be compared with each other; on a shared machine believe ratios. Run it by `cargo xtask bench`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a measurement stops at the first fault, and prints"
)]

mod process;
#[allow(dead_code, reason = "the other benchmark needs the rest of it")]
#[path = "../shared/released.rs"]
mod released;
#[path = "../shared/sample.rs"]
mod sample;
mod wire;

use portreeve_engine::Engine;

fn main() {
    // `cargo test --benches` and the like pass flags; there is one thing to do.
    let kernel = if Engine::knows_written_pages() { "is scanned for" } else { "does not tell" };
    println!("the page map {kernel} what instances wrote");
    println!("\nin process, a pod with three containers");
    process::all();
    println!("\nover TLS, HTTP/1.1");
    wire::all();
}
