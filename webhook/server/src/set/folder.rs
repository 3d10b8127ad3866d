//! A folder of policy files, read: our resources, Namespace manifests and the objects that facts are made of, with file
//! and line, nothing checked yet beyond their shape.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use portreeve_admission::api::{
    API_VERSION, ClusterPolicySpec, Metadata, Mode, ModuleSource, Naming, Object, Profile, Resource,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::load::{LoadError, Problem, chain};
use super::namespace::{KnownFrom, Namespace};
use super::objects::{Listed, Objects, Reach};
use super::profile::platform;
use crate::manifest::{Manifest, read_paths};

/// Version and kind of a namespace.
const NAMESPACE: (&str, &str) = ("v1", "Namespace");

/// What a set is made from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Our resources.
    pub resources: Vec<Located>,
    /// What is known of namespaces, by name.
    pub namespaces: BTreeMap<String, Namespace>,
    /// The objects that facts are made of.
    pub objects: Objects,
    /// What can't be read of what belongs here.
    pub unreadable: Vec<Problem>,
    /// Who wrote them.
    pub written_by: WrittenBy,
}

/// Who wrote the sources of a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WrittenBy {
    /// Whoever answers for all of it: anything wrong refuses the whole.
    #[default]
    OneHand,
    /// Each namespace wrote its own part: what is wrong with that is left out, and the rest holds. No namespace can so
    /// keep the cluster's policies from changing.
    Namespaces,
    /// Both, for whoever looks at what is or would be in force somewhere else: files may name modules as in one hand,
    /// and what is wrong with a namespace's own part is left out. So is a policy whose module can't be had here.
    Gathered,
}

/// Where the policies come from that manifests are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// The platform profile.
    OfProfile,
    /// A folder that was named for it.
    OfFolder,
    /// The manifests themselves.
    OfManifests,
}

/// A resource and where it was read.
#[derive(Debug, Clone)]
pub struct Located {
    /// The resource.
    pub resource: Resource,
    /// `file:line`, or where else it comes from.
    pub place: String,
    /// The folder that relative paths in it start from.
    pub folder: PathBuf,
}

/// Reads all policy files of a folder and below.
///
/// # Errors
/// Every problem of every file; a folder without any resource of ours is one.
pub fn read_folder(folder: &Path) -> Result<Sources, LoadError> {
    let manifests = read_paths(&[folder.to_owned()], &mut std::io::empty()).map_err(|unread| {
        let problems = unread.errors().iter().map(|error| Problem { place: String::new(), reason: chain(error) });
        LoadError::from(problems.collect::<Vec<_>>())
    })?;
    let mut sources = Sources::default();
    let mut problems: Vec<Problem> = manifests.iter().filter_map(|manifest| sources.add(manifest).err()).collect();
    if problems.is_empty() && sources.resources.is_empty() {
        // A wrong path, a wrong mount or an emptied volume, and not a wish to admit everything.
        let reason = "there is no ClusterPolicy and no PolicySet in it; `spec: {profile: none}` admits everything";
        problems.push(Problem { place: folder.display().to_string(), reason: reason.to_owned() });
    }
    if problems.is_empty() { Ok(sources) } else { Err(problems.into()) }
}

impl Sources {
    /// Adds what a manifest says, if it is for us: a resource of ours, a Namespace or an object that facts are made of.
    /// Others are passed over.
    ///
    /// # Errors
    /// If it is ours and has not the shape it should have, or metadata that no API server would take.
    pub fn add(&mut self, manifest: &Manifest) -> Result<(), Problem> {
        let place = format!("{}:{}", manifest.source(), manifest.line());
        self.take(manifest, &place).map_err(|reason| Problem { place, reason })
    }

    fn take(&mut self, manifest: &Manifest, place: &str) -> Result<(), String> {
        if is_ours(manifest) {
            let resource = resource(manifest)?;
            check_metadata(manifest, Naming::Name)?;
            let folder = Path::new(manifest.source()).parent().unwrap_or(Path::new(".")).to_owned();
            self.resources.push(Located { resource, place: place.to_owned(), folder });
        } else if (manifest.api_version(), manifest.kind()) == NAMESPACE {
            let (name, namespace) = Namespace::read(manifest.value(), KnownFrom::Manifest)?;
            check_metadata(manifest, Naming::Label)?;
            self.namespaces.insert(name, namespace);
        } else if let Some(kind) = Listed::of(manifest) {
            self.objects.add(manifest, None)?;
            check_metadata(manifest, kind.naming())?;
        }
        Ok(())
    }

