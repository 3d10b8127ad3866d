//! Client certificates: who is let in, who is not, and that a new bundle counts at the next handshake.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use crate::wire::{BOTH, Client, DAY, NAME, at, policy, start};
use portreeve_certs::{
    AllowedClients, Authority, AuthorityOptions, CertificateFolder, ClientAuthorities, ClientAuthoritiesError,
    CommonName, Existing, Pair, PemError, Reload, Reloader, Validity, server_config,
};
use rustls::ServerConfig;

struct Scene {
    scratch: tempfile::TempDir,
    folder: CertificateFolder,
    authority: Authority,
}

impl Scene {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let folder = CertificateFolder::new(scratch.path().join("tls"));
        folder.create(start(), &policy(), Existing::Keep).unwrap();
        let scene = Self { scratch, folder, authority: authority() };
        scene.trust(&scene.authority);
        scene
    }

    fn bundle(&self) -> std::path::PathBuf {
        self.scratch.path().join("clients.crt")
    }

    fn trust(&self, authority: &Authority) {
        fs::write(self.bundle(), authority.certificate().to_pem()).unwrap();
    }

    fn clients(&self, allowed: AllowedClients) -> Arc<ClientAuthorities> {
        Arc::new(ClientAuthorities::open(self.bundle(), allowed).unwrap())
    }

    fn server(&self, clients: &Arc<ClientAuthorities>) -> Arc<ServerConfig> {
        let reloader = Reloader::open(self.folder.leaf_certificate(), self.folder.leaf_key()).unwrap();
        server_config(Arc::new(reloader), Some(Arc::clone(clients))).unwrap()
    }

    fn client(&self) -> Client {
        Client::trusting_file(&self.folder.bundle(), BOTH[1], start())
    }
}

fn authority() -> Authority {
    let validity = Validity::starting(start(), 30 * DAY).unwrap();
    Authority::create(&AuthorityOptions { common_name: CommonName::parse("Cluster CA").unwrap(), validity }).unwrap()
}

fn named(authority: &Authority, name: &str) -> Pair {
    let validity = Validity::starting(start(), DAY).unwrap();
    authority.issue_client(&CommonName::parse(name).unwrap(), validity).unwrap()
}

fn api_server_only() -> AllowedClients {
    AllowedClients::CommonNames(BTreeSet::from([CommonName::parse("kube-apiserver").unwrap()]))
}

#[test]
fn a_certificate_of_the_bundles_ca_is_let_in_in_both_versions() {
    let scene = Scene::new();
    let server = scene.server(&scene.clients(AllowedClients::AnySigned));
    let own = named(&scene.authority, "anyone");
    for version in BOTH {
        let client = Client::trusting_file(&scene.folder.bundle(), version, start()).with_certificate(&own);
        assert!(client.connect(&server, NAME).is_ok());
    }
}

#[test]
fn no_certificate_is_refused_in_both_versions() {
    let scene = Scene::new();
    let server = scene.server(&scene.clients(AllowedClients::AnySigned));
    for version in BOTH {
        let refused = Client::trusting_file(&scene.folder.bundle(), version, start()).connect(&server, NAME);
        assert_eq!(refused.unwrap_err(), rustls::Error::NoCertificatesPresented);
    }
}

#[test]
fn a_certificate_of_another_ca_is_refused() {
    let scene = Scene::new();
    let server = scene.server(&scene.clients(AllowedClients::AnySigned));
    let own = named(&authority(), "kube-apiserver");
    assert!(scene.client().with_certificate(&own).connect(&server, NAME).is_err());
}

#[test]
fn an_ended_certificate_is_refused() {
    let scene = Scene::new();
    let server = scene.server(&scene.clients(AllowedClients::AnySigned));
    let own = named(&scene.authority, "kube-apiserver");
    let late = Client::trusting_file(&scene.folder.bundle(), BOTH[1], at("2030-01-02T00:00:01Z"));
    assert!(late.with_certificate(&own).connect(&server, NAME).is_err());
}

#[test]
fn of_a_general_ca_only_the_named_client_is_let_in() {
    let scene = Scene::new();
    let server = scene.server(&scene.clients(api_server_only()));
    let (api_server, kubelet) = (named(&scene.authority, "kube-apiserver"), named(&scene.authority, "system:node:a"));
    assert!(scene.client().with_certificate(&api_server).connect(&server, NAME).is_ok());
    assert!(scene.client().with_certificate(&kubelet).connect(&server, NAME).is_err());
}

#[test]
fn a_serving_certificate_does_not_let_a_client_in() {
    let scene = Scene::new();
    let names = portreeve_certs::ServerNames::parse(["kube-apiserver"]).unwrap();
    let own = scene.authority.issue_server(&names, Validity::starting(start(), DAY).unwrap()).unwrap();
    let server = scene.server(&scene.clients(AllowedClients::AnySigned));
    assert!(scene.client().with_certificate(&own).connect(&server, NAME).is_err());
}

#[test]
fn a_new_bundle_counts_at_the_next_handshake_without_a_new_configuration() {
    let scene = Scene::new();
    let clients = scene.clients(AllowedClients::AnySigned);
    let server = scene.server(&clients);
    let other = authority();
    let (old, new) = (named(&scene.authority, "a"), named(&other, "a"));
    scene.trust(&other);
    assert_eq!(clients.reload_if_changed().unwrap(), Reload::Replaced);
    assert!(scene.client().with_certificate(&new).connect(&server, NAME).is_ok());
    assert!(scene.client().with_certificate(&old).connect(&server, NAME).is_err());
}

#[test]
fn a_bad_bundle_is_refused_and_the_old_one_stays_in_force() {
    let scene = Scene::new();
    let clients = scene.clients(AllowedClients::AnySigned);
    fs::write(scene.bundle(), "garbage").unwrap();
    let refused = clients.reload_if_changed();
    assert!(matches!(refused, Err(ClientAuthoritiesError::Bundle { source: PemError::NotPem, .. })));
    let own = named(&scene.authority, "a");
    assert!(scene.client().with_certificate(&own).connect(&scene.server(&clients), NAME).is_ok());
}

#[test]
fn an_unchanged_bundle_is_left_alone() {
    let scene = Scene::new();
    assert_eq!(scene.clients(AllowedClients::AnySigned).reload_if_changed().unwrap(), Reload::Unchanged);
}

#[test]
fn no_session_is_resumed_past_the_check_of_its_certificate() {
    let scene = Scene::new();
    let server = scene.server(&scene.clients(AllowedClients::AnySigned));
    assert!(!server.session_storage.can_cache());
    assert_eq!(server.send_tls13_tickets, 0);
}
