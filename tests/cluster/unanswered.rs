//! What the API server asks us about, seen from outside: our webhook is registered and nobody answers it, so that
//! whatever is asked about is refused, and all else goes on. So it is known too what a cluster without us can still do.

use std::collections::BTreeSet;
use std::time::Duration;

use portreeve_admission::api::{FailurePolicy, Match, Mode};
use portreeve_admission::policy::{Abilities, Policy, ResourceRule};
use portreeve_admission::subject::TemplatePaths;
use portreeve_cluster::discovery::{namespaces, served};
use portreeve_cluster::registrar::Registrar;
use portreeve_cluster::registration::{Configurations, Demand, Endpoint, Registration, Site};
use portreeve_server::set::{Sources, platform};
use portreeve_tests::api_server::{Answer, Run};
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::gate::loader;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::definitions::Definitions;

/// Our user, who need not be there to be impersonated.
const USER: &str = "system:serviceaccount:portreeve:portreeve";

/// What the registration is called.
pub(crate) const NAME: &str = "portreeve-tests";

/// Where nobody listens: port 1 of loopback.
const NOBODY: &str = "https://127.0.0.1:1";

/// A policy of pod templates.
pub(crate) fn of_templates() -> Policy {
    Policy {
        id: "templates".to_owned(),
        of_namespace: None,
        mode: Mode::Enforce,
        mutate: true,
        failure_policy: FailurePolicy::Fail,
        timeout: Duration::from_secs(1),
        matching: Match::default(),
        rollout: Vec::new(),
        wants: Vec::new(),
        can: Abilities { validate: true, mutate: true, rewrite_images: false },
        facts: BTreeSet::new(),
    }
}

/// A policy that wants to see everything that there is.
fn of_everything() -> Policy {
    let every = || vec!["*".to_owned()];
    let rule =
        ResourceRule { groups: every(), versions: every(), resources: vec!["*/*".to_owned()], operations: every() };
    Policy { id: "everything".to_owned(), wants: vec![rule], ..of_templates() }
}

/// What such policies are registered with, at a place where nobody answers.
pub(crate) async fn configurations(cluster: &Cluster, policies: &[Policy], token: &str) -> Configurations {
    configurations_at(Endpoint::Url(NOBODY.to_owned()), cluster, policies, token).await
}

/// The same at another place.
pub(crate) async fn configurations_at(
    endpoint: Endpoint,
    cluster: &Cluster,
    policies: &[Policy],
    token: &str,
) -> Configurations {
    let site = Site { name: NAME.to_owned(), endpoint, ca_bundle: Vec::new(), token: Some(token.to_owned()) };
    asked(cluster, policies).await.at(&site)
}

/// Where nobody answers, by this token.
pub(crate) fn site(token: &str) -> Site {
    let endpoint = Endpoint::Url(NOBODY.to_owned());
    Site { name: NAME.to_owned(), endpoint, ca_bundle: Vec::new(), token: Some(token.to_owned()) }
}

/// What such policies ask for.
pub(crate) async fn asked(cluster: &Cluster, policies: &[Policy]) -> Registration {
    let paths = TemplatePaths::default();
    let served = served(cluster.api.client(), &paths).await.unwrap();
    let excluded = ["kube-system", "kube-node-lease", "portreeve"].map(str::to_owned).into();
    Registration::of(&Demand {
        policies,
        paths: &paths,
        excluded: &excluded,
        failure_policy: FailurePolicy::Fail,
        served: &served,
        user: Some(USER),
    })
}

/// A cluster with a namespace, and later the registration.
struct Scene {
    cluster: Cluster,
    registrar: Registrar,
}

impl Scene {
    async fn start() -> Option<Self> {
        let cluster = Cluster::start(Controllers::Absent).await?;
        for name in ["unanswered", "portreeve"] {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            cluster.make_namespace(&namespace).await;
        }
        let registrar = Registrar::new(cluster.api.client());
        Some(Self { cluster, registrar })
    }

    /// Registers, and waits until the API server goes by it.
    async fn register(&self, policies: &[Policy]) {
        let configurations = configurations(&self.cluster, policies, "token").await;
        self.registrar.write(&configurations).await.unwrap();
        let probe = pod("unanswered", "probe");
        let in_force = async || !self.passes(&self.cluster.api.create(&probe, Run::Dry).await.unwrap());
        portreeve_tests::server::until("the registration is in force", in_force).await.unwrap();
    }

    /// Whether nobody was asked.
    fn passes(&self, answer: &Answer) -> bool {
        match answer {
            Answer::Done { .. } => true,
            Answer::Refused(refusal) => {
                assert!(refusal.message.contains("portreeve.dev"), "refused for something else: {refusal}");
                false
            }
        }
    }

    async fn created(&self, object: &Value) -> bool {
        self.passes(&self.cluster.api.create(object, Run::Real).await.unwrap())
    }

    async fn merged(&self, object: &Value, patch: &Value) -> bool {
        self.passes(&self.cluster.api.merge(object, patch).await.unwrap())
    }

    /// What kubectl says of a pod that this user creates.
    fn created_by(&self, user: &str, group: &str, name: &str) -> Result<String, String> {
        let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
        std::fs::write(file.path(), pod("unanswered", name).to_string()).unwrap();
        let command =
            format!("--as={user} --as-group={group} --as-group=system:masters create -f {}", file.path().display());
        self.cluster.kubectl.run(&command).map_err(|complaint| complaint.complaint)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Of a cluster that was given, the namespaces could not go otherwise.
        let kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations";
        let _ = self.cluster.kubectl.run(&format!("delete --ignore-not-found {kinds} {NAME}"));
        let _ = self.cluster.kubectl.run("delete --ignore-not-found node unanswered");
        let _ = self.cluster.kubectl.run("delete --ignore-not-found clusterpolicy.portreeve.dev mended");
    }
}

