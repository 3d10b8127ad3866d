//! Whom an object belongs to. Several policies ask that; what follows from it is theirs to say.

use portreeve_sdk::Case;
use serde_json::Value;

/// Kind of the object's controller (`ownerReferences` with `controller: true`), such as `Job`; none if it has none, or
/// one that is not among Kubernetes' own of `apps` and `batch`: a kind of that name in another group is somebody's claim.
pub(crate) fn controller_kind(case: &Case<'_>) -> Option<String> {
    let owners = case.request().read("/metadata/ownerReferences")?;
    let is_controller = |owner: &&Value| owner.get("controller").and_then(Value::as_bool) == Some(true);
    let owner = owners.as_array()?.iter().find(is_controller)?;
    let group = owner.get("apiVersion")?.as_str()?.split('/').next()?;
    let kind = owner.get("kind")?.as_str()?;
    ["apps", "batch"].contains(&group).then(|| kind.to_owned())
}
