//! Policies that rewrite images, together: what renames an image comes before what pins it.

use portreeve_supply::RegistriesConfig;
use portreeve_supply::loopback::{FixtureImage, LoopbackRegistry};
use portreeve_tests::gate::{Setting, mutate};
use portreeve_tests::review::create;
use serde_json::json;

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

#[tokio::test]
async fn an_image_is_pinned_to_what_its_mirror_holds() {
    let image = ("mirror.example/hub/team/web".to_owned(), "1".to_owned(), FixtureImage::default());
    let registry = LoopbackRegistry::start([image]).await.unwrap();
    let registries = RegistriesConfig {
        registries: vec![registry.listed(), registry.in_place_of("mirror.example".parse().unwrap())],
        ..RegistriesConfig::default()
    };
    let gate = Setting::default().with(MIRRORED_AND_PINNED).unwrap().registries(registries).gate().unwrap();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": "team/web:1"}]},
    });
    let told = mutate(&gate, &create(&pod)).await.unwrap();
    let digest = registry.digest("mirror.example/hub/team/web", "1").unwrap();
    let image = told.object["spec"]["containers"][0]["image"].as_str().unwrap();
    assert_eq!(image, format!("mirror.example/hub/team/web:1@{digest}"));
}
