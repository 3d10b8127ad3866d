//! The public conformance fixtures of the Pod Security Standards and pods of our own, at every version, and the
//! built-in controller's words. What users see otherwise is in `cases/`.

mod properties;
mod running;
mod trials;

use portreeve_admission::case::FactKind;
use portreeve_sdk::Verdict;
use portreeve_sdk::native::Scene;
use serde_json::{Value, json};

use super::PodSecurity;
use super::standard::CHECKS;
use trials::{Tally, Trial};

fn judged(object: Value, settings: Value) -> Verdict {
    let scene = Scene::create(object).unwrap().with_fact(FactKind::Namespace, "", Ok(json!({"labels": {}})));
    scene.judge::<PodSecurity>(&settings).unwrap()
}

fn summary(level: &str, spec: Value) -> String {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec});
    judged(pod, json!({"level": level})).summary().unwrap_or_default().to_owned()
}

#[test]
fn a_bare_pod_is_told_what_restricted_asks_in_the_built_in_controllers_words() {
    let words = summary("restricted", json!({"containers": [{"name": "a"}, {"name": "b"}]}));
    assert_eq!(
        words,
        "violates PodSecurity \"restricted:latest\": \
         allowPrivilegeEscalation != false (containers \"a\", \"b\" must set securityContext.allowPrivilegeEscalation=false), \
         unrestricted capabilities (containers \"a\", \"b\" must set securityContext.capabilities.drop=[\"ALL\"]), \
         runAsNonRoot != true (pod or containers \"a\", \"b\" must set securityContext.runAsNonRoot=true), \
         seccompProfile (pod or containers \"a\", \"b\" must set securityContext.seccompProfile.type to \
         \"RuntimeDefault\" or \"Localhost\")"
    );
}

/// What the built-in controller of 1.37 says of each.
#[test]
fn every_baseline_fault_is_told_in_the_built_in_controllers_words() {
    let container = |fields: Value| {
        let mut container = json!({"name": "a"});
        container.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"containers": [container]})
    };
    let secured = |security: Value| container(json!({"securityContext": security}));
    for (spec, words) in [
        (
            json!({"hostNetwork": true, "hostPID": true, "hostIPC": true}),
            "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)",
        ),
        (json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}), "hostPath volumes (volume \"v\")"),
        (
            container(json!({"ports": [{"hostPort": 20}, {"hostPort": 10}, {"hostPort": 0}]})),
            "hostPort (container \"a\" uses hostPorts 10, 20)",
        ),
        (
            container(json!({"livenessProbe": {"httpGet": {"host": "bad.host"}}})),
            "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"bad.host\")",
        ),
        (
            secured(json!({"privileged": true})),
            "privileged (container \"a\" must not set securityContext.privileged=true)",
        ),
        (
            secured(json!({"procMount": "Unmasked"})),
            "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
        ),
        (
            secured(json!({"capabilities": {"add": ["NET_RAW", "BPF", "CHOWN"]}})),
            "non-default capabilities (container \"a\" must not include \"BPF\", \"NET_RAW\" in \
             securityContext.capabilities.add)",
        ),
        (
            secured(json!({"seLinuxOptions": {"type": "foo", "user": "u", "role": "r"}})),
            "seLinuxOptions (container \"a\" set forbidden securityContext.seLinuxOptions: type \"foo\"; user may not \
             be set; role may not be set)",
        ),
        (
            json!({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
            "seccompProfile (pod must not set securityContext.seccompProfile.type to \"Unconfined\")",
        ),
        (
            json!({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}),
            "forbidden AppArmor profile (pod must not set AppArmor profile type to \"Unconfined\")",
        ),
        (
            json!({"securityContext": {"sysctls": [{"name": "b", "value": ""}, {"name": "a", "value": ""}]}}),
            "forbidden sysctls (b, a)",
        ),
        (
            secured(json!({"windowsOptions": {"hostProcess": true}})),
            "hostProcess (container \"a\" must not set securityContext.windowsOptions.hostProcess=true)",
        ),
    ] {
        assert_eq!(summary("baseline", spec), format!("violates PodSecurity \"baseline:latest\": {words}"));
    }
}

