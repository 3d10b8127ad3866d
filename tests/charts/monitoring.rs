//! Alerts and dashboard: they ask for metrics that exist, and the alerts fire when they should, as `alerts.yaml` tells.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use portreeve_tests::control_plane::beside;
use portreeve_tests::helm::{Helm, Installation};
use portreeve_tests::places::checkout;
use serde_json::Value;

use crate::helm;

/// The rules that the chart makes for production.
fn rules(helm: &Helm) -> Value {
    let objects = helm.render(&Installation::of_server(Some("prod"))).unwrap();
    let mut rules = objects.into_iter().filter(|object| object["kind"] == "PrometheusRule");
    rules.next().unwrap()["spec"].take()
}

/// The expressions of all alerts.
fn expressions(rules: &Value) -> Vec<String> {
    let groups = rules["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    rules.map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect()
}

/// The expressions of all panels.
fn of_the_dashboard() -> Vec<String> {
    let file = checkout().join("charts/portreeve/dashboards/portreeve.json");
    let dashboard: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

/// Our metrics that an expression names.
fn metrics(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("portreeve_")).collect()
}

/// The house rules hold the document against the code.
#[test]
fn alerts_and_dashboard_ask_for_metrics_that_exist() {
    let Some(helm) = helm() else { return };
    let document = std::fs::read_to_string(checkout().join("docs/metrics.md")).unwrap();
    let expressions = [expressions(&rules(&helm)), of_the_dashboard()].concat();
    for expression in &expressions {
        for metric in metrics(expression) {
            let metric = metric.strip_suffix("_bucket").unwrap_or(metric);
            assert!(document.contains(&format!("`{metric}`")), "{metric} of {expression}");
        }
    }
    assert!(!expressions.is_empty());
}

#[test]
fn each_alert_fires_when_it_should_and_is_quiet_when_it_should_be() {
    let Some(helm) = helm() else { return };
    let promtool = beside("promtool").unwrap().unwrap_or_else(|| PathBuf::from("promtool"));
    if Command::new(&promtool).arg("--version").output().is_err() {
        println!("skipped: no promtool. `cargo xtask assets` has it out of Debian's package prometheus");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // JSON is YAML.
    std::fs::write(folder.path().join("rules.yaml"), rules(&helm).to_string()).unwrap();
    std::fs::copy(checkout().join("tests/charts/alerts.yaml"), folder.path().join("alerts.yaml")).unwrap();
    let output = Command::new(&promtool).args(["test", "rules", "alerts.yaml"]).current_dir(&folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn every_alert_is_played() {
    let Some(helm) = helm() else { return };
    let played = std::fs::read_to_string(checkout().join("tests/charts/alerts.yaml")).unwrap();
    let rules = rules(&helm);
    let groups = rules["groups"].as_array().unwrap().iter();
    for rule in groups.flat_map(|group| group["rules"].as_array().unwrap()) {
        assert!(played.contains(&format!("alertname={}", rule["alert"])), "{}", rule["alert"]);
    }
}
