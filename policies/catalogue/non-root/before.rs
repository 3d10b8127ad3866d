//! What the template before an update had. A manifest that is applied by another way than before, such as server-side
//! after client-side, takes fields of the pod along that it never had, and leaves those of containers: what was given
//! to the pod has to come back, or its volumes stay root's. What somebody runs without, on the other hand, is not given
//! to it.

use portreeve_sdk::Case;
use portreeve_sdk::view::{Container, Mount, Operation};
use serde_json::Value;

use super::user::User;

/// The template before an update; nothing where there was none.
pub(super) struct Before<'a> {
    case: &'a Case<'a>,
    is_update: bool,
}

impl<'a> Before<'a> {
    pub(super) fn of(case: &'a Case<'a>) -> Self {
        Self { case, is_update: case.request().operation() == Operation::Update }
    }

    /// Whether the pod had this sysctl with this value.
    pub(super) fn had_sysctl(&self, name: &str, value: &str) -> bool {
        let sysctls = self.read("/spec/securityContext/sysctls");
        let is_it =
            |sysctl: &Value| sysctl.get("name") == Some(&name.into()) && sysctl.get("value") == Some(&value.into());
        sysctls.as_ref().and_then(Value::as_array).is_some_and(|sysctls| sysctls.iter().any(is_it))
    }

    /// Whether volumes get the group of a user who is written already: where they had it before, and where nobody has
    /// written to them without one. A controller's Pods are as its template says.
    pub(super) fn has_room_for_group<'m>(
        &self,
        user: &User,
        container: &Container,
        mut mounts: impl Iterator<Item = &'m Mount>,
    ) -> bool {
        if !self.is_update {
            return self.case.request().controller().is_none();
        }
        match self.read("/spec/securityContext/fsGroup").as_ref().and_then(Value::as_i64) {
            Some(group) => user.fs_group == group,
            None => !mounts.any(|mount| self.was_written_to(container, mount)),
        }
    }

    /// Whether the container ran as the same user with the same volume: the kubelet would change the modes of all files
    /// in it, and some programs refuse keys that others may read.
    fn was_written_to(&self, container: &Container, mount: &Mount) -> bool {
        let user = |container: &Container| container.security.as_ref().and_then(|security| security.run_as_user);
        let was = self.case.old_containers().iter().find(|was| was.name == container.name);
        was.is_some_and(|was| {
            user(was) == user(container)
                && was.mounts.iter().any(|was| was.name == mount.name)
                && self.is_same_volume(&mount.name)
        })
    }

    /// What a StatefulSet claims stands in neither list and never changes.
    fn is_same_volume(&self, name: &str) -> bool {
        let of = |volumes: Option<Value>| {
            let volumes = volumes.as_ref().and_then(Value::as_array);
            volumes.and_then(|volumes| volumes.iter().find(|volume| volume.get("name") == Some(&name.into())).cloned())
        };
        of(self.case.read("/spec/volumes")) == of(self.read("/spec/volumes"))
    }

    fn read(&self, at: &str) -> Option<Value> {
        if self.is_update { self.case.read_old(at) } else { None }
    }
}
