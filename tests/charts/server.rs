//! The chart of the server: every values file is sound, the server reads the configuration that it writes, and our own
//! policies have nothing to add to it.

use std::collections::{BTreeMap, BTreeSet};

use portreeve_admission::api::Mode;
use portreeve_admission::subject::TemplatePaths;
use portreeve_server::check::{CheckOptions, Checker, Corrections, Verdict};
use portreeve_server::config::ServerConfig;
use portreeve_supply::{ImageLock, Images};
use portreeve_tests::gate::cache;
use portreeve_tests::helm::Installation;
use portreeve_tests::places::checkout;
use serde_json::{Value, json};

use crate::helm;

/// The server's configuration among these objects.
fn text(objects: &[Value]) -> &str {
    objects.iter().find_map(|object| object["data"]["server.yaml"].as_str()).unwrap()
}

fn configuration(objects: &[Value]) -> Value {
    serde_saphyr::from_str(text(objects)).unwrap()
}

/// With each values file, and with none.
fn installations() -> Vec<Installation> {
    [None, Some("dev"), Some("staging"), Some("prod")].map(Installation::of_server).into()
}

#[test]
fn every_values_file_of_every_chart_is_without_fault() {
    let Some(helm) = helm() else { return };
    for installation in Installation::all().unwrap() {
        helm.lint(&installation).unwrap();
        assert!(!helm.render(&installation).unwrap().is_empty(), "{installation:?}");
    }
}

#[test]
fn a_misspelt_value_is_refused_by_name() {
    let Some(helm) = helm() else { return };
    for installation in [Installation::of_server(None), Installation::of_platform("avivatec", "prod")] {
        let fault = helm.render(&installation.with("replicsa=3")).unwrap_err().to_string();
        assert!(fault.contains("replicsa"), "{fault}");
    }
}

#[test]
fn a_value_that_the_api_server_would_refuse_is_refused_before() {
    let Some(helm) = helm() else { return };
    for wrong in [
        "evidence.schedule=monthly",
        "certificate.rotate.schedule=0 0 1 *",
        "nameOverride=Gate",
        "fullnameOverride=a_b",
    ] {
        let fault = helm.render(&Installation::of_server(None).with(wrong)).unwrap_err().to_string();
        let (name, _) = wrong.rsplit_once('=').unwrap();
        let place = format!("/{}", name.replace('.', "/"));
        assert!(fault.contains(&place) || fault.contains(name), "{fault}");
    }
    assert!(helm.render(&Installation::of_server(None).with("evidence.schedule=@monthly")).is_ok());
}

#[test]
fn the_server_reads_the_configuration_that_the_chart_writes() {
    let Some(helm) = helm() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.yaml");
    let further = Installation::of_server(None)
        .with("callers.by=certificate,callers.certificate.secretName=callers,certificate.source=secret")
        .with("registryCredentials.secretName=registries,imageLock.configMap=images")
        .with("policies.from=files,policies.configMaps={policies},registration.url=https://10.0.0.7:8443")
        .with("config.registries.registries[0].host=registry.example")
        .with("config.traces.endpoint=https://collector.example,collector.caConfigMap=authorities");
    let by_somebody = Installation::of_server(None).with("certificate.source=secret,scan.reports=policy-reports");
    let less = Installation::of_server(None).with("registration.enabled=false,scan.enabled=false,events.enabled=false");
    for installation in installations().into_iter().chain([further, by_somebody, less]) {
        let objects = helm.render(&installation).unwrap();
        std::fs::write(&file, text(&objects)).unwrap();
        let config = ServerConfig::read(&file).unwrap_or_else(|error| panic!("{installation:?}: {error}"));
        assert!(config.ledger.is_some() && config.state.is_some() && config.kubernetes.is_some(), "{installation:?}");
    }
}

#[test]
fn policy_files_that_nobody_would_read_are_refused() {
    let Some(helm) = helm() else { return };
    let fault = helm.render(&Installation::of_server(None).with("policies.configMaps={policies}")).unwrap_err();
    assert!(fault.to_string().contains("policies.from=files"), "{fault}");
}

