//! The backstop at a real API server, without any webhook: what is exported is taken as it is, what is bad is refused
//! in our words, what the webhook would only have completed is taken, and nothing that was there before is held up.

use std::path::{Path, PathBuf};
use std::process::Command;

use portreeve_server::manifest::read_paths;
use portreeve_tests::api_server::Run;
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::places::checkout;
use portreeve_tests::server::until;
use serde_json::{Value, json};

use crate::scene::{Scene, deployment, wants_label};

/// The five platforms, and the folder with their set.
const PLATFORMS: [&str; 6] = ["airhart", "arbitex", "avivatec", "azure-platform", "klinematrix", "."];

/// What is denied by policies that the API server has no words for: digests, secrets, GPUs, other objects.
const BEYOND: [&str; 9] = [
    "missing-tag.yaml",
    "connection-string.yaml",
    "node-port.yaml",
    "tolerates-everything.yaml",
    "signing-key.yaml",
    "too-many-gpus.yaml",
    "literal-secret.yaml",
    "storage-key.yaml",
    "password-in-url.yaml",
];

/// The same, of a namespace.
const UNFENCED: &str = "unfenced-namespace.yaml";

fn platforms(part: &str) -> Vec<PathBuf> {
    let folders = PLATFORMS.map(|name| checkout().join("tests/platforms").join(name).join(part));
    folders.into_iter().filter(|folder| folder.is_dir()).collect()
}

/// What `portreeve export vap` prints.
fn exported(arguments: &[&str], paths: &[PathBuf]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    let output = command.args(["export", "vap"]).args(arguments).args(paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Objects of these folders, with the names of their files.
fn objects(folders: &[PathBuf]) -> Vec<(String, Value)> {
    let manifests = read_paths(folders, &mut std::io::empty()).unwrap();
    let named = |path: &str| Path::new(path).file_name().unwrap().to_string_lossy().into_owned();
    manifests.into_iter().map(|manifest| (named(manifest.source()), manifest.into_value())).collect()
}

/// What is expected of each workload of the platforms.
fn expected() -> Vec<Value> {
    let files = PLATFORMS.map(|name| checkout().join("tests/platforms").join(name).join("expected.yaml"));
    let texts = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    texts.flat_map(|text| serde_saphyr::from_str::<Vec<Value>>(&text).unwrap()).collect()
}

/// A word of the refusal of this object.
fn reason<'e>(expected: &'e [Value], object: &Value) -> &'e str {
    let metadata = &object["metadata"];
    let is_it = |one: &&Value| {
        (&one["kind"], &one["namespace"], &one["name"]) == (&object["kind"], &metadata["namespace"], &metadata["name"])
    };
    expected.iter().find(is_it).and_then(|one| one["reason"].as_str()).unwrap()
}

fn is_namespace(object: &Value) -> bool {
    object["kind"] == "Namespace"
}

fn has_template(object: &Value) -> bool {
    let carries = |at: &str| object.pointer(at).is_some_and(Value::is_object);
    object["kind"] == "Pod" || carries("/spec/template/spec") || carries("/spec/jobTemplate/spec/template/spec")
}

/// A file with policies that have settings.
fn settings_file(scene: &Scene) -> PathBuf {
    let file = scene.folder().join("settings.yaml");
    std::fs::write(&file, SETTINGS).unwrap();
    file
}

/// Puts a backstop in force.
fn put_up(scene: &Scene, backstop: &str) {
    let file = scene.folder().join("backstop.yaml");
    std::fs::write(&file, backstop).unwrap();
    scene.kubectl.run(&format!("apply -f {}", file.display())).unwrap();
}

