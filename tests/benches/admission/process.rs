//! The whole profile in process: the evaluation alone, and the gate from bytes to answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_admission::case::{Case, FactKind, Facts, Request};
use portreeve_admission::review::decode;
use portreeve_admission::subject::TemplatePaths;
use portreeve_engine::Instance;
use portreeve_server::set::platform;
use portreeve_tests::gate::{Setting, loader, plenty};
use serde_json::json;

use crate::sample::{Samples, review};

const ROUNDS: usize = 20_000;

/// Prints both.
pub(crate) fn profile() {
    let (policies, mut evaluation) = evaluation();
    println!("  evaluate, {policies} policies  {}", evaluation.quantiles());
    println!("  gate, /validate        {}", gate().quantiles());
}

/// The profile's policies, and what evaluating them takes.
fn evaluation() -> (usize, Samples) {
    let instances: Vec<Instance> = platform()
        .into_iter()
        .filter_map(|resource| match resource {
            portreeve_admission::api::Resource::ClusterPolicy(object) => Some(object),
            _ => None,
        })
        .map(|object| Instance {
            id: object.metadata.name.clone(),
            policy: object.metadata.name,
            settings: json!({}),
            granted: object.spec.facts.into_iter().collect::<BTreeSet<FactKind>>(),
        })
        .collect();
    let program = loader().unwrap().engine().load(portreeve_builtin::CATALOGUE, &instances).unwrap();
    let ids: Vec<&str> = instances.iter().map(|instance| instance.id.as_str()).collect();
    let case = case();
    let mut samples = Samples::default();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let answers = program.evaluate(&case, &ids, begun + Duration::from_secs(5));
        samples.add(begun.elapsed());
        assert_eq!(answers.len(), ids.len());
    }
    (ids.len(), samples)
}

fn case() -> Case {
    let review = decode(review().to_string().as_bytes()).unwrap();
    let object = review.object.unwrap();
    let subject = TemplatePaths::default().subjects(&review.request.kind, &object).unwrap().pop();
    let mut facts = Facts::default();
    facts.insert(FactKind::Namespace, "", Ok("{\"labels\":{},\"annotations\":{}}".into()));
    let request: Arc<Request> = review.request;
    Case { request, object: Some(object), old_object: None, subject, old_subject: None, facts: Arc::new(facts) }
}

fn gate() -> Samples {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let gate = Setting::platform().gate().unwrap();
    let body = review().to_string();
    let mut samples = Samples::default();
    runtime.block_on(async {
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            gate.validate(body.as_bytes(), plenty()).await.unwrap();
            samples.add(begun.elapsed());
        }
    });
    samples
}
