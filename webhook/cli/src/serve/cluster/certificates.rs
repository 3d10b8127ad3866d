//! The certificate and the token that a replica serves with, out of a Secret that all replicas share: the leader renews
//! it there, and this replica keeps a copy in its folder, which the server reads as files that somebody else writes.

use std::path::PathBuf;

use portreeve_certs::{CertificateFolder, FolderContents, NameError, PolicyError, RotationPolicy, ServerNames};
use portreeve_cluster::certificates::CertificateSecret;
use portreeve_cluster::connection::Connection;
use portreeve_cluster::election::while_leading;
use portreeve_cluster::rotation::RotationRequests;
use portreeve_server::config::{CallersConfig, RotationConfig, ServerConfig, TlsConfig};
use tokio::sync::watch;

use super::Tie;

/// A certificate that can't come from a Secret.
#[derive(Debug, thiserror::Error)]
pub(in crate::serve) enum CertificateError {
    #[error("kubernetes.certificateSecret holds a certificate of our own, so tls has to be `{{folder, names}}`")]
    NotOwn,
    #[error(
        "kubernetes.certificateSecret holds the tokens too, so callers.tokenFolder has to be tls.folder, {}, and not {}",
        .folder.display(), .tokens.display()
    )]
    TwoFolders { folder: PathBuf, tokens: PathBuf },
    #[error("tls.names")]
    Names(#[from] NameError),
    #[error("kubernetes.rotation")]
    Lifetimes(#[from] PolicyError),
    #[error("the watch of the Secret ended before there was a certificate")]
    Ended(#[from] watch::error::RecvError),
}

/// The configuration with the files that come out of the Secret, which are there when this returns; and who is told
/// whenever they are others.
pub(super) async fn from_secret(
    config: ServerConfig,
    connection: &Connection,
    secret: &str,
    rotation: RotationConfig,
    tie: &mut Tie,
) -> Result<(ServerConfig, watch::Receiver<FolderContents>), CertificateError> {
    let TlsConfig::Own { folder, names } = &config.tls else { return Err(CertificateError::NotOwn) };
    if let CallersConfig::Token { token_folder } = &config.callers
        && token_folder != folder
    {
        return Err(CertificateError::TwoFolders { folder: folder.clone(), tokens: token_folder.clone() });
    }
    let (authority, leaf, overlap) = rotation.lifetimes();
    let policy = RotationPolicy::new(ServerNames::parse(names)?).with_lifetimes(authority, leaf, overlap)?;
    let folder = CertificateFolder::new(folder);
    let shared = CertificateSecret::new(connection.client.clone(), &connection.namespace, secret);
    let requests = RotationRequests::about(connection.client.clone(), &connection.namespace, secret);
    let renewed = shared.clone();
    tie.spawn(while_leading(tie.standing(), async move || renewed.keep_renewed(&policy, &requests).await));
    let (tell, told) = watch::channel(FolderContents::default());
    let copy = CertificateFolder::new(folder.path());
    tie.spawn(async move { shared.follow(&copy, tell).await });
    first(&folder, told.clone(), secret).await?;
    let mut heard = told.clone();
    // The Secret is followed for as long as somebody listens.
    tie.spawn(async move { while heard.changed().await.is_ok() {} });
    let tls = TlsConfig::Files { certificate: folder.leaf_certificate(), key: folder.leaf_key() };
    Ok((ServerConfig { tls, ..config }, told))
}

/// Waits until there is something to serve with: what was kept before a restart will do.
async fn first(
    folder: &CertificateFolder,
    mut told: watch::Receiver<FolderContents>,
    secret: &str,
) -> Result<(), watch::error::RecvError> {
    if folder.contents().is_ok_and(|contents| contents.is_empty()) {
        tracing::info!(secret, "waiting for the certificate");
        told.wait_for(|contents| !contents.is_empty()).await?;
    }
    Ok(())
}
