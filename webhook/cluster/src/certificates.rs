//! Our own CA, its serving pair and the path tokens in a Secret, or the tokens alone where the certificate is somebody
//! else's: the leader renews them there, every replica takes from there what it serves with. How something is renewed,
//! and in which order so that nobody is turned away, is the business of `portreeve_certs`; what the API server is told
//! of it is the registration's.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::{StreamExt, pin_mut};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt as _};
use portreeve_certs::{Asked, CertificateFolder, FolderContents, FolderError, Renewal, Rotation, RotationPolicy};
use tokio::sync::watch;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::sleep;

use crate::metadata_of_ours;
use crate::rotation::RotationRequests;

/// After a failure, this long until the next attempt.
const RETRY: Duration = Duration::from_secs(5);

/// How often the leader looks whether the Secret is as it should be.
const LOOK: Duration = Duration::from_secs(60);

/// The Secret.
#[derive(Clone)]
pub struct CertificateSecret {
    secrets: Api<Secret>,
    name: String,
}

/// What a renewal came to.
#[derive(Debug, Clone)]
pub struct Renewed {
    /// What the Secret holds now.
    pub contents: FolderContents,
    /// The steps that were taken, in order; empty if nothing was due.
    pub done: Vec<Renewal>,
    /// When the next step is due.
    pub next: Timestamp,
}

/// A Secret that was found to be as it should be.
struct Settled {
    /// The API server's own version of it.
    version: String,
    /// What was asked for.
    asked: Asked,
    /// When something is due, or may be.
    until: Timestamp,
}

