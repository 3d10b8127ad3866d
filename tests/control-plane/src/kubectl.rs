//! kubectl, as its users run it, and what they read.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Fault;
use crate::control_plane::definitions_of;

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

    /// Has the API server know the kinds of a group, as those define them who publish them. False, and a word about it,
    /// where their definitions are not here.
    ///
    /// # Errors
    /// If the API server does not take them.
    pub fn define(&self, group: &str) -> Result<bool, Fault> {
        let Some(files) = definitions_of(group)? else {
            #[allow(clippy::print_stdout, reason = "a test says when it is skipped")]
            {
                println!("skipped: the definitions of {group} are not here. `cargo xtask assets` has them");
            }
            return Ok(false);
        };
        for file in files {
            self.run(&format!("apply --server-side -f {}", file.display()))?;
        }
        self.run("wait --for=condition=Established --timeout=60s crd --all")?;
        Ok(true)
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
