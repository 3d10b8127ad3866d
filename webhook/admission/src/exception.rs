//! Exceptions: what of a policy's edits and violations the host drops, for whom and until when. Matching is the host's,
//! on the pod template, so that a controller and its Pods are covered alike.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::api::{Covered, Metadata, OptOut, PolicyExceptionSpec};
use crate::template::{Container, Template};

/// A checked exception.
#[derive(Debug, Clone, PartialEq)]
pub struct Exception {
    /// `namespace/name`.
    pub name: String,
    namespace: String,
    spec: PolicyExceptionSpec,
}

/// An exception that can't be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExceptionError {
    /// It is namespaced.
    #[error("metadata.namespace is missing: an exception holds in one namespace")]
    NoNamespace,
    /// A loosening that anyone who can write a workload could give himself.
    #[error(
        "spec.match.labels alone loosens for whoever writes the labels: name a serviceAccount other than default, images or \
         an annotation as well"
    )]
    LabelsAlone,
    /// A pattern that nearly every image fits, which names none.
    #[error(
        "spec.match.images: {0:?} names no image: write at least a registry or the first part of the name before the \"*\""
    )]
    AnyImage(String),
    /// A star where it stands for nothing.
    #[error("spec.match.images: {0:?} fits no image: a \"*\" stands at the end alone")]
    StarWithin(String),
    /// An annotation that stands on workloads for another reason, or may come to.
    #[error(
        "spec.match.annotation.name: {0:?} is no opt-out: take a name with a domain of your own, as in \
         acme.example/allow-root, that nothing else sets"
    )]
    NoOptOut(String),
    /// Nobody answers for it.
    #[error("spec.{0} is empty")]
    Empty(&'static str),
}

/// How it stands with the end of an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Term {
    /// It counts, and will for a while.
    Runs,
    /// It counts, and ends within [`SOON`].
    EndsSoon,
    /// It no longer counts.
    Over,
}

/// How long before its end an exception is told of: two weeks.
pub const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What an exception is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// Namespace of the request.
    pub namespace: &'a str,
    /// The policy instance.
    pub policy: &'a str,
    /// The rule that is violated or asks for an edit.
    pub rule: &'a str,
    /// The container; none for the pod.
    pub container: Option<&'a str>,
    /// The template that is judged, if there is one.
    pub template: Option<&'a Template>,
    /// Annotations of the object, which count where there is no template.
    pub annotations: &'a BTreeMap<String, String>,
    /// When.
    pub now: Timestamp,
}

impl Term {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Runs, Self::EndsSoon, Self::Over];

    /// As reports and metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::EndsSoon => "ends-soon",
            Self::Over => "over",
        }
    }
}

impl Exception {
    /// Checks an exception.
    ///
    /// # Errors
    /// Says what is missing or may not be.
    pub fn new(metadata: &Metadata, spec: PolicyExceptionSpec) -> Result<Self, ExceptionError> {
        let namespace = metadata.namespace.clone().ok_or(ExceptionError::NoNamespace)?;
        let named =
            [("policy", &spec.policy), ("owner", &spec.owner), ("ticket", &spec.ticket), ("reason", &spec.reason)];
        if let Some((field, _)) = named.iter().find(|(_, text)| text.trim().is_empty()) {
            return Err(ExceptionError::Empty(field));
        }
        spec.covered.check()?;
        Ok(Self { name: format!("{namespace}/{}", metadata.name), namespace, spec })
    }

    /// How it stands with its end.
    #[must_use]
    pub fn term(&self, now: Timestamp) -> Term {
        match self.spec.expires.duration_since(now) {
            left if left <= SignedDuration::ZERO => Term::Over,
            left if left <= SOON => Term::EndsSoon,
            _ => Term::Runs,
        }
    }

    /// What there is to tell of its end, in one sentence without a full stop; none while it runs.
    #[must_use]
    pub fn notice(&self, now: Timestamp) -> Option<String> {
        let PolicyExceptionSpec { policy, owner, ticket, expires, .. } = &self.spec;
        let words = match self.term(now) {
            Term::Runs => return None,
            Term::EndsSoon => "expires at",
            Term::Over => "no longer counts: it expired at",
        };
        Some(format!("the exception {} from {policy} ({owner}, {ticket}) {words} {expires}", self.name))
    }

    /// What was agreed.
    #[must_use]
    pub fn spec(&self) -> &PolicyExceptionSpec {
        &self.spec
    }

    /// Its name as a use of it is recorded: with the annotation, if the workload asked for it by one.
    #[must_use]
    pub fn use_name(&self) -> String {
        match &self.spec.covered.annotation {
            Some(opt_out) => format!("{} (annotation {})", self.name, opt_out.name),
            None => self.name.clone(),
        }
    }

