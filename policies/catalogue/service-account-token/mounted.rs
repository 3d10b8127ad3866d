//! Tokens for the API server that are mounted in containers, however they came there. Tokens for others (a cloud's
//! identity service, Vault, a mesh) are projected for an audience of their own and are none of these.

use std::collections::BTreeMap;

use portreeve_sdk::view::{Container, Mount, Volume};
use portreeve_sdk::{Case, pointer};
use serde_json::Value;

use crate::exact::Exact;

/// What the names of the volumes begin with that the API server's ServiceAccount plugin adds to Pods.
const AUTOMATIC: &str = "kube-api-access-";
/// Where that plugin mounts them, and clients look for them.
const WELL_KNOWN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A token in a container.
pub(super) struct Token<'a> {
    pub(super) container: &'a Container,
    pub(super) volume: &'a Volume,
    /// Of the mount, into the template.
    pub(super) pointer: String,
}

impl Token<'_> {
    /// Whether it looks as if nobody asked for it.
    pub(super) fn is_automatic(&self) -> bool {
        self.volume.name.starts_with(AUTOMATIC)
    }
}

/// Every token for one of the API server's audiences, by container and mount.
pub(super) fn tokens<'a>(case: &Case<'a>, audiences: &[Exact]) -> Vec<Token<'a>> {
    let projected = by_name(case.volumes().iter().filter(|volume| projects_token(case, volume, audiences)));
    let secrets = by_name(case.volumes().iter().filter(|volume| volume.source == "secret"));
    let mut tokens = Vec::new();
    for container in case.containers() {
        for (index, mount) in container.mounts.iter().enumerate() {
            let token = projected.get(mount.name.as_str());
            if let Some(&volume) = token.or_else(|| secret_of_old(&secrets, mount)) {
                let pointer = pointer::join(&container.pointer, &format!("/volumeMounts/{index}"));
                tokens.push(Token { container, volume, pointer });
            }
        }
    }
    tokens
}

fn projects_token(case: &Case<'_>, volume: &Volume, audiences: &[Exact]) -> bool {
    if volume.source != "projected" {
        return false;
    }
    let sources = case.read(&pointer::join(&volume.pointer, "/projected/sources"));
    let is_for_api = |source: &Value| {
        source.get("serviceAccountToken").is_some_and(|token| {
            // Without an audience it is for the API server.
            let audience = token.get("audience").and_then(Value::as_str).unwrap_or_default();
            token.is_object() && (audience.is_empty() || Exact::any(audiences, audience))
        })
    };
    sources.as_ref().and_then(Value::as_array).is_some_and(|sources| sources.iter().any(is_for_api))
}

/// The first of each name.
fn by_name<'a>(volumes: impl Iterator<Item = &'a Volume>) -> BTreeMap<&'a str, &'a Volume> {
    let mut known = BTreeMap::new();
    for volume in volumes {
        known.entry(volume.name.as_str()).or_insert(volume);
    }
    known
}

/// A Secret where clients look for a token holds one that never expires. What other Secrets hold can't be seen.
fn secret_of_old<'m, 'a>(secrets: &'m BTreeMap<&str, &'a Volume>, mount: &Mount) -> Option<&'m &'a Volume> {
    let here = mount.mount_path.trim_end_matches('/') == WELL_KNOWN;
    secrets.get(mount.name.as_str()).filter(|_| here)
}
