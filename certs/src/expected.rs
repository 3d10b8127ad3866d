//! What clients hold a serving certificate against, as far as the server knows it, and what they will object to.
//! Whether an objection keeps a certificate from being served is the reloader's to say; chains are not verified here,
//! but whoever can't be meant is found out.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;

use crate::certificate::Certificate;
use crate::file::{self, Secrecy};
use crate::names::ServerNames;
use crate::pem;
use crate::serving::{ServingCertificate, ValidityWarning};

/// What clients expect of a serving certificate. Nothing but its dates, by default.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// By which of these it is called. A certificate for none of them is refused by all clients.
    pub names: Option<ServerNames>,
    /// PEM of the CAs that clients are told to trust. Where it can't be read nothing is held against it.
    pub authorities: Option<PathBuf>,
}

/// Why every client will refuse a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// Its dates.
    #[error(transparent)]
    Dates(#[from] ValidityWarning),
    /// It is for other names.
    #[error("it is for {held}, and this server is called by {expected}; have one made for that")]
    Names {
        /// Its own names.
        held: String,
        /// What it is called by.
        expected: String,
    },
    /// Nobody whom clients trust signed it.
    #[error("{issuer:?} signed it, and no CA in {} leads to that; put the CA there first", authorities.display())]
    Authority {
        /// Who signed it, by its own words.
        issuer: String,
        /// The CAs.
        authorities: PathBuf,
    },
}

impl Expected {
    /// What clients will object to in `serving` at `now`, each at a place of its own.
    pub(crate) fn objections(&self, serving: &ServingCertificate, now: Timestamp) -> [Option<Objection>; 3] {
        let names = self.names.as_ref().and_then(|names| names_objection(names, serving.leaf()));
        let authorities = self.authorities.as_ref().and_then(|path| authority_objection(path, serving));
        [serving.validity_warning(now).map(Objection::Dates), names, authorities]
    }
}

fn names_objection(expected: &ServerNames, leaf: &Certificate) -> Option<Objection> {
    // One that can't be read here was refused before it came here.
    let parsed = ParsedCertificate::try_from(leaf.der()).ok()?;
    let is_for_one = expected.iter().any(|name| verify_server_name(&parsed, name).is_ok());
    let held = || if leaf.names().is_empty() { "no name".to_owned() } else { leaf.names().join(", ") };
    (!is_for_one).then(|| Objection::Names { held: held(), expected: expected.to_string() })
}

fn authority_objection(path: &Path, serving: &ServingCertificate) -> Option<Objection> {
    let authorities = pem::certificates(&file::read(path, Secrecy::Public).ok()?).ok()?;
    let issuer = || serving.leaf().issuer().to_owned();
    (!leads_to(serving, &authorities)).then(|| Objection::Authority { issuer: issuer(), authorities: path.to_owned() })
}

/// Whether a chain of signatures leads from the leaf to one of these, by certificates that are served with it.
fn leads_to(serving: &ServingCertificate, authorities: &[Certificate]) -> bool {
    let trusted = |from: &Certificate| authorities.iter().any(|ca| ca == from || from.may_be_signed_by(ca));
    let mut unused: Vec<&Certificate> = serving.beside().iter().collect();
    let mut reached = vec![serving.leaf()];
    while let Some(from) = reached.pop() {
        if trusted(from) {
            return true;
        }
        // Each is reached once, so that certificates that signed one another make no circle.
        let (signers, others): (Vec<_>, Vec<_>) = unused.into_iter().partition(|other| from.may_be_signed_by(other));
        reached.extend(signers);
        unused = others;
    }
    false
}
