//! What is done only by whoever leads: begun when we lead, broken off when we no longer do.

use std::future::pending;

use tokio::sync::watch;

use super::Standing;

/// Runs a duty while we lead, and begins it anew each time that we come to. When we no longer lead it is broken off at
/// its next await: whatever it writes then has to stand being written by two, as a write with a version does, or one
/// that says the same. Ends when nobody tells our standing any more.
pub async fn while_leading(mut standing: watch::Receiver<Standing>, mut duty: impl AsyncFnMut()) {
    while is_told(&mut standing, Standing::Leader).await {
        let lasting = async {
            duty().await;
            // Done for this time; the next begins when we were elected again.
            pending::<()>().await;
        };
        tokio::select! {
            () = lasting => {}
            told = is_told(&mut standing, Standing::Follower) => if !told { return },
        }
    }
}

/// Waits until our standing is this; whether it came to that.
async fn is_told(standing: &mut watch::Receiver<Standing>, awaited: Standing) -> bool {
    standing.wait_for(|standing| *standing == awaited).await.is_ok()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::*;

    /// Says so when it goes.
    struct Ended(UnboundedSender<&'static str>);

    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.send("ended").unwrap();
        }
    }

    #[tokio::test]
    async fn a_duty_is_done_while_we_lead_and_begun_anew_when_we_lead_again() {
        let (tell, told) = watch::channel(Standing::Follower);
        let (say, mut said) = unbounded_channel();
        let duty = async || {
            let _ended = Ended(say.clone());
            say.send("begun").unwrap();
            pending::<()>().await;
        };
        let elected_twice = async {
            for _ in 0..2 {
                tell.send(Standing::Leader).unwrap();
                assert_eq!(said.recv().await, Some("begun"));
                tell.send(Standing::Follower).unwrap();
                assert_eq!(said.recv().await, Some("ended"));
            }
            drop(tell);
        };
        tokio::join!(while_leading(told, duty), elected_twice);
    }

    #[tokio::test]
    async fn a_duty_that_is_done_is_not_begun_again_while_we_lead() {
        let (tell, told) = watch::channel(Standing::Leader);
        let (say, mut said) = unbounded_channel();
        let duty = async || say.send("done").unwrap();
        let observed = async {
            assert_eq!(said.recv().await, Some("done"));
            tell.send(Standing::Leader).unwrap();
            tokio::task::yield_now().await;
            assert!(said.try_recv().is_err());
            drop(tell);
        };
        tokio::join!(while_leading(told, duty), observed);
    }
}
