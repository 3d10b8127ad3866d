//! Whom an object belongs to. Several policies ask that; what follows from it is theirs to say.

use portreeve_sdk::Case;

/// Kind of the object's controller, such as `Job`; none if it has none, or one that is not among Kubernetes' own of `apps`
/// and `batch`: a kind of that name in another group is somebody's claim.
pub(crate) fn controller_kind<'a>(case: &Case<'a>) -> Option<&'a str> {
    let controller = case.request().controller()?;
    let group = controller.api_version.split('/').next()?;
    ["apps", "batch"].contains(&group).then_some(controller.kind.as_str())
}
