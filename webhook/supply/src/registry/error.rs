//! Why a fact about an image could not be had: which registry answered what.
//!
//! No variant holds a credential, a token or text that a registry made up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use super::CredentialsError;
use crate::reference::{Digest, RegistryHost, Repository};
use crate::settings::Platform;

/// Why a registry gave no answer that can be used. `registry` is the host that was asked, so it may be a mirror.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The registry is not in the configuration. Nothing was sent to it.
    #[error(
        "registry {registry} is not listed, so it was not contacted; list it under `registries`, or use an image of a listed one"
    )]
    NotListed {
        /// The registry that the image names.
        registry: RegistryHost,
    },
    /// The registry, or whoever issues its tokens, answered 401 or 403.
    #[error("registry {registry} answered {status} for {repository}: {authorized}")]
    Unauthorized {
        /// The host that was asked.
        registry: RegistryHost,
        /// What was asked for.
        repository: Repository,
        /// The HTTP status, 401 or 403.
        status: u16,
        /// As whom it was asked.
        authorized: Authorized,
    },
    /// The registry answered 404. Some answer so for what one may not see.
    #[error("registry {registry} answered 404: it has no {repository} with {name}; check the name and the tag")]
    NotFound {
        /// The host that was asked.
        registry: RegistryHost,
        /// What was asked for.
        repository: Repository,
        /// The tag or the digest.
        name: Box<str>,
    },
    /// The registry answered 429.
    #[error(
        "registry {registry} answered 429: too many requests; add credentials or a mirror, or lengthen `cache.foundSeconds`"
    )]
    RateLimited {
        /// The host that was asked.
        registry: RegistryHost,
        /// What it said in `Retry-After`, if it did so in seconds.
        retry_after: Option<Duration>,
    },
    /// The deadline, or the configured limit, came before the answer.
    #[error("registry {registry} had not answered after {} ms", waited.as_millis())]
    Timeout {
        /// The host that was asked.
        registry: RegistryHost,
        /// How long was waited.
        waited: Duration,
    },
    /// Nobody was asked: other questions about what this registry holds took all the time that there was.
    #[error(
        "registry {registry} was not asked: no turn came within {} ms, since as many questions as may be were under way (`cache.concurrent`)",
        waited.as_millis()
    )]
    NoTurn {
        /// The registry that the image names.
        registry: RegistryHost,
        /// How long was waited.
        waited: Duration,
    },
    /// No connection, or one that broke: DNS, routing, TLS, a body cut short.
    #[error("registry {registry} could not be reached; check its name, its certificate and the network")]
    Unreachable {
        /// The host that was asked.
        registry: RegistryHost,
        /// What the connection said.
        source: Arc<reqwest::Error>,
    },
    /// An answer that the distribution protocol does not allow, or that is not trusted.
    #[error("registry {registry} gave an answer that is not used: {answer}")]
    BadAnswer {
        /// The host that was asked.
        registry: RegistryHost,
        /// What is wrong with it.
        answer: BadAnswer,
    },
    /// The registry asked for credentials and the file with them could not be read.
    #[error("registry {registry} asks for credentials, and their file can't be read")]
    Credentials {
        /// The host that was asked.
        registry: RegistryHost,
        /// Which file, and why.
        source: Arc<CredentialsError>,
    },
    /// Mirrors and the registry were asked one after the other, and none gave an answer that can be used.
    #[error("{}", .answers.iter().map(ToString::to_string).collect::<Vec<_>>().join("; then "))]
    Several {
        /// What each said, in the order they were asked; two at least.
        answers: Arc<[ResolveError]>,
    },
    /// The question was dropped before it was answered, because the server is stopping.
    #[error("registry {registry} was no longer asked: the server is stopping")]
    Interrupted {
        /// The registry that the image names.
        registry: RegistryHost,
    },
}

/// As whom a registry was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorized {
    /// As nobody, since the credentials file has no entry that fits.
    Anonymously,
    /// With an entry of the credentials file.
    WithCredentials,
    /// As nobody, although there is an entry: credentials are not sent in plain HTTP to another machine.
    CredentialsWithheld,
}

