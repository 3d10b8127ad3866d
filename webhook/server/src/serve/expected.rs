//! What an API server will expect of the serving certificate, as far as the configuration tells. Nothing is verified
//! here.

use std::path::PathBuf;

use portreeve_certs::{CertificateFolder, Expected, ServerNames};
use reqwest::Url;

use crate::config::{KubernetesConfig, RegistrationConfig, ServedAt, ServerConfig, TlsConfig};

/// The names that we are called by, and the CAs that are registered; of each nothing where somebody else knows it.
pub(super) fn of(config: &ServerConfig) -> Expected {
    match (&config.tls, &config.kubernetes) {
        (TlsConfig::Own { folder, names }, _) => {
            let bundle = CertificateFolder::new(folder).bundle();
            Expected { names: ServerNames::parse(names).ok(), authorities: Some(bundle) }
        }
        (TlsConfig::Files { .. }, Some(kubernetes)) => {
            registered(kubernetes, KubernetesConfig::own_namespace(Some(kubernetes)).as_deref())
        }
        (TlsConfig::Files { .. }, None) => Expected::default(),
    }
}

fn registered(kubernetes: &KubernetesConfig, own_namespace: Option<&str>) -> Expected {
    let Some(registration) = &kubernetes.registration else { return Expected::default() };
    let authorities: Option<PathBuf> = registration.ca_file.clone();
    let name = called_by(registration, own_namespace);
    Expected { names: name.and_then(|name| ServerNames::parse([name]).ok()), authorities }
}

/// The name that the API server asks for. Where a Service's namespace is not told here, nobody knows it yet.
fn called_by(registration: &RegistrationConfig, own_namespace: Option<&str>) -> Option<String> {
    match &registration.at {
        ServedAt::Service { service, .. } => own_namespace.map(|namespace| format!("{service}.{namespace}.svc")),
        ServedAt::Url { url } => {
            let host = Url::parse(url).ok()?.host_str()?.to_owned();
            // A URL has an IPv6 address in brackets, a certificate has not.
            Some(host.trim_start_matches('[').trim_end_matches(']').to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(registration: serde_json::Value, own_namespace: Option<&str>) -> Option<String> {
        let kubernetes = serde_json::from_value(serde_json::json!({"registration": registration})).unwrap();
        registered(&kubernetes, own_namespace).names.map(|names| names.to_string())
    }

    #[test]
    fn a_service_is_called_by_its_name_in_its_namespace() {
        let service = serde_json::json!({"at": {"service": "portreeve"}});
        assert_eq!(name(service.clone(), Some("system")).as_deref(), Some("portreeve.system.svc"));
        assert_eq!(name(service, None), None);
    }

    #[test]
    fn a_url_is_called_by_its_host() {
        for (url, host) in [("https://gate.example:8443", "gate.example"), ("https://[::1]:8443", "::1")] {
            assert_eq!(name(serde_json::json!({"at": {"url": url}}), None).as_deref(), Some(host));
        }
    }
}
