//! What `check` and `render` have in common: which manifests are read, by which policies they are judged, and from
//! where facts about their images come.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use portreeve_admission::api::{Metadata, Mode, Naming};
use portreeve_admission::exception::{Exception, Term};
use portreeve_engine::{Cache, CacheFolder};
use portreeve_server::check::{CheckOptions, Checked, Checker, Corrections};
use portreeve_server::config::{ServerConfig, read_registries, template_paths};
use portreeve_server::manifest::Manifest;
use portreeve_server::set::{RegistryModules, Rules};
use portreeve_supply::{ImageLock, Images, RegistriesConfig};

use crate::manifests::locked_beside;
use crate::outcome::Failure;
use crate::runtime::runtime;

/// By what manifests are judged.
#[derive(Debug, clap::Args)]
pub(crate) struct JudgingArguments {
    /// A server's configuration file: what it says of policies, registries, template paths and namespaces counts,
    /// unless an option says otherwise.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of policy files: ClusterPolicies, a PolicySet, PolicyExceptions, Namespaces, and objects that policies
    /// ask about, such as NetworkPolicies. Left out, with --config too: the policies among the manifests, or the
    /// platform profile where there are none.
    #[arg(long, value_name = "FOLDER")]
    policies: Option<PathBuf>,
    /// Where facts about images come from: a lock file, as `portreeve lock` writes it. No registry is contacted.
    #[arg(long, value_name = "FILE", conflicts_with = "registries")]
    lock: Option<PathBuf>,
    /// Where facts about images come from: the registries that this file lists, as a server's configuration does under
    /// `registries`. Left out, with --lock and --config too: from each `images.lock` in the folders that are read.
    /// Where there is none, from nowhere, and policies that need them take their failure policy.
    #[arg(long, value_name = "FILE")]
    registries: Option<PathBuf>,
    /// Namespace of objects that name none.
    #[arg(long, short, value_name = "NAME", default_value = "default", value_parser = namespace)]
    namespace: String,
    /// A label, `key=value`, of namespaces that no Namespace manifest describes; may be given several times.
    #[arg(long, value_name = "LABEL", value_parser = label)]
    namespace_label: Vec<(String, String)>,
    /// Folder for compiled policies, private to you. Left out: `portreeve/policies` in your cache folder.
    #[arg(long, value_name = "FOLDER", env = "PORTREEVE_CACHE")]
    cache: Option<PathBuf>,
}

/// An object with what came of it.
pub(crate) struct Judged<'m> {
    pub(crate) manifest: &'m Manifest,
    pub(crate) checked: Checked,
    /// Whether it has a pod template.
    pub(crate) workload: bool,
}

/// All objects with what came of them, in the order they were read.
pub(crate) struct Judgement<'m> {
    pub(crate) objects: Vec<Judged<'m>>,
    /// Where the policies come from.
    pub(crate) rules: Rules,
    /// The lock files that were found beside the manifests and that facts about images come from.
    pub(crate) locks: Vec<PathBuf>,
    /// Digest of the policies that they were judged by.
    pub(crate) set: String,
    /// The modes that policies really are in, where they were taken to be in another, by name.
    pub(crate) raised: BTreeMap<String, Mode>,
    /// Exceptions among the policies that have ended or soon will.
    pub(crate) ending: Vec<Ending>,
}

/// An exception that has ended or soon will.
pub(crate) struct Ending {
    pub(crate) exception: Exception,
    pub(crate) term: Term,
    /// What there is to tell of it.
    pub(crate) notice: String,
}

/// Nothing to judge, which is a mistake of whoever made it as a rule.
#[derive(Debug, thiserror::Error)]
#[error("there is no Kubernetes object in what was read; did the command before this one fail?")]
pub(crate) struct NoObjects;

/// How much is made of what is found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strictness {
    pub(crate) corrections: Corrections,
    /// The least mode that policies are taken to be in.
    pub(crate) as_of_mode: Option<Mode>,
}

/// Judges the manifests that were read from these paths.
///
/// # Errors
/// When the policies, or the files with facts about images, can't be used.
pub(crate) fn judge<'m>(
    arguments: &JudgingArguments,
    strictness: Strictness,
    paths: &[PathBuf],
    manifests: &'m [Manifest],
) -> Result<Judgement<'m>, Failure> {
    if manifests.is_empty() {
        return Err(Failure::input(NoObjects));
    }
    let runtime = runtime()?;
    // The registries' clients are made within the runtime that they will run in.
    let _within = runtime.enter();
    let (options, locks) = arguments.options(strictness, paths)?;
    let checker = Checker::open(options, manifests).map_err(Failure::input)?;
    let checked = runtime.block_on(checker.check_all(manifests));
    let judged = |(manifest, checked)| Judged { manifest, checked, workload: checker.is_workload(manifest) };
    Ok(Judgement {
        objects: manifests.iter().zip(checked).map(judged).collect(),
        rules: checker.rules(),
        locks,
        set: checker.set().digest().to_owned(),
        raised: checker.raised(),
        ending: checker.set().exceptions().iter().filter_map(|exception| ending(exception, Timestamp::now())).collect(),
    })
}

