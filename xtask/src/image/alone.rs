//! Runs the program with the tree alone, as the image's user: what it prints, whether it finds names without the
//! libraries that a C library loads for that elsewhere, whether it serves, and whether it writes where nobody told it
//! to.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::cage::{Cage, VOLUME};
use super::checks::Finding;
use super::error::ImageError;
use super::names::{self, NAME_SERVER, NameServer, Registry};
use crate::cargo::{output, program};
use crate::error::XtaskError;

/// Names that only `/etc/hosts` and only the name server know.
const NAMES: [&str; 2] = ["registry.hosts.test", "registry.dns.test"];

/// How long the server may take to become ready, and to answer: it does both in a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(60);

const SERVER: &str = "etc/portreeve/server.yaml";
const REGISTRIES: &str = "etc/portreeve/registries.yaml";
const POD: &str = "etc/portreeve/pod.yaml";

/// All that is wrong, and what could not be tried.
pub(super) fn run(tree: &Path) -> Result<Vec<Finding>, ImageError> {
    let registry = Registry::start().map_err(loopback)?;
    let names = match names::answer(NAMES[1]).map_err(loopback)? {
        NameServer::Listens => NAMES.as_slice(),
        NameServer::Forbidden => {
            println!("not tried: names by DNS, since this user may not listen on port 53");
            &NAMES[..1]
        }
    };
    let hosts: Vec<_> = names.iter().map(|name| format!("{name}:{}", registry.port)).collect();
    let cage = Cage::new(tree, &mounted(&hosts))?;
    let before = cage.outside_the_volume()?;
    let mut findings = prints(&cage)?;
    findings.extend(finds_names(&cage, &registry, &hosts)?);
    findings.extend(serves(&cage)?);
    if cage.outside_the_volume()? != before {
        findings.push(Finding(format!("the program wrote to somewhere else than /{VOLUME}")));
    }
    Ok(findings)
}

/// What a runtime would mount, and what the chart does.
fn mounted(hosts: &[String]) -> [(&'static str, String); 5] {
    let registries: Vec<_> = hosts.iter().map(|host| format!("{{host: \"{host}\", insecure: true}}")).collect();
    let containers: Vec<_> =
        hosts.iter().enumerate().map(|(n, host)| format!("{{name: c{n}, image: \"{host}/app:1\"}}")).collect();
    [
        ("etc/hosts", format!("127.0.0.1 localhost {}\n", NAMES[0])),
        ("etc/resolv.conf", format!("nameserver {NAME_SERVER}\noptions attempts:1\n")),
        (SERVER, server()),
        (REGISTRIES, format!("registries: [{}]\n", registries.join(", "))),
        (
            POD,
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: pod}}\nspec: {{containers: [{}]}}\n",
                containers.join(", ")
            ),
        ),
    ]
}

fn server() -> String {
    let folders = format!(
        "tls: {{folder: /{VOLUME}/tls, names: [localhost]}}\ncallers: {{tokenFolder: /{VOLUME}/tls}}\n\
         state: {{folder: /{VOLUME}/state}}\nledger: {{folder: /{VOLUME}/book}}\n"
    );
    format!("listen: 127.0.0.1:0\noperations: 127.0.0.1:0\n{folders}")
}

fn prints(cage: &Cage) -> Result<Vec<Finding>, ImageError> {
    let mut findings = Vec::new();
    for (arguments, word) in [(["--version"].as_slice(), env!("CARGO_PKG_VERSION")), (&["policy", "list"], "non-root")]
    {
        let done = done(&mut cage.portreeve(arguments))?;
        if !done.succeeded || !done.printed.contains(word) {
            let arguments = arguments.join(" ");
            findings.push(Finding(format!("`portreeve {arguments}` did not print {word}: {}", done.said())));
        }
    }
    Ok(findings)
}

