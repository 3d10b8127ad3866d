//! A gate as the server has one, without a socket. Compiled policies are kept in the build folder, so that only the
//! first test waits for the compiler.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use portreeve_admission::response::Response;
use portreeve_admission::subject::TemplatePaths;
use portreeve_engine::{Cache, CacheFolder, Engine, Options};
use portreeve_ledger::Ledger;
use portreeve_server::around::Around;
use portreeve_server::check::{CheckOptions, Corrections};
use portreeve_server::config::WithoutRecord;
use portreeve_server::deadline::Deadlines;
use portreeve_server::manifest::read_stream;
use portreeve_server::set::{LoadError, Loader, Sources, platform};
use portreeve_server::settled::Trials;
use portreeve_server::way::{Book, Gate, Runner};
use portreeve_supply::{Images, RegistriesConfig};
use serde_json::Value;

pub use portreeve_control_plane::Fault;

use crate::places::checkout;

/// What `portreeve check` is asked for manifests of this platform: its own policies, and these images.
///
/// # Errors
/// If there is no place for compiled policies.
pub fn check_options(platform: &str, images: Images) -> Result<CheckOptions, Fault> {
    Ok(CheckOptions {
        policies: Some(checkout().join("tests/platforms").join(platform).join("policies")),
        images,
        modules: None,
        cache: cache()?,
        paths: TemplatePaths::default(),
        namespace: "default".to_owned(),
        namespace_labels: BTreeMap::new(),
        corrections: Corrections::Made,
        as_of_mode: None,
    })
}

/// A gate in the making.
pub struct Setting {
    sources: Sources,
    registries: RegistriesConfig,
    book: Book,
}

impl Default for Setting {
    /// No policy, no registry, no book.
    fn default() -> Self {
        Self { sources: Sources::default(), registries: RegistriesConfig::default(), book: Book::Closed }
    }
}

impl Setting {
    /// The platform profile.
    #[must_use]
    pub fn platform() -> Self {
        let mut setting = Self::default();
        setting.sources.add_builtin(platform());
        setting
    }

    /// Adds our resources, Namespaces and objects that facts are made of, out of YAML.
    ///
    /// # Errors
    /// If it is none.
    pub fn with(mut self, yaml: &str) -> Result<Self, Fault> {
        for manifest in read_stream("test.yaml", yaml)? {
            self.sources.add(&manifest)?;
        }
        Ok(self)
    }

    /// Takes the objects of this YAML, with those there already, for all that there is.
    ///
    /// # Errors
    /// If it is none.
    pub fn everything(mut self, yaml: &str) -> Result<Self, Fault> {
        self.sources.take_for_everything(&read_stream("test.yaml", yaml)?, "default")?;
        Ok(self)
    }

    /// Sources that were read from files.
    #[must_use]
    pub fn sources(self, sources: Sources) -> Self {
        Self { sources, ..self }
    }

    /// Registries that may be asked.
    #[must_use]
    pub fn registries(self, registries: RegistriesConfig) -> Self {
        Self { registries, ..self }
    }

    /// Records in this ledger, and refuses what it can't record.
    #[must_use]
    pub fn ledger(self, ledger: Arc<Ledger>) -> Self {
        self.book(Book::kept(ledger, WithoutRecord::Refuse))
    }

    /// Records in this book.
    #[must_use]
    pub fn book(self, book: Book) -> Self {
        Self { book, ..self }
    }

    /// The gate. Its set is not tried before, so that a test can have one that is at odds with itself.
    ///
    /// # Errors
    /// If the set can't be loaded.
    pub fn gate(self) -> Result<Gate, Fault> {
        let set = Arc::new(loader()?.load(&self.sources)?);
        self.book.keep_set(&set)?;
        Ok(Gate {
            set: ArcSwap::new(set),
            images: Images::open(&self.registries)?,
            book: self.book,
            around: Around::PolicyFiles,
            paths: TemplatePaths::default(),
            runner: Runner::new(4),
            clock: Timestamp::now,
            witness: None,
        })
    }

    /// The problems of a set that can't be put in force, as text; none if it can.
    ///
    /// # Errors
    /// If there is no engine.
    pub fn problems(self) -> Result<Vec<String>, Fault> {
        let loaded = loader()?.load(&self.sources);
        match loaded.and_then(|set| Trials::default().settled(set, &self.sources)) {
            Ok(_) => Ok(Vec::new()),
            Err(LoadError { problems, .. }) => Ok(problems.iter().map(ToString::to_string).collect()),
        }
    }
}

/// A loader with the catalogue and a cache of compiled policies.
///
/// # Errors
/// If there is no engine or no folder for the cache.
pub fn loader() -> Result<Loader, Fault> {
    let engine = Engine::new(Options { cache: cache()?, ..Options::default() })?;
    Ok(Loader::new(engine, portreeve_builtin::CATALOGUE, BTreeMap::new(), Some("portreeve".to_owned())))
}

/// Where compiled policies are kept from test to test.
///
/// # Errors
/// If there is no such folder.
pub fn cache() -> Result<Cache, Fault> {
    let tests = std::env::current_exe()?;
    let folder = tests.parent().ok_or("no build folder")?.join("portreeve-test-cache");
    Ok(Cache::Folder(CacheFolder::open(&folder)?))
}

/// Time enough for a loaded machine; a test that waits for a deadline sets its own.
#[must_use]
pub fn plenty() -> Deadlines {
    let now = Instant::now();
    Deadlines { judged: now + Duration::from_secs(20), recorded: now + Duration::from_secs(25) }
}

/// What one call of the gate came to.
#[derive(Debug)]
pub struct Told {
    /// As it would be sent.
    pub response: Response,
    /// The object with the patch on it, if there was an object.
    pub object: Value,
}

/// Sends a review to `/mutate` and applies the patch.
///
/// # Errors
/// If it is no review, or the patch does not apply.
pub async fn mutate(gate: &Gate, review: &Value) -> Result<Told, Fault> {
    let answered = gate.mutate(review.to_string().as_bytes(), plenty()).await?;
    let mut object = review.pointer("/request/object").cloned().unwrap_or_default();
    if let Some(patch) = &answered.response.patch {
        json_patch::patch(&mut object, patch)?;
    }
    Ok(Told { response: answered.response, object })
}

/// Sends a review to `/validate`.
///
/// # Errors
/// If it is no review.
pub async fn validate(gate: &Gate, review: &Value) -> Result<Response, Fault> {
    Ok(gate.validate(review.to_string().as_bytes(), plenty()).await?.response)
}

/// Both calls, as the API server makes them: the second with the object that the first one corrected.
///
/// # Errors
/// As [`mutate`].
pub async fn admit(gate: &Gate, review: &Value) -> Result<(Told, Response), Fault> {
    let told = mutate(gate, review).await?;
    let mut second = review.clone();
    if let Some(object) = second.pointer_mut("/request/object") {
        *object = told.object.clone();
    }
    let response = validate(gate, &second).await?;
    Ok((told, response))
}
