//! What is told of a folder of certificates, as it is printed: for programs as it stands here, for people as `text`
//! makes it. No key and no token is in it.

use std::path::PathBuf;

use jiff::Timestamp;
use portreeve_certs::{CertificateFolder, CertificateStatus, Rotation, Status, Upcoming};
use schemars::JsonSchema;
use serde::Serialize;

/// The result of `portreeve certs show -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FolderReport {
    /// The folder.
    pub(super) folder: PathBuf,
    /// The CA that signs.
    pub(super) authority: CertificateReport,
    /// The CA that will sign, while clients learn of it.
    pub(super) announced: Option<CertificateReport>,
    /// The serving certificate.
    pub(super) leaf: Option<CertificateReport>,
    /// What clients are told to trust.
    pub(super) bundle: Vec<CertificateReport>,
    /// What is due next.
    pub(super) next: StepReport,
}

/// The result of `portreeve certs create -o json` and `portreeve certs renew -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RotationReport {
    /// The folder.
    pub(super) folder: PathBuf,
    /// What clients are told to trust.
    pub(super) bundle: PathBuf,
    /// The serving certificate.
    pub(super) certificate: PathBuf,
    /// Its key.
    pub(super) key: PathBuf,
    /// What was done, in order; empty if nothing was due.
    pub(super) done: Vec<String>,
    /// What is due next.
    pub(super) next: StepReport,
}

/// A certificate.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CertificateReport {
    pub(super) subject: String,
    pub(super) issuer: String,
    /// In hexadecimal.
    pub(super) serial: String,
    /// DNS names and addresses that it is for.
    pub(super) names: Vec<String>,
    #[schemars(with = "String")]
    pub(super) not_before: Timestamp,
    #[schemars(with = "String")]
    pub(super) not_after: Timestamp,
    /// Whole days until then; negative when it has ended.
    pub(super) days_left: i64,
    /// SHA-256 of its DER bytes.
    pub(super) fingerprint: String,
}

/// A step of a rotation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepReport {
    /// From when on it is due.
    #[schemars(with = "String")]
    pub(super) at: Timestamp,
    /// In words.
    pub(super) what: String,
}

impl FolderReport {
    pub(super) fn of(folder: &CertificateFolder, status: &Status) -> Self {
        Self {
            folder: folder.path().to_owned(),
            authority: CertificateReport::of(&status.authority),
            announced: status.announced.as_ref().map(CertificateReport::of),
            leaf: status.leaf.as_ref().map(CertificateReport::of),
            bundle: status.bundle.iter().map(CertificateReport::of).collect(),
            next: StepReport::of(&status.next),
        }
    }
}

impl RotationReport {
    pub(super) fn of(folder: &CertificateFolder, rotation: &Rotation) -> Self {
        Self {
            folder: folder.path().to_owned(),
            bundle: folder.bundle(),
            certificate: folder.leaf_certificate(),
            key: folder.leaf_key(),
            done: rotation.done.iter().map(ToString::to_string).collect(),
            next: StepReport::of(&rotation.next),
        }
    }
}

impl CertificateReport {
    fn of(status: &CertificateStatus) -> Self {
        Self {
            subject: status.subject.clone(),
            issuer: status.issuer.clone(),
            serial: status.serial.clone(),
            names: status.names.clone(),
            not_before: status.not_before,
            not_after: status.not_after,
            days_left: status.days_left,
            fingerprint: status.fingerprint.to_string(),
        }
    }
}

impl StepReport {
    fn of(upcoming: &Upcoming) -> Self {
        Self { at: upcoming.at, what: upcoming.what.to_string() }
    }
}
