//! Pod templates as views: places, nulls, wrong types.

use super::*;
use serde_json::json;

fn read(value: &serde_json::Value) -> Template {
    Template::read(value).unwrap()
}

#[test]
fn lists_init_regular_and_ephemeral_containers_with_their_places() {
    let template = read(&json!({"spec": {
        "containers": [{"name": "app", "image": "a"}],
        "initContainers": [{"name": "init"}, {"name": "side", "restartPolicy": "Always"}],
        "ephemeralContainers": [{"name": "debug"}],
    }}));
    let found: Vec<_> = template.containers.iter().map(|c| (c.kind, c.name.as_str(), c.pointer.as_str())).collect();
    assert_eq!(
        found,
        [
            (ContainerKind::Init, "init", "/spec/initContainers/0"),
            (ContainerKind::Sidecar, "side", "/spec/initContainers/1"),
            (ContainerKind::Regular, "app", "/spec/containers/0"),
            (ContainerKind::Ephemeral, "debug", "/spec/ephemeralContainers/0"),
        ]
    );
}

#[test]
fn null_is_the_same_as_missing() {
    let template = read(&json!({"metadata": null, "spec": {"containers": null, "volumes": null, "os": null}}));
    assert_eq!(template, Template::default());
}

#[test]
fn a_volume_is_named_by_its_source_field() {
    let template = read(&json!({"spec": {"volumes": [
        {"name": "a", "hostPath": {"path": "/var"}},
        {"name": "b", "emptyDir": {}},
        {"name": "c"},
        {"name": "d", "hostPath": null, "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "e", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
    ]}}));
    let found: Vec<_> = template.volumes.iter().map(|v| (v.source.as_str(), v.target.as_deref())).collect();
    assert_eq!(
        found,
        [
            ("hostPath", Some("/var")),
            ("emptyDir", None),
            ("", None),
            ("persistentVolumeClaim", Some("data")),
            ("projected", None)
        ]
    );
}

#[test]
fn quantities_may_be_numbers() {
    let template = read(&json!({"spec": {"containers": [
        {"name": "a", "resources": {"limits": {"cpu": 2, "memory": "1Gi"}, "requests": {"cpu": 0.5}}}
    ]}}));
    let container = template.containers.first().unwrap();
    assert_eq!(container.limits, [("cpu".into(), "2".into()), ("memory".into(), "1Gi".into())]);
    assert_eq!(container.requests, [("cpu".into(), "0.5".into())]);
}

#[test]
fn a_wrong_type_is_named_by_its_place() {
    let error = Template::read(json!({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": "http"}]}]}}))
        .unwrap_err();
    assert_eq!(error.at, "spec.containers[0].ports[0].containerPort");
    assert!(error.reason.contains("invalid type: string \"http\""), "{}", error.reason);
}

#[test]
fn a_template_that_is_no_object_is_an_error() {
    assert!(Template::read(json!([1])).is_err());
    assert!(Template::read(json!("text")).is_err());
}

#[test]
fn a_list_is_no_object_wherever_one_belongs() {
    let spec = |field: &str, value: serde_json::Value| json!({"spec": {field: value}});
    let container = |field: &str, value: serde_json::Value| spec("containers", json!([{"name": "a", field: value}]));
    for (place, template) in [
        (".", json!([])),
        (".", json!([null, {"containers": []}])),
        ("metadata", json!({"metadata": [{}]})),
        ("spec", json!({"spec": []})),
        ("spec.securityContext", spec("securityContext", json!([]))),
        ("spec.securityContext", spec("securityContext", json!([true, 0]))),
        ("spec.securityContext.seccompProfile", spec("securityContext", json!({"seccompProfile": ["RuntimeDefault"]}))),
        ("spec.containers[0]", spec("containers", json!([["a", "web:1"]]))),
        ("spec.containers[0].securityContext", container("securityContext", json!([false]))),
        (
            "spec.containers[0].securityContext.capabilities",
            container("securityContext", json!({"capabilities": [[]]})),
        ),
        ("spec.containers[0].ports[0]", container("ports", json!([["http", 80]]))),
        ("spec.containers[0].resources", container("resources", json!([{}]))),
        ("spec.containers[0].livenessProbe.exec", container("livenessProbe", json!({"exec": []}))),
        ("spec.volumes[0].hostPath", spec("volumes", json!([{"name": "v", "hostPath": ["/"]}]))),
        ("spec.tolerations[0]", spec("tolerations", json!([["key", "Exists"]]))),
    ] {
        let error = Template::parse(&template.to_string()).unwrap_err();
        assert_eq!((error.at.as_str(), error.reason.as_str()), (place, "invalid type: sequence, expected an object"));
        assert_eq!(Template::read(&template).unwrap_err(), error);
    }
}

#[test]
fn what_is_told_of_a_wrong_shape_names_no_type_of_ours() {
    let error = Template::parse(r#"{"spec": {"securityContext": "strict"}}"#).unwrap_err();
    assert_eq!(error.to_string(), "spec.securityContext: invalid type: string \"strict\", expected an object");
    let error = Template::parse("[]").unwrap_err();
    assert_eq!(error.to_string(), "invalid type: sequence, expected an object");
}

#[test]
fn what_a_container_runs_and_is_told_is_seen() {
    let template = read(&json!({"spec": {"containers": [{
        "name": "a", "command": ["serve"], "args": null,
        "env": [{"name": "MODE", "value": "fast"}, {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "t"}}}],
        "volumeDevices": [{"name": "disk", "devicePath": "/dev/disk"}],
    }]}}));
    let container = template.containers.first().unwrap();
    let variable = |name: &str, value: Option<&str>| Variable { name: name.into(), value: value.map(Into::into) };
    assert_eq!(
        container.program,
        Program {
            command: vec!["serve".into()],
            args: Vec::new(),
            env: vec![variable("MODE", Some("fast")), variable("TOKEN", None)],
        }
    );
    assert_eq!(container.device_paths, ["/dev/disk"]);
}

#[test]
fn a_probe_that_asks_nothing_is_one_all_the_same() {
    let template =
        read(&json!({"spec": {"containers": [{"name": "a", "startupProbe": {"periodSeconds": 1, "exec": null}}]}}));
    assert_eq!(template.containers[0].probes, [Probe { kind: ProbeKind::Startup, handler: None, host: None }]);
}

#[test]
fn hosts_of_probes_and_hooks_are_seen() {
    let template = read(&json!({"spec": {"containers": [{
        "name": "a",
        "livenessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}},
        "readinessProbe": {"exec": {"command": ["true"]}},
        "lifecycle": {"preStop": {"tcpSocket": {"port": 1, "host": "db"}}},
    }]}}));
    let container = template.containers.first().unwrap();
    assert_eq!(
        container.probes,
        [
            Probe { kind: ProbeKind::Liveness, handler: Some(ProbeHandler::HttpGet), host: Some("10.0.0.1".into()) },
            Probe { kind: ProbeKind::Readiness, handler: Some(ProbeHandler::Exec), host: None },
        ]
    );
    assert_eq!(container.lifecycle_hosts, ["db"]);
}

#[test]
fn the_old_name_of_a_service_account_counts_where_the_new_one_says_nothing() {
    for (spec, account) in [
        (json!({"serviceAccountName": "web", "serviceAccount": "db"}), Some("web")),
        (json!({"serviceAccountName": "", "serviceAccount": "db"}), Some("db")),
        (json!({"serviceAccount": "db"}), Some("db")),
        (json!({}), None),
    ] {
        let template = Template::read(json!({"spec": spec})).unwrap();
        assert_eq!(template.pod.service_account.as_deref(), account, "{spec}");
    }
}
