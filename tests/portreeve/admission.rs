//! What the two calls do, through the gate with the real catalogue: one test for each rule of admission that needs more
//! than the core to be seen. Rules of the core alone are tested there, under the same names.

use portreeve_admission::response::{AuditKey, RefusalKind};
use portreeve_server::way::Gate;
use portreeve_supply::RegistriesConfig;
use portreeve_supply::loopback::{FixtureImage, LoopbackRegistry};
use portreeve_tests::gate::{Setting, admit, mutate, validate};
use portreeve_tests::review::{create, update};
use serde_json::{Value, json};

fn pod(spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec})
}

fn plain_pod() -> Value {
    pod(&json!({"containers": [{"name": "app", "image": "team/web:1"}]}))
}

fn workload(kind: &str, container: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]},
        }},
    })
}

pub(crate) fn deployment(image: &str) -> Value {
    workload("Deployment", &json!({"name": "app", "image": image}))
}

fn owned_replica_set(container: &Value) -> Value {
    let mut set = workload("ReplicaSet", container);
    set["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1", "controller": true}]);
    set
}

fn drop_capabilities(extra: &str) -> String {
    format!(
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: drop}}\n\
         spec: {{module: {{builtin: drop-capabilities}}, {extra}}}\n"
    )
}

fn dropping(extra: &str) -> Gate {
    Setting::default().with(&drop_capabilities(extra)).unwrap().gate().unwrap()
}

fn platform() -> Gate {
    Setting::platform().gate().unwrap()
}

const DENIED: &str = "{\"add\": [\"NET_RAW\"]}";

fn with_net_raw() -> Value {
    json!({"name": "app", "image": "team/web:1", "securityContext": {"capabilities": serde_json::from_str::<Value>(DENIED).unwrap()}})
}

#[tokio::test]
async fn mutate_allows_and_puts_right_and_validate_then_admits() {
    let (told, response) = admit(&platform(), &create(&plain_pod())).await.unwrap();
    assert!(told.response.refusal.is_none());
    assert!(told.response.patch.is_some());
    assert!(response.refusal.is_none(), "{:?}", response.refusal);
}

#[tokio::test]
async fn applying_the_result_again_changes_nothing() {
    let gate = platform();
    for object in
        [plain_pod(), deployment("team/web:1"), workload("StatefulSet", &json!({"name": "db", "image": "postgres:16"}))]
    {
        let told = mutate(&gate, &create(&object)).await.unwrap();
        let again = mutate(&gate, &create(&told.object)).await.unwrap();
        assert_eq!(again.response.patch, None, "{}", object["kind"]);
    }
}

#[tokio::test]
async fn violations_are_ignored_at_mutate_and_deny_at_validate() {
    let gate = dropping("mode: enforce");
    let (told, response) = admit(&gate, &create(&pod(&json!({"containers": [with_net_raw()]})))).await.unwrap();
    assert!(told.response.refusal.is_none());
    let refusal = response.refusal.unwrap();
    assert_eq!(refusal.kind, RefusalKind::Forbidden);
    assert!(refusal.message.starts_with("pods \"web\" is forbidden: denied by drop\n"), "{}", refusal.message);
    assert!(refusal.message.contains("container \"app\""), "{}", refusal.message);
}

#[tokio::test]
async fn warn_warns_audit_only_records_and_off_is_not_run() {
    let review = create(&pod(&json!({"containers": [with_net_raw()]})));
    let warned = validate(&dropping("mode: warn"), &review).await.unwrap();
    assert!(warned.refusal.is_none() && warned.warnings.iter().any(|line| line.contains("NET_RAW")), "{warned:?}");
    let audited = validate(&dropping("mode: audit"), &review).await.unwrap();
    assert!(audited.refusal.is_none() && audited.warnings.is_empty());
    assert!(audited.audit[&AuditKey::Violations].contains("audit:drop/"), "{audited:?}");
    let off = validate(&dropping("mode: \"off\""), &review).await.unwrap();
    assert!(!off.audit.contains_key(&AuditKey::Violations));
}

#[tokio::test]
async fn mutate_is_separate_from_mode() {
    for (extra, edits) in
        [("mode: warn", true), ("mode: audit", false), ("mode: audit, mutate: true", true), ("mutate: false", false)]
    {
        let told = mutate(&dropping(extra), &create(&plain_pod())).await.unwrap();
        assert_eq!(told.response.patch.is_some(), edits, "{extra}");
    }
}

