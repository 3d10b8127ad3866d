//! Policies that do what a policy must not, and a few that behave, in one component. What an instance does is said
//! by its settings, so that a test puts together what it needs.

mod answers;
mod deeds;
mod good;

wit_bindgen::generate!({ path: "../../../wit", world: "policy", generate_all });

use std::cell::RefCell;

use portreeve::policy::types::Verdict;

/// What `configure` made of an instance.
struct Configured {
    id: String,
    policy: String,
    settings: serde_json::Value,
}

thread_local! {
    static CONFIGURED: RefCell<Vec<Configured>> = const { RefCell::new(Vec::new()) };
}

struct Component;

export!(Component);

impl Guest for Component {
    fn describe() -> Vec<Manifest> {
        let facts = ["namespace", "image-digest"]
            .map(|kind| FactNeed { kind: kind.into(), why: "to show it".into(), required: false });
        vec![
            manifest("good", Capabilities::VALIDATE | Capabilities::MUTATE, vec![]),
            manifest("mirror", Capabilities::VALIDATE, vec![]),
            manifest("curious", Capabilities::VALIDATE, facts.into()),
            manifest("hostile", Capabilities::VALIDATE | Capabilities::MUTATE, vec![]),
            Manifest { resources: vec![exec()], ..manifest("watchful", Capabilities::VALIDATE, vec![]) },
        ]
    }

    fn configure(instances: Vec<Instance>) -> Vec<Result<(), SettingsError>> {
        instances.into_iter().map(configure).collect()
    }

    fn evaluate(ids: Vec<String>) -> Vec<Evaluated> {
        let mut answers = Vec::new();
        for id in ids {
            let (policy, settings) = configured(&id);
            match policy.as_str() {
                "good" => answers.push(answer(id, good::judge(&settings))),
                "mirror" => answers.push(answer(id, good::mirror(&settings))),
                "watchful" => answers.push(answer(id, good::watch())),
                "curious" => answers.push(answer(id.clone(), good::ask(&id, &settings))),
                _ => deeds::evaluate(id, &settings, &mut answers),
            }
        }
        answers
    }
}

fn configure(instance: Instance) -> Result<(), SettingsError> {
    let settings: serde_json::Value = serde_json::from_str(&instance.settings).unwrap();
    deeds::configure(&settings)?;
    CONFIGURED.with_borrow_mut(|all| {
        all.push(Configured { id: instance.id, policy: instance.policy, settings });
    });
    Ok(())
}

fn configured(id: &str) -> (String, serde_json::Value) {
    CONFIGURED.with_borrow(|all| {
        let found = all.iter().find(|configured| configured.id == id).unwrap();
        (found.policy.clone(), found.settings.clone())
    })
}

fn answer(id: String, verdict: Verdict) -> Evaluated {
    Evaluated { id, outcome: Outcome::Verdict(verdict) }
}

/// Commands in containers that run.
fn exec() -> ResourceRule {
    ResourceRule {
        groups: vec![String::new()],
        versions: vec!["v1".into()],
        resources: vec!["pods/exec".into()],
        operations: vec!["CONNECT".into()],
    }
}

fn manifest(name: &str, can: Capabilities, facts: Vec<FactNeed>) -> Manifest {
    Manifest {
        name: name.into(),
        version: "1.2.3".into(),
        title: format!("The policy {name}"),
        description: "For tests.".into(),
        can,
        resources: vec![ResourceRule {
            groups: vec!["apps".into()],
            versions: vec!["v1".into()],
            resources: vec!["deployments".into()],
            operations: vec!["CREATE".into(), "UPDATE".into()],
        }],
        facts,
        settings_schema: r#"{"type": "object"}"#.into(),
        controls: vec!["CC6.1".into()],
    }
}
