//! What is in the cluster already, judged again by the leader: whenever the set in force is another, and from time to
//! time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use portreeve_admission::decision::Finding;
use portreeve_admission::review::{API_VERSION, Review, decode};
use portreeve_cluster::connection::Connection;
use portreeve_cluster::registration::Sought;
use portreeve_cluster::reports::{Limits, Reports, Standard};
use portreeve_cluster::scan::{Audience, Finished, Judge, Judged, ScanSettings, ScannedKind, Scanner};
use portreeve_server::config::{ReportsConfig, ScanConfig};
use portreeve_server::metrics::{Metrics, ScannedRound};
use portreeve_server::serve::Parts;
use portreeve_server::set::chain;
use portreeve_server::way::{Gate, Judgement, Met};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use super::survey::Surveyor;

/// What one object may take.
const LONGEST: Duration = Duration::from_secs(10);

/// After a failure, this long until the next attempt.
const RETRY: Duration = Duration::from_secs(5);

/// A scan, which goes on where it was when it was broken off.
pub(super) fn scanner(
    connection: &Connection,
    parts: &Parts,
    config: &ScanConfig,
    sought: watch::Receiver<Option<Sought>>,
) -> Scanner<ByGate> {
    let standard = match config.reports {
        ReportsConfig::OpenReports => Standard::OpenReports,
        ReportsConfig::PolicyReports => Standard::PolicyReports,
    };
    let reports = Reports::new(connection.client.clone(), standard, Limits::default());
    let settings = ScanSettings {
        every: Duration::from_secs(config.every_seconds.get().into()),
        per_second: config.per_second,
        ..ScanSettings::default()
    };
    let judge = ByGate(Arc::clone(&parts.gate));
    let audience = Arc::new(Counting(Arc::clone(&parts.metrics)));
    Scanner::new(connection.client.clone(), judge, reports, &settings, sought, audience)
}

/// Counts what scans come to.
struct Counting(Arc<Metrics>);

impl Audience for Counting {
    fn finished(&self, round: &Finished) {
        self.0.scanned(&ScannedRound {
            judged: round.counts.judged,
            unlisted: u64::try_from(round.unlisted.len()).unwrap_or(u64::MAX),
            unreported: round.counts.failed,
            took: round.took,
            finished: Timestamp::now(),
        });
    }

    fn interrupted(&self) {
        self.0.scan_interrupted();
    }
}

/// Says what the set in force wants to see, whenever that is another set.
pub(super) async fn seek(surveyor: Surveyor, parts: Arc<Parts>, tell: watch::Sender<Option<Sought>>) {
    let mut sets = parts.sets.subscribe();
    let mut told = None;
    loop {
        let set = Arc::clone(&sets.borrow_and_update());
        match surveyor.survey(&parts, &set).await {
            Ok(survey) => {
                let sought = Sought::of(&survey.demand(&parts, &set));
                tell_if_new(&tell, &mut told, (set.digest().to_owned(), sought));
            }
            Err(error) => {
                tracing::warn!("what a scan should look at is not known yet: {}", chain(&error));
                sleep(RETRY).await;
                continue;
            }
        }
        if sets.changed().await.is_err() {
            return;
        }
    }
}

/// Tells what a set of this digest wants to see, unless that was told last: a change of our resources that says nothing
/// in the set makes the same one again.
fn tell_if_new(tell: &watch::Sender<Option<Sought>>, told: &mut Option<(String, Sought)>, now: (String, Sought)) {
    if told.as_ref() != Some(&now) {
        tell.send_replace(Some(now.1.clone()));
        *told = Some(now);
    }
}

/// Judges as the gate does, corrections first, and leaves no record: nothing was asked for.
pub(super) struct ByGate(Arc<Gate>);

