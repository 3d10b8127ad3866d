//! Cases to judge and instances to judge them by.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_admission::case::{Case, Facts, GroupVersionKind, GroupVersionResource, Operation, Request, Subject};
use portreeve_admission::document::Document;
use portreeve_admission::pointer::Pointer;
use portreeve_admission::template::Template;
use portreeve_admission::verdict::{Failure, Outcome, Verdict};
use portreeve_engine::{Engine, Instance, Limits, Options, Program};
use serde_json::{Value, json};

use crate::guests;

/// A Deployment with three containers, of which two may run as root.
pub(crate) fn deployment() -> Case {
    case(json!({
        "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": "sales"},
        "spec": {"template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {
                "initContainers": [{"name": "init", "image": "busybox"}],
                "containers": [
                    {"name": "app", "image": "shop:1", "securityContext": {"runAsNonRoot": true}},
                    {
                        "name": "side", "image": "side:1", "ports": [{"containerPort": 80}],
                        "command": ["serve"], "env": [{"name": "MODE", "value": "fast"}],
                        "startupProbe": {"grpc": {"port": 80}},
                    },
                ],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
                "tolerations": [{"key": "gpu", "operator": "Exists"}],
            },
        }},
    }))
}

/// An object whose template stands at `/spec/template`.
pub(crate) fn case(object: Value) -> Case {
    let at: Pointer = "/spec/template".parse().unwrap();
    let template = at.find(&object).map(|template| Arc::new(Template::read(template).unwrap()));
    Case {
        request: Arc::new(Request {
            operation: Operation::Create,
            kind: GroupVersionKind { group: "apps".into(), version: "v1".into(), kind: "Deployment".into() },
            resource: GroupVersionResource {
                group: "apps".into(),
                version: "v1".into(),
                resource: "deployments".into(),
            },
            subresource: None,
            namespace: Some("sales".into()),
            name: Some("shop".into()),
            user_name: "ada".into(),
        }),
        object: Some(Arc::new(Document::from_value(object))),
        old_object: None,
        subject: template.map(|template| Subject { template, at: at.into() }),
        old_subject: None,
        facts: Arc::new(Facts::default()),
    }
}

pub(crate) fn instance(id: &str, policy: &str, settings: Value) -> Instance {
    Instance { id: id.into(), policy: policy.into(), settings, granted: BTreeSet::new() }
}

/// An instance that behaves.
pub(crate) fn good() -> Instance {
    instance("good", "good", json!({}))
}

/// An instance that does this deed.
pub(crate) fn does(deed: &str) -> Instance {
    instance(deed, "hostile", json!({"do": deed}))
}

/// An engine with few slots, so that tests side by side don't reserve the machine's address space.
pub(crate) fn engine() -> Engine {
    engine_within(Limits { evaluations: 4, ..Limits::default() })
}

pub(crate) fn engine_within(limits: Limits) -> Engine {
    Engine::new(Options { limits, ..Options::default() }).unwrap()
}

/// The hostile component with these instances.
pub(crate) fn program(instances: &[Instance]) -> Program {
    engine().load(guests::hostile(), instances).unwrap()
}

/// Long enough for whatever ends by itself, on a busy machine.
pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// The only outcome of running this one instance.
pub(crate) fn outcome(program: &Program, id: &str, deadline: Instant) -> Outcome {
    let mut outcomes = program.evaluate(&deployment(), &[id], deadline);
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

/// How this deed fails, when nothing else runs.
pub(crate) fn failure(deed: &str) -> Failure {
    match outcome(&program(&[does(deed)]), deed, soon()) {
        Outcome::Failed(failure) => failure,
        Outcome::Verdict(verdict) => panic!("{deed} came to a verdict: {verdict:?}"),
    }
}

pub(crate) fn verdict(outcome: Outcome) -> Verdict {
    match outcome {
        Outcome::Verdict(verdict) => verdict,
        Outcome::Failed(failure) => panic!("{failure}"),
    }
}
