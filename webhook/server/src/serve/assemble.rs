//! The parts of a server, made from its configuration, each with its own way to fail.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use portreeve_certs::{
    AllowedClients, CertificateFolder, ClientAuthorities, CommonName, PathTokens, Reloader, RotationPolicy, ServerNames,
};
use portreeve_engine::{Cache, CacheFolder, Engine, Limits, Options};
use portreeve_ledger::{Durability, Ledger};
use portreeve_supply::Images;
use tokio::sync::{Semaphore, watch};

use super::origin::{Origin, Seen};
use super::{break_glass, compiled, exceptions, expected, ledger, locked, policies, proof, watch as files};
use crate::app::{App, NewestProof};
use crate::around::Around;
use crate::callers::Callers;
use crate::config::{
    CallersConfig, DurabilityConfig, KubernetesConfig, LedgerConfig, RegistrationConfig, ServerConfig,
    TemplatePathError, TlsConfig, template_paths,
};
use crate::health::{Health, KEPT_BY_THE_LEADER, Part, State};
use crate::metrics::Metrics;
use crate::proposal::{Doctor, Proposals};
use crate::set::{COMPILED, LastGoodError, LoadError, Loader, PolicySet, RegistryModules};
use crate::settled::{self, Trials};
use crate::traces::Traces;
use crate::way::{Book, BookError, Gate, Runner};
use crate::witness::Witness;

/// Changes of our own resources that are looked at at one time: each may load a module.
const EXAMINATIONS: usize = 4;

/// Sets that are made at one time: one for each of those changes, the one to come in force, and the one in force with
/// other exceptions meanwhile. Each configures one module at a time.
const LOADS: usize = EXAMINATIONS + 2;

/// What a server is put together from.
pub struct Parts {
    /// As it was read.
    pub config: ServerConfig,
    /// What requests pass through.
    pub gate: Arc<Gate>,
    /// Makes sets, and has the engine.
    pub loader: Arc<Loader>,
    /// Tries them.
    pub trials: Trials,
    /// The serving certificate.
    pub certificate: Arc<Reloader>,
    /// Whose client certificates are let in, if that is asked.
    pub clients: Option<Arc<ClientAuthorities>>,
    /// Who may call.
    pub callers: Callers,
    /// How the parts are.
    pub health: Arc<Health>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who follows calls, if somebody does.
    pub traces: Option<Arc<Traces>>,
    /// Who looks at what a proposed set would be registered with, if somebody does.
    pub doctor: Option<Arc<dyn Doctor>>,
    /// What the book was proved to be last.
    pub proof: NewestProof,
    /// The set in force, told whenever it is another.
    pub sets: watch::Sender<Arc<PolicySet>>,
    /// Where policies come from.
    pub(super) origin: Origin,
    /// What they were made from at the start; none if what there was may do later.
    pub(super) seen: Option<Seen>,
}

/// What comes to a server from elsewhere than its configuration. Nothing, by default.
#[derive(Default)]
pub struct Outside {
    /// Where policies come from.
    pub origin: Origin,
    /// Who tells what stands around an object.
    pub around: Around,
    /// Who is told what becomes of requests.
    pub witness: Option<Arc<dyn Witness>>,
    /// Who follows calls. Its layer has to listen already.
    pub traces: Option<Arc<Traces>>,
    /// Who looks at what a proposed set would be registered with.
    pub doctor: Option<Arc<dyn Doctor>>,
}

