//! `portreeve check`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use serde_json::json;

use super::{POD, PRIVILEGED, assert_promised, binary, folder, judging, text};

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n";

#[test]
fn a_pod_that_can_be_mended_is_allowed_and_what_was_put_in_is_shown() {
    let ended = judging(POD, &["check", "-"]).with_code(0);
    assert!(ended.stdout.contains("allowed  Pod default/web   stdin:1"), "{}", ended.stdout);
    let put_in = "+ spec.containers[web].securityContext.allowPrivilegeEscalation: false";
    assert!(ended.stdout.contains(put_in), "{}", ended.stdout);
}

#[test]
fn a_privileged_workload_is_denied_with_file_line_and_remedy() {
    let folder = folder(&[("root.yaml", PRIVILEGED)]);
    let file = text(folder.path().join("root.yaml"));
    let ended = judging("", &["check", &file]).with_code(1);
    assert!(ended.stdout.contains("DENIED   Deployment shop/root"), "{}", ended.stdout);
    assert!(ended.stdout.contains(&format!("wrong {file}:15: ")), "{}", ended.stdout);
    assert!(ended.stdout.contains("mend: "), "{}", ended.stdout);
}

#[test]
fn the_output_of_helm_template_is_read_from_stdin() {
    let chart =
        format!("---\n# Source: shop/templates/a.yaml\n{POD}---\n---\n# Source: b\n{CONFIG_MAP}---\n{PRIVILEGED}");
    let report = judging(&chart, &["check", "-", "-n", "shop", "-o", "json"]).with_code(1).json();
    assert_promised("check", &report);
    let named: Vec<_> = report["objects"].as_array().unwrap().iter().map(|object| &object["name"]).collect();
    assert_eq!(named, ["web", "root"]);
    assert_eq!(report["objects"][0]["namespace"], "shop");
    assert_eq!(report["summary"]["otherObjects"], 1);
    assert_eq!(report["summary"]["denied"], 1);
}

#[test]
fn lists_and_folders_are_read() {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}},
    ]});
    let folder = folder(&[("a.json", &list.to_string()), ("b.yaml", POD), ("c.txt", "not a manifest")]);
    let report = judging("", &["check", &text(folder.path()), "-o", "json"]).with_code(0).json();
    assert_eq!(report["summary"]["workloads"], 2);
}

#[test]
fn as_written_leaves_the_defaults_out() {
    let report = judging(POD, &["check", "-", "--as-written", "-o", "json"]).with_code(1).json();
    assert_eq!(report["objects"][0]["injected"], json!([]));
    assert_eq!(report["objects"][0]["verdict"], "denied");
}

#[test]
fn what_was_put_in_has_policy_place_and_value() {
    let report = judging(POD, &["check", "-", "-o", "json"]).with_code(0).json();
    let injected = report["objects"][0]["injected"].as_array().unwrap();
    let one = injected.iter().find(|one| one["policy"] == "privilege-escalation").unwrap();
    assert_eq!(one["pointer"], "/spec/containers/0/securityContext/allowPrivilegeEscalation");
    assert_eq!(one["change"], "added");
    assert_eq!(one["value"], false);
}

#[test]
fn namespaces_that_no_policy_sees_are_told() {
    let report = judging(POD, &["check", "-", "-n", "kube-system", "-o", "json"]).with_code(0).json();
    assert_eq!(report["objects"][0]["verdict"], "unseen");
    assert_eq!(report["summary"]["unseen"], 1);
}

const FOR_SHOPS: &str = "\
apiVersion: portreeve.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: shops}
spec:
  module: {builtin: privilege-escalation}
  mutate: false
  match: {namespaceSelector: {matchLabels: {team: shop}}}
";
const SHOP: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: shop}}\n";

#[test]
fn policies_select_by_the_labels_of_namespaces_among_the_manifests() {
    let policies = folder(&[("shops.yaml", FOR_SHOPS)]);
    let policies = text(policies.path());
    let with_namespace = format!("{SHOP}---\n{POD}");
    let arguments = ["check", "-", "-n", "shop", "--policies", &policies];
    judging(&with_namespace, &arguments).with_code(1);
    judging(POD, &arguments).with_code(0);
}

#[test]
fn policies_among_the_manifests_count_unless_others_are_named() {
    let (warned, denied) = (FOR_SHOPS.replace("  mutate: false", "  mode: warn\n  mutate: false"), FOR_SHOPS);
    let manifests = format!("{SHOP}---\n{POD}---\n{warned}");
    let arguments = ["check", "-", "-n", "shop", "-o", "json"];
    let report = judging(&manifests, &arguments).with_code(0).json();
    assert_eq!(report["policiesFrom"], "manifests");
    assert_eq!(report["objects"][0]["violations"][0]["policy"], "shops");
    let policies = folder(&[("shops.yaml", denied)]);
    let policies = text(policies.path());
    let named = [&arguments[..], &["--policies", &policies]].concat();
    assert_eq!(judging(&manifests, &named).with_code(1).json()["policiesFrom"], "folder");
}