/// Waits until an object is refused, and gives the words: a policy takes a moment to be in force.
async fn refused(scene: &Scene, object: &Value) -> String {
    let mut words = None;
    until("it is refused", async || {
        words = scene.refusal(object).await;
        words.is_some()
    })
    .await
    .unwrap_or_else(|_| panic!("it is taken: {object:#}"));
    words.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bad_on_the_platforms_is_refused_and_what_is_only_incomplete_is_taken_as_written() {
    let Some(scene) = Scene::start().await else { return };
    for (_, namespace) in objects(&[platforms("manifests"), platforms("denied")].concat()) {
        if is_namespace(&namespace) {
            scene.apply(&namespace).await;
        }
    }
    put_up(&scene, &exported(&[], &platforms("policies")));
    let expected = expected();
    for (file, object) in objects(&platforms("denied")) {
        if is_namespace(&object) || !has_template(&object) || BEYOND.contains(&file.as_str()) || file == UNFENCED {
            continue;
        }
        let words = refused(&scene, &object).await;
        assert!(words.contains(".backstop.portreeve.dev' denied request: "), "{file}: {words}");
        // One policy speaks for all: what is privileged is root there too.
        let reason = reason(&expected, &object);
        let told = |reason: &str| words.contains(reason);
        assert!(told(reason) || (reason == "privileged" && told("runAsUser: 0")), "{file}: {reason}: {words}");
    }
    let mut taken = 0;
    for (file, object) in objects(&platforms("manifests")) {
        if has_template(&object) {
            assert_eq!(scene.refusal(&object).await, None, "{file}");
            taken += 1;
        }
    }
    println!("{taken} taken as written");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rule_is_told_with_its_policy_and_what_to_change() {
    let Some(scene) = Scene::start().await else { return };
    put_up(&scene, &exported(&[], &[]));
    let of = |context: Value| {
        let mut object = deployment("web");
        object["spec"]["template"]["spec"]["containers"][0]["securityContext"] = context;
        object
    };
    let cases = [
        (json!({"privileged": true}), ["is privileged", "(privilege-escalation/privileged)"]),
        (
            json!({"allowPrivilegeEscalation": true}),
            ["allowPrivilegeEscalation: true", "(privilege-escalation/escalation)"],
        ),
        (json!({"runAsUser": 0}), ["runAsUser: 0, which is root", "(non-root/root-user)"]),
        (
            json!({"capabilities": {"add": ["SYS_TIME"]}}),
            ["adds SYS_TIME, which it may not have", "(drop-capabilities/add)"],
        ),
        (json!({"capabilities": {"drop": ["KILL"]}}), ["does not drop ALL", "(drop-capabilities/drop-all)"]),
    ];
    let rule = |words: &str, [says, rule]: [&str; 2]| words.contains(says) && words.contains(rule);
    for (context, expected) in cases {
        let object = of(context);
        let mut last = None;
        // Several policies may find a fault in it, and one is told; each is asked by itself here.
        let policy = expected[1].trim_start_matches('(').split('/').next().unwrap();
        let others =
            ["drop-capabilities", "host-access", "non-root", "pod-security", "privilege-escalation", "seccomp"];
        for other in others.iter().filter(|other| **other != policy) {
            bind(&scene, other, "Audit");
        }
        bind(&scene, policy, "Deny");
        let told = async || {
            last = scene.refusal(&object).await;
            last.as_deref().is_some_and(|words| rule(words, expected))
        };
        until("it is told", told).await.unwrap_or_else(|_| panic!("{expected:?}: {last:?}"));
    }
}

/// Changes what becomes of a policy's faults.
fn bind(scene: &Scene, policy: &str, action: &str) {
    let patch = json!({"spec": {"validationActions": [action]}});
    let change =
        format!("patch validatingadmissionpolicybinding {policy}.backstop.portreeve.dev --type=merge -p {patch}");
    scene.kubectl.run(&change).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_that_are_older_are_scaled_annotated_and_changed_as_long_as_they_get_no_worse() {
    let Some(scene) = Scene::start().await else { return };
    let privileged = json!({"privileged": true});
    let mut older = deployment("older");
    older["spec"]["template"]["spec"]["containers"][0]["securityContext"] = privileged.clone();
    scene.apply(&older).await;
    put_up(&scene, &exported(&[], &[]));
    let mut newer = older.clone();
    newer["metadata"]["name"] = json!("newer");
    refused(&scene, &newer).await;
    let merged = async |patch: Value| scene.api.merge(&older, &patch).await.unwrap().done().map(drop);
    merged(json!({"spec": {"replicas": 3}})).await.unwrap();
    merged(json!({"metadata": {"annotations": {"a": "b"}}})).await.unwrap();
    scene.kubectl.run("-n shop set image deployment/older web=registry.example/web:2").unwrap();
    let containers = json!([
        older["spec"]["template"]["spec"]["containers"][0],
        {"name": "more", "image": "registry.example/more:1", "securityContext": privileged},
    ]);
    let worse = merged(json!({"spec": {"template": {"spec": {"containers": containers}}}})).await;
    let words = worse.unwrap_err().message;
    assert!(words.contains("container \"more\" is privileged") && !words.contains("\"web\""), "{words}");
    scene.kubectl.run("-n shop delete deployment older").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_exported_goes_as_the_help_says() {
    let Some(scene) = Scene::start().await else { return };
    let help = exported(&["--help"], &[]);
    let flags = help.split_once("kubectl apply -f - --prune").unwrap().1.split_once("and takes away").unwrap().0;
    let flags = flags.replace('\\', " ");
    put_up(&scene, &exported(&[], &[]));
    let count =
        || scene.kubectl.run("get validatingadmissionpolicies,validatingadmissionpolicybindings -o name").unwrap();
    let all = count().lines().count();
    let file = scene.folder().join("fewer.yaml");
    std::fs::write(&file, exported(&[], &[settings_file(&scene)])).unwrap();
    scene.kubectl.run(&format!("apply -f {} --prune {flags}", file.display())).unwrap();
    let left = count();
    assert!(left.lines().count() < all, "{left}");
    assert_eq!(left.lines().count(), std::fs::read_to_string(&file).unwrap().matches("\nkind: Validating").count());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_namespaces_that_no_policy_sees_are_left_alone() {
    let Some(scene) = Scene::start().await else { return };
    put_up(&scene, &exported(&[], &[]));
    let mut object = deployment("agent");
    object["spec"]["template"]["spec"]["hostNetwork"] = json!(true);
    refused(&scene, &object).await;
    for namespace in ["kube-system", "portreeve"] {
        object["metadata"]["namespace"] = json!(namespace);
        assert_eq!(scene.refusal(&object).await, None, "{namespace}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cluster_has_is_exported_and_a_policy_of_a_namespace_holds_there_alone() {
    let Some(scene) = Scene::start().await else { return };
    let ours = |kind: &str, name: &str, spec: Value| {
        let metadata = json!({"name": name, "namespace": "shop"});
        json!({"apiVersion": "portreeve.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
    };
    scene.apply(&wants_label("team", "team")).await;
    scene.apply(&ours("Policy", "own", json!({"module": {"builtin": "host-access"}}))).await;
    let left_behind =
        json!({"policy": "gone", "owner": "o", "ticket": "t", "reason": "r", "expires": "2099-01-01T00:00:00Z"});
    scene.apply(&ours("PolicyException", "stray", left_behind)).await;
    let all = scene.folder().join("all.yaml");
    let kinds =
        "clusterpolicies.portreeve.dev,policysets.portreeve.dev,policyexceptions.portreeve.dev,policies.portreeve.dev";
    std::fs::write(&all, scene.kubectl.run(&format!("get {kinds} -A -o yaml")).unwrap()).unwrap();
    put_up(&scene, &exported(&[], &[all]));
    let mut web = deployment("web");
    web["spec"]["template"]["spec"]["hostNetwork"] = json!(true);
    let words = refused(&scene, &web).await;
    assert!(words.contains("'own.shop.namespaces-backstop.portreeve.dev'"), "{words}");
    assert!(words.contains("(shop/own/host-network)"), "{words}");
    web["metadata"]["namespace"] = json!("default");
    assert_eq!(scene.refusal(&web).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_finds_nothing_to_warn_of_in_its_expressions() {
    let Some(scene) = Scene::start_with(Controllers::Running).await else { return };
    let settings = scene.folder().join("settings.yaml");
    std::fs::write(&settings, SETTINGS).unwrap();
    for backstop in [exported(&["--with", "image-digest"], &[]), exported(&[], &[settings])] {
        put_up(&scene, &backstop);
    }
    let checked = async || {
        let list = scene.kubectl.run("get validatingadmissionpolicies -o json").unwrap();
        let list: Value = serde_json::from_str(&list).unwrap();
        let policies = list["items"].as_array().unwrap();
        assert!(policies.len() > 10, "{}", policies.len());
        policies.iter().all(|policy| {
            let warnings = &policy["status"]["typeChecking"]["expressionWarnings"];
            assert!(warnings.is_null(), "{}: {warnings:#}", policy["metadata"]["name"]);
            policy["status"]["observedGeneration"] == policy["metadata"]["generation"]
        })
    };
    until("all are checked", checked).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_and_exceptions_count_as_they_do_in_the_policies() {
    let Some(scene) = Scene::start().await else { return };
    put_up(&scene, &exported(&[], &[settings_file(&scene)]));
    let cases: Vec<Value> = serde_json::from_value(cases()).unwrap();
    // First what is refused, so that all of it is in force when something is to be taken.
    for case in cases.iter().filter(|case| case["refused"].is_string()) {
        let words = refused(&scene, &workload(case)).await;
        assert!(words.contains(case["refused"].as_str().unwrap()), "{case}: {words}");
    }
    for case in cases.iter().filter(|case| case["refused"].is_null()) {
        assert_eq!(scene.refusal(&workload(case)).await, None, "{case}");
    }
}

/// A Deployment whose pods have this spec beside a container.
fn workload(case: &Value) -> Value {
    let mut object = deployment("case");
    let spec = &mut object["spec"]["template"]["spec"];
    if let Some(more) = case["container"].as_object() {
        spec["containers"][0].as_object_mut().unwrap().extend(more.clone());
    }
    if let Some(more) = case["pod"].as_object() {
        spec.as_object_mut().unwrap().extend(more.clone());
    }
    object
}

/// Policies that use what settings there are.
const SETTINGS: &str = include_str!("backstop/settings.yaml");

fn cases() -> Value {
    serde_saphyr::from_str(include_str!("backstop/cases.yaml")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debugging_container_is_judged_and_what_the_pod_had_is_not() {
    let Some(scene) = Scene::start().await else { return };
    let context = |privileged: bool| json!({"privileged": privileged});
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "older", "namespace": "shop"},
        "spec": {"containers": [{"name": "web", "image": "registry.example/web:1", "securityContext": context(true)}]},
    });
    let (mut stored, _) = scene.api.create(&pod, Run::Real).await.unwrap().done().unwrap();
    put_up(&scene, &exported(&[], &[]));
    let mut newer = pod.clone();
    newer["metadata"]["name"] = json!("newer");
    refused(&scene, &newer).await;
    let mut debugged = async |privileged: bool| {
        let debugger =
            json!({"name": "debug", "image": "registry.example/debug:1", "securityContext": context(privileged)});
        stored["spec"]["ephemeralContainers"] = json!([debugger]);
        scene.api.replace(&stored, "ephemeralcontainers", Run::Dry).await.unwrap().done()
    };
    debugged(false).await.unwrap();
    let words = debugged(true).await.unwrap_err().message;
    assert!(words.contains("container \"debug\" is privileged") && !words.contains("\"web\""), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_a_digest_is_refused_where_that_is_asked_for() {
    let Some(scene) = Scene::start().await else { return };
    put_up(&scene, &exported(&["--with", "image-digest"], &[]));
    let words = refused(&scene, &deployment("web")).await;
    assert!(words.contains("named by a tag") && words.contains("(image-digest/unpinned)"), "{words}");
    let mut pinned = deployment("web");
    let digest = "0".repeat(64);
    let image = format!("registry.example/web:1@sha256:{digest}");
    pinned["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    assert_eq!(scene.refusal(&pinned).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_warns_is_told_beside_the_answer() {
    let Some(scene) = Scene::start().await else { return };
    put_up(&scene, &exported(&[], &[]));
    let mut writable = deployment("web");
    writable["spec"]["template"]["spec"]["containers"][0]["securityContext"] = json!({"readOnlyRootFilesystem": false});
    let told = async || {
        let (_, warnings) = scene.api.create(&writable, Run::Dry).await.unwrap().done().unwrap();
        warnings.iter().any(|warning| warning.contains("(read-only-rootfs/writable-root)"))
    };
    until("it is told", told).await.unwrap();
}
