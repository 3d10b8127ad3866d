//! What a CA signs, as rustls and another parser see it.

use std::sync::Arc;

use crate::wire::{BOTH, Client, DAY, HOUR, NAME, at, start};
use portreeve_certs::{
    Authority, AuthorityOptions, CommonName, IssueError, Pair, ServerNames, ServingCertificate, Validity, server_config,
};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};

fn authority() -> Authority {
    let validity = Validity::starting(start(), 30 * DAY).unwrap();
    Authority::create(&AuthorityOptions { common_name: CommonName::parse("Test CA").unwrap(), validity }).unwrap()
}

fn server(authority: &Authority) -> Pair {
    let names = ServerNames::parse([NAME, "127.0.0.1", "::1"]).unwrap();
    authority.issue_server(&names, Validity::starting(start(), DAY).unwrap()).unwrap()
}

#[derive(Debug)]
struct Fixed(Arc<CertifiedKey>);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn serve(pair: &Pair) -> Arc<rustls::ServerConfig> {
    use rustls_pki_types::pem::PemObject;
    let key = rustls_pki_types::PrivateKeyDer::from_pem_slice(pair.key().expose().as_bytes()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let key = CertifiedKey::from_der(vec![pair.certificate().der().clone()], key, &provider).unwrap();
    server_config(Arc::new(Fixed(Arc::new(key))), None).unwrap()
}

#[test]
fn its_leaf_is_trusted_by_name_and_by_address_in_both_versions() {
    let ca = authority();
    let server = serve(&server(&ca));
    for version in BOTH {
        let client = Client::trusting(ca.certificate().to_pem().as_bytes(), version, start());
        for name in [NAME, "127.0.0.1", "::1"] {
            assert_eq!(client.connect(&server, name).unwrap().version, version.version, "{name}");
        }
    }
}

#[test]
fn its_leaf_is_refused_under_another_name() {
    let ca = authority();
    let client = Client::trusting(ca.certificate().to_pem().as_bytes(), BOTH[1], start());
    assert!(client.connect(&serve(&server(&ca)), "other.example").is_err());
}

#[test]
fn its_leaf_is_refused_by_who_trusts_another_ca() {
    let client = Client::trusting(authority().certificate().to_pem().as_bytes(), BOTH[1], start());
    assert!(client.connect(&serve(&server(&authority())), NAME).is_err());
}

#[test]
fn its_leaf_is_refused_once_it_has_ended() {
    let ca = authority();
    let client = Client::trusting(ca.certificate().to_pem().as_bytes(), BOTH[1], at("2030-01-02T00:00:01Z"));
    assert!(client.connect(&serve(&server(&ca)), NAME).is_err());
}

#[test]
fn a_client_certificate_does_not_serve() {
    let ca = authority();
    let name = CommonName::parse("kube-apiserver").unwrap();
    let pair = ca.issue_client(&name, Validity::starting(start(), DAY).unwrap()).unwrap();
    let client = Client::trusting(ca.certificate().to_pem().as_bytes(), BOTH[1], start());
    assert!(client.connect(&serve(&pair), NAME).is_err());
}

#[test]
fn http_1_1_is_agreed_upon_with_a_client_that_offers_it() {
    let ca = authority();
    let client = Client::trusting(ca.certificate().to_pem().as_bytes(), BOTH[1], start());
    let agreed = client.connect(&serve(&server(&ca)), NAME).unwrap();
    assert_eq!(agreed.protocol.as_deref(), Some(b"http/1.1".as_slice()));
}

#[test]
fn a_ca_may_sign_leaves_and_nothing_below_them() {
    let ca = authority();
    let (_, x509) = X509Certificate::from_der(ca.certificate().der()).unwrap();
    let constraints = x509.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    let usage = x509.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
}

#[test]
fn a_leaf_signs_handshakes_and_is_no_ca() {
    let pair = server(&authority());
    let (_, x509) = X509Certificate::from_der(pair.certificate().der()).unwrap();
    assert!(!x509.basic_constraints().unwrap().unwrap().value.ca);
    let usage = x509.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign() && !usage.key_encipherment());
    let extended = x509.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && !extended.client_auth && !extended.any);
}

#[test]
fn a_client_certificate_is_for_clients_alone() {
    let name = CommonName::parse("kube-apiserver").unwrap();
    let pair = authority().issue_client(&name, Validity::starting(start(), DAY).unwrap()).unwrap();
    let (_, x509) = X509Certificate::from_der(pair.certificate().der()).unwrap();
    let extended = x509.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.client_auth && !extended.server_auth && !extended.any);
    assert_eq!(pair.certificate().common_name(), Some("kube-apiserver"));
}

