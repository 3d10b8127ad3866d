//! Security contexts. `ValidateSecurityContext`, `ValidatePodSecurityContext`, `validateSeccompProfileField`,
//! `validateSysctls`, `ValidateHostSysctl`, `validateWindows`.

use serde_json::Value;

use super::{Container, Faults, Pod, items, repeated, text};

/// What Windows has not, of a pod. `hostPID` and `hostIPC` are told by their own names.
const NOT_OF_WINDOWS_PODS: [&str; 9] = [
    "appArmorProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "runAsGroup",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
    "supplementalGroups",
    "sysctls",
];

/// What Windows has not, of a container.
const NOT_OF_WINDOWS_CONTAINERS: [&str; 10] = [
    "allowPrivilegeEscalation",
    "appArmorProfile",
    "capabilities",
    "privileged",
    "procMount",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
];

pub(super) fn judge(pod: &Pod<'_>, faults: &mut Faults) {
    let context = &pod.spec["securityContext"];
    ids(context, "the pod", &["runAsUser", "runAsGroup", "fsGroup"], faults);
    seccomp(context, "the pod", faults);
    let policy = &context["fsGroupChangePolicy"];
    let known = policy.is_null() || ["OnRootMismatch", "Always"].contains(&text(policy));
    faults.unless(known, || format!("fsGroupChangePolicy is {policy}"));
    sysctls(pod, faults);
    for container in pod.containers() {
        escalation(&container, faults);
        let context = &container.value["securityContext"];
        let who = format!("container {:?}", container.name());
        ids(context, &who, &["runAsUser", "runAsGroup"], faults);
        seccomp(context, &who, faults);
        if pod.is_windows() {
            absent(context, &who, &NOT_OF_WINDOWS_CONTAINERS, faults);
        }
    }
    if pod.is_windows() {
        absent(context, "the pod", &NOT_OF_WINDOWS_PODS, faults);
        absent(pod.spec, "the pod", &["hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"], faults);
    }
}

fn absent(of: &Value, who: &str, fields: &[&str], faults: &mut Faults) {
    for field in fields.iter().filter(|field| !of[**field].is_null()) {
        faults.say(format!("{who} has {field}, which Windows has not"));
    }
}

fn ids(context: &Value, who: &str, fields: &[&str], faults: &mut Faults) {
    for field in fields.iter().filter(|field| !context[**field].is_null()) {
        let id = &context[*field];
        let valid = id.as_i64().is_some_and(|id| (0..=i64::from(i32::MAX)).contains(&id));
        faults.unless(valid, || format!("{who} has the {field} {id}"));
    }
}

fn seccomp(context: &Value, who: &str, faults: &mut Faults) {
    let profile = &context["seccompProfile"];
    if profile.is_null() {
        return;
    }
    let (kind, file) = (text(&profile["type"]), text(&profile["localhostProfile"]));
    let known = ["RuntimeDefault", "Unconfined", "Localhost"].contains(&kind);
    faults.unless(known, || format!("{who} has the seccomp profile {kind:?}"));
    faults.unless((kind == "Localhost") != file.is_empty(), || format!("{who} has {kind:?} and the file {file:?}"));
}

fn escalation(container: &Container<'_>, faults: &mut Faults) {
    let context = &container.value["securityContext"];
    if context["allowPrivilegeEscalation"] != Value::Bool(false) {
        return;
    }
    let name = container.name();
    faults.unless(context["privileged"] != Value::Bool(true), || {
        format!("container {name:?} is privileged and may not be")
    });
    let mut added = items(&context["capabilities"]["add"]).map(text);
    faults.unless(!added.any(|added| added == "CAP_SYS_ADMIN"), || {
        format!("container {name:?} has CAP_SYS_ADMIN and may not escalate")
    });
}

fn sysctls(pod: &Pod<'_>, faults: &mut Faults) {
    let names: Vec<&str> = items(&pod.spec["securityContext"]["sysctls"]).map(|sysctl| text(&sysctl["name"])).collect();
    for name in repeated(names.iter().copied()) {
        faults.say(format!("sysctl {name:?} is there twice"));
    }
    for name in names {
        let of_node = pod.spec["hostNetwork"] == Value::Bool(true) && name.starts_with("net.");
        faults.unless(!of_node, || format!("sysctl {name:?} is the node's"));
    }
}
