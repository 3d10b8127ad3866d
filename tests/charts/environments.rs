//! What the values of an environment come to: development and staging keep away from production's places, no
//! environment has a Secret of the chart's own, and how many run is said once and lets nodes be emptied.

use std::collections::BTreeSet;

use portreeve_tests::helm::{Helm, Installation};
use serde_json::Value;

use crate::helm;
use crate::platforms::{ENVIRONMENTS, installations, named, platforms, scaled};

/// What is production's alone, by platform: hosts, buckets, vaults, accounts, addresses, namespaces, images, the cloud
/// that Klinematrix has for production alone, and the word for the environment.
const OF_PRODUCTION: [(&str, &[&str]); 5] = [
    ("airhart", &["Production", "airhart-api.example.com", "querystream.example.com"]),
    ("arbitex", &["api.arbitex.ai", "arbitex-kv"]),
    (
        "avivatec",
        &[
            "app.avivatec.example.com",
            "auth.avivatec.example.com",
            "grafana.avivatec.example.com",
            "avivatec-backups",
            "avivatec-evidence",
            "avivatec-logs",
            "avivatec-prod",
            "avivatec-prod.iam.gserviceaccount.com",
        ],
    ),
    ("azure-platform", &["prod", "api.azure-platform.example.com", "azure-platform-kv"]),
    (
        "klinematrix",
        &[
            "klinematrix-prod",
            "klinecubic",
            "klinecubic.cn",
            "klinecubic-tls",
            "prod-v0.8.7",
            "prod-v0.11.4",
            "alibaba-cloud-loadbalancer-spec",
            "alicloud-disk-essd",
            "30548",
            "32608",
        ],
    ),
];

/// What every environment names: a registry, so that what was tested is what runs in production, and Let's Encrypt's.
const OF_ALL: [&str; 2] = ["europe-west1-docker.pkg.dev/avivatec-prod/", "letsencrypt-prod"];

#[test]
fn development_and_staging_name_none_of_productions_places() {
    let Some(helm) = helm() else { return };
    assert_eq!(OF_PRODUCTION.map(|(platform, _)| platform.to_owned()).to_vec(), platforms());
    for (platform, places) in OF_PRODUCTION {
        let in_production = names(&helm, platform, "prod");
        for place in places {
            assert!(in_production.contains(*place), "{platform}: nobody names {place}");
        }
        for environment in ["dev", "staging"] {
            let is_productions = |name: &&String| places.contains(&name.as_str()) || says_production(name);
            let names = names(&helm, platform, environment);
            let found: Vec<&String> = names.iter().filter(is_productions).collect();
            assert!(found.is_empty(), "{platform}, {environment}: {found:?}");
        }
    }
}

/// What stands in a rendering between characters that no name of a place has.
fn names(helm: &Helm, platform: &str, environment: &str) -> BTreeSet<String> {
    let text = helm.template(&Installation::of_platform(platform, environment)).unwrap();
    let own = OF_ALL.iter().fold(text, |text, shared| text.replace(shared, ""));
    own.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-').map(str::to_owned).collect()
}

fn says_production(name: &str) -> bool {
    let mut words = name.split(['.', '-']);
    words.any(|word| word.eq_ignore_ascii_case("prod") || word.eq_ignore_ascii_case("production"))
}

#[test]
fn no_environment_has_a_secret_of_the_charts_own() {
    let Some(helm) = helm() else { return };
    for installation in installations(&ENVIRONMENTS) {
        let objects = helm.render(&installation).unwrap();
        assert!(objects.iter().all(|object| object["kind"] != "Secret"), "{installation:?}");
    }
}

#[test]
fn how_many_run_is_said_by_an_autoscaler_or_by_the_workload_and_never_by_both() {
    let Some(helm) = helm() else { return };
    for installation in installations(&ENVIRONMENTS) {
        let objects = helm.render(&installation).unwrap();
        let scaled: BTreeSet<String> = scaled(&objects).into_iter().map(|(name, _)| name).collect();
        let is_scalable = |object: &&Value| object["kind"] == "Deployment" || object["kind"] == "StatefulSet";
        for object in objects.iter().filter(is_scalable) {
            let (name, replicas) = (named(object), &object["spec"]["replicas"]);
            assert_eq!(replicas.is_null(), scaled.contains(&name), "{name} of {installation:?}");
        }
    }
}

#[test]
fn no_disruption_budget_keeps_as_many_as_there_may_be() {
    let Some(helm) = helm() else { return };
    for installation in installations(&ENVIRONMENTS) {
        let objects = helm.render(&installation).unwrap();
        let scaled = scaled(&objects);
        for budget in objects.iter().filter(|object| object["kind"] == "PodDisruptionBudget") {
            let is_its = |object: &&Value| {
                let labels = &object["spec"]["selector"]["matchLabels"];
                object["metadata"]["namespace"] == budget["metadata"]["namespace"]
                    && object["kind"] != budget["kind"]
                    && *labels == budget["spec"]["selector"]["matchLabels"]
            };
            let workload = objects.iter().find(is_its).unwrap();
            let least = scaled.iter().find(|(name, _)| *name == named(workload)).map(|(_, least)| least);
            let least = least.unwrap_or(&workload["spec"]["replicas"]).as_u64().unwrap();
            let budget = &budget["spec"];
            let kept =
                budget["minAvailable"].as_u64().or_else(|| least.checked_sub(budget["maxUnavailable"].as_u64()?));
            assert!(kept.unwrap() < least, "{} of {installation:?}", named(workload));
        }
    }
}
