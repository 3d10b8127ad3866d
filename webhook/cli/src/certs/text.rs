//! A folder of certificates, for people.

use super::report::{CertificateReport, FolderReport, RotationReport, StepReport};

pub(super) fn folder(report: &FolderReport) -> String {
    let mut text = certificate("CA", &report.authority);
    text.extend(report.announced.as_ref().map(|announced| certificate("next CA", announced)));
    text.extend(report.leaf.as_ref().map(|leaf| certificate("serving", leaf)));
    text.push_str(&format!("{:<9}{} certificates are to be trusted\n", "bundle", report.bundle.len()));
    text.push_str(&next(&report.next));
    text
}

pub(super) fn rotation(report: &RotationReport) -> String {
    let mut text = match report.done.as_slice() {
        [] => "nothing was due\n".to_owned(),
        done => done.iter().map(|step| format!("done     {step}\n")).collect(),
    };
    let files = [("trust", &report.bundle), ("serve", &report.certificate), ("key", &report.key)];
    text.extend(files.map(|(what, path)| format!("{what:<9}{}\n", path.display())));
    text.push_str(&next(&report.next));
    text
}

fn certificate(what: &str, certificate: &CertificateReport) -> String {
    let CertificateReport { subject, names, not_after, days_left, fingerprint, .. } = certificate;
    let names = if names.is_empty() { subject.clone() } else { names.join(", ") };
    format!("{what:<9}{names}\n         until {not_after}, {days_left} days; sha256 {fingerprint}\n")
}

fn next(step: &StepReport) -> String {
    format!("next     {}: {}\n", step.at, step.what)
}
