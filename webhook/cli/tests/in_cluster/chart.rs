//! The server as its chart installs it: by the chart's configuration, with the rights of the chart's service account.
//! They are enough, and none is left over. There is no node here, so the program is run beside the StatefulSet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use portreeve_tests::api_server::{ApiServer, Run};
use portreeve_tests::helm::{Helm, Installation};
use portreeve_tests::platform::named;
use portreeve_tests::server::{cache, until};
use serde_json::{Value, json};

use crate::given::{Mount, Secret};
use crate::replica::Replica;
use crate::rights::{Asked, granted};
use crate::scene::{Scene, deployment, wants_label};

/// What is granted for occasions that this day in the life of a server does not bring.
const FOR_OTHER_DAYS: [&str; 5] = [
    // A namespace that was made a moment ago, of which the watch did not tell yet.
    "get namespaces",
    // A policy finds something in an object without a namespace.
    "create clusterreports.openreports.io",
    "delete clusterreports.openreports.io",
    "get clusterreports.openreports.io",
    "patch clusterreports.openreports.io",
];

/// Every fact, also the one that no policy of the profile asks for.
const ALL_FACTS: &str = "facts={autoscalers,disruption-budgets,network-policies,running-pods,services,zones}";

/// A release of the chart in a cluster.
struct Installed {
    scene: Scene,
    helm: Helm,
    installation: Installation,
    objects: Vec<Value>,
    /// What leads to the API server as the release's service account.
    account: PathBuf,
}

impl Installed {
    /// Installs it; nothing, and a word about it, where there is no control plane or no helm.
    async fn start(scene: Option<Scene>) -> Option<Self> {
        Self::start_with(scene, "certificate.source=own").await
    }

    /// The same with a value.
    async fn start_with(scene: Option<Scene>, value: &str) -> Option<Self> {
        let scene = scene?;
        let Some(helm) = Helm::find().unwrap() else {
            println!("skipped: no helm. `cargo xtask assets` builds one, or put one on the path");
            return None;
        };
        let registered = format!("registration.url=https://{}", scene.front.at);
        let installation = Installation::of_server(None).with(&registered).with(value);
        let objects = helm.render(&installation).unwrap();
        let helm = helm.at(scene.kubeconfig());
        helm.install(&installation).unwrap();
        let account = account(&scene, "portreeve");
        Some(Self { scene, helm, installation, objects, account })
    }

    /// A replica by the chart's configuration, but for what it has of a pod: paths, ports, and the way to the API
    /// server.
    async fn replica(&self) -> Replica {
        let own = json!({"folder": "certs", "names": ["localhost", "127.0.0.1"]});
        self.replica_with(|config| config["tls"] = own).await
    }

    /// The same with a certificate of its own kind.
    async fn replica_with(&self, certificate: impl FnOnce(&mut Value)) -> Replica {
        let text = self.objects.iter().find_map(|object| object["data"]["server.yaml"].as_str()).unwrap();
        let mut config: Value = serde_saphyr::from_str(text).unwrap();
        for port in ["listen", "operations"] {
            config[port] = json!("127.0.0.1:0");
        }
        config["replica"] = json!("portreeve-0");
        certificate(&mut config);
        config["callers"] = json!({"tokenFolder": "certs"});
        config["cache"] = json!(cache());
        config["state"]["folder"] = json!("state");
        config["ledger"]["folder"] = json!("book");
        config["ledger"]["proof"]["firstAfterMinutes"] = json!(0);
        config["kubernetes"]["kubeconfig"] = json!(self.account);
        let replica = self.scene.replica_with("portreeve-0", |own| *own = config).await;
        self.scene.registered().await;
        replica
    }

    /// The versions in which the release's objects are stored, by kind and name.
    async fn versions(&self) -> BTreeMap<String, String> {
        let mut versions = BTreeMap::new();
        for object in self.objects.iter().filter(|object| object["metadata"]["annotations"]["helm.sh/hook"].is_null()) {
            let (stored, _) = self.scene.api.get(object).await.unwrap().done().unwrap();
            versions.insert(named(object), stored["metadata"]["resourceVersion"].to_string());
        }
        versions
    }

