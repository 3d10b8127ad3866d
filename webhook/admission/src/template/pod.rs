//! Views of what holds for the whole pod.

use serde::Deserialize;

use super::{Entry, null_as_empty};
use crate::shape::only_objects;

only_objects!(Profile, SeLinux, Sysctl, Toleration, RawPodSecurity, WindowsOptions);

/// What holds for the whole pod.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pod {
    /// Labels of the template.
    pub labels: Vec<Entry>,
    /// Annotations of the template.
    pub annotations: Vec<Entry>,
    /// `spec.securityContext`.
    pub security: Option<PodSecurity>,
    /// `spec.hostNetwork`.
    pub host_network: Option<bool>,
    /// `spec.hostPID`.
    pub host_pid: Option<bool>,
    /// `spec.hostIPC`.
    pub host_ipc: Option<bool>,
    /// `spec.hostUsers`.
    pub host_users: Option<bool>,
    /// `spec.os.name`.
    pub os: Option<String>,
    /// `spec.serviceAccountName`, or `spec.serviceAccount` where it is empty.
    pub service_account: Option<String>,
    /// `spec.automountServiceAccountToken`.
    pub automount_token: Option<bool>,
    /// `spec.runtimeClassName`.
    pub runtime_class: Option<String>,
    /// `spec.priorityClassName`.
    pub priority_class: Option<String>,
    /// `spec.restartPolicy`.
    pub restart_policy: Option<String>,
    /// `spec.nodeSelector`.
    pub node_selector: Vec<Entry>,
    /// Names of `spec.imagePullSecrets`.
    pub image_pull_secrets: Vec<String>,
    /// Names of `spec.resourceClaims`.
    pub resource_claims: Vec<String>,
    /// `spec.resources.requests`.
    pub requests: Vec<Entry>,
    /// `spec.resources.limits`.
    pub limits: Vec<Entry>,
}

/// `spec.securityContext`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PodSecurity {
    /// `runAsNonRoot`.
    pub run_as_non_root: Option<bool>,
    /// `runAsUser`, a UID.
    pub run_as_user: Option<i64>,
    /// `runAsGroup`, a GID.
    pub run_as_group: Option<i64>,
    /// `fsGroup`, a GID.
    pub fs_group: Option<i64>,
    /// `fsGroupChangePolicy`.
    pub fs_group_change_policy: Option<String>,
    /// `seccompProfile`.
    pub seccomp: Option<Profile>,
    /// `appArmorProfile`.
    pub app_armor: Option<Profile>,
    /// `seLinuxOptions`.
    pub se_linux: Option<SeLinux>,
    /// `sysctls`.
    pub sysctls: Vec<Sysctl>,
    /// `windowsOptions.hostProcess`.
    pub host_process: Option<bool>,
}

/// A seccomp or AppArmor profile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Profile {
    /// `RuntimeDefault`, `Localhost`, `Unconfined` or whatever was written.
    #[serde(default, rename = "type", deserialize_with = "null_as_empty")]
    pub kind: String,
    /// Of a `Localhost` profile.
    pub localhost_profile: Option<String>,
}

/// `seLinuxOptions`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct SeLinux {
    /// `user`.
    pub user: Option<String>,
    /// `role`.
    pub role: Option<String>,
    /// `type`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `level`.
    pub level: Option<String>,
}

/// One of `sysctls`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct Sysctl {
    /// `name`.
    #[serde(default)]
    pub name: String,
    /// `value`.
    #[serde(default)]
    pub value: String,
}

/// One of `spec.tolerations`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct Toleration {
    /// `key`; none tolerates every key, with `operator: Exists`.
    pub key: Option<String>,
    /// `operator`; none means `Equal`.
    pub operator: Option<String>,
    /// `value`.
    pub value: Option<String>,
    /// `effect`; none means every effect.
    pub effect: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub(super) struct RawPodSecurity {
    run_as_non_root: Option<bool>,
    run_as_user: Option<i64>,
    run_as_group: Option<i64>,
    fs_group: Option<i64>,
    fs_group_change_policy: Option<String>,
    seccomp_profile: Option<Profile>,
    app_armor_profile: Option<Profile>,
    se_linux_options: Option<SeLinux>,
    #[serde(default, deserialize_with = "null_as_empty")]
    sysctls: Vec<Sysctl>,
    windows_options: Option<WindowsOptions>,
}

#[derive(Deserialize, Default)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub(super) struct WindowsOptions {
    pub(super) host_process: Option<bool>,
}

impl From<RawPodSecurity> for PodSecurity {
    fn from(raw: RawPodSecurity) -> Self {
        Self {
            run_as_non_root: raw.run_as_non_root,
            run_as_user: raw.run_as_user,
            run_as_group: raw.run_as_group,
            fs_group: raw.fs_group,
            fs_group_change_policy: raw.fs_group_change_policy,
            seccomp: raw.seccomp_profile,
            app_armor: raw.app_armor_profile,
            se_linux: raw.se_linux_options,
            sysctls: raw.sysctls,
            host_process: raw.windows_options.and_then(|windows| windows.host_process),
        }
    }
}
