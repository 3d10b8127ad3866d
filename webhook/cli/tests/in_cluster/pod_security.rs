//! Pod Security conformance: the public fixtures and our own pods, and Deployments of them, by server-side dry run,
//! once judged by the built-in controller alone and once by our policy alone: applied as a resource, in the program
//! that registered itself. A user's namespaces have the same labels in both clusters. One by one both judges have to
//! agree, and ours has to say what the built-in one says, word for word.

#[allow(dead_code, reason = "the policy's own tests need the rest of it")]
#[path = "../../../../policies/catalogue/pod-security/tests/trials.rs"]
pub(crate) mod trials;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use portreeve_tests::api_server::{Answer, ApiServer, Refusal, Run};
use portreeve_tests::server::until;
use serde_json::{Value, json};

use self::trials::Trial;
use crate::scene::Scene;
use crate::several_faults::{self, Mixed};

/// How many pods are judged at once.
const AT_ONCE: usize = 8;

/// How a warning about Pod Security begins.
const WARNING: &str = "would violate PodSecurity";

/// What the namespaces' labels ask for.
#[derive(Debug, Clone, Copy)]
enum Mode {
    Enforce,
    Warn,
}

/// What became of an object.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Allowed,
    /// Allowed with a warning, in these words.
    Warned(String),
    /// Refused by the judge, with its words.
    Denied(String),
    /// Refused by the API server before anybody judged it.
    NotTaken(String),
}

/// An object that both are asked about.
struct Question {
    name: String,
    /// The minor release whose rules it is judged by; none for the latest.
    release: Option<u32>,
    namespace: Value,
    object: Value,
}

impl Question {
    fn of(trial: &Trial, mode: Mode, made: Value) -> Self {
        Self::new(&trial.name, (&trial.level, &trial.version), mode, made)
    }

    fn new(name: &str, (level, version): (&str, &str), mode: Mode, mut object: Value) -> Self {
        let namespace = namespace(level, version, mode);
        object["metadata"]["namespace"] = namespace["metadata"]["name"].clone();
        Self {
            name: format!("{name} at {level}:{version}"),
            release: version.strip_prefix("v1.").map(|minor| minor.parse().unwrap()),
            namespace,
            object,
        }
    }
}

/// All that both are asked about.
struct Asked(Vec<Question>);

impl Asked {
    /// All pods, made objects of in some way, in namespaces with labels of this mode.
    fn all(mode: Mode, made: impl Fn(Value) -> Value) -> Self {
        let trials: Vec<Trial> = trials::own().into_iter().chain(trials::public().unwrap_or_default()).collect();
        let numbered = trials.iter().enumerate();
        Self(numbered.map(|(number, trial)| Question::of(trial, mode, made(pod(number, trial)))).collect())
    }

    /// Pods with several faults at once.
    fn mixed(mode: Mode) -> Self {
        let asked = several_faults::pods().into_iter().enumerate();
        let question = |(number, Mixed { name, level, version, pod: made }): (usize, Mixed)| {
            Question::new(&name, (level, &version), mode, named(number, made))
        };
        Self(asked.map(question).collect())
    }

    /// What our policy says. What the API server's release does not know the rules of is asked of nobody.
    async fn by_our_policy(&mut self) -> Option<Vec<End>> {
        let scene = Scene::without_pod_security().await?;
        self.leave_out_newer_than(scene.api.minor().await.unwrap());
        self.make_namespaces(&scene).await;
        scene.apply(&policy()).await;
        let _replica = scene.replica("one").await;
        scene.registered().await;
        Some(self.judged(&scene).await)
    }

    /// What the built-in controller says.
    async fn by_the_built_in_controller(&self) -> Option<Vec<End>> {
        let scene = Scene::start().await?;
        self.make_namespaces(&scene).await;
        Some(self.judged(&scene).await)
    }

    fn leave_out_newer_than(&mut self, minor: u32) {
        let newest = self.0.iter().filter_map(|question| question.release).max().unwrap_or_default();
        let all = self.0.len();
        self.0.retain(|question| minor >= newest || question.release.is_some_and(|release| release <= minor));
        println!("{} of {all} are left out: their rules are newer than v1.{minor}", all - self.0.len());
    }

    async fn make_namespaces(&self, scene: &Scene) {
        for namespace in self.namespaces() {
            scene.apply(namespace).await;
        }
    }

    /// Each once.
    fn namespaces(&self) -> Vec<&Value> {
        let named =
            self.0.iter().map(|question| (question.namespace["metadata"]["name"].as_str(), &question.namespace));
        named.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    async fn judged(&self, scene: &Scene) -> Vec<End> {
        self.somebody_judges(&scene.api).await;
        let answers = self.0.iter().map(|question| {
            let (api, object) = (scene.api.clone(), question.object.clone());
            async move { answer(&api, object).await }
        });
        stream::iter(answers).buffered(AT_ONCE).map(End::of).collect().await
    }

    /// Waits until there is a judge of these namespaces: what no level takes is told.
    async fn somebody_judges(&self, api: &ApiServer) {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "host"},
            "spec": {"hostNetwork": true, "containers": [{"name": "a", "image": "a"}]},
        });
        pod["metadata"]["namespace"] = self.0[0].namespace["metadata"]["name"].clone();
        let is_told = async || End::of(api.create(&pod, Run::Dry).await.unwrap()) != End::Allowed;
        until("pods are judged", is_told).await.unwrap();
    }

    /// Prints how many ended in which way, and asks that both judges agree.
    fn compare(&self, built_in: &[End], ours: &[End]) {
        let both = self.0.iter().map(|question| &question.name).zip(built_in.iter().zip(ours));
        let differing = both.filter(|(_, (built_in, ours))| !built_in.is_told_by(ours));
        let differences: Vec<String> =
            differing.map(|(name, (built_in, ours))| format!("{name}:\n  {built_in:?}\n  ours: {ours:?}")).collect();
        let count = |is_so: fn(&End) -> bool| built_in.iter().filter(|end| is_so(end)).count();
        println!("{} objects, by the built-in controller:", self.0.len());
        println!("{} allowed", count(|end| *end == End::Allowed));
        println!("{} allowed with a warning", count(|end| matches!(end, End::Warned(_))));
        println!("{} denied", count(|end| matches!(end, End::Denied(_))));
        println!("{} not taken by the API server, by either", count(|end| matches!(end, End::NotTaken(_))));
        for reason in built_in.iter().filter(|end| matches!(end, End::NotTaken(_))).collect::<BTreeSet<_>>() {
            println!("  {reason:?}");
        }
        assert!(differences.is_empty(), "{} of {}:\n{}", differences.len(), self.0.len(), differences.join("\n"));
    }
}

