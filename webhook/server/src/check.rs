//! Judging manifests without a cluster, by the same gate that a cluster's requests pass: each object is taken for one
//! that is being created, corrected as `/mutate` would and then judged as `/validate` would. Nothing is recorded.
//!
//! Reading the manifests is `manifest`'s, and showing what came of it is left to whoever asks.

mod accounts;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use portreeve_admission::api::{ClusterPolicySpec, Mode};
use portreeve_admission::case::CHECK;
use portreeve_admission::decision::{Answer, Decision, PolicyFailure};
use portreeve_admission::defaults::{Completed, Holder, complete, take_back};
use portreeve_admission::document::Document;
use portreeve_admission::edit::Claim;
use portreeve_admission::kinds::{Scope, scope};
use portreeve_admission::matching::labels_that_count;
use portreeve_admission::plan::Plan;
use portreeve_admission::pointer::Pointer;
use portreeve_admission::policy::Policy;
use portreeve_admission::review::{Review, ReviewError, decode};
use portreeve_admission::subject::{SubjectError, TemplatePaths};
use portreeve_engine::{Cache, Engine, EngineError};
use portreeve_supply::Images;
use serde_json::Value;

use self::accounts::Accounts;
use crate::around::Around;
use crate::creation::{self, kind};
use crate::manifest::Manifest;
use crate::set::{COMPILED, LoadError, Loader, PolicySet, RegistryModules, Rules, Sources, read_folder};
use crate::settled::Trials;
use crate::way::{Book, Correction, Gate, Met, Runner};

/// How long one object may take, registries included: nobody's request waits.
const LONGEST: Duration = Duration::from_secs(60);

/// Objects that are under way at one time, so that registries are not asked one image after the other.
const AT_ONCE: usize = 16;

/// What manifests are judged by.
pub struct CheckOptions {
    /// Folder of policy files. None: those among the manifests, or the platform profile where there are none.
    pub policies: Option<PathBuf>,
    /// Where facts about images come from.
    pub images: Images,
    /// Where modules come from that are named by a registry's reference. None: such policies can't be put in force.
    pub modules: Option<RegistryModules>,
    /// Where compiled policies are kept.
    pub cache: Cache,
    /// The kinds that have pod templates.
    pub paths: TemplatePaths,
    /// Namespace of objects that name none.
    pub namespace: String,
    /// Labels of namespaces that no manifest describes.
    pub namespace_labels: BTreeMap<String, String>,
    /// Whether objects are corrected first.
    pub corrections: Corrections,
    /// The least mode that policies are taken to be in. None: each is in its own.
    pub as_of_mode: Option<Mode>,
}

/// Whether objects are corrected before they are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corrections {
    /// As a cluster does.
    Made,
    /// They are judged as they are written.
    LeftOut,
}

/// Judges manifests.
pub struct Checker {
    gate: Gate,
    namespace: String,
    accounts: Accounts,
    corrections: Corrections,
    rules: Rules,
    /// Policies that are taken to be in another mode than they are, as they are.
    raised: BTreeMap<String, ClusterPolicySpec>,
}

/// What came of one object.
#[derive(Debug)]
pub struct Checked {
    /// The namespace that it would be created in; none if it lives in none.
    pub namespace: Option<String>,
    /// How it would be answered.
    pub verdict: Verdict,
    /// The modes that policies are in for this object, where they are taken to be in another, by name.
    pub modes_today: BTreeMap<String, Mode>,
    /// The object with the defaults in, without what the API server itself puts in; none if nothing was put in.
    pub corrected: Option<Value>,
    /// What was put in or changed, in order.
    pub made: Vec<Claim>,
    /// All that was found. Failures of the correction are among its failures.
    pub decision: Decision,
    /// Exceptions that stopped an edit, by name.
    pub exceptions: Vec<String>,
    /// Why it could not be judged at all.
    pub unjudgeable: Option<Unjudgeable>,
}

/// How an object would be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No policy looks at it.
    Unseen,
    /// Admitted.
    Allowed,
    /// Denied for a violation.
    Denied,
    /// Refused, since it could not be judged.
    Failed,
}

