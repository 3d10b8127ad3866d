//! Settings against a policy's own schema, before the policy sees them: a typo is answered with its place. How a choice
//! among several forms is put in words is told in `forms`.

mod forms;

use jsonschema::ValidationError;
use portreeve_admission::pointer::Pointer;
use serde_json::Value;

/// What is wrong with settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("settings{at}: {reason}")]
pub(super) struct SettingsFault {
    /// Where, within the settings.
    pub(super) at: Pointer,
    /// What, and what would be right.
    pub(super) reason: String,
}

/// Every fault of the settings by the schema; none if they are valid.
///
/// # Errors
/// If the schema itself is none, which is the module's fault.
pub(super) fn faults(schema: &Value, settings: &Value) -> Result<Vec<SettingsFault>, String> {
    let validator = jsonschema::validator_for(schema).map_err(|error| error.to_string())?;
    Ok(validator.iter_errors(settings).flat_map(|error| faults_of(schema, &error)).collect())
}

fn faults_of(schema: &Value, error: &ValidationError<'_>) -> Vec<SettingsFault> {
    forms::faults(schema, error).unwrap_or_else(|| vec![SettingsFault::new(error, error.to_string())])
}

impl SettingsFault {
    fn new(error: &ValidationError<'_>, reason: String) -> Self {
        Self { at: error.instance_path().as_str().parse().unwrap_or_default(), reason }
    }
}
