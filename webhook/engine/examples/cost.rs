//! What an evaluation costs: `cargo run --release -p portreeve-engine --example cost`. A fresh instance, the call and
//! dropping it all, in microseconds, for a Pod with three containers.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a developer's tool: what goes wrong ends it")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_admission::case::{Case, Facts, GroupVersionKind, GroupVersionResource, Operation, Request, Subject};
use portreeve_admission::document::Document;
use portreeve_admission::subject::Seat;
use portreeve_admission::template::Template;
use portreeve_engine::{Cache, CacheFolder, Engine, Instance, Limits, Options, Program};
use serde_json::{Value, json};

const ROUNDS: usize = 20_000;

fn main() {
    let target = std::env::temp_dir().join("portreeve-cost");
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/hostile");
    let module = portreeve_component::build(&guest, &target).unwrap();
    let names: Vec<String> = (0..10).map(|number| format!("good-{number}")).collect();
    let mut instances: Vec<_> = names.iter().map(|id| instance(id, "good", json!({}))).collect();
    instances.push(instance("nothing", "hostile", json!({"do": "nothing"})));
    instances.push(instance("trap", "hostile", json!({"do": "trap"})));

    let folder = tempfile::tempdir().unwrap();
    for start in ["cold", "warm"] {
        let begun = Instant::now();
        let engine = engine(folder.path());
        let made = begun.elapsed();
        let program = engine.load(&module, &instances).unwrap();
        println!("{start} start: engine {made:?}, load {:?}", begun.elapsed() - made);
        if start == "warm" {
            let all: Vec<&str> = names.iter().map(String::as_str).collect();
            measure("a policy that finds nothing", &program, &["nothing"]);
            measure("one small policy", &program, &["good-0"]);
            measure("ten small policies in one call", &program, &all);
            measure("a policy that traps", &program, &["trap"]);
        }
    }
}

fn engine(folder: &Path) -> Engine {
    let cache = Cache::Folder(CacheFolder::open(&folder.join("cache")).unwrap());
    Engine::new(Options { cache, limits: Limits::default(), ..Options::default() }).unwrap()
}

fn measure(what: &str, program: &Program, ids: &[&str]) {
    let case = pod();
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            let outcomes = program.evaluate(&case, ids, begun + Duration::from_secs(5));
            let elapsed = begun.elapsed();
            assert_eq!(outcomes.len(), ids.len());
            elapsed
        })
        .collect();
    times.sort();
    let at = |share: usize| times.get(times.len() * share / 100).map_or(0.0, |time| time.as_secs_f64() * 1e6);
    println!("{what}: p50 {:.1} µs, p99 {:.1} µs", at(50), at(99));
}

fn instance(id: &str, policy: &str, settings: Value) -> Instance {
    Instance { id: id.into(), policy: policy.into(), settings, granted: BTreeSet::new() }
}

fn pod() -> Case {
    let container = |name: &str| {
        json!({
            "name": name, "image": format!("registry.example/{name}:1.2.3"),
            "ports": [{"containerPort": 8080, "name": "http"}],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            "livenessProbe": {"httpGet": {"path": "/livez", "port": "http"}},
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        })
    };
    let object = json!({
        "metadata": {"name": "shop", "labels": {"app": "shop"}},
        "spec": {"containers": [container("app"), container("side"), container("log")], "volumes": [{"name": "data", "emptyDir": {}}]},
    });
    let template = Arc::new(Template::read(&object).unwrap());
    Case {
        request: Arc::new(Request {
            operation: Operation::Create,
            kind: GroupVersionKind { group: String::new(), version: "v1".into(), kind: "Pod".into() },
            resource: GroupVersionResource { group: String::new(), version: "v1".into(), resource: "pods".into() },
            subresource: None,
            namespace: Some("sales".into()),
            name: Some("shop".into()),
            user_name: "ada".into(),
        }),
        object: Some(Arc::new(Document::from_value(object))),
        old_object: None,
        subject: Some(Subject { template, at: Seat::default() }),
        old_subject: None,
        facts: Arc::new(Facts::default()),
    }
}
