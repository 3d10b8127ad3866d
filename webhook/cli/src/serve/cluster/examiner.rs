//! Looks at what a proposed set would be registered with, as the leader will look at it before he registers it: what he
//! would not register is told to whoever proposes it.

use std::sync::Arc;

use portreeve_admission::policy::Policy;
use portreeve_admission::subject::TemplatePaths;
use portreeve_cluster::connection::Connection;
use portreeve_cluster::registration::doctor::{Certificates, Surroundings, vital};
use portreeve_cluster::registration::{Demand, Registration, Served, idle_rules};
use portreeve_server::around::Seen;
use portreeve_server::config::{KubernetesConfig, ServerConfig, template_paths};
use portreeve_server::proposal::Doctor;
use portreeve_server::serve::StartError;
use portreeve_server::set::Outline;

use super::registration::certificates_behind;

/// Looks at proposed sets.
pub(super) struct Examiner {
    seen: Arc<Seen>,
    own_namespace: String,
    certificates: Certificates,
    paths: TemplatePaths,
}

impl Examiner {
    /// In this cluster, for a server that is configured so.
    pub(super) fn of(
        config: &ServerConfig,
        kubernetes: &KubernetesConfig,
        connection: &Connection,
        seen: &Arc<Seen>,
    ) -> Result<Self, StartError> {
        Ok(Self {
            seen: Arc::clone(seen),
            own_namespace: connection.namespace.clone(),
            certificates: certificates_behind(kubernetes),
            paths: template_paths(&config.template_paths)?,
        })
    }
}

impl Doctor for Examiner {
    fn faults(&self, outline: &Outline) -> Vec<String> {
        // The leader waits for them too.
        let Some(namespaces) = self.seen.namespaces() else { return Vec::new() };
        let registration = Registration::of(&Demand {
            policies: &outline.policies,
            paths: &self.paths,
            excluded: &outline.excluded,
            failure_policy: outline.failure_policy,
            // Which version of a kind is asked for holds nothing up.
            served: &Served::default(),
            user: None,
        });
        let surroundings = Surroundings {
            own_namespace: Some(&self.own_namespace),
            namespaces: &namespaces,
            certificates: self.certificates,
        };
        vital(&registration, &surroundings).iter().map(ToString::to_string).collect()
    }

    fn idle(&self, policy: &Policy) -> Vec<usize> {
        idle_rules(policy, &self.paths, &Served::default())
    }
}
