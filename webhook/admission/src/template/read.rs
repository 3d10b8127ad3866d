//! The JSON shape of a pod template, and its way into the views. Private: callers see `Template`.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::container::RawContainer;
use super::pod::RawPodSecurity;
use super::{Container, ContainerKind, Entry, Pod, Template, Toleration, Volume, null_as_empty};
use crate::shape::only_objects;

only_objects!(RawTemplate, RawMetadata, RawSpec, Named, RawResources);

#[derive(Deserialize)]
#[serde(remote = "Self")]
pub(super) struct RawTemplate {
    #[serde(default, deserialize_with = "null_as_empty")]
    metadata: RawMetadata,
    #[serde(default, deserialize_with = "null_as_empty")]
    spec: RawSpec,
}

#[derive(Deserialize, Default)]
#[serde(remote = "Self")]
struct RawMetadata {
    #[serde(default, deserialize_with = "null_as_empty")]
    labels: Entries,
    #[serde(default, deserialize_with = "null_as_empty")]
    annotations: Entries,
}

#[derive(Deserialize, Default)]
#[serde(remote = "Self", rename_all = "camelCase")]
struct RawSpec {
    #[serde(default, deserialize_with = "null_as_empty")]
    init_containers: Vec<RawContainer>,
    #[serde(default, deserialize_with = "null_as_empty")]
    containers: Vec<RawContainer>,
    #[serde(default, deserialize_with = "null_as_empty")]
    ephemeral_containers: Vec<RawContainer>,
    #[serde(default, deserialize_with = "null_as_empty")]
    volumes: Vec<Volume>,
    #[serde(default, deserialize_with = "null_as_empty")]
    tolerations: Vec<Toleration>,
    security_context: Option<RawPodSecurity>,
    host_network: Option<bool>,
    #[serde(rename = "hostPID")]
    host_pid: Option<bool>,
    #[serde(rename = "hostIPC")]
    host_ipc: Option<bool>,
    host_users: Option<bool>,
    os: Option<Named>,
    service_account_name: Option<String>,
    /// The old name of the same, which the API server copies where the new one says nothing.
    service_account: Option<String>,
    automount_service_account_token: Option<bool>,
    runtime_class_name: Option<String>,
    priority_class_name: Option<String>,
    restart_policy: Option<String>,
    #[serde(default, deserialize_with = "null_as_empty")]
    node_selector: Entries,
    #[serde(default, deserialize_with = "null_as_empty")]
    image_pull_secrets: Vec<Named>,
    #[serde(default, deserialize_with = "null_as_empty")]
    resource_claims: Vec<Named>,
    #[serde(default, deserialize_with = "null_as_empty")]
    resources: RawResources,
}

/// A reference by name. Kubernetes allows the name to be missing; then it is empty.
#[derive(Deserialize, Default)]
#[serde(remote = "Self")]
pub(super) struct Named {
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) name: String,
}

#[derive(Deserialize, Default)]
#[serde(remote = "Self")]
pub(super) struct RawResources {
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) requests: Entries,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) limits: Entries,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) claims: Vec<Named>,
}

/// A map of strings in the order written. Quantities may be numbers in manifests: they are kept as they print.
#[derive(Default)]
pub(super) struct Entries(pub(super) Vec<Entry>);

/// The value of an entry: text, a number as it prints, or null for nothing.
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct AsItPrints;
        impl Visitor<'_> for AsItPrints {
            type Value = Scalar;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a number")
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Scalar, E> {
                Ok(Scalar(text))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar(String::new()))
            }
        }
        json.deserialize_any(AsItPrints)
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some((name, value)) = map.next_entry::<String, Scalar>()? {
                    entries.push((name, value.0));
                }
                Ok(Entries(entries))
            }
        }
        json.deserialize_map(InOrder)
    }
}

impl From<RawTemplate> for Template {
    fn from(raw: RawTemplate) -> Self {
        let spec = raw.spec;
        let containers = place("initContainers", spec.init_containers)
            .chain(place("containers", spec.containers))
            .chain(place("ephemeralContainers", spec.ephemeral_containers))
            .collect();
        let mut volumes = spec.volumes;
        for (index, volume) in volumes.iter_mut().enumerate() {
            volume.pointer = format!("/spec/volumes/{index}");
        }
        Self {
            containers,
            volumes,
            tolerations: spec.tolerations,
            pod: Pod {
                labels: raw.metadata.labels.0,
                annotations: raw.metadata.annotations.0,
                security: spec.security_context.map(Into::into),
                host_network: spec.host_network,
                host_pid: spec.host_pid,
                host_ipc: spec.host_ipc,
                host_users: spec.host_users,
                os: spec.os.map(|os| os.name),
                service_account: spec.service_account_name.filter(|name| !name.is_empty()).or(spec.service_account),
                automount_token: spec.automount_service_account_token,
                runtime_class: spec.runtime_class_name,
                priority_class: spec.priority_class_name,
                restart_policy: spec.restart_policy,
                node_selector: spec.node_selector.0,
                image_pull_secrets: names(spec.image_pull_secrets),
                resource_claims: names(spec.resource_claims),
                requests: spec.resources.requests.0,
                limits: spec.resources.limits.0,
            },
        }
    }
}

fn place(list: &'static str, raw: Vec<RawContainer>) -> impl Iterator<Item = Container> {
    let kind = match list {
        "initContainers" => ContainerKind::Init,
        "ephemeralContainers" => ContainerKind::Ephemeral,
        _ => ContainerKind::Regular,
    };
    raw.into_iter().enumerate().map(move |(index, raw)| raw.at(kind, format!("/spec/{list}/{index}")))
}

pub(super) fn names(named: Vec<Named>) -> Vec<String> {
    named.into_iter().map(|named| named.name).collect()
}
