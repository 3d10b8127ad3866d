//! Who may depend on whom. cli -> server, cluster -> supply, ledger, engine, certs -> admission; policies know the
//! contract and not the host. What tests and xtask need is their own affair.

use super::Finding;
use crate::checkout::{Checkout, Dependency, Need, Package};

/// The crates of ours that a crate may need outside its tests. A crate that is not in the table is a finding, so that
/// its place is thought of.
const FLOORS: [(&str, &[&str]); 15] = [
    ("portreeve-admission", &[]),
    ("portreeve-engine", &["portreeve-admission"]),
    ("portreeve-supply", &["portreeve-admission"]),
    ("portreeve-ledger", &[]),
    ("portreeve-certs", &[]),
    ("portreeve-cases", &["portreeve-admission"]),
    ("portreeve-cluster", &["portreeve-admission", "portreeve-certs", "portreeve-ledger"]),
    (
        "portreeve-server",
        &[
            "portreeve-admission",
            "portreeve-engine",
            "portreeve-supply",
            "portreeve-ledger",
            "portreeve-certs",
            "portreeve-builtin",
            "portreeve-cases",
        ],
    ),
    (
        "portreeve",
        &[
            "portreeve-admission",
            "portreeve-engine",
            "portreeve-supply",
            "portreeve-ledger",
            "portreeve-certs",
            "portreeve-builtin",
            "portreeve-cases",
            "portreeve-cluster",
            "portreeve-server",
        ],
    ),
    ("portreeve-sdk", &[]),
    ("portreeve-catalogue", &["portreeve-sdk"]),
    ("portreeve-component", &[]),
    ("portreeve-builtin", &["portreeve-component", "portreeve-engine"]),
    ("portreeve-control-plane", &["portreeve-admission", "portreeve-certs"]),
    ("xtask", &[]),
];

/// What is for proving things across crates may need all of them.
const ACROSS: &str = "portreeve-tests";

/// Libraries that only some crates may name, the one whose trade it is first.
const TRADES: [(&str, &[&str], &str); 3] = [
    ("wasmtime", &["portreeve-engine"], "policies are run by the engine alone"),
    ("wasmtime-wizer", &["portreeve-engine"], "policies are run by the engine alone"),
    (
        "kube",
        &["portreeve-cluster", "portreeve-control-plane", ACROSS],
        "the server itself does not know who serves its resources",
    ),
];

/// What the pure core may not name at all.
const NOT_IN_ADMISSION: [&str; 7] = ["tokio", "wasmtime", "kube", "reqwest", "hyper", "axum", "futures-util"];

/// Our crates need only those on a floor below them.
pub(super) fn between_crates(checkout: &Checkout) -> Vec<Finding> {
    let ours: Vec<&str> = checkout.packages.iter().map(|package| package.name.as_str()).collect();
    let mut findings = Vec::new();
    for package in checkout.packages.iter().filter(|package| package.name != ACROSS) {
        let Some((_, below)) = FLOORS.iter().find(|(name, _)| *name == package.name) else {
            findings
                .push(Finding::new(&package.name, "no floor in xtask/src/tidy/dependencies.rs says what it may need"));
            continue;
        };
        let needs = package.dependencies.iter().filter(|dependency| ours.contains(&dependency.name.as_str()));
        findings.extend(
            needs
                .filter(|need| !below.contains(&need.name.as_str()) && !is_exempt(package, need))
                .map(|need| Finding::new(&package.name, format!("may not depend on {}", need.name))),
        );
    }
    findings
}

/// Tests may use anything, and a policy's types may be made of the host's where a feature asks for it.
fn is_exempt(package: &Package, need: &Dependency) -> bool {
    need.need == Need::Tests || (package.name == "portreeve-sdk" && need.need == Need::Feature)
}

/// Libraries stay where their trade is.
pub(super) fn on_libraries(checkout: &Checkout) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &checkout.packages {
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let trade = TRADES.iter().find(|(library, _, _)| *library == name);
            if let Some((_, owners @ [owner, ..], why)) = trade
                && !owners.contains(&package.name.as_str())
            {
                findings.push(Finding::new(&package.name, format!("names {name}, which only {owner} may: {why}")));
            }
            if package.name == "portreeve-admission" && NOT_IN_ADMISSION.contains(&name) {
                findings
                    .push(Finding::new(&package.name, format!("names {name}: the core does no I/O and does not wait")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout(package: &str, dependency: &str, need: Need) -> Checkout {
        let bare = |name: &str| Package { name: name.to_owned(), licence: None, dependencies: Vec::new() };
        let dependencies = vec![Dependency { name: dependency.to_owned(), need }];
        let package = Package { dependencies, ..bare(package) };
        Checkout {
            packages: vec![package, bare("portreeve-server"), bare("portreeve-admission")],
            ..Checkout::default()
        }
    }

    #[test]
    fn refuses_an_import_that_runs_back_up() {
        let findings = between_crates(&checkout("portreeve-ledger", "portreeve-server", Need::Always));
        assert_eq!(findings, [Finding::new("portreeve-ledger", "may not depend on portreeve-server")]);
    }

    #[test]
    fn lets_tests_and_features_of_the_sdk_use_the_host() {
        assert!(between_crates(&checkout("portreeve-catalogue", "portreeve-admission", Need::Tests)).is_empty());
        assert!(between_crates(&checkout("portreeve-sdk", "portreeve-admission", Need::Feature)).is_empty());
        assert_eq!(between_crates(&checkout("portreeve-sdk", "portreeve-admission", Need::Always)).len(), 1);
    }

    #[test]
    fn asks_for_the_place_of_a_new_crate() {
        assert_eq!(between_crates(&checkout("portreeve-new", "serde", Need::Always)).len(), 1);
    }

    #[test]
    fn only_the_engine_names_wasmtime() {
        assert_eq!(on_libraries(&checkout("portreeve", "wasmtime", Need::Always)).len(), 1);
        assert!(on_libraries(&checkout("portreeve-engine", "wasmtime", Need::Always)).is_empty());
    }

    #[test]
    fn the_server_does_not_name_kube_and_tests_may() {
        assert_eq!(on_libraries(&checkout("portreeve-server", "kube", Need::Always)).len(), 1);
        assert!(on_libraries(&checkout("portreeve-cluster", "kube", Need::Always)).is_empty());
        assert!(on_libraries(&checkout("portreeve-tests", "kube", Need::Always)).is_empty());
    }

    #[test]
    fn the_core_does_not_name_tokio() {
        assert_eq!(on_libraries(&checkout("portreeve-admission", "tokio", Need::Tests)).len(), 1);
    }
}
