//! Values of the server's chart that depend on each other.

use portreeve_tests::helm::{DIGEST, Installation};
use portreeve_tests::injected::{containers, spec};
use serde_json::{Value, json};

use crate::helm;

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Option<&'a Value> {
    objects.iter().find(|object| object["kind"] == kind)
}

#[test]
fn the_certificate_is_for_the_address_that_is_registered() {
    let Some(helm) = helm() else { return };
    let at = |url: &str| Installation::of_server(None).with(&format!("registration.url={url}"));
    let service = "portreeve.portreeve.svc";
    for (url, host) in [("https://10.0.0.7:8443", "10.0.0.7"), ("https://gate.example", "gate.example")] {
        let objects = helm.render(&at(url)).unwrap();
        let text = objects.iter().find_map(|object| object["data"]["server.yaml"].as_str()).unwrap();
        let config: Value = serde_saphyr::from_str(text).unwrap();
        assert_eq!(config["tls"]["names"], json!([service, host]));
        assert_eq!(config["kubernetes"]["registration"]["at"]["url"], url);
    }
    let issued = "certificate.source=cert-manager,certificate.certManager.issuerRef.name=ca";
    for (url, names, addresses) in [
        ("https://10.0.0.7:8443", json!([service]), json!(["10.0.0.7"])),
        ("https://gate.example", json!([service, "gate.example"]), Value::Null),
        ("", json!([service]), Value::Null),
    ] {
        let objects = helm.render(&at(url).with(issued)).unwrap();
        let certificate = &of_kind(&objects, "Certificate").unwrap()["spec"];
        assert_eq!((&certificate["dnsNames"], &certificate["ipAddresses"]), (&names, &addresses), "{url}");
    }
}

#[test]
fn what_would_alarm_for_nothing_is_refused() {
    let Some(helm) = helm() else { return };
    let monitored = "monitoring.alerts.enabled=true,networkPolicy.enabled=false";
    helm.render(&Installation::of_server(None).with(monitored)).unwrap();
    for (values, told) in [
        ("monitoring.serviceMonitor.enabled=true", "networkPolicy.metricsFrom"),
        ("monitoring.alerts.enabled=true", "networkPolicy.metricsFrom"),
        (&format!("{monitored},config.ledger.proof.everyHours=36"), "monitoring.alerts.evidenceHours"),
        (&format!("{monitored},config.ledger.proof.firstAfterMinutes=60"), "config.ledger.proof.firstAfterMinutes"),
        (&format!("{monitored},certificate.lifetimes.leafDays=42"), "monitoring.alerts.certificateDays"),
    ] {
        let fault = helm.render(&Installation::of_server(None).with(values)).unwrap_err().to_string();
        assert!(fault.contains(told), "{values}: {fault}");
    }
}

#[test]
fn production_runs_an_image_by_digest_or_says_that_it_does_not() {
    let Some(helm) = helm() else { return };
    let of = |file: Option<&str>| Installation::of_server(file).with("image.digest=");
    let fault = helm.render(&of(Some("prod"))).unwrap_err().to_string();
    assert!(fault.contains("--set image.digest=sha256:") && fault.contains("image.requireDigest=false"), "{fault}");
    helm.render(&of(Some("prod")).with("image.requireDigest=false")).unwrap();
    for file in [None, Some("dev"), Some("staging")] {
        helm.render(&of(file)).unwrap();
    }
}

#[test]
fn every_container_of_the_release_runs_the_image_that_was_given() {
    let Some(helm) = helm() else { return };
    let everything = Installation::of_server(Some("prod"));
    let mut seen = 0;
    for object in helm.render(&everything).unwrap() {
        for container in containers(spec(&object)) {
            let image = container["image"].as_str().unwrap();
            assert!(image.starts_with("ghcr.io/portreeve/portreeve:") && image.ends_with(DIGEST), "{image}");
            seen += 1;
        }
    }
    // The server, the two CronJobs, the hook and the test.
    assert_eq!(seen, 5);
}

#[test]
fn evidence_is_kept_of_books_that_outlast_their_pods_and_waits_for_their_proofs() {
    let Some(helm) = helm() else { return };
    let jobs = |values: &str| -> Vec<Value> {
        let objects = helm.render(&Installation::of_server(None).with(values)).unwrap();
        let of_evidence = |object: &Value| object["metadata"]["name"] == "portreeve-soc2-evidence";
        objects.into_iter().filter(|object| object["kind"] == "CronJob").filter(of_evidence).collect()
    };
    assert_eq!(jobs("storage.persistent=false"), Vec::<Value>::new());
    let job = &jobs("config.ledger.proof.everyHours=72,config.ledger.proof.firstAfterMinutes=30")[0];
    let job = &job["spec"]["jobTemplate"]["spec"];
    let arguments = job["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
    let given = |name: &str| arguments.iter().skip_while(|argument| *argument != name).nth(1).cloned();
    assert_eq!([given("--oldest"), given("--wait")], [Some(json!("144")), Some(json!("35"))]);
    assert_eq!(job["activeDeadlineSeconds"], 40 * 60);
}

#[test]
fn a_quota_lets_pods_of_kubernetes_own_classes_in() {
    let Some(helm) = helm() else { return };
    let quota = |values: &str| {
        let objects = helm.render(&Installation::of_server(None).with(values)).unwrap();
        of_kind(&objects, "ResourceQuota").map(|quota| quota["spec"]["scopeSelector"]["matchExpressions"][0].clone())
    };
    let of = |class: &str| json!({"scopeName": "PriorityClass", "operator": "In", "values": [class]});
    assert_eq!(quota("replicas=2"), Some(of("system-cluster-critical")));
    assert_eq!(quota("priorityClassName=system-node-critical"), Some(of("system-node-critical")));
    assert_eq!(quota("priorityClassName=mine"), None);
    assert_eq!(quota("priorityQuota=false"), None);
}

#[test]
fn no_test_is_there_that_would_need_a_client_certificate() {
    let Some(helm) = helm() else { return };
    let tests = |values: &str| {
        let objects = helm.render(&Installation::of_server(None).with(values)).unwrap();
        objects.iter().filter(|object| object["metadata"]["annotations"]["helm.sh/hook"] == "test").count()
    };
    assert_eq!(tests("callers.by=token"), 1);
    assert_eq!(tests("callers.by=certificate,callers.certificate.secretName=callers"), 0);
}
