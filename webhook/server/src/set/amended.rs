//! A set in force whose successor is refused: its policies stay as they are, but whoever takes back an exception, or
//! turns the switch that drops denials, does not wait until somebody else's policy is mended. Here is said what such a
//! set is made from; when one is made is decided in `serve::policies`.

use portreeve_admission::api::{Object, PolicySetSpec, Resource};
use portreeve_admission::break_glass::{BreakGlass, REASON, UNTIL};

use super::PolicySet;
use super::draft::age;
use super::folder::{Located, Sources};

impl PolicySet {
    /// What this set is made from, with the exceptions and the switch of these sources in place of its own; none if it
    /// has those already.
    #[must_use]
    pub fn amended_by(&self, now: &Sources) -> Option<Sources> {
        let stays = |located: &&Located| !is_exception(located) && set_of(located).is_none();
        let policies = self.written.values().filter(stays).cloned();
        let exceptions = now.resources.iter().filter(|located| is_exception(located)).cloned();
        let resources: Vec<Located> = policies.chain(self.switched_by(now)).chain(exceptions).collect();
        let has = |located: &Located| self.written(&located.resource.reference()) == Some(&located.resource);
        if resources.len() == self.written.len() && resources.iter().all(has) {
            return None;
        }
        let namespaces = self.namespaces.clone().into_iter().collect();
        let (objects, written_by) = (self.objects.clone(), self.written_by);
        Some(Sources { resources, namespaces, objects, written_by, unreadable: Vec::new() })
    }

    /// The PolicySet in force with the switch of the one that stands there now. A switch that can't be read changes
    /// nothing.
    fn switched_by(&self, now: &Sources) -> Option<Located> {
        let own = self.written.values().find_map(|located| Some((located, set_of(located)?)));
        let sets = now.resources.iter().filter_map(|located| Some((located, set_of(located)?)));
        match sets.min_by_key(|(_, set)| age(set)) {
            Some((located, set)) if BreakGlass::of(&set.metadata.annotations).is_ok() => {
                let spec = own.map(|(_, own)| own.spec.clone()).unwrap_or_default();
                Some(with(located, Object { spec, ..set.clone() }))
            }
            None if now.unreadable.is_empty() => own.map(|(located, own)| with(located, switched_off(own))),
            _ => own.map(|(located, _)| located.clone()),
        }
    }
}

fn is_exception(located: &Located) -> bool {
    matches!(located.resource, Resource::PolicyException(_))
}

fn set_of(located: &Located) -> Option<&Object<PolicySetSpec>> {
    match &located.resource {
        Resource::PolicySet(set) => Some(set),
        _ => None,
    }
}

fn with(located: &Located, set: Object<PolicySetSpec>) -> Located {
    Located { resource: Resource::PolicySet(set), ..located.clone() }
}

fn switched_off(set: &Object<PolicySetSpec>) -> Object<PolicySetSpec> {
    let mut set = set.clone();
    set.metadata.annotations.retain(|key, _| key != UNTIL && key != REASON);
    set
}