fn pod(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [{"name": "a", "image": "web:1"}]},
    })
}

fn deployment(name: &str) -> Value {
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "unanswered"},
        "spec": {"selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "a", "image": "web:1"}]},
        }},
    })
}

#[tokio::test]
async fn workloads_that_are_there_live_on_and_new_templates_are_asked_about() {
    let Some(scene) = Scene::start().await else { return };
    let (old, owned) = (deployment("old"), pod("unanswered", "old"));
    let mut held = pod("unanswered", "held");
    held["metadata"]["finalizers"] = json!(["example.org/hold"]);
    for object in [&old, &owned, &held] {
        assert!(scene.created(object).await);
    }
    scene.cluster.api.delete(&held).await.unwrap();
    scene.register(&[of_templates()]).await;

    assert!(scene.merged(&old, &json!({"spec": {"replicas": 3}})).await, "scaled");
    assert!(scene.merged(&old, &json!({"metadata": {"annotations": {"a": "b"}}})).await, "annotated");
    assert!(scene.merged(&owned, &json!({"metadata": {"labels": {"a": "b"}}})).await, "labelled");
    assert!(scene.merged(&held, &json!({"metadata": {"finalizers": null}})).await, "its finalizers taken away");
    assert!(scene.passes(&scene.cluster.api.delete(&owned).await.unwrap()), "deleted");

    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "web:2"}]}}}});
    assert!(!scene.merged(&old, &image).await, "another image");
    assert!(!scene.created(&deployment("new")).await);
    assert!(!scene.created(&pod("unanswered", "new")).await);
}

#[tokio::test]
async fn with_the_platform_profile_workloads_that_are_there_live_on_too() {
    let Some(scene) = Scene::start().await else { return };
    let (old, mut owned) = (deployment("old"), deployment("old-1"));
    owned["kind"] = json!("ReplicaSet");
    for object in [&old, &owned] {
        assert!(scene.created(object).await);
    }
    let set = loader().unwrap().load(&Sources::of_builtin(platform())).unwrap();
    scene.register(set.policies()).await;

    assert!(scene.merged(&old, &json!({"metadata": {"annotations": {"a": "b"}}})).await, "annotated");
    assert!(scene.merged(&old, &json!({"metadata": {"labels": {"a": "b"}}})).await, "labelled");
    assert!(scene.merged(&old, &json!({"metadata": {"finalizers": ["example.org/hold"]}})).await, "held");
    assert!(scene.merged(&old, &json!({"metadata": {"finalizers": null}})).await, "let go");
    let kubectl = |command: &str| scene.cluster.kubectl.run(&format!("-n unanswered {command}"));
    kubectl("scale deployment old --replicas=3").unwrap();
    let scaled = r#"patch replicaset old-1 --type=merge -p {"spec":{"replicas":3}}"#;
    let controller = "--as=system:serviceaccount:kube-system:deployment-controller --as-group=system:masters";
    kubectl(&format!("{controller} {scaled}")).unwrap();
    kubectl(&scaled.replace('3', "4")).unwrap_err();
    assert!(!scene.merged(&old, &json!({"spec": {"replicas": 5}})).await, "replicas in the object itself");
}

#[tokio::test]
async fn nobody_asks_us_about_ourselves_nodes_or_namespaces_that_are_excluded() {
    let Some(scene) = Scene::start().await else { return };
    scene.register(&[of_templates()]).await;
    for excluded in [pod("kube-system", "network"), pod("portreeve", "replica")] {
        assert!(scene.passes(&scene.cluster.api.create(&excluded, Run::Dry).await.unwrap()), "{excluded}");
    }
    assert!(scene.created_by("system:node:a", "system:nodes", "mirror").is_ok());
    assert!(scene.created_by(USER, "system:serviceaccounts", "ours").is_ok());
    let refusal = scene.created_by("somebody", "people", "theirs").unwrap_err();
    assert!(refusal.contains("failed calling webhook \"mutate.portreeve.dev\""), "{refusal}");
}

#[tokio::test]
async fn the_doctor_knows_the_namespaces_that_there_are() {
    let Some(scene) = Scene::start().await else { return };
    let namespaces = namespaces(scene.cluster.api.client()).await.unwrap();
    assert_eq!(namespaces["unanswered"]["kubernetes.io/metadata.name"], "unanswered");
    assert!(namespaces.contains_key("kube-system"));
}

#[tokio::test]
async fn a_policy_of_everything_holds_up_nothing_that_a_cluster_comes_back_by() {
    let Some(scene) = Scene::start().await else { return };
    let _definitions = Definitions::apply(&scene.cluster.kubectl);
    scene.register(&[of_everything()]).await;
    let meta = |name: &str| json!({"name": name, "namespace": "unanswered"});
    for spared in [
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta("a"), "spec": {}}),
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "unanswered"}}),
        json!({"apiVersion": "v1", "kind": "Event", "metadata": meta("a"), "involvedObject": {"namespace": "unanswered"}}),
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {}, "spec": {"token": "a"}}),
        json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {},
            "spec": {"user": "a", "resourceAttributes": {"verb": "get", "resource": "pods"}},
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta("a"),
            "addressType": "IPv4", "endpoints": [],
        }),
        json!({
            "apiVersion": "portreeve.dev/v1alpha1", "kind": "ClusterPolicy", "metadata": {"name": "mended"},
            "spec": {"module": {"builtin": "seccomp"}, "mode": "off"},
        }),
    ] {
        assert!(scene.created(&spared).await, "{spared}");
    }
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("a")});
    assert!(!scene.created(&map).await, "what nothing comes back by is asked about");
}