    /// Our resources among these manifests, and the platform profile where neither a policy nor a set is among them.
    ///
    /// # Errors
    /// Every one of them that has not the shape it should have.
    pub fn among(manifests: &[Manifest]) -> Result<(Self, Rules), LoadError> {
        let mut sources = Self::default();
        let ours = manifests.iter().filter(|manifest| is_ours(manifest));
        let problems: Vec<Problem> = ours.filter_map(|manifest| sources.add(manifest).err()).collect();
        if !problems.is_empty() {
            return Err(problems.into());
        }
        if sources.rule_anything() {
            return Ok((sources, Rules::OfManifests));
        }
        sources.add_builtin(platform());
        Ok((sources, Rules::OfProfile))
    }

    /// Whether they say what is to be in force. Exceptions, and what a namespace asks of itself, say it of no cluster.
    #[must_use]
    pub fn rule_anything(&self) -> bool {
        let rules = |located: &Located| matches!(located.resource, Resource::ClusterPolicy(_) | Resource::PolicySet(_));
        self.resources.iter().any(rules)
    }

    /// With the platform profile, if they do not say what is to be in force.
    #[must_use]
    pub fn or_platform(mut self) -> Self {
        if !self.rule_anything() {
            self.add_builtin(platform());
        }
        self
    }

    /// Sources of these resources alone, which no file holds.
    #[must_use]
    pub fn of_builtin(resources: impl IntoIterator<Item = Resource>) -> Self {
        let mut sources = Self::default();
        sources.add_builtin(resources);
        sources
    }

    /// Takes these manifests and the policy files for all that there is: what Namespaces among them say of themselves
    /// is known, and facts are made of the others. `namespace` is that of objects that name none.
    ///
    /// # Errors
    /// Every Namespace that has not the shape it should have.
    pub fn take_for_everything(&mut self, manifests: &[Manifest], namespace: &str) -> Result<(), LoadError> {
        let (namespaces, others): (Vec<_>, Vec<_>) =
            manifests.iter().partition(|manifest| (manifest.api_version(), manifest.kind()) == NAMESPACE);
        let problems: Vec<Problem> = namespaces.into_iter().filter_map(|manifest| self.add(manifest).err()).collect();
        let mut objects = std::mem::take(&mut self.objects).reaching(Reach::Everything);
        for manifest in others {
            // One that the API server would refuse is not there for others; it is told of when it is judged itself.
            drop(objects.add(manifest, Some(namespace)));
        }
        self.objects = objects;
        if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
    }

    /// Puts policies of lesser modes into this one, those of the profile too; what is off stays off. Gives those
    /// policies as they were, by their names.
    pub fn raise(&mut self, mode: Mode) -> BTreeMap<String, ClusterPolicySpec> {
        self.add_profile();
        let policies = self.resources.iter_mut().filter_map(|located| match &mut located.resource {
            Resource::ClusterPolicy(object) => Some(object),
            _ => None,
        });
        let raise = |object: &mut Object<ClusterPolicySpec>| {
            let had = object.spec.clone();
            let stages = object.spec.rollout.iter_mut().map(|stage| &mut stage.mode);
            for known in stages.chain([&mut object.spec.mode]) {
                if *known != Mode::Off && mode.is_stricter_than(*known) {
                    *known = mode;
                }
            }
            (object.spec != had).then(|| (object.metadata.name.clone(), had))
        };
        policies.filter_map(raise).collect()
    }

    /// Adds the built-in profile, if the set asks for it, but for those of its policies that somebody replaces.
    pub(super) fn add_profile(&mut self) {
        let asks = |located: &Located| match &located.resource {
            Resource::PolicySet(set) => set.spec.profile == Profile::Platform,
            _ => false,
        };
        if self.resources.iter().any(asks) {
            let own: BTreeSet<String> = self.resources.iter().map(|located| located.resource.reference()).collect();
            self.add_builtin(platform().into_iter().filter(|resource| !own.contains(&resource.reference())));
        }
    }