#[test]
fn a_leaf_names_its_cas_key() {
    let ca = authority();
    let leaf = server(&ca);
    let (_, ca) = X509Certificate::from_der(ca.certificate().der()).unwrap();
    let (_, leaf) = X509Certificate::from_der(leaf.certificate().der()).unwrap();
    let subject_key = |x509: &X509Certificate<'_>| {
        x509.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        })
    };
    let authority_key = leaf.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
        _ => None,
    });
    assert!(subject_key(&ca).is_some());
    assert_eq!(authority_key, subject_key(&ca));
    assert!(subject_key(&leaf).is_some_and(|own| Some(own) != authority_key));
}

#[test]
fn keys_are_ecdsa_p_256() {
    let ca = authority();
    for certificate in [ca.certificate(), server(&ca).certificate()] {
        let (_, x509) = X509Certificate::from_der(certificate.der()).unwrap();
        let algorithm = &x509.public_key().algorithm;
        assert_eq!(algorithm.algorithm.to_id_string(), "1.2.840.10045.2.1");
        assert_eq!(algorithm.parameters.as_ref().unwrap().as_oid().unwrap().to_id_string(), "1.2.840.10045.3.1.7");
    }
}

#[test]
fn no_two_serial_numbers_are_equal_and_all_are_positive() {
    let ca = authority();
    let serials: Vec<_> = (0..20).map(|_| server(&ca).certificate().serial().to_owned()).collect();
    let different: std::collections::HashSet<_> = serials.iter().collect();
    assert_eq!(different.len(), serials.len());
    assert!(serials.iter().all(|serial| serial.len() == 32 && u8::from_str_radix(&serial[..2], 16).unwrap() < 0x80));
}

#[test]
fn a_leaf_ends_with_its_ca_at_the_latest() {
    let ca = authority();
    let names = ServerNames::parse([NAME]).unwrap();
    let leaf = ca.issue_server(&names, Validity::starting(start(), 365 * DAY).unwrap()).unwrap();
    assert_eq!(leaf.certificate().validity().not_after(), ca.certificate().validity().not_after());
}

#[test]
fn a_ca_that_has_ended_signs_nothing() {
    let names = ServerNames::parse([NAME]).unwrap();
    let late = Validity::starting(at("2030-02-01T00:00:00Z"), HOUR).unwrap();
    assert!(matches!(authority().issue_server(&names, late), Err(IssueError::AuthorityEnds { .. })));
}

#[test]
fn a_ca_taken_up_again_signs_what_clients_of_the_first_trust() {
    let ca = authority();
    let kept = ca.pair();
    let again = Authority::from_pair(kept.certificate().clone(), kept.key()).unwrap();
    let client = Client::trusting(ca.certificate().to_pem().as_bytes(), BOTH[1], start());
    assert!(client.connect(&serve(&server(&again)), NAME).is_ok());
}

#[test]
fn a_ca_is_not_taken_up_with_the_key_of_another() {
    let (one, other) = (authority().pair(), authority().pair());
    let refused = Authority::from_pair(one.certificate().clone(), other.key());
    assert!(matches!(refused, Err(IssueError::KeyMismatch { .. })));
}

#[test]
fn debug_output_hides_the_key() {
    let pair = server(&authority());
    let secret = pair.key().expose().lines().nth(1).unwrap().to_owned();
    assert!(!format!("{pair:?}").contains(&secret));
    assert!(!format!("{:?}", authority()).contains("PRIVATE"));
}

#[test]
fn a_certificate_with_bytes_behind_it_is_refused() {
    let mut der = server(&authority()).certificate().der().to_vec();
    der.push(0);
    let refused = portreeve_certs::Certificate::parse(der.into());
    assert!(matches!(refused, Err(portreeve_certs::CertificateError::TrailingBytes { count: 1 })));
}

#[test]
fn a_pair_written_to_files_loads_to_serve() {
    let folder = tempfile::tempdir().unwrap();
    let pair = server(&authority());
    let (crt, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    std::fs::write(&crt, pair.certificate().to_pem()).unwrap();
    std::fs::write(&key, pair.key().expose()).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(ServingCertificate::load(&crt, &key).unwrap().leaf(), pair.certificate());
}
