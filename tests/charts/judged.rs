//! What the platforms' chart comes to in every environment, judged by the platform's own policies and with its own lock file:
//! an environment whose workloads are refused is none.

use std::collections::BTreeMap;

use portreeve_admission::subject::TemplatePaths;
use portreeve_server::check::{CheckOptions, Checked, Checker, Corrections, Verdict};
use portreeve_server::manifest::Manifest;
use portreeve_supply::{Images, RegistriesConfig};
use portreeve_tests::gate::cache;
use portreeve_tests::helm::Installation;
use portreeve_tests::places::checkout;

use crate::helm;
use crate::platforms::{ENVIRONMENTS, platforms};

/// What `portreeve check` is asked for this platform. No registry is asked: the lock file has every image, or the check fails.
fn options(platform: &str) -> CheckOptions {
    let folder = checkout().join("tests/platforms").join(platform);
    let lock_file = Some(folder.join("images.lock"));
    CheckOptions {
        policies: Some(folder.join("policies")),
        images: Images::open(&RegistriesConfig { lock_file, ..RegistriesConfig::default() }).unwrap(),
        modules: None,
        cache: cache().unwrap(),
        paths: TemplatePaths::default(),
        namespace: "default".to_owned(),
        namespace_labels: BTreeMap::new(),
        corrections: Corrections::Made,
        as_of_mode: None,
    }
}

/// Why an object would be refused, or which policy could not judge it and let it pass; none if all of them admit it.
fn fault((manifest, checked): (&Manifest, &Checked)) -> Option<String> {
    let is_refused = matches!(checked.verdict, Verdict::Denied | Verdict::Failed);
    let is_judged = !is_refused && checked.decision.failures.is_empty();
    let told = match &checked.unjudgeable {
        Some(reason) => reason.to_string(),
        None if is_judged => return None,
        None => format!("{:#?}", checked.decision),
    };
    Some(format!("{} {}: {told}", manifest.kind(), manifest.name()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_environment_of_every_platform_is_admitted_by_the_platforms_own_policies() {
    let Some(helm) = helm() else { return };
    for platform in platforms() {
        for environment in ENVIRONMENTS {
            let manifests = helm.manifests(&Installation::of_platform(&platform, environment)).unwrap();
            let checked = Checker::open(options(&platform), &manifests).unwrap().check_all(&manifests).await;
            let faults: Vec<String> = manifests.iter().zip(&checked).filter_map(fault).collect();
            assert!(faults.is_empty(), "{platform}, {environment}:\n{}", faults.join("\n"));
            let admitted = checked.iter().filter(|one| one.verdict == Verdict::Allowed).count();
            assert!(admitted > 0, "{platform}, {environment}: nothing was judged");
        }
    }
}
