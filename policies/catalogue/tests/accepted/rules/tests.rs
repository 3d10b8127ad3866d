//! Each rule finds what it is for: a list of rules that finds nothing proves nothing.

use serde_json::{Value, json};

use super::faults;

fn pod(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec})
}

/// A pod with this one container.
fn container(fields: Value) -> Value {
    let mut container = json!({"name": "a", "image": "a:1"});
    container.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    pod(json!({"containers": [container]}))
}

/// A pod with these fields beside a container.
fn beside(mut spec: Value) -> Value {
    spec["containers"] = json!([{"name": "a", "image": "a:1"}]);
    pod(spec)
}

#[track_caller]
fn finds(object: &Value, words: &str) {
    let faults = faults(object);
    assert!(faults.iter().any(|fault| fault.contains(words)), "{words:?} is not among {faults:?} of {object}");
    assert_eq!(faults.len(), 1, "{faults:?}");
}

#[test]
fn a_plain_pod_has_no_faults() {
    assert_eq!(faults(&container(json!({}))), [].into());
}

#[test]
fn volumes_and_mounts_are_looked_at() {
    finds(&beside(json!({"volumes": [{"name": "v", "emptyDir": {}}, {"name": "v"}]})), "is there twice");
    finds(&beside(json!({"volumes": [{"name": "V"}]})), "no valid name");
    finds(&beside(json!({"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {}}]})), "2 sources");
    finds(&beside(json!({"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "much"}}]})), "size limit");
    finds(&container(json!({"volumeMounts": [{"name": "v", "mountPath": "/a"}]})), "which is no volume");
    let twice = json!([{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/a"}]);
    let mut both = container(json!({"volumeMounts": twice}));
    both["spec"]["volumes"] = json!([{"name": "v"}]);
    finds(&both, "mounts \"/a\" twice");
    let device = json!({"volumeMounts": [{"name": "v", "mountPath": "/a"}], "volumeDevices": [{"name": "d", "devicePath": "/a"}]});
    let mut device = container(device);
    device["spec"]["volumes"] = json!([{"name": "v"}]);
    finds(&device, "mounts \"/a\" twice");
}

#[test]
fn claims_of_a_stateful_set_are_volumes() {
    let mut set = json!({"kind": "StatefulSet", "spec": {"template": container(json!({"volumeMounts": [{"name": "v", "mountPath": "/a"}]}))}});
    finds(&set, "which is no volume");
    set["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "v"}}]);
    assert_eq!(faults(&set), [].into());
}

#[test]
fn containers_and_their_ports_are_looked_at() {
    finds(&container(json!({"image": ""})), "has the image");
    finds(&container(json!({"ports": [{"containerPort": 0}]})), "has the port 0");
    finds(
        &container(json!({"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]})),
        "two ports",
    );
    finds(&beside(json!({"initContainers": [{"name": "a", "image": "a:1"}]})), "is there twice");
    let probe = json!({"name": "i", "image": "a:1", "livenessProbe": {"exec": {"command": ["a"]}}});
    finds(&beside(json!({"initContainers": [probe]})), "init container \"i\" has livenessProbe");
    let debug = json!({"name": "d", "image": "a:1", "resources": {}});
    finds(&beside(json!({"ephemeralContainers": [debug]})), "ephemeral container \"d\" has resources");
}

#[test]
fn probes_are_looked_at() {
    finds(&container(json!({"livenessProbe": {}})), "in one way");
    finds(&container(json!({"livenessProbe": {"tcpSocket": {"port": 0}}})), "asks the port 0");
    finds(&container(json!({"livenessProbe": {"tcpSocket": {"port": "A"}}})), "asks the port");
    finds(&container(json!({"startupProbe": {"exec": {"command": ["a"]}, "successThreshold": 2}})), "more than once");
    let ends = json!({"exec": {"command": ["a"]}, "terminationGracePeriodSeconds": 1});
    finds(&container(json!({"readinessProbe": ends})), "ends nothing");
    finds(&container(json!({"readinessProbe": {"exec": {"command": []}}})), "runs nothing");
    finds(&container(json!({"readinessProbe": {"httpGet": {"port": 1}}})), "no path");
}

#[test]
fn resources_are_looked_at() {
    let resources = |resources: Value| container(json!({"resources": resources}));
    finds(&resources(json!({"requests": {"cpu": "2"}, "limits": {"cpu": "1900m"}})), "more cpu than its limit");
    finds(&resources(json!({"requests": {"cpu": "-1"}})), "-1");
    finds(&resources(json!({"requests": {"nvidia.com/gpu": "1"}})), "without a limit");
    finds(&resources(json!({"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 2}})), "overcommits");
    finds(&resources(json!({"claims": [{"name": "gpu"}]})), "which the pod does not");
    let within = |pod: Value, own: Value| {
        let mut object = resources(own);
        object["spec"]["resources"] = pod;
        object
    };
    finds(
        &within(json!({"limits": {"cpu": "1"}}), json!({"limits": {"cpu": "2"}, "requests": {"cpu": "1"}})),
        "more cpu than its pod",
    );
    finds(
        &within(json!({"requests": {"memory": "1Gi"}}), json!({"requests": {"memory": "2Gi"}})),
        "more memory than their pod",
    );
}

#[test]
fn scheduling_is_looked_at() {
    let tolerates = |toleration: Value| beside(json!({"tolerations": [toleration]}));
    finds(&tolerates(json!({"operator": "Equal", "value": "a"})), "without a key");
    finds(&tolerates(json!({"key": "a", "operator": "Exists", "value": "b"})), "exists and is");
    finds(&tolerates(json!({"key": "a b", "operator": "Exists"})), "the key");
    finds(&tolerates(json!({"key": "a", "effect": "Never"})), "the effect");
    finds(&tolerates(json!({"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1})), "ends");
    finds(&beside(json!({"nodeSelector": {"a": 1}})), "nodeSelector \"a\"");
    finds(&beside(json!({"runtimeClassName": "A"})), "runtime class");
    let affinity = |terms: Value| {
        let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}});
        beside(json!({"affinity": {"nodeAffinity": required}}))
    };
    finds(&affinity(json!([])), "no terms");
    finds(&affinity(json!([{"matchExpressions": [{"key": "a", "operator": "In"}]}])), "0 values");
    let constraint = json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"});
    finds(&beside(json!({"topologySpreadConstraints": [constraint, constraint]})), "spread twice");
}

#[test]
fn security_contexts_are_looked_at() {
    let own = |context: Value| container(json!({"securityContext": context}));
    finds(&own(json!({"allowPrivilegeEscalation": false, "privileged": true})), "is privileged and may not be");
    finds(
        &own(json!({"allowPrivilegeEscalation": false, "capabilities": {"add": ["CAP_SYS_ADMIN"]}})),
        "CAP_SYS_ADMIN",
    );
    finds(&own(json!({"runAsUser": 2_147_483_648_i64})), "runAsUser");
    finds(&own(json!({"seccompProfile": {"type": "Localhost"}})), "the file");
    finds(&own(json!({"seccompProfile": {}})), "seccomp profile");
    finds(&beside(json!({"securityContext": {"fsGroupChangePolicy": "Sometimes"}})), "fsGroupChangePolicy");
    let sysctl = json!({"name": "net.a", "value": "0"});
    finds(&beside(json!({"securityContext": {"sysctls": [sysctl, sysctl]}})), "is there twice");
    finds(&beside(json!({"hostNetwork": true, "securityContext": {"sysctls": [sysctl]}})), "is the node's");
}

#[test]
fn what_windows_has_not_is_looked_at() {
    finds(&beside(json!({"os": {"name": "windows"}, "securityContext": {"runAsUser": 1}})), "the pod has runAsUser");
    let mut windows = container(json!({"securityContext": {"readOnlyRootFilesystem": true}}));
    windows["spec"]["os"] = json!({"name": "windows"});
    finds(&windows, "readOnlyRootFilesystem, which Windows has not");
}

#[test]
fn labels_and_annotations_are_looked_at() {
    let mut object = container(json!({}));
    object["metadata"]["annotations"] = json!({"a b": ""});
    finds(&object, "no valid key");
    object["metadata"] = json!({"labels": {"a": "b c"}});
    finds(&object, "no valid value");
}
