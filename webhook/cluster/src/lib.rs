//! Kubernetes, on the server's behalf: the definitions of our resources, what is registered with an API server and what
//! is read from one. Nothing is decided here, and nothing here knows how a policy is run.
//!
//! - [`connection`]: the way to an API server.
//! - [`crd`]: the definitions of `portreeve.dev/v1alpha1`, made from the types of `portreeve_admission::api`.
//! - [`resources`]: our resources as they stand in a cluster; [`status`]: what they say of themselves, and [`report`]
//!   writes it there.
//! - [`surroundings`]: namespaces, and other objects that policies know of.
//! - [`certificates`]: our own CA and path tokens in a Secret.
//! - [`election`]: the lease for what only one replica may do.
//! - [`registration`]: the two webhook entries, worked out from the policies in force, and what they would hold up.
//! - [`backstop`]: what of the policies holds inside the API server while no webhook answers.
//! - [`registrar`]: keeps them in a cluster; [`discovery`] asks the cluster which kinds it serves.
//! - [`evidence`]: what the books were proved to be, kept outside of them.
//! - [`proof`]: what a cluster comes back by, tried on the cluster itself.
//! - [`scan`]: goes through the objects that are there already and has them judged; [`reports`]: what came of it, where
//!   people and dashboards read it; [`events`]: what was denied and warned of, where owners of workloads see it.

pub mod backstop;
pub mod certificates;
pub mod connection;
pub mod crd;
mod deadline;
pub mod discovery;
pub mod election;
pub mod events;
pub mod evidence;
mod pages;
pub mod proof;
pub mod refusal;
pub mod registrar;
pub mod registration;
pub mod report;
pub mod reports;
pub mod resources;
pub mod rotation;
pub mod scan;
pub mod status;
pub mod surroundings;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ApiResource;
use portreeve_admission::case::GroupVersionKind;
use portreeve_admission::kinds::resource;

/// By which a person, and `uninstall`, knows that we wrote it.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "portreeve");

/// Who we are in server-side apply.
const FIELD_MANAGER: &str = "portreeve";

/// An error as tracing shows it with all that led to it.
fn with_causes<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    error
}

/// How an API server is asked for the objects of a kind, by the resource that Kubernetes makes of its name.
fn api_resource(kind: &GroupVersionKind) -> ApiResource {
    let named = kube::api::GroupVersionKind::gvk(&kind.group, &kind.version, &kind.kind);
    ApiResource::from_gvk_with_plural(&named, &resource(kind).resource)
}

/// Metadata of an object that we write.
fn metadata_of_ours(name: &str) -> ObjectMeta {
    let (label, value) = MANAGED_BY;
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some([(label.to_owned(), value.to_owned())].into()),
        ..ObjectMeta::default()
    }
}
