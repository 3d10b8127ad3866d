//! A rule of a policy in CEL: what is at fault and what is said of it, as a variable that lists the sentences. What an
//! update found as it is is no fault of it, by policy, rule and container, as in the webhook.

use k8s_openapi::api::admissionregistration::v1::Variable;

use super::cel::text;
use super::exception::Exceptions;
use super::subject::Side;

/// A rule.
pub(super) struct Rule {
    /// As the policy calls it.
    pub(super) id: &'static str,
    /// What is at fault.
    pub(super) holder: Holder,
    /// Whether it is, of either object; of a container, by the name that the side has for it.
    pub(super) fault: Box<dyn Fn(Side) -> String>,
    /// What is wrong, a string in CEL. Of a container it follows after its name.
    pub(super) says: String,
    /// What to change, in words.
    pub(super) remedy: String,
}

/// What is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// The pod: a field of its own, or a volume.
    Pod,
    /// Each container for itself.
    Container,
}

impl Rule {
    /// Of the pod, said in plain words.
    pub(super) fn of_pod(
        id: &'static str,
        fault: impl Fn(Side) -> String + 'static,
        says: &str,
        remedy: impl Into<String>,
    ) -> Self {
        Self { id, holder: Holder::Pod, fault: Box::new(fault), says: text(says), remedy: remedy.into() }
    }

    /// Of each container, said in plain words after its name.
    pub(super) fn of_container(
        id: &'static str,
        fault: impl Fn(Side) -> String + 'static,
        says: &str,
        remedy: impl Into<String>,
    ) -> Self {
        Self { id, holder: Holder::Container, fault: Box::new(fault), says: text(says), remedy: remedy.into() }
    }

    /// With words that are worked out: a string in CEL.
    pub(super) fn saying(self, says: impl Into<String>) -> Self {
        Self { says: says.into(), ..self }
    }

    /// The variable that lists what it finds.
    pub(super) fn written(&self, policy: &str, exceptions: &Exceptions<'_>) -> Variable {
        let rest = text(&format!(": {} ({policy}/{})", self.remedy, self.id));
        let says = &self.says;
        let fault = |side| (self.fault)(side);
        let covered = |container| {
            let covering = exceptions.covering(self.id, container);
            covering.map(|covering| format!(" && !{covering}")).unwrap_or_default()
        };
        let expression = match self.holder {
            Holder::Pod => format!(
                "{}{} && !(request.operation == 'UPDATE' && {}) ? [{says} + {rest}] : []",
                fault(Side::New),
                covered(None),
                fault(Side::Old),
            ),
            Holder::Container => format!(
                "{all}.filter(c, {now}{covered} && !{before}.exists(o, o.name == c.name && {then}))\
                 .map(c, 'container \"' + c.name + '\" ' + {says} + {rest})",
                all = Side::New.containers(),
                before = Side::Old.containers(),
                now = fault(Side::New),
                then = fault(Side::Old),
                covered = covered(Some(Side::New.container())),
            ),
        };
        Variable { name: self.variable(), expression }
    }

    /// Its name among the variables, as in `hostNetworkOfPod`.
    pub(super) fn variable(&self) -> String {
        let mut words = self.id.split('-');
        let mut name = words.next().unwrap_or_default().to_owned();
        for word in words {
            let mut letters = word.chars();
            name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            name.push_str(letters.as_str());
        }
        name + match self.holder {
            Holder::Pod => "OfPod",
            Holder::Container => "OfContainers",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_was_at_fault_before_is_passed_over() {
        let rule = Rule::of_container("privileged", |side| format!("bad({})", side.container()), "is bad", "mend it");
        let Variable { name, expression } = rule.written("no-root", &Exceptions::default());
        assert_eq!(name, "privilegedOfContainers");
        assert_eq!(
            expression,
            "variables.containers.filter(c, bad(c) && !variables.oldContainers.exists(o, o.name == c.name && bad(o)))\
             .map(c, 'container \"' + c.name + '\" ' + 'is bad' + ': mend it (no-root/privileged)')"
        );
    }

    #[test]
    fn a_pod_is_asked_what_was_before_only_on_an_update() {
        let rule = Rule::of_pod("host-network", |side| format!("bad({})", side.spec()), "the pod is bad", "mend it");
        let Variable { name, expression } = rule.written("host-access", &Exceptions::default());
        assert_eq!(name, "hostNetworkOfPod");
        assert_eq!(
            expression,
            "bad(variables.spec) && !(request.operation == 'UPDATE' && bad(variables.oldSpec)) \
             ? ['the pod is bad' + ': mend it (host-access/host-network)'] : []"
        );
    }
}
