//! Gathering: what the policies were granted, for the images, the namespace and its objects, all at once and under the
//! request's deadline. A fact that can't be had is put down as missing, with the reason.
//!
//! Who knows of other objects is told in `around`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use portreeve_admission::case::{Fact, FactKind, Facts};
use portreeve_admission::matching::is_namespace;
use portreeve_admission::policy::Policy;
use portreeve_admission::template::Template;
use portreeve_supply::{Freshness, Images};
use serde_json::json;

use super::{Gate, Met};
use crate::around::Around;
use crate::set::Listed;

/// The annotation that `kubectl rollout restart` changes.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// Why nothing is known of Pods where something else than a Namespace is judged: nobody reads thousands of them for
/// each.
const OF_NAMESPACES: &str = "Pods that run are shown to whoever judges a Namespace, and to nobody else";

/// Why nothing is known of signatures.
const UNVERIFIED: &str = "this server verifies no signatures: take image-signatures out of force until one that does is \
                          installed, or set its failurePolicy to Ignore";

/// Where the facts of one round come from.
pub(super) struct Sources<'a> {
    images: &'a Images,
    around: &'a Around,
    met: &'a Met,
}

impl<'a> Sources<'a> {
    /// Those that a request has.
    pub(super) fn of(gate: &'a Gate, met: &'a Met) -> Self {
        Self { images: &gate.images, around: &gate.around, met }
    }

    fn namespace(&self) -> Fact {
        self.met.namespace.as_ref().map(|namespace| namespace.as_fact().into()).map_err(Clone::clone)
    }

    /// What is known without asking anybody.
    fn known(&self, kind: FactKind) -> Option<Fact> {
        let (set, name) = (&self.met.set, self.met.review.request.namespace.as_deref());
        match Listed::behind(kind) {
            Some(Listed::Pod) if !is_namespace(&self.met.review) => Some(Err(OF_NAMESPACES.to_owned())),
            Some(Listed::Node) => Some(self.around.fact(set, Listed::Node, "")),
            Some(listed) => name.map(|namespace| self.around.fact(set, listed, namespace)),
            None => (kind == FactKind::Namespace).then(|| self.namespace()),
        }
    }
}

/// The facts that these policies were granted: about a template, if there is one, and what stands around it.
pub(super) async fn gather(
    sources: &Sources<'_>,
    policies: &[&Policy],
    template: Option<&Template>,
    before: Option<&Template>,
    deadline: Instant,
) -> Facts {
    let kinds: BTreeSet<FactKind> = policies.iter().flat_map(|policy| policy.facts.iter().copied()).collect();
    let mut facts = Facts::default();
    for (kind, fact) in kinds.iter().filter_map(|kind| Some((*kind, sources.known(*kind)?))) {
        facts.insert(kind, "", fact);
    }
    let Some(template) = template else { return facts };
    let asked: Vec<Question> =
        kinds.iter().flat_map(|kind| questions(*kind, template, before)).collect::<BTreeSet<_>>().into_iter().collect();
    let answers = join_all(asked.iter().map(|question| answer(sources, question, deadline))).await;
    for (question, value) in asked.into_iter().zip(answers) {
        facts.insert(question.kind, question.image, value);
    }
    facts
}

/// What is asked about an image.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    kind: FactKind,
    image: String,
    again: bool,
}

fn questions(kind: FactKind, template: &Template, before: Option<&Template>) -> Vec<Question> {
    let restart = is_restart(template, before);
    let ask = |image: &str| Question { kind, image: image.to_owned(), again: restart };
    match kind {
        FactKind::Namespace
        | FactKind::NetworkPolicies
        | FactKind::DisruptionBudgets
        | FactKind::Autoscalers
        | FactKind::Services
        | FactKind::RunningPods
        | FactKind::Zones => Vec::new(),
        FactKind::ImageConfig | FactKind::ImageSignatures => {
            template.image_names().map(|image| Question { again: false, ..ask(image) }).collect()
        }
        FactKind::ImageDigest => template
            .image_names()
            // What is pinned is not asked, unless a restart asks the tag again of what ran until now: who goes back to
            // an earlier revision wants its digests.
            .filter_map(|image| match image.split_once('@') {
                None => Some(image),
                Some((tagged, digest)) => (restart && had(before, digest)).then_some(tagged),
            })
            .map(ask)
            .collect(),
    }
}

