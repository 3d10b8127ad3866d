//! The built binary, as users call it: what goes in, what comes out on which stream, and the exit code.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

mod certs;
mod check;
mod explain;
mod export;
mod ledger;
mod lock;
mod platforms;
mod policy;
mod policy_test;
mod render;
mod seen;
mod serve;
mod usage;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

use serde_json::Value;

/// How a call ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// Exactly this exit code, or the test says what was told.
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self
    }
}

/// The binary, with a cache of compiled policies that all tests share.
pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    for name in ["RUST_LOG", "PORTREEVE_CACHE"] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn portreeve(arguments: &[&str]) -> Ended {
    portreeve_reading("", arguments)
}

/// With this on stdin.
pub(crate) fn portreeve_reading(stdin: &str, arguments: &[&str]) -> Ended {
    let mut command = binary();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read may be gone already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// As [`portreeve_reading`], with the catalogue compiled: once for all tests, not by each of them at the same time.
pub(crate) fn judging(stdin: &str, arguments: &[&str]) -> Ended {
    static COMPILED: Once = Once::new();
    COMPILED.call_once(|| drop(portreeve_reading(POD, &["check", "-"])));
    portreeve_reading(stdin, arguments)
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    folder
}

pub(crate) fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().unwrap().to_owned()
}

/// Whether a document is what the schema of this name promises.
pub(crate) fn assert_promised(schema: &str, document: &Value) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/schemas/{schema}.json"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
}

/// A Pod that lacks all that the platform profile puts in.
pub(crate) const POD: &str = "\
apiVersion: v1
kind: Pod
metadata:
  name: web # as it is called
spec:
  containers:
    - name: web
      image: registry.example/web:1
";

/// A Deployment that no edit can mend.
pub(crate) const PRIVILEGED: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: root
  namespace: shop
spec:
  selector: {matchLabels: {app: root}}
  template:
    metadata: {labels: {app: root}}
    spec:
      containers:
        - name: root
          image: registry.example/root:1
          securityContext:
            privileged: true
";
