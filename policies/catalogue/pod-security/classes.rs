//! Classes of workloads with a level of their own, and by what a pod is known to belong to one.

use std::collections::BTreeMap;

use portreeve_sdk::Case;
use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::view::Pod;
use serde::Deserialize;

use super::standard::{Demand, Level, Version};
use crate::devices::Devices;
use crate::exact::Exact;
use crate::service_account::ServiceAccount;
use crate::trust::name_somebody;

/// A class of workloads with a level of its own.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Class {
    /// A name for people.
    pub(super) name: String,
    /// Who belongs to it: all of what is written has to hold.
    when: When,
    /// The level that its pods have to meet.
    level: Level,
    /// Which release's rules, where they are not those of the other pods.
    #[serde(default)]
    version: Option<Version>,
}

/// By what a pod is known to belong to a class.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct When {
    /// Whether it asks for a GPU, by an extended resource or by a resource claim that counts as one.
    requests_gpu: Option<bool>,
    /// Labels of the pod template. What asks for less than usual can't rest on labels alone: anybody can write them.
    labels: BTreeMap<String, Exact>,
    /// Service accounts, one of which it runs as, written `namespace/name`: the name alone could be made in any
    /// namespace.
    service_accounts: Vec<ServiceAccount>,
    /// Images; every container's is one of them.
    images: Vec<ImagePattern>,
}

impl Class {
    /// What is asked of its pods, where `usual` is asked of the others.
    pub(super) fn demand(&self, usual: Demand) -> Demand {
        Demand { level: self.level, version: self.version.unwrap_or(usual.version) }
    }

    /// Why it makes no sense, if it makes none. Another version than the usual one may ask for less, too.
    pub(super) fn check(&self, usual: Demand) -> Result<(), &'static str> {
        if self.when.is_empty() {
            return Err("nothing is written by which a pod would belong to the class");
        }
        if self.demand(usual).covers(usual) || self.when.rests_on_more_than_words() {
            return Ok(());
        }
        Err("a level or version below the usual one can't rest on what anybody can write, such as labels: add \
             requestsGpu, serviceAccounts or images that not every pod has")
    }

    /// Whether the pod belongs.
    pub(super) fn takes(&self, case: &Case<'_>, pod: &Pod, gpus: &Devices) -> bool {
        let when = &self.when;
        let containers = case.containers();
        let asked = || gpus.asked_for(pod, containers) || gpus.claimed(case, pod);
        when.labels.iter().all(|(name, value)| pod.label(name) == Some(value.as_str()))
            && (when.service_accounts.is_empty() || ServiceAccount::any(&when.service_accounts, case, pod))
            && (when.images.is_empty()
                || containers.iter().all(|container| ImagePattern::any(&when.images, &container.image)))
            && when.requests_gpu.is_none_or(|wanted| wanted == asked())
    }
}

impl When {
    fn is_empty(&self) -> bool {
        self.requests_gpu.is_none()
            && self.labels.is_empty()
            && self.service_accounts.is_empty()
            && self.images.is_empty()
    }

    fn rests_on_more_than_words(&self) -> bool {
        self.requests_gpu == Some(true)
            || !self.service_accounts.is_empty()
            || name_somebody(self.images.iter().map(ImagePattern::as_str))
    }
}