#[test]
fn restricted_faults_of_one_check_are_told_together() {
    let security = json!({
        "runAsNonRoot": false, "runAsUser": 0, "allowPrivilegeEscalation": false,
        "capabilities": {"add": ["NET_BIND_SERVICE", "CHOWN"]}, "seccompProfile": {"type": "RuntimeDefault"},
    });
    let words = summary(
        "restricted",
        json!({
            "securityContext": {"runAsNonRoot": false, "runAsUser": 0},
            "containers": [{"name": "a", "securityContext": security}],
            "volumes": [{"name": "v", "nfs": {}}, {"name": "w", "hostPath": {}}, {"name": "x", "nfs": {}}],
        }),
    );
    assert_eq!(
        words,
        "violates PodSecurity \"restricted:latest\": \
         unrestricted capabilities (container \"a\" must set securityContext.capabilities.drop=[\"ALL\"]; container \
         \"a\" must not include \"CHOWN\" in securityContext.capabilities.add), \
         restricted volume types (volumes \"v\", \"w\", \"x\" use restricted volume types \"hostPath\", \"nfs\"), \
         runAsNonRoot != true (pod and container \"a\" must not set securityContext.runAsNonRoot=false), \
         runAsUser=0 (pod and container \"a\" must not set runAsUser=0)"
    );
}

#[test]
fn forbidden_annotations_are_told_by_name_and_value() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "e"}]}, "metadata": {"annotations": {
        "container.apparmor.security.beta.kubernetes.io/f": "unknown",
        "container.apparmor.security.beta.kubernetes.io/e": "unconfined",
        "container.apparmor.security.beta.kubernetes.io/d": "localhost/d",
    }}});
    let verdict = judged(pod, json!({}));
    assert_eq!(
        verdict.summary().unwrap(),
        "violates PodSecurity \"baseline:latest\": forbidden AppArmor profiles (annotations must not set AppArmor \
         profile type to \"container.apparmor.security.beta.kubernetes.io/e=\"unconfined\"\", \
         \"container.apparmor.security.beta.kubernetes.io/f=\"unknown\"\")"
    );
    let first = verdict.violations().first().unwrap();
    assert_eq!(first.container.as_deref(), Some("e"));
    assert_eq!(first.pointer, "/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1e");
}

/// Ids of the checks that a Pod fails.
fn failed(pod: &Value, level: &str, version: &str) -> Vec<String> {
    let verdict = judged(pod.clone(), json!({"level": level, "version": version}));
    let check = |details: &Option<String>| {
        let details: Value = serde_json::from_str(details.as_ref().unwrap()).unwrap();
        details["check"].as_str().unwrap().to_owned()
    };
    let mut ids: Vec<_> = verdict.violations().iter().map(|violation| check(&violation.details)).collect();
    ids.dedup();
    ids
}

/// Judges every trial, says how many there were, and what ended otherwise than it should.
fn tried(what: &str, trials: &[Trial]) -> Tally {
    let mut tally = Tally::default();
    let faults: Vec<String> = trials
        .iter()
        .inspect(|trial| tally.count(trial))
        .filter_map(|trial| trial.fault(&failed(&trial.pod, &trial.level, &trial.version)))
        .collect();
    println!("{} {what}, allowed and denied at each version:\n{tally}", trials.len());
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), trials.len(), faults.join("\n"));
    tally
}

#[test]
fn the_public_fixtures_of_every_version_pass_and_fail_as_they_should() {
    let Some(trials) = trials::public() else { return };
    assert!(trials.len() > 3000, "only {} fixtures", trials.len());
    tried("public fixtures", &trials);
}

#[test]
fn our_own_pods_pass_and_fail_where_a_rule_changes() {
    let tally = tried("pods of our own", &trials::own());
    let denied: Vec<&str> = tally.denied().collect();
    for check in CHECKS {
        assert!(denied.contains(&check.id.to_lowercase().as_str()), "no pod fails {}", check.id);
    }
}

#[test]
fn every_check_is_tried_where_it_begins_and_where_it_is_now() {
    let trials = trials::own();
    for check in CHECKS {
        let own = |trial: &&Trial| trial.check == check.id.to_lowercase();
        let tried = |version: &str, denied: bool| {
            let ended = |trial: &Trial| trial.version == version && trial.denied == denied;
            trials.iter().filter(own).any(ended)
        };
        assert!(tried(&format!("v1.{}", check.from), true), "{} is not tried where it begins", check.id);
        assert!(tried("latest", true) && tried("latest", false), "{} is not tried at its newest", check.id);
        let before = check.from.checked_sub(1).map(|before| format!("v1.{before}"));
        assert!(before.is_none_or(|before| tried(&before, false)), "{} is not tried before it began", check.id);
    }
}