#[tokio::test]
async fn an_owned_template_is_never_edited_and_judged_as_its_pods_will_be() {
    let gate = dropping("mode: enforce");
    let healthy = create(&owned_replica_set(&json!({"name": "app", "image": "team/web:1"})));
    let (told, response) = admit(&gate, &healthy).await.unwrap();
    assert_eq!(told.response.patch, None);
    assert!(response.refusal.is_none(), "its Pods will be put right: {response:?}");
    let (told, response) = admit(&gate, &create(&owned_replica_set(&with_net_raw()))).await.unwrap();
    assert_eq!(told.response.patch, None);
    assert!(response.refusal.is_some(), "no edit mends this");
}

#[tokio::test]
async fn an_update_of_an_owned_template_is_compared_with_what_its_pods_were() {
    let gate = dropping("mode: enforce");
    let with = |drop: Value| {
        let capabilities = json!({"capabilities": {"drop": drop}});
        owned_replica_set(&json!({"name": "app", "image": "team/web:1", "securityContext": capabilities}))
    };
    let (mended, kept) = (with(json!([])), with(json!(["MKNOD"])));
    let response = validate(&gate, &update(&kept, &mended)).await.unwrap();
    assert!(response.refusal.is_some(), "the Pods of the old template dropped ALL, those of the new one do not");
    let mut later = kept.clone();
    later["spec"]["template"]["spec"]["containers"][0]["image"] = json!("team/web:2");
    let response = validate(&gate, &update(&later, &kept)).await.unwrap();
    assert!(response.refusal.is_none(), "the Pods of the old template had this fault too: {response:?}");
}

#[tokio::test]
async fn an_annotation_on_an_old_deployment_begins_no_rollout() {
    let old = deployment("team/web:1");
    let mut new = old.clone();
    new["metadata"]["annotations"] = json!({"note": "x"});
    let (told, response) = admit(&platform(), &update(&new, &old)).await.unwrap();
    assert_eq!(told.response.patch, None);
    assert!(response.refusal.is_none());
}

#[tokio::test]
async fn an_update_is_denied_only_for_what_is_new() {
    let gate = dropping("mode: enforce");
    let old = workload("Deployment", &with_net_raw());
    let mut new = old.clone();
    new["spec"]["template"]["spec"]["containers"][0]["image"] = json!("team/web:2");
    let (_, response) = admit(&gate, &update(&new, &old)).await.unwrap();
    assert!(response.refusal.is_none(), "it had this violation before: {response:?}");
    let (_, response) = admit(&gate, &update(&new, &deployment("team/web:1"))).await.unwrap();
    assert!(response.refusal.is_some());
}

#[tokio::test]
async fn of_a_pod_that_runs_nothing_but_images_is_edited() {
    let old = plain_pod();
    let mut new = old.clone();
    new["spec"]["containers"][0]["image"] = json!("team/web:2");
    let told = mutate(&platform(), &update(&new, &old)).await.unwrap();
    assert_eq!(told.response.patch, None);
}

#[tokio::test]
async fn only_the_ephemeral_container_that_is_new_is_put_right() {
    let mut old = plain_pod();
    old["spec"]["ephemeralContainers"] = json!([{"name": "first", "image": "busybox"}]);
    let mut new = old.clone();
    new["spec"]["ephemeralContainers"] =
        json!([{"name": "first", "image": "busybox"}, {"name": "second", "image": "busybox"}]);
    let mut review = update(&new, &old);
    review["request"]["subResource"] = json!("ephemeralcontainers");
    let told = mutate(&dropping("mode: enforce"), &review).await.unwrap();
    let dropped = |index: usize| {
        told.object["spec"]["ephemeralContainers"][index].pointer("/securityContext/capabilities/drop").cloned()
    };
    assert_eq!(dropped(0), None);
    assert_eq!(dropped(1), Some(json!(["ALL"])));
    assert_eq!(told.object["spec"]["containers"], old["spec"]["containers"]);
}

#[tokio::test]
async fn a_new_ephemeral_container_is_put_right_wherever_it_stands() {
    let debugging = |names: &[&str]| {
        let containers: Vec<Value> = names.iter().map(|name| json!({"name": name, "image": "busybox"})).collect();
        let mut pod = plain_pod();
        pod["spec"]["ephemeralContainers"] = json!(containers);
        pod
    };
    let mut review = update(&debugging(&["third", "first", "fourth", "second"]), &debugging(&["first", "second"]));
    review["request"]["subResource"] = json!("ephemeralcontainers");
    let told = mutate(&dropping("mode: enforce"), &review).await.unwrap();
    let containers = told.object["spec"]["ephemeralContainers"].as_array().unwrap();
    let dropped = |container: &&Value| container.pointer("/securityContext/capabilities/drop").is_some();
    let names: Vec<&Value> = containers.iter().filter(dropped).map(|container| &container["name"]).collect();
    assert_eq!(names, ["third", "fourth"]);
}

