//! One host that is asked, and which other hosts belong to it. Speaks to nobody by itself.

use std::collections::HashSet;

use reqwest::Url;

use crate::reference::{RegistryHost, Repository};
use crate::settings::HostPattern;

/// Where Docker Hub's registry answers; its name in images is another one.
const DOCKER_HUB_REGISTRY: &str = "registry-1.docker.io";
/// Where Docker Hub's tokens are issued.
const DOCKER_HUB_TOKENS: &str = "auth.docker.io";
/// Where Docker Hub keeps its blobs, by Docker's own allow-list for firewalls.
const DOCKER_HUB_STORAGE: [&str; 3] = [
    "production.cloudflare.docker.com",
    "production.cloudfront.docker.com",
    "docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com",
];

/// A registry's own host, or a mirror of it.
#[derive(Debug)]
pub(super) struct Endpoint {
    host: RegistryHost,
    base: Url,
    transport: Transport,
    client: reqwest::Client,
    mirrored: Option<RegistryHost>,
    redirects: Vec<HostPattern>,
    token_issuers: Vec<HostPattern>,
    /// The listed hosts that are reached by plain HTTP; only an endpoint of that kind may be sent on to one.
    plain: HashSet<RegistryHost>,
}

/// How a host is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// HTTP over TLS.
    Https,
    /// HTTP in the clear, for hosts that are marked so.
    PlainHttp,
}

/// The two kinds of content that a repository has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By tag or by digest.
    Manifests,
    /// By digest.
    Blobs,
}

impl Endpoint {
    /// None when the host can't stand in a URL.
    pub(super) fn new(host: &RegistryHost, transport: Transport, client: reqwest::Client) -> Option<Self> {
        let scheme = match transport {
            Transport::Https => "https",
            Transport::PlainHttp => "http",
        };
        let authority = match host.is_docker_hub() {
            true => DOCKER_HUB_REGISTRY,
            false => host.as_str(),
        };
        Some(Self {
            host: host.clone(),
            base: Url::parse(&format!("{scheme}://{authority}/")).ok()?,
            transport,
            client,
            mirrored: None,
            redirects: Vec::new(),
            token_issuers: Vec::new(),
            plain: HashSet::new(),
        })
    }

    /// The hosts that belong to it. Docker Hub's own are known.
    pub(super) fn belonging(
        mut self,
        redirects: Vec<HostPattern>,
        token_issuers: impl Iterator<Item = HostPattern>,
        plain: &HashSet<RegistryHost>,
    ) -> Self {
        self.redirects = redirects;
        self.token_issuers = token_issuers.collect();
        self.plain = plain.clone();
        if self.host.is_docker_hub() {
            self.redirects.extend(DOCKER_HUB_STORAGE.iter().filter_map(|host| host.parse().ok()));
            self.token_issuers.extend(DOCKER_HUB_TOKENS.parse().ok());
        }
        self
    }

    /// The same host, asked for another registry's images.
    pub(super) fn mirroring(self, origin: &RegistryHost) -> Self {
        Self { mirrored: Some(origin.clone()), ..self }
    }

    /// What it is called in errors and where its credentials are looked up.
    pub(super) fn host(&self) -> &RegistryHost {
        &self.host
    }

    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// `/v2/<repository>/<kind>/<name>`. A mirror is told in `ns` which registry is meant, as containerd does.
    pub(super) fn url(&self, repository: &Repository, kind: Kind, name: &str) -> Url {
        let mut url = self.base.clone();
        let kind = match kind {
            Kind::Manifests => "manifests",
            Kind::Blobs => "blobs",
        };
        url.set_path(&format!("/v2/{repository}/{kind}/{name}"));
        if let Some(origin) = &self.mirrored {
            url.query_pairs_mut().append_pair("ns", origin.as_str());
        }
        url
    }

    /// Whether a redirect of this registry may be followed there.
    pub(super) fn may_redirect_to(&self, url: &Url) -> bool {
        self.belongs(url, &self.redirects)
    }

    /// Whether this registry may have its tokens issued there.
    pub(super) fn may_get_tokens_at(&self, url: &Url) -> bool {
        self.belongs(url, &self.token_issuers)
    }

    /// Whether it is this very host, so that what authorizes for the one authorizes for the other.
    pub(super) fn is_at(&self, url: &Url) -> bool {
        self.base.origin() == url.origin()
    }

    /// Whether credentials may be sent: over TLS, or within the machine.
    pub(super) fn takes_credentials(&self) -> bool {
        self.transport == Transport::Https || self.host.is_loopback()
    }

