//! kubectl, as its users run it, and what they read.

use std::path::{Path, PathBuf};
use std::process::Command;

/// kubectl with a kubeconfig.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

/// What a user reads after a command.
#[derive(Debug, Clone, thiserror::Error)]
#[error("kubectl {arguments} failed: {complaint}")]
pub struct Complaint {
    /// The command.
    pub arguments: String,
    /// What was printed of it, or why it did not start.
    pub complaint: String,
}

impl Kubectl {
    /// This program with this kubeconfig.
    #[must_use]
    pub fn new(program: PathBuf, kubeconfig: &Path) -> Self {
        Self { program, kubeconfig: kubeconfig.to_owned() }
    }

    /// Runs a command, written as in a shell but without quoting, and gives what it printed.
    ///
    /// # Errors
    /// If it fails: what it said then.
    pub fn run(&self, arguments: &str) -> Result<String, Complaint> {
        let failed = |complaint: String| Complaint { arguments: arguments.to_owned(), complaint };
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments.split_whitespace());
        let output = command.output().map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            // `diff` tells on stdout what differs.
            let said = [output.stdout, output.stderr].concat();
            Err(failed(String::from_utf8_lossy(&said).trim().to_owned()))
        }
    }
}
