//! What an engine is made with. Nothing is checked here but by its types; the folder is checked when it is opened.

use std::time::Duration;

use crate::cache::{CacheFolder, EmbeddedEntry};

/// What an engine is made with. The defaults serve.
#[derive(Debug, Default)]
pub struct Options {
    /// What a guest may use.
    pub limits: Limits,
    /// When a policy that keeps running out of time is left alone.
    pub suspension: Suspension,
    /// Where compiled policies are kept from one start to the next.
    pub cache: Cache,
    /// Compiled policies that are part of this binary, looked through after `cache`.
    pub embedded: &'static [EmbeddedEntry],
    /// What policies are compiled for.
    pub processor: Processor,
}

/// What policies are compiled for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Processor {
    /// The one that compiles, with all it can do.
    #[default]
    ThisOne,
    /// Every one of this target triple, such as `x86_64-unknown-linux-gnu`: what is embedded has to run on machines
    /// that lack what this one can do.
    Any {
        /// As Rust names it. It has to be this machine's own for anything to run.
        triple: String,
    },
}

/// Where compiled policies are kept.
#[derive(Debug, Default)]
pub enum Cache {
    /// In this folder.
    Folder(CacheFolder),
    /// Nowhere: every start compiles.
    #[default]
    None,
}

/// What a guest may use, for one evaluation unless told otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of linear memory, all memories of a component together.
    pub memory_bytes: usize,
    /// Elements of tables, all tables together.
    pub table_elements: usize,
    /// Bytes of stack. The thread that evaluates needs about 512 KiB more than this.
    pub stack_bytes: usize,
    /// Evaluations at one time; more wait for one to end, until their deadline.
    pub evaluations: u32,
    /// Calls of host functions.
    pub host_calls: u32,
    /// Bytes of an answer: all its strings, and a few for each violation and edit.
    pub answer_bytes: usize,
    /// Violations, advisories and edits of one verdict.
    pub findings: usize,
    /// As many more for each container of the template: most policies have something to say of every one.
    pub findings_of_container: usize,
    /// Lines of log; the rest is dropped and counted.
    pub log_lines: u32,
    /// Bytes of one line of log; the rest of it is cut off.
    pub log_line_bytes: usize,
    /// Bytes of a module.
    pub module_bytes: usize,
    /// Time for each step of loading that runs a guest: starting it, describing, configuring.
    pub setup: Duration,
    /// Time for configuring a module while a request waits for it. One that takes longer is in force only when it
    /// starts configured.
    pub configuring: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            table_elements: 20_000,
            stack_bytes: 512 << 10,
            evaluations: 64,
            host_calls: 100_000,
            answer_bytes: 4 << 20,
            findings: 1_000,
            findings_of_container: 20,
            log_lines: 100,
            log_line_bytes: 1_024,
            module_bytes: 64 << 20,
            setup: Duration::from_secs(10),
            configuring: Duration::from_millis(250),
        }
    }
}

/// When a policy that keeps running out of time is left alone, so that it does not burn half of everybody's time.
#[derive(Debug, Clone, Copy)]
pub struct Suspension {
    /// After so many time-outs in a row.
    pub after: u32,
    /// For so long; then one evaluation is tried.
    pub pause: Duration,
}

impl Default for Suspension {
    fn default() -> Self {
        Self { after: 5, pause: Duration::from_secs(10) }
    }
}
