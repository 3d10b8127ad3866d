//! The definitions of our kinds for an API server, made from the Rust types that the files are read with: one source,
//! so that a ClusterPolicy reads alike in a file and in a cluster. Nothing is sent here; they stand in
//! `charts/portreeve/crds`, written by the test `definitions`.

mod kind;
mod rules;
mod structural;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceSubresourceStatus,
    CustomResourceSubresources, CustomResourceValidation, JSONSchemaProps,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;

pub use kind::{Kind, schema_of};

use kind::{Column, Shown};

/// The API group of our kinds.
pub const GROUP: &str = "portreeve.dev";

/// The version that is stored and served.
pub const VERSION: &str = "v1alpha1";

/// By which `kubectl get portreeve` lists them all.
const CATEGORY: &str = "portreeve";

/// A type whose schema is none that Kubernetes has a word for: a fault of the type, found by the tests.
#[derive(Debug, thiserror::Error)]
#[error("the schema of {kind} is none that an API server takes")]
pub struct DefinitionError {
    /// The kind.
    pub kind: &'static str,
    /// Where and why.
    pub source: serde_json::Error,
}

/// The definition of a kind.
///
/// # Errors
/// If its types have no structural schema.
pub fn definition(kind: Kind) -> Result<CustomResourceDefinition, DefinitionError> {
    let version = CustomResourceDefinitionVersion {
        name: VERSION.to_owned(),
        served: true,
        storage: true,
        schema: Some(CustomResourceValidation { open_api_v3_schema: Some(schema(kind)?) }),
        subresources: Some(CustomResourceSubresources {
            status: Some(CustomResourceSubresourceStatus(json!({}))),
            scale: None,
        }),
        additional_printer_columns: Some(kind.columns().into_iter().map(printed).collect()),
        ..CustomResourceDefinitionVersion::default()
    };
    Ok(CustomResourceDefinition {
        metadata: ObjectMeta { name: Some(format!("{}.{GROUP}", kind.plural())), ..ObjectMeta::default() },
        spec: CustomResourceDefinitionSpec {
            group: GROUP.to_owned(),
            names: names(kind),
            scope: if kind.is_namespaced() { "Namespaced" } else { "Cluster" }.to_owned(),
            versions: vec![version],
            ..CustomResourceDefinitionSpec::default()
        },
        status: None,
    })
}

fn names(kind: Kind) -> CustomResourceDefinitionNames {
    CustomResourceDefinitionNames {
        kind: kind.name().to_owned(),
        list_kind: Some(format!("{}List", kind.name())),
        plural: kind.plural().to_owned(),
        singular: Some(kind.name().to_lowercase()),
        short_names: Some(vec![kind.short_name().to_owned()]),
        categories: Some(vec![CATEGORY.to_owned()]),
    }
}

fn schema(kind: Kind) -> Result<JSONSchemaProps, DefinitionError> {
    let whole = json!({
        "type": "object",
        "description": kind.description(),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": kind.spec(),
            "status": kind.status(),
        },
    });
    serde_json::from_value(whole).map_err(|source| DefinitionError { kind: kind.name(), source })
}

fn printed(column: Column) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        name: column.title.to_owned(),
        type_: column.form.to_owned(),
        json_path: column.path.to_owned(),
        priority: (column.shown == Shown::Wide).then_some(1),
        ..CustomResourceColumnDefinition::default()
    }
}