fn ending(exception: &Exception, now: Timestamp) -> Option<Ending> {
    let notice = exception.notice(now)?;
    Some(Ending { exception: exception.clone(), term: exception.term(now), notice })
}

impl JudgingArguments {
    /// With the lock files that were found without being named.
    fn options(&self, strictness: Strictness, manifests: &[PathBuf]) -> Result<(CheckOptions, Vec<PathBuf>), Failure> {
        let server = self.config.as_deref().map(ServerConfig::read).transpose().map_err(Failure::input)?;
        let server = server.as_ref();
        let paths = server.map(|server| template_paths(&server.template_paths)).transpose().map_err(Failure::input)?;
        let mut labels = server.map(|server| server.namespace_defaults.labels.clone()).unwrap_or_default();
        labels.extend(self.namespace_label.iter().cloned());
        let registries = self.registries(server)?;
        let (images, locks) = self.images(&registries, manifests)?;
        let options = CheckOptions {
            policies: self.policies.clone().or_else(|| server?.policies.clone()),
            images,
            modules: Some(RegistryModules::open(&registries, None).map_err(Failure::input)?),
            cache: cache(self.cache.as_deref())?,
            paths: paths.unwrap_or_default(),
            namespace: self.namespace.clone(),
            namespace_labels: labels,
            corrections: strictness.corrections,
            as_of_mode: strictness.as_of_mode,
        };
        Ok((options, locks))
    }

    /// The registries that may be asked, none where nothing is said of them.
    fn registries(&self, server: Option<&ServerConfig>) -> Result<RegistriesConfig, Failure> {
        match (&self.registries, server) {
            (Some(file), _) => read_registries(file).map_err(Failure::input),
            (None, Some(server)) => Ok(server.registries.clone()),
            (None, None) => Ok(RegistriesConfig::default()),
        }
    }

    fn images(&self, registries: &RegistriesConfig, manifests: &[PathBuf]) -> Result<(Images, Vec<PathBuf>), Failure> {
        if let Some(lock) = &self.lock {
            let lock = ImageLock::read(lock).map_err(Failure::input)?;
            return Ok((Images::from_lock(lock), Vec::new()));
        }
        if self.registries.is_none() && self.config.is_none() {
            let (files, lock) = locked_beside(manifests)?;
            if !files.is_empty() {
                return Ok((Images::from_lock(lock), files));
            }
        }
        Ok((Images::open(registries).map_err(Failure::input)?, Vec::new()))
    }
}

/// The cache of compiled policies. Without the folder that was asked for nothing is done; without the usual one
/// policies are compiled each time.
pub(crate) fn cache(asked: Option<&std::path::Path>) -> Result<Cache, Failure> {
    if let Some(folder) = asked {
        return Ok(Cache::Folder(CacheFolder::open(folder).map_err(Failure::input)?));
    }
    let Some(folder) = usual_cache() else { return Ok(Cache::None) };
    let opened = std::fs::create_dir_all(folder.parent().unwrap_or(&folder)).map(|()| CacheFolder::open(&folder));
    match opened {
        Ok(Ok(folder)) => return Ok(Cache::Folder(folder)),
        Ok(Err(error)) => tracing::warn!(%error, "compiled policies are not kept"),
        Err(error) => tracing::warn!(%error, folder = %folder.display(), "compiled policies are not kept"),
    }
    Ok(Cache::None)
}

/// By the XDG base directory specification.
fn usual_cache() -> Option<PathBuf> {
    let given = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = given("XDG_CACHE_HOME").or_else(|| given("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("portreeve").join("policies"))
}

/// The name of a namespace, as an API server would take it.
fn namespace(text: &str) -> Result<String, NotANamespace> {
    let named = Metadata { name: text.to_owned(), ..Metadata::default() };
    named.check(Naming::Label).map(|()| named.name).map_err(|_| NotANamespace)
}

#[derive(Debug, thiserror::Error)]
#[error(
    "a namespace is called by lower-case letters and digits, with - between them, and 63 of them at most (RFC 1123 label)"
)]
struct NotANamespace;

/// A label as it is given on the command line.
fn label(text: &str) -> Result<(String, String), NotALabel> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(NotALabel),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a label is written key=value")]
struct NotALabel;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_has_a_name_that_an_api_server_would_take() {
        assert_eq!(namespace("shop-1").unwrap(), "shop-1");
        for wrong in ["", "Bad NS", "UPPER", "a.b", "-a", &"a".repeat(64)] {
            assert!(namespace(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_label_is_a_key_and_a_value() {
        assert_eq!(label("team=shop").unwrap(), ("team".into(), "shop".into()));
        assert_eq!(label("a/b=").unwrap(), ("a/b".into(), String::new()));
        assert!(label("team").is_err() && label("=shop").is_err());
    }
}
