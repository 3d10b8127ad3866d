//! `portreeve serve`: start, readiness, the order to stop.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::{binary, folder, judging, portreeve, portreeve_reading, text};

const CONFIG: &str = "\
listen: 127.0.0.1:0
operations: 127.0.0.1:0
tls: {folder: tls, names: [localhost]}
callers: {tokenFolder: tls}
ledger: {folder: book}
policies: policies
";
const POLICY: &str = "\
apiVersion: portreeve.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: seccomp}
spec: {module: {builtin: seccomp}}
";

fn configured() -> tempfile::TempDir {
    let place = folder(&[("server.yaml", CONFIG)]);
    std::fs::create_dir(place.path().join("policies")).unwrap();
    std::fs::write(place.path().join("policies/seccomp.yaml"), POLICY).unwrap();
    place
}

/// Starts it and reads where it listens: for calls, and for operations.
fn started(config: &str) -> (Child, [String; 2]) {
    let mut child =
        binary().args(["serve", "--config", config]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let addresses = ["webhook", "operations"].map(|port| {
        let Some(line) = lines.find(|line| line.trim_start().starts_with(port)) else {
            let mut told = String::new();
            child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
            panic!("it did not start: {told}");
        };
        line.split("://").nth(1).unwrap().split('/').next().unwrap().to_owned()
    });
    (child, addresses)
}

#[test]
fn it_is_ready_when_it_says_so_and_stops_in_order() {
    let place = configured();
    let (child, [_, address]) = started(&text(place.path().join("server.yaml")));
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    portreeve(&["ledger", "verify", &text(place.path().join("book"))]).with_code(0);
}

#[test]
fn a_configuration_that_cant_be_read_is_input() {
    let ended = portreeve(&["serve", "--config", "/nowhere/server.yaml"]).with_code(2);
    assert!(ended.stderr.contains("/nowhere/server.yaml"), "{}", ended.stderr);
    let place = folder(&[("server.yaml", &format!("{CONFIG}polices: x\n"))]);
    let ended = portreeve(&["serve", "--config", &text(place.path().join("server.yaml"))]).with_code(2);
    assert!(ended.stderr.contains("polices"), "{}", ended.stderr);
}

#[test]
fn a_port_that_is_taken_is_a_failed_start() {
    let place = configured();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = place.path().join("server.yaml");
    let address = taken.local_addr().unwrap();
    std::fs::write(&config, CONFIG.replacen("127.0.0.1:0", &address.to_string(), 1)).unwrap();
    let ended = portreeve(&["serve", "--config", &text(&config)]).with_code(1);
    assert!(ended.stderr.contains(&address.to_string()), "{}", ended.stderr);
}

/// What is told of a server that does not start with this configuration, which ends with this code.
fn refused(place: &tempfile::TempDir, config: &str, code: i32) -> String {
    let file = place.path().join("server.yaml");
    std::fs::write(&file, config).unwrap();
    portreeve(&["serve", "--config", &text(file)]).with_code(code).stderr
}

#[test]
fn policy_files_that_cant_be_in_force_are_input_as_they_are_to_check() {
    let place = configured();
    let policies = place.path().join("policies");
    std::fs::write(policies.join("seccomp.yaml"), POLICY.replace("builtin: seccomp", "builtin: secomp")).unwrap();
    let checked = portreeve_reading(super::POD, &["check", "-", "--policies", &text(&policies)]).with_code(2);
    let told = refused(&place, CONFIG, 2);
    for told in [checked.stderr, told] {
        assert!(told.contains("seccomp.yaml:1 (ClusterPolicy/seccomp)") && told.contains("secomp"), "{told}");
    }
}

#[test]
fn policies_that_contradict_each_other_are_refused_alike_by_serve_and_check() {
    let place = configured();
    let giving = |name: &str, cpu: &str| {
        let requests = format!("{{defaults: {{regular: {{requests: {{cpu: {cpu}, memory: 64Mi}}}}}}}}");
        let policy = POLICY.replace("{name: seccomp}", &format!("{{name: {name}}}"));
        policy.replace(
            "{module: {builtin: seccomp}}",
            &format!("{{module: {{builtin: resources}}, settings: {requests}}}"),
        )
    };
    let policies = place.path().join("policies");
    std::fs::write(policies.join("two.yaml"), [giving("red", "10m"), giving("blue", "20m")].join("---\n")).unwrap();
    let checked = judging(super::POD, &["check", "-", "--policies", &text(&policies)]).with_code(2);
    for told in [checked.stderr, refused(&place, CONFIG, 2)] {
        assert!(told.contains("(ClusterPolicy/red) set different values at /spec/"), "{told}");
    }
}

#[test]
fn a_certificate_and_a_key_that_do_not_belong_together_are_input() {
    let place = configured();
    for name in ["one", "other"] {
        portreeve(&["certs", "create", "--folder", &text(place.path().join(name)), "--names", "localhost"])
            .with_code(0);
    }
    let config = CONFIG
        .replace("{folder: tls, names: [localhost]}", "{certificate: one/tls.crt, key: other/tls.key}")
        .replace("tokenFolder: tls", "tokenFolder: one");
    let told = refused(&place, &config, 2);
    assert!(told.contains("tls.crt") && told.contains("tls.key"), "{told}");
}

#[test]
fn a_lock_file_that_is_not_there_is_input() {
    let place = configured();
    let told = refused(&place, &format!("{CONFIG}registries: {{lockFile: nowhere.lock}}\n"), 2);
    assert!(told.contains("nowhere.lock"), "{told}");
}

#[test]
fn a_book_that_cant_be_kept_is_a_failed_start() {
    let place = configured();
    // No folder can be made below a file, whoever runs this.
    let told = refused(&place, &CONFIG.replace("folder: book", "folder: server.yaml/book"), 1);
    assert!(told.contains("ledger.folder") && told.contains("server.yaml/book"), "{told}");
}

#[test]
fn who_asks_as_the_api_server_does_learns_whether_it_is_ready() {
    let place = configured();
    let (mut child, [address, _]) = started(&text(place.path().join("server.yaml")));
    let port = address.rsplit(':').next().unwrap();
    let bundle = text(place.path().join("tls/ca-bundle.crt"));
    let asked =
        |host: &str, bundle: &str| portreeve(&["cluster", "ready", &format!("https://{host}:{port}"), "--ca", bundle]);
    assert!(asked("localhost", &bundle).with_code(0).stdout.contains("ok"));
    // Another name, and another authority, are no certificate that it would take.
    let told = asked("127.0.0.1", &bundle).with_code(1).stderr;
    assert!(told.contains("https://127.0.0.1:"), "{told}");
    portreeve(&["certs", "create", "--folder", &text(place.path().join("other")), "--names", "localhost"]).with_code(0);
    asked("localhost", &text(place.path().join("other/ca-bundle.crt"))).with_code(1);
    asked("localhost", "/nowhere/ca.crt").with_code(2);
    child.kill().unwrap();
    child.wait().unwrap();
    asked("localhost", &bundle).with_code(1);
}
