//! The policies that ship, one WebAssembly component. Each has a folder of its own beside `src`: `policy.rs`, its page
//! `policy.yaml`, the schema of its settings, and `cases/`, which the tests here judge natively and the tests of the
//! workspace through the component.

mod autoscaler;
mod capability;
mod devices;
mod exact;
mod images;
mod injected;
mod label_key;
mod label_selector;
mod owner;
mod repository;
mod selector;
mod service_account;
mod storage;
mod trust;

#[path = "../availability/policy.rs"]
mod availability;
#[path = "../drop-capabilities/policy.rs"]
mod drop_capabilities;
#[path = "../gpu-scheduling/policy.rs"]
mod gpu_scheduling;
#[path = "../host-access/policy.rs"]
mod host_access;
#[path = "../image-digest/policy.rs"]
mod image_digest;
#[path = "../image-pull-secrets/policy.rs"]
mod image_pull_secrets;
#[path = "../image-registries/policy.rs"]
mod image_registries;
#[path = "../image-signatures/policy.rs"]
mod image_signatures;
#[path = "../labels/policy.rs"]
mod labels;
#[path = "../network-policy/policy.rs"]
mod network_policy;
#[path = "../non-root/policy.rs"]
mod non_root;
#[path = "../pod-security/policy.rs"]
mod pod_security;
#[path = "../privilege-escalation/policy.rs"]
mod privilege_escalation;
#[path = "../probes/policy.rs"]
mod probes;
#[path = "../read-only-rootfs/policy.rs"]
mod read_only_rootfs;
#[path = "../resources/policy.rs"]
mod resources;
#[path = "../seccomp/policy.rs"]
mod seccomp;
#[path = "../secrets-in-env/policy.rs"]
mod secrets_in_env;
#[path = "../service-account-token/policy.rs"]
mod service_account_token;
#[path = "../topology-spread/policy.rs"]
mod topology_spread;

/// Makes the component, and natively the schemas of the settings, out of one list.
macro_rules! carries {
    ($($policy:ty),+ $(,)?) => {
        portreeve_sdk::catalogue!($($policy),+);

        /// The name of each policy and the schema of its settings, as `schema.json` holds it.
        #[cfg(not(target_arch = "wasm32"))]
        #[must_use]
        pub fn schemas() -> Vec<(&'static str, schemars::Schema)> {
            vec![$((
                <$policy as portreeve_sdk::Policy>::manifest().name,
                schemars::schema_for!(<$policy as portreeve_sdk::Policy>::Settings),
            )),+]
        }
    };
}

carries!(
    availability::Availability,
    drop_capabilities::DropCapabilities,
    gpu_scheduling::GpuScheduling,
    host_access::HostAccess,
    image_digest::ImageDigest,
    image_pull_secrets::ImagePullSecrets,
    image_registries::ImageRegistries,
    image_signatures::ImageSignatures,
    labels::Labels,
    network_policy::NetworkPolicy,
    non_root::NonRoot,
    pod_security::PodSecurity,
    privilege_escalation::PrivilegeEscalation,
    probes::Probes,
    read_only_rootfs::ReadOnlyRootfs,
    resources::Resources,
    seccomp::Seccomp,
    secrets_in_env::SecretsInEnv,
    service_account_token::ServiceAccountToken,
    topology_spread::TopologySpread,
);
