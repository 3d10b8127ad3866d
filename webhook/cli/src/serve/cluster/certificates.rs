//! The certificate and the token that a replica serves with, or the token alone where the certificate is somebody
//! else's, out of a Secret that all replicas share: the leader renews it there, and this replica keeps a copy in its
//! folder, which the server reads as files that somebody else writes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use portreeve_certs::{CertificateFolder, FolderContents, NameError, PolicyError, RotationPolicy, ServerNames};
use portreeve_cluster::certificates::CertificateSecret;
use portreeve_cluster::connection::Connection;
use portreeve_cluster::election::while_leading;
use portreeve_cluster::rotation::RotationRequests;
use portreeve_server::config::{CallersConfig, KubernetesConfig, ServerConfig, TlsConfig};
use tokio::sync::watch;
use tokio::time::timeout;

use super::Tie;

/// How often a start that waits says so.
const AGAIN: Duration = Duration::from_secs(30);

/// A certificate or a token that can't come from a Secret.
#[derive(Debug, thiserror::Error)]
pub(in crate::serve) enum CertificateError {
    #[error("kubernetes.certificateSecret holds a certificate of our own, so tls has to be `{{folder, names}}`")]
    NotOwn,
    #[error(
        "kubernetes.certificateSecret holds the tokens too, so callers.tokenFolder has to be tls.folder, {}, and not {}",
        .folder.display(), .tokens.display()
    )]
    TwoFolders { folder: PathBuf, tokens: PathBuf },
    #[error("kubernetes.certificateSecret holds the tokens too, so there can be no kubernetes.tokenSecret beside it")]
    TwoSecrets,
    #[error(
        "kubernetes.tokenSecret holds tokens alone, so tls has to be `{{certificate, key}}` and callers `{{tokenFolder}}`"
    )]
    NotTokens,
    #[error("tls.names")]
    Names(#[from] NameError),
    #[error("kubernetes.rotation")]
    Lifetimes(#[from] PolicyError),
    #[error("the watch of the Secret ended before it held all that a replica serves with")]
    Ended(#[from] watch::error::RecvError),
}

/// What replicas share.
pub(super) struct Shared {
    secret: String,
    /// Where this replica keeps its copy.
    folder: CertificateFolder,
    /// What of it the leader renews.
    policy: RotationPolicy,
}

impl Shared {
    /// As the configuration says; none where certificate and token are this replica's own affair, or somebody else's.
    pub(super) fn of(kubernetes: &KubernetesConfig, config: &ServerConfig) -> Result<Option<Self>, CertificateError> {
        let (secret, folder, policy) = match (&kubernetes.certificate_secret, &kubernetes.token_secret) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(CertificateError::TwoSecrets),
            (Some(secret), None) => {
                let (folder, policy) = certificates(config)?;
                (secret, folder, policy)
            }
            (None, Some(secret)) => (secret, tokens(config)?, RotationPolicy::of_tokens()),
        };
        let (authority, leaf, overlap) = kubernetes.rotation.lifetimes();
        Ok(Some(Self {
            secret: secret.clone(),
            folder: CertificateFolder::new(folder),
            policy: policy.with_lifetimes(authority, leaf, overlap)?,
        }))
    }

    /// Begins to renew it whenever we lead, and to follow it. The files are there when this returns; who it gives back
    /// is told whenever they are others.
    pub(super) async fn begin(
        &self,
        connection: &Connection,
        tie: &mut Tie,
    ) -> Result<watch::Receiver<FolderContents>, CertificateError> {
        let Self { secret, folder, policy } = self;
        let shared = CertificateSecret::new(connection.client.clone(), &connection.namespace, secret);
        let requests = RotationRequests::about(connection.client.clone(), &connection.namespace, secret);
        let (renewed, renewing) = (shared.clone(), policy.clone());
        tie.spawn(while_leading(tie.standing(), async move || renewed.keep_renewed(&renewing, &requests).await));
        let (tell, told) = watch::channel(FolderContents::default());
        let (copy, policy) = (folder.clone(), policy.clone());
        let heard = told.clone();
        tie.spawn(async move {
            shared.follow(&copy, &policy, tell).await;
            // It is followed for as long as somebody listens, and this one does until the end.
            drop(heard);
        });
        self.first(told.clone()).await?;
        Ok(told)
    }

    /// Waits until there is something to serve with: what was kept before a restart will do.
    async fn first(&self, mut told: watch::Receiver<FolderContents>) -> Result<(), watch::error::RecvError> {
        if self.folder.contents().is_ok_and(|contents| contents.is_empty()) {
            let what = if self.policy.names().is_some() { "certificate" } else { "token" };
            tracing::info!(secret = self.secret, "waiting for the {what}");
            loop {
                match timeout(AGAIN, told.wait_for(|contents| !contents.is_empty())).await {
                    Ok(there) => return there.map(drop),
                    Err(_) => {
                        tracing::warn!(secret = self.secret, "still waiting for the {what}, which the leader makes")
                    }
                }
            }
        }
        Ok(())
    }

    /// The configuration with the files that come out of the Secret.
    pub(super) fn served(&self, config: ServerConfig) -> ServerConfig {
        let Self { folder, policy, .. } = self;
        match policy.names() {
            Some(_) => {
                let tls = TlsConfig::Files { certificate: folder.leaf_certificate(), key: folder.leaf_key() };
                ServerConfig { tls, ..config }
            }
            None => config,
        }
    }
}

/// Where certificate and tokens of our own are kept, and what the certificate is for.
fn certificates(config: &ServerConfig) -> Result<(&Path, RotationPolicy), CertificateError> {
    let TlsConfig::Own { folder, names } = &config.tls else { return Err(CertificateError::NotOwn) };
    if let CallersConfig::Token { token_folder } = &config.callers
        && token_folder != folder
    {
        return Err(CertificateError::TwoFolders { folder: folder.clone(), tokens: token_folder.clone() });
    }
    Ok((folder, RotationPolicy::new(ServerNames::parse(names)?)))
}

/// Where tokens are kept that go with a certificate of somebody else's.
fn tokens(config: &ServerConfig) -> Result<&Path, CertificateError> {
    match (&config.tls, &config.callers) {
        (TlsConfig::Files { .. }, CallersConfig::Token { token_folder }) => Ok(token_folder),
        _ => Err(CertificateError::NotTokens),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;

    use portreeve_cluster::election::Standing;
    use serde_json::{Value, json};
    use tokio::task::JoinSet;
    use tokio::time::sleep;

    use super::super::around::tests::nobody;
    use super::*;

    const GIVEN: &str = r#"{"certificate": "tls.crt", "key": "tls.key"}"#;
    const OWN: &str = r#"{"folder": "certs", "names": ["localhost"]}"#;

    /// What is shared with this certificate, these callers and these keys of `kubernetes`.
    fn shared(tls: &str, callers: &Value, kubernetes: &Value) -> Result<Option<Shared>, CertificateError> {
        let tls: Value = serde_json::from_str(tls).unwrap();
        let config = json!({"tls": tls, "callers": callers, "kubernetes": kubernetes});
        let config: ServerConfig = serde_json::from_value(config).unwrap();
        Shared::of(config.kubernetes.as_ref().unwrap(), &config)
    }

    #[test]
    fn tokens_alone_are_shared_where_the_certificate_is_given() {
        let secret = json!({"tokenSecret": "tokens", "rotation": {"leafDays": 30}});
        let tokens = shared(GIVEN, &json!({"tokenFolder": "callers"}), &secret).unwrap().unwrap();
        assert!(tokens.policy.names().is_none());
        assert_eq!(tokens.policy.leaf().as_secs(), 30 * 86_400);
        assert_eq!((tokens.secret.as_str(), tokens.folder.path()), ("tokens", Path::new("callers")));
    }

    #[tokio::test]
    async fn a_start_that_waits_says_again_that_it_does_and_why() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let listening = tracing_subscriber::fmt().with_ansi(false).with_writer(Arc::new(File::create(&log).unwrap()));
        let _listening = tracing::subscriber::set_default(listening.finish());
        let connection = nobody(folder.path()).await;
        let callers = json!({"tokenFolder": folder.path().join("callers")});
        let tokens = shared(GIVEN, &callers, &json!({"tokenSecret": "tokens"})).unwrap().unwrap();
        let (_tell, standing) = watch::channel(Standing::default());
        let mut tie = Tie { tasks: JoinSet::new(), standing, election: None };
        tokio::time::pause();
        tokio::select! {
            _ = tokens.begin(&connection, &mut tie) => panic!("nobody made a token"),
            () = sleep(AGAIN * 2 + AGAIN / 2) => {}
        }
        let said = std::fs::read_to_string(log).unwrap();
        assert_eq!(said.matches("still waiting for the token").count(), 2, "{said}");
        assert!(said.contains("WARN") && said.contains("the watch of the Secret begins again"), "{said}");
    }

    #[test]
    fn nothing_is_shared_without_a_secret() {
        assert!(shared(GIVEN, &json!({"tokenFolder": "callers"}), &json!({})).unwrap().is_none());
    }

    #[test]
    fn a_secret_that_holds_something_else_than_is_configured_is_refused() {
        let (token, certificate) = (json!({"tokenFolder": "certs"}), json!({"clientCa": "ca.crt"}));
        let tokens = json!({"tokenSecret": "tokens"});
        let both = json!({"tokenSecret": "tokens", "certificateSecret": "certificates"});
        for (tls, callers, kubernetes) in [
            (OWN, &token, &tokens),
            (GIVEN, &certificate, &tokens),
            (OWN, &token, &both),
            (GIVEN, &token, &json!({"certificateSecret": "certificates"})),
            (OWN, &json!({"tokenFolder": "callers"}), &json!({"certificateSecret": "certificates"})),
        ] {
            assert!(shared(tls, callers, kubernetes).is_err(), "{tls} {callers} {kubernetes}");
        }
    }
}
