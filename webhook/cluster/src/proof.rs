//! What a cluster comes back by, tried on the cluster itself: each thing is created as a dry run, which asks every
//! webhook that is registered, and stores nothing. Whether it would be held up by what *will* be registered is worked
//! out in `registration::doctor`.

use std::error::Error;
use std::fmt;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{DynamicObject, PostParams};
use kube::{Api, Client};
use portreeve_admission::case::GroupVersionKind;
use portreeve_admission::recovery::role;
use serde_json::{Value, json};

/// Names of our webhooks end so, and a refusal names the webhook in quotes.
///
/// This is the one place where words of an error decide: an API server that was denied by a webhook, or that could not
/// call it, tells which one in no other field. Of a denial `details` is what the webhook sent, and of a call that
/// failed `details.causes` is the same sentence again.
const OURS: &str = ".portreeve.dev\"";

/// Codes of an API server that did not come to asking any webhook: it does not know us, or the namespace, or has no
/// time.
const NOT_ASKED: [u16; 6] = [401, 404, 408, 429, 503, 504];

/// One trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What was tried, such as `Pod in kube-system`.
    pub what: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody stood in the way.
    Passed,
    /// We did, in these words.
    HeldUp(String),
    /// Somebody else did, in these words; whether we would have is not known.
    Refused(String),
    /// It could not be tried: who asks may not create such things, or the API server did not answer.
    Untried(String),
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Passed => write!(f, "{}: passes", self.what),
            Outcome::HeldUp(words) => write!(f, "{}: held up by us: {words}", self.what),
            Outcome::Refused(words) => write!(f, "{}: not known, since somebody else refuses: {words}", self.what),
            Outcome::Untried(words) => write!(f, "{}: could not be tried: {words}", self.what),
        }
    }
}

/// Tries what a cluster, and we ourselves in `own` namespace, come back by. `namespaces` are those that there are.
pub async fn prove<'a>(client: &Client, own: &str, namespaces: impl IntoIterator<Item = &'a String>) -> Vec<Proof> {
    let lease = |namespace| Trial::of("coordination.k8s.io", "Lease", Some(namespace));
    let mut trials = vec![Trial::of("", "Node", None), lease("kube-node-lease"), lease(own)];
    let vital = namespaces.into_iter().filter(|namespace| *namespace == own || role(namespace).is_some());
    trials.extend(vital.map(|namespace| Trial::of("", "Pod", Some(namespace))));
    let mut proofs = Vec::new();
    for trial in trials {
        proofs.push(Proof { what: trial.to_string(), outcome: trial.outcome(client).await });
    }
    proofs
}

/// Something that is created as a dry run.
struct Trial<'a> {
    kind: GroupVersionKind,
    namespace: Option<&'a str>,
}

impl fmt::Display for Trial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind.kind)?;
        self.namespace.map_or(Ok(()), |namespace| write!(f, " in {namespace}"))
    }
}

impl<'a> Trial<'a> {
    /// The first version of a kind, in this namespace if it is in any.
    fn of(group: &str, kind: &str, namespace: Option<&'a str>) -> Self {
        let kind = GroupVersionKind { group: group.to_owned(), version: "v1".to_owned(), kind: kind.to_owned() };
        Self { kind, namespace }
    }

    async fn outcome(&self, client: &Client) -> Outcome {
        let status = match self.create(client).await {
            Ok(()) => return Outcome::Passed,
            Err(kube::Error::Api(status)) => *status,
            Err(error) => return Outcome::Untried(chain(&error)),
        };
        if status.message.contains(OURS) {
            return Outcome::HeldUp(status.message);
        }
        // Who has no right is refused by the same code as who stands before somebody's webhook.
        let asked = !NOT_ASKED.contains(&status.code) && (status.code != 403 || self.is_allowed(client).await);
        if asked { Outcome::Refused(status.message) } else { Outcome::Untried(status.message) }
    }

