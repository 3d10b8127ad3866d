//! Replicas are spread over the zones of the cluster, where it has more than one, so that they don't all go with one.
//! What the author wrote about zones stands.
//!
//! What is written into a workload is told in `spread`, what settings say in `settings`.

mod settings;
mod spread;

use portreeve_sdk::fact::Zones;
use portreeve_sdk::view::LogLevel;
use portreeve_sdk::{Can, Case, FactNeed, Manifest, Policy, SettingsError, Stop, Verdict};

pub(crate) use settings::Settings;
use spread::Workload;

use crate::exact::Exact;

/// Label of nodes that says their zone.
const ZONE: &str = "topology.kubernetes.io/zone";
/// The same as clusters before 1.17 wrote it, and manifests still do.
const OLD_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
/// Label of nodes that says their name.
const NODE: &str = "kubernetes.io/hostname";

/// The policy.
pub(crate) struct TopologySpread {
    settings: Settings,
}

impl Policy for TopologySpread {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Spread over zones",
            description: "The replicas of a workload are spread over the zones of the cluster, where it has more than \
                          one, so that the loss of a zone is not the loss of the service. Workloads that say \
                          themselves where their pods go are left as they are.",
            can: Can::MUTATE,
            schema: include_str!("schema.json"),
            facts: &[FactNeed {
                kind: "zones",
                why: "only a cluster with two zones or more has something to spread over",
                required: false,
            }],
            controls: &["A1.1", "A1.2"],
            ..Manifest::new("topology-spread", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self { settings })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        let Some(workload) = self.replicated(case) else { return Ok(verdict) };
        if workload.chose_its_places(case) || !self.has_zones(case) {
            return Ok(verdict);
        }
        let (why, remedy) = match Workload::has_idle_constraints(case) {
            true => (
                ": the labelSelector of no topologySpreadConstraint takes the pod's own labels",
                "give it the pod's own labels".to_owned(),
            ),
            false => ("", format!("add a topologySpreadConstraint over {ZONE}")),
        };
        verdict
            .violation("unspread")
            .at(spread::FIELD)
            .says(format!("nothing spreads the {} replicas over zones{why}", workload.replicas))
            .mend(remedy);
        for constraint in &self.settings.constraints {
            let written = workload.constraint(constraint);
            verdict.append_unique("unspread", spread::FIELD, written, &["topologyKey", "whenUnsatisfiable"]);
        }
        Ok(verdict)
    }
}

impl TopologySpread {
    /// The workload, if it is one that is spread.
    fn replicated(&self, case: &Case<'_>) -> Option<Workload> {
        let kind = &case.request().kind().kind;
        if !Exact::any(&self.settings.kinds, kind) {
            return None;
        }
        Workload::read(case, kind.clone()).filter(|workload| workload.replicas >= self.settings.min_replicas)
    }

    /// Whether the cluster has zones to spread over. To spread is to prefer: where nobody knows, nothing is refused.
    fn has_zones(&self, case: &Case<'_>) -> bool {
        let known = match &self.settings.zones {
            Some(zones) => zones.len(),
            None => match case.fact::<Zones>("") {
                Ok(Zones(zones)) => zones.iter().collect::<std::collections::BTreeSet<_>>().len(),
                Err(missing) => {
                    case.log(LogLevel::Debug, &["the cluster's zones are not known: ", &missing.reason].concat());
                    0
                }
            },
        };
        known > 1
    }
}
