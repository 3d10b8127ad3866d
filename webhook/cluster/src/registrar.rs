//! Keeps a registration in a cluster: written by server-side apply, with nothing of others' beside it, put back when
//! somebody changes it, taken away at the end. What is in it is worked out in `registration`.
//!
//! What policies ask for may be refused, and then what was registered before stays. Where we are reached never waits
//! for that: a CA or a token that ended would turn every call away.

mod others;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt, pin_mut};
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use others::ours_alone;

use crate::registration::{Configurations, Registration, Site};
use crate::{FIELD_MANAGER, MANAGED_BY};

/// Somebody who insists on another registration is answered once in this time, so that neither wears the API server
/// out.
const PATIENCE: Duration = Duration::from_secs(1);

/// After a failure, this long until the next attempt.
const RETRY: Duration = Duration::from_secs(2);

/// What the API server refused is sent again after this long: it may be another release by then.
const LATER: Duration = Duration::from_secs(600);

/// What is to be registered.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// What policies ask for. None where that must not be written or is not known: what is registered stays.
    pub registration: Option<Registration>,
    /// Where we are reached, and by what.
    pub site: Site,
}

/// Why what is wanted is not registered, if it is not.
pub type Trouble = Option<Lacking>;

/// What of a target is not registered, and why.
#[derive(Debug, Clone)]
pub enum Lacking {
    /// What policies ask for: it is refused. Where we are reached is as it was sent, for what was there before.
    Asked(Arc<RegistrarError>),
    /// All of it: nothing could be written.
    All(Arc<RegistrarError>),
}

/// Writes our two configurations, and nothing else.
#[derive(Clone)]
pub struct Registrar {
    mutating: Api<MutatingWebhookConfiguration>,
    validating: Api<ValidatingWebhookConfiguration>,
}

/// What was written, by the API server's own versions of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registered {
    mutating: Option<String>,
    validating: Option<String>,
}

/// What became of what is wanted.
struct Put {
    registered: Registered,
    /// Why what policies ask for is not what was written.
    refused: Option<RegistrarError>,
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

impl RegistrarError {
    /// Whether the same would be refused again: the API server read it, and does not take it. A policy of the cluster's
    /// own may refuse with other codes than its validation does. Not who we are, what comes too often or too late.
    fn is_of_what_was_sent(&self) -> bool {
        let Self::Refused { source, .. } = self else { return false };
        let kube::Error::Api(status) = source.as_ref() else { return false };
        matches!(status.code, 400..=499) && !matches!(status.code, 401 | 408 | 409 | 429)
    }
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

    /// Keeps in the cluster what was last sent, under the name that it had at first, until the sender is gone. Where
    /// the API server refuses what policies ask for, what was there before stays, reached as it was last sent.
    /// `trouble` is told why what was sent is not what is registered, none once it is. Failures are tried again.
    pub async fn keep(&self, mut wanted: watch::Receiver<Target>, trouble: watch::Sender<Trouble>) {
        let name = wanted.borrow().site.name.clone();
        let mutating = changes(self.mutating.clone(), &name);
        let validating = changes(self.validating.clone(), &name);
        pin_mut!(mutating, validating);
        let mut last = None;
        loop {
            let (earliest, later) = (Instant::now() + PATIENCE, Instant::now() + LATER);
            let now = wanted.borrow_and_update().clone();
            let (registered, refused) = match self.put(&now, &mut last).await {
                Ok(Put { registered, refused }) => (registered, refused),
                Err(error) => {
                    trouble.send_replace(Some(Lacking::All(Arc::new(error))));
                    if !is_wanted_until(&mut wanted, Instant::now() + RETRY).await {
                        return;
                    }
                    continue;
                }
            };
            let is_refused = refused.is_some();
            trouble.send_replace(refused.map(Arc::new).map(Lacking::Asked));
            tokio::select! {
                sent = wanted.changed() => if sent.is_err() { return },
                () = drifted(&mut mutating, &mut validating, &registered) => {
                    tracing::info!(name, "somebody changed the registration; it is put back");
                    if !is_wanted_until(&mut wanted, earliest).await {
                        return;
                    }
                }
                () = sleep_until(later), if is_refused => {}
            }
        }
    }

