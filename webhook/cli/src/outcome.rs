//! How a command ends: its exit code, and, where it came to nothing, the words on stderr.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use portreeve_cluster::refusal;

/// How a command ended that did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well: exit code 0.
    Fine,
    /// Something was denied, or a check failed: exit code 1. What, the command has printed.
    Denied,
}

/// A command that could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: Box<dyn Error + Send + Sync>,
}

#[derive(Debug, Clone, Copy)]
enum Exit {
    Failed,
    Input,
}

impl Outcome {
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Fine => ExitCode::SUCCESS,
            Self::Denied => ExitCode::from(1),
        }
    }

    /// Fine if `fine`.
    pub(crate) fn fine_if(fine: bool) -> Self {
        if fine { Self::Fine } else { Self::Denied }
    }
}

impl Failure {
    /// Input or usage that can't be read: exit code 2.
    pub(crate) fn input(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit: Exit::Input, error: error.into() }
    }

    /// Anything else: exit code 1.
    pub(crate) fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit: Exit::Failed, error: error.into() }
    }

    /// The one or the other.
    pub(crate) fn input_if(input: bool, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        if input { Self::input(error) } else { Self::failed(error) }
    }

    /// Tells it on stderr, and gives the exit code.
    pub(crate) fn told(&self) -> ExitCode {
        // Nobody is left to tell if stderr is closed.
        let _ = writeln!(std::io::stderr(), "error: {}", self.words());
        ExitCode::from(match self.exit {
            Exit::Failed => 1,
            Exit::Input => 2,
        })
    }

    /// The error, and below it each cause that it does not tell itself.
    pub(crate) fn words(&self) -> String {
        let mut words = self.error.to_string();
        let mut source = self.error.source();
        while let Some(cause) = source {
            let refusal = refusal::words(cause);
            let text = refusal.map_or_else(|| cause.to_string(), str::to_owned);
            if !words.contains(&text) {
                words.push_str("\n  because: ");
                words.push_str(&text);
            }
            // An API server's own words say all of it.
            source = cause.source().filter(|_| refusal.is_none());
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{what}")]
    struct Link {
        what: &'static str,
        source: Option<Box<Link>>,
    }

    fn words(texts: &[&'static str]) -> String {
        let chain = texts.iter().rev().fold(None, |source, what| Some(Box::new(Link { what, source })));
        Failure::failed(chain.unwrap()).words()
    }

    #[test]
    fn every_cause_has_a_line() {
        assert_eq!(words(&["no set", "no file", "gone"]), "no set\n  because: no file\n  because: gone");
    }

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        assert_eq!(words(&["no file: gone", "gone"]), "no file: gone");
    }
}
