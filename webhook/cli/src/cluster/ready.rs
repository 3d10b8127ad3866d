//! `portreeve cluster ready`: whether a server answers where the API server calls it, by a certificate that it would
//! take.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portreeve_server::set::chain;
use reqwest::{Client, StatusCode, Url};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::client::trusting;
use crate::outcome::{Failure, Outcome};
use crate::output::print_text;

/// Asks a server whether it is ready, where the API server calls it.
///
/// By the name of its Service and against the certificate authorities that it is registered with, so that what answers
/// here answers the API server too. `helm test` runs it in the image of the release.
///
/// Exit codes: 0 it is ready; 1 it is not, or nobody answers by such a certificate; 2 the authorities can't be read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve cluster ready https://portreeve.portreeve.svc --ca ca.crt
  portreeve cluster ready https://portreeve.portreeve.svc --ca ca.crt --wait 60")]
pub(super) struct Arguments {
    /// The server, such as `https://portreeve.portreeve.svc`.
    #[arg(value_name = "URL")]
    server: Url,
    /// The certificate authorities that it may be vouched for by, in PEM.
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// How long it is waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u16,
}

/// After which it is asked again.
const BETWEEN: Duration = Duration::from_secs(1);

pub(super) async fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let Arguments { server, ca, wait } = arguments;
    let client = client(ca).map_err(|error| Failure::input(format!("{}: {error}", ca.display())))?;
    let url = server.join("/readyz?verbose").map_err(Failure::input)?;
    let until = Instant::now() + Duration::from_secs((*wait).into());
    let mut answer = ask(&client, &url).await;
    while !matches!(answer, Ok((true, _))) && Instant::now() < until {
        tokio::time::sleep(BETWEEN).await;
        answer = ask(&client, &url).await;
    }
    let (is_ready, told) = answer.map_err(|error| Failure::failed(format!("{server}: {error}")))?;
    print_text(&told)?;
    Ok(Outcome::fine_if(is_ready))
}

/// Whether it is ready, and what it says of that.
async fn ask(client: &Client, url: &Url) -> Result<(bool, String), String> {
    let words = |error: reqwest::Error| chain(&error);
    let answer = client.get(url.clone()).send().await.map_err(words)?;
    let status = answer.status();
    let told = answer.text().await.map_err(words)?;
    Ok((status == StatusCode::OK, format!("{}\n", told.trim_end())))
}

/// A client that trusts the authorities in this file and no others.
fn client(ca: &Path) -> Result<Client, Box<dyn Error + Send + Sync>> {
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        authorities.add(certificate?)?;
    }
    if authorities.is_empty() {
        return Err("there is no certificate in it".into());
    }
    trusting(authorities)
}
