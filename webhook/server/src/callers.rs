//! Who may call. With client certificates TLS has let in nobody else; with a token the path has to carry it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use portreeve_certs::PathTokens;

/// Who may call.
#[derive(Clone)]
pub enum Callers {
    /// Whoever TLS let in by client certificate.
    Certified,
    /// Whoever knows a token in force.
    KnowToken(Arc<ArcSwap<PathTokens>>),
}

impl Callers {
    /// Whether a call with this token in its path, or none, is let in.
    #[must_use]
    pub fn admit(&self, token: Option<&str>) -> bool {
        match self {
            // A token where none is asked for is a path that does not exist.
            Self::Certified => token.is_none(),
            Self::KnowToken(tokens) => token.is_some_and(|token| tokens.load().accepts(token)),
        }
    }
}
