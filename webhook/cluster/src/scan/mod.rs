//! A scan of the objects that are there already: those that the policies want to see, a page at a time, each judged by
//! whoever is given as judge, and what was found reported. It is done on a schedule, and at once when the policies
//! change; a round that is under way then is brought to its end first, so that policies which change all the time don't
//! keep any from its end. Nothing is decided here, and nothing edited.
//!
//! What a controller made of its template is judged at the controller: a Deployment, not its ReplicaSets and Pods. So
//! its owner reads one report. Only a policy that does not see the controller's template judges what was made of it.
//! Never more than a page of objects is in memory.

mod kinds;
mod object;
mod pace;
mod round;
mod work;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use portreeve_admission::decision::{Decision, Finding};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

pub use kinds::ScannedKind;
pub use round::{Counts, Finished};

use crate::registration::Sought;
use crate::reports::Reports;
use work::Work;

/// Judges objects. Whoever does knows the policies in force.
pub trait Judge {
    /// What every policy that sees the object says of it, taken for one that is created as it stands.
    fn judge(&self, object: &Value, kind: &ScannedKind) -> impl Future<Output = Judged> + Send;
}

/// Is told how a scan goes. Nobody waits for him.
pub trait Audience: Send + Sync {
    /// A round is done.
    fn finished(&self, round: &Finished);

    /// A round can't go on for now. It is tried again, from the place where it stopped.
    fn interrupted(&self);
}

/// Who wants to see the newest round, and no failures, listens to a channel.
impl Audience for watch::Sender<Option<Finished>> {
    fn finished(&self, round: &Finished) {
        self.send_replace(Some(round.clone()));
    }

    fn interrupted(&self) {}
}

/// What was found of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// Policies that saw it, by name, whatever they found.
    pub policies: Vec<String>,
    /// What they found. An object that can't be read is a failure of each.
    pub decision: Decision,
    /// What is wrong with the object as it stands, and would be put right if it were applied again.
    pub mended: Vec<Finding>,
}

impl Judged {
    /// Forgets what other policies than these said.
    fn keep(&mut self, policies: &BTreeSet<&str>) {
        let Decision { findings, advisories, failures, summaries } = &mut self.decision;
        self.policies.retain(|policy| policies.contains(policy.as_str()));
        findings.retain(|finding| policies.contains(finding.policy.as_str()));
        self.mended.retain(|finding| policies.contains(finding.policy.as_str()));
        advisories.retain(|(policy, _)| policies.contains(policy.as_str()));
        failures.retain(|failure| policies.contains(failure.policy.as_str()));
        summaries.retain(|(policy, _)| policies.contains(policy.as_str()));
    }
}

/// How a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanSettings {
    /// From the end of a round to the next.
    pub every: Duration,
    /// The most objects that are judged in a second.
    pub per_second: NonZeroU32,
    /// Objects in a page.
    pub page: NonZeroU32,
    /// After a failure, this long until the round goes on where it was.
    pub retry: Duration,
}

impl Default for ScanSettings {
    /// Once an hour; ten thousand objects in less than a minute.
    fn default() -> Self {
        let count = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        Self {
            every: Duration::from_secs(3600),
            per_second: count(500),
            page: count(100),
            retry: Duration::from_secs(10),
        }
    }
}

/// Goes through a cluster, round after round.
pub struct Scanner<J> {
    sought: watch::Receiver<Option<Sought>>,
    /// When the next round begins.
    due: Instant,
    every: Duration,
    work: Work<J>,
}

impl<J: Judge> Scanner<J> {
    /// A scan of what is `sought`, at once whenever that is sent anew or else after the round under way, and every so
    /// often. How it goes is told the `audience`.
    #[must_use]
    pub fn new(
        client: Client,
        judge: J,
        reports: Reports,
        settings: &ScanSettings,
        sought: watch::Receiver<Option<Sought>>,
        audience: Arc<dyn Audience>,
    ) -> Self {
        let work = Work::new(client, judge, reports, settings, audience);
        Self { sought, due: Instant::now(), every: settings.every, work }
    }

    /// Scans until nobody says any more what is sought. May be broken off at any moment; called again, it goes on with
    /// the page where it was.
    pub async fn run(&mut self) {
        self.work.resume(self.every);
        while let Some(sought) = self.sought_when_due().await {
            let told = self.sought.clone();
            tokio::select! {
                () = nobody_tells(told) => return,
                finished = self.work.round(&sought) => {
                    self.due = Instant::now() + self.every;
                    let (counts, took) = (finished.counts, finished.took);
                    tracing::info!(%counts, ?took, "what is in the cluster was judged");
                    self.work.tell(&finished);
                }
            }
        }
    }

    /// What is sought, once a round is due or under way; none when nobody says it any more. What is sent while a round
    /// is under way stays unseen until it is done, and makes the next one due.
    async fn sought_when_due(&mut self) -> Option<Sought> {
        loop {
            let known = self.sought.borrow().clone();
            if self.work.is_under_way() {
                return Some(known.unwrap_or_default());
            }
            tokio::select! {
                biased;
                changed = self.sought.changed() => {
                    changed.ok()?;
                    self.due = Instant::now();
                }
                () = sleep_until(self.due), if known.is_some() => return known,
            }
        }
    }
}

/// Waits until nobody says any more what is sought.
async fn nobody_tells(mut told: watch::Receiver<Option<Sought>>) {
    while told.changed().await.is_ok() {}
}
