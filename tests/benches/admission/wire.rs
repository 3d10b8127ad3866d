//! The wire: the released binary as a process of its own, its load from here. For each set: how soon it is ready, how
//! many requests it answers, how long one takes, how much memory it has.

use std::path::Path;
use std::time::{Duration, Instant};

use portreeve_tests::review::create;
use portreeve_tests::server::trusting;
use portreeve_tests::whole;
use tokio::runtime::Runtime;

use crate::released::{Server, Set, binary};
use crate::sample::{Samples, shown};

const FOR: Duration = Duration::from_secs(5);

/// What is in force and how it is recorded.
struct Shape {
    name: &'static str,
    set: Set,
    ledger: Option<&'static str>,
    connections: usize,
}

const SHAPES: [Shape; 9] = [
    Shape { name: "no policy, no book", set: Set::Nothing, ledger: None, connections: 50 },
    Shape { name: "no policy, written", set: Set::Nothing, ledger: Some("write-only"), connections: 50 },
    Shape { name: "no policy, durable", set: Set::Nothing, ledger: Some("durable"), connections: 50 },
    Shape { name: "profile, written", set: Set::Profile, ledger: Some("write-only"), connections: 50 },
    Shape { name: "profile, durable", set: Set::Profile, ledger: Some("durable"), connections: 50 },
    Shape { name: "catalogue, written", set: Set::Catalogue, ledger: Some("write-only"), connections: 50 },
    Shape { name: "catalogue, durable", set: Set::Catalogue, ledger: Some("durable"), connections: 50 },
    Shape { name: "profile, written", set: Set::Profile, ledger: Some("write-only"), connections: 500 },
    Shape { name: "profile, durable", set: Set::Profile, ledger: Some("durable"), connections: 500 },
];

const SETS: [(&str, Set); 3] = [("no policy", Set::Nothing), ("profile", Set::Profile), ("catalogue", Set::Catalogue)];

/// Prints a line for each set and each shape.
pub(crate) fn all() {
    let runtime = Runtime::new().unwrap();
    let binary = binary();
    for (name, set) in SETS {
        starts(&runtime, &binary, name, set);
    }
    let cache = tempfile::tempdir().unwrap();
    for (_, set) in SETS {
        // Compiles once, so that what is measured starts from a warm cache.
        let server = Server::start(&binary, cache.path(), set, None);
        runtime.block_on(server.compiled());
    }
    for shape in SHAPES {
        let server = Server::start(&binary, cache.path(), shape.set, shape.ledger);
        runtime.block_on(server.compiled());
        let mut samples = runtime.block_on(load(&server, shape.connections));
        println!(
            "  {:<20} {:>3} connections  {:>7.0}/s  {}  ready {:>4} ms  {:>4} MiB resident",
            shape.name,
            shape.connections,
            samples.count() as f64 / FOR.as_secs_f64(),
            shown(samples.quantiles()),
            server.ready.as_millis(),
            server.resident_mib()
        );
    }
}

/// How soon a server is ready whose cache is empty, how soon its set is compiled then, and how soon it is ready after
/// that.
fn starts(runtime: &Runtime, binary: &Path, name: &str, set: Set) {
    let cache = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let server = Server::start(binary, cache.path(), set, None);
    runtime.block_on(server.compiled());
    let compiled = begun.elapsed();
    let cold = server.ready;
    drop(server);
    let warm = Server::start(binary, cache.path(), set, None).ready;
    println!(
        "  {name:<20} cold start to ready {:>5} ms, compiled after {:>5} ms; warm start to ready {:>4} ms",
        cold.as_millis(),
        compiled.as_millis(),
        warm.as_millis()
    );
}

/// Each connection sends the next request when it has the answer to the last.
async fn load(server: &Server, connections: usize) -> Samples {
    let body = create(&whole::pod()).to_string();
    let bundle = server.ca_bundle();
    let until = Instant::now() + FOR;
    let senders: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(send(trusting(&bundle).unwrap(), server.url("validate"), body.clone(), until)))
        .collect();
    let mut all = Samples::default();
    for sender in senders {
        all.join(sender.await.unwrap());
    }
    all
}

async fn send(client: reqwest::Client, url: String, body: String, until: Instant) -> Samples {
    let mut samples = Samples::default();
    while Instant::now() < until {
        let begun = Instant::now();
        let call = client.post(&url).header("content-type", "application/json").body(body.clone());
        let answer = call.send().await.unwrap();
        assert!(answer.status().is_success());
        let answer = answer.text().await.unwrap();
        assert!(answer.contains("\"allowed\":true"), "{answer}");
        samples.add(begun.elapsed());
    }
    samples
}