#[tokio::test]
async fn unknown_fields_survive_untouched() {
    let mut object = plain_pod();
    object["spec"]["futureField"] = json!({"deep": [1, {"x": null}]});
    object["spec"]["containers"][0]["futureField"] = json!(9_007_199_254_740_993_i64);
    let told = mutate(&platform(), &create(&object)).await.unwrap();
    assert_eq!(told.object["spec"]["futureField"], object["spec"]["futureField"]);
    assert_eq!(told.object["spec"]["containers"][0]["futureField"], object["spec"]["containers"][0]["futureField"]);
}

#[tokio::test]
async fn people_are_told_what_was_put_right_and_controllers_are_not() {
    let gate = platform();
    let mut review = create(&plain_pod());
    let told = mutate(&gate, &review).await.unwrap().response.warnings;
    assert!(told[0].starts_with("pod/web: put right by drop-capabilities, "), "{told:?}");
    review["request"]["userInfo"]["username"] = json!("system:serviceaccount:kube-system:replicaset-controller");
    assert!(mutate(&gate, &review).await.unwrap().response.warnings.is_empty());
}

#[tokio::test]
async fn no_policy_sees_our_own_namespace_or_that_of_the_control_plane() {
    let gate = platform();
    for namespace in ["kube-system", "kube-node-lease", "portreeve"] {
        let mut review = create(&pod(&json!({"hostNetwork": true, "containers": [with_net_raw()]})));
        review["request"]["namespace"] = json!(namespace);
        let (told, response) = admit(&gate, &review).await.unwrap();
        assert!(told.response.patch.is_none() && response.refusal.is_none(), "{namespace}");
    }
}

#[tokio::test]
async fn a_template_that_can_not_be_read_is_refused_as_a_bad_request() {
    let mut object = deployment("team/web:1");
    object["spec"]["template"] = json!("text");
    let response = validate(&platform(), &create(&object)).await.unwrap();
    let refusal = response.refusal.unwrap();
    assert_eq!(refusal.kind, RefusalKind::BadRequest);
    assert!(refusal.message.contains("/spec/template"), "{}", refusal.message);
}

#[tokio::test]
async fn an_exception_stops_edits_and_violations_and_is_named() {
    let exception = "---\napiVersion: portreeve.dev/v1alpha1\nkind: PolicyException\n\
        metadata: {name: legacy, namespace: shop}\n\
        spec: {policy: drop, owner: team, ticket: T-1, reason: old, expires: '2999-01-01T00:00:00Z', match: {images: [team/web]}}\n";
    let yaml = drop_capabilities("mode: enforce") + exception;
    let gate = Setting::default().with(&yaml).unwrap().gate().unwrap();
    let (told, response) = admit(&gate, &create(&pod(&json!({"containers": [with_net_raw()]})))).await.unwrap();
    assert!(told.response.patch.is_none() && response.refusal.is_none());
    assert_eq!(response.audit[&AuditKey::Exceptions], "shop/legacy");
}

#[tokio::test]
async fn a_missing_fact_takes_the_policys_failure_mode_and_is_no_violation() {
    let digest = |failure: &str| {
        format!(
            "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: digest}}\n\
             spec: {{module: {{builtin: image-digest}}, facts: [image-digest], failurePolicy: {failure}}}\n"
        )
    };
    let strict = Setting::default().with(&digest("Fail")).unwrap().gate().unwrap();
    let refusal = mutate(&strict, &create(&plain_pod())).await.unwrap().response.refusal.unwrap();
    assert_eq!(refusal.kind, RefusalKind::InternalError);
    assert!(refusal.message.contains("could not be judged"), "{}", refusal.message);
    let lax = Setting::default().with(&digest("Ignore")).unwrap().gate().unwrap();
    let (told, response) = admit(&lax, &create(&plain_pod())).await.unwrap();
    assert!(told.response.warnings.iter().any(|line| line.contains("was let pass")), "{told:?}");
    assert!(response.refusal.is_none(), "{response:?}");
}

#[tokio::test]
async fn a_failure_while_defaults_are_given_is_told_as_one_that_decides_is() {
    let digest = |spec: &str| {
        let yaml = format!(
            "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: digest}}\n\
             spec: {{module: {{builtin: image-digest}}, facts: [image-digest], mutate: true, {spec}}}\n"
        );
        Setting::default().with(&yaml).unwrap().gate().unwrap()
    };
    for (spec, told) in [("mode: warn", true), ("mode: audit, failurePolicy: Ignore", false)] {
        let response = mutate(&digest(spec), &create(&plain_pod())).await.unwrap().response;
        assert!(response.refusal.is_none());
        assert_eq!(
            response.warnings.iter().any(|line| line.contains("digest failed and was let pass")),
            told,
            "{spec}"
        );
        assert_eq!(response.audit[&AuditKey::Failures], "digest", "{spec}");
    }
}