#[test]
fn a_group_that_nobody_asks_about_is_refused() {
    let Some(helm) = helm() else { return };
    let unasked = || Installation::of_server(None).with("breakGlassGroup=rescuers,registration.enabled=false");
    let fault = helm.render(&unasked()).unwrap_err().to_string();
    assert!(fault.contains("breakGlassGroup names a group"), "{fault}");
    helm.render(&unasked().with("policies.from=files")).unwrap();
}

#[test]
fn a_token_that_nobody_would_mount_or_register_is_refused() {
    let Some(helm) = helm() else { return };
    let server = |settings: &str| Installation::of_server(None).with(settings);
    let fault = helm.render(&server("callers.token.secretName=by-hand")).unwrap_err().to_string();
    assert!(fault.contains("callers.token.secretName names a Secret"), "{fault}");
    let unregistered = "certificate.source=secret,registration.enabled=false";
    let fault = helm.render(&server(unregistered)).unwrap_err().to_string();
    assert!(fault.contains("callers.token.secretName is empty"), "{fault}");
    let of_others = helm.render(&server(unregistered).with("callers.token.secretName=by-hand")).unwrap();
    assert_eq!(configuration(&of_others)["kubernetes"]["tokenSecret"], Value::Null);
    helm.render(&server(unregistered).with("callers.by=certificate,callers.certificate.secretName=callers")).unwrap();
}

#[test]
fn a_start_may_take_as_long_as_the_registry_with_the_most_mirrors() {
    let Some(helm) = helm() else { return };
    let (one, other) = ("config.registries.registries[0].host=one", "config.registries.registries[1].host=other");
    let mirrored = format!("{one},{other},config.registries.registries[1].mirrors={{a,b}}");
    let slow = "config.registries.timeouts.moduleSeconds";
    for (settings, seconds) in [
        ("replicas=2".to_owned(), 300),
        (one.to_owned(), 420),
        (mirrored.clone(), 660),
        (format!("{mirrored},{slow}=200"), 900),
        (format!("{mirrored},{slow}=100000"), 3600),
        (format!("{mirrored},imageLock.configMap=images"), 300),
    ] {
        let objects = helm.render(&Installation::of_server(None).with(&settings)).unwrap();
        let server = objects.iter().find(|object| object["kind"] == "StatefulSet").unwrap();
        let probe = &server["spec"]["template"]["spec"]["containers"][0]["startupProbe"];
        assert_eq!((&probe["failureThreshold"], &probe["periodSeconds"]), (&json!(seconds), &json!(1)), "{settings}");
    }
}

/// Every file that the configuration names is in a volume, and every volume is mounted.
#[test]
fn the_files_that_the_configuration_names_are_mounted() {
    let Some(helm) = helm() else { return };
    let issued = "cert-manager,certificate.certManager.issuerRef.name=ca";
    let sources = ["own", "secret", issued, "secret,callers.token.secretName=by-hand"];
    for source in sources.map(|source| format!("certificate.source={source}")) {
        for callers in ["token", "certificate,callers.certificate.secretName=callers"] {
            let installation = Installation::of_server(None).with(&source).with(&format!("callers.by={callers}"));
            let objects = helm.render(&installation).unwrap();
            let server = objects.iter().find(|object| object["kind"] == "StatefulSet").unwrap();
            let pod = &server["spec"]["template"]["spec"];
            let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
            let config = configuration(&objects);
            let registration = &config["kubernetes"]["registration"];
            for named in [&config["tls"], &config["callers"], registration].map(|section| section.as_object().unwrap())
            {
                for path in named.values().filter_map(Value::as_str).filter(|path| path.starts_with('/')) {
                    let is_below = |mount: &&Value| path.starts_with(mount["mountPath"].as_str().unwrap());
                    let mount = mounts.iter().find(is_below).unwrap_or_else(|| panic!("{path} of {installation:?}"));
                    let volumes = pod["volumes"].as_array().unwrap();
                    let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
                    let file = path.rsplit('/').next().unwrap();
                    let items = volume["secret"]["items"].as_array();
                    let has = |name: &str| items.is_some_and(|items| items.iter().any(|item| item["path"] == name));
                    let is_tokens = file == "callers" && has("token") && has("tokens");
                    assert!(volume["emptyDir"].is_object() || is_tokens || has(file), "{path} of {installation:?}");
                }
            }
        }
    }
}