/// An object that no policy can be asked about.
#[derive(Debug, thiserror::Error)]
pub enum Unjudgeable {
    /// Its metadata has not the shape it should have.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// Its pod template has not.
    #[error(transparent)]
    Subject(#[from] SubjectError),
}

/// Why there is nothing to judge by.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The policies, or a Namespace among the manifests.
    #[error("the policies can't be put in force:\n{0}")]
    Policies(#[from] LoadError),
    /// The engine.
    #[error("the policy engine")]
    Engine(#[from] EngineError),
}

impl Checker {
    /// Puts the policies in force. Namespaces among the manifests count, and more than those among the policies. The
    /// manifests are taken for all that there is: facts about other objects are made of them. Blocks while policies are
    /// compiled.
    ///
    /// # Errors
    /// Every problem of the policies.
    pub fn open(options: CheckOptions, manifests: &[Manifest]) -> Result<Self, CheckError> {
        let (mut sources, rules) = match &options.policies {
            Some(folder) => (read_folder(folder)?, Rules::OfFolder),
            None => Sources::among(manifests)?,
        };
        sources.take_for_everything(manifests, &options.namespace)?;
        let raised = options.as_of_mode.map(|mode| sources.raise(mode)).unwrap_or_default();
        let options_of_engine =
            portreeve_engine::Options { cache: options.cache, embedded: &COMPILED, ..Default::default() };
        let engine = Engine::new(options_of_engine)?;
        let loader = Loader::new(engine, portreeve_builtin::CATALOGUE, options.namespace_labels, None);
        let loader = match options.modules {
            Some(modules) => loader.with_registry(modules),
            None => loader,
        };
        let gate = Gate {
            set: ArcSwap::new(Trials::of(options.paths.clone()).settled(loader.load(&sources)?, &sources)?),
            images: options.images,
            book: Book::Closed,
            around: Around::PolicyFiles,
            paths: options.paths,
            runner: Runner::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)),
            clock: Timestamp::now,
            witness: None,
        };
        let CheckOptions { namespace, corrections, .. } = options;
        let accounts = Accounts::among(manifests, &namespace);
        Ok(Self { gate, namespace, accounts, corrections, rules, raised })
    }

    /// The modes that policies really are in, where they are taken to be in another, by name; of a rollout the mildest
    /// that is not off.
    #[must_use]
    pub fn raised(&self) -> BTreeMap<String, Mode> {
        let mildest = |spec: &ClusterPolicySpec| {
            let modes = spec.modes().filter(|mode| *mode != Mode::Off);
            modes.reduce(|one, other| if one.is_stricter_than(other) { other } else { one }).unwrap_or(Mode::Off)
        };
        self.raised.iter().map(|(name, spec)| (name.clone(), mildest(spec))).collect()
    }

    /// Where the policies come from.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// The policies in force.
    #[must_use]
    pub fn set(&self) -> Arc<PolicySet> {
        self.gate.set.load_full()
    }

    /// Whether the object has a pod template, or would have one if it were well-formed.
    #[must_use]
    pub fn is_workload(&self, manifest: &Manifest) -> bool {
        self.gate.paths.has(&kind(manifest))
    }

    /// Judges all objects, some of them at one time, in their order.
    pub async fn check_all(&self, manifests: &[Manifest]) -> Vec<Checked> {
        stream::iter(manifests).map(|manifest| self.check(manifest)).buffered(AT_ONCE).collect().await
    }

    /// Judges one object.
    pub async fn check(&self, manifest: &Manifest) -> Checked {
        let mut object = manifest.value().clone();
        let completed = self.complete(manifest, &mut object);
        let namespace = self.namespace_of(manifest);
        let checked = Checked::of(namespace.clone());
        let review = creation::review(manifest, namespace.as_deref(), &object, CHECK);
        let review = match decode(review.to_string().as_bytes()) {
            Ok(review) => review,
            Err(error) => return checked.unjudgeable(error.into()),
        };
        let deadline = Instant::now() + LONGEST;
        let met = self.gate.meet(review, deadline).await;
        let checked = Checked { modes_today: self.modes_today(&met), ..checked };
        if !matches!(met.plan, Plan::Judge { .. }) || met.policies().next().is_none() {
            return checked;
        }
        let correction = match self.corrections {
            Corrections::Made => self.gate.correct(&met, deadline).await,
            Corrections::LeftOut => Correction::nothing(),
        };
        let corrected = correction.object.clone();
        let (checked, passed) = checked.with_correction(correction, &completed);
        if !passed {
            return checked;
        }
        let met = match corrected {
            Some(object) => self.gate.meet(Review { object: Some(object), ..met.review }, deadline).await,
            None => met,
        };
        self.judged(checked, &met, deadline).await
    }

