//! `portreeve cluster rotate`: asks the leader to renew certificates now.

use jiff::Timestamp;
use portreeve_cluster::rotation::{Renewable, RotationRequests};

use super::Which;
use crate::outcome::{Failure, Outcome};
use crate::output::print_text;

/// Asks for a new serving certificate and path token, or a new CA, before they are due.
///
/// The leader renews within a minute whatever was issued before this call, in the order in which nobody is turned away:
/// a new token is taken before it is registered, a new CA is trusted before it signs (a day later, unless
/// `kubernetes.rotation.overlapSeconds` says otherwise), and the old ones stay as long. Asking twice does it once. Who
/// asks needs to write one ConfigMap, `<secret>-rotation`, and neither sees nor writes a key. Where the certificate is
/// somebody else's, `--secret` names the Secret of the token, which alone is renewed.
///
/// Exit codes: 0 the leader is asked; 1 there is no such Secret, or the request can't be written; 2 there is no way to
/// the cluster.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve cluster rotate --namespace portreeve
  portreeve cluster rotate --namespace portreeve --authority
  portreeve cluster rotate --namespace platform --secret gate-certificates
  portreeve cluster rotate --namespace platform --secret gate-token")]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Namespace of the server. Left out: that of the kubeconfig or of the service account.
    #[arg(long)]
    namespace: Option<String>,
    /// The Secret that holds the certificates or the token, as `kubernetes.certificateSecret` or
    /// `kubernetes.tokenSecret` has it: `<fullname>-certificates` or `<fullname>-token` where the chart installed it.
    #[arg(long, value_name = "NAME", default_value = "portreeve-certificates")]
    secret: String,
    /// Does not look first whether that Secret is there: for an account that may not.
    #[arg(long)]
    unchecked: bool,
    /// The CA too: certificate and token follow when it signs.
    #[arg(long)]
    authority: bool,
}

pub(super) async fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let connection = arguments.which.connect().await?;
    let namespace = arguments.namespace.as_deref().unwrap_or(&connection.namespace);
    let requests = RotationRequests::about(connection.client.clone(), namespace, &arguments.secret);
    if !arguments.unchecked {
        requests.check().await.map_err(Failure::failed)?;
    }
    let (what, words) = match arguments.authority {
        true => (Renewable::Authority, "CA"),
        false => (Renewable::Certificate, "serving certificate or token"),
    };
    // Certificates know whole seconds.
    let now = Timestamp::now();
    let before = Timestamp::from_second(now.as_second()).unwrap_or(now);
    requests.ask(what, before).await.map_err(Failure::failed)?;
    let name = requests.name();
    print_text(&format!("asked in ConfigMap {namespace}/{name}: a {words} issued before {before} is renewed\n"))?;
    Ok(Outcome::Fine)
}