/// A registry with an image of two tags.
pub(crate) async fn registry() -> LoopbackRegistry {
    let images = [("docker.io/team/web", "1", "0"), ("docker.io/team/web", "2", "10001")];
    let image = |user: &str| FixtureImage { user: Some(user.to_owned()), ..FixtureImage::default() };
    let images = images.map(|(repository, tag, user)| (repository.to_owned(), tag.to_owned(), image(user)));
    LoopbackRegistry::start(images).await.unwrap()
}

fn pinning(registry: &LoopbackRegistry) -> Gate {
    pinning_by(registry).gate().unwrap()
}

/// Images by the digests of this registry.
pub(crate) fn pinning_by(registry: &LoopbackRegistry) -> Setting {
    let registries = RegistriesConfig {
        registries: vec![registry.listed(), registry.in_place_of("docker.io".parse().unwrap())],
        ..RegistriesConfig::default()
    };
    let yaml = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: digest}\n\
        spec: {module: {builtin: image-digest}, facts: [image-digest]}\n";
    Setting::default().with(yaml).unwrap().registries(registries)
}

fn image_of(deployment: &Value) -> String {
    deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_tag_is_pinned_to_its_digest_and_kept_for_people() {
    let registry = registry().await;
    let told = mutate(&pinning(&registry), &create(&deployment("team/web:1"))).await.unwrap();
    let digest = registry.digest("docker.io/team/web", "1").unwrap();
    assert_eq!(image_of(&told.object), format!("team/web:1@{digest}"));
}

#[tokio::test]
async fn an_unrelated_update_keeps_the_pinned_digest_and_a_restart_asks_again() {
    let registry = registry().await;
    let gate = pinning(&registry);
    let pinned = mutate(&gate, &create(&deployment("team/web:1"))).await.unwrap().object;
    let moved =
        registry.retag("docker.io/team/web", "1", &FixtureImage { user: Some("7".into()), ..FixtureImage::default() });

    // Applied again as written, with another label on the template.
    let mut applied = deployment("team/web:1");
    applied["spec"]["template"]["metadata"]["labels"]["x"] = json!("y");
    let kept = mutate(&gate, &update(&applied, &pinned)).await.unwrap().object;
    assert_eq!(image_of(&kept), image_of(&pinned));

    let mut restarted = pinned.clone();
    restarted["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
        json!("2026-01-01T00:00:00Z");
    let fresh = mutate(&gate, &update(&restarted, &pinned)).await.unwrap().object;
    assert_eq!(image_of(&fresh), format!("team/web:1@{moved}"));
}

#[tokio::test]
async fn a_restart_asks_the_registry_once_however_many_rounds_there_are() {
    let registry = registry().await;
    let gate = pinning(&registry);
    let pinned = mutate(&gate, &create(&deployment("team/web:1"))).await.unwrap().object;
    registry.retag("docker.io/team/web", "1", &FixtureImage { user: Some("7".into()), ..FixtureImage::default() });
    let mut restarted = pinned.clone();
    restarted["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
        json!("2026-01-01T00:00:00Z");
    let before = registry.asked().len();
    let fresh = mutate(&gate, &update(&restarted, &pinned)).await.unwrap().object;
    assert_ne!(image_of(&fresh), image_of(&pinned), "there was a round that edited, and a quiet one");
    assert_eq!(registry.asked().len(), before + 1);
}

fn job(image: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "namespace": "shop"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": image}]}}},
    })
}

#[tokio::test]
async fn a_job_applied_again_gets_back_its_digest_and_a_changed_one_is_left_to_the_api_server() {
    let registry = registry().await;
    let gate = pinning(&registry);
    let pinned = mutate(&gate, &create(&job("team/web:1"))).await.unwrap().object;
    let mut applied = pinned.clone();
    applied["spec"]["template"]["spec"]["containers"][0]["image"] = json!("team/web:1");
    let again = mutate(&gate, &update(&applied, &pinned)).await.unwrap().object;
    assert_eq!(again["spec"]["template"], pinned["spec"]["template"]);
    applied["spec"]["template"]["spec"]["containers"][0]["image"] = json!("team/web:2");
    let changed = mutate(&gate, &update(&applied, &pinned)).await.unwrap();
    assert_eq!(changed.response.patch, None);
}

#[tokio::test]
async fn a_template_that_can_not_be_read_denies_nobody_where_nothing_is_enforced() {
    let mut object = deployment("team/web:1");
    object["spec"]["template"] = json!("text");
    let (told, response) = admit(&dropping("mode: audit, mutate: true"), &create(&object)).await.unwrap();
    assert!(told.response.refusal.is_none() && response.refusal.is_none());
}