#[test]
fn a_pod_holds_the_token_that_the_api_server_would_mount() {
    let policy = "---\napiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: tokens}\n\
        spec: {module: {builtin: service-account-token}, settings: {templates: disable}}\n";
    let account =
        "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}\nautomountServiceAccountToken: false\n";
    let ended = judging(&format!("{POD}{policy}"), &["check", "-"]).with_code(1);
    assert!(ended.stdout.contains("holds the token of its service account"), "{}", ended.stdout);
    judging(&format!("{POD}{policy}{account}"), &["check", "-"]).with_code(0);
}

#[test]
fn an_exception_among_the_manifests_counts_with_the_profile() {
    let exception = "---\napiVersion: portreeve.dev/v1alpha1\nkind: PolicyException\n\
        metadata: {name: root, namespace: shop}\n\
        spec: {policy: privilege-escalation, owner: team, ticket: T-1, reason: legacy, expires: '2100-01-01T00:00:00Z'}\n";
    let report = judging(&format!("{PRIVILEGED}{exception}"), &["check", "-", "-o", "json"]).json();
    assert_eq!(report["policiesFrom"], "profile");
    let violations = report["objects"][0]["violations"].as_array().unwrap();
    let excepted = violations.iter().find(|violation| violation["policy"] == "privilege-escalation").unwrap();
    assert_eq!(excepted["exception"], "shop/root");
}

