//! What the API server has put into a pod before it asks any webhook, for objects that come from files: as far as a
//! policy looks at it. Sources: `SetDefaults_Pod` and `SetDefaults_Volume` in Kubernetes'
//! `pkg/apis/core/v1/defaults.go`; the token is told of in `token`. What policies put in is not here.

mod token;

use serde_json::{Value, json};

use crate::case::GroupVersionKind;
use crate::pointer::Pointer;

pub use token::Automount;

/// The end of a list in a pointer (RFC 6901).
const END: &str = "-";

/// What holds the pod's spec. The API server completes more in a Pod than in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A Pod itself, whose account says this.
    Pod(Automount),
    /// A template, from which a controller makes Pods.
    Template,
}

impl Holder {
    /// What objects of this kind are, Pods under an account that says this; none for custom kinds, into which the API
    /// server puts nothing.
    #[must_use]
    pub fn of(kind: &GroupVersionKind, account: Automount) -> Option<Self> {
        match (kind.group.as_str(), kind.kind.as_str()) {
            ("", "Pod") => Some(Self::Pod(account)),
            ("" | "apps" | "batch", _) => Some(Self::Template),
            _ => None,
        }
    }
}

/// A value that the API server puts in, and where: in a field, or behind the last item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    pointer: Pointer,
    value: Value,
}

/// Completes the pod or template at `at` as the API server does: a volume without a source is an `emptyDir`; in a Pod,
/// requests that are missing beside limits equal them, under `hostNetwork` every port is the host's too, and the token
/// of its account is mounted.
///
/// Shapes that no API server takes are left as they are: its own validation speaks of them.
#[must_use]
pub fn complete(object: &mut Value, at: &Pointer, holder: Holder) -> Vec<Completed> {
    let spec = at.child("spec");
    let Some(value) = spec.find(object) else { return Vec::new() };
    let mut missing = volumes(value);
    if let Holder::Pod(account) = holder {
        missing.extend(requests(value));
        missing.extend(host_ports(value));
        missing.extend(token::token(at.child("metadata").find(object), value, account));
    }
    let absolute = |Completed { pointer, value }| Completed { pointer: spec.join(&pointer), value };
    missing.into_iter().map(absolute).filter(|completed| completed.put_in(object)).collect()
}

/// Takes out again what [`complete`] put in, but for what has changed since: then somebody meant it.
pub fn take_back(object: &mut Value, completed: &[Completed]) {
    completed.iter().rev().for_each(|completed| completed.take_out(object));
}

impl Completed {
    fn new(pointer: Pointer, value: Value) -> Self {
        Self { pointer, value }
    }

    /// An item behind the last of a list.
    fn behind(list: &Pointer, item: Value) -> Self {
        Self::new(list.child(END), item)
    }

    fn put_in(&self, object: &mut Value) -> bool {
        match above(object, &self.pointer) {
            Some((END, Value::Array(items))) => items.push(self.value.clone()),
            Some((name, Value::Object(fields))) if name != END => {
                fields.insert(name.to_owned(), self.value.clone());
            }
            _ => return false,
        }
        true
    }

    fn take_out(&self, object: &mut Value) {
        match above(object, &self.pointer) {
            Some((END, Value::Array(items))) => {
                if let Some(index) = items.iter().rposition(|item| *item == self.value) {
                    items.remove(index);
                }
            }
            Some((name, Value::Object(fields))) if fields.get(name) == Some(&self.value) => {
                fields.shift_remove(name);
            }
            _ => {}
        }
    }
}

/// What holds the place that a pointer's last token names.
fn above<'o, 'p>(object: &'o mut Value, pointer: &'p Pointer) -> Option<(&'p str, &'o mut Value)> {
    let (name, above) = pointer.tokens().split_last()?;
    let above = above.iter().fold(Pointer::root(), |pointer, token| pointer.child(token));
    Some((name, object.pointer_mut(&above.to_string())?))
}

fn volumes(spec: &Value) -> Vec<Completed> {
    let sourceless = |volume: &Value| {
        let fields = volume.as_object();
        fields.is_some_and(|fields| fields.iter().all(|(name, value)| name == "name" || value.is_null()))
    };
    let bare = items(spec, "volumes").filter(|(_, volume)| sourceless(volume));
    bare.map(|(at, _)| Completed::new(at.child("emptyDir"), json!({}))).collect()
}

/// In a Pod each limit is a request too where none is written, for every container but the ephemeral ones.
fn requests(spec: &Value) -> Vec<Completed> {
    let mut missing = Vec::new();
    for (at, container) in containers(spec) {
        let resources = container.get("resources");
        let limits = resources.and_then(|resources| resources.get("limits")).and_then(Value::as_object);
        let requests = resources.and_then(|resources| resources.get("requests")).filter(|value| !value.is_null());
        let written = |name: &String| requests.is_some_and(|requests| requests.get(name).is_some());
        let absent: Vec<_> = limits.into_iter().flatten().filter(|(name, _)| !written(name)).collect();
        let at = at.child("resources").child("requests");
        if !absent.is_empty() && requests.is_none() {
            missing.push(Completed::new(at.clone(), json!({})));
        }
        missing.extend(absent.into_iter().map(|(name, limit)| Completed::new(at.child(name), limit.clone())));
    }
    missing
}