/// What is wrong with a registry's answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadAnswer {
    /// A status that the protocol has no use for here.
    #[error("status {0}")]
    Status(u16),
    /// A redirect to a host that is not listed for the registry, or down to plain HTTP.
    #[error("a redirect to {to}; add that host to the registry's `redirectHosts` if it belongs to it")]
    Redirect {
        /// The host, or what was written in place of one.
        to: Box<str>,
    },
    /// More redirects than any registry needs.
    #[error("more than {limit} redirects")]
    TooManyRedirects {
        /// How many are followed.
        limit: usize,
    },
    /// A challenge that can't be answered: neither Bearer nor Basic, or without a realm.
    #[error("a 401 whose WWW-Authenticate asks for neither Bearer nor Basic")]
    Challenge,
    /// A realm for tokens at a host that is not listed for the registry, or in plain HTTP.
    #[error("tokens are to be had at {host}; add that host to the registry's `tokenHosts` if it belongs to it")]
    TokenHost {
        /// The host, or what was written in place of one.
        host: Box<str>,
    },
    /// The issuer of tokens answered with this status.
    #[error("the issuer of its tokens answered {0}")]
    TokenStatus(u16),
    /// The issuer of tokens gave none.
    #[error("the issuer of its tokens gave none")]
    NoToken,
    /// A body over the limit.
    #[error("a body of more than {limit} bytes")]
    TooLarge {
        /// How many bytes are read.
        limit: usize,
    },
    /// A body that is not what its digest says.
    #[error("a body with digest {found} in place of {expected}")]
    DigestMismatch {
        /// What was asked for or promised.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// `Docker-Content-Digest` is no digest by a known algorithm.
    #[error("a Docker-Content-Digest that is no sha256 or sha512 digest")]
    DigestHeader,
    /// A body that is no manifest or index of schema 2: an error page, a schema 1 manifest, or both kinds in one.
    #[error("a body that is neither an image manifest nor an index of schema 2")]
    NotAManifest,
    /// The manifest of something else than an image: a chart, a policy, a signature.
    #[error("a manifest of something that is no container image")]
    NotAnImage,
    /// The manifest of something else than a policy module: an image, an index, a chart.
    #[error("a manifest that has not one layer of type application/wasm")]
    NotAModule,
    /// An index without the platform that is asked for.
    #[error("an index without {0}; set `platform` to one that the image has")]
    NoSuchPlatform(Box<str>),
    /// A configuration that is not JSON of the specified shape.
    #[error("an image configuration that can't be read")]
    Config,
}

impl ResolveError {
    /// Whether this is the registry's own word about the image, and not a failure to get one.
    ///
    /// A registry's word takes the place of what was known before; a failure does not.
    #[must_use]
    pub fn is_registrys_word(&self) -> bool {
        match self {
            Self::Unauthorized { .. } | Self::NotFound { .. } => true,
            // The one asked last is the registry itself, if it is asked at all: a mirror may just not have it.
            Self::Several { answers } => answers.last().is_some_and(Self::is_registrys_word),
            _ => false,
        }
    }

    /// What came of asking one after the other; none if nobody was asked.
    pub(super) fn of_all(mut answers: Vec<Self>) -> Option<Self> {
        match answers.len() {
            0 | 1 => answers.pop(),
            _ => Some(Self::Several { answers: answers.into() }),
        }
    }

    pub(crate) fn not_listed(registry: &RegistryHost) -> Self {
        let registry = registry.clone();
        Self::NotListed { registry }
    }

    pub(crate) fn timeout(registry: &RegistryHost, begun: Instant) -> Self {
        Self::Timeout { registry: registry.clone(), waited: begun.elapsed() }
    }

    pub(super) fn no_turn(registry: &RegistryHost, begun: Instant) -> Self {
        Self::NoTurn { registry: registry.clone(), waited: begun.elapsed() }
    }

    pub(crate) fn interrupted(registry: &RegistryHost) -> Self {
        let registry = registry.clone();
        Self::Interrupted { registry }
    }

    pub(super) fn bad_answer(registry: &RegistryHost, answer: BadAnswer) -> Self {
        let registry = registry.clone();
        Self::BadAnswer { registry, answer }
    }

    /// The URL is left out: it may be a signed one.
    pub(super) fn unreachable(registry: &RegistryHost, error: reqwest::Error) -> Self {
        Self::Unreachable { registry: registry.clone(), source: Arc::new(error.without_url()) }
    }
}

impl BadAnswer {
    pub(super) fn no_such_platform(platform: &Platform) -> Self {
        Self::NoSuchPlatform(platform.to_string().into())
    }
}

impl fmt::Display for Authorized {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Anonymously => {
                "it was asked anonymously; add credentials for it to `credentialsFile`, or check the name"
            }
            Self::WithCredentials => "the credentials for it do not suffice; check that they may pull it",
            Self::CredentialsWithheld => {
                "the credentials for it were not sent, since it is reached by plain HTTP; reach it by HTTPS"
            }
        })
    }
}