#[test]
fn lock_files_in_a_folder_count_and_must_agree() {
    let locked = |digit: &str| {
        let digest = digit.repeat(64);
        format!(
            "apiVersion: portreeve.dev/v1alpha1\nkind: ImageLock\nimages: [{{image: 'web:1', digest: 'sha256:{digest}'}}]\n"
        )
    };
    let files = |other: &str| {
        folder(&[("web.yaml", POD), ("a/images.lock", locked("1").as_str()), ("b/images.lock", locked(other).as_str())])
    };
    let agreeing = files("1");
    let report = judging("", &["check", &text(agreeing.path()), "-o", "json"]).with_code(0).json();
    assert_eq!(report["imageLocks"].as_array().unwrap().len(), 2);
    let contradicting = files("2");
    let ended = judging("", &["check", &text(contradicting.path())]).with_code(2);
    assert!(
        ended.stderr.contains("b/images.lock") && ended.stderr.contains("docker.io/library/web:1"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_is_no_object_in_a_folder_is_passed_over_and_told() {
    let folder = folder(&[("web.yaml", POD), ("values.yaml", "replicas: 2\n")]);
    let ended = judging("", &["check", &text(folder.path())]).with_code(0);
    assert!(ended.stderr.starts_with("passed over, since no Kubernetes objects are in them: "), "{}", ended.stderr);
    judging("", &["check", &text(folder.path().join("values.yaml"))]).with_code(2);
}

#[test]
fn a_kustomization_in_a_folder_is_passed_over_and_told_with_what_to_do() {
    let kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [web.yaml]\n";
    let folder = folder(&[("web.yaml", POD), ("kustomization.yaml", kustomization)]);
    let ended = judging("", &["check", &text(folder.path())]).with_code(0);
    let told = ended.stderr.lines().next().unwrap();
    assert!(told.starts_with("passed over: ") && told.contains("kustomization.yaml: "), "{told}");
    assert!(told.contains("run `kustomize build`"), "{told}");
}

#[test]
fn a_name_that_no_namespace_has_is_refused_in_words() {
    for wrong in ["Bad NS", "", "UPPER", &"a".repeat(300)] {
        let ended = judging(POD, &["check", "-", "-n", wrong]).with_code(2);
        assert!(ended.stderr.contains("RFC 1123 label"), "{}", ended.stderr);
    }
}

#[test]
fn what_stands_beside_a_template_is_told_with_its_own_line() {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  replicas: 1\n  \
        selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, \
        image: 'web:1'}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {selector: {app: web}}\n";
    let report = judging(deployment, &["check", "-", "-o", "json"]).with_code(0).json();
    let violations = report["objects"][0]["violations"].as_array().unwrap();
    let replicas = violations.iter().find(|violation| violation["policy"] == "availability").unwrap();
    assert_eq!((&replicas["pointer"], &replicas["line"]), (&"/spec/replicas".into(), &5.into()));
}

#[test]
fn policies_select_by_labels_given_for_all_other_namespaces() {
    let policies = folder(&[("shops.yaml", FOR_SHOPS)]);
    let policies = text(policies.path());
    judging(POD, &["check", "-", "--policies", &policies, "--namespace-label", "team=shop"]).with_code(1);
}

#[test]
fn as_of_a_stricter_mode_the_next_step_of_a_rollout_is_shown() {
    let named = |mode: &str| FOR_SHOPS.replace("  mutate: false", &format!("  mode: {mode}\n  mutate: false"));
    let policies = folder(&[("shops.yaml", &named("audit")), ("shop.yaml", SHOP)]);
    let at = text(policies.path());
    let arguments = ["check", "-", "-n", "shop", "--policies", &at];
    judging(POD, &arguments).with_code(0);
    let ended = judging(POD, &[&arguments[..], &["--as-of-mode", "enforce"]].concat()).with_code(1);
    assert!(ended.stdout.contains("judged more strictly than today: shops is in audit today\n"), "{}", ended.stdout);
    let report = judging(POD, &[&arguments[..], &["--as-of-mode", "warn", "-o", "json"]].concat()).with_code(0).json();
    assert_promised("check", &report);
    let violation = &report["objects"][0]["violations"][0];
    assert_eq!((&violation["mode"], &violation["modeToday"]), (&"warn".into(), &"audit".into()));
    assert_eq!(report["raised"][0]["policy"], "shops");
}

#[test]
fn of_a_rollout_the_mode_of_each_namespace_is_what_it_is_today() {
    let stage = "  mode: audit\n  rollout: [{namespaceSelector: {matchLabels: {team: shop}}, mode: warn}]\n";
    let policies = folder(&[("shops.yaml", &format!("{FOR_SHOPS}{stage}")), ("shop.yaml", SHOP)]);
    let at = text(policies.path());
    let arguments = ["check", "-", "-n", "shop", "--policies", &at, "--as-of-mode", "enforce", "-o", "json"];
    let report = judging(POD, &arguments).with_code(1).json();
    let violation = &report["objects"][0]["violations"][0];
    assert_eq!((&violation["mode"], &violation["modeToday"]), (&"enforce".into(), &"warn".into()));
    assert_eq!(report["raised"][0]["modeToday"], "audit");
}

#[test]
fn policies_that_are_off_or_stricter_stay_as_they_are() {
    for mode in ["\"off\"", "enforce"] {
        let policies = folder(&[("shops.yaml", &format!("{}  mode: {mode}\n", FOR_SHOPS)), ("shop.yaml", SHOP)]);
        let at = text(policies.path());
        let arguments = ["check", "-", "-n", "shop", "--policies", &at, "--as-of-mode", "warn", "-o", "json"];
        let code = if mode.contains("off") { 0 } else { 1 };
        let report = judging(POD, &arguments).with_code(code).json();
        assert_eq!(report["raised"], serde_json::json!([]), "{mode}");
    }
}

#[test]
fn a_bare_off_is_answered_with_place_and_remedy() {
    let policies = folder(&[("shops.yaml", &format!("{FOR_SHOPS}  mode: off\n"))]);
    let ended = judging(POD, &["check", "-", "--policies", &text(policies.path())]).with_code(2);
    assert!(ended.stderr.contains("spec.mode: YAML takes a bare `off` for false"), "{}", ended.stderr);
}

#[test]
fn the_profile_that_a_set_asks_for_is_raised_too() {
    let set = "apiVersion: portreeve.dev/v1alpha1\nkind: PolicySet\nmetadata: {name: s}\nspec: {profile: platform}\n";
    let policies = folder(&[("set.yaml", set)]);
    let arguments = ["check", "-", "--policies", &text(policies.path()), "--as-of-mode", "enforce", "-o", "json"];
    let report = judging(POD, &arguments).json();
    let raised = report["raised"].as_array().unwrap();
    assert!(raised.iter().any(|one| one["policy"] == "probes" && one["modeToday"] == "warn"), "{raised:?}");
}

#[test]
fn a_servers_configuration_says_by_what_is_judged() {
    let config = "tls: {folder: certs, names: [localhost]}\ncallers: {tokenFolder: certs}\npolicies: policies\n\
        namespaceDefaults: {labels: {team: shop}}\n\
        templatePaths: [{group: shop.example, kind: Stall, path: /spec/pod}]\n";
    let files = [("server.yaml", config), ("policies/shops.yaml", FOR_SHOPS)];
    let files = folder(&files);
    let config = text(files.path().join("server.yaml"));
    judging(POD, &["check", "-", "--config", &config]).with_code(1);
    judging(POD, &["check", "-"]).with_code(0);
    let stall = "apiVersion: shop.example/v1\nkind: Stall\nmetadata: {name: s, namespace: shop}\n\
        spec: {pod: {spec: {containers: [{name: a, image: a}]}}}\n";
    judging(stall, &["check", "-", "--config", &config]).with_code(1);
    judging(stall, &["check", "-"]).with_code(0);
    let other = folder(&[("none.yaml", &FOR_SHOPS.replace("team: shop", "team: other"))]);
    judging(POD, &["check", "-", "--config", &config, "--policies", &text(other.path())]).with_code(0);
}

#[test]
fn an_exception_that_has_ended_is_told_and_no_longer_counts() {
    let exception = "---\napiVersion: portreeve.dev/v1alpha1\nkind: PolicyException\n\
        metadata: {name: old, namespace: shop}\n\
        spec: {policy: shops, owner: team, ticket: T-1, reason: legacy, expires: '2020-01-01T00:00:00Z'}\n";
    let policies = folder(&[("shops.yaml", &format!("{FOR_SHOPS}{exception}"))]);
    let manifests = format!("{SHOP}---\n{POD}");
    let policies = text(policies.path());
    let ended = judging(&manifests, &["check", "-", "-n", "shop", "--policies", &policies]).with_code(1);
    let told = "the exception shop/old from shops (team, T-1) no longer counts: it expired at 2020-01-01T00:00:00Z";
    assert!(ended.stdout.contains(told), "{}", ended.stdout);
    let report = judging(&manifests, &["check", "-", "-n", "shop", "--policies", &policies, "-o", "json"]);
    let report = report.with_code(1).json();
    assert_promised("check", &report);
    assert_eq!(report["endingExceptions"][0]["name"], "shop/old");
    assert_eq!(report["endingExceptions"][0]["term"], "over");
}

#[test]
fn a_template_that_is_none_is_refused_and_told() {
    let broken = PRIVILEGED.replace("privileged: true", "privileged: [1]");
    let ended = judging(&broken, &["check", "-"]).with_code(1);
    assert!(ended.stdout.contains("FAILED   Deployment shop/root"), "{}", ended.stdout);
    let told = "can't be judged stdin:15: the pod template at \"/spec/template\" can't be read: \
                spec.containers[0].securityContext.privileged: invalid type: sequence, expected a boolean\n";
    assert!(ended.stdout.contains(told), "{}", ended.stdout);
    let ended = judging(&broken, &["render", "-"]).with_code(1);
    assert!(ended.stderr.contains("stdin:15: Deployment root would be refused: "), "{}", ended.stderr);
}

#[test]
fn metadata_that_is_none_is_told_with_its_line() {
    let broken = POD.replace("spec:", "  labels:\n    tier: [1]\nspec:");
    let ended = judging(&broken, &["check", "-"]).with_code(1);
    let told =
        "can't be judged stdin:6: request.object: metadata.labels.tier: invalid type: sequence, expected a string\n";
    assert!(ended.stdout.contains(told), "{}", ended.stdout);
}

#[test]
fn a_file_that_is_not_yaml_is_named_with_its_line() {
    let folder = folder(&[("bad.yaml", "kind: Pod\n  spec: [\n")]);
    let ended = judging("", &["check", &text(folder.path())]).with_code(2);
    assert!(ended.stdout.is_empty());
    assert!(ended.stderr.contains("bad.yaml:2"), "{}", ended.stderr);
}

#[test]
fn nothing_to_check_is_an_error() {
    let ended = judging("", &["check", "-"]).with_code(2);
    assert!(ended.stderr.contains("no Kubernetes object"), "{}", ended.stderr);
}

#[test]
fn a_missing_file_is_named() {
    let ended = judging("", &["check", "/nowhere/at-all.yaml"]).with_code(2);
    assert!(ended.stderr.contains("/nowhere/at-all.yaml"), "{}", ended.stderr);
}

#[test]
fn a_policy_with_a_wrong_setting_is_named_with_file_and_place() {
    let policies = folder(&[("p.yaml", &FOR_SHOPS.replace("  mutate: false", "  settings: {nonsense: 1}"))]);
    let ended = judging(POD, &["check", "-", "--policies", &text(policies.path())]).with_code(2);
    assert!(ended.stderr.contains("p.yaml:1") && ended.stderr.contains("nonsense"), "{}", ended.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let many: String =
        (0..300).map(|number| format!("{}---\n", POD.replace("name: web #", &format!("name: w{number} #")))).collect();
    let folder = folder(&[("many.yaml", &many)]);
    judging(POD, &["check", "-"]);
    let mut child =
        binary().args(["check", &text(folder.path())]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{told}");
    assert!(first.starts_with("allowed"), "{first}");
    assert!(told.is_empty(), "{told}");
}
