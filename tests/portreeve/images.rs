//! Policies that rewrite images, together: what renames an image comes before what pins it. And which texts name one,
//! to a policy and to the host that looks it up.

use portreeve_sdk::image::Reference;
use portreeve_server::way::Gate;
use portreeve_supply::loopback::{FixtureImage, LoopbackRegistry};
use portreeve_supply::reference::ImageReference;
use portreeve_supply::{ImageConfig, RegistriesConfig};
use portreeve_tests::gate::{Setting, mutate};
use portreeve_tests::places::checkout;
use portreeve_tests::review::{create, update};
use serde_json::{Value, json};

const MIRRORED_AND_PINNED: &str = "
apiVersion: portreeve.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: mirror}
spec: {module: {builtin: image-registries}, settings: {mirrors: [{from: docker.io/**, to: mirror.example/hub/**}]}}
---
apiVersion: portreeve.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: digest}
spec: {module: {builtin: image-digest}, facts: [image-digest]}
";

/// A registry in the place of this host, with one image by tag 1; and a gate that asks it.
async fn asking(host: &str, repository: &str, policies: &str) -> (LoopbackRegistry, Gate) {
    let image = (format!("{host}/{repository}"), "1".to_owned(), FixtureImage::default());
    let registry = LoopbackRegistry::start([image]).await.unwrap();
    let registries = RegistriesConfig {
        registries: vec![registry.listed(), registry.in_place_of(host.parse().unwrap())],
        ..RegistriesConfig::default()
    };
    let gate = Setting::default().with(policies).unwrap().registries(registries).gate().unwrap();
    (registry, gate)
}

#[tokio::test]
async fn an_image_is_pinned_to_what_its_mirror_holds() {
    let (registry, gate) = asking("mirror.example", "hub/team/web", MIRRORED_AND_PINNED).await;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": "team/web:1"}]},
    });
    let told = mutate(&gate, &create(&pod)).await.unwrap();
    let digest = registry.digest("mirror.example/hub/team/web", "1").unwrap();
    let image = told.object["spec"]["containers"][0]["image"].as_str().unwrap();
    assert_eq!(image, format!("mirror.example/hub/team/web:1@{digest}"));
}

const PINNED_AND_NON_ROOT: &str = "
apiVersion: portreeve.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: digest}
spec: {module: {builtin: image-digest}, facts: [image-digest]}
---
apiVersion: portreeve.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: non-root}
spec: {module: {builtin: non-root}, settings: {defaultUser: 1000}, facts: [image-config]}
";

/// Whoever looks into an image looks into the one that will run, not into the one whose place it takes.
#[tokio::test]
async fn what_is_known_of_an_image_is_known_of_the_one_that_it_is_pinned_to() {
    let (registry, gate) = asking("docker.io", "team/web", PINNED_AND_NON_ROOT).await;
    let deployment = |annotations: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"template": {
                "metadata": {"annotations": annotations},
                "spec": {"containers": [{"name": "app", "image": "team/web:1"}]},
            }},
        })
    };
    let user =
        |object: &Value| object["spec"]["template"]["spec"]["containers"][0]["securityContext"]["runAsUser"].clone();
    let created = mutate(&gate, &create(&deployment(json!({})))).await.unwrap().object;
    assert_eq!(user(&created), 1000, "the image runs as root");

    let with_a_user = FixtureImage { user: Some("5000".into()), ..FixtureImage::default() };
    let moved = registry.retag("docker.io/team/web", "1", &with_a_user);
    let restarted = deployment(json!({"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}));
    let restarted = mutate(&gate, &update(&restarted, &created)).await.unwrap().object;
    let image = restarted["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap();
    assert_eq!(image, format!("team/web:1@{moved}"));
    assert_eq!(user(&restarted), Value::Null, "the new image has a user of its own: {restarted}");
}

/// Where they differed, a policy would trust a name that the host looks up as another, or not at all.
#[test]
fn a_policy_reads_the_names_that_the_host_reads() {
    let (short, long) = ("0a".repeat(32), "0a".repeat(64));
    let names = ["nginx", "team/app", "ghcr.io/a/b_c/d__e/f---g.h", "localhost:5000/app", "docker.io/nginx"]
        .map(str::to_owned)
        .into_iter()
        .chain(["UPPER", "a//b", "a/../b", "a/b/", "/a", "", "a b", "a___b", "a..b", "-a"].map(str::to_owned))
        .chain([short.clone(), "a".repeat(256)]);
    let ends = ["", ":1", ":V1.2_x-y", ":", ":.1", "@", "@sha256", "@sha256:0a", "@latest"]
        .map(str::to_owned)
        .into_iter()
        .chain(
            ["sha256", "sha512", "md5"]
                .iter()
                .flat_map(|name| [format!("@{name}:{short}"), format!(":1@{name}:{long}")]),
        )
        .chain([format!("@sha256:{}", short.to_uppercase()), format!(":{}", "t".repeat(129))]);
    let ends: Vec<String> = ends.collect();
    for text in names.flat_map(|name| ends.iter().map(move |end| format!("{name}{end}")).collect::<Vec<_>>()) {
        let (policy, host) = (Reference::read(&text), text.parse::<ImageReference>());
        assert_eq!(policy.is_ok(), host.is_ok(), "{text}: {policy:?}, {host:?}");
    }
}

#[test]
fn the_configuration_of_an_image_is_a_fact_in_the_shape_of_the_contract() {
    let config = ImageConfig { user: Some("101".into()), ..ImageConfig::default() };
    assert_eq!(json!(config), json!({"user": "101"}));
    let config = ImageConfig {
        exposed_ports: ["8080/tcp".parse().unwrap()].into(),
        volumes: ["/data".into()].into(),
        base_image: Some("debian:12".into()),
        ..config
    };
    let whole = json!({"user": "101", "exposedPorts": ["8080/tcp"], "volumes": ["/data"], "baseImage": "debian:12"});
    assert_eq!(json!(config), whole);
    // The contract shows it in the same words, to authors in every language.
    let contract = std::fs::read_to_string(checkout().join("wit/policy.wit")).unwrap();
    let row = contract.lines().find(|line| line.contains("| `image-config` |")).unwrap();
    let shown: Value = serde_json::from_str(row.split('`').nth(3).unwrap()).unwrap();
    assert_eq!(Vec::from_iter(shown.as_object().unwrap().keys()), Vec::from_iter(whole.as_object().unwrap().keys()));
}