    fn modes_today(&self, met: &Met) -> BTreeMap<String, Mode> {
        let known = met.namespace.as_ref().map(|namespace| &namespace.labels).ok();
        let labels = labels_that_count(&met.review, known);
        let today = |policy: &Policy| {
            let spec = self.raised.get(&policy.id)?;
            let lives_in_one = met.review.request.namespace.is_some();
            let today = labels.filter(|_| lives_in_one).map_or(spec.mode, |labels| spec.mode_in(labels));
            (today != policy.mode).then(|| (policy.id.clone(), today))
        };
        met.policies().filter_map(today).collect()
    }

    async fn judged(&self, mut checked: Checked, met: &Met, deadline: Instant) -> Checked {
        let judgement = self.gate.judge(met, deadline).await;
        if let Some(unreadable) = judgement.unreadable {
            return checked.unjudgeable(unreadable.into());
        }
        checked.verdict = match judgement.decision.answer() {
            Answer::Allowed => Verdict::Allowed,
            Answer::Denied => Verdict::Denied,
            Answer::Failed => Verdict::Failed,
        };
        let before = std::mem::replace(&mut checked.decision, judgement.decision).failures;
        checked.add_failures(before);
        checked
    }

    /// Puts in what the API server would.
    fn complete(&self, manifest: &Manifest, object: &mut Value) -> Vec<Completed> {
        let kind = kind(manifest);
        let account = self.accounts.automount(manifest.namespace().unwrap_or(&self.namespace), object);
        let Some(holder) = Holder::of(&kind, account) else { return Vec::new() };
        let document = Document::from_value(object.clone());
        // A template that can't be read is told of when it is judged.
        let subjects = self.gate.paths.subjects(&kind, &document).unwrap_or_default();
        subjects.iter().flat_map(|subject| complete(object, subject.at.pointer(), holder)).collect()
    }

    fn namespace_of(&self, manifest: &Manifest) -> Option<String> {
        match scope(manifest.group(), manifest.kind()) {
            // The API server has it so for namespaces themselves.
            Scope::Cluster if (manifest.group(), manifest.kind()) == ("", "Namespace") => {
                Some(manifest.name().to_owned())
            }
            Scope::Cluster => None,
            Scope::Namespaced => Some(manifest.namespace().unwrap_or(&self.namespace).to_owned()),
        }
    }
}

impl Checked {
    fn of(namespace: Option<String>) -> Self {
        Self {
            namespace,
            verdict: Verdict::Unseen,
            modes_today: BTreeMap::new(),
            corrected: None,
            made: Vec::new(),
            decision: Decision::default(),
            exceptions: Vec::new(),
            unjudgeable: None,
        }
    }

    /// Where the field stands that can't be read, if it could not be judged for one.
    #[must_use]
    pub fn unreadable_at(&self) -> Option<&Pointer> {
        match self.unjudgeable.as_ref()? {
            Unjudgeable::Review(error) => error.place(),
            Unjudgeable::Subject(error) => error.place(),
        }
    }

    fn unjudgeable(self, why: Unjudgeable) -> Self {
        Self { verdict: Verdict::Failed, unjudgeable: Some(why), ..self }
    }

    /// With what `/mutate` would have done, and whether the request would have come any further.
    fn with_correction(mut self, correction: Correction, completed: &[Completed]) -> (Self, bool) {
        self.made = correction.made;
        self.exceptions = correction.exceptions;
        self.corrected = correction.object.map(|object| {
            let mut object = object.value().clone();
            take_back(&mut object, completed);
            object
        });
        if let Some(unreadable) = correction.unreadable {
            return (self.unjudgeable(unreadable.into()), false);
        }
        let refused = correction.failures.iter().any(PolicyFailure::refuses);
        self.add_failures(correction.failures);
        if refused {
            self.verdict = Verdict::Failed;
        }
        (self, !refused)
    }

    /// Puts failures before those that are there; one that comes again at `/validate` is told once.
    fn add_failures(&mut self, failures: Vec<PolicyFailure>) {
        let after = std::mem::replace(&mut self.decision.failures, failures);
        self.decision.failures.extend(after);
        let mut seen = HashSet::new();
        self.decision.failures.retain(|failure| seen.insert((failure.policy.clone(), failure.failure.to_string())));
    }
}