    /// As the hook does that runs before the replicas go.
    fn uninstall(&self) {
        let is_hook = |object: &&Value| object["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete";
        let hook = self.objects.iter().find(is_hook).unwrap();
        run(&hook["spec"]["template"]["spec"], &self.account, str::to_owned);
    }

    /// As the CronJob of this name does once a month, by an account of its own, with arguments as they would be said
    /// here.
    fn monthly(&self, name: &str, here: impl Fn(&str) -> String) {
        let is_it = |object: &&Value| object["kind"] == "CronJob" && object["metadata"]["name"] == name;
        let job = self.objects.iter().find(is_it).unwrap();
        let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        run(pod, &account(&self.scene, pod["serviceAccountName"].as_str().unwrap()), here);
    }
}

/// Runs the program as this pod does.
fn run(pod: &Value, account: &Path, here: impl Fn(&str) -> String) {
    let arguments = pod["containers"][0]["args"].as_array().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    command.args(arguments.iter().filter_map(Value::as_str).map(here)).arg("--kubeconfig").arg(account);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What leads to the API server as a service account of the release.
fn account(scene: &Scene, name: &str) -> PathBuf {
    let file = scene.folder().join(format!("{name}.kubeconfig"));
    let mut kubeconfig: Value =
        serde_json::from_str(&scene.kubectl.run("config view --raw --flatten -o json").unwrap()).unwrap();
    let token = scene.kubectl.run(&format!("create token {name} -n portreeve")).unwrap();
    kubeconfig["users"][0]["user"] = json!({"token": token});
    kubeconfig["contexts"][0]["context"]["namespace"] = json!("portreeve");
    std::fs::write(&file, kubeconfig.to_string()).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_that_the_chart_gives_are_enough_and_none_is_left_over() {
    let Some(installed) = Installed::start_with(Scene::of_our_own().await, ALL_FACTS).await else { return };
    let scene = &installed.scene;
    if !scene.kubectl.define("openreports.io").unwrap() {
        return;
    }
    for object in [deployment("old"), replica_set(), job()] {
        scene.apply(&object).await;
    }
    let replica = installed.replica().await;
    resources_say_what_became_of_them(scene).await;
    for owner in [replica_set(), job()] {
        owners_are_told(scene, &owner).await;
    }
    reports_come_change_and_go(scene).await;
    let asked = |account| Asked::by(&format!("system:serviceaccount:portreeve:{account}"), &scene.asked_by_accounts());
    is_renewed_monthly(&installed, "portreeve-certificates", "tls.crt").await;
    evidence_is_kept(&installed, &replica).await;
    installed.uninstall();
    for account in ACCOUNTS {
        assert_eq!(asked(account).refused, [""; 0], "{account}");
    }
    let left_over = || {
        let mut left_over = granted(&installed.objects);
        let used: BTreeSet<String> = ACCOUNTS.into_iter().flat_map(|account| asked(account).allowed).collect();
        left_over.retain(|right| !used.contains(right) && !FOR_OTHER_DAYS.contains(&right.as_str()));
        left_over
    };
    let used = until("every right was used", async || left_over().is_empty()).await;
    assert!(used.is_ok(), "left over: {:#?}", left_over());
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_enough_for_the_token_where_the_certificate_is_given() {
    let scene = Scene::of_our_own().await;
    let Some(installed) = Installed::start_with(scene, "certificate.source=secret").await else { return };
    let scene = &installed.scene;
    let mount = Mount::of(&Secret::make(scene.folder(), "given"), scene.folder(), "mount");
    let _replica = installed.replica_with(|config| mount.configure_certificate(config)).await;
    is_renewed_monthly(&installed, "portreeve-token", "tokens").await;
    for account in ["portreeve", "portreeve-cert-rotate"] {
        let by = format!("system:serviceaccount:portreeve:{account}");
        assert_eq!(Asked::by(&by, &scene.asked_by_accounts()).refused, [""; 0], "{account}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_to_what_is_there_changes_nothing_beside_a_replica_at_work() {
    let Some(installed) = Installed::start(Scene::start().await).await else { return };
    let _replica = installed.replica().await;
    let scene = &installed.scene;
    is_in_force(scene, &of_the_chart()).await;
    let alone = digest(scene, &of_the_chart()).await;
    scene.put_in_force(&wants_label("team", "team")).await;
    // The set says so a moment after the policy does, and no later change of ours is to come.
    until("the set says so too", async || digest(scene, &of_the_chart()).await != alone).await.unwrap();
    let before = installed.versions().await;
    assert!(before.len() > 10, "{before:?}");
    for _ in 0..2 {
        installed.helm.upgrade(&installed.installation).unwrap();
        assert_eq!(installed.versions().await, before);
    }
    assert!(scene.denial(&deployment("web")).await.contains("team"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_knows_of_what_may_not_be_watched_is_told_what_is_missing_and_why() {
    let Some(installed) = Installed::start(Scene::start().await).await else { return };
    let replica = installed.replica().await;
    installed.scene.put_in_force(&knows_of_pods()).await;
    let missing = "[!] cluster: the API server did not tell yet of: Pod; the log says why";
    until(missing, async || replica.says("/readyz?verbose").await.contains(missing)).await.unwrap();
    let why = async || replica.log().contains("cannot watch resource");
    until("the log says why", why).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_of_the_chart_may_not_touch_what_is_anothers() {
    let Some(installed) = Installed::start(Scene::start().await).await else { return };
    let account = ApiServer::at(&installed.account).await.unwrap();
    let named = |api_version: &str, kind: &str, name: &str| json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "portreeve"}});
    let registration = |name| named("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", name);
    // Even where it is not there yet, and would be made.
    account.apply(&registration("portreeve"), Run::Dry).await.unwrap().done().unwrap();
    let refusals = [
        account.apply(&registration("another"), Run::Dry).await,
        account.create(&registration("another"), Run::Dry).await,
        account.get(&named("v1", "Secret", "another")).await,
        account.get(&named("coordination.k8s.io/v1", "Lease", "another")).await,
        account.apply(&wants_label("team", "team"), Run::Dry).await,
        account.apply(&deployment("web"), Run::Dry).await,
    ];
    for refusal in refusals {
        assert_eq!(refusal.unwrap().refused().unwrap().reason, "Forbidden");
    }
}

/// The accounts of the chart: the server's, and those of the jobs that ask for new certificates and keep evidence.
const ACCOUNTS: [&str; 3] = ["portreeve", "portreeve-cert-rotate", "portreeve-soc2-evidence"];

/// What the CronJob asks for is done: this file of this Secret is another.
async fn is_renewed_monthly(installed: &Installed, secret: &str, file: &str) {
    let get = format!("get secret {secret} -n portreeve -o jsonpath={{.data.{}}}", file.replace('.', "\\."));
    let holds = || installed.scene.kubectl.run(&get).unwrap();
    let before = holds();
    // Times of certificates and tokens are whole seconds: what was made in the second of the request is not from before
    // it.
    std::thread::sleep(Duration::from_secs(1));
    installed.monthly("portreeve-cert-rotate", str::to_owned);
    until("what is shared is renewed", async || holds() != before).await.unwrap();
}

/// Of the one replica that there is; names of pods lead nowhere here.
async fn evidence_is_kept(installed: &Installed, replica: &Replica) {
    until("the book is proved", async || replica.says("/proof").await.contains("200 OK")).await.unwrap();
    installed.monthly("portreeve-soc2-evidence", |argument| match argument.starts_with("--replica=") {
        true => format!("--replica=http://{}", replica.operations),
        false => argument.to_owned(),
    });
    let kept =
        installed.scene.kubectl.run("get configmap portreeve-evidence -n portreeve -o jsonpath={.data}").unwrap();
    assert!(kept.contains("/portreeve-0/1"), "{kept}");
}

/// One of each kind of ours is taken up, and says so. The chart's PolicySet is there.
async fn resources_say_what_became_of_them(scene: &Scene) {
    scene.put_in_force(&wants_label("team", "team")).await;
    let mut own = wants_label("own", "own");
    own["kind"] = json!("Policy");
    own["metadata"]["namespace"] = json!("shop");
    let exception = json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicyException",
        "metadata": {"name": "old", "namespace": "shop"},
        "spec": {
            "policy": "team", "owner": "shop", "ticket": "SHOP-1", "reason": "it comes to its end",
            "expires": "2099-01-01T00:00:00Z", "match": {"images": ["registry.example/retired"]},
        },
    });
    for resource in [own, exception, knows_of_pods()] {
        scene.put_in_force(&resource).await;
    }
    is_in_force(scene, &of_the_chart()).await;
}

/// A policy that knows of what no policy of the profile asks for.
fn knows_of_pods() -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "ClusterPolicy", "metadata": {"name": "knows"},
        "spec": {"module": {"builtin": "pod-security"}, "mode": "audit", "facts": ["namespace", "running-pods"]},
    })
}

/// The PolicySet that the chart makes.
fn of_the_chart() -> Value {
    json!({"apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicySet", "metadata": {"name": "platform"}})
}

async fn is_in_force(scene: &Scene, set: &Value) {
    let says = async || scene.readiness(set).await.is_some_and(|ready| ready["status"] == "True");
    until("the chart's PolicySet is in force", says).await.unwrap();
}

/// What is in force, as a set says it.
async fn digest(scene: &Scene, set: &Value) -> Value {
    let (stored, _) = scene.api.get(set).await.unwrap().done().unwrap();
    stored["status"]["digest"].clone()
}

/// A Pod of this owner is denied twice: the owner's event says so, and then how often.
async fn owners_are_told(scene: &Scene, owner: &Value) {
    let (owner, _) = scene.api.get(owner).await.unwrap().done().unwrap();
    let (kind, name) = (owner["kind"].as_str().unwrap(), &owner["metadata"]["name"]);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("of-{}", kind.to_lowercase()), "namespace": "shop",
            "ownerReferences": [{
                "apiVersion": owner["apiVersion"], "kind": kind, "name": name, "uid": owner["metadata"]["uid"],
                "controller": true,
            }],
        },
        "spec": {"hostPID": true, "containers": [{"name": "web", "image": "registry.example/web:1"}]},
    });
    let columns = "custom-columns=K:.regarding.kind,C:.series.count";
    let told = || scene.kubectl.run(&format!("get events.events.k8s.io -n shop --no-headers -o {columns}")).unwrap();
    for _ in 0..2 {
        scene.api.create(&pod, Run::Real).await.unwrap().refused().unwrap();
    }
    until("its owner is told", async || told().contains(kind)).await.unwrap();
}

