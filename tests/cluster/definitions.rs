//! Our resources as kubectl knows them: every policy file of the platforms is taken as it is, and what is wrong is
//! refused with words that help, before any server of ours is asked.

use std::path::{Path, PathBuf};

use portreeve_admission::api::{Object, PolicyExceptionSpec, PolicySetSpec, PolicySpec};
use portreeve_cluster::crd::{GROUP, Kind, VERSION};
use portreeve_tests::api_server::{ApiServer, Run};
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::kubectl::Kubectl;
use portreeve_tests::places::checkout;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::Cluster;

/// The definitions in a cluster. Those that were not there before go again.
pub(crate) struct Definitions {
    kubectl: Kubectl,
    were_there: bool,
}

impl Definitions {
    /// Applies the files that helm installs.
    pub(crate) fn apply(kubectl: &Kubectl) -> Self {
        let names = Kind::ALL.map(|kind| format!("crd/{}.{GROUP}", kind.plural())).join(" ");
        let were_there = kubectl.run(&format!("get {names}")).is_ok();
        let files = checkout().join("charts/portreeve/crds");
        kubectl.run(&format!("apply --server-side -f {}", files.display())).unwrap();
        kubectl.run(&format!("wait --for=condition=Established --timeout=60s {names}")).unwrap();
        Self { kubectl: kubectl.clone(), were_there }
    }
}

impl Drop for Definitions {
    fn drop(&mut self) {
        let files = checkout().join("charts/portreeve/crds");
        if !self.were_there
            && let Err(complaint) = self.kubectl.run(&format!("delete --ignore-not-found -f {}", files.display()))
        {
            println!("the definitions stay: {complaint}");
        }
    }
}

/// A cluster with the definitions, and a folder for manifests.
struct Scene {
    // The definitions go before the cluster does.
    _definitions: Definitions,
    cluster: Cluster,
    folder: TempDir,
}

impl Scene {
    async fn start() -> Option<Self> {
        let cluster = Cluster::start(Controllers::Absent).await?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "definitions"}});
        cluster.make_namespace(&namespace).await;
        let definitions = Definitions::apply(&cluster.kubectl);
        Some(Self { _definitions: definitions, cluster, folder: tempfile::tempdir().unwrap() })
    }

    /// What kubectl says to somebody who applies this.
    fn refusal(&self, kind: Kind, spec: &str) -> String {
        let namespace = if kind.is_namespaced() { ", namespace: definitions" } else { "" };
        let text = format!(
            "apiVersion: {GROUP}/{VERSION}\nkind: {}\nmetadata: {{name: bad{namespace}}}\nspec: {spec}\n",
            kind.name()
        );
        let file = self.folder.path().join("bad.yaml");
        std::fs::write(&file, text).unwrap();
        match self.cluster.kubectl.run(&format!("apply -f {}", file.display())) {
            Ok(done) => panic!("{spec} was taken: {done}"),
            Err(complaint) => complaint.complaint,
        }
    }
}

