//! Whom an object belongs to. Several policies ask that; what follows from it is theirs to say.

use portreeve_sdk::Case;
use serde_json::Value;

/// Kind of the object's controller (`ownerReferences` with `controller: true`), such as `Job`; none if it has none.
pub(crate) fn controller_kind(case: &Case<'_>) -> Option<String> {
    let owners = case.request().read("/metadata/ownerReferences")?;
    let is_controller = |owner: &&Value| owner.get("controller").and_then(Value::as_bool) == Some(true);
    let kind = owners.as_array()?.iter().find(is_controller)?.get("kind")?;
    kind.as_str().map(String::from)
}
