//! What the fact `running-pods` shows of a Pod: what the Pod Security Standards look at, and nothing else. Facts are
//! kept beside the book, so what may hold a secret is cut off when a Pod is read: variables, commands, arguments,
//! images, headers of probes, the settings of volumes, and annotations.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Annotations in which profiles stood before fields came for them.
const PROFILES: [&str; 3] = [
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/pod",
];

/// How much of a value is shown.
enum Part {
    /// All of it.
    Whole,
    /// These fields of an object.
    Fields(&'static [(&'static str, Part)]),
    /// Of each element of a list, this much.
    Each(&'static Part),
    /// The name of a volume, and which source it has.
    Volume,
}

use Part::{Each, Fields, Volume, Whole};

const SPEC: Part = Fields(&[
    ("initContainers", Each(&CONTAINER)),
    ("containers", Each(&CONTAINER)),
    ("ephemeralContainers", Each(&CONTAINER)),
    ("volumes", Each(&Volume)),
    ("securityContext", SECURITY),
    ("hostNetwork", Whole),
    ("hostPID", Whole),
    ("hostIPC", Whole),
    ("hostUsers", Whole),
    ("os", Fields(&[("name", Whole)])),
    ("runtimeClassName", Whole),
]);

const CONTAINER: Part = Fields(&[
    ("name", Whole),
    ("securityContext", SECURITY),
    ("ports", Each(&Fields(&[("hostPort", Whole)]))),
    ("livenessProbe", HANDLER),
    ("readinessProbe", HANDLER),
    ("startupProbe", HANDLER),
    ("lifecycle", Fields(&[("postStart", HANDLER), ("preStop", HANDLER)])),
]);

const HANDLER: Part = Fields(&[("httpGet", HOST), ("tcpSocket", HOST)]);
const HOST: Part = Fields(&[("host", Whole)]);

const SECURITY: Part = Fields(&[
    ("privileged", Whole),
    ("allowPrivilegeEscalation", Whole),
    ("runAsNonRoot", Whole),
    ("runAsUser", Whole),
    ("capabilities", Fields(&[("add", Whole), ("drop", Whole)])),
    ("seccompProfile", TYPE),
    ("appArmorProfile", TYPE),
    ("seLinuxOptions", Fields(&[("user", Whole), ("role", Whole), ("type", Whole)])),
    ("procMount", Whole),
    ("sysctls", Each(&Fields(&[("name", Whole)]))),
    ("windowsOptions", Fields(&[("hostProcess", Whole)])),
]);

const TYPE: Part = Fields(&[("type", Whole)]);

/// The `spec` of a Pod as it is shown.
pub(super) fn spec(spec: Value) -> Value {
    SPEC.of(spec).unwrap_or_else(|| Map::new().into())
}

/// Leaves the annotations that say by which profiles a container is confined.
pub(super) fn keep_profiles(annotations: &mut BTreeMap<String, String>) {
    annotations.retain(|name, _| PROFILES.iter().any(|profile| name.starts_with(profile)));
}

impl Part {
    /// This much of a value; none where it has not the shape, or is null.
    fn of(&self, value: Value) -> Option<Value> {
        match (self, value) {
            (_, Value::Null) => None,
            (Whole, value) => Some(value),
            (Fields(fields), Value::Object(mut object)) => {
                let shown = |(name, part): &(&str, Self)| Some(((*name).to_owned(), part.of(object.remove(*name)?)?));
                Some(Value::Object(fields.iter().filter_map(shown).collect()))
            }
            // An element keeps its place, whatever it is.
            (Each(part), Value::Array(all)) => {
                Some(all.into_iter().map(|one| part.of(one).unwrap_or_else(|| Map::new().into())).collect())
            }
            (Volume, Value::Object(fields)) => Some(Value::Object(fields.into_iter().filter_map(source).collect())),
            (Fields(_) | Each(_) | Volume, _) => None,
        }
    }
}

