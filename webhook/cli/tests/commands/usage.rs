//! The command line itself.

use std::process::Stdio;

use super::{assert_promised, binary, folder, portreeve, text};

const COMMANDS: [&str; 13] = [
    "serve",
    "check",
    "render",
    "lock",
    "policy",
    "explain",
    "export",
    "ledger",
    "certs",
    "cluster",
    "config",
    "demo",
    "completions",
];

#[test]
fn every_command_is_in_the_help_and_no_other() {
    let help = portreeve(&["--help"]).with_code(0).stdout;
    let (_, list) = help.split_once("Commands:\n").unwrap();
    // A summary that goes over several lines is indented further.
    let named = list.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    let named = named.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_whitespace().next());
    assert_eq!(named.filter(|name| *name != "help").collect::<Vec<_>>(), COMMANDS);
}

#[test]
fn the_help_of_every_command_teaches_by_examples() {
    for command in COMMANDS {
        let help = portreeve(&[command, "--help"]).with_code(0).stdout;
        assert!(help.contains("Examples:\n"), "{command}: {help}");
    }
}

#[test]
fn the_help_of_commands_that_judge_says_what_the_exit_codes_mean() {
    for command in ["serve", "demo", "check", "render", "lock"] {
        let help = portreeve(&[command, "--help"]).with_code(0).stdout;
        assert!(help.contains("Exit codes: 0 "), "{command}: {help}");
    }
}

#[test]
fn the_version_is_printed() {
    assert_eq!(portreeve(&["--version"]).with_code(0).stdout, format!("portreeve {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_command_or_flag_is_usage() {
    portreeve(&["chekc"]).with_code(2);
    portreeve(&["check", "-", "--no-such-flag"]).with_code(2);
    portreeve(&["check"]).with_code(2);
}

#[test]
fn a_filter_that_is_none_is_usage() {
    let ended = portreeve(&["config", "schema", "--log", "a=b=c"]).with_code(2);
    assert!(ended.stderr.contains("--log"), "{}", ended.stderr);
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = portreeve(&["completions", shell]).with_code(0).stdout;
        assert!(COMMANDS.iter().all(|command| script.contains(command)), "{shell}");
    }
}

#[test]
fn completions_into_a_closed_pipe_are_no_panic() {
    let mut child =
        binary().args(["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn the_schema_of_the_configuration_is_the_one_in_the_docs() {
    let schema = portreeve(&["config", "schema"]).with_code(0).json();
    let promised = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schemas/server-config.json");
    let promised: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(promised).unwrap()).unwrap();
    assert_eq!(schema, promised);
}

#[test]
fn the_least_configuration_of_the_help_is_one() {
    let help = portreeve(&["serve", "--help"]).with_code(0).stdout;
    let (_, least) = help.split_once("The least a configuration says").unwrap();
    let yaml: String = least.lines().skip(1).take(2).map(|line| format!("{}\n", line.trim())).collect();
    let config = folder(&[("server.yaml", &yaml)]);
    let config: serde_json::Value =
        serde_saphyr::from_str(&std::fs::read_to_string(text(config.path().join("server.yaml"))).unwrap()).unwrap();
    assert_promised("server-config", &config);
}
