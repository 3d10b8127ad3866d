//! Namespaces themselves: their labels have to be readable, and who tightens one is told of the pods that run there
//! already. Those are never a reason to deny.

use portreeve_sdk::view::Operation;
use portreeve_sdk::{Case, Request, Verdict};
use serde_json::Value;

use super::labels::{Asked, LabelFault, Labels};
use super::running::Running;
use super::settings::Exemptions;
use super::standard::Level;

const LABEL: &str = "namespace-label";
const RUNNING: &str = "running-pods";
const EXEMPT: &str = "exempt-namespace";

/// What a request about a Namespace is judged by.
pub(super) struct Judge<'s> {
    /// What namespaces ask that say nothing.
    pub(super) defaults: Asked,
    /// Who is not judged.
    pub(super) exempt: &'s Exemptions,
}

/// The labels of a Namespace, with what they ask.
struct Read {
    labels: Labels,
    asked: Asked,
    faults: Vec<LabelFault>,
}

/// Whether the request is about a Namespace.
pub(super) fn is_meant(request: Request<'_>) -> bool {
    let kind = request.kind();
    kind.group.is_empty() && kind.kind == "Namespace"
}

impl Judge<'_> {
    /// What the built-in controller says of it.
    pub(super) fn judge(&self, case: &Case<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        let request = case.request();
        let new = self.read(request.read("/metadata/labels"));
        let old = match request.operation() {
            Operation::Create => None,
            Operation::Update => Some(self.read(request.read_old("/metadata/labels"))),
            Operation::Delete | Operation::Connect => return verdict,
        };
        let name = request.name().or_else(|| request.namespace().map(str::to_owned)).unwrap_or_default();
        // Faults that stood there before deny no update.
        if !new.faults.is_empty() && old.as_ref().is_none_or(|old| old.faults != new.faults) {
            refuse(&name, &new.faults, &mut verdict);
            return verdict;
        }
        if old.as_ref().is_some_and(|old| !is_tightened(old.asked, new.asked)) {
            return verdict;
        }
        if self.exempt.take_namespace(request) {
            self.remark(&name, &new, &mut verdict);
        } else if old.is_some() {
            self.look_at_pods(case, &name, new.asked, &mut verdict);
        }
        verdict
    }

    fn read(&self, labels: Option<Value>) -> Read {
        // The API server has seen to it that labels are text.
        let labels: Labels = labels.and_then(|labels| serde_json::from_value(labels).ok()).unwrap_or_default();
        let (asked, faults) = Asked::by(&labels, self.defaults);
        Read { labels, asked, faults }
    }

    /// An exempt namespace that asks for something asks in vain.
    fn remark(&self, name: &str, read: &Read, verdict: &mut Verdict) {
        let levels = [read.asked.enforce.level, read.asked.audit.level, read.asked.warn.level];
        if levels == [Level::Privileged; 3] || read.asked == self.defaults {
            return;
        }
        let asked = read.asked.in_short(&read.labels);
        verdict
            .advisory(EXEMPT)
            .at("/metadata/labels")
            .says(format!("namespace {name:?} is exempt from Pod Security, and the policy ({asked}) will be ignored"))
            .mend("remove the labels, or the namespace from the policy's exemptions");
    }

    fn look_at_pods(&self, case: &Case<'_>, name: &str, asked: Asked, verdict: &mut Verdict) {
        let Ok(running) = case.fact::<Running>("") else {
            verdict
                .advisory(RUNNING)
                .at("/metadata/labels")
                .says("failed to list pods while checking new PodSecurity enforce level")
                .mend("grant the policy the fact running-pods, or look after the pods that run there yourself");
            return;
        };
        for warning in running.warnings(name, asked.enforce, self.exempt) {
            verdict.advisory(RUNNING).at("/metadata/labels").says(warning.message).mend(warning.remedy);
        }
    }
}

/// Whether pods that were let in may now fall foul.
fn is_tightened(old: Asked, new: Asked) -> bool {
    let (old, new) = (old.enforce, new.enforce);
    new != old && new.level != Level::Privileged && (new.version != old.version || new.level > old.level)
}

fn refuse(name: &str, faults: &[LabelFault], verdict: &mut Verdict) {
    for fault in faults {
        verdict.violation(LABEL).at(fault.pointer()).says(fault.to_string()).mend(fault.remedy());
    }
    let words: Vec<_> = faults.iter().map(ToString::to_string).collect();
    let words = if let [only] = words.as_slice() { only.clone() } else { format!("[{}]", words.join(", ")) };
    verdict.summarise(format!("Namespace {name:?} is invalid: {words}"));
}
