//! What a folder holds, for people (`portreeve certs show`), for `-o json` and for metrics. Nothing is judged here.

use jiff::Timestamp;

use crate::certificate::{Certificate, Fingerprint};
use crate::rotation::{State, Upcoming};
use crate::validity::whole_seconds;

/// A folder's certificates at one moment, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Status {
    /// The CA that signs.
    pub authority: CertificateStatus,
    /// The CA that will sign.
    pub announced: Option<CertificateStatus>,
    /// The serving certificate.
    pub leaf: Option<CertificateStatus>,
    /// What clients are told to trust, the two CAs above among them.
    pub bundle: Vec<CertificateStatus>,
    /// The step that is due next.
    pub next: Upcoming,
}

impl Status {
    pub(crate) fn new(state: &State, next: Upcoming, now: Timestamp) -> Self {
        let status = |certificate: &Certificate| CertificateStatus::new(certificate, now);
        Self {
            authority: status(&state.authority),
            announced: state.announced.as_ref().map(status),
            leaf: state.leaf.as_ref().map(status),
            bundle: state.bundle.iter().map(status).collect(),
            next,
        }
    }
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// Such as `CN=Portreeve CA 3f2a91c4`.
    pub subject: String,
    /// The same of who signed it.
    pub issuer: String,
    /// In hexadecimal.
    pub serial: String,
    /// The DNS names and IP addresses it is for.
    pub names: Vec<String>,
    /// The first second at which it holds.
    pub not_before: Timestamp,
    /// The last second at which it holds.
    pub not_after: Timestamp,
    /// Whole days until then, rounded down; negative when it has ended.
    pub days_left: i64,
    /// SHA-256 of its DER bytes.
    pub fingerprint: Fingerprint,
}

impl CertificateStatus {
    /// Of any certificate, such as the one a [`Reloader`](crate::Reloader) serves.
    pub fn new(certificate: &Certificate, now: Timestamp) -> Self {
        let validity = certificate.validity();
        let left = validity.not_after().duration_since(whole_seconds(now));
        Self {
            subject: certificate.subject().to_owned(),
            issuer: certificate.issuer().to_owned(),
            serial: certificate.serial().to_owned(),
            names: certificate.names().to_vec(),
            not_before: validity.not_before(),
            not_after: validity.not_after(),
            days_left: left.as_secs().div_euclid(86_400),
            fingerprint: certificate.fingerprint(),
        }
    }
}
