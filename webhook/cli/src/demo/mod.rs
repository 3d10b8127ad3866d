//! `portreeve demo`: five platforms' workloads go through a real server on loopback and come out put right or denied,
//! and the book is proved. The steps are here, in their order; what each one does is in the module of its name.

mod api_server;
mod embedded;
mod error;
mod expected;
mod images;
mod injected;
mod platform;
mod report;
mod safeguards;
mod site;
mod table;
mod visit;

use std::path::PathBuf;

pub(crate) use report::DemoReport;

use crate::arguments::Format;
use crate::outcome::{Failure, Outcome};
use crate::output::{print_json, print_text};
use crate::runtime::runtime;

use api_server::ApiServer;
use error::DemoError;
use report::{Book, Clock};
use site::Site;
use visit::Visitor;

/// Shows the whole of it on this machine, without a cluster.
///
/// Makes a CA and a serving certificate, starts a registry that serves the platforms' images and a webhook that
/// enforces the platforms' policies, both on loopback, and sends every workload of five platforms through /mutate and
/// /validate over TLS, as an API server would. Shows what was put in and what was denied, sends each corrected workload
/// once more to see that nothing changes, and proves the book whole. Nothing leaves this machine.
///
/// Exit codes: 0 every workload ended as its platform expects; 1 one did not, or a step failed; 2 the platforms can't
/// be read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve demo
  portreeve demo --keep /tmp/demo && portreeve ledger verify /tmp/demo/ledger
  portreeve demo --platforms tests/platforms -o json | jq '.totals'")]
pub(crate) struct Arguments {
    /// Folder with a folder for each platform: `manifests`, `denied`, `policies`, `images.yaml`, `expected.yaml`. Left
    /// out: `tests/platforms` under this folder if it is there, else the five that this program carries.
    #[arg(long, value_name = "DIR")]
    platforms: Option<PathBuf>,
    /// An empty folder for certificates, policies and the book. Left out: a new one among the temporary files. It
    /// stays.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// How the result is printed.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    output: Format,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let report = runtime()?.block_on(demonstrate(arguments)).map_err(DemoError::into_failure)?;
    match arguments.output {
        Format::Table => print_text(&table::of(&report))?,
        Format::Json => print_json(&report)?,
    }
    Ok(Outcome::fine_if(report.differences.is_empty()))
}

async fn demonstrate(arguments: &Arguments) -> Result<DemoReport, DemoError> {
    let mut clock = Clock::start();
    let site = Site::make(arguments.keep.as_deref())?;
    let platforms = platform::read_all(&platform::folder(arguments.platforms.as_deref(), &site)?)?;
    let site = site.lasting();
    clock.lap("platforms read");
    let registry = images::serve(&platforms).await?;
    clock.lap("registry started");
    site.write_policies(&platforms)?;
    let certificates = site.make_certificates()?;
    clock.lap("certificates made");
    let running = site.start(images::mirrored(&registry, &platforms)).await?;
    clock.lap("policies compiled, webhook ready");

    let mut visitor = Visitor::new(ApiServer::new(running.webhook, &certificates)?, &platforms)?;
    let mut shown = Vec::new();
    for platform in &platforms {
        shown.push(visitor.tour(platform).await?);
    }
    clock.lap("workloads sent");
    running.stop().await.map_err(DemoError::Stop)?;
    let book = Book::examine(&site.ledger())?;
    clock.lap("book proved");
    Ok(DemoReport::new(&site, shown, visitor.calls(), book, clock))
}
