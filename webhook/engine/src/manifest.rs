//! What a component says about its policies, checked.

use portreeve_admission::case::{FactKind, Operation};
use portreeve_admission::matching::of_spec;
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::LoadError;
use crate::bindings;

/// Letters of a policy's name.
const NAME_BYTES: usize = 63;
/// Bytes of any text about a policy.
const TEXT_BYTES: usize = 64 << 10;

/// A policy, as its component describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Lower-case letters, digits and `-`, 63 at most.
    pub name: String,
    /// Of the policy.
    pub version: Version,
    /// One line.
    pub title: String,
    /// What it wants and why.
    pub description: String,
    /// What its verdicts may hold.
    pub can: Capabilities,
    /// What it wants to see. Empty: every kind that has a pod template.
    pub resources: Vec<ResourceRule>,
    /// Facts that it asks for, each kind once.
    pub facts: Vec<FactNeed>,
    /// JSON Schema of its settings.
    pub settings_schema: Value,
    /// Controls that it supports, such as `CC6.1`.
    pub controls: Vec<String>,
}

/// What a policy's verdicts may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Violations.
    pub validate: bool,
    /// Edits.
    pub mutate: bool,
    /// Edits of images: it runs in a stage before every policy that needs facts about images.
    pub rewrite_images: bool,
}

/// What a policy wants to see. In the lists of names `*` stands for all; a subresource is written
/// `pods/ephemeralcontainers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRule {
    /// API groups; the core group is empty.
    pub groups: Vec<String>,
    /// API versions.
    pub versions: Vec<String>,
    /// Resources.
    pub resources: Vec<String>,
    /// Operations, `*` already written out.
    pub operations: Vec<Operation>,
}

/// A kind of fact that a policy asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactNeed {
    /// The kind.
    pub kind: FactKind,
    /// Why, for the administrator who grants it.
    pub why: String,
    /// Whether the policy is of no use without.
    pub required: bool,
}

/// Checks what a component said.
pub(crate) fn check(described: Vec<bindings::Manifest>) -> Result<Vec<Manifest>, LoadError> {
    let mut manifests = Vec::<Manifest>::with_capacity(described.len());
    for raw in described {
        let name = raw.name.clone();
        let manifest = manifest(raw).map_err(|problem| LoadError::Manifest { policy: name, problem })?;
        if manifests.iter().any(|other| other.name == manifest.name) {
            let problem = "it is described twice".to_owned();
            return Err(LoadError::Manifest { policy: manifest.name, problem });
        }
        manifests.push(manifest);
    }
    Ok(manifests)
}

fn manifest(raw: bindings::Manifest) -> Result<Manifest, String> {
    if !is_name(&raw.name) {
        return Err(format!("a name has 1 to {NAME_BYTES} lower-case letters, digits or \"-\""));
    }
    for (what, text) in [("title", &raw.title), ("description", &raw.description)] {
        if text.len() > TEXT_BYTES {
            return Err(format!("its {what} is longer than {TEXT_BYTES} bytes"));
        }
    }
    Ok(Manifest {
        version: raw.version.parse().map_err(|error| format!("its version {:?}: {error}", raw.version))?,
        can: capabilities(raw.can),
        resources: raw.resources.into_iter().map(resource_rule).collect::<Result<_, _>>()?,
        facts: fact_needs(raw.facts)?,
        settings_schema: schema(&raw.settings_schema)?,
        name: raw.name,
        title: raw.title,
        description: raw.description,
        controls: raw.controls,
    })
}

/// Whether this may be the name of a policy or of a rule.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=NAME_BYTES).contains(&text.len()) && text.bytes().all(plain)
}

fn capabilities(can: bindings::Capabilities) -> Capabilities {
    Capabilities {
        validate: can.contains(bindings::Capabilities::VALIDATE),
        mutate: can.contains(bindings::Capabilities::MUTATE),
        rewrite_images: can.contains(bindings::Capabilities::REWRITE_IMAGES),
    }
}

fn resource_rule(rule: bindings::ResourceRule) -> Result<ResourceRule, String> {
    let bindings::ResourceRule { groups, versions, resources, operations } = rule;
    let every = [Operation::Create, Operation::Update, Operation::Delete, Operation::Connect];
    let operations = if operations.iter().any(|operation| operation == "*") {
        every.to_vec()
    } else {
        let named = |name: &String| every.into_iter().find(|operation| operation.to_string() == *name);
        operations
            .iter()
            .map(|name| named(name).ok_or_else(|| format!("there is no operation {name:?}")))
            .collect::<Result<_, _>>()?
    };
    let vague = |resource: &&String| of_spec(resource).is_some_and(|named| named.contains(['*', '/']));
    if let Some(resource) = resources.iter().find(vague) {
        return Err(format!("{resource:?}: only a resource that is named can be seen by its spec"));
    }
    Ok(ResourceRule { groups, versions, resources, operations })
}

fn fact_needs(needs: Vec<bindings::FactNeed>) -> Result<Vec<FactNeed>, String> {
    let mut checked = Vec::<FactNeed>::with_capacity(needs.len());
    for bindings::FactNeed { kind, why, required } in needs {
        let kind = FactKind::named(&kind).ok_or_else(|| format!("this host gathers no facts of the kind {kind:?}"))?;
        if checked.iter().any(|need| need.kind == kind) {
            return Err(format!("it asks for {} twice", kind.name()));
        }
        checked.push(FactNeed { kind, why, required });
    }
    Ok(checked)
}

fn schema(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(schema @ (Value::Object(_) | Value::Bool(_))) => Ok(schema),
        Ok(_) => Err("the schema of its settings is neither an object nor a boolean".into()),
        Err(error) => Err(format!("the schema of its settings is not JSON: {error}")),
    }
}
