//! `matchConditions` of a policy: compiled when the set is loaded, asked of each request that the policy's selectors
//! let through. What they say costs no more than the object is large: there is no loop in a loop.

mod written;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::objects::{Key, Map};
use cel::{Context, Env, Program, extensions};
use portreeve_admission::api::MatchCondition;
use portreeve_admission::document::Document;
use portreeve_admission::review::Review;
use serde_json::{Value, json};

use self::written::{compile, is_name};
use super::sample;

/// Conditions of one policy.
const MOST: usize = 16;

static LANGUAGE: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut language = Env::stdlib();
    // Fails only where a function is declared twice, which the tests would see.
    let _ = language.add_extension(extensions::strings);
    Arc::new(language)
});

/// All conditions of a policy.
#[derive(Debug, Default)]
pub(crate) struct Conditions(Vec<Condition>);

#[derive(Debug)]
struct Condition {
    name: String,
    program: Program,
}

/// What conditions are asked about, in the values of CEL. Made when a policy first has one.
pub(crate) struct Subject(Context<'static, 'static>);

impl Conditions {
    /// Compiles them; every reason why they can't be in force, each with its place in the spec.
    pub(super) fn compile(written: &[MatchCondition]) -> Result<Self, Vec<String>> {
        let mut reasons = Vec::new();
        let mut conditions: Vec<Condition> = Vec::new();
        if written.len() > MOST {
            reasons.push(format!("spec.match.matchConditions: there are {}, and {MOST} are the most", written.len()));
        }
        for (index, MatchCondition { name, expression }) in written.iter().enumerate() {
            let at = format!("spec.match.matchConditions[{index}]");
            if !is_name(name) {
                reasons.push(format!("{at}.name: {name:?} is not 1 to 59 letters, digits, \"-\", \"_\" and \".\" between two of the former"));
            }
            if written.iter().take(index).any(|other| other.name == *name) {
                reasons.push(format!("{at}.name: {name:?} is the name of another one too"));
            }
            match Condition::tried(name, expression) {
                Ok(condition) => conditions.push(condition),
                Err(reason) => reasons.push(format!("{at}.expression: {reason}")),
            }
        }
        if reasons.is_empty() { Ok(Self(conditions)) } else { Err(reasons) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of them are true. One that is false decides, whatever becomes of the others.
    ///
    /// # Errors
    /// Which of them is neither true nor false, and why.
    pub(crate) fn hold(&self, subject: &Subject) -> Result<bool, String> {
        let mut unclear = None;
        for condition in &self.0 {
            match condition.holds(subject) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(reason) => unclear = unclear.or(Some(format!("{:?}: {reason}", condition.name))),
            }
        }
        unclear.map_or(Ok(true), Err)
    }
}

impl Condition {
    /// A condition that is true or false of what requests are like.
    fn tried(name: &str, expression: &str) -> Result<Self, String> {
        let condition = Self { name: name.to_owned(), program: compile(expression)? };
        for review in sample::REVIEWS.iter() {
            // What can't be told of these may be told of others.
            if let Ok(said) = condition.said(&Subject::of(review)) {
                truth(&said)?;
            }
        }
        Ok(condition)
    }

    fn holds(&self, subject: &Subject) -> Result<bool, String> {
        truth(&self.said(subject)?)
    }

    fn said(&self, Subject(context): &Subject) -> Result<cel::Value, String> {
        within(|| self.program.execute(context))?.map_err(|error| error.to_string())
    }
}

fn truth(said: &cel::Value) -> Result<bool, String> {
    match said {
        cel::Value::Bool(holds) => Ok(*holds),
        other => Err(format!("it is of type {} and neither true nor false", other.type_of())),
    }
}

impl Subject {
    /// What a review says.
    pub(crate) fn of(review: &Review) -> Self {
        let object = |document: &Option<Arc<Document>>| {
            document.as_ref().map_or(cel::Value::Null, |document| value(document.value()))
        };
        let mut context = Context::with_env(Arc::clone(&LANGUAGE));
        context.add_variable_from_value("object", object(&review.object));
        context.add_variable_from_value("oldObject", object(&review.old_object));
        context.add_variable_from_value("request", value(&request(review)));
        Self(context)
    }
}

/// What is known of the request beside its objects; every field is always there.
fn request(review: &Review) -> Value {
    let request = &review.request;
    json!({
        "uid": review.uid,
        "operation": request.operation,
        "kind": request.kind,
        "resource": request.resource,
        "subResource": request.subresource.clone().unwrap_or_default(),
        "namespace": request.namespace.clone().unwrap_or_default(),
        "name": request.name.clone().unwrap_or_default(),
        "userInfo": {"username": request.user_name, "groups": review.groups},
        "dryRun": review.dry_run,
    })
}

/// A library's panic is a reason like another, not the end of whoever asked.
fn within<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| "the interpreter of CEL gave up".to_owned())
}