/// A server that can't start, and which part of it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Names of our own certificate.
    #[error("tls.names")]
    Names(#[from] portreeve_certs::NameError),
    /// Our own certificates.
    #[error("tls.folder")]
    OwnCertificates(#[from] portreeve_certs::FolderError),
    /// The serving certificate.
    #[error("tls")]
    Certificate(#[from] portreeve_certs::ServingError),
    /// TLS as a whole.
    #[error("tls")]
    Tls(#[from] portreeve_certs::TlsError),
    /// The CAs of clients.
    #[error("callers.clientCa")]
    Clients(#[from] portreeve_certs::ClientAuthoritiesError),
    /// The token of the path.
    #[error("callers.tokenFolder")]
    Token(#[from] portreeve_certs::TokenError),
    /// Registries or the lock file.
    #[error("registries")]
    Images(#[from] portreeve_supply::OpenError),
    /// Where modules come from.
    #[error("registries")]
    Modules(#[from] portreeve_supply::registry::ListingError),
    /// The name of the book.
    #[error("cluster and replica make up the name of the book")]
    Origin(#[from] portreeve_ledger::OriginError),
    /// The book.
    #[error("ledger.folder")]
    Ledger(#[from] portreeve_ledger::OpenError),
    /// The book would not take the set.
    #[error("ledger.folder")]
    Book(#[from] BookError),
    /// The folder of compiled policies.
    #[error("cache")]
    Cache(#[from] portreeve_engine::CacheError),
    /// The engine.
    #[error("the policy engine")]
    Engine(#[from] portreeve_engine::EngineError),
    /// A template path.
    #[error(transparent)]
    TemplatePath(#[from] TemplatePathError),
    /// The policies.
    #[error("the policies can't be put in force:\n{0}")]
    Policies(#[from] LoadError),
    /// The policies, and the last good set too.
    #[error("the policies can't be put in force:\n{policies}\nand the last good set can't take their place")]
    LastGood {
        /// What is wrong with the policies.
        policies: LoadError,
        /// What is wrong with the set that was kept.
        source: LastGoodError,
    },
    /// A port that is taken, as a rule.
    #[error("can't listen at {at}")]
    Listen {
        /// Where.
        at: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The work was lost.
    #[error("starting was interrupted")]
    Lost(#[from] tokio::task::JoinError),
}

impl StartError {
    /// Whether it is about what somebody wrote: the configuration, or a file that it names and that can't be used. Else
    /// it is about where the server was to run: a port, a folder of its own, a registry that gave no answer.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Names(_)
            | Self::Certificate(_)
            | Self::Clients(_)
            | Self::Images(_)
            | Self::Modules(_)
            | Self::Origin(_)
            | Self::TemplatePath(_) => true,
            Self::Policies(policies) | Self::LastGood { policies, .. } => !policies.passing,
            Self::OwnCertificates(_)
            | Self::Tls(_)
            | Self::Token(_)
            | Self::Ledger(_)
            | Self::Book(_)
            | Self::Cache(_)
            | Self::Engine(_)
            | Self::Listen { .. }
            | Self::Lost(_) => false,
        }
    }
}

impl Parts {
    /// Makes every part. Blocks, off the runtime, while policies are compiled and the book is examined.
    ///
    /// # Errors
    /// The first part that can't be made.
    pub async fn assemble(config: ServerConfig, outside: Outside) -> Result<Self, StartError> {
        tokio::task::spawn_blocking(move || Self::make(config, outside)).await?
    }

    fn make(config: ServerConfig, outside: Outside) -> Result<Self, StartError> {
        let Outside { origin, around, witness, traces, doctor } = outside;
        let health = Arc::new(Health::default());
        let metrics = Arc::new(Metrics::default());
        let certificate = Arc::new(certificate(&config)?);
        let (callers, clients) = callers(&config.callers)?;
        let paths = template_paths(&config.template_paths)?;
        let book = book(&config, &health)?;
        let loader = Arc::new(loader(&config)?);
        let trials = Trials::of(paths.clone());
        let (set, seen) = policies::at_start(&loader, &trials, &config, &origin, &health, &metrics)?;
        exceptions::look(set.exceptions(), &health, Timestamp::now());
        break_glass::look(set.break_glass(), &health, &metrics, Timestamp::now());
        compiled::look(&set, &health);
        book.keep_set(&set)?;
        files::show(&health, &[], certificate.current().validity_warning(Timestamp::now()));
        metrics.certificate_ends(certificate.current().leaf().validity().not_after());
        health.set(Part::Cluster, at_start(&around));
        health.set(Part::Registration, registration_at_start(&config));
        let gate = Gate {
            set: ArcSwap::new(Arc::clone(&set)),
            images: Images::open(&config.registries)?,
            book,
            around,
            paths,
            runner: Runner::new(config.limits.evaluations.map_or_else(twice_the_processors, NonZeroUsize::get))
                .counted(metrics.evaluations()),
            clock: Timestamp::now,
            witness,
        };
        locked::look(&gate.images, &config.registries, &health, None);
        let gate = Arc::new(gate);
        let (proof, sets) = (NewestProof::default(), watch::Sender::new(set));
        Ok(Self {
            config,
            gate,
            loader,
            trials,
            certificate,
            clients,
            callers,
            health,
            metrics,
            traces,
            doctor,
            proof,
            sets,
            origin,
            seen,
        })
    }

    /// What the routers share.
    #[must_use]
    pub fn app(&self) -> App {
        App {
            gate: Arc::clone(&self.gate),
            callers: self.callers.clone(),
            health: Arc::clone(&self.health),
            metrics: Arc::clone(&self.metrics),
            traces: self.traces.clone(),
            proof: Arc::clone(&self.proof),
            proposals: match &self.origin {
                Origin::Files => None,
                Origin::Told(told) => {
                    let group =
                        self.config.kubernetes.as_ref().and_then(|kubernetes| kubernetes.break_glass_group.clone());
                    let proposals = Proposals::of(Arc::clone(&self.loader), told.sources.clone(), group);
                    Some(proposals.with_trials(self.trials.clone()).with_doctor(self.doctor.clone()))
                }
            },
            examinations: Arc::new(Semaphore::new(EXAMINATIONS)),
            body_bytes: self.config.limits.body_bytes.get(),
            room: Arc::new(Semaphore::new(self.config.limits.room().min(Semaphore::MAX_PERMITS))),
        }
    }
}

/// Where our own certificates are kept, and for which names; none if somebody else writes them.
pub(super) fn own_certificates(tls: &TlsConfig) -> Result<Option<(CertificateFolder, RotationPolicy)>, StartError> {
    match tls {
        TlsConfig::Files { .. } => Ok(None),
        TlsConfig::Own { folder, names } => {
            let policy = RotationPolicy::new(ServerNames::parse(names)?);
            Ok(Some((CertificateFolder::new(folder), policy)))
        }
    }
}

fn certificate(config: &ServerConfig) -> Result<Reloader, StartError> {
    if let Some((folder, policy)) = own_certificates(&config.tls)? {
        for done in folder.ensure(Timestamp::now(), &policy)?.done {
            tracing::info!("certificates: {done}");
        }
    }
    let (certificate, key) = certificate_files(&config.tls);
    let registration = config.kubernetes.as_ref().and_then(|kubernetes| kubernetes.registration.as_ref());
    let patience = registration.and_then(RegistrationConfig::patience).unwrap_or_default();
    Ok(Reloader::open(certificate, key)?.patient(patience).expecting(expected::of(config)))
}

fn certificate_files(tls: &TlsConfig) -> (PathBuf, PathBuf) {
    match tls {
        TlsConfig::Files { certificate, key } => (certificate.clone(), key.clone()),
        TlsConfig::Own { folder, .. } => {
            let folder = CertificateFolder::new(folder);
            (folder.leaf_certificate(), folder.leaf_key())
        }
    }
}

fn callers(config: &CallersConfig) -> Result<(Callers, Option<Arc<ClientAuthorities>>), StartError> {
    match config {
        CallersConfig::Token { token_folder } => {
            let tokens = PathTokens::load(&CertificateFolder::new(token_folder), Timestamp::now())?;
            Ok((Callers::KnowToken(Arc::new(ArcSwap::from_pointee(tokens))), None))
        }
        CallersConfig::Certificates { client_ca, names } => {
            let names: BTreeSet<CommonName> = names.iter().map(CommonName::parse).collect::<Result<_, _>>()?;
            let allowed = if names.is_empty() { AllowedClients::AnySigned } else { AllowedClients::CommonNames(names) };
            Ok((Callers::Certified, Some(Arc::new(ClientAuthorities::open(client_ca, allowed)?))))
        }
    }
}

fn book(config: &ServerConfig, health: &Health) -> Result<Book, StartError> {
    health.set(Part::Proof, proof::at_start(config.ledger.as_ref()));
    let Some(LedgerConfig { folder, durability, without_record, .. }) = &config.ledger else {
        tracing::warn!("no ledger is configured: decisions are not recorded");
        health.set(Part::Ledger, State::Kept("none is configured: decisions are not recorded".to_owned()));
        return Ok(Book::Closed);
    };
    let durability = match durability {
        DurabilityConfig::Durable => Durability::Durable,
        DurabilityConfig::WriteOnly => Durability::WriteOnly,
    };
    let origin = format!("{}/{}", config.cluster, config.replica).parse()?;
    let ledger = Ledger::open(folder, portreeve_ledger::Options::new(origin).durability(durability))?;
    ledger::tell_opening(&ledger);
    health.set(Part::Ledger, ledger::at_start(&ledger));
    Ok(Book::kept(Arc::new(ledger), *without_record))
}

fn loader(config: &ServerConfig) -> Result<Loader, StartError> {
    let cache = match &config.cache {
        Some(folder) => Cache::Folder(CacheFolder::open(folder)?),
        None => Cache::None,
    };
    let evaluations = config.limits.evaluations.map_or_else(twice_the_processors, NonZeroUsize::get);
    // Neither a trial nor a module that is slow to be configured must make a request wait.
    let slots = evaluations.saturating_add(settled::TURNS + LOADS);
    let limits = Limits { evaluations: u32::try_from(slots).unwrap_or(u32::MAX), ..Limits::default() };
    let engine = Engine::new(Options { cache, limits, embedded: &COMPILED, ..Options::default() })?;
    let own_namespace = KubernetesConfig::own_namespace(config.kubernetes.as_ref());
    let registry =
        RegistryModules::open(&config.registries, config.state.as_ref().map(|state| state.folder.as_path()))?;
    let labels = config.namespace_defaults.labels.clone();
    let loader = Loader::new(engine, portreeve_builtin::CATALOGUE, labels, own_namespace);
    let loader = loader.with_bounds(config.limits.namespaced_policies).with_registry(registry.for_a_server());
    let group = config.kubernetes.as_ref().and_then(|kubernetes| kubernetes.break_glass_group.as_ref());
    Ok(if group.is_some() { loader } else { loader.without_break_glass() })
}

/// How much is known of the cluster before anybody told.
fn at_start(around: &Around) -> State {
    match around {
        Around::PolicyFiles => {
            State::Good("none is asked: policy files tell of namespaces and other objects".to_owned())
        }
        Around::Cluster(_) => State::Down("it did not tell of its namespaces yet".to_owned()),
    }
}

/// Who tells the API server of us.
fn registration_at_start(config: &ServerConfig) -> State {
    let ours = config.kubernetes.as_ref().is_some_and(|kubernetes| kubernetes.registration.is_some());
    State::Good(if ours { KEPT_BY_THE_LEADER } else { "somebody else's affair" }.to_owned())
}

fn twice_the_processors() -> usize {
    2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
