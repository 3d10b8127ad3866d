//! What a change of our own resources is answered before it is stored, and what the set makes of one that was stored
//! all the same: who may write which exceptions, and how many Policies a namespace may have.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_admission::policy::Policy;
use portreeve_admission::response::Response;
use portreeve_admission::review::decode;
use portreeve_server::config::NamespacedPolicies;
use portreeve_server::manifest::read_stream;
use portreeve_server::proposal::{Doctor, Proposals};
use portreeve_server::set::{Loader, Outline, PolicySet, Sources, WrittenBy};
use portreeve_tests::gate::{Setting, loader, validate};
use portreeve_tests::review::{create, update};
use serde_json::{Value, json};
use tokio::sync::watch;

/// Time enough for a trial.
pub(crate) const PLENTY: Duration = Duration::from_secs(20);

/// What stands in the cluster, and who looks at changes of it.
pub(crate) struct Scene {
    loader: Arc<Loader>,
    sources: Arc<Sources>,
}

impl Scene {
    pub(crate) fn of(stored: &[Value]) -> Self {
        Self::bounded(stored, NamespacedPolicies::default())
    }

    fn bounded(stored: &[Value], bounds: NamespacedPolicies) -> Self {
        let mut sources = Sources { written_by: WrittenBy::Namespaces, ..Sources::default() };
        for object in stored {
            read_stream("in the cluster", &object.to_string())
                .unwrap()
                .iter()
                .for_each(|manifest| sources.add(manifest).unwrap());
        }
        Self { loader: Arc::new(loader().unwrap().with_bounds(bounds)), sources: Arc::new(sources) }
    }

    /// What the user is told who asks for this; nothing if it is taken.
    fn refusal(&self, review: &Value) -> Option<String> {
        self.refusal_by(None, review)
    }

    /// The same where somebody looks at what would be registered.
    fn refusal_by(&self, doctor: Option<Arc<dyn Doctor>>, review: &Value) -> Option<String> {
        self.answer(doctor, None, review).refusal.map(|refusal| refusal.message)
    }

    /// What the user is told who asks for this, where this group may set break-glass.
    pub(crate) fn answer(&self, doctor: Option<Arc<dyn Doctor>>, group: Option<&str>, review: &Value) -> Response {
        let proposals = self.proposals(Some(Arc::clone(&self.sources)), group).with_doctor(doctor);
        let review = decode(review.to_string().as_bytes()).unwrap();
        proposals.at_once(&review).unwrap_or_else(|| proposals.answer(&review, Instant::now() + PLENTY))
    }

    /// Who looks at changes where this is known, and this group may set break-glass.
    pub(crate) fn proposals(&self, known: Option<Arc<Sources>>, group: Option<&str>) -> Proposals {
        Proposals::of(Arc::clone(&self.loader), watch::channel(known).1, group.map(str::to_owned))
    }

    fn set(&self) -> PolicySet {
        self.loader.load_at_once(&self.sources).unwrap()
    }

    /// What the set says of the resource that it leaves out.
    fn left_out(&self, reference: &str) -> Option<String> {
        let set = self.set();
        set.left_out().iter().find(|problem| problem.is_of(reference)).map(|problem| problem.reason.clone())
    }
}

pub(crate) fn policy(exceptions: Value) -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "ClusterPolicy", "metadata": {"name": "sealed"},
        "spec": {"module": {"builtin": "seccomp"}, "exceptions": exceptions},
    })
}

pub(crate) fn exception(namespace: &str) -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicyException",
        "metadata": {"name": "kept", "namespace": namespace},
        "spec": {
            "policy": "sealed", "owner": "team", "ticket": "T-1", "reason": "old", "expires": "2999-01-01T00:00:00Z",
        },
    })
}

pub(crate) fn own_policy(name: &str, created: &str) -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "Policy",
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created},
        "spec": {"module": {"builtin": "seccomp"}},
    })
}

pub(crate) fn by(mut review: Value, user: &str, groups: &[&str]) -> Value {
    review["request"]["userInfo"] = json!({"username": user, "groups": groups});
    review
}

#[test]
fn an_exception_to_a_policy_that_allows_none_is_refused_with_the_setting_to_change() {
    let said = Scene::of(&[policy(json!({"allowed": false}))]).refusal(&create(&exception("shop"))).unwrap();
    assert!(said.contains("\"sealed\" allows no exceptions") && said.contains("spec.exceptions.allowed"), "{said}");
}

