//! What admission costs behind a real API server: Pods created over several connections while nobody is asked, while our
//! webhooks are, and while as many policies of the API server's own are. One run on one control plane, so that the numbers can
//! be compared with each other. Run it by `cargo xtask bench cluster`.
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

mod asked;
mod load;
mod processor;
#[allow(dead_code, reason = "the other benchmark needs the rest of it")]
#[path = "../shared/released.rs"]
mod released;
#[path = "../shared/sample.rs"]
mod sample;

use portreeve_tests::control_plane::{Assets, BuiltInPodSecurity, ControlPlane, Controllers};

use asked::Asked;
use load::Load;

/// Clients that each send their next Pod when they have the answer to the last.
const CONNECTIONS: [usize; 3] = [1, 16, 50];

#[tokio::main]
async fn main() {
    let assets = match Assets::find(Controllers::Absent) {
        Ok(assets) => assets,
        Err(reason) => {
            println!("{reason}");
            std::process::exit(2);
        }
    };
    let plane = ControlPlane::start(&assets, Controllers::Absent, BuiltInPodSecurity::On).await.unwrap();
    let load = Load::at(plane.kubeconfig()).await;
    println!("Pods with three containers, created at a real API server");
    for asked in asked::all() {
        measure(&asked, &load, &plane).await;
    }
}

async fn measure(asked: &Asked, load: &Load, plane: &ControlPlane) {
    let standing = asked.put_up(&load.api).await;
    let processes: Vec<_> = plane.processes().into_iter().chain(standing.process()).collect();
    load.warm().await;
    let mut created = 0;
    for connections in CONNECTIONS {
        let (mut samples, taken) = load.run(connections, &processes).await;
        created += samples.count();
        println!(
            "  {:<34} {connections:>3} connections  {:>6.0}/s  {}  of the processors for a Pod: {taken}",
            asked.name,
            samples.count() as f64 / load::FOR.as_secs_f64(),
            samples.quantiles()
        );
    }
    standing.take_down(&load.api, created).await;
}
