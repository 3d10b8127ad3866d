//! Exceptions: what of a policy's edits and violations the host drops, for whom and until when. Matching is the host's,
//! on the pod template, so that a controller and its Pods are covered alike.

use jiff::Timestamp;

use crate::api::{Covered, Metadata, PolicyExceptionSpec};
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
    #[error("spec.match.labels alone loosens for whoever writes the labels: name a serviceAccount or images as well")]
    LabelsAlone,
    /// Nobody answers for it.
    #[error("spec.{0} is empty")]
    Empty(&'static str),
}

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
    /// When.
    pub now: Timestamp,
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
        let covered = &spec.covered;
        if !covered.labels.is_empty() && covered.service_account.is_none() && covered.images.is_empty() {
            return Err(ExceptionError::LabelsAlone);
        }
        Ok(Self { name: format!("{namespace}/{}", metadata.name), namespace, spec })
    }

    /// Whether it is over.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        self.spec.expires <= now
    }

    /// The policy that it loosens.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.spec.policy
    }

    /// Whether it stops this edit or violation.
    #[must_use]
    pub fn covers(&self, occasion: &Occasion<'_>) -> bool {
        let spec = &self.spec;
        let container_named = |name: &str| spec.containers.iter().any(|known| known == name);
        !self.expired(occasion.now)
            && self.namespace == occasion.namespace
            && spec.policy == occasion.policy
            && (spec.rules.is_empty() || spec.rules.iter().any(|rule| rule == occasion.rule))
            && (spec.containers.is_empty() || occasion.container.is_some_and(container_named))
            && spec.covered.covers(occasion)
    }
}

impl Covered {
    fn covers(&self, occasion: &Occasion<'_>) -> bool {
        let asks = !self.labels.is_empty() || self.service_account.is_some() || !self.images.is_empty();
        let Some(template) = occasion.template else { return !asks };
        let labels = &template.pod.labels;
        let account = template.pod.service_account.as_deref().unwrap_or("default");
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
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn exception(spec: &Value) -> Result<Exception, ExceptionError> {
        let mut full = json!({"policy": "non-root", "owner": "team", "ticket": "T-1", "reason": "legacy", "expires": "2027-01-01T00:00:00Z"});
        full.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let metadata = Metadata { name: "e".into(), namespace: Some("shop".into()), ..Metadata::default() };
        Exception::new(&metadata, serde_json::from_value(full).unwrap())
    }

    fn template() -> Template {
        Template::read(json!({
            "metadata": {"labels": {"app": "db"}},
            "spec": {"serviceAccountName": "db", "containers": [
                {"name": "db", "image": "reg:5000/team/db:1@sha256:00"}, {"name": "side", "image": "busybox"}
            ]}
        }))
        .unwrap()
    }

    fn covers(spec: &Value, rule: &str, container: Option<&str>) -> bool {
        let template = template();
        exception(spec).unwrap().covers(&Occasion {
            namespace: "shop",
            policy: "non-root",
            rule,
            container,
            template: Some(&template),
            now: "2026-06-01T00:00:00Z".parse().unwrap(),
        })
    }

    #[test]
    fn covers_all_of_a_policy_where_nothing_narrower_is_said() {
        assert!(covers(&json!({}), "any", None));
        assert!(covers(&json!({}), "any", Some("db")));
    }

    #[test]
    fn a_rule_or_a_container_narrows_it() {
        assert!(!covers(&json!({"rules": ["root"]}), "other", None));
        assert!(covers(&json!({"containers": ["db"]}), "root", Some("db")));
        assert!(!covers(&json!({"containers": ["db"]}), "root", Some("side")));
        assert!(!covers(&json!({"containers": ["db"]}), "root", None));
    }

    #[test]
    fn an_image_covers_its_own_container_and_a_pod_only_if_all_are_named() {
        let spec = json!({"match": {"images": ["reg:5000/team/*"]}});
        assert!(covers(&spec, "root", Some("db")));
        assert!(!covers(&spec, "root", Some("side")));
        assert!(!covers(&spec, "root", None));
        assert!(covers(&json!({"match": {"images": ["reg:5000/team/db", "busybox"]}}), "root", None));
    }

    #[test]
    fn labels_count_only_with_a_service_account_or_an_image() {
        assert_eq!(exception(&json!({"match": {"labels": {"app": "db"}}})), Err(ExceptionError::LabelsAlone));
        assert!(covers(&json!({"match": {"labels": {"app": "db"}, "serviceAccount": "db"}}), "root", None));
        assert!(!covers(&json!({"match": {"labels": {"app": "x"}, "serviceAccount": "db"}}), "root", None));
    }

    #[test]
    fn an_expired_exception_no_longer_counts() {
        assert!(!covers(&json!({"expires": "2026-06-01T00:00:00Z"}), "root", None));
    }

    #[test]
    fn somebody_has_to_answer_for_it() {
        assert_eq!(exception(&json!({"owner": " "})), Err(ExceptionError::Empty("owner")));
    }

    #[test]
    fn a_repository_is_the_image_without_tag_and_digest() {
        assert_eq!(repository("reg:5000/a/b"), "reg:5000/a/b");
        assert_eq!(repository("reg:5000/a/b:1@sha256:aa"), "reg:5000/a/b");
        assert_eq!(repository("nginx:1.27"), "nginx");
    }
}