/// `portreeve lock` asks the registry of each image; ours has none, so that it fails in the end.
fn finds_names(cage: &Cage, registry: &Registry, hosts: &[String]) -> Result<Vec<Finding>, ImageError> {
    let (pod, registries) = (format!("/{POD}"), format!("/{REGISTRIES}"));
    let done = done(&mut cage.portreeve(&["lock", &pod, "--registries", &registries]))?;
    let asked = registry.asked_for();
    let lost = hosts.iter().filter(|host| !asked.contains(host));
    Ok(lost.map(|host| Finding(format!("the program did not find {host}: {}", done.said()))).collect())
}

/// The server becomes ready, with the policies that ship compiled already, and stops in order.
fn serves(cage: &Cage) -> Result<Vec<Finding>, ImageError> {
    let mut command = cage.portreeve(&["serve", "--config", &format!("/{SERVER}")]);
    let log = cage.log();
    let errors = File::create(&log).map_err(|error| XtaskError::Write { path: log.clone(), error })?;
    let started = command.env("HOSTNAME", "image").stdout(Stdio::piped()).stderr(errors).spawn();
    let mut child = started.map_err(|error| XtaskError::Start { program: "portreeve serve".to_owned(), error })?;
    let mut findings = match operations(&mut child) {
        Some(address) => answers(&address),
        None => vec![Finding("the server did not become ready".to_owned())],
    };
    output(program(&"kill".into()).args(["-TERM", &child.id().to_string()])).ok();
    let status = child.wait().map_err(|error| XtaskError::Start { program: "portreeve serve".to_owned(), error })?;
    if !status.success() {
        findings.push(Finding(format!("the server did not stop in order: {status}")));
    }
    if !findings.is_empty() {
        println!("{}", std::fs::read_to_string(&log).unwrap_or_default());
    }
    Ok(findings)
}

/// Where it answers, once it says that it does; none if it ends before, or takes too long.
fn operations(child: &mut Child) -> Option<String> {
    let lines = BufReader::new(child.stdout.take()?).lines().map_while(Result::ok);
    let (found, address) = channel();
    std::thread::spawn(move || {
        // To the last line, or the server would write to nobody.
        for line in lines.filter(|line| line.trim_start().starts_with("operations")) {
            let address = line.split_once("http://").and_then(|(_, rest)| rest.split('/').next());
            let _ = found.send(address.unwrap_or_default().to_owned());
        }
    });
    address.recv_timeout(PATIENCE).ok()
}

fn answers(address: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in ["/livez", "/readyz?verbose"] {
        let answer = get(address, path).unwrap_or_else(|error| error.to_string());
        if !answer.starts_with("HTTP/1.1 200") {
            findings.push(Finding(format!("{path} does not answer 200: {answer}")));
        } else if path != "/livez" && !is_compiled(&answer) {
            findings.push(Finding(format!("the policies that ship are not compiled ahead of time: {answer}")));
        }
    }
    findings
}

/// A set that is compiled while it serves already is good too, and told of in the same line.
fn is_compiled(report: &str) -> bool {
    let mut lines = report.lines().filter(|line| line.starts_with("[+] compiled: set "));
    lines.any(|line| !line.contains("being compiled"))
}

fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

fn loopback(error: std::io::Error) -> XtaskError {
    XtaskError::Start { program: "a listener on loopback".to_owned(), error }
}

/// A command that came to its end.
struct Done {
    succeeded: bool,
    printed: String,
    complaint: String,
}

fn done(command: &mut Command) -> Result<Done, ImageError> {
    let output = command.output().map_err(|error| XtaskError::Start { program: "portreeve".to_owned(), error })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(Done { succeeded: output.status.success(), printed: text(&output.stdout), complaint: text(&output.stderr) })
}

impl Done {
    fn said(&self) -> String {
        format!("{} {}", self.printed, self.complaint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_is_still_being_compiled_was_not_compiled_ahead_of_time() {
        assert!(is_compiled("[+] policies: 16\n[+] compiled: set sha256:0a\n"));
        assert!(!is_compiled("[+] compiled: set sha256:0a is being compiled, and meanwhile\n"));
        assert!(!is_compiled("[+] policies: 16\n"));
    }
}
