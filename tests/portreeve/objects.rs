//! Facts about other objects through the gate with the real catalogue: what policies are told of NetworkPolicies,
//! budgets, Services, Pods and Nodes that stand among the policy files, and what becomes of a fact that nobody can
//! give. What a source lists is tested in `portreeve-server`, what policies make of it by their cases.

use portreeve_admission::response::{AuditKey, RefusalKind, Response};
use portreeve_server::way::Gate;
use portreeve_tests::gate::{Setting, Told, admit, mutate, validate};
use portreeve_tests::review::{create, update};
use serde_json::{Value, json};

const DENY_ALL: &str = "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: shop}\n\
    spec: {podSelector: {}, policyTypes: [Ingress]}\n";

const SERVICE: &str =
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {selector: {app: web}}\n";

const BUDGET: &str = "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web, namespace: shop}\n\
    spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}\n";

fn policy(builtin: &str, spec: &str) -> String {
    format!(
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: {builtin}}}\n\
         spec: {{module: {{builtin: {builtin}}}, {spec}}}\n"
    )
}

fn network(spec: &str) -> String {
    policy("network-policy", &format!("facts: [network-policies]{spec}"))
}

fn node(name: &str, zone: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{topology.kubernetes.io/zone: {zone}}}}}\n"
    )
}

fn gate(files: &[&str]) -> Gate {
    Setting::default().with(&files.concat()).unwrap().gate().unwrap()
}

fn deployment(namespace: &str, replicas: u8) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "app", "image": "team/web:1"}]},
            },
        },
    })
}

async fn judged(gate: &Gate, object: &Value) -> (Told, Response) {
    admit(gate, &create(object)).await.unwrap()
}

fn denied(response: &Response) -> &str {
    let refusal = response.refusal.as_ref().expect("it was admitted");
    assert_eq!(refusal.kind, RefusalKind::Forbidden, "{}", refusal.message);
    &refusal.message
}

#[tokio::test]
async fn network_policies_among_the_policy_files_are_told_by_namespace() {
    let gate = gate(&[&network(""), DENY_ALL]);
    let (_, at_home) = judged(&gate, &deployment("shop", 1)).await;
    assert!(at_home.refusal.is_none(), "{:?}", at_home.refusal);
    let (_, elsewhere) = judged(&gate, &deployment("bank", 1)).await;
    assert!(denied(&elsewhere).contains("the namespace \"bank\" has no NetworkPolicy"), "{elsewhere:?}");
}

#[tokio::test]
async fn what_no_policy_file_lists_is_a_missing_fact_and_no_violation() {
    let (_, response) = judged(&gate(&[&network("")]), &deployment("shop", 1)).await;
    let refusal = response.refusal.unwrap();
    assert_eq!(refusal.kind, RefusalKind::InternalError);
    assert!(refusal.message.contains("no NetworkPolicy is among the policy files"), "{}", refusal.message);
}

#[tokio::test]
async fn a_policy_that_audits_tells_nobody_of_a_missing_fact_but_the_auditor() {
    let (told, response) =
        judged(&gate(&[&network(", mode: audit, failurePolicy: Ignore")]), &deployment("shop", 1)).await;
    assert_eq!((told.response.warnings, &response.warnings), (Vec::new(), &Vec::new()));
    assert_eq!(response.audit[&AuditKey::Failures], "network-policy");
}

#[tokio::test]
async fn where_the_manifests_are_all_there_is_an_empty_list_denies() {
    let setting = Setting::default().with(&network("")).unwrap().everything(SERVICE).unwrap();
    let (_, response) = judged(&setting.gate().unwrap(), &deployment("shop", 1)).await;
    assert!(denied(&response).contains("the namespace \"shop\" has no NetworkPolicy"), "{response:?}");
}

#[tokio::test]
async fn a_service_exposes_a_workload_and_a_budget_keeps_it() {
    let availability = policy("availability", "facts: [services, disruption-budgets]");
    let gate = gate(&[&availability, SERVICE, BUDGET]);
    let (_, alone) = judged(&gate, &deployment("shop", 1)).await;
    assert!(denied(&alone).contains("behind the Service \"web\""), "{alone:?}");
    let (_, kept) = judged(&gate, &deployment("shop", 2)).await;
    assert!(kept.refusal.is_none() && kept.warnings.is_empty(), "{kept:?}");
}

#[tokio::test]
async fn replicas_are_spread_over_the_zones_of_the_nodes() {
    let spread = policy("topology-spread", "facts: [zones]");
    let gate = gate(&[&spread, &node("a", "one"), &node("b", "two")]);
    let (told, _) = judged(&gate, &deployment("shop", 2)).await;
    let at = "/spec/template/spec/topologySpreadConstraints/0/topologyKey";
    assert_eq!(told.object.pointer(at), Some(&json!("topology.kubernetes.io/zone")));
}

#[tokio::test]
async fn nothing_is_spread_or_said_where_one_zone_or_none_is_known() {
    for nodes in [String::new(), node("a", "one")] {
        let (told, response) =
            judged(&gate(&[&policy("topology-spread", "facts: [zones]"), &nodes]), &deployment("shop", 2)).await;
        assert_eq!((told.response.patch, told.response.warnings), (None, Vec::new()));
        assert!(response.refusal.is_none() && response.warnings.is_empty(), "{response:?}");
    }
}

#[tokio::test]
async fn who_tightens_a_namespace_is_told_of_its_pods() {
    let pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web-1, namespace: shop}\n\
               spec: {hostNetwork: true, containers: [{name: app, image: 'team/web:1'}]}\n";
    let gate = gate(&[&policy("pod-security", "facts: [namespace, running-pods]"), pod]);
    let namespace = |level| {
        let labels = json!({"pod-security.kubernetes.io/enforce": level});
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}})
    };
    let mut review = update(&namespace("baseline"), &namespace("privileged"));
    review["request"]["namespace"] = json!("shop");
    let response = validate(&gate, &review).await.unwrap();
    assert!(response.refusal.is_none(), "{:?}", response.refusal);
    assert!(response.warnings.iter().any(|warning| warning.contains("web-1: host namespaces")), "{response:?}");
}

#[tokio::test]
async fn signatures_that_nobody_verifies_are_a_missing_fact_for_each_image() {
    let settings = "settings: {requirements: [{images: ['**'], anyOf: [{key: ours}]}]}";
    let signed = policy("image-signatures", &format!("facts: [image-signatures], {settings}"));
    let (_, response) = judged(&gate(&[&signed]), &deployment("shop", 1)).await;
    let refusal = response.refusal.unwrap();
    assert_eq!(refusal.kind, RefusalKind::InternalError);
    assert!(refusal.message.contains("\"team/web:1\" is missing: this server verifies no signatures"), "{refusal:?}");
}

#[tokio::test]
async fn an_object_of_a_policy_file_that_no_api_server_takes_is_refused_with_its_place() {
    let labels = SERVICE.replace("namespace: shop", "labels: {on: true}");
    let Err(error) = Setting::default().with(&[&network(""), &*labels].concat()) else { panic!("it was taken") };
    let error = error.to_string();
    assert!(error.contains("test.yaml:6") && error.contains("metadata.labels"), "{error}");
}

#[tokio::test]
async fn nothing_is_asked_about_other_objects_that_no_policy_was_granted() {
    let gate = gate(&[&policy("drop-capabilities", ""), DENY_ALL]);
    let told = mutate(&gate, &create(&deployment("shop", 1))).await.unwrap();
    assert_eq!(told.response.warnings, ["deployment.apps/web: put right by drop-capabilities (1 field)"]);
}
