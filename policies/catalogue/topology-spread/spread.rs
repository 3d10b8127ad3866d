//! A workload as the scheduler will see it: how many pods, under which selector, and what its author said of their
//! places; and the constraint that suits it. When it is written is told in `policy`.

use portreeve_sdk::Case;
use portreeve_sdk::view::Pod;
use serde_json::{Map, Value, json};

use super::settings::{Constraint, WhenUnsatisfiable};
use super::{OLD_ZONE, ZONE};
use crate::label_selector::LabelSelector;

/// Where constraints stand in the template.
pub(super) const FIELD: &str = "/spec/topologySpreadConstraints";

/// The label by which a Deployment tells the pods of one rollout from those of the next.
const ROLLOUT: &str = "pod-template-hash";

/// A workload that keeps a number of pods.
pub(super) struct Workload {
    kind: String,
    /// As many as the object says; one if it does not say.
    pub(super) replicas: u64,
    selector: Value,
    asks_by_rollout: bool,
    keeps_volumes: bool,
}

impl Workload {
    /// The workload of a request; none without a selector that takes its own pods, which the API server will refuse.
    pub(super) fn read(case: &Case<'_>, kind: String) -> Option<Self> {
        let pod = case.pod()?;
        let object = case.request();
        let selector = object.read("/spec/selector")?;
        let own = LabelSelector::read(&selector)?;
        if own.is_empty() || !own.takes(|label| pod.label(label)) {
            return None;
        }
        let claims = object.read("/spec/volumeClaimTemplates");
        Some(Self {
            kind,
            replicas: object.read("/spec/replicas").and_then(|replicas| replicas.as_u64()).unwrap_or(1),
            selector,
            asks_by_rollout: own.names(ROLLOUT),
            keeps_volumes: claims.is_some_and(|claims| !is_empty(&claims))
                || case.volumes().iter().any(|volume| volume.source == "persistentVolumeClaim"),
        })
    }

    /// Whether the author said where the pods go: by constraints or an anti-affinity over zones for these pods, by an
    /// affinity over zones, or by choosing the zone.
    pub(super) fn chose_its_places(&self, case: &Case<'_>) -> bool {
        let chose_zone = |pod: &Pod| pod.node_selector.iter().any(|entry| is_zone(&entry.name));
        let is_own = |term: &Value| case.pod().is_some_and(|pod| counts(term, pod));
        items(case.read(FIELD).as_ref()).any(is_own)
            || case.pod().is_some_and(chose_zone)
            || case.read("/spec/affinity").is_some_and(|affinity| chooses_zone(&affinity, is_own))
    }

    /// Whether constraints were written of which none counts the workload's own pods: such a one spreads nothing.
    pub(super) fn has_idle_constraints(case: &Case<'_>) -> bool {
        items(case.read(FIELD).as_ref()).next().is_some()
    }

    /// The constraint with what the API server wants beside it.
    pub(super) fn constraint(&self, constraint: &Constraint) -> Value {
        let when = match constraint.when_unsatisfiable {
            WhenUnsatisfiable::DoNotSchedule if self.keeps_volumes => WhenUnsatisfiable::ScheduleAnyway,
            written => written,
        };
        let mut fields = Map::from_iter([
            ("maxSkew".to_owned(), json!(constraint.max_skew)),
            ("topologyKey".to_owned(), json!(constraint.topology_key)),
            ("whenUnsatisfiable".to_owned(), json!(when.name())),
            ("labelSelector".to_owned(), self.selector.clone()),
        ]);
        if self.is_counted_by_rollout() {
            fields.insert("matchLabelKeys".to_owned(), json!([ROLLOUT]));
        }
        if when == WhenUnsatisfiable::DoNotSchedule {
            // Else an empty zone that the pod may not go to keeps it waiting for ever.
            fields.insert("nodeTaintsPolicy".to_owned(), json!("Honor"));
        }
        Value::Object(fields)
    }

    /// The pods of the rollout before would count and leave the new ones unevenly spread. A key that is in the selector
    /// already is refused.
    fn is_counted_by_rollout(&self) -> bool {
        self.kind == "Deployment" && !self.asks_by_rollout
    }
}

/// Whether an affinity is about zones. One away from pods has to be away from these.
fn chooses_zone(affinity: &Value, is_own: impl Fn(&Value) -> bool) -> bool {
    let away = affinity.get("podAntiAffinity");
    let required = items(away.and_then(|away| away.get("requiredDuringSchedulingIgnoredDuringExecution")));
    let preferred = items(away.and_then(|away| away.get("preferredDuringSchedulingIgnoredDuringExecution")));
    let mut terms = required.chain(preferred.filter_map(|preferred| preferred.get("podAffinityTerm")));
    terms.any(|term| names_zone(term) && is_own(term))
        || ["podAffinity", "nodeAffinity"].iter().filter_map(|kind| affinity.get(kind)).any(names_zone)
}

/// Whether a constraint or a term is about pods with these labels. Without a selector it is about none; of the keys
/// beside it, those of `mismatchLabelKeys` keep it from the pods that are alike.
fn counts(term: &Value, pod: &Pod) -> bool {
    let selector = term.get("labelSelector").and_then(LabelSelector::read);
    selector.is_some_and(|selector| selector.takes(|label| pod.label(label)))
        && items(term.get("mismatchLabelKeys")).next().is_none()
}

/// Whether a term is about zones: towards or away from pods (`topologyKey`), or towards nodes (`key`).
fn names_zone(affinity: &Value) -> bool {
    match affinity {
        Value::Object(fields) => fields.iter().any(|(name, value)| match value.as_str() {
            Some(text) => ["topologyKey", "key"].contains(&name.as_str()) && is_zone(text),
            None => names_zone(value),
        }),
        Value::Array(items) => items.iter().any(names_zone),
        _ => false,
    }
}

fn is_zone(label: &str) -> bool {
    label == ZONE || label == OLD_ZONE
}

fn is_empty(list: &Value) -> bool {
    items(Some(list)).next().is_none()
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}
