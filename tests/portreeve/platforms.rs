//! The five platforms' own policies, as far as the demo does not show them: each platform alone, as `portreeve check`
//! judges it; what only Pods get; and the table of `docs/platforms.md` that says which policy meets which sentence.

use std::collections::BTreeSet;
use std::path::PathBuf;

use portreeve_admission::api::Resource;
use portreeve_server::check::{Checker, Verdict};
use portreeve_server::manifest::{Manifest, read_paths, read_stream};
use portreeve_server::set::{Sources, read_folder};
use portreeve_supply::loopback::{FixtureImage, LoopbackRegistry};
use portreeve_supply::reference::ImageReference;
use portreeve_supply::{Images, RegistriesConfig};
use portreeve_tests::gate::{Setting, check_options, mutate};
use portreeve_tests::places::checkout;
use portreeve_tests::review::create;
use serde::Deserialize;
use serde_json::json;

/// Folders of the platforms, and what the names of their policies begin with.
const PLATFORMS: [(&str, &str); 5] = [
    ("airhart", "airhart-"),
    ("arbitex", "arbitex-"),
    ("avivatec", "avivatec-"),
    ("azure-platform", "azure-"),
    ("klinematrix", "klinematrix-"),
];

const PINNED: &str = "@sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// `images.yaml`, as far as policies ask.
#[derive(Deserialize)]
struct ImagesFile {
    images: Vec<Image>,
}

#[derive(Deserialize)]
struct Image {
    image: String,
    user: String,
}

fn folder(platform: &str, part: &str) -> PathBuf {
    checkout().join("tests/platforms").join(platform).join(part)
}

fn sources(platform: &str) -> Sources {
    read_folder(&folder(platform, "policies")).unwrap()
}

/// The images of a platform, from a registry on loopback.
async fn images(platform: &str) -> (LoopbackRegistry, Images) {
    let file: ImagesFile =
        serde_saphyr::from_str(&std::fs::read_to_string(folder(platform, "images.yaml")).unwrap()).unwrap();
    let images: Vec<(ImageReference, FixtureImage)> = file
        .images
        .into_iter()
        .map(|Image { image, user }| {
            let user = Some(user).filter(|user| !user.is_empty());
            (image.parse().unwrap(), FixtureImage { user, ..FixtureImage::default() })
        })
        .collect();
    let served = images.iter().map(|(image, content)| {
        (format!("{}/{}", image.host(), image.repository()), image.tag().unwrap().to_string(), content.clone())
    });
    let registry = LoopbackRegistry::start(served).await.unwrap();
    let hosts: BTreeSet<String> = images.iter().map(|(image, _)| image.host().as_str().to_owned()).collect();
    let stood_in = hosts.into_iter().map(|host| registry.in_place_of(host.parse().unwrap()));
    let registries = std::iter::once(registry.listed()).chain(stood_in).collect();
    let images = Images::open(&RegistriesConfig { registries, ..RegistriesConfig::default() }).unwrap();
    (registry, images)
}

/// What of these manifests would be refused, by name.
async fn refused(platform: &str, manifests: &[Manifest], images: Images) -> BTreeSet<String> {
    let options = check_options(platform, images).unwrap();
    let checked = Checker::open(options, manifests).unwrap().check_all(manifests).await;
    let refused = manifests.iter().zip(checked);
    let refused = refused.filter(|(_, checked)| matches!(checked.verdict, Verdict::Denied | Verdict::Failed));
    refused.map(|(manifest, _)| name(manifest)).collect()
}

fn name(manifest: &Manifest) -> String {
    format!("{} {}", manifest.kind(), manifest.name())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_platform_passes_by_its_own_policies_but_for_what_it_must_refuse() {
    for (platform, _) in PLATFORMS {
        let (_registry, images) = images(platform).await;
        let parts = ["manifests", "denied"].map(|part| folder(platform, part));
        let manifests = read_paths(&parts, &mut std::io::empty()).unwrap();
        let to_be_refused =
            |manifest: &&Manifest| manifest.source().contains("/denied/") && manifest.kind() != "Namespace";
        let expected: BTreeSet<String> = manifests.iter().filter(to_be_refused).map(name).collect();
        assert_eq!(refused(platform, &manifests, images).await, expected, "{platform}");
    }
}

/// An inline NFS volume: baseline lets it in, restricted does not, and no edit puts it right.
#[tokio::test(flavor = "multi_thread")]
async fn in_the_namespace_that_arbitex_shares_gpu_pods_need_baseline_and_all_others_restricted() {
    let pod = |name: &str, resource: &str| {
        let resources = json!({"cpu": "1", "memory": "1Gi", resource: "1"});
        let object = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "arbitex"},
            "spec": {
                "containers": [{
                    "name": "app", "image": "arbitex.azurecr.io/ner-gpu:v0.29.0",
                    "resources": {"requests": resources, "limits": resources},
                }],
                "volumes": [{"name": "models", "nfs": {"server": "nfs.example", "path": "/models"}}],
            },
        });
        read_stream("pod.json", &object.to_string()).unwrap().remove(0)
    };
    let (_registry, images) = images("arbitex").await;
    let mut manifests = read_paths(&[folder("arbitex", "manifests")], &mut std::io::empty()).unwrap();
    manifests.extend([pod("with-gpu", "nvidia.com/gpu"), pod("without", "ephemeral-storage")]);
    assert_eq!(refused("arbitex", &manifests, images).await, BTreeSet::from(["Pod without".to_owned()]));
}

fn in_force(platform: &str) -> BTreeSet<String> {
    let policies = sources(platform).resources.into_iter().filter_map(|located| match located.resource {
        Resource::ClusterPolicy(policy) => Some(policy.metadata.name),
        _ => None,
    });
    policies.collect()
}

/// What stands between backquotes in the platforms' page.
fn words() -> Vec<String> {
    let page = std::fs::read_to_string(checkout().join("docs/platforms.md")).unwrap();
    page.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_platforms_page_names_every_policy_and_no_other() {
    let words = words();
    for (platform, prefix) in PLATFORMS {
        let named: BTreeSet<String> = words.iter().filter(|word| word.starts_with(prefix)).cloned().collect();
        assert_eq!(named, in_force(platform), "{platform}: named in docs/platforms.md, and in force");
    }
}

#[test]
fn a_platforms_policies_are_named_after_it() {
    for (platform, prefix) in PLATFORMS {
        assert!(in_force(platform).iter().all(|name| name.starts_with(prefix)), "{platform}");
    }
}

#[tokio::test]
async fn a_pod_of_klinematrix_names_the_secret_of_its_registry_after_those_of_its_account() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: klinematrix-prod, \
                     labels: {app.kubernetes.io/part-of: klinematrix}}\n";
    let gate = Setting::default().sources(sources("klinematrix")).with(namespace).unwrap().gate().unwrap();
    let image = format!("financialagent-gxftdbbre4gtegea.azurecr.io/klinecubic/frontend:prod-v0.11.4{PINNED}");
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "frontend-1", "namespace": "klinematrix-prod"},
        "spec": {"imagePullSecrets": [{"name": "own"}], "containers": [{"name": "frontend", "image": image}]},
    });
    let told = mutate(&gate, &create(&pod)).await.unwrap();
    assert_eq!(told.object["spec"]["imagePullSecrets"], json!([{"name": "own"}, {"name": "acr-secret"}]));
}
