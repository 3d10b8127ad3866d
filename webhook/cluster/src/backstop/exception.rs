//! Exceptions of a policy in CEL: whom they cover, rule by rule. Their end can't be said there, since the API server
//! gives expressions no clock; whoever exports is told of it.

use portreeve_admission::api::{Covered, OptOut};
use portreeve_admission::exception::Exception;

use super::cel::{all, any, list, text};
use super::image::is_written;
use super::subject::Side;

/// The exceptions of one policy that still count.
#[derive(Debug, Default)]
pub(super) struct Exceptions<'a>(Vec<&'a Exception>);

impl<'a> Exceptions<'a> {
    /// Those of this policy.
    pub(super) fn of(policy: &str, all: &[&'a Exception]) -> Self {
        Self(all.iter().copied().filter(|exception| exception.policy() == policy).collect())
    }

    /// Whether a violation of this rule is covered, by this container or by the pod; none if there is nothing to ask.
    pub(super) fn covering(&self, rule: &str, container: Option<&str>) -> Option<String> {
        let concerned: Vec<String> = self.0.iter().filter_map(|exception| covers(exception, rule, container)).collect();
        (!concerned.is_empty()).then(|| any(concerned))
    }
}

fn covers(exception: &Exception, rule: &str, container: Option<&str>) -> Option<String> {
    let spec = exception.spec();
    if !spec.rules.is_empty() && !spec.rules.iter().any(|own| own == rule) {
        return None;
    }
    let named = match (spec.containers.as_slice(), container) {
        ([], _) => None,
        (_, None) => return None,
        (names, Some(container)) => Some(format!("{container}.name in {}", list(names.iter().map(String::as_str)))),
    };
    let (namespace, _) = exception.name.split_once('/')?;
    let here = format!("request.namespace == {}", text(namespace));
    Some(all([here].into_iter().chain(named).chain(of_workload(&spec.covered, container))))
}

/// What is asked of the workload, each thing for itself.
fn of_workload(covered: &Covered, container: Option<&str>) -> Vec<String> {
    let entry = |map: &str, (name, value): (&String, &String)| {
        format!("({name} in {map} && {map}[{name}] == {value})", name = text(name), value = text(value))
    };
    let labels = Side::New.labels();
    let mut asked: Vec<String> = covered.labels.iter().map(|label| entry(&labels, label)).collect();
    if let Some(account) = &covered.service_account {
        asked.push(format!("{} == {}", Side::New.account(), text(account)));
    }
    if let Some(OptOut { name, value }) = &covered.annotation {
        let annotations = Side::New.annotations();
        asked.push(match value {
            Some(value) => entry(&annotations, (name, value)),
            None => format!("{} in {annotations}", text(name)),
        });
    }
    if !covered.images.is_empty() {
        asked.push(match container {
            Some(container) => is_written(&covered.images, &format!("{container}.image")),
            None => format!("{}.all(i, {})", Side::New.containers(), is_written(&covered.images, "i.image")),
        });
    }
    asked
}

#[cfg(test)]
mod tests {
    use portreeve_admission::api::Metadata;
    use serde_json::{Value, json};

    use super::*;

    fn covering(more: Value, rule: &str, container: Option<&str>) -> Option<String> {
        let mut spec = json!({
            "policy": "non-root", "owner": "team", "ticket": "T-1", "reason": "legacy", "expires": "2027-01-01T00:00:00Z",
        });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let metadata = Metadata { name: "e".into(), namespace: Some("shop".into()), ..Metadata::default() };
        let exception = Exception::new(&metadata, serde_json::from_value(spec).unwrap()).unwrap();
        Exceptions::of("non-root", &[&exception]).covering(rule, container)
    }

    #[test]
    fn one_without_a_word_more_covers_its_namespace() {
        assert_eq!(covering(json!({}), "root-user", None).unwrap(), "request.namespace == 'shop'");
    }

    #[test]
    fn one_for_another_rule_or_for_containers_alone_says_nothing_of_the_pod() {
        assert_eq!(covering(json!({"rules": ["non-root"]}), "root-user", None), None);
        assert_eq!(covering(json!({"containers": ["db"]}), "root-user", None), None);
        let of_container = covering(json!({"containers": ["db"]}), "root-user", Some("c")).unwrap();
        assert_eq!(of_container, "(request.namespace == 'shop' && c.name in ['db'])");
    }

    #[test]
    fn labels_account_and_image_all_have_to_fit() {
        let narrow = json!({"match": {"labels": {"app": "db"}, "serviceAccount": "db", "images": ["team/*"]}});
        let expression = covering(narrow, "root-user", Some("c")).unwrap();
        for part in ["&& ('app' in ", "orValue('default') == 'db' &&", ".startsWith('team/')"] {
            assert!(expression.contains(part), "{expression}");
        }
    }
}
