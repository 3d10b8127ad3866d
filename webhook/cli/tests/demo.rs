//! The demo, through the built binary: every workload of the five platforms ends as it should, the book is whole, and
//! what is wrong is told with the right exit code.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that can't read its own output has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Runs the demo in an empty folder, which is where relative paths start and where its temporary files go.
fn demo(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    command.arg("demo").args(arguments).current_dir(folder).env("TMPDIR", folder.path()).env_remove("RUST_LOG");
    command.output().unwrap()
}

fn of_checkout(folder: &TempDir, arguments: &[&str]) -> Output {
    let platforms = checkout("tests/platforms");
    demo(folder, &[&["--platforms", platforms.to_str().unwrap(), "--keep", "kept"], arguments].concat())
}

fn report(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn workloads(report: &Value) -> Vec<&Value> {
    let platforms = report["platforms"].as_array().unwrap();
    platforms.iter().flat_map(|platform| platform["workloads"].as_array().unwrap()).collect()
}

/// Objects of the kinds that have pod templates, counted by their line `kind: …` and by no parser.
fn counted_in_the_files() -> usize {
    const KINDS: [&str; 9] = [
        "Pod",
        "PodTemplate",
        "ReplicationController",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "ReplicaSet",
        "Job",
        "CronJob",
    ];
    let folders = ["airhart", "arbitex", "avivatec", "azure-platform", "klinematrix"];
    let folders =
        folders.iter().flat_map(|name| ["manifests", "denied"].map(|part| format!("tests/platforms/{name}/{part}")));
    let files = folders.flat_map(|folder| std::fs::read_dir(checkout(&folder)).unwrap());
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let kinds = |text: String| {
        text.lines().filter_map(|line| line.strip_prefix("kind: ")).filter(|kind| KINDS.contains(kind)).count()
    };
    texts.map(kinds).sum()
}

#[test]
fn every_workload_of_the_five_platforms_ends_as_its_platform_expects() {
    let folder = TempDir::new().unwrap();
    let report = report(&of_checkout(&folder, &["-o", "json"]));
    assert_eq!(report["differences"], serde_json::json!([]));
    assert_eq!(workloads(&report).len(), counted_in_the_files());
    let again: Vec<&str> = workloads(&report).iter().map(|workload| workload["secondPass"].as_str().unwrap()).collect();
    assert!(again.iter().all(|pass| *pass != "changed"));
    assert!(again.iter().filter(|pass| **pass == "unchanged").count() > 70);

    let schema = std::fs::read_to_string(checkout("docs/schemas/demo.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    assert!(schema.is_valid(&report), "{:?}", schema.iter_errors(&report).next());

    let book = portreeve_ledger::verify(&folder.path().join("kept/ledger")).unwrap();
    let records: u64 = book.epochs.iter().map(|epoch| epoch.records).sum();
    assert_eq!(report["calls"]["count"].as_u64(), Some(records));
    assert_eq!(report["ledger"]["covered"].as_u64(), Some(records));
}

#[test]
fn the_table_fits_into_120_columns_and_names_every_workload() {
    let folder = TempDir::new().unwrap();
    let output = of_checkout(&folder, &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let too_long: Vec<&str> = text
        .lines()
        .filter(|line| line.chars().count() > 120 && !line.contains(folder.path().to_str().unwrap()))
        .collect();
    assert!(too_long.is_empty(), "{too_long:?}");
    for name in ["querystream-projection", "platform-api", "soc2-evidence", "backend-api-canary", "cache-warmer"] {
        assert!(text.contains(name), "{name}");
    }
    assert!(text.contains("Every workload ended as its platform expects."));
}

#[test]
fn without_a_checkout_the_platforms_that_the_binary_carries_are_shown() {
    let folder = TempDir::new().unwrap();
    let report = report(&demo(&folder, &["--output", "json"]));
    assert_eq!(workloads(&report).len(), counted_in_the_files());
    assert!(Path::new(report["folder"].as_str().unwrap()).starts_with(folder.path().canonicalize().unwrap()));
}

#[test]
fn what_ends_otherwise_is_listed_with_exit_code_1() {
    let folder = TempDir::new().unwrap();
    let platform = folder.path().join("platforms/shop");
    for part in ["manifests", "policies"] {
        std::fs::create_dir_all(platform.join(part)).unwrap();
    }
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nspec: {containers: [{name: web, image: 'nginx:1'}]}\n";
    std::fs::write(platform.join("manifests/web.yaml"), pod).unwrap();
    let set = "apiVersion: portreeve.dev/v1alpha1\nkind: PolicySet\nmetadata: {name: none}\nspec: {profile: none}\n";
    std::fs::write(platform.join("policies/set.yaml"), set).unwrap();
    std::fs::write(platform.join("images.yaml"), "images: []\n").unwrap();
    let expected = "- {kind: Pod, namespace: shop, name: web, outcome: denied}\n";
    std::fs::write(platform.join("expected.yaml"), expected).unwrap();
    let output = demo(&folder, &["--platforms", "platforms", "--keep", "kept"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("- Pod shop/web: admitted, and it should be denied"), "{text}");
}

#[test]
fn a_folder_without_platforms_is_input_that_can_not_be_read() {
    let folder = TempDir::new().unwrap();
    let output = demo(&folder, &["--platforms", "."]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("holds no platform"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves nothing behind");
}

#[test]
fn a_folder_that_is_in_use_is_left_alone() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("mine"), "mine").unwrap();
    let output = demo(&folder, &["--keep", "."]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
