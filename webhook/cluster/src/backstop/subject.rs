//! The pod template in CEL, wherever it sits, and once more as it was before an update. All of it is untyped: one
//! policy sees several kinds, of which none has the fields of all.

use k8s_openapi::api::admissionregistration::v1::Variable;

/// Which of an update's two objects is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that is to be.
    New,
    /// The one before.
    Old,
}

impl Side {
    /// A container of its list of containers, within a rule.
    pub(super) fn container(self) -> &'static str {
        match self {
            Self::New => "c",
            Self::Old => "o",
        }
    }

    /// Its pod template, metadata and spec.
    pub(super) fn template(self) -> String {
        self.variable("template")
    }

    /// The spec of its pods.
    pub(super) fn spec(self) -> String {
        self.variable("spec")
    }

    /// Init containers, containers, ephemeral containers.
    pub(super) fn containers(self) -> String {
        self.variable("containers")
    }

    /// Its volumes.
    pub(super) fn volumes(self) -> String {
        format!("{}.?volumes.orValue([])", self.spec())
    }

    /// Labels of the template.
    pub(super) fn labels(self) -> String {
        format!("{}.?metadata.?labels.orValue({{}})", self.template())
    }

    /// Annotations of the template.
    pub(super) fn annotations(self) -> String {
        format!("{}.?metadata.?annotations.orValue({{}})", self.template())
    }

    /// Whether it asks for the injector of a mesh, which then chooses the images that are called `auto`.
    pub(super) fn is_injected(self) -> String {
        let asks =
            |map: String| format!("('sidecar.istio.io/inject' in {map} && {map}['sidecar.istio.io/inject'] == 'true')");
        let templates = format!("'inject.istio.io/templates' in {}", self.annotations());
        format!("({templates} || {} || {})", asks(self.labels()), asks(self.annotations()))
    }

    /// The name of its service account.
    pub(super) fn account(self) -> String {
        format!("{}.?serviceAccountName.orValue('default')", self.spec())
    }

    /// Whether it is bound for Windows.
    pub(super) fn is_windows(self) -> String {
        format!("{}.?os.?name.orValue('') == 'windows'", self.spec())
    }

    /// Whether its pods have users of their own: root within is nobody on the node.
    pub(super) fn has_own_users(self) -> String {
        format!("!{}.?hostUsers.orValue(true)", self.spec())
    }

    /// A variable that there is of both objects.
    pub(super) fn variable(self, name: &str) -> String {
        format!("variables.{}", self.named(name))
    }

    fn named(self, name: &str) -> String {
        match self {
            Self::New => name.to_owned(),
            Self::Old => {
                let mut letters = name.chars();
                let first = letters.next().map(|first| first.to_ascii_uppercase());
                ["old".to_owned(), first.into_iter().chain(letters).collect()].concat()
            }
        }
    }
}

/// The variables that rules are written with.
pub(super) fn variables() -> Vec<Variable> {
    let template = |side| match side {
        Side::New => template_of("object"),
        Side::Old => format!("request.operation == 'UPDATE' ? {} : dyn({{}})", template_of("oldObject")),
    };
    let containers = |side: Side| {
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        lists.map(|list| format!("{}.?{list}.orValue([])", side.spec())).join(" + ")
    };
    [
        both("template", template),
        both("spec", |side: Side| format!("{}.?spec.orValue(dyn({{}}))", side.template())),
        both("containers", containers),
    ]
    .concat()
}

/// A variable of both objects.
pub(super) fn both(name: &str, expression: impl Fn(Side) -> String) -> Vec<Variable> {
    [Side::New, Side::Old]
        .into_iter()
        .map(|side| Variable { name: side.named(name), expression: expression(side) })
        .collect()
}

/// The pod template of an object of the kinds that are matched; a Pod is its own.
pub(super) fn template_of(object: &str) -> String {
    format!(
        "(request.kind.kind == 'Pod' ? dyn({object}) : \
         request.kind.kind == 'CronJob' ? dyn({object}).spec.jobTemplate.spec.template : \
         request.kind.kind == 'PodTemplate' ? dyn({object}).template : \
         dyn({object}).spec.?template.orValue(dyn({{}})))"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_before_is_called_old() {
        assert_eq!(Side::Old.spec(), "variables.oldSpec");
        assert_eq!(Side::New.variable("hostPaths"), "variables.hostPaths");
        let names: Vec<String> = variables().into_iter().map(|variable| variable.name).collect();
        assert_eq!(names, ["template", "oldTemplate", "spec", "oldSpec", "containers", "oldContainers"]);
    }

    #[test]
    fn without_an_update_nothing_was_before() {
        let before = variables().into_iter().find(|variable| variable.name == "oldTemplate").unwrap();
        assert!(before.expression.starts_with("request.operation == 'UPDATE' ? "), "{}", before.expression);
        assert!(before.expression.ends_with(" : dyn({})"), "{}", before.expression);
    }
}