#[test]
fn a_collector_is_named_trusted_and_let_out_to_where_one_is_configured() {
    let Some(helm) = helm() else { return };
    let settings = "config.traces.endpoint=http://collector:4318,collector.caConfigMap=authorities,\
        collector.headersSecret=collector,config.traces.sampleRatio=1";
    let objects = helm.render(&Installation::of_server(None).with(settings)).unwrap();
    let traces = &configuration(&objects)["traces"];
    assert_eq!((&traces["sampleRatio"], &traces["caFile"]), (&json!(1), &json!("/etc/portreeve/collector/ca.crt")));
    let of = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    let server = &of("StatefulSet")["spec"]["template"]["spec"];
    let is_collectors = |mount: &&Value| mount["mountPath"] == "/etc/portreeve/collector";
    assert!(server["containers"][0]["volumeMounts"].as_array().unwrap().iter().any(|mount| is_collectors(&mount)));
    assert!(server["containers"][0]["env"].to_string().contains("OTEL_EXPORTER_OTLP_HEADERS"));
    let out = |objects: &[Value]| {
        let policy = objects.iter().find(|object| object["kind"] == "NetworkPolicy").unwrap();
        policy["spec"]["egress"].to_string().contains("4318")
    };
    assert!(out(&objects));
    assert!(!out(&helm.render(&Installation::of_server(None)).unwrap()));
}

