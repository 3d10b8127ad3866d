//! The configuration of registries: what it looks like, and what does not fit together in it.

use portreeve_supply::reference::RegistryHost;
use portreeve_supply::registry::{ListingError, Registries};
use portreeve_supply::settings::{RegistriesConfig, RegistryConfig};

use crate::{config, https};

fn refused(entries: Vec<RegistryConfig>) -> ListingError {
    Registries::new(&config(entries)).unwrap_err()
}

fn host(name: &str) -> RegistryHost {
    name.parse().unwrap()
}

#[test]
fn reads_a_configuration_and_fills_in_the_defaults() {
    let text = "registries:
  - host: airhart.azurecr.io
    mirrors: ['127.0.0.1:5000']
    mirrorOnly: true
    redirectHosts: ['*.blob.core.windows.net']
  - {host: '127.0.0.1:5000', insecure: true}
platform: linux/arm64
timeouts: {requestMilliseconds: 500}
";
    let read: RegistriesConfig = serde_saphyr::from_str(text).unwrap();
    assert!(read.registries[0].mirror_only && read.registries[1].insecure);
    assert_eq!(read.timeouts.request().as_millis(), 500);
    assert_eq!(read.timeouts.connect(), RegistriesConfig::default().timeouts.connect());
    assert!(Registries::new(&read).unwrap().lists(&host("airhart.azurecr.io")));
}

#[test]
fn refuses_fields_and_values_that_it_does_not_know() {
    for text in [
        "registry: []",
        "registries: [{host: a.example, mirror: []}]",
        "registries: [{host: a_b.example}]",
        "registries: [{host: a.example, redirectHosts: ['*.com']}]",
        "platform: linux",
        "timeouts: {requestMilliseconds: 0}",
        "cache: {entries: 0}",
    ] {
        assert!(serde_saphyr::from_str::<RegistriesConfig>(text).is_err(), "{text}");
    }
}

#[test]
fn the_schema_knows_every_field() {
    let schema = serde_json::to_value(schemars::schema_for!(RegistriesConfig)).unwrap();
    let written = serde_json::to_value(RegistriesConfig::default()).unwrap();
    for field in written.as_object().unwrap().keys() {
        assert!(schema["properties"].get(field).is_some(), "{field}");
    }
}

#[test]
fn refuses_what_contradicts_itself() {
    let twice = refused(vec![https("a.example"), https("A.example")]);
    assert!(matches!(twice, ListingError::Twice { host } if host.as_str() == "a.example"));

    let mut entry = https("a.example");
    entry.mirror_only = true;
    assert!(matches!(refused(vec![entry]), ListingError::NoMirror { .. }));

    let mut entry = https("a.example");
    entry.mirrors.push(host("a.example"));
    assert!(matches!(refused(vec![entry]), ListingError::OwnMirror { .. }));

    let mut entry = https("a.example");
    (entry.insecure, entry.ca_file) = (true, Some("ca.pem".into()));
    assert!(matches!(refused(vec![entry]), ListingError::InsecureWithCa { .. }));

    assert!(matches!(refused(vec![https("1.2.3.4.5")]), ListingError::NotAUrl { .. }));
}

#[test]
fn a_file_of_authorities_that_is_missing_or_empty_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("ca.pem");
    std::fs::write(&empty, "").unwrap();
    for path in [empty, folder.path().join("missing.pem")] {
        let mut entry = https("a.example");
        entry.ca_file = Some(path.clone());
        assert!(matches!(refused(vec![entry]), ListingError::CaFile { path: named, .. } if named == path));
    }
}