    /// The files that modules are read from, which may lie anywhere.
    #[must_use]
    pub fn module_files(&self) -> BTreeSet<PathBuf> {
        self.resources.iter().filter_map(Located::module_file).collect()
    }

    /// Where a policy of the cluster's own is written, as it is shown.
    pub(crate) fn place_of_policy(&self, name: &str) -> String {
        let reference = format!("ClusterPolicy/{name}");
        let located = self.resources.iter().find(|located| located.resource.reference() == reference);
        located.map_or(reference, place_of)
    }

    /// A policy of the cluster's own, as it is named beside others: by its file where it has one, else by kind and
    /// name.
    pub(crate) fn named_policy(&self, name: &str) -> String {
        if self.is_of_profile(name) {
            return format!("ClusterPolicy/{name} of the platform profile");
        }
        match self.written_by {
            WrittenBy::Namespaces => format!("ClusterPolicy/{name}"),
            WrittenBy::OneHand | WrittenBy::Gathered => self.place_of_policy(name),
        }
    }

    /// Whether the profile alone brings this policy in.
    pub(crate) fn is_of_profile(&self, name: &str) -> bool {
        let reference = format!("ClusterPolicy/{name}");
        let is_it = |resource: &Resource| resource.reference() == reference;
        !self.resources.iter().any(|located| is_it(&located.resource)) && platform().iter().any(is_it)
    }

    /// Adds resources that no file holds.
    pub fn add_builtin(&mut self, resources: impl IntoIterator<Item = Resource>) {
        self.resources.extend(resources.into_iter().map(|resource| Located {
            place: format!("built-in {}", resource.reference()),
            folder: PathBuf::new(),
            resource,
        }));
    }
}

impl Located {
    /// The file of the module that it names, if it is a policy with one.
    pub(super) fn module_file(&self) -> Option<PathBuf> {
        let Resource::ClusterPolicy(policy) = &self.resource else { return None };
        match &policy.spec.module {
            ModuleSource::Builtin { .. } | ModuleSource::Oci { .. } => None,
            ModuleSource::File { file, .. } => Some(self.folder.join(file)),
        }
    }
}

/// Whether an API server would take the object's metadata, whose shape was looked at.
fn check_metadata(manifest: &Manifest, naming: Naming) -> Result<(), String> {
    let written = manifest.value().get("metadata").unwrap_or(&Value::Null);
    let texts = |field| {
        let texts = written.get(field).and_then(Value::as_object).into_iter().flatten();
        texts.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned()))).collect()
    };
    let metadata = Metadata {
        name: manifest.name().to_owned(),
        namespace: manifest.namespace().map(str::to_owned),
        labels: texts("labels"),
        annotations: texts("annotations"),
        created: None,
    };
    metadata.check(naming).map_err(|error| error.to_string())
}

fn is_ours(manifest: &Manifest) -> bool {
    manifest.api_version().starts_with("portreeve.dev/")
}

/// One of our resources out of a manifest; the error says where it is wrong.
pub(super) fn resource(manifest: &Manifest) -> Result<Resource, String> {
    if manifest.api_version() != API_VERSION {
        return Err(format!("apiVersion is {:?}; this server knows {API_VERSION}", manifest.api_version()));
    }
    of_kind(manifest.kind(), manifest.value())
}

/// A resource of this kind; the error says where it is wrong.
pub(crate) fn of_kind(kind: &str, value: &Value) -> Result<Resource, String> {
    // By kind, and not as a tagged enum: that would lose where the fault is.
    match kind {
        "ClusterPolicy" => object(value).map(Resource::ClusterPolicy),
        "PolicySet" => object(value).map(Resource::PolicySet),
        "PolicyException" => object(value).map(Resource::PolicyException),
        "Policy" => object(value).map(Resource::Policy),
        other => Err(format!("there is no kind {other:?} in {API_VERSION}; there are {KINDS}")),
    }
}

const KINDS: &str = "ClusterPolicy, PolicySet, PolicyException and Policy";

fn object<Spec: DeserializeOwned>(value: &Value) -> Result<Object<Spec>, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let at = error.path().to_string();
        if at == "." { error.inner().to_string() } else { format!("{at}: {}", error.inner()) }
    })
}

/// Where a problem is, as it is shown.
pub(super) fn place_of(located: &Located) -> String {
    format!("{} ({})", located.place, located.resource.reference())
}