/// JSON as the API server gives it to CEL: what is whole is an int.
fn value(json: &Value) -> cel::Value {
    match json {
        Value::Null => cel::Value::Null,
        Value::Bool(is) => cel::Value::Bool(*is),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => cel::Value::Int(whole),
            None => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(value).collect())),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, part)| (Key::from(name.as_str()), value(part)));
            cel::Value::Map(Map { map: Arc::new(fields.collect::<HashMap<_, _>>()) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::written::LONGEST;
    use super::*;

    fn condition(expression: &str) -> MatchCondition {
        MatchCondition { name: "c".to_owned(), expression: expression.to_owned() }
    }

    fn refused(expression: &str) -> String {
        Conditions::compile(&[condition(expression)]).unwrap_err().remove(0)
    }

    fn review() -> Review {
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "operation": "CREATE", "namespace": "shop", "name": "web",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "userInfo": {"username": "jane", "groups": ["dev", "ops"]},
            "object": {
                "metadata": {"labels": {"tier": "Web"}},
                "spec": {"replicas": 3, "containers": [{"name": "a", "image": "x/a:1"}, {"name": "b", "image": "b"}]},
            },
        }});
        portreeve_admission::review::decode(review.to_string().as_bytes()).unwrap()
    }

    fn holds(expression: &str) -> Result<bool, String> {
        let conditions =
            Conditions::compile(&[condition(expression)]).unwrap_or_else(|e| panic!("{expression}: {e:?}"));
        conditions.hold(&Subject::of(&review()))
    }

    #[test]
    fn conditions_are_asked_of_object_old_object_and_request() {
        for expression in [
            "object.spec.replicas == 3 && object.spec.replicas + 1 > 3",
            "oldObject == null",
            "request.operation == 'CREATE' && request.kind.kind == 'Pod' && request.subResource == ''",
            "'dev' in request.userInfo.groups && !request.userInfo.username.startsWith('system:node:')",
            "object.spec.containers.exists(c, c.image.contains('/')) && !has(object.metadata.annotations)",
            "object.metadata.?labels.tier.orValue('') == 'Web'",
            "object.spec.containers.filter(c, c.name == 'b').size() == 1",
        ] {
            assert_eq!(holds(expression), Ok(true), "{expression}");
        }
        assert_eq!(holds("object.metadata.labels.tier == 'db'"), Ok(false));
    }

    #[test]
    fn every_function_that_may_be_called_is_there() {
        for expression in [
            "bool('true')",
            "'abc'.charAt(1) == 'b'",
            "'abc'.contains('b') && 'abc'.endsWith('c') && 'abc'.startsWith('a') && 'abc'.matches('^a')",
            "double('1.5') > 1.0 && int('2') == 2 && string(2) == '2' && dyn(2) == 2",
            "'abcb'.indexOf('b') == 1 && 'abcb'.lastIndexOf('b') == 3",
            "['a', 'b'].join('-') == 'a-b' && 'a-b'.split('-').size() == 2",
            "'Ab'.lowerAscii() == 'ab' && 'Ab'.upperAscii() == 'AB' && ' a '.trim() == 'a'",
            "'abc'.replace('b', 'x') == 'axc' && 'abc'.substring(1) == 'bc'",
            "optional.of(1).hasValue() && optional.of(1).value() == 1 && optional.none().orValue(2) == 2",
            "optional.none().or(optional.of(3)).value() == 3",
        ] {
            assert_eq!(holds(expression), Ok(true), "{expression}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused_with_its_place() {
        for (expression, wrong) in [
            ("object.metadata.name ==", "it is no CEL"),
            ("", "it is no CEL"),
            ("authorizer.path('/x') == null", "\"authorizer\" is not known; there are object, oldObject, request"),
            ("objekt.kind == 'Pod'", "\"objekt\" is not known"),
            ("object.metadata.name.startWith('a')", "there is no function \"startWith\""),
            ("object.a.all(x, object.b.all(y, x == y))", "stands in a loop"),
            (&"x".repeat(1025), "it has 1025 bytes"),
        ] {
            let reason = refused(expression);
            assert!(reason.starts_with("spec.match.matchConditions[0].expression: "), "{reason}");
            assert!(reason.contains(wrong), "{expression}: {reason}");
        }
        let twice = Conditions::compile(&[condition("true"), condition("true")]).unwrap_err();
        assert!(twice[0].starts_with("spec.match.matchConditions[1].name"), "{twice:?}");
        let unnamed =
            Conditions::compile(&[MatchCondition { name: "-a".to_owned(), ..condition("true") }]).unwrap_err();
        assert!(unnamed[0].contains("\"-a\" is not 1 to 59 letters"), "{unnamed:?}");
        let many = Conditions::compile(&vec![condition("true"); 17]).unwrap_err();
        assert!(many[0].contains("there are 17, and 16 are the most"), "{many:?}");
    }

    #[test]
    fn a_condition_that_is_neither_true_nor_false_says_why() {
        assert!(holds("object.spec.absent == 1").unwrap_err().starts_with("\"c\": "));
        assert_eq!(holds("object.spec.replicas").unwrap_err(), "\"c\": it is of type int and neither true nor false");
    }

    #[test]
    fn what_can_never_be_a_truth_value_is_refused_and_what_only_some_objects_have_is_not() {
        for (expression, of_type) in [("1 + 1", "int"), ("object.metadata.name", "string"), ("oldObject", "null")] {
            let wrong = format!("it is of type {of_type} and neither true nor false");
            assert!(refused(expression).ends_with(&wrong), "{expression}: {}", refused(expression));
        }
        for expression in ["object.spec.hostNetwork", "object.spec.replicas > 1", "oldObject.spec.paused"] {
            assert!(Conditions::compile(&[condition(expression)]).is_ok(), "{expression}");
        }
    }

    #[test]
    fn a_field_of_the_request_that_is_not_there_is_refused() {
        for (expression, wrong) in [
            ("request.foo == 1", "request has no \"foo\"; there are uid, operation, kind"),
            ("has(request.options)", "request has no \"options\""),
            ("request.userInfo.uid != ''", "request.userInfo has no \"uid\"; there are username, groups"),
            ("request.name.first == 'a'", "request.name has no \"first\""),
        ] {
            assert!(refused(expression).contains(wrong), "{expression}: {}", refused(expression));
        }
        assert_eq!(holds("object.spec.containers.exists(request, request.name == 'b')"), Ok(true));
    }

    #[test]
    fn one_that_is_false_decides_whatever_becomes_of_the_others() {
        let named = |name: &str, expression: &str| MatchCondition { name: name.to_owned(), ..condition(expression) };
        let conditions = [named("unclear", "object.spec.absent"), named("false", "false")];
        assert_eq!(Conditions::compile(&conditions).unwrap().hold(&Subject::of(&review())), Ok(false));
    }

    #[test]
    fn no_expression_of_that_length_overflows_a_stack() {
        let long = |part: &str, end: &str| format!("{}{end}", part.repeat((LONGEST - end.len()) / part.len()));
        let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(500), close.repeat(500));
        for expression in [
            long("!", "true"),
            long("-", "1"),
            long("1+", "1"),
            long("true?1:", "1"),
            long("object.", "x"),
            long("'a'==", "'a'"),
            nested("(", ")"),
            nested("[", "]"),
            format!("object{}", ".x".repeat(500)),
            format!("object{}", "[1]".repeat(300)),
        ] {
            if let Ok(conditions) = Conditions::compile(&[condition(&expression)]) {
                let _ = conditions.hold(&Subject::of(&review()));
            }
        }
    }

    #[test]
    fn loops_side_by_side_are_one_deep() {
        assert_eq!(
            holds("object.spec.containers.all(c, c.name != '') && object.spec.containers.map(c, c.name).size() == 2"),
            Ok(true)
        );
    }
}