impl Judge for ByGate {
    async fn judge(&self, object: &Value, kind: &ScannedKind) -> Judged {
        let review = match decode(review(object, kind).to_string().as_bytes()) {
            Ok(review) => review,
            Err(error) => {
                tracing::warn!(kind = kind.kind.kind, "an object can't be judged: {}", chain(&error));
                return Judged::default();
            }
        };
        let deadline = Instant::now() + LONGEST;
        let met = self.0.meet(review, deadline).await;
        let Judgement { asked: policies, decision: as_it_stands, .. } = self.0.judge(&met, deadline).await;
        let corrected = if as_it_stands.findings.is_empty() { None } else { self.corrected(met, deadline).await };
        let Some(corrected) = corrected else {
            return Judged { policies, decision: as_it_stands, mended: Vec::new() };
        };
        let decision = self.0.judge(&corrected, deadline).await.decision;
        let stays = |finding: &Finding| decision.findings.iter().any(|other| is_same_fault(finding, other));
        let mended = as_it_stands.findings.into_iter().filter(|finding| !stays(finding)).collect();
        Judged { policies, decision, mended }
    }
}

impl ByGate {
    /// The object as it would be if it were applied again; none if that is as it stands.
    async fn corrected(&self, met: Met, deadline: Instant) -> Option<Met> {
        // Who fails to correct it fails to judge it as well, and is heard then.
        let object = self.0.correct(&met, deadline).await.object?;
        Some(self.0.meet(Review { object: Some(object), ..met.review }, deadline).await)
    }
}

fn is_same_fault(one: &Finding, other: &Finding) -> bool {
    let (this, that) = (&one.violation, &other.violation);
    one.policy == other.policy
        && one.template == other.template
        && this.rule == that.rule
        && this.container == that.container
}

/// As if it were applied again now.
fn review(object: &Value, kind: &ScannedKind) -> Value {
    let metadata = object.get("metadata");
    let named = |field: &str| metadata.and_then(|metadata| metadata.get(field)).cloned();
    // The API server has it so for namespaces themselves.
    let is_namespace = kind.kind.group.is_empty() && kind.kind.kind == "Namespace";
    let namespace = named(if is_namespace { "name" } else { "namespace" });
    json!({
        "apiVersion": API_VERSION,
        "kind": "AdmissionReview",
        "request": {
            "uid": "scan",
            "kind": kind.kind,
            "resource": kind.resource,
            "namespace": namespace,
            "name": named("name"),
            "operation": "CREATE",
            "dryRun": true,
            "userInfo": {"username": "portreeve:scan"},
            "object": object,
        },
    })
}

#[cfg(test)]
mod tests {
    use portreeve_admission::case::{GroupVersionKind, GroupVersionResource};
    use portreeve_admission::kinds::{Scope, resource};
    use portreeve_admission::matching::Index;
    use portreeve_cluster::registration::Seekers;

    use super::*;

    fn reviewed(group: &str, kind: &str, metadata: &Value) -> Review {
        let kind = GroupVersionKind { group: group.into(), version: "v1".into(), kind: kind.into() };
        let resource: GroupVersionResource = resource(&kind);
        let kind = ScannedKind { kind, resource, scope: Scope::Cluster, seekers: Seekers::default() };
        decode(review(&json!({"metadata": metadata}), &kind).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_namespace_is_judged_as_in_itself_and_not_at_all_if_it_is_excluded() {
        let index = Index::new(&[], ["kube-system".to_owned()]);
        for (name, excluded) in [("shop", false), ("kube-system", true)] {
            let review = reviewed("", "Namespace", &json!({"name": name}));
            assert_eq!(review.request.namespace.as_deref(), Some(name));
            assert_eq!(index.excludes(&review), excluded);
        }
    }

    #[test]
    fn other_objects_are_judged_in_the_namespace_that_they_name() {
        let pod = json!({"name": "a", "namespace": "shop"});
        assert_eq!(reviewed("", "Pod", &pod).request.namespace.as_deref(), Some("shop"));
        let role = json!({"name": "a"});
        assert_eq!(reviewed("rbac.authorization.k8s.io", "ClusterRole", &role).request.namespace, None);
        assert_eq!(reviewed("example.com", "Namespace", &role).request.namespace, None);
    }

    #[test]
    fn only_another_set_is_told_of() {
        let (tell, mut heard) = watch::channel(None);
        let mut told = None;
        let mut is_told = |digest: &str| {
            tell_if_new(&tell, &mut told, (digest.to_owned(), Sought::default()));
            let is_told = heard.has_changed().unwrap();
            heard.mark_unchanged();
            is_told
        };
        assert!(is_told("sha256:a"));
        assert!(!is_told("sha256:a"));
        // The same kinds, judged otherwise.
        assert!(is_told("sha256:b"));
    }
}
