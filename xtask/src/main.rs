//! The developer's commands, run as `cargo xtask COMMAND`. Which there are stands here; what each does stands in the
//! file of its name.

mod assets;
mod bench;
mod cargo;
mod checkout;
mod demo;
mod error;
mod image;
mod left_out;
mod pages;
mod test;
mod test_cluster;
mod tidy;

use std::ffi::OsString;
use std::process::ExitCode;

use error::XtaskError;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test          all that CI asks for: formatting, lints, house rules, tests, documentation, dependencies
  test-cluster [--kubernetes RELEASE | --kubeconfig FILE]
                the tests against a real API server: of this release (v1.37, v1.34), or of the cluster of a kubeconfig
  assets [--kubernetes RELEASE]
                have the programs that tests start, and helm and promtool, in the cache, or in the empty
                folder that KUBEBUILDER_ASSETS names
  demo [ARGS]   build portreeve and run `portreeve demo` on the platforms of this checkout; ARGS are passed on
  bench [cluster]
                measure the released binary: a set in process, the wire, starting; or Pods created at a real API server
  image [--to FOLDER]
                build the static program, lay the image's files with their bill of materials, write them as an OCI image
                layout, and check that the program runs with them alone
  tidy          the house rules alone
  pages         write docs/policies anew, out of what stands beside the policies' code";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    match run(command.to_str().unwrap_or_default(), arguments.collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command: &str, arguments: Vec<OsString>) -> Result<ExitCode, XtaskError> {
    match command {
        "test" => none(arguments).and_then(|()| test::run()),
        "test-cluster" => test_cluster::run(&arguments),
        "assets" => assets::run(&arguments),
        "demo" => demo::run(arguments),
        "bench" => bench::run(&arguments),
        "image" => image::run(&arguments),
        "pages" => none(arguments).and_then(|()| pages::run()),
        "tidy" => none(arguments).and_then(|()| tidy::run()),
        "help" | "-h" | "--help" => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(XtaskError::Usage(USAGE)),
    }
}

/// Refuses arguments of commands that take none.
fn none(arguments: Vec<OsString>) -> Result<(), XtaskError> {
    if arguments.is_empty() { Ok(()) } else { Err(XtaskError::Usage(USAGE)) }
}
