//! Events for the owners of workloads, of what was denied at the gate and what was warned of:
//! `kubectl describe deployment` shows why there are no pods. The gate puts down what happened and goes on; a task of
//! its own writes it, as series where it happens again and again, no faster than the limits say. What does not fit is
//! dropped and counted, never queued.
//!
//! Of an object there is in an event its name, and what the policy says in its own words: these may quote the value
//! that is at fault, as they do to whoever sent the object. Nothing else of the object is in it.

mod happening;
mod limit;
mod owner;
mod series;
mod written;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, MissedTickBehavior, interval};

pub use happening::{Happening, Involved, ObjectRef, Weight};
pub use limit::Rate;
pub(crate) use written::{CONTROLLER, NOTE};

use series::{Due, Key, Observed, Series};

/// How many events there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLimits {
    /// Writes, of whatever object.
    pub in_all: Rate,
    /// New events about one object.
    pub by_object: Rate,
    /// Series that are counted at one time.
    pub series: usize,
    /// Happenings that wait to be written.
    pub waiting: usize,
    /// How often the counts of series are brought up to date.
    pub period: Duration,
}

impl Default for EventLimits {
    /// Ten writes in a second and fifty at once; of one object ten events, then two in a minute.
    fn default() -> Self {
        Self {
            in_all: Rate { burst: 50, each: Duration::from_millis(100) },
            by_object: Rate { burst: 10, each: Duration::from_secs(30) },
            series: 1024,
            waiting: 256,
            period: Duration::from_secs(10),
        }
    }
}

/// Where the gate puts down what happened.
#[derive(Debug, Clone)]
pub struct EventSender {
    happened: Sender<Happening>,
    dropped: Arc<AtomicU64>,
}

/// Writes what was put down.
pub struct EventWriter {
    client: Client,
    instance: String,
    happened: Receiver<Happening>,
    dropped: Arc<AtomicU64>,
    series: Series,
    period: Duration,
    /// Whether the last event could not be written.
    failing: bool,
    /// Whether the last count could not be.
    uncounted: bool,
}

/// Both ends. `instance` is who writes: the pod's name.
#[must_use]
pub fn channel(client: Client, instance: &str, limits: &EventLimits) -> (EventSender, EventWriter) {
    let (send, happened) = mpsc::channel(limits.waiting.max(1));
    let dropped = Arc::new(AtomicU64::new(0));
    let sender = EventSender { happened: send, dropped: Arc::clone(&dropped) };
    let series = Series::new(limits, Instant::now());
    let (instance, period) = (instance.to_owned(), limits.period);
    (sender, EventWriter { client, instance, happened, dropped, series, period, failing: false, uncounted: false })
}

impl EventSender {
    /// Puts down what happened; never waits. Where there is no room it is dropped and counted.
    pub fn send(&self, happening: Happening) {
        // The second half of the places is for denials.
        let is_left = happening.weight == Weight::Denied || self.happened.capacity() > self.happened.max_capacity() / 2;
        if !is_left || self.happened.try_send(happening).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many happenings no event tells of.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl EventWriter {
    /// Writes until every sender is gone and all that was sent is told.
    pub async fn run(mut self) {
        let mut period = interval(self.period);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                happened = self.happened.recv() => match happened {
                    Some(happening) => self.take(happening).await,
                    None => break,
                },
                _ = period.tick() => self.bring_up_to_date().await,
            }
        }
        self.bring_up_to_date().await;
    }

    async fn take(&mut self, happening: Happening) {
        let key = happening.key();
        match self.series.observe(&key, Timestamp::now(), Instant::now()) {
            Observed::First => self.begin(key, &happening).await,
            Observed::Again => {}
            Observed::TooMany => drop(self.dropped.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Writes the first event of a series.
    async fn begin(&mut self, key: Key, happening: &Happening) {
        let regarding = owner::topmost(&self.client, &happening.involved).await;
        let event = written::event(happening, &regarding, &self.instance, Timestamp::now());
        let namespace = event.namespace().unwrap_or_default();
        match self.events(&namespace).create(&PostParams::default(), &event).await {
            Ok(event) => {
                self.failing = false;
                self.series.is_written(&key, namespace, event.name_any());
            }
            Err(error) => {
                // Where one is refused all may be: the first is told.
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(error = crate::with_causes(&error), "events are dropped and counted");
                }
                self.series.forget(&key);
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Writes how often it happened by now.
    async fn bring_up_to_date(&mut self) {
        for Due { key, namespace, name, count, last } in self.series.due(Instant::now()) {
            let patch = Patch::Merge(written::series(count, last));
            match self.events(&namespace).patch(&name, &PatchParams::default(), &patch).await {
                Ok(_) => {
                    self.uncounted = false;
                    self.series.is_told(&key, count);
                }
                // It was deleted, or has expired: what happens next begins anew.
                Err(kube::Error::Api(status)) if status.is_not_found() => self.series.forget(&key),
                Err(error) => {
                    if !std::mem::replace(&mut self.uncounted, true) {
                        tracing::warn!(error = crate::with_causes(&error), "counts of events are told later");
                    }
                }
            }
        }
        self.series.end_idle(Instant::now());
    }

    fn events(&self, namespace: &str) -> Api<Event> {
        Api::namespaced(self.client.clone(), namespace)
    }
}