    fn belongs(&self, url: &Url, others: &[HostPattern]) -> bool {
        let host = authority(url);
        let named = others.iter().any(|other| other.names(&host));
        self.is_at(url) || (named && self.may_speak(url.scheme(), &host))
    }

    fn may_speak(&self, scheme: &str, host: &str) -> bool {
        let plain = || self.plain.iter().any(|plain| plain.as_str() == host);
        match scheme {
            "https" => true,
            "http" => self.transport == Transport::PlainHttp && plain(),
            _ => false,
        }
    }
}

/// `host`, or `host:port` when the port is not the scheme's own.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str, transport: Transport, redirects: &[&str], plain: &[&str]) -> Endpoint {
        let client = crate::https::client(None, std::time::Duration::from_secs(1)).unwrap();
        let plain = plain.iter().map(|host| host.parse().unwrap()).collect();
        let redirects = redirects.iter().map(|host| host.parse().unwrap()).collect();
        let endpoint = Endpoint::new(&host.parse().unwrap(), transport, client).unwrap();
        endpoint.belonging(redirects, std::iter::empty(), &plain)
    }

    fn url(written: &str) -> Url {
        written.parse().unwrap()
    }

    #[test]
    fn docker_hub_is_asked_where_its_registry_answers() {
        let hub = endpoint("docker.io", Transport::Https, &[], &[]);
        let manifest = hub.url(&"library/nginx".parse().unwrap(), Kind::Manifests, "1.27");
        assert_eq!(manifest.as_str(), "https://registry-1.docker.io/v2/library/nginx/manifests/1.27");
        assert!(hub.may_get_tokens_at(&url("https://auth.docker.io/token")));
        assert!(hub.may_redirect_to(&url("https://production.cloudflare.docker.com/blob")));
    }

    #[test]
    fn another_registry_gets_no_tokens_from_docker_hub() {
        let other = endpoint("r.example", Transport::Https, &[], &[]);
        assert!(!other.may_get_tokens_at(&url("https://auth.docker.io/token")));
    }

    #[test]
    fn a_mirror_keeps_the_path_and_is_told_the_registry() {
        let mirror = endpoint("mirror.example", Transport::Https, &[], &[]).mirroring(&"docker.io".parse().unwrap());
        let manifest = mirror.url(&"library/nginx".parse().unwrap(), Kind::Manifests, "1.27");
        assert_eq!(manifest.as_str(), "https://mirror.example/v2/library/nginx/manifests/1.27?ns=docker.io");
    }

    #[test]
    fn a_redirect_may_stay_at_home_or_go_to_a_listed_host() {
        let registry = endpoint("r.example", Transport::Https, &["storage.example"], &[]);
        assert!(registry.may_redirect_to(&url("https://r.example/elsewhere")));
        assert!(registry.may_redirect_to(&url("https://storage.example/blob?signed=1")));
        assert!(!registry.may_redirect_to(&url("https://other.example/blob")));
        assert!(!registry.may_redirect_to(&url("https://storage.example.evil.example/blob")));
        assert!(!registry.may_redirect_to(&url("https://storage.example@evil.example/blob")));
    }

    #[test]
    fn https_is_never_left_for_plain_http() {
        let registry = endpoint("r.example", Transport::Https, &["storage.example"], &["storage.example"]);
        assert!(!registry.may_redirect_to(&url("http://r.example/blob")));
        assert!(!registry.may_redirect_to(&url("http://storage.example/blob")));
        assert!(!registry.may_redirect_to(&url("file:///etc/passwd")));
    }

    #[test]
    fn a_plain_registry_may_send_on_to_plain_hosts_that_are_listed_as_such() {
        let redirects = ["127.0.0.1:6000", "127.0.0.1:7000"];
        let registry = endpoint("127.0.0.1:5000", Transport::PlainHttp, &redirects, &["127.0.0.1:6000"]);
        assert!(registry.may_redirect_to(&url("http://127.0.0.1:6000/blob")));
        assert!(!registry.may_redirect_to(&url("http://127.0.0.1:7000/blob")));
    }

    #[test]
    fn credentials_leave_the_machine_over_tls_only() {
        assert!(endpoint("r.example", Transport::Https, &[], &[]).takes_credentials());
        assert!(endpoint("127.0.0.1:5000", Transport::PlainHttp, &[], &[]).takes_credentials());
        assert!(!endpoint("10.0.0.1:5000", Transport::PlainHttp, &[], &[]).takes_credentials());
    }
}
