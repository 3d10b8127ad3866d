//! What runs for long tells how it is: a liveness and a readiness probe on the containers of long-running workloads.
//! Nothing is given but what the settings say: only the author knows what to ask.

mod probe;
mod settings;

use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::view::{Container, ContainerKind, Pod};
use portreeve_sdk::{Can, Case, Manifest, Policy, SettingsError, Stop, Verdict};
use serde_json::json;

pub(crate) use settings::Settings;
use settings::{Asked, Sidecars};

use crate::exact::Exact;
use crate::owner;

/// The policy.
pub(crate) struct Probes {
    settings: Settings,
}

impl Policy for Probes {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Liveness and readiness probes",
            description: "Every container of a long-running workload has a liveness and a readiness probe, so that \
                          what hangs is restarted and what is not ready gets no requests. Those that settings name \
                          are given the probes that they lack.",
            can: Can::MUTATE,
            schema: include_str!("schema.json"),
            controls: &["A1.2", "CC7.2"],
            ..Manifest::new("probes", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self { settings })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        let Some(pod) = case.pod().filter(|pod| self.runs_for_long(case, pod)) else { return Ok(verdict) };
        for container in case.containers().iter().filter(|container| self.is_judged(container)) {
            for asked in Asked::ALL {
                let written = Written::of(container, asked);
                if written == Written::Asks {
                    continue;
                }
                self.judge(asked, written, container, &mut verdict);
                self.give(asked, pod, container, &mut verdict);
            }
        }
        Ok(verdict)
    }
}

/// What stands in the place of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Nothing.
    Nothing,
    /// A probe without a way to ask, which the API server will refuse.
    Idle,
    /// A probe.
    Asks,
}

impl Written {
    fn of(container: &Container, asked: Asked) -> Self {
        match container.probes.iter().find(|probe| probe.kind == asked.kind()) {
            None => Self::Nothing,
            Some(probe) if probe.handler.is_none() => Self::Idle,
            Some(_) => Self::Asks,
        }
    }
}

impl Probes {
    fn runs_for_long(&self, case: &Case<'_>, pod: &Pod) -> bool {
        Exact::any(&self.settings.kinds, &case.request().kind().kind)
            && pod.restart_policy.as_deref().is_none_or(|policy| policy == "Always")
            && owner::controller_kind(case).is_none_or(|kind| kind != "Job")
    }

    fn is_judged(&self, container: &Container) -> bool {
        let by_kind = match container.kind {
            ContainerKind::Regular => true,
            ContainerKind::Sidecar => self.settings.sidecars == Sidecars::Judge,
            ContainerKind::Init | ContainerKind::Ephemeral => false,
        };
        by_kind && !ImagePattern::any(&self.settings.exempt_images, &container.image)
    }

    fn judge(&self, asked: Asked, written: Written, container: &Container, verdict: &mut Verdict) {
        if !self.settings.require.contains(&asked) {
            return;
        }
        let lacks = match written {
            Written::Idle => format!("has a {} that asks nothing", asked.field()),
            Written::Nothing | Written::Asks => format!("has no {}", asked.field()),
        };
        let remedy = match asked {
            _ if written == Written::Idle => "give it one of httpGet, tcpSocket, grpc and exec",
            Asked::Liveness => "add one that fails when only a restart helps",
            Asked::Readiness => "add one that fails while requests should go elsewhere",
            Asked::Startup => "add one that succeeds when the program has started",
        };
        verdict
            .violation(asked.rule())
            .container(container)
            .at(container.field(&["/", asked.field()].concat()))
            .says(format!("container {:?} {lacks}", container.name))
            .mend(remedy);
    }

    fn give(&self, asked: Asked, pod: &Pod, container: &Container, verdict: &mut Verdict) {
        let defaults = self.settings.defaults.iter().find(|defaults| defaults.select.takes(pod, container));
        let probe = defaults.and_then(|defaults| defaults.of(asked)).filter(|probe| probe.can_ask(container));
        if let Some(probe) = probe {
            verdict.set_default(asked.rule(), container.field(&["/", asked.field()].concat()), json!(probe));
        }
    }
}
