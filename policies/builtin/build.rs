//! Compiles the catalogue to a component, and the component to machine code twice, with the settings of the platform
//! profile and with none, for `src/lib.rs` to embed.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use portreeve_engine::{Engine, Instance, Options, Processor};
use serde::Deserialize;
use serde_json::{Value, json};

const PROFILE: &str = "profile.yaml";
const CATALOGUE: &str = "../catalogue";

fn main() -> ExitCode {
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = std::iter::successors(error.source(), |&cause| cause.source());
            let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
            // Cargo shows what a build script that fails has written.
            println!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn embed() -> Result<(), Box<dyn Error>> {
    for source in [CATALOGUE, "../sdk", "../../wit", "../../Cargo.lock", "../../Cargo.toml", PROFILE] {
        println!("cargo::rerun-if-changed={source}");
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("rules.rs"), rules(CATALOGUE.as_ref())?)?;
    let component = portreeve_component::build(CATALOGUE.as_ref(), &out.join("target"))?;
    std::fs::write(out.join("catalogue.wasm"), &component)?;
    let Precompiled { profile, as_it_came } = precompiled(&component)?;
    std::fs::write(out.join("profile.code"), profile)?;
    std::fs::write(out.join("catalogue.code"), as_it_came)?;
    Ok(())
}

/// Machine code for every processor of the target.
#[derive(Default)]
struct Precompiled {
    profile: Vec<u8>,
    as_it_came: Vec<u8>,
}

/// Empty for a target that is not this machine: policies have to run to be set up, and a server without the code
/// compiles it at its first start.
fn precompiled(component: &[u8]) -> Result<Precompiled, Box<dyn Error>> {
    let triple = std::env::var("TARGET")?;
    if triple != std::env::var("HOST")? {
        return Ok(Precompiled::default());
    }
    let engine = Engine::new(Options { processor: Processor::Any { triple }, ..Options::default() })?;
    let profile = engine.precompile(component, &instances(PROFILE.as_ref())?)?;
    Ok(Precompiled { profile, as_it_came: engine.precompile_as_it_came(component)? })
}

/// A policy's page, as far as it names rules.
#[derive(Deserialize)]
struct Page {
    name: String,
    rules: BTreeMap<String, String>,
    #[serde(default)]
    edits: BTreeMap<String, String>,
}

/// Every policy with its rules, those that only change something too, as an expression in Rust.
fn rules(catalogue: &Path) -> Result<String, Box<dyn Error>> {
    let mut policies = BTreeMap::new();
    for entry in std::fs::read_dir(catalogue)? {
        let page = entry?.path().join("policy.yaml");
        if page.is_file() {
            let Page { name, rules, edits } = serde_saphyr::from_str(&std::fs::read_to_string(page)?)?;
            policies.insert(name, rules.into_keys().chain(edits.into_keys()).collect::<BTreeSet<_>>());
        }
    }
    let each = policies.iter().map(|(name, rules)| format!("({name:?}, &{:?})", rules.iter().collect::<Vec<_>>()));
    Ok(format!("&[{}]", each.collect::<Vec<_>>().join(", ")))
}

/// As far as it decides what a policy is configured with.
#[derive(Deserialize)]
struct ClusterPolicy {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Deserialize)]
struct Spec {
    module: Module,
    settings: Option<Value>,
}

#[derive(Deserialize)]
struct Module {
    builtin: String,
}

fn instances(profile: &Path) -> Result<Vec<Instance>, Box<dyn Error>> {
    let policies: Vec<ClusterPolicy> = serde_saphyr::from_multiple(&std::fs::read_to_string(profile)?)?;
    let instance = |policy: ClusterPolicy| Instance {
        id: policy.metadata.name,
        policy: policy.spec.module.builtin,
        settings: policy.spec.settings.unwrap_or_else(|| json!({})),
        granted: BTreeSet::new(),
    };
    Ok(policies.into_iter().map(instance).collect())
}
