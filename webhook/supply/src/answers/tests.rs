//! What is remembered and for how long, who waits for whom, and what is asked once.

use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};

use super::*;

const FOUND: Duration = Duration::from_secs(60);
const FAILED: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Gone,
    Outage,
    NotAsked,
}

impl Failure for Refusal {
    fn replaces_an_answer(&self) -> bool {
        *self == Self::Gone
    }

    fn is_an_answer(&self) -> bool {
        *self != Self::NotAsked
    }
}

/// Answers under test, and how often they were asked for.
struct Counted {
    answers: Answers<&'static str, u32, Refusal>,
    asked: AtomicU32,
}

impl Counted {
    fn new() -> Self {
        let kept = Kept { found: Some(FOUND), failed: FAILED };
        Self { answers: Answers::new(NonZeroUsize::new(2).unwrap(), kept), asked: AtomicU32::new(0) }
    }

    /// Asks for `key`; if the question is asked at all, `answer` is what comes of it.
    async fn get(
        &self,
        key: &'static str,
        freshness: Freshness,
        answer: Result<u32, Refusal>,
    ) -> Result<u32, NoAnswer<Refusal>> {
        let ask = || {
            self.asked.fetch_add(1, Ordering::Relaxed);
            async move { answer }
        };
        self.answers.get(key, freshness, Instant::now() + FOUND, ask).await
    }

