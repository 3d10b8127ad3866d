//! What there is to know of a policy that ships, brought together from its manifest, its page, its cases and the
//! platform profile. As it is printed for programs; `document` puts it into sentences.

use portreeve_admission::api::{ClusterPolicySpec, FailurePolicy, ModuleSource, Resource};
use portreeve_cases::WrittenCase;
use portreeve_engine::Manifest;
use portreeve_server::set::platform;
use schemars::JsonSchema;
use serde::Serialize;

use super::example::{ExampleReport, examples};
use super::setting::{SettingReport, settings};
use crate::policy::PolicyReport;
use crate::shipped::ShippedPolicy;

/// The result of `portreeve explain POLICY -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageReport {
    /// What it says of itself.
    #[serde(flatten)]
    pub(super) manifest: PolicyReport,
    /// What happens where it does not hold.
    pub(super) why: String,
    /// What to change.
    pub(super) remedy: String,
    /// How much is at stake: `low`, `medium` or `high`.
    pub(super) risk: String,
    /// Its rules, in the order in which they are to be read.
    pub(super) rules: Vec<Meaning>,
    /// What it puts in or changes, by the rule that asks for it.
    pub(super) edits: Vec<Meaning>,
    /// Its settings, those within others too.
    pub(super) settings: Vec<SettingReport>,
    /// How it is in force when nothing is configured; none if it is not.
    pub(super) profile: Option<ProfileReport>,
    /// What stops working once it is in force.
    pub(super) breaks: String,
    /// How workloads are let off.
    pub(super) opt_out: String,
    /// Addresses to read on at.
    pub(super) references: Vec<String>,
    /// Some of its cases.
    pub(super) examples: Vec<ExampleReport>,
    /// What its cases show, a sentence each.
    pub(super) cases: Vec<String>,
    #[serde(skip)]
    written: Vec<WrittenCase>,
}

/// A rule and what it means.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Meaning {
    /// Its name, such as `drop-all`.
    pub(super) rule: String,
    /// A sentence.
    pub(super) means: String,
}

/// How a policy is in force when nothing is configured.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProfileReport {
    /// `enforce`, `warn` or `audit`.
    pub(super) mode: String,
    /// `Fail` or `Ignore`.
    #[schemars(with = "String")]
    pub(super) failure_policy: FailurePolicy,
    /// Kinds of facts that it is given.
    pub(super) facts: Vec<String>,
}

/// The result of `portreeve explain POLICY/RULE -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RuleReport {
    /// The policy that it belongs to.
    pub(super) policy: String,
    /// Its name.
    pub(super) rule: String,
    /// What it finds; none if it only changes something.
    pub(super) finds: Option<String>,
    /// What it puts in or changes; none if it only finds.
    pub(super) edit: Option<String>,
    /// Why the policy is there.
    pub(super) why: String,
    /// What to change.
    pub(super) remedy: String,
    /// How workloads are let off.
    pub(super) opt_out: String,
    /// The cases in which it finds something, a sentence each.
    pub(super) cases: Vec<String>,
}

/// One of the list that `portreeve explain -o json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TitleReport {
    pub(super) name: String,
    /// A few words.
    pub(super) title: String,
    /// How much is at stake: `low`, `medium` or `high`.
    pub(super) risk: String,
    /// Its mode when nothing is configured; none if it is not in force then.
    pub(super) profile: Option<String>,
}

impl PageReport {
    pub(super) fn of(manifest: Manifest, shipped: ShippedPolicy) -> Self {
        let page = shipped.page;
        let written: Vec<WrittenCase> = shipped.cases.into_iter().flat_map(|file| file.cases).collect();
        let meaning = |(rule, means)| Meaning { rule, means };
        Self {
            settings: settings(&manifest.settings_schema),
            profile: ProfileReport::of(&page.name),
            manifest: PolicyReport::of(manifest),
            why: page.why,
            remedy: page.remedy,
            risk: page.risk.name().to_owned(),
            rules: page.rules.into_iter().map(meaning).collect(),
            edits: page.edits.into_iter().map(meaning).collect(),
            breaks: page.breaks,
            opt_out: page.opt_out,
            references: page.references,
            examples: examples(&written),
            cases: written.iter().map(|case| case.name.clone()).collect(),
            written,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.manifest.name
    }

    /// The names of its rules, of those that only change something too.
    pub(super) fn rules(&self) -> impl Iterator<Item = &str> {
        let only_edit = self.edits.iter().filter(|edit| meaning(&self.rules, &edit.rule).is_none());
        self.rules.iter().chain(only_edit).map(|meaning| meaning.rule.as_str())
    }

    pub(super) fn title(&self) -> TitleReport {
        TitleReport {
            name: self.manifest.name.clone(),
            title: self.manifest.title.clone(),
            risk: self.risk.clone(),
            profile: self.profile.as_ref().map(|profile| profile.mode.clone()),
        }
    }

    /// The rule of that name.
    pub(super) fn rule(&self, name: &str) -> Option<RuleReport> {
        let rule = self.rules().find(|rule| *rule == name)?;
        let finds = |case: &&WrittenCase| {
            let mut findings = case.expect.violations.iter().chain(&case.expect.advisories);
            findings.any(|finding| finding.rule == rule)
        };
        Some(RuleReport {
            policy: self.manifest.name.clone(),
            rule: rule.to_owned(),
            finds: meaning(&self.rules, rule),
            edit: meaning(&self.edits, rule),
            why: self.why.clone(),
            remedy: self.remedy.clone(),
            opt_out: self.opt_out.clone(),
            cases: self.written.iter().filter(finds).map(|case| case.name.clone()).collect(),
        })
    }
}

impl ProfileReport {
    fn of(name: &str) -> Option<Self> {
        let mut specs = platform().into_iter().filter_map(|resource| match resource {
            Resource::ClusterPolicy(object) => Some(object.spec),
            _ => None,
        });
        let is_of = |spec: &ClusterPolicySpec| match &spec.module {
            ModuleSource::Builtin { builtin } => builtin == name,
            ModuleSource::File { .. } | ModuleSource::Oci { .. } => false,
        };
        let spec = specs.find(is_of)?;
        Some(Self {
            mode: spec.mode.name().to_owned(),
            failure_policy: spec.failure_policy.unwrap_or_default(),
            facts: spec.facts.iter().map(|kind| kind.name().to_owned()).collect(),
        })
    }
}

fn meaning(meanings: &[Meaning], rule: &str) -> Option<String> {
    meanings.iter().find(|meaning| meaning.rule == rule).map(|meaning| meaning.means.clone())
}