    /// Writes what is wanted, as far as that may be.
    async fn put(&self, wanted: &Target, last: &mut Option<Configurations>) -> Result<Put, RegistrarError> {
        let mut refused = None;
        if let Some(registration) = &wanted.registration {
            let asked = registration.at(&wanted.site);
            match self.write_if_taken(&asked, last.as_ref()).await {
                Ok(registered) => {
                    *last = Some(asked);
                    return Ok(Put { registered, refused });
                }
                Err(error) if error.is_of_what_was_sent() => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        let before = match last.clone() {
            Some(before) => Some(before),
            None => self.stored(&wanted.site.name).await?,
        };
        match (before, refused) {
            (Some(before), refused) => {
                let now = before.at(&wanted.site);
                let registered = self.write(&now).await?;
                *last = Some(now);
                Ok(Put { registered, refused })
            }
            (None, Some(refused)) => Err(refused),
            (None, None) => Ok(Put { registered: Registered::default(), refused: None }),
        }
    }

    /// Writes both, or neither where the API server would refuse one of them.
    async fn write_if_taken(
        &self,
        asked: &Configurations,
        last: Option<&Configurations>,
    ) -> Result<Registered, RegistrarError> {
        if last != Some(asked) {
            self.send(asked, &params().dry_run()).await?;
        }
        self.send(asked, &params()).await
    }

    /// What is there under this name.
    async fn stored(&self, name: &str) -> Result<Option<Configurations>, RegistrarError> {
        let mutating = self.mutating.get_opt(name).await.map_err(unread(Configuration::Mutating, name))?;
        let validating = self.validating.get_opt(name).await.map_err(unread(Configuration::Validating, name))?;
        Ok(Configurations::found(mutating, validating))
    }

    /// Writes both configurations. What stands there already is not written again; what others added goes.
    ///
    /// # Errors
    /// If the API server does not take one of them.
    pub async fn write(&self, wanted: &Configurations) -> Result<Registered, RegistrarError> {
        self.send(wanted, &params()).await
    }

    async fn send(&self, wanted: &Configurations, params: &PatchParams) -> Result<Registered, RegistrarError> {
        let validating = apply(&self.validating, &wanted.validating, Configuration::Validating, params).await?;
        let mutating = apply(&self.mutating, &wanted.mutating, Configuration::Mutating, params).await?;
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

/// Waits until then, or until something else is wanted; whether anything still is.
async fn is_wanted_until(wanted: &mut watch::Receiver<Target>, until: Instant) -> bool {
    tokio::select! {
        sent = wanted.changed() => sent.is_ok(),
        () = sleep_until(until) => true,
    }
}

/// Waits until what is there is no longer what was written.
async fn drifted(
    mutating: &mut (impl Stream<Item = Option<String>> + Unpin),
    validating: &mut (impl Stream<Item = Option<String>> + Unpin),
    written: &Registered,
) {
    loop {
        let drifted = tokio::select! {
            Some(version) = mutating.next() => version != written.mutating,
            Some(version) = validating.next() => version != written.validating,
            else => std::future::pending().await,
        };
        if drifted {
            return;
        }
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
            tracing::warn!(error = crate::with_causes(&error), "the watch of the registration begins again");
            None
        }
    })
}

fn params() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

fn unread(configuration: Configuration, name: &str) -> impl FnOnce(kube::Error) -> RegistrarError {
    let name = name.to_owned();
    move |source| RegistrarError::Refused { configuration, name, done: "read", source: Box::new(source) }
}

async fn apply<K>(
    api: &Api<K>,
    wanted: &K,
    configuration: Configuration,
    params: &PatchParams,
) -> Result<Option<String>, RegistrarError>
where
    K: Resource + Clone + DeserializeOwned + Serialize + fmt::Debug,
{
    let name = wanted.name_any();
    let refused = |source| {
        let name = name.clone();
        RegistrarError::Refused { configuration, name, done: "written", source: Box::new(source) }
    };
    let written = api.patch(&name, params, &Patch::Apply(wanted)).await.map_err(refused)?;
    let written = match ours_alone(&written, wanted).filter(|_| !params.dry_run) {
        None => written,
        Some(ours) => {
            let by_us = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            api.patch(&name, &by_us, &Patch::Merge(ours)).await.map_err(refused)?
        }
    };
    Ok(written.resource_version())
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use hyper::Response;
    use kube::client::Body;
    use tower::service_fn;

    use super::*;
    use crate::registration::Endpoint;

    /// An API server that is out of order.
    fn broken() -> Client {
        let answer = async |_: hyper::Request<Body>| {
            Ok::<_, Infallible>(Response::builder().status(500).body(Body::empty()).unwrap())
        };
        Client::new(service_fn(answer), "default")
    }

    #[tokio::test(start_paused = true)]
    async fn where_nothing_can_be_written_it_ends_with_the_sender_all_the_same() {
        let endpoint = Endpoint::Url("https://127.0.0.1:1".to_owned());
        let site = Site { name: "portreeve".to_owned(), endpoint, ca_bundle: Vec::new(), token: None };
        let (tell, wanted) = watch::channel(Target { registration: None, site });
        let (show, mut trouble) = watch::channel(None);
        let kept = tokio::spawn(async move { Registrar::new(broken()).keep(wanted, show).await });
        assert!(matches!(*trouble.wait_for(Option::is_some).await.unwrap(), Some(Lacking::All(_))));
        let begun = Instant::now();
        drop(tell);
        kept.await.unwrap();
        assert!(begun.elapsed() < RETRY, "{:?}", begun.elapsed());
    }
}
