//! What admission costs behind a real API server: Pods created over several connections while nobody is asked, while
//! our webhooks are, and while as many policies of the API server's own are. All of them in turn, in several rounds on
//! one control plane, so that the numbers can be compared with each other. Run it by `cargo xtask bench cluster`.
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
mod rounds;
#[path = "../shared/sample.rs"]
mod sample;

use portreeve_tests::control_plane::{Assets, BuiltInPodSecurity, ControlPlane, Controllers};

use asked::Asked;
use load::Load;
use rounds::Rounds;

/// Clients that each send their next Pod when they have the answer to the last.
const CONNECTIONS: [usize; 3] = [1, 16, 50];

/// How often all are asked in turn.
const ROUNDS: usize = 5;

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
    let all = asked::all().await;
    let mut table: Vec<[Rounds; CONNECTIONS.len()]> = all.iter().map(|_| Default::default()).collect();
    println!("Pods with three containers, created at a real API server: medians of {ROUNDS} rounds");
    for round in 0..ROUNDS {
        for turn in 0..all.len() {
            // Each round begins with the next, so that nobody is always asked after the same other.
            let whose = (turn + round) % all.len();
            measure(&all[whose], &load, &plane, &mut table[whose]).await;
        }
    }
    for (column, connections) in CONNECTIONS.into_iter().enumerate() {
        for (asked, rounds) in all.iter().zip(&table) {
            println!("  {:<34} {connections:>3} connections  {}", asked.name, rounds[column].medians());
        }
    }
    let base = all.iter().position(|asked| asked.name == asked::BASE).unwrap();
    println!("\nbeside {}, in the middle round and in the outermost", asked::BASE);
    for (column, connections) in CONNECTIONS.into_iter().enumerate() {
        for (asked, rounds) in all.iter().zip(&table) {
            let beside = rounds[column].beside(&table[base][column]);
            println!("  {:<34} {connections:>3} connections  {beside}", asked.name);
        }
    }
}

async fn measure(asked: &Asked, load: &Load, plane: &ControlPlane, rounds: &mut [Rounds; CONNECTIONS.len()]) {
    let standing = asked.put_up(&load.api).await;
    let processes: Vec<_> = plane.processes().into_iter().chain(asked.process()).collect();
    load.warm().await;
    let mut created = 0;
    for (connections, rounds) in CONNECTIONS.into_iter().zip(rounds) {
        let (samples, round) = load.run(connections, &processes).await;
        created += samples;
        rounds.add(round);
    }
    standing.take_down(&load.api, created).await;
}