/// What was there before the policies is reported on, again when it is something else, and no longer when it is gone.
async fn reports_come_change_and_go(scene: &Scene) {
    let said = || {
        let reports = scene.kubectl.run("get reports.openreports.io -n shop -o json").unwrap();
        let reports: Value = serde_json::from_str(&reports).unwrap();
        let of_old =
            reports["items"].as_array().unwrap().iter().find(|report| report["scope"]["name"] == "old").cloned();
        let results = of_old.and_then(|report| report["results"].as_array().cloned()).unwrap_or_default();
        let by_team = results.iter().filter(|result| result["policy"] == "team");
        by_team.filter_map(|result| result["message"].as_str()).collect::<String>()
    };
    until("there is a report", async || said().contains("team")).await.unwrap();
    scene.put_in_force(&wants_label("team", "owner")).await;
    until("the report has changed", async || said().contains("owner")).await.unwrap();
    scene.api.delete(&deployment("old")).await.unwrap().done().unwrap();
    scene.put_in_force(&wants_label("team", "team")).await;
    until("the report is gone", async || said().is_empty()).await.unwrap();
}

fn replica_set() -> Value {
    let mut object = deployment("replicas");
    object["kind"] = json!("ReplicaSet");
    object
}

fn job() -> Value {
    let mut spec = deployment("once")["spec"]["template"]["spec"].clone();
    spec["restartPolicy"] = json!("Never");
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once", "namespace": "shop"},
        "spec": {"template": {"spec": spec}},
    })
}