/// A field of a volume: its name as it is, its source without what stands in it.
fn source((field, value): (String, Value)) -> Option<(String, Value)> {
    match value {
        Value::Null => None,
        name if field == "name" => Some((field, name)),
        _ => Some((field, Map::new().into())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Listed, Objects};
    use super::*;
    use serde_json::json;

    #[test]
    fn of_a_pod_no_more_is_told_than_that() {
        const PROFILE: &str = "container.apparmor.security.beta.kubernetes.io/app";
        let pod = json!({
            "metadata": {"name": "web-1", "annotations": {"a": "SECRET", PROFILE: "unconfined"}},
            "spec": {"hostIPC": true, "nodeName": "SECRET"},
        });
        let mut objects = Objects::default();
        objects.put(Listed::Pod, "shop", &pod).unwrap();
        let fact: Value = serde_json::from_str(&objects.fact(Listed::Pod, "shop").unwrap()).unwrap();
        let shown = json!({
            "name": "web-1", "labels": {}, "annotations": {PROFILE: "unconfined"}, "spec": {"hostIPC": true},
        });
        assert_eq!(fact, json!([shown]));
    }

    /// All that is shown of a Pod, whichever part of it holds a container.
    fn all_that_is_shown() -> Value {
        let host = || json!({"host": "elsewhere"});
        let handler = || json!({"httpGet": host(), "tcpSocket": host()});
        let security = json!({
            "privileged": true, "allowPrivilegeEscalation": true, "runAsNonRoot": false, "runAsUser": 0,
            "capabilities": {"add": ["NET_RAW"], "drop": ["ALL"]}, "seccompProfile": {"type": "Unconfined"},
            "appArmorProfile": {"type": "Unconfined"}, "procMount": "Unmasked",
            "seLinuxOptions": {"user": "u", "role": "r", "type": "t"}, "sysctls": [{"name": "kernel.msgmax"}],
            "windowsOptions": {"hostProcess": true},
        });
        let containers = json!([{
            "name": "app", "securityContext": security, "ports": [{}, {"hostPort": 80}],
            "livenessProbe": handler(), "readinessProbe": handler(), "startupProbe": handler(),
            "lifecycle": {"postStart": handler(), "preStop": handler()},
        }]);
        json!({
            "initContainers": containers, "containers": containers, "ephemeralContainers": containers,
            "volumes": [{"name": "root", "hostPath": {}}], "securityContext": security,
            "hostNetwork": true, "hostPID": true, "hostIPC": true, "hostUsers": false,
            "os": {"name": "linux"}, "runtimeClassName": "kata",
        })
    }

    #[test]
    fn what_the_standards_look_at_is_shown() {
        let shown = all_that_is_shown();
        let mut whole = shown.clone();
        whole["volumes"][0]["hostPath"] = json!({"path": "/"});
        whole["containers"][0]["ports"][0]["containerPort"] = json!(8080);
        assert_eq!(spec(whole), shown);
    }

    #[test]
    fn what_may_hold_a_secret_is_not() {
        let whole = json!({
            "containers": [{
                "name": "app", "image": "SECRET", "command": ["SECRET"], "args": ["SECRET"],
                "env": [{"name": "PASSWORD", "value": "SECRET"}],
                "readinessProbe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": "SECRET"}]}},
                "lifecycle": {"preStop": {"exec": {"command": ["SECRET"]}}},
            }],
            "volumes": [{"name": "share", "csi": {"volumeAttributes": {"key": "SECRET"}}}],
            "securityContext": {"sysctls": [{"name": "kernel.domainname", "value": "SECRET"}]},
            "hostAliases": [{"ip": "SECRET"}],
        });
        let shown = spec(whole).to_string();
        assert!(!shown.contains("SECRET"), "{shown}");
    }

    #[test]
    fn a_pod_without_a_spec_has_an_empty_one() {
        assert_eq!(spec(Value::Null), json!({}));
    }
}
