//! Reviews as the API server sends them, and bodies that are none.

use super::*;
use serde_json::{Value, json};

fn review() -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u-1", "operation": "CREATE", "namespace": "shop", "name": "web",
            "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
            "userInfo": {"username": "jane", "groups": ["dev"], "extra": {"a": ["b"]}},
            "object": {"metadata": {"name": "web"}, "spec": {}},
            "oldObject": null, "options": null, "futureField": {"x": 1},
        }
    })
}

fn decoded(review: &Value) -> Result<Review, ReviewError> {
    decode(review.to_string().as_bytes())
}

fn without(field: &str) -> Value {
    let mut review = review();
    review["request"].as_object_mut().unwrap().remove(field);
    review
}

#[test]
fn reads_what_the_api_server_sends() {
    let review = decoded(&review()).unwrap();
    assert_eq!(review.uid, "u-1");
    assert_eq!(review.request.operation, Operation::Create);
    assert_eq!(review.request.user_name, "jane");
    assert_eq!(review.request.name.as_deref(), Some("web"));
    assert!(review.old_object.is_none());
    assert!(!review.dry_run);
}

#[test]
fn takes_the_name_from_the_old_object_when_a_collection_is_deleted() {
    let mut review = without("name");
    review["request"]["operation"] = json!("DELETE");
    review["request"]["object"] = Value::Null;
    review["request"]["oldObject"] = json!({"metadata": {"name": "web-1"}});
    assert_eq!(decoded(&review).unwrap().request.name.as_deref(), Some("web-1"));
}

#[test]
fn odd_metadata_holds_nothing_up_that_is_never_held_up() {
    let odd = json!({"metadata": {"name": "web", "labels": {"a": 1}}});
    let mut leaving = review();
    leaving["request"]["operation"] = json!("DELETE");
    leaving["request"]["object"] = Value::Null;
    leaving["request"]["oldObject"] = odd.clone();
    let mut status = review();
    status["request"]["operation"] = json!("UPDATE");
    status["request"]["subResource"] = json!("status");
    (status["request"]["object"], status["request"]["oldObject"]) = (odd.clone(), odd.clone());
    for review in [leaving, status.clone()] {
        assert!(decoded(&review).is_ok(), "{review}");
    }
    status["request"]["subResource"] = Value::Null;
    assert!(matches!(decoded(&status).unwrap_err().reason, ReviewFault::BadObject { field: "object", .. }));
}

#[test]
fn a_body_that_is_not_json_can_only_be_answered_by_http() {
    let error = decode(b"{\"kind\":").unwrap_err();
    assert!(error.uid.is_none());
    assert!(matches!(error.reason, ReviewFault::NotAReview(_)));
}

#[test]
fn invalid_utf8_is_named_by_its_place() {
    assert!(matches!(decode(b"{\"a\":\"\xff\"}").unwrap_err().reason, ReviewFault::NotUtf8(6)));
}

#[test]
fn another_version_is_refused_by_name() {
    let mut review = review();
    review["apiVersion"] = json!("admission.k8s.io/v1beta1");
    let error = decoded(&review).unwrap_err();
    assert!(error.to_string().contains("v1beta1"), "{error}");
}

#[test]
fn a_missing_uid_or_request_is_named() {
    assert!(matches!(decoded(&without("uid")).unwrap_err().reason, ReviewFault::NoUid));
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"});
    assert!(matches!(decoded(&review).unwrap_err().reason, ReviewFault::NoRequest));
}

#[test]
fn a_missing_object_is_answered_under_the_uid() {
    let error = decoded(&without("object")).unwrap_err();
    assert_eq!(error.uid.as_deref(), Some("u-1"));
    assert_eq!(error.to_string(), "CREATE without request.object");
}

#[test]
fn an_update_needs_both_objects() {
    let mut review = review();
    review["request"]["operation"] = json!("UPDATE");
    assert_eq!(decoded(&review).unwrap_err().to_string(), "UPDATE without request.oldObject");
}

#[test]
fn an_unknown_operation_is_named() {
    let mut review = review();
    review["request"]["operation"] = json!("PATCH");
    assert!(decoded(&review).unwrap_err().to_string().contains("\"PATCH\""));
}

#[test]
fn a_field_that_stands_twice_is_refused() {
    let text = review().to_string().replacen("\"uid\"", "\"uid\":\"other\",\"uid\"", 1);
    assert!(matches!(decode(text.as_bytes()).unwrap_err().reason, ReviewFault::NotAReview(_)));
}

#[test]
fn metadata_of_the_wrong_type_is_an_error_under_the_uid() {
    let mut review = review();
    review["request"]["object"] = json!({"metadata": [1]});
    let error = decoded(&review).unwrap_err();
    assert_eq!(error.uid.as_deref(), Some("u-1"));
    assert!(matches!(error.reason, ReviewFault::BadObject { field: "object", .. }));
}

#[test]
fn an_object_that_is_no_object_is_an_error_under_the_uid() {
    let mut review = review();
    review["request"]["object"] = json!("text");
    assert!(matches!(decoded(&review).unwrap_err().reason, ReviewFault::BadObject { field: "object", .. }));
}
