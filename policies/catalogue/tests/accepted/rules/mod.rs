//! The API server's own rules for pods, as far as an edit could break them. Source: Kubernetes'
//! `pkg/apis/core/validation/validation.go`, whose functions are named beside each rule. What no edit touches is not
//! here.

mod containers;
mod names;
mod probes;
mod resources;
mod scheduling;
mod security;
mod volumes;

mod tests;

use std::collections::BTreeSet;

use serde_json::Value;

/// What is wrong with an object, one sentence each; nothing if the API server takes it.
pub(crate) fn faults(object: &Value) -> BTreeSet<String> {
    let mut faults = Faults::default();
    if let Some((at, template)) = templates(object) {
        let claims = object.pointer("/spec/volumeClaimTemplates").filter(|_| object["kind"] == "StatefulSet");
        let pod = Pod { spec: &template["spec"], claims };
        faults.at = at.to_owned();
        names::metadata(&template["metadata"], &mut faults);
        volumes::judge(&pod, &mut faults);
        containers::judge(&pod, &mut faults);
        security::judge(&pod, &mut faults);
        resources::judge(&pod, &mut faults);
        scheduling::judge(&pod, &mut faults);
    }
    faults.found
}

/// A pod, or the template of one.
struct Pod<'a> {
    spec: &'a Value,
    /// `volumeClaimTemplates` of a StatefulSet.
    claims: Option<&'a Value>,
}

/// A container and the list that it stands in.
#[derive(Clone, Copy)]
struct Container<'a> {
    list: List,
    value: &'a Value,
}

/// A list of containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Init,
    Regular,
    Ephemeral,
}

#[derive(Default)]
struct Faults {
    at: String,
    found: BTreeSet<String>,
}

impl Faults {
    fn say(&mut self, fault: String) {
        self.found.insert(format!("{}: {fault}", self.at));
    }

    fn unless(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.say(fault());
        }
    }
}

impl<'a> Pod<'a> {
    fn is_windows(&self) -> bool {
        self.spec["os"]["name"] == "windows"
    }

    fn containers(&self) -> impl Iterator<Item = Container<'a>> {
        let lists =
            [("initContainers", List::Init), ("containers", List::Regular), ("ephemeralContainers", List::Ephemeral)];
        let spec = self.spec;
        lists.into_iter().flat_map(move |(name, list)| items(&spec[name]).map(move |value| Container { list, value }))
    }
}

impl Container<'_> {
    fn name(&self) -> &str {
        text(&self.value["name"])
    }

    fn is_sidecar(&self) -> bool {
        self.list == List::Init && self.value["restartPolicy"] == "Always"
    }
}

/// Where the kinds of the typed API keep their templates.
fn templates(object: &Value) -> Option<(&'static str, &Value)> {
    let at = match text(&object["kind"]) {
        "Pod" => "",
        "PodTemplate" => "/template",
        "CronJob" => "/spec/jobTemplate/spec/template",
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job" => "/spec/template",
        _ => return None,
    };
    Some((at, object.pointer(at)?))
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn entries(map: &Value) -> impl Iterator<Item = (&String, &Value)> {
    map.as_object().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Those that stand in the list more than once.
fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}
