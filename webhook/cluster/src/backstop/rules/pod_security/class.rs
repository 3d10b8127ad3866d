//! Classes of workloads with a level of their own, and by what a pod is known to belong to one.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Deserialize;

use super::Level;
use crate::backstop::cel::{all, any, field_or, globs, text};
use crate::backstop::image::ImagePatterns;
use crate::backstop::left_out::Why;
use crate::backstop::select::{has_labels, runs_as};
use crate::backstop::subject::Side;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "the name is for people")]
pub(super) struct Class {
    name: String,
    when: When,
    pub(super) level: Level,
    #[serde(default)]
    version: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct When {
    requests_gpu: Option<bool>,
    labels: BTreeMap<String, String>,
    service_accounts: Vec<String>,
    images: Vec<String>,
}

/// How a GPU is asked for.
pub(super) struct Gpus {
    resources: String,
    claims: Option<String>,
}

/// The extended resources of the vendors that most clusters have: those of the catalogue.
pub(super) fn usual_gpus() -> Vec<String> {
    [
        "nvidia.com/gpu",
        "nvidia.com/gpu.shared",
        "nvidia.com/mig-*",
        "amd.com/gpu",
        "gpu.intel.com/*",
        "deviceclass.resource.kubernetes.io/gpu.*",
        "deviceclass.resource.kubernetes.io/mig.*",
    ]
    .map(str::to_owned)
    .into()
}

impl Gpus {
    pub(super) fn of(resources: &[String], claims: &[String]) -> Self {
        let patterns = |list: &[String]| globs(list.iter().map(String::as_str));
        Self { resources: patterns(resources), claims: (!claims.is_empty()).then(|| patterns(claims)) }
    }

    /// Whether the pod asks for one, by a resource of its own or of a container, or by a claim.
    fn are_asked_for(&self, side: Side) -> String {
        let amounts = |holder: &str, list: &str| {
            let amounts = field_or(holder, &format!("resources.{list}"), "{}");
            let named = text(&self.resources);
            format!(
                "{amounts}.exists(k, k.matches({named}) && quantity(string({amounts}[k])).isGreaterThan(quantity('0')))"
            )
        };
        let of_any = |holder: &str| any(["limits", "requests"].map(|list| amounts(holder, list)));
        let by_containers = format!("{}.exists(i, {})", side.containers(), of_any("i"));
        let claimed = self.claims.as_ref().map(|claims| {
            let names = ["resourceClaimName", "resourceClaimTemplateName"]
                .map(|name| format!("r.?{name}.orValue('').matches({})", text(claims)));
            format!("{}.?resourceClaims.orValue([]).exists(r, {})", side.spec(), any(names))
        });
        any([of_any(&side.spec()), by_containers].into_iter().chain(claimed))
    }
}

impl When {
    fn takes(&self, images: Option<&ImagePatterns>, gpus: &Gpus, side: Side) -> String {
        let gpu = self.requests_gpu.map(|wanted| match wanted {
            true => gpus.are_asked_for(side),
            false => format!("!{}", gpus.are_asked_for(side)),
        });
        let account = (!self.service_accounts.is_empty()).then(|| runs_as(side, &self.service_accounts));
        let images = images.map(|images| format!("{}.all(i, {})", side.containers(), images.take("i.image")));
        all(gpu.into_iter().chain(account).chain(images).chain(has_labels(side, &self.labels)))
    }
}

/// The level that a pod has to meet: that of the first class that it belongs to, else the usual one.
pub(super) fn levels(
    classes: &[Class],
    usual: Level,
    version: &str,
    gpus: Rc<Gpus>,
) -> Result<impl Fn(Side) -> String + use<>, Why> {
    let mut known = Vec::new();
    for Class { when, level, version: own, .. } in classes {
        if own.as_ref().is_some_and(|own| own != version) {
            return Err(Why::setting("classes.version", "one policy of the API server has the rules of one release"));
        }
        known.push((ImagePatterns::read("classes.when.images", &when.images)?, when.clone(), *level));
    }
    Ok(move |side| {
        let usual = text(usual.name());
        known.iter().rev().fold(usual, |otherwise, (images, when, level)| {
            format!("({} ? {} : {otherwise})", when.takes(images.as_ref(), &gpus, side), text(level.name()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backstop::tests::quoted;

    #[test]
    fn the_usual_gpus_are_those_of_the_catalogue() {
        let catalogue = include_str!("../../../../../../policies/catalogue/src/devices.rs");
        assert_eq!(quoted(catalogue, "fn usual_resources", "]"), usual_gpus());
    }
}
