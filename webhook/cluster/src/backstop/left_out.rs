//! Why a policy has no backstop. Each reason is a sentence for whoever exports.

/// A policy that has none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{policy} is left out: {why}")]
pub struct LeftOut {
    /// The name of the ClusterPolicy, or of the Policy behind its namespace's, as in `shop/labels`.
    pub policy: String,
    /// Why.
    pub why: Why,
}

/// Why a policy has none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It says nothing here either.
    #[error("its mode is off")]
    Off,
    /// Only its code knows what it asks.
    #[error("its code comes from outside, and only that knows what it asks")]
    Outside,
    /// No object may have its name.
    #[error("its name is so long that no object may have it with what makes it a backstop's")]
    LongName,
    /// It takes facts, or more than expressions can say.
    #[error("{0} asks for what the API server has no words for")]
    NoWords(String),
    /// It is exported where somebody asks for it.
    #[error(
        "while the webhook is away nobody pins images, so that it would refuse all that are named by tag; --with {0} \
         exports it all the same"
    )]
    OnlyIfAsked(String),
    /// With its settings nothing is refused that the webhook would not put right.
    #[error("{0}, so that nothing is left to refuse")]
    NothingToRefuse(&'static str),
    /// A setting that can't be said in CEL: without it the backstop would be stricter or looser than the policy.
    #[error("settings.{at}: {reason}")]
    Setting {
        /// Which.
        at: String,
        /// Why not.
        reason: String,
    },
}

impl Why {
    /// A setting that can't be said.
    pub(super) fn setting(at: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Setting { at: at.into(), reason: reason.into() }
    }
}