/// With mutable tags a restart is how people deploy: the registry is asked again.
fn is_restart(template: &Template, before: Option<&Template>) -> bool {
    let restarted = |template: &Template| {
        template.pod.annotations.iter().find(|(name, _)| name == RESTARTED).map(|(_, at)| at.clone())
    };
    before.is_some_and(|before| restarted(template).is_some() && restarted(template) != restarted(before))
}

/// Whether an image of the template had this digest.
fn had(before: Option<&Template>, digest: &str) -> bool {
    let has_it = |image: &str| image.split_once('@').is_some_and(|(_, old)| old == digest);
    before.is_some_and(|before| before.image_names().any(has_it))
}

async fn answer(sources: &Sources<'_>, question: &Question, deadline: Instant) -> Result<Arc<str>, String> {
    let (images, deadline) = (sources.images, deadline.into());
    let value = match question.kind {
        FactKind::ImageSignatures => return Err(UNVERIFIED.to_owned()),
        FactKind::ImageConfig => images.config(&question.image, deadline).await.map(|config| json!(config)),
        _ => {
            let freshness =
                if question.again { Freshness::Since(sources.met.begun.into()) } else { Freshness::Remembered };
            let digest = images.digest(&question.image, freshness, deadline).await;
            digest.map(|digest| json!({"digest": digest.to_string()}))
        }
    };
    value.map(|value| value.to_string().into()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(image: &str, restarted: &str) -> Template {
        Template::read(json!({
            "metadata": {"annotations": {RESTARTED: restarted}},
            "spec": {
                "containers": [{"name": "a", "image": image}],
                "volumes": [{"name": "v", "image": {"reference": "models:1"}}, {"name": "h", "hostPath": {"path": "/x"}}],
            },
        }))
        .unwrap()
    }

    fn asked(kind: FactKind, template: &Template, before: Option<&Template>) -> Vec<(String, bool)> {
        questions(kind, template, before).into_iter().map(|question| (question.image, question.again)).collect()
    }

    #[test]
    fn digests_are_asked_for_images_without_one() {
        let asked = asked(FactKind::ImageDigest, &template("web:1", ""), None);
        assert_eq!(asked, [("web:1".into(), false), ("models:1".into(), false)]);
    }

    #[test]
    fn a_pinned_image_is_not_asked_for() {
        let asked = asked(FactKind::ImageDigest, &template("web:1@sha256:00", ""), None);
        assert_eq!(asked, [("models:1".into(), false)]);
    }

    #[test]
    fn a_restart_asks_the_registry_again_for_pinned_images_too() {
        let (old, new) = (template("web:1@sha256:00", "monday"), template("web:1@sha256:00", "tuesday"));
        assert_eq!(asked(FactKind::ImageDigest, &new, Some(&old))[0], ("web:1".into(), true));
    }

    #[test]
    fn a_way_back_to_a_revision_that_a_restart_made_asks_for_nothing() {
        let (bad, good) = (template("web:1@sha256:02", "tuesday"), template("web:1@sha256:01", "monday"));
        assert_eq!(asked(FactKind::ImageDigest, &good, Some(&bad)), [("models:1".into(), true)]);
    }

    #[test]
    fn configurations_are_asked_by_the_image_as_written() {
        let asked = asked(FactKind::ImageConfig, &template("web:1@sha256:00", ""), None);
        assert_eq!(asked[0].0, "web:1@sha256:00");
    }
}