fn policy_files() -> Vec<PathBuf> {
    let platforms = checkout().join("tests/platforms");
    let folders = std::fs::read_dir(platforms).unwrap().map(|entry| entry.unwrap().path().join("policies"));
    let mut files: Vec<PathBuf> =
        folders.filter(|folder| folder.is_dir()).flat_map(|folder| yaml_files(&folder)).collect();
    files.sort();
    files
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

fn documents(file: &Path) -> Vec<Value> {
    serde_saphyr::from_multiple(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[tokio::test]
async fn every_policy_file_of_the_platforms_is_taken_and_reads_back_the_same() {
    let Some(scene) = Scene::start().await else { return };
    let mut taken = 0;
    for object in policy_files().iter().flat_map(|file| documents(file)) {
        if let Some(namespace) = object["metadata"]["namespace"].as_str() {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            scene.cluster.make_namespace(&namespace).await;
        }
        let (stored, warnings) = scene.cluster.api.apply(&object, Run::Real).await.unwrap().done().unwrap();
        assert_eq!((normal(&stored), warnings), (normal(&object), Vec::<String>::new()));
        taken += 1;
    }
    assert!(taken > 50, "{taken}");
    applied_again_it_changes_nothing(&scene.cluster.api).await;
}

#[tokio::test]
async fn one_policy_of_several_is_named_in_a_registrys_component_and_in_a_files() {
    let Some(scene) = Scene::start().await else { return };
    let registry = format!("registry.example/policies/own:1.2@sha256:{}", "a".repeat(64));
    for module in [json!({"oci": registry, "policy": "own"}), json!({"file": "own.wasm", "policy": "own"})] {
        let policy = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ClusterPolicy", "metadata": {"name": "own"},
            "spec": {"module": module},
        });
        let (stored, warnings) = scene.cluster.api.apply(&policy, Run::Real).await.unwrap().done().unwrap();
        assert_eq!((&stored["spec"]["module"], warnings), (&module, Vec::<String>::new()));
    }
}

async fn applied_again_it_changes_nothing(api: &ApiServer) {
    let object = documents(&policy_files()[0]).remove(0);
    let version = async || {
        let (stored, _) = api.apply(&object, Run::Real).await.unwrap().done().unwrap();
        stored["metadata"]["resourceVersion"].clone()
    };
    assert_eq!(version().await, version().await);
}

/// The spec as the server reads it.
fn normal(object: &Value) -> Value {
    match object["kind"].as_str().unwrap() {
        "ClusterPolicy" => read::<portreeve_admission::api::ClusterPolicySpec>(object),
        "PolicySet" => read::<PolicySetSpec>(object),
        "PolicyException" => read::<PolicyExceptionSpec>(object),
        "Policy" => read::<PolicySpec>(object),
        other => panic!("{other}"),
    }
}

fn read<Spec: Serialize + DeserializeOwned>(object: &Value) -> Value {
    json!(serde_json::from_value::<Object<Spec>>(object.clone()).unwrap().spec)
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_words_that_help() {
    let Some(scene) = Scene::start().await else { return };
    let exception = "policy: non-root, owner: o, ticket: t, reason: r, expires: '2999-01-01T00:00:00Z'";
    let without = |field: &str| {
        let fields = exception.split(", ").filter(|entry| !entry.starts_with(field));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
    };
    let with = |more: &str| format!("{{{exception}, {more}}}");
    let selector = |requirement: &str| {
        format!("{{module: {{builtin: seccomp}}, match: {{namespaceSelector: {{matchExpressions: [{requirement}]}}}}}}")
    };
    let matching = |matching: &str| format!("{{module: {{builtin: seccomp}}, match: {{{matching}}}}}");
    let builtin = |more: &str| format!("{{module: {{builtin: seccomp}}, {more}}}");
    let cases: Vec<(Kind, String, &[&str])> = vec![
        (Kind::ClusterPolicy, builtin("moode: warn"), &["unknown field \"spec.moode\""]),
        (Kind::ClusterPolicy, builtin("mutate: sometimes"), &["spec.mutate", "boolean"]),
        (
            Kind::ClusterPolicy,
            builtin("mode: enforced"),
            &["spec.mode", "\"enforced\"", "\"enforce\", \"warn\", \"audit\", \"off\""],
        ),
        (Kind::ClusterPolicy, builtin("mode: off"), &["spec.mode", "\"off\"", "string"]),
        (Kind::ClusterPolicy, builtin("timeout: soon"), &["spec.timeout", "500ms or 2s"]),
        (Kind::ClusterPolicy, builtin("timeout: 31s"), &["spec.timeout", "at most 30s"]),
        (Kind::ClusterPolicy, builtin("exceptions: {allow: true}"), &["unknown field \"spec.exceptions.allow\""]),
        (
            Kind::ClusterPolicy,
            builtin("exceptions: {namespaces: ['a*b']}"),
            &["spec.exceptions.namespaces", "at its end alone"],
        ),
        (Kind::ClusterPolicy, builtin("timeout: 0s"), &["spec.timeout", "more than nothing"]),
        (Kind::ClusterPolicy, builtin("facts: [image-digests]"), &["spec.facts", "image-digests", "\"image-digest\""]),
        (Kind::ClusterPolicy, builtin("facts: [zones, zones]"), &["spec.facts", "Duplicate value"]),
        (
            Kind::ClusterPolicy,
            "{module: {builtin: a, file: b}}".into(),
            &["spec.module", "exactly one of builtin, oci, file"],
        ),
        (Kind::ClusterPolicy, "{module: {}}".into(), &["spec.module", "exactly one of builtin, oci, file"]),
        (
            Kind::ClusterPolicy,
            "{module: {builtin: a, policy: b}}".into(),
            &["spec.module", "policy goes with oci or file"],
        ),
        (
            Kind::ClusterPolicy,
            "{module: {oci: 'registry.example/policies/own:1.2'}}".into(),
            &["spec.module.oci", "name the module by digest"],
        ),
        (Kind::ClusterPolicy, "{mode: warn}".into(), &["spec.module", "Required value"]),
        (Kind::ClusterPolicy, builtin("rollout: [{mode: warn}]"), &["spec.rollout[0].namespaceSelector", "Required"]),
        (
            Kind::ClusterPolicy,
            builtin("rollout: [{namespaceSelector: {}, mode: warned}]"),
            &["spec.rollout[0].mode", "\"warned\""],
        ),
        (Kind::ClusterPolicy, matching("operations: [DELETE]"), &["spec.match.operations", "never held up"]),
        (Kind::ClusterPolicy, matching("operations: [create]"), &["spec.match.operations", "\"CREATE\""]),
        (
            Kind::ClusterPolicy,
            matching("resources: [{apiGroups: [apps]}]"),
            &["spec.match.resources[0].resources", "Required"],
        ),
        (
            Kind::ClusterPolicy,
            matching("matchConditions: [{name: a, expression: 'true'}, {name: a, expression: 'true'}]"),
            &["spec.match.matchConditions", "a name of its own"],
        ),
        (
            Kind::ClusterPolicy,
            matching("matchConditions: [{name: 'a b', expression: 'true'}]"),
            &["spec.match.matchConditions[0].name", "begin and end with a letter"],
        ),
        (Kind::ClusterPolicy, selector("{key: a, operator: In}"), &["matchExpressions", "In and NotIn need values"]),
        (
            Kind::ClusterPolicy,
            selector("{key: a, operator: Exists, values: [b]}"),
            &["Exists and DoesNotExist take none"],
        ),
        (Kind::Policy, builtin("facts: [zones]"), &["unknown field \"spec.facts\""]),
        (Kind::Policy, builtin("mutate: true"), &["unknown field \"spec.mutate\""]),
        (Kind::Policy, "{module: {file: a.wasm}}".into(), &["unknown field \"spec.module.file\""]),
        (Kind::PolicySet, "{profile: platforms}".into(), &["spec.profile", "\"platform\""]),
        (
            Kind::PolicySet,
            "{excludedNamespaces: [shop, 'team-*']}".into(),
            &["spec.excludedNamespaces[1]", "no name of a namespace"],
        ),
        (
            Kind::PolicySet,
            format!("{{excludedNamespaces: [{}]}}", "a".repeat(64)),
            &["spec.excludedNamespaces[0]", "Too long", "63"],
        ),
        (Kind::PolicySet, "{failurePolicy: fail}".into(), &["spec.failurePolicy", "\"Fail\""]),
        (Kind::PolicyException, without("owner"), &["spec.owner", "Required value"]),
        (Kind::PolicyException, without("expires"), &["spec.expires", "Required value"]),
        (
            Kind::PolicyException,
            format!("{}, owner: ' '}}", without("owner").trim_end_matches('}')),
            &["spec.owner", "who answers"],
        ),
        (
            Kind::PolicyException,
            format!("{}, expires: soon}}", without("expires").trim_end_matches('}')),
            &["spec.expires", "2030-01-31T00:00:00Z"],
        ),
        (
            Kind::PolicyException,
            format!("{}, expires: '2030-02-30T00:00:00Z'}}", without("expires").trim_end_matches('}')),
            &["spec.expires", "a day that there is"],
        ),
        (
            Kind::PolicyException,
            format!("{}, expires: '9999-12-31T23:59:59Z'}}", without("expires").trim_end_matches('}')),
            &["spec.expires", "before the end of the year 9999"],
        ),
        (Kind::PolicyException, with("match: {labels: {a: b}}"), &["spec.match", "serviceAccount other than default"]),
        (Kind::PolicyException, with("match: {images: ['*']}"), &["spec.match.images[0]", "names no image"]),
        (Kind::PolicyException, with("match: {images: ['team/*/db']}"), &["spec.match.images[0]", "at the end alone"]),
        (
            Kind::PolicyException,
            with("match: {annotation: {name: kubernetes.io/a}}"),
            &["spec.match.annotation.name", "domain of your own"],
        ),
    ];
    for (kind, spec, words) in cases {
        let refusal = scene.refusal(kind, &spec);
        for word in words {
            assert!(refusal.contains(word), "{spec}\n{refusal}\ndoes not say {word:?}");
        }
    }
}

#[tokio::test]
async fn kubectl_shows_what_people_look_for() {
    let Some(scene) = Scene::start().await else { return };
    let kubectl = &scene.cluster.kubectl;
    let file = scene.folder.path().join("some.yaml");
    let head = |kind: Kind, place: &str| {
        format!("---\napiVersion: {GROUP}/{VERSION}\nkind: {}\nmetadata: {{name: some{place}}}\n", kind.name())
    };
    let text = [
        head(Kind::ClusterPolicy, "") + "spec: {module: {builtin: seccomp}, mode: warn}\n",
        head(Kind::Policy, ", namespace: definitions") + "spec: {module: {builtin: probes}}\n",
        head(Kind::PolicySet, "") + "spec: {profile: platform}\n",
        head(Kind::PolicyException, ", namespace: definitions")
            + "spec: {policy: some, owner: payments, ticket: T-1, reason: r, expires: '2999-01-01T00:00:00Z'}\n",
    ];
    std::fs::write(&file, text.concat()).unwrap();
    kubectl.run(&format!("apply -f {}", file.display())).unwrap();
    let columns = |what: &str| {
        let shown = kubectl.run(&format!("get {what} -n definitions")).unwrap();
        shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
    };
    let says = |what: &str, words: &[&str]| {
        let shown = columns(what);
        words.iter().for_each(|word| assert!(shown.contains(word), "{what}: {shown} does not say {word:?}"));
    };
    says("prcp", &["NAME MODULE MODE READY AGE", "some seccomp warn"]);
    says("prpol", &["NAME MODULE MODE READY AGE", "some probes enforce"]);
    says("prset", &["NAME PROFILE FAILURE-POLICY READY AGE", "some platform Fail"]);
    says("prex", &["NAME POLICY OWNER EXPIRES READY AGE", "some some payments 2999-01-01T00:00:00Z"]);
    says("portreeve", &["clusterpolicy.portreeve.dev/some", "policyexception.portreeve.dev/some"]);
    let explained = kubectl.run("explain clusterpolicy.spec.mode --api-version=portreeve.dev/v1alpha1").unwrap();
    assert!(explained.contains("warn: The caller is warned."), "{explained}");
}
