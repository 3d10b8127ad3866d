//! An edit as it is recorded: who asked for it, where, and, of images alone, what was there before the request and what
//! is there now. Images are no secrets, and which digest went out for which is what people ask a book about; of all
//! else that is edited the record holds no value.

use std::borrow::Cow;

use portreeve_admission::document::Document;
use portreeve_admission::edit::Claim;
use portreeve_admission::pointer::list_index;
use portreeve_admission::review::Review;
use portreeve_admission::verdict::Change;
use serde::Serialize;
use serde_json::Value;

use super::{TEXT, shortened, told};

/// Lists of containers. Argo Workflows have `sidecars` beside them.
const CONTAINERS: [&str; 4] = ["containers", "initContainers", "ephemeralContainers", "sidecars"];

/// Single containers, of the templates of an Argo Workflow.
const CONTAINER: [&str; 2] = ["container", "script"];

/// What tells the elements of a list apart: containers, volumes and jobs by the first, groups of workers by the second.
const NAMES: [&str; 2] = ["name", "groupName"];

#[derive(Serialize)]
pub(super) struct Edited<'a> {
    pub(super) at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) now: Option<Cow<'a, str>>,
    pub(super) policy: &'a str,
    pub(super) rule: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) was: Option<Cow<'a, str>>,
}

impl<'a> Edited<'a> {
    pub(super) fn of(claim: &'a Claim, review: &'a Review) -> Self {
        let named = named_image(claim).map(whole);
        let was = named.as_ref().and_then(|_| image_before(claim, review)).map(whole);
        Self { at: told(&claim.pointer), now: named, policy: &claim.policy, rule: shortened(&claim.rule), was }
    }
}

/// The image that an edit names.
fn named_image(claim: &Claim) -> Option<&str> {
    let (Change::Set(value) | Change::Default(value)) = &claim.change else { return None };
    is_of_image(claim.pointer.tokens()).then(|| value.as_str()).flatten()
}

fn is_of_image(tokens: &[String]) -> bool {
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    match tokens.as_slice() {
        ["spec", .., list, index, "image"] if CONTAINERS.contains(list) => list_index(index).is_some(),
        ["spec", .., one, "image"] => CONTAINER.contains(one),
        ["spec", .., "volumes", index, "image", "reference"] => list_index(index).is_some(),
        _ => false,
    }
}

/// What ran before the request; where nothing did, what was written. A restart may come with the tag alone, while the
/// digest that is given up stands in the object before.
fn image_before<'a>(claim: &Claim, review: &'a Review) -> Option<&'a str> {
    let (tokens, came) = (claim.pointer.tokens(), review.object.as_deref().map(Document::value)?);
    let old = review.old_object.as_deref().map(Document::value);
    let ran = old.and_then(|old| counterpart(tokens, came, old));
    ran.or_else(|| claim.pointer.find(came)).and_then(Value::as_str)
}

/// What stands in `old` where this way leads to in `came`: elements of lists are the same by their names, not their
/// places.
fn counterpart<'a>(way: &[String], came: &Value, old: &'a Value) -> Option<&'a Value> {
    let [token, rest @ ..] = way else { return Some(old) };
    let next = match came {
        Value::Object(fields) => fields.get(token)?,
        Value::Array(items) => items.get(list_index(token)?)?,
        _ => return None,
    };
    let there = match (old, name(next)) {
        (Value::Object(fields), _) => fields.get(token)?,
        (Value::Array(items), Some(own)) => items.iter().find(|item| name(item) == Some(own))?,
        (Value::Array(items), None) => items.get(list_index(token)?)?,
        _ => return None,
    };
    counterpart(rest, next, there)
}

fn name(element: &Value) -> Option<&str> {
    NAMES.iter().find_map(|field| element.get(field)?.as_str())
}

/// Shortened, but for the digest, which is what it is recorded for.
fn whole(image: &str) -> Cow<'_, str> {
    match image.split_once('@') {
        Some((name, digest)) if image.len() > TEXT && digest.len() < TEXT => {
            Cow::Owned(format!("{}…@{digest}", shortened(name)))
        }
        _ => shortened(image),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_admission::review::decode;
    use serde_json::json;

    fn pod(images: &[(&str, &str)]) -> Value {
        let containers: Vec<Value> = images.iter().map(|(name, image)| json!({"name": name, "image": image})).collect();
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": containers}})
    }

    fn review(object: &Value, old: &Value) -> Review {
        let request = json!({
            "uid": "u", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "name": "web", "namespace": "shop",
            "resource": {"group": "", "version": "v1", "resource": "pods"}, "userInfo": {"username": "jane"},
            "operation": if old.is_null() { "CREATE" } else { "UPDATE" }, "object": object, "oldObject": old,
        });
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        decode(review.to_string().as_bytes()).unwrap()
    }

    fn claim(pointer: &str, now: Value) -> Claim {
        let pointer = pointer.parse().unwrap();
        Claim { policy: "p".to_owned(), rule: "r".to_owned(), pointer, change: Change::Set(now) }
    }

    fn was_and_now(claim: &Claim, review: &Review) -> (Option<String>, Option<String>) {
        let edited = Edited::of(claim, review);
        (edited.was.map(Cow::into_owned), edited.now.map(Cow::into_owned))
    }

    fn some(was: &str, now: &str) -> (Option<String>, Option<String>) {
        (Some(was.to_owned()), Some(now.to_owned()))
    }

    #[test]
    fn what_ran_before_is_found_by_the_containers_name() {
        let new = pod(&[("side", "s:1"), ("app", "a:1")]);
        let old = pod(&[("app", "a:1@sha256:aa"), ("side", "s:1@sha256:bb")]);
        let pinned = claim("/spec/containers/1/image", json!("a:1@sha256:cc"));
        assert_eq!(was_and_now(&pinned, &review(&new, &old)), some("a:1@sha256:aa", "a:1@sha256:cc"));
    }

    #[test]
    fn where_nothing_ran_before_it_is_what_was_written() {
        let new = pod(&[("app", "a:1")]);
        let pinned = claim("/spec/containers/0/image", json!("a:1@sha256:cc"));
        for old in [Value::Null, pod(&[("other", "b:1@sha256:bb")])] {
            assert_eq!(was_and_now(&pinned, &review(&new, &old)), some("a:1", "a:1@sha256:cc"));
        }
    }

    #[test]
    fn of_all_but_images_no_value_is_recorded() {
        let review = review(&pod(&[("app", "a:1")]), &Value::Null);
        for pointer in ["/spec/containers/0/command", "/spec/image", "/metadata/annotations/image", "/spec/nodeName"] {
            assert_eq!(was_and_now(&claim(pointer, json!("x")), &review), (None, None), "{pointer}");
        }
    }

    #[test]
    fn of_a_long_image_the_digest_stays() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let edited = whole(&format!("{}@{digest}", "a".repeat(400))).into_owned();
        assert!(edited.ends_with(&digest) && edited.len() < 400, "{edited}");
    }

    #[test]
    fn its_fields_are_in_the_order_of_the_alphabet() {
        let (new, old) = (pod(&[("app", "a:1")]), pod(&[("app", "a:1@sha256:aa")]));
        let (pinned, review) = (claim("/spec/containers/0/image", json!("a:1@sha256:cc")), review(&new, &old));
        let edited = Edited::of(&pinned, &review);
        let canonical = portreeve_ledger::Body::of(&edited).unwrap();
        assert_eq!(serde_json::to_string(&edited).unwrap(), canonical.as_str());
    }
}
