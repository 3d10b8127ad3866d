//! What is made of containers that a mesh adds: they have to set up the pod's traffic as root with NET_ADMIN, which
//! neither baseline nor restricted allows. Only that is let pass, only by our own settings, and only for images that
//! are known: what the namespace's label asks is asked of them too.

use portreeve_sdk::Verdict;
use portreeve_sdk::view::Container;

use super::baseline::DEFAULT_CAPABILITIES;
use super::demands::Faults;
use super::standard::{Demand, Template};
use crate::injected::{Injected, Judgement, TRAFFIC};

/// Checks that such a container can't meet, by their ids.
const UNMET: [&str; 4] = ["capabilities_baseline", "capabilities_restricted", "runAsNonRoot", "runAsUser"];

/// A template with the containers of its mesh set apart.
pub(super) struct Parted<'a> {
    whole: &'a Template<'a>,
    /// The template without them.
    own: Template<'a>,
    /// The template with nothing but them.
    mesh: Template<'a>,
}

impl<'a> Parted<'a> {
    pub(super) fn of(whole: &'a Template<'a>, injected: &Injected) -> Self {
        let is_mesh = |container: &&Container| {
            injected.knows(container)
                && injected.judge(container) != Judgement::Deny
                && asks_for_traffic_alone(container)
        };
        let (mesh, own) = whole.containers.iter().copied().partition(is_mesh);
        Self { whole, own: Template { containers: own, ..*whole }, mesh: Template { containers: mesh, ..*whole } }
    }

    /// Whether there is no such container.
    pub(super) fn is_whole(&self) -> bool {
        self.mesh.containers.is_empty()
    }

    /// What is wrong with the whole template.
    pub(super) fn whole(&self, demand: Demand) -> Faults {
        demand.faults(|_| self.whole).collect()
    }

    /// What is wrong with it, what the mesh can't meet set aside.
    pub(super) fn eased(&self, demand: Demand) -> Faults {
        demand.faults(|check| if UNMET.contains(&check.id) { &self.own } else { self.whole }).collect()
    }

    /// Tells what was set aside, if it is to be told and the verdict does not hold it already.
    pub(super) fn tell(&self, demand: Demand, injected: &Injected, verdict: &mut Verdict) {
        let unmet = demand.faults(|_| &self.mesh).filter(|(check, _)| UNMET.contains(&check.id));
        for (check, place) in unmet.flat_map(|(check, fault)| fault.places.into_iter().map(move |place| (check, place)))
        {
            let holder =
                self.mesh.containers.iter().find(|container| Some(&container.name) == place.container.as_ref());
            let Some(container) = holder else { continue };
            let mut told = verdict.violations().iter();
            if told.any(|one| one.rule == check.rule && one.container == place.container) {
                continue;
            }
            if let Some(finding) = injected.judge(container).finding(verdict, check.rule) {
                finding.container(container).at(place.pointer).says(place.message).mend(place.remedy);
            }
        }
    }
}

fn asks_for_traffic_alone(container: &Container) -> bool {
    let allowed = |name: &String| TRAFFIC.contains(&name.as_str()) || DEFAULT_CAPABILITIES.contains(&name.as_str());
    container.added_capabilities().iter().all(allowed)
}
