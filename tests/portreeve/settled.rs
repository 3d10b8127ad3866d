//! A set is tried before it is in force: policies that contradict each other or never come to rest refuse it, and
//! nothing else does.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_admission::decision::Answer;
use portreeve_engine::{Engine, Options};
use portreeve_server::set::{Loader, PolicySet, Sources, platform, read_folder};
use portreeve_server::settled::Trials;
use portreeve_tests::gate::{Setting, cache, loader, plenty};
use portreeve_tests::platform;
use portreeve_tests::review::create;
use portreeve_tests::server::until;
use serde_json::json;
use tokio::join;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

use crate::hostile::policies;

/// A policy that gives requests of so much, where this selector says.
fn giving(name: &str, cpu: &str, selector: &str) -> String {
    format!(
        "---\napiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: {name}}}\n\
         spec:\n  module: {{builtin: resources}}\n  match: {{namespaceSelector: {selector}}}\n  \
         settings: {{defaults: {{regular: {{requests: {{cpu: {cpu}, memory: 64Mi}}}}}}}}\n"
    )
}

fn problems(policies: &[String]) -> Vec<String> {
    Setting::default().with(&policies.concat()).unwrap().problems().unwrap()
}

/// Those of the hostile component.
fn problems_of_guest(deed: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policies.yaml"), policies(deed, "Fail")).unwrap();
    Setting::default().sources(read_folder(folder.path()).unwrap()).problems().unwrap()
}

#[test]
fn policies_that_set_different_values_at_one_place_refuse_the_set() {
    let problems = problems(&[giving("red", "10m", "{}"), giving("blue", "20m", "{}")]);
    assert_eq!(
        problems,
        ["test.yaml:10 (ClusterPolicy/blue) and test.yaml:2 (ClusterPolicy/red) set different values at \
          /spec/containers/0/resources/requests/cpu, tried on Pod \"bare\" in a namespace without labels: let them ask for \
          the same, turn mutate off in one of them, or choose namespaces that exclude each other"]
    );
}

#[test]
fn policies_whose_namespaces_exclude_each_other_do_not_contradict_each_other() {
    let selectors =
        ["{matchLabels: {tier: gold}}", "{matchExpressions: [{key: tier, operator: NotIn, values: [gold]}]}"];
    let [gold, other] = selectors;
    assert_eq!(problems(&[giving("red", "10m", gold), giving("blue", "20m", other)]), [""; 0]);
}

#[test]
fn a_contradiction_in_chosen_namespaces_is_told_with_their_labels() {
    let [gold, named] = ["{matchLabels: {tier: gold}}", "{matchExpressions: [{key: tier, operator: Exists}]}"];
    let problems = problems(&[giving("red", "10m", gold), giving("blue", "20m", named)]);
    assert!(matches!(&problems[..], [one] if one.contains("in a namespace labelled tier=gold: ")), "{problems:?}");
}

#[test]
fn policies_that_edit_nothing_there_do_not_contradict_each_other() {
    let quiet = giving("blue", "20m", "{}") + "  mutate: false\n";
    assert_eq!(problems(&[giving("red", "10m", "{}"), quiet]), [""; 0]);
}

#[test]
fn a_policy_that_never_comes_to_rest_refuses_the_set() {
    let problems = problems_of_guest("never-rest");
    let words = "(ClusterPolicy/guest): its edits never come to rest, tried on Deployment \"web\" in a namespace labelled \
                 kubernetes.io/metadata.name=shop: ";
    assert!(matches!(&problems[..], [one] if one.contains(words)), "{problems:?}");
}

#[test]
fn a_policy_that_fails_otherwise_refuses_no_set_and_holds_none_up() {
    for deed in ["trap", "loop", "edit-and-give-up"] {
        let begun = Instant::now();
        assert_eq!(problems_of_guest(deed), [""; 0], "{deed}");
        println!("{deed}: loaded and tried in {:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_sets_are_tried_a_turn_is_left_for_requests() {
    let engine = Engine::new(Options { cache: cache().unwrap(), ..Options::default() }).unwrap();
    let loader = Loader::new(engine, portreeve_builtin::CATALOGUE, BTreeMap::new(), None);
    let (folder, both) = (tempfile::tempdir().unwrap(), policies("loop", "Fail").replace("200ms", "2s"));
    let (drop, guest) = both.split_once("---\n").unwrap();
    let sources = |text: &str| {
        std::fs::write(folder.path().join("policies.yaml"), text).unwrap();
        read_folder(folder.path()).unwrap()
    };
    let gate = Setting::default().gate().unwrap();
    gate.set.store(Arc::new(loader.load(&sources(drop)).unwrap()));
    let slow = Arc::new(sources(guest));
    let sets: Vec<PolicySet> = (0..32).map(|_| loader.load(&slow).unwrap()).collect();

    let trials = Trials::default();
    let tried = |set| {
        let (trials, slow) = (trials.clone(), Arc::clone(&slow));
        spawn_blocking(move || trials.settled(set, &slow).is_ok())
    };
    let tried: Vec<_> = sets.into_iter().map(tried).collect();
    until("they are tried", async || loader.engine().stats().evaluations >= 4).await.unwrap();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": "team/web:1"}]},
    });
    let body = create(&pod).to_string();
    let request = async {
        let answered = gate.validate(body.as_bytes(), plenty()).await.unwrap();
        assert_eq!(answered.answer, Answer::Denied, "{:?}", answered.response);
    };
    let most_under_way = async {
        let mut most = 0;
        while !tried.iter().all(JoinHandle::is_finished) {
            let stats = loader.engine().stats();
            most = most.max(stats.evaluations.saturating_sub(stats.deadlines + stats.no_turn + stats.suspended));
            sleep(Duration::from_millis(5)).await;
        }
        most
    };
    let ((), most) = join!(request, most_under_way);
    // Four, and the request, which is not known to be done.
    assert!(most <= 5, "{most}");
    for tried in tried {
        assert!(tried.await.unwrap());
    }
}

#[test]
fn what_ships_and_what_the_platforms_have_comes_to_rest() {
    let platforms = platform::all();
    let together = tempfile::tempdir().unwrap();
    for (name, text) in platform::policies(&platforms) {
        std::fs::write(together.path().join(name), text).unwrap();
    }
    println!("the profile: {:?}", tried(&Sources::of_builtin(platform())));
    println!("the five platforms: {:?}", tried(&read_folder(together.path()).unwrap()));
}

#[test]
fn each_platforms_own_policies_come_to_rest() {
    for name in platform::all().iter().map(|platform| platform.name.clone()) {
        let folder = portreeve_tests::places::checkout().join("tests/platforms").join(&name).join("policies");
        tried(&read_folder(Path::new(&folder)).unwrap());
    }
}

/// How long a set that comes to rest was tried.
fn tried(sources: &Sources) -> Duration {
    let set = loader().unwrap().load(sources).unwrap();
    let begun = Instant::now();
    if let Err(error) = Trials::default().settled(set, sources) {
        panic!("{error}");
    }
    begun.elapsed()
}
