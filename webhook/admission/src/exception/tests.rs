//! Whom an exception covers, what may not be one, and how it ends.

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
        "metadata": {"labels": {"app": "db"}, "annotations": {"acme.example/allow-root": "yes"}},
        "spec": {"serviceAccountName": "db", "containers": [
            {"name": "db", "image": "reg:5000/team/db:1@sha256:00"}, {"name": "side", "image": "busybox"}
        ]}
    }))
    .unwrap()
}

fn covers(spec: &Value, rule: &str, container: Option<&str>) -> bool {
    covers_of(&exception(spec).unwrap(), rule, container, Some(&template()), &BTreeMap::new())
}

fn covers_of(
    exception: &Exception,
    rule: &str,
    container: Option<&str>,
    template: Option<&Template>,
    annotations: &BTreeMap<String, String>,
) -> bool {
    let (namespace, policy, now) = ("shop", "non-root", NOW.parse().unwrap());
    exception.covers(&Occasion { namespace, policy, rule, container, template, annotations, now })
}

const NOW: &str = "2026-06-01T00:00:00Z";

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
fn what_everybody_has_lends_labels_no_weight() {
    let labels = json!({"app": "db"});
    let with = |rest: Value| {
        let mut covered = json!({"labels": labels});
        covered.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        exception(&json!({"match": covered}))
    };
    assert_eq!(with(json!({"serviceAccount": "default"})), Err(ExceptionError::LabelsAlone));
    for wide in ["*", "web*", "/*", "docker*", " "] {
        assert_eq!(with(json!({"images": ["team/web", wide]})), Err(ExceptionError::AnyImage(wide.into())));
    }
    for star in ["registry.example/*/db", "team/*-web*", "*/db"] {
        assert_eq!(with(json!({"images": ["team/web", star]})), Err(ExceptionError::StarWithin(star.into())));
    }
    for narrow in ["team/*", "registry.example:5000/*", "web"] {
        assert!(with(json!({"images": [narrow]})).is_ok(), "{narrow}");
    }
}

fn opting_out(annotation: Value) -> Result<Exception, ExceptionError> {
    exception(&json!({"match": {"annotation": annotation}}))
}

#[test]
fn a_workload_opts_out_by_the_annotation_of_its_template() {
    let covers =
        |annotation| covers_of(&opting_out(annotation).unwrap(), "root", None, Some(&template()), &BTreeMap::new());
    assert!(covers(json!({"name": "acme.example/allow-root"})));
    assert!(covers(json!({"name": "acme.example/allow-root", "value": "yes"})));
    assert!(!covers(json!({"name": "acme.example/allow-root", "value": "no"})));
    assert!(!covers(json!({"name": "acme.example/allow-all"})));
}

#[test]
fn the_annotation_of_an_object_counts_where_there_is_no_template() {
    let opted_out = opting_out(json!({"name": "acme.example/open"})).unwrap();
    let on = [("acme.example/open".to_owned(), String::new())].into();
    assert!(covers_of(&opted_out, "root", None, None, &on));
    assert!(!covers_of(&opted_out, "root", None, None, &BTreeMap::new()));
    assert!(!covers_of(&opted_out, "root", None, Some(&template()), &on), "the template's count, not the object's");
}

#[test]
fn an_opt_out_narrows_what_else_is_said() {
    let spec = json!({"match": {"annotation": {"name": "acme.example/allow-root"}, "images": ["busybox"]}});
    assert!(covers(&spec, "root", Some("side")));
    assert!(!covers(&spec, "root", Some("db")));
}

#[test]
fn an_annotation_that_others_set_is_no_opt_out() {
    for name in ["allow-root", "kubectl.kubernetes.io/restartedAt", "portreeve.dev/pinned", "acme/x", "acme.example/"] {
        assert_eq!(opting_out(json!({"name": name})), Err(ExceptionError::NoOptOut(name.into())));
    }
}

#[test]
fn a_use_of_an_opt_out_is_recorded_with_its_annotation() {
    let named = opting_out(json!({"name": "acme.example/allow-root"})).unwrap();
    assert_eq!(named.use_name(), "shop/e (annotation acme.example/allow-root)");
    assert_eq!(exception(&json!({})).unwrap().use_name(), "shop/e");
}

#[test]
fn an_exception_is_told_of_two_weeks_before_its_end() {
    let term = |expires: &str| exception(&json!({"expires": expires})).unwrap().term(NOW.parse().unwrap());
    assert_eq!(term("2026-06-15T00:00:01Z"), Term::Runs);
    assert_eq!(term("2026-06-15T00:00:00Z"), Term::EndsSoon);
    assert_eq!(term("2026-06-01T00:00:00Z"), Term::Over);
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

#[test]
fn what_ended_is_told_with_whom_to_ask() {
    let notice = |expires: &str| exception(&json!({"expires": expires})).unwrap().notice(NOW.parse().unwrap());
    let over = notice("2026-01-01T00:00:00Z").unwrap();
    assert_eq!(
        over,
        "the exception shop/e from non-root (team, T-1) no longer counts: it expired at 2026-01-01T00:00:00Z"
    );
    assert!(notice("2026-06-02T00:00:00Z").unwrap().ends_with("expires at 2026-06-02T00:00:00Z"));
    assert_eq!(notice("2027-01-01T00:00:00Z"), None);
}