fn host_ports(spec: &Value) -> Vec<Completed> {
    if spec.get("hostNetwork") != Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let ports = containers(spec).flat_map(|(at, container)| {
        items(container, "ports").map(move |(port_at, port)| (at.join(&port_at), port)).collect::<Vec<_>>()
    });
    let unset = |port: &Value| port.get("hostPort").is_none_or(|host| host.is_null() || *host == json!(0));
    let missing = ports.filter(|(_, port)| unset(port)).filter_map(|(at, port)| {
        let number = port.get("containerPort")?.clone();
        Some(Completed::new(at.child("hostPort"), number))
    });
    missing.collect()
}

fn containers(spec: &Value) -> impl Iterator<Item = (Pointer, &Value)> {
    ["initContainers", "containers"].into_iter().flat_map(move |list| items(spec, list))
}

fn items<'v>(holder: &'v Value, list: &'static str) -> impl Iterator<Item = (Pointer, &'v Value)> {
    let at = Pointer::root().child(list);
    let items = holder.get(list).and_then(Value::as_array).into_iter().flatten().enumerate();
    items.map(move |(index, item)| (at.child(index), item))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: Holder = Holder::Pod(Automount::Leave);

    fn completed(holder: Holder, spec: Value) -> Value {
        let mut object = json!({"spec": spec});
        let _ = complete(&mut object, &Pointer::root(), holder);
        object["spec"].take()
    }

    #[test]
    fn into_custom_kinds_the_api_server_puts_nothing() {
        let of = |group: &str, kind: &str| {
            let kind = GroupVersionKind { group: group.into(), version: "v1".into(), kind: kind.into() };
            Holder::of(&kind, Automount::Leave)
        };
        assert_eq!(of("", "Pod"), Some(POD));
        assert_eq!(of("apps", "Deployment"), Some(Holder::Template));
        assert_eq!(of("jobset.x-k8s.io", "JobSet"), None);
    }

    #[test]
    fn a_volume_without_a_source_is_an_empty_dir_in_pods_and_templates() {
        for holder in [POD, Holder::Template] {
            let spec =
                completed(holder, json!({"volumes": [{"name": "a"}, {"name": "b", "configMap": {"name": "c"}}]}));
            assert_eq!(
                spec["volumes"],
                json!([{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "c"}}])
            );
        }
    }

    #[test]
    fn limits_of_a_pod_are_its_requests_where_none_are_written() {
        let limits = json!({"cpu": "1", "memory": "1Gi"});
        let spec = json!({
            "containers": [{"resources": {"limits": limits, "requests": {"cpu": "100m"}}}],
            "initContainers": [{"resources": {"limits": limits}}],
        });
        let spec = completed(POD, spec);
        assert_eq!(spec["containers"][0]["resources"]["requests"], json!({"cpu": "100m", "memory": "1Gi"}));
        assert_eq!(spec["initContainers"][0]["resources"]["requests"], limits);
    }

    #[test]
    fn ports_of_a_pod_on_the_hosts_network_are_the_hosts() {
        let ports = json!([{"containerPort": 80}, {"containerPort": 81, "hostPort": 8081}]);
        let spec = json!({"hostNetwork": true, "containers": [{"ports": ports}]});
        let spec = completed(POD, spec);
        assert_eq!(spec["containers"][0]["ports"][0]["hostPort"], 80);
        assert_eq!(spec["containers"][0]["ports"][1]["hostPort"], 8081);
    }

    #[test]
    fn a_template_gets_neither_requests_nor_host_ports() {
        let container = json!({"ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": "1"}}});
        let spec = json!({"hostNetwork": true, "containers": [container]});
        assert_eq!(completed(Holder::Template, spec.clone()), spec);
    }

    #[test]
    fn what_was_put_in_can_be_taken_back() {
        let written = json!({"spec": {
            "hostNetwork": true,
            "containers": [{"ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": "1"}}}],
            "volumes": [{"name": "a"}],
        }});
        let mut object = written.clone();
        let put_in = complete(&mut object, &Pointer::root(), POD);
        assert_ne!(object, written);
        take_back(&mut object, &put_in);
        assert_eq!(object, written);
    }

    #[test]
    fn what_was_changed_since_is_not_taken_back() {
        let mut object = json!({"spec": {"containers": [{"resources": {"limits": {"cpu": "1"}}}]}});
        let put_in = complete(&mut object, &Pointer::root(), POD);
        object["spec"]["containers"][0]["resources"]["requests"]["memory"] = json!("64Mi");
        take_back(&mut object, &put_in);
        assert_eq!(object["spec"]["containers"][0]["resources"]["requests"], json!({"memory": "64Mi"}));
    }

    #[test]
    fn shapes_that_no_api_server_takes_are_left_as_they_are() {
        for spec in [json!("x"), json!({"volumes": {}, "containers": [1, {"ports": 2, "resources": "r"}]})] {
            assert_eq!(completed(POD, spec.clone()), spec);
        }
    }
}
