//! What the platforms' chart comes to in every environment, judged by the platform's own policies and with its own lock
//! file: an environment whose workloads are refused is none.

use portreeve_server::check::{Checked, Checker, Verdict};
use portreeve_server::manifest::Manifest;
use portreeve_supply::{Images, RegistriesConfig};
use portreeve_tests::gate::check_options;
use portreeve_tests::helm::Installation;
use portreeve_tests::places::checkout;

use crate::helm;
use crate::platforms::{ENVIRONMENTS, platforms};

/// What its lock file knows of the platform's images. No registry is asked: the file has every image, or the check
/// fails.
fn locked(platform: &str) -> Images {
    let lock_file = Some(checkout().join("tests/platforms").join(platform).join("images.lock"));
    Images::open(&RegistriesConfig { lock_file, ..RegistriesConfig::default() }).unwrap()
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
            let options = check_options(&platform, locked(&platform)).unwrap();
            let checked = Checker::open(options, &manifests).unwrap().check_all(&manifests).await;
            let faults: Vec<String> = manifests.iter().zip(&checked).filter_map(fault).collect();
            assert!(faults.is_empty(), "{platform}, {environment}:\n{}", faults.join("\n"));
            let admitted = checked.iter().filter(|one| one.verdict == Verdict::Allowed).count();
            assert!(admitted > 0, "{platform}, {environment}: nothing was judged");
        }
    }
}
