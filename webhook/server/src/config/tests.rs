//! What a configuration says, and what is said of a wrong one.

use super::*;

fn read(text: &str) -> Result<ServerConfig, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.yaml");
    std::fs::write(&path, text).unwrap();
    ServerConfig::read(&path)
}

const LEAST: &str = "tls: {folder: certs, names: [localhost]}\ncallers: {tokenFolder: certs}\n";

#[test]
fn the_least_that_has_to_be_said_is_tls_and_callers() {
    let config = read(LEAST).unwrap();
    assert_eq!(config.limits.body_bytes.get(), 8 * 1024 * 1024);
    assert!(config.policies.is_none());
}

#[test]
fn what_is_wrong_is_said_in_the_words_of_the_file() {
    let tls = "tls: {folder: certs, certificate: c}\ncallers: {tokenFolder: certs}\n";
    let callers = "tls: {folder: certs, names: [localhost]}\ncallers: {token: certs}\n";
    let twice = format!("{LEAST}tls: {{folder: x}}\n");
    let two = format!("{LEAST}---\n{LEAST}");
    for (text, words) in [
        (tls, "server.yaml:1:6: say `{folder: PATH, names: [NAME, ...]}`, or `{certificate: PATH, key: PATH}`"),
        (callers, "say `{tokenFolder: PATH}`, or `{clientCa: PATH}`"),
        (twice.as_str(), "server.yaml:3:1: duplicate mapping key: tls"),
        (two.as_str(), "server.yaml:4:1: only single YAML document"),
        ("", "unexpected end of file"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("Options") && !error.contains("from_"), "{error}");
    }
}

#[test]
fn relative_paths_start_from_the_file() {
    let config = read(&format!("{LEAST}policies: p\ncache: /c\nstate: {{folder: s}}\n")).unwrap();
    assert!(config.policies.unwrap().is_absolute());
    assert!(config.state.unwrap().folder.is_absolute());
    assert_eq!(config.cache.unwrap(), Path::new("/c"));
}

#[test]
fn bounds_that_would_let_nothing_through_are_refused() {
    for (limits, told) in [
        ("bodyBytes: 0", "0 bytes are too few: at least 65536 are needed"),
        ("bodyBytes: 65535", "65535 bytes are too few"),
        ("evaluations: 0", "whole number from 1 on"),
    ] {
        let error = read(&format!("{LEAST}limits: {{{limits}}}\n")).unwrap_err().to_string();
        assert!(error.contains(told), "{limits}: {error}");
    }
    assert!(read(&format!("{LEAST}limits: {{bodyBytes: 65536, evaluations: 1}}\n")).is_ok());
}

#[test]
fn there_is_always_room_for_one_body() {
    let room = |limits: &str| read(&format!("{LEAST}limits: {{{limits}}}\n")).unwrap().limits.room();
    assert_eq!(room("bytesUnderWay: 0"), 8 << 20);
    assert_eq!(room("bodyBytes: 65536, bytesUnderWay: 100000"), 100_000);
}

#[test]
fn a_connection_is_never_idle_sooner_than_a_call_may_take() {
    let limits = |seconds: u32| format!("{LEAST}limits: {{connections: {{idleSeconds: {seconds}}}}}\n");
    assert_eq!(read(&limits(60)).unwrap().limits.connections.idle_seconds.duration().as_secs(), 60);
    let error = read(&limits(59)).unwrap_err().to_string();
    assert!(error.contains("at least 60"), "{error}");
}

#[test]
fn an_unknown_field_is_named() {
    let error = read(&format!("{LEAST}polices: p\n")).unwrap_err();
    assert!(error.to_string().contains("polices"), "{error}");
}

#[test]
fn what_is_wrong_is_told_once_with_file_line_and_column_and_in_plain_words() {
    let told = |rest: &str| read(&format!("{LEAST}{rest}")).unwrap_err().to_string();
    for (rest, words) in [
        ("limits: {bodyBytes: x}\n", "a whole number belongs here"),
        ("limits: {evaluations: 0}\n", "whole number from 1 on"),
        ("limits: []\n", "a mapping belongs here"),
        ("limits: {]\n", "bracket"),
    ] {
        let told = told(rest);
        assert!(told.contains(words), "{told}");
        assert!(told.lines().count() == 1 && told.contains("server.yaml:") && !told.contains("error"), "{told}");
    }
}

#[test]
fn a_template_path_leads_to_a_template_unless_it_says_otherwise() {
    let paths = "templatePaths:\n- {group: a.io, kind: A, path: /spec/template}\n\
        - {group: b.io, kind: B, path: /spec/pods/*, holds: pod-spec, edited: at-pods}\n";
    let paths = read(&format!("{LEAST}{paths}")).unwrap().template_paths;
    assert_eq!((paths[0].holds, paths[0].edited), (HoldsConfig::PodTemplate, EditedConfig::InPlace));
    assert_eq!((paths[1].holds, paths[1].edited), (HoldsConfig::PodSpec, EditedConfig::AtPods));
}

#[test]
fn registries_may_have_a_file_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registries.yaml");
    std::fs::write(&path, "registries: [{host: docker.io, caFile: ca.pem}]\nlockFile: images.lock\n").unwrap();
    let registries = read_registries(&path).unwrap();
    assert_eq!(registries.lock_file.unwrap(), folder.path().join("images.lock"));
    assert_eq!(registries.registries[0].ca_file.as_deref().unwrap(), folder.path().join("ca.pem"));
}

#[test]
fn a_group_that_nobody_asks_about_is_refused() {
    let group = "breakGlassGroup: rescuers";
    let error = read(&format!("{LEAST}kubernetes: {{{group}}}\n")).unwrap_err().to_string();
    assert!(error.contains("server.yaml: kubernetes.breakGlassGroup names \"rescuers\""), "{error}");
    for beside in ["registration: {at: {service: portreeve}}", "policies: files"] {
        assert!(read(&format!("{LEAST}kubernetes: {{{group}, {beside}}}\n")).is_ok(), "{beside}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = ServerConfig::read(Path::new("/nowhere/server.yaml")).unwrap_err();
    assert!(error.to_string().contains("/nowhere/server.yaml"));
}
