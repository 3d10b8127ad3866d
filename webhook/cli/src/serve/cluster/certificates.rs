//! The certificate and the token that a replica serves with, or the token alone where the certificate is somebody
//! else's, out of a Secret that all replicas share: the leader renews it there, and this replica keeps a copy in its
//! folder, which the server reads as files that somebody else writes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use portreeve_certs::{CertificateFolder, FolderContents, NameError, PolicyError, RotationPolicy, ServerNames};
use portreeve_cluster::certificates::CertificateSecret;
use portreeve_cluster::connection::Connection;
use portreeve_cluster::election::while_leading;
use portreeve_cluster::rotation::RotationRequests;
use portreeve_server::config::{CallersConfig, KubernetesConfig, ServerConfig, TlsConfig};
use portreeve_server::set::chain;
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
    #[error(
        "kubernetes.tokenSecret holds a token that the leader renews and registers, so kubernetes.registration is needed; \
         without it leave the token to whoever registers us"
    )]
    Unregistered,
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
            (None, Some(_)) if kubernetes.registration.is_none() => return Err(CertificateError::Unregistered),
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
        let (followed, copy, policy) = (shared.clone(), folder.clone(), policy.clone());
        let heard = told.clone();
        tie.spawn(async move {
            followed.follow(&copy, &policy, tell).await;
            // It is followed for as long as somebody listens, and this one does until the end.
            drop(heard);
        });
        self.first(&shared, told.clone()).await?;
        Ok(told)
    }

    /// Waits until there is all that is served with: what was kept before a restart will do.
    async fn first(
        &self,
        shared: &CertificateSecret,
        mut told: watch::Receiver<FolderContents>,
    ) -> Result<(), watch::error::RecvError> {
        if self.folder.contents().is_ok_and(|contents| !contents.serves(&self.policy)) {
            let what = if self.policy.names().is_some() { "certificate" } else { "token" };
            tracing::info!(secret = self.secret, "waiting for the {what}");
            loop {
                if let Ok(there) = timeout(AGAIN, told.wait_for(|contents| !contents.is_empty())).await {
                    return there.map(drop);
                }
                tracing::warn!(secret = self.secret, "still waiting for the {what}, which the leader makes");
                // One that was configured before us may not know of this Secret, and leads until we serve.
                if let Err(error) = shared.make(Timestamp::now(), &self.policy).await {
                    tracing::warn!(secret = self.secret, error = chain(&error), "nor can the {what} be made here");
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

    use super::super::around::tests::nobody;
    use super::*;

    const GIVEN: &str = r#"{"certificate": "tls.crt", "key": "tls.key"}"#;
    const OWN: &str = r#"{"folder": "certs", "names": ["localhost"]}"#;

    /// Tokens in a Secret of ours, and registered by us.
    fn of_tokens() -> Value {
        json!({"tokenSecret": "tokens", "registration": {"at": {"service": "portreeve"}}})
    }

    /// What is shared with this certificate, these callers and these keys of `kubernetes`.
    fn shared(tls: &str, callers: &Value, kubernetes: &Value) -> Result<Option<Shared>, CertificateError> {
        let tls: Value = serde_json::from_str(tls).unwrap();
        let config = json!({"tls": tls, "callers": callers, "kubernetes": kubernetes});
        let config: ServerConfig = serde_json::from_value(config).unwrap();
        Shared::of(config.kubernetes.as_ref().unwrap(), &config)
    }

    #[test]
    fn tokens_alone_are_shared_where_the_certificate_is_given() {
        let mut secret = of_tokens();
        secret["rotation"] = json!({"leafDays": 30});
        let tokens = shared(GIVEN, &json!({"tokenFolder": "callers"}), &secret).unwrap().unwrap();
        assert!(tokens.policy.names().is_none());
        assert_eq!(tokens.policy.leaf().as_secs(), 30 * 86_400);
        assert_eq!((tokens.secret.as_str(), tokens.folder.path()), ("tokens", Path::new("callers")));
    }

    /// Whether a start comes to its end in this time where nobody leads and no API server answers, with what is in the
    /// folder `callers` here; and what it says.
    async fn begins(at: &Path, within: Duration) -> (bool, String) {
        let log = at.join("log");
        let listening = tracing_subscriber::fmt().with_ansi(false).with_writer(Arc::new(File::create(&log).unwrap()));
        let _listening = tracing::subscriber::set_default(listening.finish());
        let connection = nobody(at).await;
        let tokens = shared(GIVEN, &json!({"tokenFolder": at.join("callers")}), &of_tokens()).unwrap().unwrap();
        let (_tell, standing) = watch::channel(Standing::default());
        let mut tie = Tie { tasks: JoinSet::new(), standing, election: None };
        let is_begun = timeout(within, tokens.begin(&connection, &mut tie)).await.is_ok();
        (is_begun, std::fs::read_to_string(log).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_that_was_cut_short_is_waited_for_and_a_whole_one_is_not() {
        for (kept, serves) in [(["tokens"].as_slice(), false), (&["token", "tokens"], true)] {
            let at = tempfile::tempdir().unwrap();
            let contents = FolderContents::of(kept.iter().map(|name| ((*name).to_owned(), Vec::new())));
            let folder = CertificateFolder::new(at.path().join("callers"));
            folder.put_contents(&contents, &RotationPolicy::of_tokens()).unwrap();
            assert_eq!(begins(at.path(), AGAIN / 2).await.0, serves, "{kept:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_that_waits_says_again_that_it_does_and_why() {
        let folder = tempfile::tempdir().unwrap();
        let (is_begun, said) = begins(folder.path(), AGAIN * 2 + AGAIN / 2).await;
        assert!(!is_begun, "nobody made a token");
        for again in ["still waiting for the token", "nor can the token be made here"] {
            assert_eq!(said.matches(again).count(), 2, "{said}");
        }
        assert!(said.contains("WARN") && said.contains("the watch of the Secret begins again"), "{said}");
    }

    #[test]
    fn nothing_is_shared_without_a_secret() {
        assert!(shared(GIVEN, &json!({"tokenFolder": "callers"}), &json!({})).unwrap().is_none());
    }

    #[test]
    fn a_secret_that_holds_something_else_than_is_configured_is_refused() {
        let (token, certificate) = (json!({"tokenFolder": "certs"}), json!({"clientCa": "ca.crt"}));
        let (tokens, mut both) = (of_tokens(), of_tokens());
        both["certificateSecret"] = json!("certificates");
        for (tls, callers, kubernetes) in [
            (OWN, &token, &tokens),
            (GIVEN, &certificate, &tokens),
            (OWN, &token, &both),
            (GIVEN, &token, &json!({"certificateSecret": "certificates"})),
            (OWN, &json!({"tokenFolder": "callers"}), &json!({"certificateSecret": "certificates"})),
            (GIVEN, &token, &json!({"tokenSecret": "tokens"})),
        ] {
            assert!(shared(tls, callers, kubernetes).is_err(), "{tls} {callers} {kubernetes}");
        }
    }
}
