//! What a policy says. Violations describe the subject as it stands; edits say what should hold.

use serde_json::Value;

use crate::generated::portreeve::policy::types;
use crate::view::{Appended, Change, Container, Edit, Root, Violation};

/// What a policy found, built up as it looks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    violations: Vec<Violation>,
    advisories: Vec<Violation>,
    edits: Vec<Edit>,
    summary: Option<String>,
}

impl Verdict {
    /// Adds a violation of the rule, to be described by what is called on the answer:
    /// `verdict.violation("drop-all").container(c).at(pointer).says("…").mend("…")`.
    ///
    /// `rule` is a stable identifier within the policy: lower-case letters, digits, `-`.
    pub fn violation(&mut self, rule: &str) -> Finding<'_> {
        Finding::pushed(&mut self.violations, rule)
    }

    /// Adds something worth telling that never denies, whatever the mode.
    pub fn advisory(&mut self, rule: &str) -> Finding<'_> {
        Finding::pushed(&mut self.advisories, rule)
    }

    /// This value stands at the pointer into the template afterwards.
    pub fn set(&mut self, rule: &str, at: impl Into<String>, value: impl Into<Value>) {
        self.edit(rule, Root::Template, at, Change::Set(value.into().to_string()));
    }

    /// The same where nothing, or null, stood. Prefer it: what somebody wrote is theirs to change.
    pub fn set_default(&mut self, rule: &str, at: impl Into<String>, value: impl Into<Value>) {
        self.edit(rule, Root::Template, at, Change::Default(value.into().to_string()));
    }

    /// The list at the pointer holds this element afterwards, unless one alike in the fields `keys` is there.
    pub fn append_unique(&mut self, rule: &str, at: impl Into<String>, value: impl Into<Value>, keys: &[&str]) {
        let keys = keys.iter().map(|&key| key.into()).collect();
        let appended = Appended { value: value.into().to_string(), keys };
        self.edit(rule, Root::Template, at, Change::AppendUnique(appended));
    }

    /// Nothing stands at the pointer into the template afterwards.
    pub fn remove(&mut self, rule: &str, at: impl Into<String>) {
        self.edit(rule, Root::Template, at, Change::Remove);
    }

    /// Any edit; the others are short for this with [`Root::Template`].
    pub fn edit(&mut self, rule: &str, root: Root, at: impl Into<String>, change: Change) {
        self.edits.push(Edit { rule: rule.into(), root, pointer: at.into(), change });
    }

    /// One line that stands for all violations of this verdict, in place of their messages.
    pub fn summarise(&mut self, line: impl Into<String>) {
        self.summary = Some(line.into());
    }

    /// What is wrong.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What is worth telling.
    #[must_use]
    pub fn advisories(&self) -> &[Violation] {
        &self.advisories
    }

    /// What should hold.
    #[must_use]
    pub fn edits(&self) -> &[Edit] {
        &self.edits
    }

    /// The line in place of the violations' messages.
    #[must_use]
    pub fn summary(&self) -> Option<&str> {
        self.summary.as_deref()
    }
}

impl From<Verdict> for types::Verdict {
    fn from(verdict: Verdict) -> Self {
        Self {
            violations: verdict.violations,
            advisories: verdict.advisories,
            edits: verdict.edits,
            summary: verdict.summary,
        }
    }
}

/// A violation or an advisory that is being described.
#[derive(Debug)]
pub struct Finding<'v>(&'v mut Violation);

impl<'v> Finding<'v> {
    fn pushed(list: &'v mut Vec<Violation>, rule: &str) -> Self {
        Self(list.push_mut(Violation {
            rule: rule.into(),
            container: None,
            root: Root::Template,
            pointer: String::new(),
            message: String::new(),
            remedy: String::new(),
            details: None,
        }))
    }

    /// The container at fault; without this call it is the pod.
    pub fn container(self, container: &Container) -> Self {
        self.0.container = Some(container.name.clone());
        self
    }

    /// The exact field: a pointer into the template, or into the object if it has no template.
    pub fn at(self, pointer: impl Into<String>) -> Self {
        self.0.root = Root::Template;
        self.0.pointer = pointer.into();
        self
    }

    /// The exact field beside the template: a pointer into the object. Without either call it is the whole template.
    pub fn at_object(self, pointer: impl Into<String>) -> Self {
        self.0.root = Root::Object;
        self.0.pointer = pointer.into();
        self
    }

    /// What is wrong, in one sentence without a full stop. Never the value of a secret.
    pub fn says(self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// What to change, in one sentence without a full stop.
    pub fn mend(self, remedy: impl Into<String>) -> Self {
        self.0.remedy = remedy.into();
        self
    }

    /// More for machines: a JSON object.
    pub fn with(self, details: &serde_json::Map<String, Value>) -> Self {
        self.0.details = serde_json::to_string(details).ok();
        self
    }
}
