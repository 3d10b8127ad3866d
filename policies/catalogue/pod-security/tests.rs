//! The public conformance fixtures of the Pod Security Standards, every version of them, and the built-in controller's
//! words. What users see otherwise is in `cases/`.

use std::io::Read;
use std::path::{Path, PathBuf};

use portreeve_admission::case::FactKind;
use portreeve_sdk::Verdict;
use portreeve_sdk::native::Scene;
use serde_json::{Value, json};

use super::PodSecurity;

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

/// Checks that a fixture for the first one can't meet either: the API server refuses it otherwise (`hostProcess` without
/// `hostNetwork`, `allowPrivilegeEscalation: false` beside `privileged: true` or an added SYS_ADMIN).
const COMPANIONS: [(&str, &str); 3] = [
    ("windowshostprocess", "hostnamespaces"),
    ("privileged", "allowprivilegeescalation"),
    ("allowprivilegeescalation", "capabilities_restricted"),
];

/// Baseline checks with the restricted ones that speak in their place where both hold.
const OVERRIDES: [(&str, &str); 4] = [
    ("capabilities_baseline", "capabilities_restricted"),
    ("hostpathvolumes", "restrictedvolumes"),
    ("procmount", "procmount_restricted"),
    ("seccompprofile_baseline", "seccompprofile_restricted"),
];

/// `LEVEL/vMAJOR.MINOR/pass|fail/CHECK<number>.yaml`.
struct Fixture {
    path: String,
    level: String,
    version: String,
    /// The check that it fails; none if it passes.
    fails: Option<String>,
    pod: Value,
}

fn fixtures(archive: &Path) -> Vec<Fixture> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(archive).unwrap()));
    let mut fixtures = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let parts: Vec<_> = path.split('/').collect();
        let [.., level, version, outcome, file] = parts.as_slice() else { continue };
        let Some(name) = file.strip_suffix(".yaml") else { continue };
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        let check = name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        fixtures.push(Fixture {
            level: (*level).to_owned(),
            version: (*version).to_owned(),
            fails: (*outcome == "fail").then_some(check),
            pod: serde_saphyr::from_str(&text).unwrap(),
            path: path.clone(),
        });
    }
    fixtures
}

/// Ids of the checks that failed, in lower case as in the names of the fixtures.
fn failed_checks(verdict: &Verdict) -> Vec<String> {
    let id =
        |details: &String| serde_json::from_str::<Value>(details).unwrap()["check"].as_str().unwrap().to_lowercase();
    let mut ids: Vec<_> =
        verdict.violations().iter().map(|violation| id(violation.details.as_ref().unwrap())).collect();
    ids.sort();
    ids.dedup();
    ids
}

#[test]
fn the_public_fixtures_of_every_version_pass_and_fail_as_they_should() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/pss/fixtures.tgz");
    let archive = std::env::var_os("PSS_FIXTURES").map_or(shared, PathBuf::from);
    if !archive.exists() {
        println!(
            "skipped: there are no Pod Security fixtures at {}; PSS_FIXTURES names another place",
            archive.display()
        );
        return;
    }
    let fixtures = fixtures(&archive);
    assert!(fixtures.len() > 3000, "only {} fixtures", fixtures.len());
    for Fixture { path, level, version, fails, pod } in fixtures {
        let failed = failed_checks(&judged(pod, json!({"level": level, "version": version})));
        let Some(named) = fails else {
            assert_eq!(failed, [""; 0], "{path}");
            continue;
        };
        let unavoidable = |check: &String| COMPANIONS.contains(&(&named, check));
        let failed: Vec<_> = failed.into_iter().filter(|check| !unavoidable(check)).collect();
        let stricter = OVERRIDES.iter().find(|(baseline, _)| *baseline == named).map(|(_, restricted)| *restricted);
        assert!(failed == [named.as_str()] || failed.iter().map(String::as_str).eq(stricter), "{path}: {failed:?}");
    }
}

#[test]
fn a_class_that_loosens_on_labels_alone_is_refused() {
    let class =
        |when: Value| json!({"level": "restricted", "classes": [{"name": "c", "when": when, "level": "baseline"}]});
    let refused = |settings: Value| {
        let settings: super::Settings = serde_json::from_value(settings).unwrap();
        settings.check().err().map(|error| error.at)
    };
    let at = Some("/classes/0/when".to_owned());
    assert_eq!(refused(class(json!({"labels": {"tier": "edge"}}))), at);
    assert_eq!(refused(class(json!({"labels": {"tier": "edge"}, "requestsGpu": false}))), at);
    assert_eq!(refused(class(json!({}))), at);
    assert_eq!(refused(class(json!({"labels": {"tier": "edge"}, "images": ["nginx"]}))), None);
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