/// Files of the server are the chart's to mount and to name.
#[test]
fn the_schema_of_the_values_knows_what_the_servers_own_schema_knows() {
    let read =
        |path: &str| -> Value { serde_json::from_slice(&std::fs::read(checkout().join(path)).unwrap()).unwrap() };
    let names = |shape: &Value| -> BTreeSet<String> {
        let properties = shape["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
        properties.filter(|name| !["credentialsFile", "lockFile", "caFile"].contains(&name.as_str())).collect()
    };
    let (server, values) = (read("docs/schemas/server-config.json"), read("charts/portreeve/values.schema.json"));
    let mut compared = 0;
    for (name, shape) in server["$defs"].as_object().unwrap() {
        if let Some(ours) = values["definitions"].get(name) {
            assert_eq!(names(ours), names(shape), "{name}");
            compared += 1;
        }
    }
    assert!(compared > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_policies_have_nothing_to_deny_and_nothing_to_put_in() {
    let Some(helm) = helm() else { return };
    for installation in installations() {
        let manifests = helm.manifests(&installation).unwrap();
        let options = CheckOptions {
            policies: None,
            images: Images::from_lock(ImageLock::default()),
            modules: None,
            cache: cache().unwrap(),
            paths: TemplatePaths::default(),
            namespace: installation.namespace.clone(),
            namespace_labels: BTreeMap::new(),
            corrections: Corrections::Made,
            as_of_mode: Some(Mode::Enforce),
        };
        let checker = Checker::open(options, &manifests).unwrap();
        for (manifest, checked) in manifests.iter().zip(checker.check_all(&manifests).await) {
            let at = format!("{} {} of {installation:?}", manifest.kind(), manifest.name());
            assert!(matches!(checked.verdict, Verdict::Allowed | Verdict::Unseen), "{at}: {checked:?}");
            assert_eq!(checked.corrected, None, "{at}");
        }
    }
}

#[test]
fn the_chart_registers_nothing_and_a_hook_takes_away_what_the_server_registered() {
    let Some(helm) = helm() else { return };
    let objects = helm.render(&Installation::of_server(Some("prod"))).unwrap();
    let kind = |object: &Value| object["kind"].as_str().unwrap().to_owned();
    assert!(objects.iter().all(|object| !kind(object).ends_with("WebhookConfiguration")));
    let is_last = |object: &&Value| object["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete";
    let hooks: Vec<&Value> = objects.iter().filter(is_last).collect();
    let [hook] = hooks.as_slice() else { panic!("{hooks:?}") };
    let pod = &hook["spec"]["template"]["spec"];
    let config = configuration(&objects);
    assert_eq!(
        pod["containers"][0]["args"],
        json!(["cluster", "uninstall", "--name", config["kubernetes"]["registration"]["name"]])
    );
    let server = objects.iter().find(|object| kind(object) == "StatefulSet").unwrap();
    assert_eq!(pod["serviceAccountName"], server["spec"]["template"]["spec"]["serviceAccountName"]);
    // Or the Service would lead to it.
    let service = objects.iter().find(|object| kind(object) == "Service").unwrap();
    let labels = &hook["spec"]["template"]["metadata"]["labels"];
    assert!(service["spec"]["selector"].as_object().unwrap().iter().any(|(label, value)| labels[label] != *value));
}

/// The parts that have a role in the whole cluster.
fn parts(objects: &[Value]) -> BTreeSet<&str> {
    let roles = objects.iter().filter(|object| object["kind"] == "ClusterRole");
    roles.map(|role| role["metadata"]["name"].as_str().unwrap().strip_prefix("portreeve-").unwrap()).collect()
}

#[test]
fn each_part_has_a_role_and_one_that_is_switched_off_has_none() {
    let Some(helm) = helm() else { return };
    let all = helm.render(&Installation::of_server(None)).unwrap();
    let every = ["events", "facts", "registration", "resources", "scan", "surroundings"];
    assert_eq!(parts(&all), every.into());
    let off = [
        ("events", "events.enabled=false"),
        ("facts", "facts=null"),
        ("registration", "registration.enabled=false"),
        ("resources", "policies.from=files"),
        ("scan", "scan.enabled=false"),
    ];
    for (part, setting) in off {
        let objects = helm.render(&Installation::of_server(None).with(setting)).unwrap();
        let others: BTreeSet<&str> = every.into_iter().filter(|other| *other != part).collect();
        assert_eq!(parts(&objects), others, "{setting}");
    }
    let none = helm.render(&Installation::of_server(None).with("rbac.create=false")).unwrap();
    assert!(none.iter().all(|object| !object["kind"].as_str().unwrap().contains("Role")));
}

/// What a role of the whole cluster must not have: a star, what is secret, and what leads to more rights.
#[test]
fn no_role_has_a_star_and_none_of_the_cluster_has_secrets_or_leads_to_more() {
    let Some(helm) = helm() else { return };
    let further = Installation::of_server(None)
        .with("scan.reports=policy-reports,scan.kinds[0].apiGroups={ray.io},scan.kinds[0].resources={rayjobs}")
        .with("events.owners[0].apiGroups={argoproj.io},events.owners[0].resources={rollouts}");
    let mut seen = 0;
    for installation in installations().into_iter().chain([further]) {
        let objects = helm.render(&installation).unwrap();
        for role in objects.iter().filter(|object| object["kind"].as_str().unwrap().ends_with("Role")) {
            for rule in role["rules"].as_array().unwrap() {
                assert!(!rule.to_string().contains('*'), "{rule}");
                let has = |field: &str, word: &str| rule[field].as_array().unwrap().iter().any(|one| one == word);
                let leads_on = has("apiGroups", "rbac.authorization.k8s.io") || has("verbs", "impersonate");
                assert!(!leads_on && (role["kind"] == "Role" || !has("resources", "secrets")), "{rule}");
                seen += 1;
            }
        }
    }
    assert!(seen > 0);
}

#[test]
fn the_schema_of_the_values_knows_what_the_definition_of_a_policy_set_knows() {
    let read = |path: &str| std::fs::read_to_string(checkout().join(path)).unwrap();
    let definition: Value = serde_saphyr::from_str(&read("charts/portreeve/crds/policysets.yaml")).unwrap();
    let values: Value = serde_json::from_str(&read("charts/portreeve/values.schema.json")).unwrap();
    let names = |shape: &Value| shape["properties"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let spec = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    assert_eq!(names(&values["definitions"]["PolicySetSpec"]), names(spec));
}

#[test]
fn a_job_asks_for_new_certificates_once_a_month_and_may_do_nothing_else() {
    let Some(helm) = helm() else { return };
    let production = || Installation::of_server(Some("prod"));
    asks_once_a_month(&helm.render(&production()).unwrap(), "certificateSecret");
    let issued = production().with("certificate.source=cert-manager,certificate.certManager.issuerRef.name=ca");
    for token_alone in [production().with("certificate.source=secret"), issued] {
        asks_once_a_month(&helm.render(&token_alone).unwrap(), "tokenSecret");
    }
}

/// That a job asks about the Secret by this key of the server's configuration.
fn asks_once_a_month(objects: &[Value], key: &str) {
    let named = |kind: &str| {
        let is_its = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == "portreeve-cert-rotate";
        objects.iter().find(is_its).unwrap_or_else(|| panic!("no {kind}"))
    };
    let job = named("CronJob");
    assert_eq!(job["spec"]["schedule"], "0 0 1 * *");
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let secret = configuration(objects)["kubernetes"][key].clone();
    assert_eq!(pod["containers"][0]["args"], json!(["cluster", "rotate", "--secret", secret, "--unchecked"]));
    assert_eq!(pod["serviceAccountName"], named("ServiceAccount")["metadata"]["name"]);
    let rule = json!({
        "apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch"],
        "resourceNames": [format!("{}-rotation", secret.as_str().unwrap())],
    });
    assert_eq!(named("Role")["rules"], json!([rule]));
    let subjects = named("RoleBinding")["subjects"].as_array().unwrap();
    assert!(subjects.len() == 1 && subjects[0]["name"] == "portreeve-cert-rotate", "{subjects:?}");
}

#[test]
fn a_job_keeps_evidence_of_every_replica_once_a_month_and_may_write_that_alone() {
    let Some(helm) = helm() else { return };
    let objects = helm.render(&Installation::of_server(Some("prod"))).unwrap();
    let named = |kind: &str| {
        let is_its =
            |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == "portreeve-soc2-evidence";
        objects.iter().find(is_its).unwrap_or_else(|| panic!("no {kind}"))
    };
    let job = named("CronJob");
    assert_eq!(job["spec"]["schedule"], "0 6 1 * *");
    let template = &job["spec"]["jobTemplate"]["spec"]["template"];
    let arguments = template["spec"]["containers"][0]["args"].as_array().unwrap();
    let asked: Vec<&str> =
        arguments.iter().filter_map(|argument| argument.as_str()?.strip_prefix("--replica=")).collect();
    let replica = |number| format!("http://portreeve-{number}.portreeve-replicas.portreeve.svc:8080");
    assert_eq!(asked, [0, 1, 2].map(replica));
    let rule = json!({
        "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch"],
        "resourceNames": ["portreeve-evidence"],
    });
    assert_eq!(named("Role")["rules"], json!([rule]));
    let policy = objects.iter().find(|object| object["kind"] == "NetworkPolicy").unwrap();
    let let_in = |rule: &Value| {
        let labels = rule["from"][0]["podSelector"]["matchLabels"].clone();
        rule["ports"][0]["port"] == "metrics" && labels == template["metadata"]["labels"]
    };
    assert!(policy["spec"]["ingress"].as_array().unwrap().iter().any(let_in), "{policy}");
}

#[test]
fn where_somebody_else_renews_all_of_it_no_job_asks_for_it() {
    let Some(helm) = helm() else { return };
    let by_certificate = "certificate.source=secret,callers.by=certificate,callers.certificate.secretName=callers";
    let by_hand = "certificate.source=secret,callers.token.secretName=by-hand";
    for off in [by_hand, by_certificate, "certificate.rotate.enabled=false"] {
        let objects = helm.render(&Installation::of_server(None).with(off)).unwrap();
        let is_its = |object: &Value| object["metadata"]["name"] == "portreeve-cert-rotate";
        assert!(!objects.iter().any(is_its), "{off}");
        if off != "certificate.rotate.enabled=false" {
            let roles = objects.iter().filter(|object| object["kind"] == "Role");
            assert!(!roles.into_iter().any(|role| role.to_string().contains("secrets")), "{off}");
        }
    }
}
