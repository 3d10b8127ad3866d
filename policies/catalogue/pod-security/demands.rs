//! What is wrong with a pod by two demands at once, our own and that of its namespace's label: every fault is told
//! once. What a single demand holds is in `standard`.

use super::mesh::Parted;
use super::standard::{Check, Demand};
use super::words::{Fault, Place};

/// What the checks of one demand find.
pub(super) type Faults = Vec<(&'static Check, Fault)>;

/// What is wrong by our own demand and by the label's, the stricter one first. What one demand holds is not asked again
/// by the other, unless ours was eased for a mesh.
pub(super) fn of_both(parted: &Parted<'_>, own: Demand, label: Option<Demand>) -> Vec<(Demand, Faults)> {
    let mut all: Vec<(Demand, Faults)> = Vec::new();
    if !label.is_some_and(|label| label.covers(own)) {
        all.push((own, parted.eased(own)));
    }
    // Where both ask the same, the label speaks for both.
    let label_speaks = |label: &Demand| label.covers(own) || !own.covers(*label) || !parted.is_whole();
    if let Some(label) = label.filter(label_speaks) {
        let place = if label.level > own.level { 0 } else { all.len() };
        all.insert(place, (label, parted.whole(label)));
    }
    told_once(&mut all);
    all
}

/// Leaves out of each demand what those before it told. A fault of which a part is new keeps its words whole: they are
/// what the built-in controller says by that demand.
fn told_once(all: &mut Vec<(Demand, Faults)>) {
    let mut told: Vec<(&'static str, Place)> = Vec::new();
    for (_, faults) in &mut *all {
        for (check, fault) in &mut *faults {
            let family = check.family();
            fault
                .places
                .retain(|place| !told.iter().any(|(told, within)| *told == family && place.lies_within(within)));
        }
        faults.retain(|(_, fault)| !fault.places.is_empty());
        told.extend(
            faults.iter().flat_map(|(check, fault)| fault.places.iter().map(|place| (check.family(), place.clone()))),
        );
    }
    all.retain(|(_, faults)| !faults.is_empty());
}