#[test]
fn an_exception_is_taken_in_the_namespaces_that_its_policy_names_and_nowhere_else() {
    let scene = Scene::of(&[policy(json!({"namespaces": ["shop-*"]}))]);
    assert_eq!(scene.refusal(&create(&exception("shop-eu"))), None);
    let said = scene.refusal(&create(&exception("bank"))).unwrap();
    assert!(said.contains("in shop-* and not in \"bank\""), "{said}");
}

#[test]
fn whoever_is_not_in_the_group_may_not_write_exceptions_to_its_policy() {
    let scene = Scene::of(&[policy(json!({"groups": ["owners"]}))]);
    let asked = create(&exception("shop"));
    assert_eq!(scene.refusal(&by(asked.clone(), "ada", &["owners"])), None);
    let said = scene.refusal(&by(asked, "bob", &["devs"])).unwrap();
    assert!(said.contains("members of \"owners\"") && said.contains("\"bob\" is not among them"), "{said}");
}

#[test]
fn whoever_may_not_write_an_exception_may_still_label_it() {
    let scene = Scene::of(&[policy(json!({"groups": ["owners"]})), exception("shop")]);
    let mut labelled = exception("shop");
    labelled["metadata"]["labels"] = json!({"seen": "yes"});
    assert_eq!(scene.refusal(&by(update(&labelled, &exception("shop")), "bob", &[])), None);
    let mut longer = exception("shop");
    longer["spec"]["expires"] = json!("2999-12-31T00:00:00Z");
    assert!(scene.refusal(&by(update(&longer, &exception("shop")), "bob", &[])).is_some());
}

#[test]
fn exceptions_that_are_there_keep_nobody_from_disallowing_them() {
    let scene = Scene::of(&[policy(json!({})), exception("shop")]);
    let changed = policy(json!({"allowed": false}));
    assert_eq!(scene.refusal(&update(&changed, &policy(json!({})))), None);
}

#[test]
fn an_exception_that_is_not_allowed_does_not_count_and_says_so() {
    let scene = Scene::of(&[policy(json!({"namespaces": ["bank"]})), exception("shop")]);
    assert!(scene.set().exceptions().is_empty());
    let said = scene.left_out("PolicyException/shop/kept").unwrap();
    assert!(said.contains("in bank and not in \"shop\""), "{said}");
}

#[test]
fn policy_files_with_an_exception_that_is_not_allowed_are_refused() {
    let both = format!("{}\n---\n{}\n", policy(json!({"allowed": false})), exception("shop"));
    let problems = Setting::default().with(&both).unwrap().problems().unwrap();
    assert!(problems.iter().any(|problem| problem.contains("allows no exceptions")), "{problems:?}");
}

#[test]
fn a_namespace_pattern_that_is_none_is_told() {
    let problems = Setting::default().with(&policy(json!({"namespaces": ["a*b"]})).to_string()).unwrap().problems();
    let problems = problems.unwrap();
    assert!(problems.iter().any(|problem| problem.contains("spec.exceptions.namespaces: \"a*b\"")), "{problems:?}");
}

pub(crate) fn set(name: &str, created: &str) -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicySet",
        "metadata": {"name": name, "creationTimestamp": created}, "spec": {},
    })
}

#[test]
fn of_two_sets_the_one_that_came_later_is_one_too_many() {
    let (early, late) = (set("platform", "2024-01-01T00:00:00Z"), set("ours", "2025-01-01T00:00:00Z"));
    let scene = Scene::of(&[late.clone(), early.clone()]);
    let Err(error) = scene.loader.load_at_once(&scene.sources) else { panic!("both were taken") };
    assert!(error.problems.len() == 1 && error.problems[0].is_of("PolicySet/ours"), "{error}");
    // Nobody is kept from mending what was wrong before.
    for before in [early, late] {
        let mut milder = before.clone();
        milder["spec"] = json!({"failurePolicy": "Ignore"});
        assert_eq!(scene.refusal(&update(&milder, &before)), None);
    }
}

/// What a namespace asks of itself by this module.
fn own(module: &str, settings: Value) -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "Policy", "metadata": {"name": "own", "namespace": "shop"},
        "spec": {"module": {"builtin": module}, "settings": settings},
    })
}

#[test]
fn a_policy_of_a_namespace_that_can_judge_nothing_without_a_fact_is_refused() {
    for (module, fact) in
        [("image-digest", "image-digest"), ("network-policy", "network-policies"), ("pod-security", "namespace")]
    {
        let words =
            format!("{module:?} can judge nothing without the fact {fact}, and a Policy can't be granted facts");
        let asked = own(module, json!({}));
        let said = Scene::of(&[]).refusal(&create(&asked)).unwrap_or_default();
        assert!(said.contains(&words), "{module}: {said}");
        let left_out = Scene::of(&[asked]).left_out("Policy/shop/own").unwrap_or_default();
        assert!(left_out.contains(&words), "{module}: {left_out}");
    }
    for (module, settings) in [
        ("image-digest", json!({"unresolved": "deny"})),
        ("pod-security", json!({"namespaceLabels": "ignore"})),
        ("non-root", json!({})),
    ] {
        let asked = own(module, settings);
        assert_eq!(Scene::of(&[]).refusal(&create(&asked)), None, "{module}");
        assert_eq!(Scene::of(&[asked]).left_out("Policy/shop/own"), None, "{module}");
    }
}

