//! Kinds that hold pod templates, beyond those that are known: as the configuration says it, and as it is looked for.

use portreeve_admission::pointer::PointerError;
use portreeve_admission::subject::{Holds, TemplatePath, TemplatePaths};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind that holds pod templates.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplatePathConfig {
    /// API group; the core group is empty.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// JSON pointer of the template, with `*` for every element of a list and every value of a map.
    pub path: String,
    /// What stands there.
    #[serde(default)]
    pub holds: HoldsConfig,
    /// Where defaults are put in. It counts for all templates of the kind.
    #[serde(default)]
    pub edited: EditedConfig,
}

/// What stands at a template path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HoldsConfig {
    /// A pod template: `metadata` and `spec`.
    #[default]
    PodTemplate,
    /// The spec of a pod, bare.
    PodSpec,
}

/// Where defaults are put in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EditedConfig {
    /// In the template.
    #[default]
    InPlace,
    /// In the Pods alone, for a kind whose own admission refuses them; it is judged as its Pods will be.
    AtPods,
}

/// A template path that is none.
#[derive(Debug, thiserror::Error)]
#[error("templatePaths: {path:?} of {kind}")]
pub struct TemplatePathError {
    kind: String,
    path: String,
    source: PointerError,
}

/// The known kinds with these.
///
/// # Errors
/// Names the first path that is none.
pub fn template_paths(configured: &[TemplatePathConfig]) -> Result<TemplatePaths, TemplatePathError> {
    let mut paths = TemplatePaths::default();
    for TemplatePathConfig { group, kind, path, holds, edited } in configured {
        let holds = match holds {
            HoldsConfig::PodTemplate => Holds::PodTemplate,
            HoldsConfig::PodSpec => Holds::PodSpec,
        };
        let refused = |source| TemplatePathError { kind: kind.clone(), path: path.clone(), source };
        paths.add(group, kind, TemplatePath::new(path, holds).map_err(refused)?);
        if *edited == EditedConfig::AtPods {
            paths.edit_at_pods(group, kind);
        }
    }
    Ok(paths)
}
