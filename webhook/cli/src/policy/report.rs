//! What a module says of itself, as it is printed: for programs as it stands here, for people as `text` makes it.

use portreeve_engine::{Inspection, Manifest, ResourceRule};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// The result of `portreeve policy inspect -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModuleReport {
    /// `sha256:…` of the module.
    pub(super) digest: String,
    /// Its size.
    pub(super) bytes: usize,
    /// The interfaces that it imports.
    pub(super) imports: Vec<String>,
    /// Bytes of memory that an instance starts with, if that can be told.
    pub(super) memory_bytes: Option<u64>,
    /// Why it has to be configured for every evaluation; none if it starts frozen, already configured.
    pub(super) not_frozen_because: Option<String>,
    /// The policies that it carries, or the one that was asked for.
    pub(super) policies: Vec<PolicyReport>,
}

/// One of the list that `portreeve policy list -o json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyReport {
    pub(crate) name: String,
    pub(crate) version: String,
    /// One line.
    pub(crate) title: String,
    /// What it wants and why.
    pub(crate) description: String,
    /// What it can do: `validate`, `mutate`, `rewrite-images`.
    pub(crate) can: Vec<String>,
    /// What it wants to see. Empty: every kind that has a pod template.
    pub(crate) resources: Vec<Rule>,
    /// Facts that it asks for.
    pub(crate) facts: Vec<Fact>,
    /// Controls that it supports, such as `CC6.1`.
    pub(crate) controls: Vec<String>,
    /// JSON Schema of its settings.
    pub(crate) settings_schema: Value,
}

/// What a policy wants to see; `*` stands for all.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rule {
    pub(crate) groups: Vec<String>,
    pub(crate) versions: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) operations: Vec<String>,
}

/// A fact that a policy asks for.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fact {
    /// Its kind, such as `image-digest`.
    pub(crate) kind: String,
    /// What for.
    pub(crate) why: String,
    /// Whether the policy is of no use without.
    pub(crate) required: bool,
}

impl ModuleReport {
    pub(super) fn of(inspection: Inspection) -> Self {
        Self {
            digest: inspection.digest.to_string(),
            bytes: inspection.bytes,
            imports: inspection.imports,
            memory_bytes: inspection.memory_bytes,
            not_frozen_because: inspection.not_frozen_because,
            policies: inspection.manifests.into_iter().map(PolicyReport::of).collect(),
        }
    }
}

impl PolicyReport {
    pub(crate) fn of(manifest: Manifest) -> Self {
        let can = [
            (manifest.can.validate, "validate"),
            (manifest.can.mutate, "mutate"),
            (manifest.can.rewrite_images, "rewrite-images"),
        ];
        let fact = |need: &portreeve_engine::FactNeed| Fact {
            kind: need.kind.name().to_owned(),
            why: need.why.clone(),
            required: need.required,
        };
        Self {
            version: manifest.version.to_string(),
            can: can.into_iter().filter(|(can, _)| *can).map(|(_, what)| what.to_owned()).collect(),
            resources: manifest.resources.into_iter().map(Rule::of).collect(),
            facts: manifest.facts.iter().map(fact).collect(),
            name: manifest.name,
            title: manifest.title,
            description: manifest.description,
            controls: manifest.controls,
            settings_schema: manifest.settings_schema,
        }
    }
}

impl Rule {
    fn of(rule: ResourceRule) -> Self {
        let ResourceRule { groups, versions, resources, operations } = rule;
        Self { groups, versions, resources, operations: operations.iter().map(ToString::to_string).collect() }
    }
}