#[tokio::test]
async fn a_namespace_whose_policy_misses_a_fact_is_told_what_it_can_do() {
    let scene = Scene::of(&[own("image-digest", json!({"exemptImages": ["registry.example/*"]}))]);
    assert_eq!(scene.left_out("Policy/shop/own"), None);
    let gate = Setting::default().sources(Sources::clone(&scene.sources)).gate().unwrap();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": "docker.io/library/nginx:1"}]},
    });
    let refusal = validate(&gate, &create(&pod)).await.unwrap().refusal.unwrap();
    assert!(refusal.message.contains("a Policy can't be granted facts: ask for a ClusterPolicy"), "{refusal:?}");
}

const TWO: NamespacedPolicies = NamespacedPolicies { per_namespace: 2, in_total: 200 };

fn three() -> [Value; 4] {
    let at = |name, year| own_policy(name, &format!("{year}-01-01T00:00:00Z"));
    [policy(json!({})), at("newest", 2026), at("oldest", 2024), at("second", 2025)]
}

#[test]
fn beyond_the_bound_the_newest_policy_of_a_namespace_is_left_out_and_says_so() {
    let scene = Scene::bounded(&three(), TWO);
    let in_force: Vec<String> = scene.set().policies().iter().map(|policy| policy.id.clone()).collect();
    assert_eq!(in_force, ["sealed", "shop/oldest", "shop/second"]);
    let said = scene.left_out("Policy/shop/newest").unwrap();
    assert!(said.contains("has 2 Policies in force already"), "{said}");
}

#[test]
fn beyond_the_bound_of_all_namespaces_the_newest_is_left_out() {
    let scene = Scene::bounded(&three(), NamespacedPolicies { per_namespace: 10, in_total: 2 });
    assert!(scene.left_out("Policy/shop/newest").unwrap().contains("all namespaces together have 2 Policies"));
}

#[test]
fn one_policy_too_many_is_refused_when_it_is_applied() {
    let scene = Scene::bounded(&three()[..3], TWO);
    let said = scene.refusal(&create(&own_policy("more", "2026-06-01T00:00:00Z"))).unwrap();
    assert!(said.contains("limits.namespacedPolicies.perNamespace"), "{said}");
    let before = own_policy("oldest", "2024-01-01T00:00:00Z");
    let mut milder = before.clone();
    milder["spec"]["mode"] = json!("warn");
    assert_eq!(scene.refusal(&update(&milder, &before)), None);
}

/// Would not register what sees these namespaces.
struct KeepsOut(&'static [&'static str]);

impl Doctor for KeepsOut {
    fn faults(&self, outline: &Outline) -> Vec<String> {
        assert!(outline.policies.iter().any(|policy| policy.id == "sealed"), "{outline:?}");
        let seen = self.0.iter().filter(|name| !outline.excluded.contains(**name));
        seen.map(|name| format!("pods of {name} would be refused")).collect()
    }

    fn idle(&self, policy: &Policy) -> Vec<usize> {
        (0..policy.matching.resources.len()).collect()
    }
}

#[test]
fn the_reason_of_break_glass_is_changed_by_nobody_else_and_anybody_takes_it_back() {
    let switched = |reason: &str| {
        let mut set = set("platform", "2024-01-01T00:00:00Z");
        set["metadata"]["annotations"] = json!({
            "portreeve.dev/break-glass-until": "2999-01-01T00:00:00Z", "portreeve.dev/break-glass-reason": reason,
        });
        set
    };
    let scene = Scene::of(&[switched("fire")]);
    let said = scene.refusal(&update(&switched("rewritten"), &switched("fire"))).unwrap();
    assert!(
        said.contains("nobody may set portreeve.dev/break-glass-until and portreeve.dev/break-glass-reason"),
        "{said}"
    );
    let mut milder = switched("fire");
    milder["spec"] = json!({"failurePolicy": "Ignore"});
    assert_eq!(scene.refusal(&update(&milder, &switched("fire"))), None);
    assert_eq!(scene.refusal(&update(&set("platform", "2024-01-01T00:00:00Z"), &switched("fire"))), None);
}

