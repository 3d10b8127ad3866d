//! Answers that cost something to get: remembered for a while, and got once however many wait for them.
//!
//! A question runs in a task of its own, so whoever asked first may give up without taking the answer away from the
//! others. It has to end by itself; every waiter has its own deadline.

use std::future::Future;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Answers by key, the least recently used ones forgotten first.
#[derive(Debug)]
pub(crate) struct Answers<K: Hash + Eq, V, E> {
    entries: Arc<Mutex<LruCache<K, Entry<V, E>>>>,
    kept: Kept,
}

/// How long answers are remembered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// None: as long as there is room.
    pub(crate) found: Option<Duration>,
    /// For how long a question that failed is not asked again.
    pub(crate) failed: Duration,
}

/// Whether what is remembered will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// An answer that is remembered will do, and so will one that somebody else is waiting for.
    Remembered,
    /// Only what was asked for since then will do, and it is remembered: what a restarted workload gets. With the time
    /// at which a request came, it is asked for once in the request, however often the request needs it.
    Since(Instant),
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer<E> {
    /// The question failed.
    Failed(E),
    /// The waiter's deadline came first; the question goes on.
    Deadline,
    /// The question was dropped, with the runtime that it ran in.
    Dropped,
}

/// An error that may or may not say something about the thing itself.
pub(crate) trait Failure {
    /// Whether it takes the place of a remembered answer; if not, that one stays as long as it is kept.
    fn replaces_an_answer(&self) -> bool;

    /// Whether anybody was asked; if not, it is not remembered, and whoever wants to know next asks again.
    fn is_an_answer(&self) -> bool;
}

#[derive(Debug)]
struct Entry<V, E> {
    known: Option<Known<V, E>>,
    /// What the newest question that has ended came to, even if that is not what is remembered.
    newest: Option<Asked<Result<V, E>>>,
    under_way: Option<Asked<Waiting<V, E>>>,
    /// Counts the questions, so that an older one that ends late does not overwrite a newer one's answer.
    asked: u64,
}

/// The end at which a question's answer arrives.
type Waiting<V, E> = watch::Receiver<Option<Result<V, E>>>;

/// When a question was asked, and what there is of its answer.
#[derive(Debug)]
struct Asked<T> {
    at: Instant,
    answer: T,
}

#[derive(Debug)]
struct Known<V, E> {
    answer: Result<V, E>,
    until: Option<Instant>,
}

impl<K, V, E> Answers<K, V, E>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
    E: Failure + Clone + Send + Sync + 'static,
{
    pub(crate) fn new(entries: NonZeroUsize, kept: Kept) -> Self {
        Self { entries: Arc::new(Mutex::new(LruCache::new(entries))), kept }
    }

    /// The answer by this key: remembered, awaited from a question that is under way, or asked for with `ask`.
    ///
    /// A remembered answer is given even when the deadline has passed.
    pub(crate) async fn get<F>(
        &self,
        key: K,
        freshness: Freshness,
        deadline: Instant,
        ask: impl FnOnce() -> F,
    ) -> Result<V, NoAnswer<E>>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let waiting = match self.look_up(&key, freshness, deadline) {
            Found::Known(answer) => return answer.map_err(NoAnswer::Failed),
            Found::UnderWay(waiting) => waiting,
            Found::Entered(entered, waiting) => {
                self.begin(key, entered, ask());
                waiting
            }
            Found::Nothing => return Err(NoAnswer::Deadline),
        };
        wait(waiting, deadline).await
    }

    /// What there is. Where that is nothing and there is time, a question is entered at the same moment, so that of two
    /// who come at once one asks.
    fn look_up(&self, key: &K, freshness: Freshness, deadline: Instant) -> Found<V, E> {
        let mut entries = locked(&self.entries);
        let now = Instant::now();
        let found = match (entries.get(key), freshness) {
            (None, _) => Found::Nothing,
            (Some(entry), Freshness::Remembered) => entry.found(now),
            (Some(entry), Freshness::Since(then)) => entry.found_since(then),
        };
        match found {
            Found::Nothing if now < deadline => entries.get_or_insert_mut(key.clone(), Entry::empty).enter(now),
            found => found,
        }
    }

    /// Starts the question in a task of its own.
    fn begin(&self, key: K, entered: Entered<V, E>, question: impl Future<Output = Result<V, E>> + Send + 'static) {
        let Entered { at, number, tell } = entered;
        let (entries, kept) = (Arc::clone(&self.entries), self.kept);
        tokio::spawn(async move {
            let answer = question.await;
            if let Some(entry) = locked(&entries).peek_mut(&key).filter(|entry| entry.asked == number) {
                entry.learn(Asked { at, answer: answer.clone() }, kept, Instant::now());
            }
            // Nobody may be waiting any more; the answer is remembered all the same.
            let _ = tell.send(Some(answer));
        });
    }
}

