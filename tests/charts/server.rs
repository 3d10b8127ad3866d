//! The chart of the server: every values file is sound, the server reads the configuration that it writes, and our own
//! policies have nothing to add to it.

use std::collections::{BTreeMap, BTreeSet};

use portreeve_admission::api::Mode;
use portreeve_admission::subject::TemplatePaths;
use portreeve_server::check::{CheckOptions, Checker, Corrections, Verdict};
use portreeve_server::config::ServerConfig;
use portreeve_supply::{ImageLock, Images};
use portreeve_tests::gate::cache;
use portreeve_tests::helm::Installation;
use portreeve_tests::places::checkout;
use serde_json::Value;

use crate::helm;

const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// With each values file, and with none; images by digest, as they should be.
fn installations() -> Vec<Installation> {
    let files = [None, Some("dev"), Some("staging"), Some("prod")];
    let by_digest = |image: &str| format!("{image}.digest={DIGEST}");
    files.map(|file| Installation::of_server(file).with(&by_digest("image")).with(&by_digest("test.image"))).into()
}

#[test]
fn every_values_file_of_every_chart_is_without_fault() {
    let Some(helm) = helm() else { return };
    for installation in Installation::all().unwrap() {
        helm.lint(&installation).unwrap();
        assert!(!helm.render(&installation).unwrap().is_empty(), "{installation:?}");
    }
}

#[test]
fn a_misspelt_value_is_refused_by_name() {
    let Some(helm) = helm() else { return };
    for installation in [Installation::of_server(None), Installation::of_platform("avivatec", "prod")] {
        let fault = helm.render(&installation.with("replicsa=3")).unwrap_err().to_string();
        assert!(fault.contains("replicsa"), "{fault}");
    }
}

#[test]
fn the_server_reads_the_configuration_that_the_chart_writes() {
    let Some(helm) = helm() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.yaml");
    let further = Installation::of_server(None)
        .with("callers.by=certificate,callers.certificate.secretName=callers")
        .with("registryCredentials.secretName=registries,imageLock.configMap=images,policies.configMaps={policies}")
        .with("config.registries.registries[0].host=registry.example");
    for installation in installations().into_iter().chain([further]) {
        let objects = helm.render(&installation).unwrap();
        let text = objects.iter().find_map(|object| object["data"]["server.yaml"].as_str()).unwrap();
        std::fs::write(&file, text).unwrap();
        let config = ServerConfig::read(&file).unwrap_or_else(|error| panic!("{installation:?}: {error}"));
        assert!(config.ledger.is_some() && config.state.is_some(), "{installation:?}");
    }
}

/// Files of the server are the chart's to mount and to name.
#[test]
fn the_schema_of_the_values_knows_what_the_servers_own_schema_knows() {
    let read =
        |path: &str| -> Value { serde_json::from_slice(&std::fs::read(checkout().join(path)).unwrap()).unwrap() };
    let names = |shape: &Value| -> BTreeSet<String> {
        let properties = shape["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
        properties.filter(|name| !["credentialsFile", "lockFile", "caFile"].contains(&name.as_str())).collect()
    };
    let (server, values) = (read("docs/schemas/server-config.json"), read("charts/portreeve/values.schema.json"));
    let mut compared = 0;
    for (name, shape) in server["$defs"].as_object().unwrap() {
        if let Some(ours) = values["definitions"].get(name) {
            assert_eq!(names(ours), names(shape), "{name}");
            compared += 1;
        }
    }
    assert!(compared > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_policies_have_nothing_to_deny_and_nothing_to_put_in() {
    let Some(helm) = helm() else { return };
    for installation in installations() {
        let manifests = helm.manifests(&installation).unwrap();
        let options = CheckOptions {
            policies: None,
            images: Images::from_lock(ImageLock::default()),
            cache: cache().unwrap(),
            paths: TemplatePaths::default(),
            namespace: installation.namespace.clone(),
            namespace_labels: BTreeMap::new(),
            corrections: Corrections::Made,
            as_of_mode: Some(Mode::Enforce),
        };
        let checker = Checker::open(options, &manifests).unwrap();
        for (manifest, checked) in manifests.iter().zip(checker.check_all(&manifests).await) {
            let at = format!("{} {} of {installation:?}", manifest.kind(), manifest.name());
            assert!(matches!(checked.verdict, Verdict::Allowed | Verdict::Unseen), "{at}: {checked:?}");
            assert_eq!(checked.corrected, None, "{at}");
        }
    }
}

#[test]
fn nothing_is_registered_until_it_is_asked_for_and_recovery_never_waits_for_us() {
    let Some(helm) = helm() else { return };
    let is_registration = |object: &&Value| object["kind"].as_str().unwrap().ends_with("WebhookConfiguration");
    let quiet = helm.render(&Installation::of_server(Some("prod"))).unwrap();
    assert_eq!(quiet.iter().filter(is_registration).count(), 0);
    let token = "0".repeat(64);
    let registered = Installation::of_server(Some("prod"))
        .with(&format!("registration.enabled=true,registration.token={token},registration.caBundle=Y2E="));
    let objects = helm.render(&registered).unwrap();
    let entries: Vec<&Value> = objects.iter().filter(is_registration).map(|object| &object["webhooks"][0]).collect();
    assert_eq!(entries.len(), 2);
    for entry in entries {
        let excluded = entry["namespaceSelector"]["matchExpressions"][0]["values"].as_array().unwrap();
        for namespace in ["kube-system", "kube-node-lease", "portreeve"] {
            assert!(excluded.iter().any(|name| name == namespace), "{namespace}: {entry}");
        }
    }
}
