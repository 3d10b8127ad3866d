//! `portreeve check` on the five platforms: what each expects is what comes of it, all together and one by one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{assert_promised, judging, text};

const NAMES: [&str; 5] = ["airhart", "arbitex", "avivatec", "azure-platform", "klinematrix"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/platforms").canonicalize().unwrap()
}

/// Kind, namespace and name of a workload.
type Workload = (String, String, String);

fn workload(object: &Value) -> Workload {
    let field = |name: &str| object[name].as_str().unwrap().to_owned();
    (field("kind"), field("namespace"), field("name"))
}

/// The outcome that the platforms of these names expect of each workload.
fn expected(names: &[&str]) -> BTreeMap<Workload, String> {
    let read = |name: &&str| {
        let file = std::fs::read_to_string(folder().join(name).join("expected.yaml")).unwrap();
        serde_saphyr::from_str::<Vec<Value>>(&file).unwrap()
    };
    let outcome = |object: Value| (workload(&object), object["outcome"].as_str().unwrap().to_owned());
    names.iter().flat_map(read).map(outcome).collect()
}

/// Objects without a pod template that some policy looks at. Nothing is wrong with any of them.
const BESIDE: [&str; 2] = ["Namespace", "PodDisruptionBudget"];

/// What came of each workload, in the same words.
fn found(report: &Value) -> BTreeMap<Workload, String> {
    let outcome = |object: &Value| {
        let refused = ["denied", "failed"].contains(&object["verdict"].as_str().unwrap());
        (workload(object), if refused { "denied" } else { "admitted" }.to_owned())
    };
    let is_beside = |object: &&Value| BESIDE.contains(&object["kind"].as_str().unwrap());
    let (beside, workloads): (Vec<_>, Vec<_>) = report["objects"].as_array().unwrap().iter().partition(is_beside);
    assert!(beside.iter().all(|object| object["verdict"] == "allowed"));
    workloads.into_iter().map(outcome).collect()
}

#[test]
fn what_all_platforms_together_expect_is_what_comes_of_them() {
    let ended = judging("", &["check", &text(folder()), "-o", "json"]).with_code(1);
    let report = ended.json();
    assert_promised("check", &report);
    assert_eq!(found(&report), expected(&NAMES));
    assert_eq!(report["policiesFrom"], "manifests");
    assert_eq!(report["imageLocks"].as_array().unwrap().len(), NAMES.len());
}

#[test]
fn what_each_platform_expects_is_what_comes_of_it_alone() {
    for name in NAMES {
        let report = judging("", &["check", &text(folder().join(name)), "-o", "json"]).with_code(1).json();
        assert_eq!(found(&report), expected(&[name]), "{name}");
    }
}

#[test]
fn what_runs_on_the_platforms_is_admitted_with_exit_code_0() {
    for name in NAMES {
        let platform = folder().join(name);
        let paths = ["manifests", "policies", "images.lock"].map(|part| text(platform.join(part)));
        let [manifests, policies, lock] = paths;
        judging("", &["check", &manifests, "--policies", &policies, "--lock", &lock]).with_code(0);
    }
}

#[test]
fn files_beside_the_manifests_are_told_in_one_line() {
    let ended = judging("", &["check", &text(folder().join("arbitex"))]).with_code(1);
    let told: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(told.len(), 1, "{}", ended.stderr);
    assert!(told[0].contains("arbitex/expected.yaml") && told[0].contains("arbitex/images.yaml"), "{}", told[0]);
    assert!(ended.stdout.contains("judged by the policies among what was read, "), "{}", ended.stdout);
}
