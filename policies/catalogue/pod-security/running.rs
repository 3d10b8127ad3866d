//! The pods that run in a namespace while it is tightened: which of them would fall foul of the new level. Nothing here
//! denies; the words are warnings.

use std::collections::{BTreeMap, HashSet};

use portreeve_sdk::fact::{Fact, RunningPods};
use serde::Deserialize;

use super::settings::Exemptions;
use super::spec::Spec;
use super::standard::Demand;
use super::words::{Fault, plural, remedies};

/// The most pods that are looked at.
const MOST: usize = 3000;

/// The fact `running-pods`, read no further than the checks look: a namespace may hold thousands.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Running(Vec<RunningPod>);

#[derive(Debug, Deserialize)]
struct RunningPod {
    name: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    /// The uid of its controller.
    controller: Option<String>,
    spec: Spec,
}

impl Fact for Running {
    const KIND: &'static str = RunningPods::KIND;
}

/// A warning.
pub(super) struct Warning {
    pub(super) message: String,
    pub(super) remedy: String,
}

/// Pods that are wrong in the same way.
struct Alike {
    /// The first in the order of the alphabet.
    first: String,
    count: usize,
    remedy: String,
}

impl Running {
    /// What the pods lack by a new demand of their namespace: those that lack the same are told together.
    pub(super) fn warnings(self, namespace: &str, demand: Demand, exempt: &Exemptions) -> Vec<Warning> {
        let pods = self.in_order_of_worth(exempt);
        let (looked_at, all) = (pods.len().min(MOST), pods.len());
        let mut warnings = Vec::new();
        if looked_at < all {
            warnings.push(Warning {
                message: format!(
                    "new PodSecurity enforce level only checked against the first {looked_at} of {all} existing pods"
                ),
                remedy: "look after the others yourself".into(),
            });
        }
        let alike = alike(pods.into_iter().take(MOST), demand);
        if !alike.is_empty() {
            warnings.push(Warning {
                message: format!(
                    "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level \"{demand}\""
                ),
                remedy: "mend them before they are made anew, which will be denied".into(),
            });
        }
        let mut told: Vec<_> = alike.into_iter().map(|(reason, pods)| pods.told(&reason)).collect();
        told.sort_by(|one, other| one.message.cmp(&other.message));
        warnings.extend(told);
        warnings
    }

    /// One pod of each controller first, then its twins; exempt ones left out.
    fn in_order_of_worth(self, exempt: &Exemptions) -> Vec<RunningPod> {
        let mut seen = HashSet::new();
        let judged = self.0.into_iter().filter(|pod| !exempt.take_runtime_class(pod.spec.runtime_class()));
        let (first, twins): (Vec<_>, Vec<_>) =
            judged.partition(|pod| pod.controller.as_ref().is_none_or(|controller| seen.insert(controller.clone())));
        first.into_iter().chain(twins).collect()
    }
}

/// Pods that fall foul of the demand, by the reasons.
fn alike(pods: impl Iterator<Item = RunningPod>, demand: Demand) -> BTreeMap<String, Alike> {
    let mut alike: BTreeMap<String, Alike> = BTreeMap::new();
    for pod in pods {
        let spec = pod.spec.annotated(pod.annotations);
        let template = spec.template();
        let faults: Vec<Fault> = demand.faults(|_| &template).map(|(_, fault)| fault).collect();
        if faults.is_empty() {
            continue;
        }
        let reasons: Vec<_> = faults.iter().map(|fault| fault.reason.as_str()).collect();
        let group = alike.entry(reasons.join(", ")).or_insert_with(|| Alike {
            first: pod.name.clone(),
            count: 0,
            remedy: remedies(&faults),
        });
        group.count = group.count.saturating_add(1);
        if pod.name < group.first {
            group.first = pod.name;
        }
    }
    alike
}

impl Alike {
    fn told(self, reason: &str) -> Warning {
        let first = self.first;
        let others = self.count.saturating_sub(1);
        let message = match others {
            0 => format!("{first}: {reason}"),
            _ => format!("{first} (and {others} other {}): {reason}", plural(others, "pod", "pods")),
        };
        Warning { message, remedy: self.remedy }
    }
}
