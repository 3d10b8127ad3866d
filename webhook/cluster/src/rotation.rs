//! Asking the leader to renew certificates before they are due: a ConfigMap beside their Secret says before which time
//! what was issued is to be renewed. Whoever may write it can cause a renewal, and neither reads nor writes a key by
//! it. How something is renewed so that nobody is turned away is the business of `portreeve_certs`.

use std::collections::BTreeMap;

use futures_util::{StreamExt, pin_mut};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use portreeve_certs::Asked;
use serde_json::json;
use tokio::sync::watch;

use crate::FIELD_MANAGER;

/// What somebody asks to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewable {
    /// The serving certificate, and the token with it; the token where it is all that is ours.
    Certificate,
    /// The CA, which the certificate and the token follow when it signs.
    Authority,
}

/// Where one asks.
#[derive(Clone)]
pub struct RotationRequests {
    maps: Api<ConfigMap>,
    name: String,
    secrets: Api<Secret>,
    secret: String,
    namespace: String,
}

/// A request that can't be made.
#[derive(Debug, thiserror::Error)]
pub enum RotationRequestError {
    /// Nobody would read it.
    #[error(
        "there is no Secret {secret:?} in the namespace {namespace:?}: name the one that the server has as \
         `kubernetes.certificateSecret` or `kubernetes.tokenSecret`"
    )]
    NoSecret {
        /// The Secret that was meant.
        secret: String,
        /// Where it was looked for.
        namespace: String,
    },
    /// The API server does not take it.
    #[error("the ConfigMap {name:?} can't be written, by which the leader is asked")]
    Refused {
        /// Its name.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
}

impl Renewable {
    /// By which it stands in the ConfigMap.
    fn key(self) -> &'static str {
        match self {
            Self::Certificate => "renew-certificate-of-before",
            Self::Authority => "renew-authority-of-before",
        }
    }
}

impl RotationRequests {
    /// Those about the certificates of this Secret.
    #[must_use]
    pub fn about(client: Client, namespace: &str, secret: &str) -> Self {
        Self {
            maps: Api::namespaced(client.clone(), namespace),
            name: format!("{secret}-rotation"),
            secrets: Api::namespaced(client, namespace),
            secret: secret.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    /// Name of the ConfigMap.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Looks whether the Secret is there, as far as we may: who may only ask is not told.
    ///
    /// # Errors
    /// When it is not.
    pub async fn check(&self) -> Result<(), RotationRequestError> {
        match self.secrets.get_metadata_opt(&self.secret).await {
            Ok(None) => {
                let (secret, namespace) = (self.secret.clone(), self.namespace.clone());
                Err(RotationRequestError::NoSecret { secret, namespace })
            }
            Ok(Some(_)) | Err(_) => Ok(()),
        }
    }

    /// Asks for what was issued before `before` to be renewed. A request made twice is one.
    ///
    /// # Errors
    /// When the API server does not take it.
    pub async fn ask(&self, what: Renewable, before: Timestamp) -> Result<(), RotationRequestError> {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": self.name},
            "data": {what.key(): before.to_string()},
        });
        // As somebody else for each: who applies less than before takes the rest back.
        let by = PatchParams::apply(&format!("{FIELD_MANAGER}-{}", what.key())).force();
        let applied = self.maps.patch(&self.name, &by, &Patch::Apply(map)).await;
        applied
            .map(drop)
            .map_err(|source| RotationRequestError::Refused { name: self.name.clone(), source: Box::new(source) })
    }

    /// Tells what is asked for, and whenever that is something else, until nobody listens any more.
    pub async fn follow(&self, tell: watch::Sender<Asked>) {
        let maps = watcher::watch_object(self.maps.clone(), &self.name).default_backoff();
        pin_mut!(maps);
        loop {
            let seen = tokio::select! {
                () = tell.closed() => return,
                seen = maps.next() => seen,
            };
            match seen {
                Some(Ok(map)) => drop(tell.send_replace(map.and_then(|map| map.data).map(asked).unwrap_or_default())),
                Some(Err(error)) => {
                    let error = crate::with_causes(&error);
                    tracing::warn!(map = self.name, error, "the watch of the ConfigMap begins again");
                }
                None => return,
            }
        }
    }
}

fn asked(data: BTreeMap<String, String>) -> Asked {
    let before = |what: Renewable| {
        let text = data.get(what.key())?;
        let at = text.parse();
        at.inspect_err(|error| tracing::warn!(%error, key = what.key(), "a request to renew certificates is no time"))
            .ok()
    };
    Asked { authority: before(Renewable::Authority), leaf: before(Renewable::Certificate) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_no_time_asks_for_nothing() {
        let data = [("renew-authority-of-before", "now"), ("renew-certificate-of-before", "2026-01-01T00:00:00Z")];
        let data = data.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let leaf = Some("2026-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(asked(data.into()), Asked { authority: None, leaf });
    }
}
