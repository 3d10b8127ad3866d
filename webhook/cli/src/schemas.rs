//! The shapes of what `-o json` prints and of files that commands read, as they are promised in docs/schemas, and a
//! test that they are what is promised. `PORTREEVE_WRITE_SCHEMAS=1 cargo test --workspace schemas` writes them anew;
//! review the difference.

use std::path::PathBuf;

use portreeve_cases::CaseFileShape;
use portreeve_server::config::ServerConfig;
use schemars::{Schema, schema_for};

use crate::certs::{FolderReport, RotationReport};
use crate::check::report::CheckReport;
use crate::cluster::{DoctorReport, EvidenceReport};
use crate::demo::DemoReport;
use crate::explain::{PageReport, RuleReport, TitleReport};
use crate::ledger::{RecordReport, VerifyReport};
use crate::policy::{ModuleReport, PolicyReport, TestReport};

/// Each schema with the name of its file.
fn promised() -> [(&'static str, Schema); 16] {
    [
        ("cases", schema_for!(CaseFileShape)),
        ("certs-rotation", schema_for!(RotationReport)),
        ("certs-show", schema_for!(FolderReport)),
        ("check", schema_for!(CheckReport)),
        ("cluster-doctor", schema_for!(DoctorReport)),
        ("cluster-evidence", schema_for!(EvidenceReport)),
        ("demo", schema_for!(DemoReport)),
        ("explain-list", schema_for!(Vec<TitleReport>)),
        ("explain-rule", schema_for!(RuleReport)),
        ("explain", schema_for!(PageReport)),
        ("ledger-inspect", schema_for!(Vec<RecordReport>)),
        ("ledger-verify", schema_for!(VerifyReport)),
        ("policy-inspect", schema_for!(ModuleReport)),
        ("policy-list", schema_for!(Vec<PolicyReport>)),
        ("policy-test", schema_for!(TestReport)),
        ("server-config", schema_for!(ServerConfig)),
    ]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas")
}

#[test]
fn schemas_are_current() {
    let write = std::env::var_os("PORTREEVE_WRITE_SCHEMAS").is_some();
    for (name, schema) in promised() {
        let file = folder().join(format!("{name}.json"));
        let current = format!("{:#}\n", schema.as_value());
        if write {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&file, &current).unwrap();
        }
        let promised = std::fs::read_to_string(&file).unwrap();
        assert!(promised == current, "{} is not what is printed; see the first lines of schemas.rs", file.display());
    }
}

#[test]
fn every_schema_is_that_of_something_printed_or_read() {
    let mut files: Vec<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(files, promised().map(|(name, _)| format!("{name}.json")));
}