pub(crate) fn excluding(excluded: &[&str]) -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicySet", "metadata": {"name": "all"},
        "spec": {"excludedNamespaces": excluded},
    })
}

#[test]
fn a_set_that_would_not_be_registered_is_refused_when_it_is_applied() {
    let scene = Scene::of(&[policy(json!({}))]);
    let network = || -> Option<Arc<dyn Doctor>> { Some(Arc::new(KeepsOut(&["calico-system"]))) };
    let refused = scene.refusal_by(network(), &create(&excluding(&["monitoring"])));
    assert_eq!(refused.as_deref(), Some("pods of calico-system would be refused"));
    assert_eq!(scene.refusal_by(network(), &create(&excluding(&["monitoring", "calico-system"]))), None);
}

#[test]
fn what_would_not_be_registered_already_keeps_nobody_from_another_change() {
    let scene = Scene::of(&[policy(json!({})), excluding(&[])]);
    let both: Arc<dyn Doctor> = Arc::new(KeepsOut(&["calico-system", "cilium"]));
    let better = update(&excluding(&["cilium"]), &excluding(&[]));
    assert_eq!(scene.refusal_by(Some(both), &better), None);
}

#[test]
fn an_excluded_namespace_that_can_not_be_one_is_told() {
    let both = format!("{}\n---\n{}\n", policy(json!({})), excluding(&["shop", "Team A"]));
    let problems = Setting::default().with(&both).unwrap().problems().unwrap();
    assert!(problems.iter().any(|problem| problem.contains("spec.excludedNamespaces: \"Team A\"")), "{problems:?}");
}

#[test]
fn a_selector_that_the_api_server_would_refuse_is_told() {
    let mut selecting = policy(json!({}));
    selecting["spec"]["match"] = json!({"namespaceSelector": {"matchLabels": {"tier": "gold and silver"}}});
    let problems = Setting::default().with(&selecting.to_string()).unwrap().problems().unwrap();
    let words = "spec.match.namespaceSelector: \"gold and silver\" is no value of the label \"tier\"";
    assert!(problems.iter().any(|problem| problem.contains(words)), "{problems:?}");
}

/// A policy that gives requests of so much.
fn giving(name: &str, cpu: &str) -> Value {
    let requests = json!({"cpu": cpu, "memory": "64Mi"});
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "ClusterPolicy", "metadata": {"name": name},
        "spec": {
            "module": {"builtin": "resources"}, "mode": "enforce",
            "settings": {"defaults": {"regular": {"requests": requests}}},
        },
    })
}

pub(crate) fn with_profile(profile: &str) -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicySet", "metadata": {"name": "platform"},
        "spec": {"profile": profile},
    })
}

#[test]
fn a_policy_that_contradicts_one_of_the_profile_is_refused_when_it_is_applied() {
    let words = "ClusterPolicy/ours and ClusterPolicy/resources of the platform profile set different values at \
                 /spec/containers/0/resources/requests/";
    let said = Scene::of(&[with_profile("platform")]).refusal(&create(&giving("ours", "123m"))).unwrap();
    assert!(said.contains(words) && said.contains("a ClusterPolicy \"resources\" of your own"), "{said}");
    let scene = Scene::of(&[with_profile("none"), giving("ours", "123m")]);
    let said = scene.refusal(&update(&with_profile("platform"), &with_profile("none"))).unwrap();
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_contradiction_that_is_there_keeps_nobody_from_another_change() {
    let scene = Scene::of(&[giving("red", "10m"), giving("blue", "20m")]);
    assert_eq!(scene.refusal(&update(&giving("blue", "30m"), &giving("blue", "20m"))), None);
    assert_eq!(scene.refusal(&create(&policy(json!({})))), None);
    let said = scene.refusal(&create(&giving("green", "40m"))).unwrap();
    assert!(said.contains("ClusterPolicy/green") && said.contains("set different values"), "{said}");
}

fn out_of_a_file() -> Value {
    let mut policy = policy(json!({}));
    policy["spec"]["module"] = json!({"file": "/nowhere/own.wasm"});
    policy
}

#[test]
fn a_module_in_a_file_is_refused_in_a_cluster_and_nobody_looks_for_it() {
    let words = "spec.module.file: a file is named in policy files alone; in a cluster use builtin or oci";
    assert!(Scene::of(&[]).refusal(&create(&out_of_a_file())).unwrap().ends_with(words));
    let scene = Scene::of(&[out_of_a_file()]);
    let Err(error) = scene.loader.load_at_once(&scene.sources) else { panic!("it was taken") };
    assert_eq!(error.problems.iter().map(|problem| problem.reason.as_str()).collect::<Vec<_>>(), [words]);
}