    /// The policy that it loosens.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.spec.policy
    }

    /// The namespace that it holds in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whether it can stop anything of this policy in this namespace.
    #[must_use]
    pub fn is_about(&self, namespace: &str, policy: &str) -> bool {
        self.namespace == namespace && self.spec.policy == policy
    }

    /// Whether it stops this edit or violation.
    #[must_use]
    pub fn covers(&self, occasion: &Occasion<'_>) -> bool {
        let spec = &self.spec;
        let container_named = |name: &str| spec.containers.iter().any(|known| known == name);
        self.term(occasion.now) != Term::Over
            && self.is_about(occasion.namespace, occasion.policy)
            && (spec.rules.is_empty() || spec.rules.iter().any(|rule| rule == occasion.rule))
            && (spec.containers.is_empty() || occasion.container.is_some_and(container_named))
            && spec.covered.covers(occasion)
    }
}

impl Covered {
    fn check(&self) -> Result<(), ExceptionError> {
        let own_account = self.service_account.as_deref().is_some_and(|account| account != DEFAULT_ACCOUNT);
        if !self.labels.is_empty() && !own_account && self.images.is_empty() && self.annotation.is_none() {
            return Err(ExceptionError::LabelsAlone);
        }
        if let Some(image) = self.images.iter().find(|image| names_no_image(image)) {
            return Err(ExceptionError::AnyImage(image.clone()));
        }
        if let Some(image) = self.images.iter().find(|image| has_star_within(image)) {
            return Err(ExceptionError::StarWithin(image.clone()));
        }
        match &self.annotation {
            Some(opt_out) if !is_own_name(&opt_out.name) => Err(ExceptionError::NoOptOut(opt_out.name.clone())),
            _ => Ok(()),
        }
    }

    fn covers(&self, occasion: &Occasion<'_>) -> bool {
        let asks = !self.labels.is_empty() || self.service_account.is_some() || !self.images.is_empty();
        if !self.annotation.as_ref().is_none_or(|opt_out| opt_out.is_on(occasion)) {
            return false;
        }
        let Some(template) = occasion.template else { return !asks };
        let labels = &template.pod.labels;
        let account = template.pod.service_account.as_deref().unwrap_or(DEFAULT_ACCOUNT);
        self.labels.iter().all(|(name, value)| labels.iter().any(|(n, v)| n == name && v == value))
            && self.service_account.as_deref().is_none_or(|wanted| wanted == account)
            && (self.images.is_empty() || self.images_cover(template, occasion.container))
    }

    /// For a container: its image. For the pod: the images of all of its containers.
    fn images_cover(&self, template: &Template, container: Option<&str>) -> bool {
        let of_it = |candidate: &&Container| container.is_none_or(|name| candidate.name == name);
        let mut containers = template.containers.iter().filter(of_it).peekable();
        containers.peek().is_some()
            && containers.all(|container| self.images.iter().any(|image| same_repository(image, &container.image)))
    }
}

impl OptOut {
    /// Whether it stands on the template; on the object, if there is no template.
    fn is_on(&self, occasion: &Occasion<'_>) -> bool {
        let fits = |value: &str| self.value.as_deref().is_none_or(|wanted| wanted == value);
        match occasion.template {
            Some(template) => template.pod.annotations.iter().any(|(name, value)| *name == self.name && fits(value)),
            None => occasion.annotations.get(&self.name).is_some_and(|value| fits(value)),
        }
    }
}

/// The account of a pod that names none: everybody's.
const DEFAULT_ACCOUNT: &str = "default";

/// Domains whose annotations clusters set by themselves, and ours, which stand on all that we put right.
const SET_BY_OTHERS: [&str; 3] = ["kubernetes.io", "k8s.io", "portreeve.dev"];

/// A pattern without a whole part before its star fits what anybody names.
fn names_no_image(pattern: &str) -> bool {
    let has_part = |prefix: &str| prefix.split_once('/').is_some_and(|(first, _)| !first.is_empty());
    pattern.trim().is_empty() || pattern.strip_suffix('*').is_some_and(|prefix| !has_part(prefix))
}

/// A star that is not the last letter is one of the name, and no image has it there.
fn has_star_within(pattern: &str) -> bool {
    pattern.strip_suffix('*').unwrap_or(pattern).contains('*')
}

/// A name with a domain before the slash, of nobody who sets annotations unasked.
fn is_own_name(name: &str) -> bool {
    let Some((domain, name)) = name.split_once('/') else { return false };
    let of = |other: &&str| domain.strip_suffix(other).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    domain.contains('.') && !name.is_empty() && !SET_BY_OTHERS.iter().any(of)
}

fn same_repository(pattern: &str, image: &str) -> bool {
    let repository = repository(image);
    match pattern.strip_suffix('*') {
        Some(prefix) => repository.starts_with(prefix),
        None => repository == pattern,
    }
}

/// An image as written, without tag and digest.
fn repository(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

#[cfg(test)]
mod tests;
