//! What became of requests, put down for whoever writes events.

use portreeve_admission::decision::Decision;
use portreeve_admission::review::Review;
use portreeve_cluster::events::{EventSender, Happening, Involved, ObjectRef};
use portreeve_server::witness::Witness;
use serde::Deserialize;

/// Puts it down.
pub(super) struct Notes(pub(super) EventSender);

impl Witness for Notes {
    fn saw(&self, review: &Review, decision: &Decision) {
        for happening in Happening::all_of(decision, &involved(review)) {
            self.0.send(happening);
        }
    }

    fn untold(&self) -> u64 {
        self.0.dropped()
    }
}

/// The object of a request, and whose it is.
fn involved(review: &Review) -> Involved {
    let request = &review.request;
    let (object, meta) = match &review.object {
        Some(object) => (Some(object), &review.meta),
        None => (review.old_object.as_ref(), &review.old_meta),
    };
    let metadata: Metadata =
        object.and_then(|object| Metadata::deserialize(object.value().get("metadata")?).ok()).unwrap_or_default();
    let name = request.name.clone().or_else(|| meta.name.clone()).or_else(|| meta.generate_name.clone());
    let controller = metadata.owner_references.into_iter().flatten().find(|owner| owner.controller == Some(true));
    Involved {
        object: ObjectRef {
            api_version: request.kind.api_version(),
            kind: request.kind.kind.clone(),
            namespace: request.namespace.clone(),
            name: name.unwrap_or_default(),
            uid: metadata.uid,
        },
        controller: controller.map(|owner| ObjectRef {
            api_version: owner.api_version,
            kind: owner.kind,
            namespace: request.namespace.clone(),
            name: owner.name,
            uid: Some(owner.uid),
        }),
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: Option<String>,
    owner_references: Option<Vec<Owner>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    api_version: String,
    kind: String,
    name: String,
    uid: String,
    controller: Option<bool>,
}
