//! Keeps a registration in a cluster: written by server-side apply, put back when somebody changes it, taken away at the
//! end. What is in it is worked out in `registration`.

use std::fmt;
use std::time::Duration;

use futures_util::{Stream, StreamExt, pin_mut};
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::registration::Configurations;
use crate::{FIELD_MANAGER, MANAGED_BY};

/// Somebody who insists on another registration is answered once in this time, so that neither wears the API server out.
const PATIENCE: Duration = Duration::from_secs(1);

/// After a failure, this long until the next attempt.
const RETRY: Duration = Duration::from_secs(2);

/// Writes our two configurations, and nothing else.
#[derive(Clone)]
pub struct Registrar {
    mutating: Api<MutatingWebhookConfiguration>,
    validating: Api<ValidatingWebhookConfiguration>,
}

/// What was written, by the API server's own versions of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    mutating: Option<String>,
    validating: Option<String>,
}

/// One of the two configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Configuration {
    /// The MutatingWebhookConfiguration.
    Mutating,
    /// The ValidatingWebhookConfiguration.
    Validating,
}

/// What became of a configuration that was to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Removed,
    /// It was not there.
    Absent,
}

/// A registration that can't be written or taken away.
#[derive(Debug, thiserror::Error)]
pub enum RegistrarError {
    /// The API server refuses, or does not answer.
    #[error("the {configuration} {name:?} can't be {done}")]
    Refused {
        /// Which.
        configuration: Configuration,
        /// Its name.
        name: String,
        /// `written`, `read` or `removed`.
        done: &'static str,
        /// Why.
        source: Box<kube::Error>,
    },
    /// It is another's.
    #[error(
        "the {configuration} {name:?} does not have the label {label}={value}, so it is not ours and stays; delete it by hand \
         if it should go",
        label = MANAGED_BY.0, value = MANAGED_BY.1
    )]
    NotOurs {
        /// Which.
        configuration: Configuration,
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mutating => "MutatingWebhookConfiguration",
            Self::Validating => "ValidatingWebhookConfiguration",
        })
    }
}

impl Registrar {
    /// One that writes through this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { mutating: Api::all(client.clone()), validating: Api::all(client) }
    }

    /// Keeps in the cluster what was last sent, under the name that it had at first, until the sender is gone. Failures
    /// are logged and tried again.
    pub async fn keep(&self, mut wanted: watch::Receiver<Configurations>) {
        let Some(name) = wanted.borrow().mutating.metadata.name.clone() else { return };
        let mutating = changes(self.mutating.clone(), &name);
        let validating = changes(self.validating.clone(), &name);
        pin_mut!(mutating, validating);
        loop {
            let earliest = Instant::now() + PATIENCE;
            let now = wanted.borrow_and_update().clone();
            let registered = match self.write(&now).await {
                Ok(registered) => registered,
                Err(error) => {
                    tracing::warn!(error = crate::with_causes(&error), "the registration is tried again");
                    sleep(RETRY).await;
                    continue;
                }
            };
            // Until what is there is no longer what was written, or something else is to be written.
            loop {
                let drifted = tokio::select! {
                    sent = wanted.changed() => {
                        if sent.is_err() { return }
                        break;
                    }
                    Some(version) = mutating.next() => version != registered.mutating,
                    Some(version) = validating.next() => version != registered.validating,
                };
                if drifted {
                    tracing::info!(name, "somebody changed the registration; it is put back");
                    sleep_until(earliest).await;
                    break;
                }
            }
        }
    }

    /// Writes both configurations. What stands there already is not written again.
    ///
    /// # Errors
    /// If the API server does not take one of them.
    pub async fn write(&self, wanted: &Configurations) -> Result<Registered, RegistrarError> {
        let validating = apply(&self.validating, &wanted.validating, Configuration::Validating).await?;
        let mutating = apply(&self.mutating, &wanted.mutating, Configuration::Mutating).await?;
        Ok(Registered { mutating, validating })
    }

    /// Takes both configurations away, so that nothing waits for a server that is about to go. Both are tried, whatever
    /// becomes of the first.
    ///
    /// # Errors
    /// If one of them stays: the API server refuses, or it is not ours.
    pub async fn remove(&self, name: &str) -> Result<[(Configuration, Removal); 2], RegistrarError> {
        let mutating = remove(&self.mutating, name, Configuration::Mutating).await;
        let validating = remove(&self.validating, name, Configuration::Validating).await;
        Ok([(Configuration::Mutating, mutating?), (Configuration::Validating, validating?)])
    }
}

/// The version of an object after each change of it; none once it is gone.
fn changes<K>(api: Api<K>, name: &str) -> impl Stream<Item = Option<String>>
where
    K: Resource + Clone + DeserializeOwned + fmt::Debug + Send + 'static,
{
    let objects = watcher::watch_object(api, name).default_backoff();
    objects.filter_map(async |seen| match seen {
        Ok(object) => Some(object.and_then(|object| object.resource_version())),
        Err(error) => {
            tracing::debug!(error = crate::with_causes(&error), "the watch of the registration begins again");
            None
        }
    })
}

async fn apply<K>(api: &Api<K>, wanted: &K, configuration: Configuration) -> Result<Option<String>, RegistrarError>
where
    K: Resource + Clone + DeserializeOwned + Serialize + fmt::Debug,
{
    let name = wanted.name_any();
    let written = api.patch(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(wanted)).await;
    let refused = |source| RegistrarError::Refused { configuration, name, done: "written", source: Box::new(source) };
    Ok(written.map_err(refused)?.resource_version())
}

async fn remove<K>(api: &Api<K>, name: &str, configuration: Configuration) -> Result<Removal, RegistrarError>
where
    K: Resource + Clone + DeserializeOwned + fmt::Debug,
{
    let refused = |done| {
        move |source| RegistrarError::Refused { configuration, name: name.to_owned(), done, source: Box::new(source) }
    };
    let Some(found) = api.get_opt(name).await.map_err(refused("read"))? else { return Ok(Removal::Absent) };
    let (label, value) = MANAGED_BY;
    if found.labels().get(label).map(String::as_str) != Some(value) {
        return Err(RegistrarError::NotOurs { configuration, name: name.to_owned() });
    }
    let preconditions = Some(Preconditions { uid: found.uid(), resource_version: None });
    match api.delete(name, &DeleteParams { preconditions, ..DeleteParams::default() }).await {
        Ok(_) => Ok(Removal::Removed),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Removal::Absent),
        Err(error) => Err(refused("removed")(error)),
    }
}
