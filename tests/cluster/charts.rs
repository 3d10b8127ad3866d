//! The charts on a real API server: every object that they make is one that it takes, and of the server's chart an
//! upgrade changes nothing and nothing stays behind. What the charts come to with the program in front, that of the
//! platforms and that of the server, is in `webhook/cli/tests/in_cluster`.

use std::collections::BTreeSet;

use portreeve_cluster::registration::{Configurations, Endpoint};
use portreeve_tests::api_server::{Answer, Run};
use portreeve_tests::control_plane::place::{DEFINITIONS, OF_OPERATORS};
use portreeve_tests::control_plane::{Controllers, beside};
use portreeve_tests::helm::{Helm, Installation};
use portreeve_tests::platform::{named, state};
use portreeve_tests::server::Wire;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::definitions::Definitions;
use crate::unanswered::{configurations_at, of_templates};

/// The kinds of operators that our charts make objects of, as far as the cluster knows them.
///
/// A cluster of our own learns them from the operators' definitions. One that is given is left as it is, and its
/// operators' objects are not looked at.
fn groups_unknown(cluster: &Cluster) -> Vec<&'static str> {
    let definitions = beside(DEFINITIONS).unwrap().filter(|_| !cluster.is_given());
    let Some(folder) = definitions else {
        println!("skipped: objects of operators' kinds. `cargo xtask assets` has their definitions");
        return groups().collect();
    };
    cluster.kubectl.run(&format!("apply --server-side -f {}", folder.display())).unwrap();
    cluster.kubectl.run("wait --for=condition=Established --timeout=60s crd --all").unwrap();
    Vec::new()
}

/// Their groups, with which the files of their definitions begin.
fn groups() -> impl Iterator<Item = &'static str> {
    OF_OPERATORS.iter().flat_map(|defined| defined.files).filter_map(|file| Some(file.split_once('_')?.0))
}

/// Values under which the server's chart makes what no values file has it make.
fn beside_the_files() -> Vec<Installation> {
    let issued = "certificate.source=cert-manager,certificate.certManager.issuerRef.name=ca";
    vec![Installation::of_server(Some("prod")).with(issued)]
}

/// A release, until it is dropped.
struct Release<'c> {
    cluster: &'c Cluster,
    helm: &'c Helm,
    installation: Installation,
}

impl<'c> Release<'c> {
    fn install(cluster: &'c Cluster, helm: &'c Helm, installation: Installation) -> Self {
        helm.install(&installation).unwrap();
        Self { cluster, helm, installation }
    }

    fn upgrade(&self) {
        self.helm.upgrade(&self.installation).unwrap();
    }
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        // A cluster that was given goes on without it; of one of our own nothing stays anyway, and nobody empties
        // namespaces.
        if self.cluster.is_given()
            && let Err(fault) = self.helm.uninstall(&self.installation)
        {
            println!("{} stays: {fault}", self.installation.release);
        }
    }
}

/// A cluster and helm for it; none, and a word about it, where one of them is missing.
async fn start() -> Option<(Cluster, Helm)> {
    let Some(helm) = Helm::find().unwrap() else {
        println!("skipped: no helm. `cargo xtask assets` builds one, or put one on the path");
        return None;
    };
    let cluster = Cluster::start(Controllers::Absent).await?;
    let helm = helm.at(&cluster.kubeconfig);
    Some((cluster, helm))
}

fn is_hook(object: &Value) -> bool {
    object["metadata"]["annotations"]["helm.sh/hook"].is_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_of_every_values_file_is_one_that_the_api_server_takes() {
    let Some((cluster, helm)) = start().await else { return };
    let _definitions = Definitions::apply(&cluster.kubectl);
    let unknown = groups_unknown(&cluster);
    let (mut taken, mut of_operators) = (0, BTreeSet::new());
    for installation in Installation::all().unwrap().into_iter().chain(beside_the_files()) {
        let objects = helm.render(&installation).unwrap();
        let own = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": &installation.namespace}});
        for namespace in objects.iter().filter(|object| object["kind"] == "Namespace").chain([&own]) {
            cluster.make_namespace(namespace).await;
        }
        let group = |object: &Value| object["apiVersion"].as_str().unwrap().split('/').next().unwrap().to_owned();
        of_operators.extend(objects.iter().map(group).filter(|group| groups().any(|known| known == group)));
        for object in objects.iter().filter(|object| !unknown.contains(&group(object).as_str())) {
            if let Answer::Refused(refusal) = cluster.api.apply(object, Run::Dry).await.unwrap() {
                panic!("{} of {installation:?}: {refusal}", named(object));
            }
            taken += 1;
        }
    }
    assert!(groups().all(|group| of_operators.contains(group)), "nothing is made of a kind of {of_operators:?}");
    println!("{taken} objects");
}

/// Of our kinds, in the whole cluster, that the chart of the server makes.
const OF_THE_CLUSTER: &str = "clusterroles,clusterrolebindings,policysets -l app.kubernetes.io/instance=portreeve";

#[tokio::test(flavor = "multi_thread")]
async fn the_chart_of_the_server_is_installed_upgraded_without_a_change_and_goes_whole() {
    let Some((cluster, helm)) = start().await else { return };
    let _definitions = Definitions::apply(&cluster.kubectl);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "portreeve"}});
    cluster.make_namespace(&namespace).await;
    let in_cluster = || cluster.kubectl.run(&format!("get {OF_THE_CLUSTER} -o name")).unwrap();
    let release = Release::install(&cluster, &helm, Installation::of_server(None));
    assert!(in_cluster().contains("policyset.portreeve.dev/platform"), "{}", in_cluster());
    let standing = async || {
        let mut standing = Vec::new();
        for object in helm.render(&release.installation).unwrap().iter().filter(|object| !is_hook(object)) {
            let (object, _) = cluster.api.get(object).await.unwrap().done().unwrap();
            standing.push(state(&object));
        }
        standing
    };
    let installed = standing().await;
    release.upgrade();
    assert_eq!(standing().await, installed);
    helm.uninstall(&release.installation).unwrap();
    assert_eq!(in_cluster(), "");
    // What people wrote is not taken away with the server.
    cluster.kubectl.run("get crd clusterpolicies.portreeve.dev").unwrap();
}

/// A Service is called by a path that the API server checks more strictly than a URL.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_ours_is_one_that_the_path_of_a_service_may_have() {
    let Some(cluster) = Cluster::start(Controllers::Absent).await else { return };
    let webhook = Wire::start(&[], json!({"policies": null})).await.unwrap();
    let service = Endpoint::Service { namespace: "portreeve".to_owned(), name: "portreeve".to_owned(), port: 443 };
    let Configurations { mutating, validating } =
        configurations_at(service, &cluster, &[of_templates()], &webhook.token).await;
    for (kind, configuration) in [("Mutating", json!(mutating)), ("Validating", json!(validating))] {
        let (taken, _) = cluster.api.create(&configuration, Run::Dry).await.unwrap().done().unwrap();
        let path = taken.pointer("/webhooks/0/clientConfig/service/path").and_then(Value::as_str).unwrap();
        assert!(path.ends_with(&webhook.token), "{kind}: {path}");
    }
}
