//! `portreeve cluster evidence`: the proofs of all replicas' books, kept outside of the books.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use portreeve_cluster::evidence::{Answer, Evidence, EvidenceMap};
use portreeve_ledger::BookProof;
use portreeve_server::set::chain;
use reqwest::{Client, Response, StatusCode, Url};
use rustls::RootCertStore;
use schemars::JsonSchema;
use serde::Serialize;

use super::Which;
use super::client::trusting;
use crate::arguments::Format;
use crate::outcome::{Failure, Outcome};
use crate::output::{print_json, print_text};

/// Keeps what the books of all replicas were proved to be, and says where they don't show all.
///
/// Each replica reads its own book again once a day. Here its newest proof, with the signed checkpoint of every epoch,
/// is put into a ConfigMap beside those before, and held against them: a book that was put back to an earlier state,
/// replaced or lost since is a gap, and so is one that is not whole, or was not proved lately. With gaps it is kept all
/// the same, and the gaps with it. Nothing of what books hold leaves them.
///
/// Exit codes: 0 kept, without a gap; 1 kept, with gaps, or it can't be kept; 2 there is no way to the cluster.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve cluster evidence --namespace portreeve --replica http://portreeve-0.portreeve-replicas:8080 \\
    --replica http://portreeve-1.portreeve-replicas:8080
  kubectl create job -n portreeve --from=cronjob/portreeve-soc2-evidence evidence-today")]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Where a replica's port of operations is; given once for each.
    #[arg(long = "replica", value_name = "URL", required = true)]
    replicas: Vec<Url>,
    /// Namespace of the ConfigMap. Left out: that of the kubeconfig or of the service account.
    #[arg(long)]
    namespace: Option<String>,
    /// Name of the ConfigMap.
    #[arg(long, value_name = "NAME", default_value = "portreeve-evidence")]
    config_map: String,
    /// How many days' evidence it holds: that of the newest days on which some was collected.
    #[arg(long, value_name = "DAYS", default_value_t = 36)]
    keep: usize,
    /// How old a proof may be: books are read again once a day, unless `ledger.proof.everyHours` says otherwise.
    #[arg(long, value_name = "HOURS", default_value_t = 48)]
    oldest: u32,
    /// How long a replica is waited for that has no proof yet, as one that was just started, or does not answer.
    #[arg(long, value_name = "MINUTES", default_value_t = 0)]
    wait: u16,
    /// How it is shown.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

/// The result of `portreeve cluster evidence -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EvidenceReport {
    /// Namespace and name of the ConfigMap.
    config_map: String,
    /// Under which key the evidence is in it.
    key: String,
    /// The books that were proved.
    books: Vec<BookReport>,
    /// What they do not show, and why.
    gaps: Vec<String>,
}

/// A book.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BookReport {
    /// Whose, `<cluster>/<replica>`.
    origin: String,
    /// Its records.
    records: u64,
    /// How many of them are under a signed checkpoint.
    covered: u64,
    /// When it was read again, RFC 3339.
    proved: String,
    /// Whether it was whole.
    whole: bool,
}

/// The most that a proof may be: the ConfigMap that it goes into holds no more.
const LARGEST: usize = 1 << 20;

/// After which a replica that is waited for is asked again.
const BETWEEN: Duration = Duration::from_secs(5);

pub(super) async fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let connection = arguments.which.connect().await?;
    let namespace = arguments.namespace.as_deref().unwrap_or(&connection.namespace);
    let map = EvidenceMap::named(connection.client.clone(), namespace, &arguments.config_map);
    // What can't be read is told before anybody is waited for; what is written builds on what is there then.
    map.read().await.map_err(Failure::failed)?;
    let answers = ask(&arguments.replicas, Duration::from_secs(60) * arguments.wait.into()).await?;
    let mut kept = map.read().await.map_err(Failure::failed)?;
    let oldest = SignedDuration::from_hours(arguments.oldest.into());
    let evidence = Evidence::of(answers, &kept, Timestamp::now(), oldest);
    kept.add(evidence.clone(), arguments.keep);
    map.write(&kept).await.map_err(Failure::failed)?;
    let report = EvidenceReport::of(&evidence, format!("{namespace}/{}", arguments.config_map));
    match arguments.output {
        Format::Table => print_text(&report.text())?,
        Format::Json => print_json(&report)?,
    }
    Ok(Outcome::fine_if(report.gaps.is_empty()))
}

/// Each replica, one after the other. All of them are waited for as long as `patience`, and none longer.
async fn ask(replicas: &[Url], patience: Duration) -> Result<Vec<Answer>, Failure> {
    // The port of operations speaks plain HTTP.
    let client = trusting(RootCertStore::empty()).map_err(Failure::failed)?;
    let until = Instant::now() + patience;
    let mut answers = Vec::new();
    for replica in replicas {
        let mut proof = proof(&client, replica).await;
        while proof.is_err() && Instant::now() < until {
            tokio::time::sleep(BETWEEN).await;
            proof = self::proof(&client, replica).await;
        }
        answers.push(Answer { replica: replica.as_str().trim_end_matches('/').to_owned(), proof });
    }
    Ok(answers)
}

async fn proof(client: &Client, replica: &Url) -> Result<BookProof, String> {
    let words = |error: reqwest::Error| chain(&error);
    let url = replica.join("/proof").map_err(|error| error.to_string())?;
    let answer = client.get(url).send().await.map_err(words)?;
    let status = answer.status();
    let body = body(answer).await?;
    if status != StatusCode::OK {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&body)));
    }
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}

/// What a replica answers, as far as it may be a proof.
async fn body(mut answer: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| chain(&error))? {
        if body.len().saturating_add(piece.len()) > LARGEST {
            return Err(format!("it answers with more than {} KiB, which is no proof", LARGEST >> 10));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

impl EvidenceReport {
    fn of(evidence: &Evidence, config_map: String) -> Self {
        let books = evidence.books.iter().map(BookReport::of).collect();
        Self { config_map, key: evidence.key(), books, gaps: evidence.gaps.clone() }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for BookReport { origin, records, covered, proved, whole } in &self.books {
            let whole = if *whole { "whole" } else { "NOT WHOLE" };
            text.push_str(&format!("{origin}: {whole} at {proved}, {records} records, {covered} under a checkpoint\n"));
        }
        for gap in &self.gaps {
            text.push_str(&format!("gap: {gap}\n"));
        }
        text.push_str(&format!("kept as {} in ConfigMap {}\n", self.key, self.config_map));
        text
    }
}

impl BookReport {
    fn of(proof: &BookProof) -> Self {
        Self {
            origin: proof.origin.clone(),
            records: proof.records,
            covered: proof.checkpoints.iter().map(portreeve_ledger::Deposit::size).sum(),
            proved: format!("{:.0}", proof.at),
            whole: proof.faults.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Where somebody answers with so many bytes and never says how many.
    async fn answering(bytes: usize) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            assert_ne!(connection.read(&mut [0; 1024]).await.unwrap(), 0);
            connection.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await.unwrap();
            // Whoever has had enough hangs up.
            let _ = connection.write_all(&vec![b' '; bytes]).await;
        });
        url
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_no_proof() {
        let client = trusting(RootCertStore::empty()).unwrap();
        let told = proof(&client, &answering(LARGEST * 8).await).await.unwrap_err();
        assert_eq!(told, "it answers with more than 1024 KiB, which is no proof");
        let told = proof(&client, &answering(LARGEST).await).await.unwrap_err();
        assert!(told.contains("EOF while parsing"), "{told}");
    }
}
