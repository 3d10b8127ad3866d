//! A program that runs as long as its value lives, with its output in a file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Fault;

/// How much of the log is told of a program that ended.
const TOLD: usize = 20;

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    again: Start,
}

/// How a program is started.
#[derive(Debug, Clone)]
struct Start {
    program: PathBuf,
    arguments: Vec<String>,
    folder: PathBuf,
}

impl Process {
    /// Starts a program in a folder, which gets its log.
    ///
    /// # Errors
    /// If it can't be started.
    pub(super) fn start(program: &Path, arguments: &[String], folder: &Path) -> io::Result<Self> {
        let (program, arguments, folder) = (program.to_owned(), arguments.to_vec(), folder.to_owned());
        Start { program, arguments, folder }.run()
    }

    /// Kills it, and starts it again as it was started. Its log goes on.
    ///
    /// # Errors
    /// If it can't be started.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        *self = self.again.clone().run()?;
        Ok(())
    }

    /// By which the operating system knows it.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// That it still runs.
    ///
    /// # Errors
    /// If it has ended, with the end of its log.
    pub(super) fn still_runs(&mut self) -> Result<(), Fault> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let log = std::fs::read_to_string(&self.log)?;
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(TOLD)..).unwrap_or_default();
        Err(format!("{} ended ({status}):\n{}", self.name, last.join("\n")).into())
    }
}

impl Start {
    fn run(self) -> io::Result<Process> {
        let name = self.program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let log = self.folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        Ok(Process { name, child, log, again: self })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error says that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