/// Certificates that can't be kept in the Secret or taken from it.
#[derive(Debug, thiserror::Error)]
pub enum CertificateSecretError {
    /// The API server refuses, or does not answer.
    #[error("the Secret {name:?} can't be {done}")]
    Refused {
        /// Its name.
        name: String,
        /// `read` or `written`.
        done: &'static str,
        /// Why.
        source: Box<kube::Error>,
    },
    /// Another replica wrote it first: what it wrote holds.
    #[error("the Secret {name:?} was written by another replica meanwhile; read it again")]
    Overtaken {
        /// Its name.
        name: String,
    },
    /// What it holds can't be renewed.
    #[error("what the Secret {name:?} holds can't be renewed; restore it, or delete it for a new one")]
    Unusable {
        /// Its name.
        name: String,
        /// Why.
        source: Box<FolderError>,
    },
    /// The local folder can't be used.
    #[error("certificates can't be kept in {path}", path = .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: Box<FolderError>,
    },
    /// The thread on which they are renewed or kept is lost: it panicked, or the process ends.
    #[error("the work on the certificates was cut short")]
    CutShort(#[from] JoinError),
    /// No room to renew in.
    #[error("there is no temporary folder to renew certificates in")]
    NoRoom(#[from] std::io::Error),
}

impl CertificateSecret {
    /// The Secret of this name, there or yet to be made.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self { secrets: Api::namespaced(client, namespace), name: name.to_owned() }
    }

    /// Does what is due at `now`, and makes the Secret where there is none. For the leader; should two do it at once,
    /// one of them is told [`CertificateSecretError::Overtaken`].
    ///
    /// # Errors
    /// When the Secret can't be read or written, or what it holds can't be renewed.
    pub async fn renew(&self, now: Timestamp, policy: &RotationPolicy) -> Result<Renewed, CertificateSecretError> {
        let found = self.found().await?;
        self.renew_found(found, now, policy).await
    }

    /// Makes what a replica serves with where it is not there, and renews nothing. For whoever waits for a leader who
    /// does not know of this Secret, as one of an older configuration; what another makes meanwhile holds.
    ///
    /// # Errors
    /// As [`CertificateSecret::renew`].
    pub async fn make(&self, now: Timestamp, policy: &RotationPolicy) -> Result<(), CertificateSecretError> {
        let found = self.found().await?;
        if to_serve(found.as_ref(), policy).is_some() {
            return Ok(());
        }
        match self.renew_found(found, now, policy).await {
            Ok(_) | Err(CertificateSecretError::Overtaken { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn found(&self) -> Result<Option<Secret>, CertificateSecretError> {
        self.secrets.get_opt(&self.name).await.map_err(|source| self.refused("read", source))
    }

    async fn renew_found(
        &self,
        found: Option<Secret>,
        now: Timestamp,
        policy: &RotationPolicy,
    ) -> Result<Renewed, CertificateSecretError> {
        let before = found.as_ref().map(contents).unwrap_or_default();
        let (contents, rotation) = self.rotated(before.clone(), now, policy.clone()).await?;
        if contents != before {
            self.write(found, &contents).await?;
        }
        Ok(Renewed { contents, done: rotation.done, next: rotation.next.at })
    }

    /// Renews whenever something is due or asked for, for as long as it is let run: the leader's duty. A Secret that
    /// somebody took away is made again within a minute. Failures are logged and tried again.
    pub async fn keep_renewed(&self, policy: &RotationPolicy, requests: &RotationRequests) {
        let (tell, asked) = watch::channel(Asked::default());
        tokio::join!(requests.follow(tell), self.renew_as_asked(policy, asked));
    }

    async fn renew_as_asked(&self, policy: &RotationPolicy, mut asked: watch::Receiver<Asked>) {
        let mut settled = None;
        loop {
            let asked_now = *asked.borrow_and_update();
            let wait = match self.look(policy, asked_now, &mut settled).await {
                Ok(next) => {
                    let due = Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or_default();
                    due.clamp(RETRY, LOOK)
                }
                Err(error) => {
                    tracing::warn!(error = crate::with_causes(&error), "certificates are renewed at the next attempt");
                    RETRY
                }
            };
            tokio::select! {
                () = sleep(wait) => {}
                Ok(()) = asked.changed() => {}
            }
        }
    }

    /// Renews what is due, and says when something is next. What was looked at and found to be as it should be is not
    /// worked on again before that, unless somebody writes the Secret or asks for something else.
    async fn look(
        &self,
        policy: &RotationPolicy,
        asked: Asked,
        settled: &mut Option<Settled>,
    ) -> Result<Timestamp, CertificateSecretError> {
        let (now, found) = (Timestamp::now(), self.found().await?);
        let version = found.as_ref().and_then(Secret::resource_version);
        if let Some(settled) = settled.as_ref().filter(|settled| settled.holds(version.as_deref(), asked, now)) {
            return Ok(settled.until);
        }
        let Renewed { done, next, .. } = self.renew_found(found, now, &policy.clone().asked(asked)).await?;
        done.iter().for_each(|step| tracing::info!(secret = self.name, "{step}"));
        let until = awaited(asked, now).fold(next, Timestamp::min);
        *settled = version.filter(|_| done.is_empty()).map(|version| Settled { version, asked, until });
        Ok(until)
    }

    /// What a replica serves with of what it holds now; empty where it is yet to be made.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn to_serve(&self, policy: &RotationPolicy) -> Result<FolderContents, CertificateSecretError> {
        let found = self.found().await?;
        Ok(found.as_ref().map(contents).unwrap_or_default().to_serve(policy))
    }

    /// Keeps in a folder what there is to serve with, and tells each time that it changed, until nobody listens any
    /// more. What can't be had or kept is logged and tried again; the last good files stay. A Secret that holds nothing
    /// of ours, or not all that this policy renews and replicas need, is as good as none.
    pub async fn follow(
        &self,
        folder: &CertificateFolder,
        policy: &RotationPolicy,
        told: watch::Sender<FolderContents>,
    ) {
        let secrets = watcher::watch_object(self.secrets.clone(), &self.name).default_backoff();
        pin_mut!(secrets);
        let mut unkept: Option<FolderContents> = None;
        loop {
            let seen = tokio::select! {
                () = told.closed() => return,
                seen = secrets.next() => seen,
                () = sleep(RETRY), if unkept.is_some() => {
                    if let Some(contents) = unkept {
                        unkept = self.keep(folder, contents, policy, &told).await;
                    }
                    continue;
                }
            };
            match seen {
                Some(Ok(secret)) => match to_serve(secret.as_ref(), policy) {
                    Some(contents) => unkept = self.keep(folder, contents, policy, &told).await,
                    // Until the leader made it, and when somebody took away it or what it held: what is served goes on.
                    None => tracing::info!(secret = self.name, "the Secret is not there (yet)"),
                },
                Some(Err(error)) => {
                    let error = crate::with_causes(&error);
                    tracing::warn!(secret = self.name, error, "the watch of the Secret begins again");
                }
                None => return,
            }
        }
    }

    /// Renews on a thread that may wait: files are synced, a lock is waited for, keys are made.
    async fn rotated(
        &self,
        before: FolderContents,
        now: Timestamp,
        policy: RotationPolicy,
    ) -> Result<(FolderContents, Rotation), CertificateSecretError> {
        let in_scratch = spawn_blocking(move || {
            let scratch = tempfile::tempdir()?;
            Ok(rotated(&CertificateFolder::new(scratch.path().join("certificates")), &before, now, &policy))
        });
        let rotated = in_scratch.await?.map_err(CertificateSecretError::NoRoom)?;
        rotated.map_err(|source| CertificateSecretError::Unusable { name: self.name.clone(), source: Box::new(source) })
    }

    /// Keeps these in the folder and tells so; gives them back where they can't be kept.
    async fn keep(
        &self,
        folder: &CertificateFolder,
        contents: FolderContents,
        policy: &RotationPolicy,
        told: &watch::Sender<FolderContents>,
    ) -> Option<FolderContents> {
        if let Err(error) = put(folder.clone(), contents.clone(), policy.clone()).await {
            tracing::error!(
                secret = self.name,
                error = crate::with_causes(&error),
                "the old certificate stays for now"
            );
            return Some(contents);
        }
        told.send_replace(contents);
        None
    }

    /// Writes over what was found, and over nothing else.
    async fn write(&self, found: Option<Secret>, contents: &FolderContents) -> Result<(), CertificateSecretError> {
        let data = contents.files().map(|(name, bytes)| (name.to_owned(), ByteString(bytes.to_vec()))).collect();
        let written = match found {
            // Its version goes along: the API server refuses if it is another's by now.
            Some(found) => {
                let secret = Secret { data: Some(data), ..found };
                self.secrets.replace(&self.name, &PostParams::default(), &secret).await
            }
            None => {
                let secret = Secret { metadata: metadata_of_ours(&self.name), data: Some(data), ..Secret::default() };
                self.secrets.create(&PostParams::default(), &secret).await
            }
        };
        match written {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                Err(CertificateSecretError::Overtaken { name: self.name.clone() })
            }
            Err(error) => Err(self.refused("written", error)),
        }
    }

    fn refused(&self, done: &'static str, source: kube::Error) -> CertificateSecretError {
        CertificateSecretError::Refused { name: self.name.clone(), done, source: Box::new(source) }
    }
}

impl Settled {
    /// Whether it still is as it should be at `now`, with the Secret in this version and this asked for.
    fn holds(&self, version: Option<&str>, asked: Asked, now: Timestamp) -> bool {
        version == Some(self.version.as_str()) && asked == self.asked && now < self.until
    }
}

/// Times that are asked for and yet to come: nothing is due by them before.
fn awaited(asked: Asked, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    [asked.authority, asked.leaf].into_iter().flatten().filter(move |at| *at > now)
}

/// What these become in a folder that goes with this call: keys are files of such a one wherever they are renewed.
fn rotated(
    folder: &CertificateFolder,
    before: &FolderContents,
    now: Timestamp,
    policy: &RotationPolicy,
) -> Result<(FolderContents, Rotation), FolderError> {
    folder.put_contents(before, policy)?;
    let rotation = folder.ensure(now, policy)?;
    Ok((folder.contents()?, rotation))
}

/// Puts these into the folder, on a thread that may wait for its lock and for the disk.
async fn put(
    folder: CertificateFolder,
    contents: FolderContents,
    policy: RotationPolicy,
) -> Result<(), CertificateSecretError> {
    let path = folder.path().to_owned();
    let put = spawn_blocking(move || folder.put_contents(&contents, &policy)).await?;
    put.map_err(|source| CertificateSecretError::Folder { path, source: Box::new(source) })
}

fn contents(secret: &Secret) -> FolderContents {
    let data = secret.data.iter().flatten();
    FolderContents::of(data.map(|(name, bytes)| (name.clone(), bytes.0.clone())))
}

/// What there is to serve with; none where somebody took away the Secret or a part of what it held.
fn to_serve(secret: Option<&Secret>, policy: &RotationPolicy) -> Option<FolderContents> {
    secret.map(|secret| contents(secret).to_serve(policy)).filter(|contents| contents.serves(policy))
}

#[cfg(test)]
mod tests {
    use portreeve_certs::ServerNames;

    use super::*;

    fn holding(names: &[&str]) -> Secret {
        let data = names.iter().map(|name| ((*name).to_owned(), ByteString(b"PEM".to_vec()))).collect();
        Secret { data: Some(data), ..Secret::default() }
    }

    #[test]
    fn what_is_settled_is_worked_on_again_when_it_is_due_was_written_or_something_else_is_asked() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let settled = Settled { version: "7".to_owned(), asked: Asked::default(), until: at(100) };
        assert!(settled.holds(Some("7"), Asked::default(), at(99)));
        assert!(!settled.holds(Some("7"), Asked::default(), at(100)));
        assert!(!settled.holds(Some("8"), Asked::default(), at(99)));
        assert!(!settled.holds(None, Asked::default(), at(99)));
        let asked = Asked { leaf: Some(at(1)), authority: Some(at(90)) };
        assert!(!settled.holds(Some("7"), asked, at(99)));
        assert_eq!(awaited(asked, at(50)).collect::<Vec<_>>(), [at(90)]);
    }

    #[test]
    fn a_secret_that_lacks_a_part_of_what_we_serve_with_is_as_good_as_none() {
        let whole = ["ca-bundle.crt", "tls.crt", "tls.key", "token", "tokens"];
        let policy = RotationPolicy::new(ServerNames::parse(["localhost"]).unwrap());
        let to_serve = |secret: Option<&Secret>| to_serve(secret, &policy);
        for secret in [None, Some(Secret::default()), Some(holding(&["others"])), Some(holding(&["ca.key"]))] {
            assert_eq!(to_serve(secret.as_ref()), None, "{secret:?}");
        }
        for lacking in whole {
            let rest: Vec<&str> = whole.into_iter().filter(|name| *name != lacking).collect();
            assert_eq!(to_serve(Some(&holding(&rest))), None, "{lacking}");
        }
        assert!(to_serve(Some(&holding(&whole))).is_some());
    }
}