    async fn create(&self, client: &Client) -> Result<(), kube::Error> {
        let resource = crate::api_resource(&self.kind);
        let api: Api<DynamicObject> = match self.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let object = object(&resource.api_version, &resource.kind, self.namespace);
        let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
        api.create(&PostParams { dry_run: true, field_manager: None }, &object).await.map(drop)
    }

    /// Whether who asks has the right to create it; not where that is not told.
    async fn is_allowed(&self, client: &Client) -> bool {
        let resource = crate::api_resource(&self.kind);
        let attributes = ResourceAttributes {
            verb: Some("create".to_owned()),
            group: Some(resource.group),
            version: Some(resource.version),
            resource: Some(resource.plural),
            namespace: self.namespace.map(str::to_owned),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..Default::default() };
        let told = Api::all(client.clone()).create(&PostParams::default(), &review).await;
        told.is_ok_and(|review: SelfSubjectAccessReview| review.status.is_some_and(|status| status.allowed))
    }
}

/// An error, and each cause that it does not tell itself.
fn chain(error: &kube::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = error.source();
    }
    words
}

/// The least that the API server takes. Of a Pod it has what every level of Pod Security asks for, so that the built-in
/// controller stands in nobody's way.
fn object(api_version: &str, kind: &str, namespace: Option<&str>) -> Value {
    let spec = match kind {
        "Pod" => json!({
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "doctor",
                "image": "portreeve.invalid/doctor",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        }),
        _ => json!({}),
    };
    json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"generateName": "portreeve-doctor-", "namespace": namespace},
        "spec": spec,
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use hyper::{Request, Response};
    use kube::client::Body;
    use tower::service_fn;

    use super::*;

    /// An API server that refuses every Node so, and says whether we had the right.
    fn refusing(code: u16, message: &'static str, allowed: bool) -> Client {
        let answer = move |request: Request<Body>| async move {
            let (code, answer) = match request.uri().path() {
                "/api/v1/nodes" => (code, json!({"kind": "Status", "code": code, "message": message})),
                _ => (201, json!({"metadata": {}, "spec": {}, "status": {"allowed": allowed}})),
            };
            let body = Body::from(answer.to_string().into_bytes());
            Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
        };
        Client::new(service_fn(answer), "default")
    }

    async fn outcome(client: &Client) -> Outcome {
        Trial::of("", "Node", None).outcome(client).await
    }

    #[tokio::test]
    async fn a_refusal_that_names_a_webhook_of_ours_is_our_doing() {
        for words in [
            "admission webhook \"validate.portreeve.dev\" denied the request: no",
            "Internal error occurred: failed calling webhook \"mutate.portreeve.dev\": failed to call webhook: EOF",
            "admission webhook \"namespaces.validate.portreeve.dev\" denied the request: no",
        ] {
            assert_eq!(outcome(&refusing(403, words, true)).await, Outcome::HeldUp(words.to_owned()));
        }
    }

    #[tokio::test]
    async fn what_others_refuse_is_told_from_what_could_not_be_tried() {
        let denied = "admission webhook \"validate.kyverno.svc\" denied the request: no";
        let [refused, untried] = [Outcome::Refused(denied.to_owned()), Outcome::Untried(denied.to_owned())];
        for (code, allowed, outcome_is) in [
            (400, true, &refused),
            (403, true, &refused),
            (403, false, &untried),
            (404, true, &untried),
            (429, true, &untried),
            (500, true, &refused),
            (504, true, &untried),
        ] {
            assert_eq!(outcome(&refusing(code, denied, allowed)).await, *outcome_is, "{code}, {allowed}");
        }
    }

    #[tokio::test]
    async fn an_api_server_that_does_not_answer_refuses_nothing() {
        let gone =
            service_fn(async |_: Request<Body>| Err::<Response<Body>, _>(std::io::Error::other("connection reset")));
        let Outcome::Untried(words) = outcome(&Client::new(gone, "default")).await else { panic!() };
        assert!(words.contains("connection reset"), "{words}");
    }
}
