//! Whom an object belongs to. Several policies ask that; what follows from it is theirs to say.

use portreeve_sdk::Case;

/// What the names of the control plane's own users begin with, as the server knows them too.
const CONTROL_PLANE: [&str; 4] =
    ["system:serviceaccount:kube-system:", "system:node:", "system:kube-controller-manager", "system:kube-scheduler"];
/// Who asks where objects are judged that nobody sends: manifests, and what is in a cluster already.
const CHECK: &str = "portreeve:check";

/// Kind of the object's controller, such as `Job`; none if it has none, or one that is not among Kubernetes' own of
/// `apps` and `batch`: a kind of that name in another group is somebody's claim. So is an owner that anybody but the
/// control plane writes down, since whoever may make an object may write whatever owner into it.
pub(crate) fn controller_kind<'a>(case: &Case<'a>) -> Option<&'a str> {
    let controller = case.request().controller()?;
    let group = controller.api_version.split('/').next()?;
    let is_believed = || knows_owners(&case.request().user_name());
    (["apps", "batch"].contains(&group) && is_believed()).then_some(controller.kind.as_str())
}

fn knows_owners(user: &str) -> bool {
    user == CHECK || CONTROL_PLANE.iter().any(|known| user.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_plane_is_who_the_server_takes_for_it() {
        assert_eq!(CONTROL_PLANE, portreeve_admission::case::CONTROL_PLANE);
        assert_eq!(CHECK, portreeve_admission::case::CHECK);
    }

    #[test]
    fn owners_are_believed_of_controllers_and_where_nobody_sends_the_object() {
        for user in ["system:serviceaccount:kube-system:replicaset-controller", "system:node:a", CHECK] {
            assert!(knows_owners(user), "{user}");
        }
        for user in ["jane", "system:serviceaccount:shop:kube-system:", "system:anonymous", ""] {
            assert!(!knows_owners(user), "{user}");
        }
    }
}