enum Found<V, E> {
    Known(Result<V, E>),
    UnderWay(Waiting<V, E>),
    Entered(Entered<V, E>, Waiting<V, E>),
    Nothing,
}

/// A question that is to be asked. Others wait for it already.
struct Entered<V, E> {
    at: Instant,
    number: u64,
    tell: watch::Sender<Option<Result<V, E>>>,
}

impl<V: Clone, E: Failure + Clone> Entry<V, E> {
    fn empty() -> Self {
        Self { known: None, newest: None, under_way: None, asked: 0 }
    }

    /// Puts down a question as under way.
    fn enter(&mut self, at: Instant) -> Found<V, E> {
        let (tell, waiting) = watch::channel(None);
        self.under_way = Some(Asked { at, answer: waiting.clone() });
        self.asked += 1;
        Found::Entered(Entered { at, number: self.asked, tell }, waiting)
    }

    /// What is known goes before what is under way: that may fail, and it would not have been asked for this caller.
    fn found(&self, now: Instant) -> Found<V, E> {
        let known = self.known.as_ref().filter(|known| known.holds(now));
        match (known, self.under_way()) {
            (Some(known), _) => Found::Known(known.answer.clone()),
            (None, Some(waiting)) => Found::UnderWay(waiting.answer.clone()),
            (None, None) => Found::Nothing,
        }
    }

    /// What was asked for since then: a failure counts too, since asking once more would come to the same.
    fn found_since(&self, then: Instant) -> Found<V, E> {
        let newest = self.newest.as_ref().filter(|newest| newest.at >= then);
        let under_way = self.under_way().filter(|waiting| waiting.at >= then);
        match (newest, under_way) {
            (Some(newest), _) => Found::Known(newest.answer.clone()),
            (None, Some(waiting)) => Found::UnderWay(waiting.answer.clone()),
            (None, None) => Found::Nothing,
        }
    }

    /// A question that was dropped left its sender behind closed; it will not answer.
    fn under_way(&self) -> Option<&Asked<Waiting<V, E>>> {
        self.under_way.as_ref().filter(|waiting| waiting.answer.has_changed().is_ok())
    }

    fn learn(&mut self, Asked { at, answer }: Asked<Result<V, E>>, kept: Kept, now: Instant) {
        self.under_way = None;
        if answer.as_ref().is_err_and(|error| !error.is_an_answer()) {
            return;
        }
        self.newest = Some(Asked { at, answer: answer.clone() });
        let holds = self.known.as_ref().is_some_and(|known| known.answer.is_ok() && known.holds(now));
        if holds && answer.as_ref().is_err_and(|error| !error.replaces_an_answer()) {
            return;
        }
        let lasts = match &answer {
            Ok(_) => kept.found,
            Err(_) => Some(kept.failed),
        };
        let until = lasts.map(|lasts| now + lasts);
        self.known = Some(Known { answer, until });
    }
}

impl<V, E> Known<V, E> {
    fn holds(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

async fn wait<V: Clone, E: Clone>(mut waiting: Waiting<V, E>, deadline: Instant) -> Result<V, NoAnswer<E>> {
    match timeout_at(deadline, waiting.wait_for(Option::is_some)).await {
        Err(_) => Err(NoAnswer::Deadline),
        Ok(Err(_)) => Err(NoAnswer::Dropped),
        Ok(Ok(answer)) => match answer.as_ref() {
            Some(answer) => answer.clone().map_err(NoAnswer::Failed),
            None => Err(NoAnswer::Dropped),
        },
    }
}

/// No code between lock and release can panic, so a poisoned lock holds nothing half-done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
