//! Rotation with overlap: what is due is planned from what is on disk and the clock (`plan`), done one step at a time
//! (`apply`), and each step is planned anew, so that a renewal cut off anywhere goes on where it stopped.
//!
//! The order that no client notices:
//! 1. At two thirds of a CA's life a new CA enters the bundle. Leaves are still signed by the old one.
//! 2. When clients have had the overlap's time to take up the bundle, the new CA signs, and signs a leaf at once.
//! 3. When nothing the old CA signed holds any longer, it leaves the bundle.
//!
//! Leaves come new at two thirds of their life, and with each a path token, which goes the same way: taken first,
//! registered when every replica has had the overlap's time to learn it, and taken for one overlap more. Where the
//! certificate is somebody else's, tokens come by themselves, as often.

mod apply;
mod plan;
mod policy;
mod state;

use std::fmt;

use jiff::Timestamp;

pub(crate) use apply::{create_authority, enter_issued};
pub use policy::{Asked, PolicyError, RotationPolicy};

use crate::certificate::{Certificate, Fingerprint};
use crate::folder::{CertificateFolder, FolderError};
use crate::status::Status;
use crate::validity::whole_seconds;
pub(crate) use state::{State, Tokens};

/// What a renewal did, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rotation {
    /// The steps taken, in order; empty when nothing was due.
    pub done: Vec<Renewal>,
    /// The step that is due next.
    pub next: Upcoming,
}

/// A step and when it is due.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Upcoming {
    /// From when on. In the past when it is overdue.
    pub at: Timestamp,
    /// What.
    pub what: Renewal,
}

/// One step of a rotation. It reads as what was done, and, in [`Upcoming`], as what will have been.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Renewal {
    /// A new CA is in the bundle beside the one that signs.
    AuthorityAnnounced,
    /// The announced CA signs from now on; the old one's key is gone.
    AuthorityPromoted,
    /// A CA left the bundle, for nothing it signed holds any longer.
    AuthorityRetired(Fingerprint),
    /// The bundle did not hold the CA that signs, and does again.
    BundleRepaired,
    /// A new serving pair.
    LeafIssued(LeafReason),
    /// A new path token is taken, beside those before it.
    TokenAnnounced,
    /// The new path token is the one to register.
    TokenPromoted,
    /// A path token before the current one is no longer taken.
    TokenRetired,
}

/// Why a new serving pair was needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeafReason {
    /// There was none, or its key was missing.
    Missing,
    /// Two thirds of its life are over.
    TwoThirdsOver,
    /// It has ended, or has not begun.
    NotValid,
    /// It is for other names than the policy asks for.
    NamesChanged,
    /// It was signed by another CA than the one that signs now.
    AuthorityChanged,
    /// Somebody asked for one.
    Asked,
}

impl fmt::Display for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AuthorityAnnounced => f.write_str("a new CA enters the bundle"),
            Self::AuthorityPromoted => f.write_str("the announced CA begins to sign"),
            Self::AuthorityRetired(which) => write!(f, "the CA {which} leaves the bundle"),
            Self::BundleRepaired => f.write_str("the signing CA is put back into the bundle"),
            Self::LeafIssued(reason) => write!(f, "a new serving certificate ({reason})"),
            Self::TokenAnnounced => f.write_str("a new path token is taken beside the current one"),
            Self::TokenPromoted => f.write_str("the new path token is the one to register"),
            Self::TokenRetired => f.write_str("the old path token is no longer taken"),
        }
    }
}

impl fmt::Display for LeafReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is none",
            Self::TwoThirdsOver => "two thirds of its life are over",
            Self::NotValid => "the old one is not valid now",
            Self::NamesChanged => "the names changed",
            Self::AuthorityChanged => "the CA changed",
            Self::Asked => "somebody asked for one",
        })
    }
}

/// A full rotation takes eight steps; more at one moment means that a step does not do what it says.
const MOST_STEPS: usize = 32;

/// Does what is due, step by step. The caller holds the lock and has settled the pairs.
pub(crate) fn run(
    folder: &CertificateFolder,
    now: Timestamp,
    policy: &RotationPolicy,
) -> Result<Rotation, FolderError> {
    let now = whole_seconds(now);
    let mut done = Vec::new();
    loop {
        let found = Found::load(folder, policy)?;
        let next = found.upcoming(now, policy);
        if next.at > now {
            return Ok(Rotation { done, next });
        }
        if done.len() >= MOST_STEPS {
            return Err(FolderError::Unsettled { done, due: next.what });
        }
        found.apply(folder, &next.what, now, policy)?;
        done.push(next.what);
    }
}

/// What is in the folder of what is ours.
enum Found {
    Certificates(Box<State>),
    /// Where the certificate is somebody else's.
    Tokens(Tokens),
}

impl Found {
    fn load(folder: &CertificateFolder, policy: &RotationPolicy) -> Result<Self, FolderError> {
        Ok(match policy.names() {
            Some(_) => Self::Certificates(Box::new(State::load(folder)?)),
            None => Self::Tokens(Tokens::load(folder)?),
        })
    }

    fn upcoming(&self, now: Timestamp, policy: &RotationPolicy) -> Upcoming {
        match self {
            Self::Certificates(state) => plan::upcoming(state, now, policy),
            Self::Tokens(tokens) => plan::upcoming_of_tokens(tokens, now, policy),
        }
    }

    fn apply(
        &self,
        folder: &CertificateFolder,
        step: &Renewal,
        now: Timestamp,
        policy: &RotationPolicy,
    ) -> Result<(), FolderError> {
        match self {
            Self::Certificates(state) => apply::apply(folder, state, step, now, policy),
            Self::Tokens(tokens) => apply::apply_to_tokens(folder, tokens, step, now, policy),
        }
    }
}

/// What is in the folder. Takes no lock: it may see a renewal half done, never a file half written.
pub(crate) fn describe(
    folder: &CertificateFolder,
    now: Timestamp,
    policy: &RotationPolicy,
) -> Result<Status, FolderError> {
    let state = State::load(folder)?;
    let next = plan::upcoming(&state, whole_seconds(now), policy);
    Ok(Status::new(&state, next, now))
}

/// Whether a CA of this folder, past or present, signed `certificate`.
pub(crate) fn signed_here(folder: &CertificateFolder, certificate: &Certificate) -> Result<bool, FolderError> {
    let state = State::load(folder)?;
    let mut authorities = state.bundle.iter().chain([&state.authority]);
    Ok(authorities.any(|authority| certificate.signed_by(authority)))
}