/// Where the settings are refused; none if they are not.
fn refused(settings: Value) -> Option<String> {
    let settings: super::Settings = serde_json::from_value(settings).unwrap();
    settings.check().err().map(|error| error.at)
}

#[test]
fn a_class_that_asks_for_less_rests_on_more_than_anybody_can_write() {
    let at = Some("/classes/0/when".to_owned());
    let class =
        |when: Value| json!({"level": "restricted", "classes": [{"name": "c", "when": when, "level": "baseline"}]});
    for when in [
        json!({}),
        json!({"labels": {"tier": "edge"}}),
        json!({"labels": {"tier": "edge"}, "requestsGpu": false}),
        json!({"images": ["nginx", "*"]}),
    ] {
        assert_eq!(refused(class(when.clone())), at, "{when}");
    }
    assert_eq!(refused(class(json!({"labels": {"tier": "edge"}, "images": ["nginx"]}))), None);
    assert_eq!(refused(class(json!({"requestsGpu": true}))), None);
    assert_eq!(refused(class(json!({"serviceAccounts": ["edge/proxy"]}))), None);
}

#[test]
fn a_class_with_other_versions_rules_may_ask_for_less_too() {
    let class = |level: &str, version: &str| {
        let class = json!({"name": "c", "when": {"labels": {"a": "b"}}, "level": level, "version": version});
        refused(json!({"level": "baseline", "version": "v1.30", "classes": [class]})).is_some()
    };
    assert!(class("baseline", "v1.20"));
    assert!(class("restricted", "v1.36"));
    assert!(!class("restricted", "v1.30"));
}

#[test]
fn what_every_pod_asks_for_is_no_gpu() {
    assert_eq!(refused(json!({"gpuResources": ["nvidia.com/gpu", "*"]})), Some("/gpuResources/1".into()));
}

#[test]
fn not_every_claim_is_one_for_a_gpu() {
    assert_eq!(refused(json!({"gpuClaims": ["one-gpu", "*"]})), Some("/gpuClaims/1".into()));
    assert_eq!(refused(json!({"gpuClaims": ["*-gpu"]})), None);
}

#[test]
fn the_exact_field_is_pointed_at() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {
        "securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]},
        "volumes": [{"name": "ok", "emptyDir": {}}, {"name": "v", "hostPath": {}}],
        "containers": [{"name": "a"}, {"name": "b", "ports": [{"containerPort": 1}, {"containerPort": 2, "hostPort": 2}]}],
    }});
    let verdict = judged(pod, json!({}));
    let pointers: Vec<_> = verdict.violations().iter().map(|violation| violation.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        ["/spec/volumes/1/hostPath", "/spec/containers/1/ports/1/hostPort", "/spec/securityContext/sysctls/0/name"]
    );
}

#[test]
fn the_class_whose_level_counted_is_told_to_machines() {
    let classes = json!([{"name": "models", "when": {"requestsGpu": true}, "level": "baseline"}]);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {
        "hostPID": true, "containers": [{"name": "a", "resources": {"limits": {"amd.com/gpu": 1}}}],
    }});
    let verdict = judged(pod, json!({"level": "restricted", "classes": classes}));
    let details = verdict.violations().first().unwrap().details.as_ref().unwrap();
    assert_eq!(details, r#"{"check":"hostNamespaces","class":"models"}"#);
}

#[test]
fn what_is_for_the_record_is_marked_so_and_what_warns_is_not() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"hostPID": true, "containers": [{"name": "a"}]}});
    let settings = json!({"level": "privileged", "warn": {"level": "baseline"}, "audit": {"level": "baseline"}});
    let verdict = judged(pod, settings);
    let details: Vec<_> = verdict.advisories().iter().map(|one| one.details.as_deref().unwrap()).collect();
    assert_eq!(details, [r#"{"checks":["hostNamespaces"]}"#, r#"{"checks":["hostNamespaces"],"told":false}"#]);
}
