//! Containers that meshes add to pods after admission has seen them: they set up the node's rules for the pod's
//! traffic, and need root and NET_ADMIN for it. They are known by image. And images that a mesh chooses when a Pod
//! comes.

use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::view::{Container, Pod};
use portreeve_sdk::{Finding, Verdict};
use serde::Deserialize;

/// What stands for an image where Istio is to choose it: its injector puts one in its place at the Pod, as long as
/// nothing else was put there. Source: Istio's page on injection, and its chart for gateways.
const CHOSEN_BY_MESH: &str = "auto";
/// Annotation that names the injector's templates.
const TEMPLATES: &str = "inject.istio.io/templates";
/// Label, and annotation in older releases, that asks for the injector.
const ASKS: &str = "sidecar.istio.io/inject";

/// Whether this stands for an image that the mesh is yet to choose.
pub(crate) fn is_chosen_by_mesh(pod: &Pod, image: &str) -> bool {
    let asks = || [pod.label(ASKS), pod.annotation(ASKS)].contains(&Some("true"));
    image == CHOSEN_BY_MESH && (pod.annotation(TEMPLATES).is_some() || asks())
}

/// How containers that a mesh adds are judged.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Injected {
    /// What a fault of such a container is.
    judge: Judgement,
    /// Images of such containers, besides those of Istio, Linkerd, Kuma and Consul from their own registries: name
    /// your mirror here. Only images that nobody but you can push are safe to name.
    images: Vec<ImagePattern>,
}

/// What is made of a fault.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Judgement {
    /// A violation.
    Deny,
    /// An advisory: it is told and never denies.
    #[default]
    Warn,
    /// Nothing.
    Allow,
}

/// The images by which such containers are known. The names are whole, registry included: a pattern that took any
/// registry would let anyone pass who can name an image.
const KNOWN: [&str; 12] = [
    "docker.io/istio/proxyv2",
    "gcr.io/istio-release/proxyv2",
    "registry.istio.io/release/proxyv2",
    "docker.io/istio/install-cni",
    "cr.l5d.io/linkerd/proxy-init",
    "ghcr.io/linkerd/proxy-init",
    "docker.io/kumahq/kuma-init",
    "docker.io/kong/kuma-init",
    "docker.io/hashicorp/consul-k8s-control-plane",
    "mcr.microsoft.com/oss/istio/proxyv2",
    "mcr.microsoft.com/oss/openservicemesh/init",
    "public.ecr.aws/hashicorp/consul-k8s-control-plane",
];

/// Capabilities that a mesh's containers need to set up the traffic of a pod. Nothing beyond them is eased.
pub(crate) const TRAFFIC: [&str; 2] = ["NET_ADMIN", "NET_RAW"];

impl Injected {
    /// With the images that are known to everyone.
    pub(crate) fn with_known(mut self) -> Self {
        self.images.extend(KNOWN.into_iter().map(ImagePattern::from));
        self
    }

    /// What a fault of this container is: a violation for all that no mesh adds.
    pub(crate) fn judge(&self, container: &Container) -> Judgement {
        if ImagePattern::any(&self.images, &container.image) { self.judge } else { Judgement::Deny }
    }

    /// Whether a mesh adds this container, so that nothing is set on it.
    pub(crate) fn knows(&self, container: &Container) -> bool {
        ImagePattern::any(&self.images, &container.image)
    }
}

impl Judgement {
    /// The fault as that which this makes of it, to be described; none if it is nothing.
    pub(crate) fn finding<'v>(self, verdict: &'v mut Verdict, rule: &str) -> Option<Finding<'v>> {
        match self {
            Self::Deny => Some(verdict.violation(rule)),
            Self::Warn => Some(verdict.advisory(rule)),
            Self::Allow => None,
        }
    }
}
