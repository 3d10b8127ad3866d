//! The typed views of a request, as the contract defines them, and the questions that policies ask of them most.
//! All quantities and names are as written.

pub use crate::generated::portreeve::policy::log::Level as LogLevel;
pub use crate::generated::portreeve::policy::request::{
    GroupVersionKind, GroupVersionResource, OperationType as Operation,
};
pub use crate::generated::portreeve::policy::subject::{
    Capabilities, Container, ContainerKind, ContainerSecurity, Entry, Mount, PodSecurity, PodView as Pod, Port, Probe,
    ProbeHandler, ProbeKind, Profile, Program, SeLinux, Sysctl, Toleration, Variable, Volume,
};
pub use crate::generated::portreeve::policy::types::{Appended, Change, Edit, Root, Violation};

impl Pod {
    /// The value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        find(&self.labels, name)
    }

    /// The value of an annotation.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&str> {
        find(&self.annotations, name)
    }

    /// Whether it says that it runs on Windows (`spec.os.name`): Linux security fields are refused there.
    #[must_use]
    pub fn is_windows(&self) -> bool {
        self.os.as_deref() == Some("windows")
    }

    /// Whether it runs in a user namespace of its own (`hostUsers: false`): root inside is nobody outside.
    #[must_use]
    pub fn has_own_users(&self) -> bool {
        self.host_users == Some(false)
    }

    /// Whether it shares the node's network.
    #[must_use]
    pub fn is_on_host_network(&self) -> bool {
        self.host_network == Some(true)
    }
}

impl Container {
    /// The pointer to a field of this container: `below` is a pointer such as `/securityContext/runAsUser`.
    #[must_use]
    pub fn field(&self, below: &str) -> String {
        crate::pointer::join(&self.pointer, below)
    }

    /// Whether it is `privileged: true`.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        self.security.as_ref().is_some_and(|security| security.privileged == Some(true))
    }

    /// `capabilities.add`, as written.
    #[must_use]
    pub fn added_capabilities(&self) -> &[String] {
        self.capabilities().map_or(&[], |capabilities| &capabilities.add)
    }

    /// `capabilities.drop`, as written.
    #[must_use]
    pub fn dropped_capabilities(&self) -> &[String] {
        self.capabilities().map_or(&[], |capabilities| &capabilities.drop)
    }

    fn capabilities(&self) -> Option<&Capabilities> {
        self.security.as_ref()?.capabilities.as_ref()
    }
}

/// The value of the entry of that name.
#[must_use]
pub fn find<'a>(entries: &'a [Entry], name: &str) -> Option<&'a str> {
    entries.iter().find(|entry| entry.name == name).map(|entry| entry.value.as_str())
}