    async fn remembered(&self, answer: Result<u32, Refusal>) -> Result<u32, NoAnswer<Refusal>> {
        self.get("key", Freshness::Remembered, answer).await
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_for_its_time_and_no_longer() {
    let counted = Counted::new();
    assert_eq!(counted.remembered(Ok(1)).await, Ok(1));
    tokio::time::advance(FOUND - Duration::from_millis(1)).await;
    assert_eq!(counted.remembered(Ok(2)).await, Ok(1));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(counted.remembered(Ok(2)).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_kept_for_a_shorter_time() {
    let counted = Counted::new();
    let failed = Err(NoAnswer::Failed(Refusal::Outage));
    assert_eq!(counted.remembered(Err(Refusal::Outage)).await, failed);
    assert_eq!(counted.remembered(Ok(1)).await, failed);
    tokio::time::advance(FAILED).await;
    assert_eq!(counted.remembered(Ok(1)).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_was_asked_is_asked_the_next_time() {
    let counted = Counted::new();
    for asked in 1..3 {
        assert_eq!(counted.remembered(Err(Refusal::NotAsked)).await, Err(NoAnswer::Failed(Refusal::NotAsked)));
        assert_eq!(counted.asked(), asked);
    }
    let since = Freshness::Since(Instant::now());
    assert_eq!(counted.get("key", since, Err(Refusal::NotAsked)).await, Err(NoAnswer::Failed(Refusal::NotAsked)));
    assert_eq!(counted.get("key", since, Ok(1)).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_while_a_question_is_about_to_be_asked_waits_for_it() {
    let counted = Counted::new();
    let ask = || {
        // At the moment between the two: what was looked for is not there, and nobody was asked yet.
        let second = pin!(counted.remembered(Ok(2)));
        assert!(second.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        async { Ok(1) }
    };
    let answer = counted.answers.get("key", Freshness::Remembered, Instant::now() + FOUND, ask).await;
    assert_eq!((answer, counted.asked()), (Ok(1), 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_kept_for_good_does_not_end() {
    let kept = Kept { found: None, failed: FAILED };
    let answers: Answers<&str, u32, Refusal> = Answers::new(NonZeroUsize::MIN, kept);
    let ask = |answer| move || async move { Ok(answer) };
    let later = Instant::now() + FOUND;
    assert_eq!(answers.get("key", Freshness::Remembered, later, ask(1)).await, Ok(1));
    tokio::time::advance(Duration::from_secs(1_000_000)).await;
    assert_eq!(answers.get("key", Freshness::Remembered, later, ask(2)).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_used_for_longest_is_forgotten_first() {
    let counted = Counted::new();
    for key in ["a", "b", "a", "c"] {
        counted.get(key, Freshness::Remembered, Ok(0)).await.unwrap();
    }
    assert_eq!(counted.asked(), 3);
    counted.get("a", Freshness::Remembered, Ok(0)).await.unwrap();
    assert_eq!(counted.asked(), 3);
    counted.get("b", Freshness::Remembered, Ok(0)).await.unwrap();
    assert_eq!(counted.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_word_about_the_thing_replaces_what_was_known_and_an_outage_does_not() {
    let counted = Counted::new();
    counted.remembered(Ok(1)).await.unwrap();
    tokio::time::advance(FAILED).await;
    counted.get("key", Freshness::Since(Instant::now()), Err(Refusal::Outage)).await.unwrap_err();
    assert_eq!(counted.remembered(Ok(2)).await, Ok(1));
    tokio::time::advance(FAILED).await;
    counted.get("key", Freshness::Since(Instant::now()), Err(Refusal::Gone)).await.unwrap_err();
    assert_eq!(counted.remembered(Ok(2)).await, Err(NoAnswer::Failed(Refusal::Gone)));
}

#[tokio::test(start_paused = true)]
async fn since_a_time_a_thing_is_asked_for_once_whatever_comes_of_it() {
    let counted = Counted::new();
    counted.remembered(Ok(1)).await.unwrap();
    for (asked, answer) in [(2, Ok(2)), (3, Err(Refusal::Outage))] {
        tokio::time::advance(FAILED).await;
        let then = Instant::now();
        tokio::time::advance(Duration::from_millis(1)).await;
        for _ in 0..3 {
            let found = counted.get("key", Freshness::Since(then), answer).await;
            assert_eq!(found, answer.map_err(NoAnswer::Failed));
        }
        assert_eq!(counted.asked(), asked);
    }
    assert_eq!(counted.remembered(Ok(3)).await, Ok(2), "an outage says nothing about the thing");
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_leaves_the_question_to_the_others() {
    let answers: Answers<&str, u32, Refusal> = Counted::new().answers;
    let slow = || async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(1)
    };
    let never = || async { Err(Refusal::Gone) };
    let in_seconds = |seconds| Instant::now() + Duration::from_secs(seconds);
    let leader = answers.get("key", Freshness::Remembered, in_seconds(1), slow);
    let follower = answers.get("key", Freshness::Remembered, in_seconds(3), never);
    assert_eq!(tokio::join!(leader, follower), (Err(NoAnswer::Deadline), Ok(1)));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_dropped_leaves_the_question_to_the_others() {
    let answers: Answers<&str, u32, Refusal> = Counted::new().answers;
    let slow = || async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(1)
    };
    let later = Instant::now() + FOUND;
    let leader = answers.get("key", Freshness::Remembered, later, slow);
    drop(tokio::time::timeout(Duration::from_secs(1), leader).await);
    let never = || async { Err(Refusal::Gone) };
    assert_eq!(answers.get("key", Freshness::Remembered, later, never).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn an_older_question_that_ends_late_does_not_overwrite_a_newer_answer() {
    let answers: Answers<&str, u32, Refusal> = Counted::new().answers;
    let after = |seconds, answer| {
        move || async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(answer)
        }
    };
    let later = Instant::now() + FOUND;
    let older = answers.get("key", Freshness::Remembered, later, after(2, 1));
    let newer = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        answers.get("key", Freshness::Since(Instant::now()), later, after(1, 2)).await
    };
    assert_eq!(tokio::join!(older, newer), (Ok(1), Ok(2)));
    assert_eq!(answers.get("key", Freshness::Remembered, later, after(0, 3)).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn past_the_deadline_nothing_is_asked_and_what_is_known_is_told() {
    let counted = Counted::new();
    let past = Instant::now();
    let none = counted.answers.get("key", Freshness::Remembered, past, || async { Ok(1) }).await;
    assert_eq!(none, Err(NoAnswer::Deadline));
    counted.remembered(Ok(2)).await.unwrap();
    let known = counted.answers.get("key", Freshness::Remembered, past, || async { Ok(3) }).await;
    assert_eq!(known, Ok(2));
}
