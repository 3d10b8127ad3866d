//! What the settings of several policies have in common: images and service accounts that something is for, and
//! containers that a mesh adds.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cel::{all, any, globs, list, text};
use super::image::ImagePatterns;
use super::left_out::Why;
use super::subject::Side;

/// What is made of a fault.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Judgement {
    /// A violation.
    Deny,
    /// It is told and never denies.
    #[default]
    Warn,
    /// Nothing.
    Allow,
}

/// How containers that a mesh adds are judged.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Injected {
    judge: Judgement,
    images: Vec<String>,
}

/// The images by which such containers are known: those of the catalogue.
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

/// Capabilities that a mesh's containers need to set up the traffic of a pod.
pub(super) const TRAFFIC: [&str; 2] = ["NET_ADMIN", "NET_RAW"];

impl Injected {
    /// The containers whose faults deny nobody, by their images; none if all faults deny.
    ///
    /// # Errors
    /// If an image can't be said.
    pub(super) fn spared(&self) -> Result<Option<ImagePatterns>, Why> {
        if self.judge == Judgement::Deny {
            return Ok(None);
        }
        let known = KNOWN.map(str::to_owned);
        ImagePatterns::read("injected.images", &[&self.images[..], &known].concat())
    }
}

/// Containers that all of these describe.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Selector {
    images: Vec<String>,
    containers: Vec<String>,
    labels: BTreeMap<String, String>,
}

impl Selector {
    /// Whether a container of this side is one of them, worked out later for either side.
    ///
    /// # Errors
    /// If an image can't be said.
    pub(super) fn takes(&self, at: &'static str) -> Result<impl Fn(Side) -> String + use<>, Why> {
        let images = ImagePatterns::read(at, &self.images)?;
        let Self { containers, labels, .. } = self.clone();
        Ok(move |side: Side| {
            let container = side.container();
            let image = images.as_ref().map(|images| images.take(&format!("{container}.image")));
            let names = containers.iter().map(String::as_str);
            let name = (!containers.is_empty()).then(|| format!("{container}.name.matches({})", text(&globs(names))));
            all(image.into_iter().chain(name).chain(has_labels(side, &labels)))
        })
    }
}

/// Whether the template has all of these labels, each for itself.
pub(super) fn has_labels(side: Side, labels: &BTreeMap<String, String>) -> Vec<String> {
    let map = side.labels();
    let has = |(name, value): (&String, &String)| {
        format!("({name} in {map} && {map}[{name}] == {value})", name = text(name), value = text(value))
    };
    labels.iter().map(has).collect()
}

/// Whether the pod runs as one of these accounts, written `namespace/name`.
pub(super) fn runs_as(side: Side, accounts: &[String]) -> String {
    let listed = list(accounts.iter().map(String::as_str));
    format!("(request.namespace + '/' + {}) in {listed}", side.account())
}

/// What a container of this side adds to its capabilities.
pub(super) fn added(side: Side) -> String {
    format!("{}.?securityContext.?capabilities.?add.orValue([])", side.container())
}

/// Whether it drops some capabilities by a list of its own, and not all of them.
pub(super) fn drops_too_few(side: Side) -> String {
    let drop = format!("{}.?securityContext.?capabilities.?drop.orValue([])", side.container());
    format!("({drop}.size() > 0 && !('ALL' in {drop}))")
}

/// Whether all capabilities that it adds are among these.
pub(super) fn adds_only(side: Side, allowed: &[&str]) -> String {
    format!("{}.all(a, a in {})", added(side), list(allowed.iter().copied()))
}

/// Whether its image is taken by any of these patterns; by none if there are none.
pub(super) fn is_one_of(side: Side, images: Option<&ImagePatterns>) -> String {
    any(images.map(|images| images.take(&format!("{}.image", side.container()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backstop::tests::quoted;

    #[test]
    fn the_images_of_meshes_are_those_of_the_catalogue() {
        let catalogue = include_str!("../../../../policies/catalogue/src/injected.rs");
        assert_eq!(quoted(catalogue, "const KNOWN", "];"), KNOWN);
    }
}
