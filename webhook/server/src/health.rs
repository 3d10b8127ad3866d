//! Whether the server is ready, and what stands in its way or went wrong since: shown on `/readyz?verbose`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What is known of the server's state, by part.
#[derive(Debug, Default)]
pub struct Health {
    parts: Mutex<BTreeMap<Part, State>>,
}

/// What a replica that does not lead says of the registration.
pub const KEPT_BY_THE_LEADER: &str = "the leader keeps it";

/// A part whose state is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The policies in force.
    Policies,
    /// Whether they start as they were configured.
    Compiled,
    /// What loosens them.
    Exceptions,
    /// Whether denials count.
    Denials,
    /// The serving certificate.
    Certificate,
    /// Where facts about images come from.
    Images,
    /// What stands around the objects that are judged.
    Cluster,
    /// What the API server was told of us.
    Registration,
    /// What outlasts a restart.
    State,
    /// The book.
    Ledger,
    /// Whether it is whole, every byte of it.
    Proof,
    /// Shutting down.
    Serving,
}

/// How a part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// As it should be; says what is in force.
    Good(String),
    /// What is in force serves, but something newer was refused, or asks to be looked after; says why.
    Kept(String),
    /// Not able to serve; says why.
    Down(String),
}

impl Part {
    const ALL: [Self; 12] = [
        Self::Policies,
        Self::Compiled,
        Self::Exceptions,
        Self::Denials,
        Self::Certificate,
        Self::Images,
        Self::Cluster,
        Self::Registration,
        Self::State,
        Self::Ledger,
        Self::Proof,
        Self::Serving,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Policies => "policies",
            Self::Compiled => "compiled",
            Self::Exceptions => "exceptions",
            Self::Denials => "denials",
            Self::Certificate => "certificate",
            Self::Images => "images",
            Self::Cluster => "cluster",
            Self::Registration => "registration",
            Self::State => "state",
            Self::Ledger => "ledger",
            Self::Proof => "proof",
            Self::Serving => "serving",
        }
    }
}

impl Health {
    /// Puts down how a part is. True if that is news.
    pub fn set(&self, part: Part, state: State) -> bool {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.insert(part, state.clone()).as_ref() != Some(&state)
    }

    /// Puts down what is in force of a part that is as it should be. Of another one it stays what it was.
    pub fn renew(&self, part: Part, text: String) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(State::Good(told)) = parts.get_mut(&part) {
            *told = text;
        }
    }

    /// Whether every part is there and able to serve.
    #[must_use]
    pub fn ready(&self) -> bool {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        Part::ALL.iter().all(|part| parts.get(part).is_some_and(|state| !matches!(state, State::Down(_))))
    }

    /// One word.
    #[must_use]
    pub fn line(&self) -> String {
        if self.ready() { "ok\n" } else { "not ready\n" }.to_owned()
    }

    /// A line for each part, for whoever looks after the server: with paths, names and reasons.
    #[must_use]
    pub fn report(&self) -> String {
        self.lines(State::text)
    }

    /// The same for whoever comes by: whether each part is as it should be, and nothing of why.
    #[must_use]
    pub fn outline(&self) -> String {
        self.lines(State::withheld)
    }

    fn lines(&self, told: fn(&State) -> &str) -> String {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |part: &Part| match parts.get(part) {
            Some(state) => format!("{} {}: {}\n", state.sign(), part.name(), told(state)),
            None => format!("[-] {}: not yet\n", part.name()),
        };
        Part::ALL.iter().map(line).collect()
    }
}

impl State {
    fn sign(&self) -> &'static str {
        match self {
            Self::Good(_) => "[+]",
            Self::Kept(_) => "[!]",
            Self::Down(_) => "[-]",
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Good(text) | Self::Kept(text) | Self::Down(text) => text,
        }
    }

    fn withheld(&self) -> &'static str {
        match self {
            Self::Good(_) => "ok",
            Self::Kept(_) | Self::Down(_) => "reason withheld",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_good() -> Health {
        let health = Health::default();
        for part in Part::ALL {
            health.set(part, State::Good("in force".into()));
        }
        health
    }

    #[test]
    fn is_ready_only_when_every_part_is_there() {
        let health = Health::default();
        health.set(Part::Policies, State::Good("10 policies".into()));
        assert!(!health.ready());
        assert!(all_good().ready());
    }

    #[test]
    fn a_refused_newer_set_leaves_it_ready_and_says_why() {
        let health = all_good();
        health.set(Part::Policies, State::Kept("a.yaml:3: no such policy".into()));
        assert!(health.ready());
        assert!(health.report().contains("[!] policies: a.yaml:3: no such policy"));
    }

    #[test]
    fn who_comes_by_learns_how_each_part_is_and_nothing_of_why() {
        let health = all_good();
        health.set(Part::Policies, State::Kept("a.yaml:3: no such policy".into()));
        health.set(Part::Ledger, State::Down("/var/lib/book is full".into()));
        let outline = health.outline();
        for line in ["[!] policies: reason withheld\n", "[-] ledger: reason withheld\n", "[+] serving: ok\n"] {
            assert!(outline.contains(line), "{outline}");
        }
        for secret in ["a.yaml", "/var/lib", "in force"] {
            assert!(!outline.contains(secret), "{outline}");
        }
    }

    #[test]
    fn only_of_what_is_as_it_should_be_something_else_is_said_to_be_in_force() {
        let health = Health::default();
        for (state, line) in [
            (State::Good("one".into()), "[+] policies: two\n"),
            (State::Kept("one is wrong".into()), "[!] policies: one is wrong\n"),
        ] {
            health.set(Part::Policies, state);
            health.renew(Part::Policies, "two".into());
            assert!(health.report().contains(line), "{}", health.report());
        }
        health.renew(Part::Ledger, "two".into());
        assert!(health.report().contains("[-] ledger: not yet"), "{}", health.report());
    }

    #[test]
    fn the_same_state_again_is_no_news() {
        let health = Health::default();
        assert!(health.set(Part::Ledger, State::Down("full".into())));
        assert!(!health.set(Part::Ledger, State::Down("full".into())));
    }
}