/// It judges by the labels of the namespace alone.
fn policy() -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "ClusterPolicy", "metadata": {"name": "pod-security"},
        "spec": {"module": {"builtin": "pod-security"}, "facts": ["namespace"], "settings": {"level": "privileged"}},
    })
}

fn namespace(level: &str, version: &str, mode: Mode) -> Value {
    let mode = format!("pod-security.kubernetes.io/{mode:?}").to_lowercase();
    let name = format!("{level}-{}", version.replace('.', "-"));
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {mode.clone(): level, format!("{mode}-version"): version}},
    })
}

/// As an API server takes it: with images, and a name that is one and no other pod's.
fn pod(number: usize, trial: &Trial) -> Value {
    named(number, trial.pod.clone())
}

fn named(number: usize, mut pod: Value) -> Value {
    let name = pod["metadata"]["name"].as_str().unwrap_or("pod").replace('_', "-").to_lowercase();
    pod["metadata"]["name"] = json!(format!("{name}-{number}"));
    for container in pod.pointer_mut("/spec/ephemeralContainers").and_then(Value::as_array_mut).into_iter().flatten() {
        container["image"] = json!("debug");
    }
    pod
}

/// A Deployment of such pods.
fn deployment(mut pod: Value) -> Value {
    let name = pod["metadata"]["name"].take();
    // No template has them.
    pod["spec"].as_object_mut().unwrap().remove("ephemeralContainers");
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": "a"}},
            "template": {
                "metadata": {"labels": {"app": "a"}, "annotations": pod["metadata"]["annotations"]},
                "spec": pod["spec"],
            },
        },
    })
}

/// Ephemeral containers can only be added to a pod that is there.
async fn answer(api: &ApiServer, mut object: Value) -> Answer {
    let Some(ephemeral) = object["spec"].as_object_mut().and_then(|spec| spec.remove("ephemeralContainers")) else {
        return api.create(&object, Run::Dry).await.unwrap();
    };
    match api.create(&object, Run::Real).await.unwrap() {
        Answer::Done { mut object, .. } => {
            object["spec"]["ephemeralContainers"] = ephemeral;
            api.replace(&object, "ephemeralcontainers", Run::Dry).await.unwrap()
        }
        refused => refused,
    }
}

impl End {
    fn of(answer: Answer) -> Self {
        match answer {
            Answer::Done { warnings, .. } => {
                warnings.into_iter().find(|warning| warning.contains(WARNING)).map_or(Self::Allowed, Self::Warned)
            }
            Answer::Refused(Refusal { code: 403, message, .. }) => Self::Denied(message),
            Answer::Refused(Refusal { message, .. }) => {
                Self::NotTaken(message.split_once(" is invalid: ").map_or(message.clone(), |(_, why)| why.to_owned()))
            }
        }
    }

    /// Whether we said what the built-in controller says, whatever we say besides.
    fn is_told_by(&self, ours: &Self) -> bool {
        match (self, ours) {
            (Self::Denied(built_in), Self::Denied(ours)) => {
                built_in.split_once("is forbidden: ").is_some_and(|(_, words)| ours.contains(words))
            }
            (Self::Warned(built_in), Self::Warned(ours)) => ours.contains(built_in.as_str()),
            _ => self == ours,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_policy_denies_what_the_built_in_controller_denies_word_for_word() {
    let mut asked = Asked::all(Mode::Enforce, |pod| pod);
    let Some(ours) = asked.by_our_policy().await else { return };
    let Some(built_in) = asked.by_the_built_in_controller().await else { return };
    asked.compare(&built_in, &ours);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_several_checks_are_told_in_the_same_order_and_words() {
    let mut asked = Asked::mixed(Mode::Enforce);
    let Some(ours) = asked.by_our_policy().await else { return };
    let Some(built_in) = asked.by_the_built_in_controller().await else { return };
    asked.compare(&built_in, &ours);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_policy_warns_of_what_the_built_in_controller_warns_of_word_for_word() {
    let mut asked = Asked::all(Mode::Warn, |pod| pod);
    let Some(ours) = asked.by_our_policy().await else { return };
    let Some(built_in) = asked.by_the_built_in_controller().await else { return };
    asked.compare(&built_in, &ours);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_warns_of_deployments_as_of_their_pods() {
    let mut asked = Asked::all(Mode::Warn, deployment);
    let Some(ours) = asked.by_our_policy().await else { return };
    let Some(built_in) = asked.by_the_built_in_controller().await else { return };
    asked.compare(&built_in, &ours);
}
