//! One workload's way through admission, as an API server would lead it: corrected, judged, and then sent once more to
//! see that nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use portreeve_admission::api::{Mode, ModuleSource, Resource};
use portreeve_server::set::read_folder;
use serde_json::Value;

use super::api_server::{Answer, ApiServer, Call};
use super::error::DemoError;
use super::expected;
use super::injected::Injected;
use super::platform::{Platform, Workload};
use super::report::{Calls, PlatformReport, SecondPass, Verdict, WorkloadReport};
use super::safeguards::Safeguard;

/// Leads workloads through admission.
#[derive(Debug)]
pub(super) struct Visitor {
    api_server: ApiServer,
    policies: Policies,
}

/// The built-in policy behind each ClusterPolicy.
#[derive(Debug, Default)]
struct Policies(BTreeMap<String, String>);

impl Visitor {
    pub(super) fn new(api_server: ApiServer, platforms: &[Platform]) -> Result<Self, DemoError> {
        let mut policies = Policies::default();
        for platform in platforms {
            policies.add(platform)?;
        }
        Ok(Self { api_server, policies })
    }

    /// Leads all workloads of a platform.
    pub(super) async fn tour(&mut self, platform: &Platform) -> Result<PlatformReport, DemoError> {
        let mut workloads = Vec::new();
        for workload in &platform.workloads {
            workloads.push(self.visit(workload).await?);
        }
        let differences = expected::differences(platform, &workloads);
        Ok(PlatformReport { name: platform.name.clone(), workloads, differences })
    }

    /// What the calls so far took.
    pub(super) fn calls(&self) -> Calls {
        Calls::of(self.api_server.taken())
    }

    async fn visit(&mut self, workload: &Workload) -> Result<WorkloadReport, DemoError> {
        let corrected = self.api_server.call(Call::Mutate, workload, &workload.object).await?;
        if !corrected.allowed {
            // An API server asks no further.
            let verdict = self.policies.refusal(Call::Mutate, &corrected);
            return self.told(
                workload,
                &workload.object,
                verdict,
                [corrected, Answer::default()],
                SecondPass::NotReached,
            );
        }
        let object = patched(workload, &corrected)?;
        let judged = self.api_server.call(Call::Validate, workload, &object).await?;
        let again = self.api_server.call(Call::Mutate, workload, &object).await?;
        let second_pass = match (again.allowed, again.patch(workload)?) {
            (true, None) => SecondPass::Unchanged,
            _ => SecondPass::Changed,
        };
        let verdict = if judged.allowed { Verdict::Admitted } else { self.policies.refusal(Call::Validate, &judged) };
        self.told(workload, &object, verdict, [corrected, judged], second_pass)
    }

    fn told(
        &self,
        workload: &Workload,
        object: &Value,
        verdict: Verdict,
        [corrected, judged]: [Answer; 2],
        second_pass: SecondPass,
    ) -> Result<WorkloadReport, DemoError> {
        let (before, after) = (workload.template(&workload.object)?, workload.template(object)?);
        Ok(WorkloadReport {
            kind: workload.kind.kind.clone(),
            namespace: workload.namespace.clone(),
            name: workload.name.clone(),
            place: workload.place.clone(),
            verdict,
            before: Safeguard::holding(&before),
            after: Safeguard::holding(&after),
            changed: *object != workload.object,
            injected: Injected::between(&before, &after).into_iter().collect(),
            warned_by: self.policies.warning(&judged),
            put_right: corrected.warnings,
            warnings: judged.warnings,
            second_pass,
        })
    }
}

impl Policies {
    fn add(&mut self, platform: &Platform) -> Result<(), DemoError> {
        let sources = read_folder(&platform.folder.join("policies")).map_err(DemoError::Policies)?;
        for located in sources.resources {
            if let Resource::ClusterPolicy(object) = located.resource
                && let ModuleSource::Builtin { builtin } = object.spec.module
            {
                self.0.insert(object.metadata.name, builtin);
            }
        }
        Ok(())
    }

    /// The built-in policy of this ClusterPolicy, or the ClusterPolicy itself where its module is a file.
    fn builtin(&self, name: &str) -> String {
        self.0.get(name).map_or(name, String::as_str).to_owned()
    }

    fn refusal(&self, call: Call, answer: &Answer) -> Verdict {
        let violated: BTreeSet<String> = answer.violated(Mode::Enforce).map(|name| self.builtin(name)).collect();
        let failed: BTreeSet<String> = answer.failed().map(|name| self.builtin(name)).collect();
        Verdict::Denied { call: call.path().to_owned(), violated, failed, message: answer.message().to_owned() }
    }

    /// Whose warnings the user reads: of policies that only warn, and advice, which begins with the object's name and
    /// the policy's.
    fn warning(&self, answer: &Answer) -> BTreeSet<String> {
        let advised = answer.warnings.iter().filter_map(|warning| warning.split(": ").nth(1));
        let advised = advised.filter(|name| self.0.contains_key(*name));
        answer.violated(Mode::Warn).chain(advised).map(|name| self.builtin(name)).collect()
    }
}

fn patched(workload: &Workload, corrected: &Answer) -> Result<Value, DemoError> {
    let mut object = workload.object.clone();
    if let Some(patch) = corrected.patch(workload)? {
        json_patch::patch(&mut object, &patch)
            .map_err(|source| DemoError::Patch { workload: workload.reference(), source })?;
    }
    Ok(object)
}
