//! What the doctor finds, and what is to be done about it.

use std::collections::BTreeSet;

use portreeve_admission::policy::Policy;
use portreeve_admission::subject::TemplatePaths;

use super::*;
use crate::registration::tests::{policy, registered, selecting, wanting};
use crate::registration::{Demand, Served};

fn findings(registration: &Registration, namespaces: &[&str]) -> Vec<Finding> {
    let namespaces: BTreeMap<_, _> = namespaces.iter().map(|name| ((*name).to_owned(), BTreeMap::new())).collect();
    let certificates = Certificates::Own;
    examine(registration, &Surroundings { own_namespace: Some("portreeve"), namespaces: &namespaces, certificates })
}

const USUAL: [&str; 4] = ["default", "kube-system", "kube-node-lease", "portreeve"];

#[test]
fn the_usual_registration_holds_up_nothing() {
    assert_eq!(findings(&registered(&[policy("p"), wanting("*", "*", &["*"])]), &USUAL), []);
}

#[test]
fn leases_that_a_policy_names_are_found_and_refused() {
    let found = findings(&registered(&[wanting("coordination.k8s.io", "leases", &["UPDATE"])]), &USUAL);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[1].to_string().contains("coordination.k8s.io"), "{}", found[1]);
    assert_eq!(found[1].advice(Certificates::Own), Advice::Refuse);
}

#[test]
fn our_own_namespace_and_the_control_planes_are_found_where_they_are_not_excluded() {
    let registration = Registration::of(&Demand {
        policies: &[policy("p")],
        paths: &TemplatePaths::default(),
        excluded: &BTreeSet::new(),
        failure_policy: FailurePolicy::Fail,
        served: &Served::default(),
        user: None,
    });
    let found = findings(&registration, &USUAL);
    let refused = |danger: &dyn Fn(&Danger) -> bool| {
        found.iter().any(|finding| danger(&finding.danger) && finding.advice(Certificates::Own) == Advice::Refuse)
    };
    assert!(refused(&|danger| *danger == Danger::OwnNamespace("portreeve".into())));
    assert!(refused(&|danger| matches!(danger, Danger::Namespace { name, .. } if name == "kube-system")));
    assert!(!refused(&|danger| matches!(danger, Danger::Namespace { name, .. } if name == "default")));
}

#[test]
fn a_certificate_controller_is_vital_where_it_makes_our_certificate() {
    let found = findings(&registered(&[policy("p")]), &["cert-manager"]);
    let advice = |certificates| found.iter().map(|finding| finding.advice(certificates)).max().unwrap();
    assert_eq!(advice(Certificates::Own), Advice::Warn);
    assert_eq!(advice(Certificates::InCluster), Advice::Refuse);
    assert!(found[0].to_string().contains("excludedNamespaces"), "{}", found[0]);
}

#[test]
fn a_namespace_that_no_policy_selects_is_not_held_up() {
    assert_eq!(findings(&registered(&[selecting("watched")]), &["cert-manager"]), []);
}

#[test]
fn what_a_namespace_asks_of_itself_widens_nothing_elsewhere() {
    let own = |policy: Policy| Policy { of_namespace: Some("shop".to_owned()), ..policy };
    let namespaces = ["shop", "kube-flannel", "cert-manager"];
    for policy in [policy("own"), wanting("coordination.k8s.io", "leases", &["UPDATE"])] {
        let asked = registered(&[selecting("watched"), own(policy.clone())]);
        assert_eq!(findings(&asked, &namespaces), []);
        assert!(asked.of_namespaces.iter().all(|entry| !entry.rules.is_empty()) && !asked.of_namespaces.is_empty());
    }
}

#[test]
fn a_namespace_that_others_come_back_by_keeps_their_policies_from_nothing() {
    let own = Policy { of_namespace: Some("kube-flannel".to_owned()), ..policy("own") };
    let fit = |policies: &[Policy]| {
        let namespaces = [("kube-flannel".to_owned(), BTreeMap::new()), ("shop".to_owned(), BTreeMap::new())].into();
        let (certificates, own_namespace) = (Certificates::Own, Some("portreeve"));
        let demand = Demand {
            policies,
            paths: &TemplatePaths::default(),
            excluded: &["kube-system", "kube-node-lease", "portreeve"].map(str::to_owned).into(),
            failure_policy: FailurePolicy::Fail,
            served: &Served::default(),
            user: Some("system:serviceaccount:portreeve:portreeve"),
        };
        super::fit(&demand, &Surroundings { own_namespace, namespaces: &namespaces, certificates })
    };
    let (registration, left_out) = fit(&[selecting("watched"), own.clone()]).unwrap();
    assert_eq!(registration, registered(&[selecting("watched")]));
    assert!(left_out[0].to_string().contains("kube-flannel"), "{left_out:?}");
    assert_eq!(fit(&[selecting("watched")]).unwrap().1, []);
    assert!(fit(&[policy("all"), own]).is_err());
}

#[test]
fn where_failures_pass_things_only_wait() {
    let mut registration = registered(&[wanting("", "nodes", &["UPDATE"])]);
    registration.mutating.failure_policy = FailurePolicy::Ignore;
    registration.validating.failure_policy = FailurePolicy::Ignore;
    let found = findings(&registration, &USUAL);
    assert!(found.iter().all(|finding| finding.harm == Harm::Delayed(10)));
    assert!(found.iter().all(|finding| finding.advice(Certificates::Own) == Advice::Warn));
}
