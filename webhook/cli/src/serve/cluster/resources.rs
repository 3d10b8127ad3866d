//! Our resources in the cluster, told to the server as what its set is made from; and what became of them, told by the
//! leader to whoever wrote them. What is said of which is in `outcome`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portreeve_admission::api::Resource;
use portreeve_cluster::connection::Connection;
use portreeve_cluster::election::Standing;
use portreeve_cluster::report::{Outcome, Reporter};
use portreeve_cluster::resources::{Known, Place, Resources, Stored, watch as watch_resources};
use portreeve_server::serve::{Became, Told};
use portreeve_server::set::{Located, Problem, Sources, WrittenBy, chain};
use tokio::sync::watch;
use tokio::time::interval;

use super::outcome::{outcome, unread};
use super::{Patience, Tie};

/// How often an exception is looked at for having expired.
const LOOK: Duration = Duration::from_secs(60);

/// Where resources of the cluster are, for whoever reads what is wrong with them.
const PLACE: &str = "in the cluster";

/// Resources with what a set is made from by them.
#[derive(Clone)]
struct Translated {
    resources: Arc<Resources>,
    sources: Arc<Sources>,
}

/// Tells what became of resources.
pub(super) struct Reporting {
    reporter: Reporter,
    translated: watch::Receiver<Option<Translated>>,
    became: watch::Receiver<Option<Became>>,
}

/// Begins to watch our resources. They are known when this returns, unless the API server does not answer.
pub(super) async fn begin(
    connection: &Connection,
    reporter: Reporter,
    patience: &mut Patience,
    tie: &mut Tie,
) -> (Told, Reporting) {
    let (tell_seen, seen) = watch::channel(None);
    let (tell_translated, mut translated) = watch::channel(None);
    let (tell_sources, sources) = watch::channel(None);
    let (tell_became, became) = watch::channel(None);
    tie.spawn(watch_resources(connection.client.clone(), tell_seen));
    tie.spawn(translate_all(seen, tell_translated, tell_sources));
    if !patience.wait_for(translated.wait_for(Option::is_some)).await {
        tracing::warn!("the API server did not tell of our resources yet");
    }
    (Told { sources, became: tell_became }, Reporting { reporter, translated, became })
}

async fn translate_all(
    mut seen: watch::Receiver<Option<Resources>>,
    translated: watch::Sender<Option<Translated>>,
    sources: watch::Sender<Option<Arc<Sources>>>,
) {
    while seen.changed().await.is_ok() {
        let Some(resources) = seen.borrow_and_update().clone() else { continue };
        let before = translated.borrow().clone();
        let now = translate(resources, before.as_ref());
        tell_of_unreadable(&now.resources, before.as_ref().map(|before| before.resources.as_ref()));
        let says_as_before = before.is_some_and(|before| Arc::ptr_eq(&before.sources, &now.sources));
        let told = Arc::clone(&now.sources);
        translated.send_replace(Some(now));
        if !says_as_before {
            sources.send_replace(Some(told));
        }
    }
}

/// What a set is made from by these resources. If they say what those before said, as where only a status was written,
/// it is the same as before.
fn translate(resources: Resources, before: Option<&Translated>) -> Translated {
    let resources = Arc::new(resources);
    if let Some(before) = before
        && says(&before.resources).eq(says(&resources))
        && faults(&before.resources).eq(faults(&resources))
    {
        return Translated { resources, sources: Arc::clone(&before.sources) };
    }
    let sources = Arc::new(sources_of(&resources));
    Translated { resources, sources }
}

/// What a set is made from by these resources.
pub(crate) fn sources_of(resources: &Resources) -> Sources {
    let located =
        |known: &Known| Located { resource: known.resource.clone(), place: PLACE.to_owned(), folder: "/".into() };
    Sources {
        resources: resources.known.iter().map(located).collect(),
        unreadable: unreadable(resources),
        written_by: WrittenBy::Namespaces,
        ..Sources::default()
    }
}

fn says(resources: &Resources) -> impl Iterator<Item = &Resource> {
    resources.known.iter().map(|known| &known.resource)
}

/// What can't be read, and why.
fn faults(resources: &Resources) -> impl Iterator<Item = (&Place, &str)> {
    resources.unreadable.iter().map(|one| (&one.stored.place, one.reason.as_str()))
}

/// Says once of each resource that can't be read that it is passed over.
fn tell_of_unreadable(now: &Resources, before: Option<&Resources>) {
    for (place, reason) in faults(now) {
        if !before.is_some_and(|before| faults(before).any(|known| known == (place, reason))) {
            tracing::warn!(%place, reason, "a resource can't be read");
        }
    }
}

/// What of the cluster's own resources can't be read. What a namespace wrote that can't be read is left out.
fn unreadable(resources: &Resources) -> Vec<Problem> {
    let of_cluster = faults(resources).filter(|(place, _)| place.namespace.is_none());
    of_cluster
        .map(|(place, reason)| Problem { place: format!("{PLACE} ({place})"), reason: reason.to_owned() })
        .collect()
}

impl Reporting {
    /// Tells, whenever something changed, what became of each resource.
    pub(super) async fn keep(&self) {
        let (mut translated, mut became) = (self.translated.clone(), self.became.clone());
        let mut ticks = interval(LOOK);
        loop {
            let (now, made) = (translated.borrow_and_update().clone(), became.borrow_and_update().clone());
            self.tell(now, made).await;
            tokio::select! {
                changed = translated.changed() => if changed.is_err() { return },
                changed = became.changed() => if changed.is_err() { return },
                _ = ticks.tick() => {}
            }
        }
    }

    /// Tells once, as soon as we lead, what the server heard of before its start failed.
    pub(super) async fn tell_once(&self, mut standing: watch::Receiver<Standing>) {
        let (now, made) = (self.translated.borrow().clone(), self.became.borrow().clone());
        if made.is_some() && standing.wait_for(|standing| *standing == Standing::Leader).await.is_ok() {
            self.tell(now, made).await;
        }
    }

    async fn tell(&self, now: Option<Translated>, made: Option<Became>) {
        // Otherwise the server has not looked at them yet.
        if let (Some(now), Some(made)) = (now, made)
            && Arc::ptr_eq(&now.sources, &made.sources)
        {
            self.report(&now.resources, &made).await;
        }
    }

    async fn report(&self, resources: &Resources, became: &Became) {
        let now = Timestamp::now();
        for known in &resources.known {
            self.report_one(&known.stored, &outcome(known, became, now), now).await;
        }
        for unreadable in &resources.unreadable {
            self.report_one(&unreadable.stored, &unread(unreadable, became), now).await;
        }
    }

    async fn report_one(&self, stored: &Stored, outcome: &Outcome, now: Timestamp) {
        if let Err(error) = self.reporter.report(stored, outcome, now).await {
            tracing::warn!("told at the next occasion: {}", chain(&error));
        }
    }
}
