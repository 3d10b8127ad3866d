//! Runs policies: the only crate that names wasmtime.
//!
//! A policy module is a WebAssembly component that keeps to the contract in `wit/policy.wit`. [`Engine::load`] checks
//! it, has it describe and configure itself, freezes the configured component, compiles it and keeps the result in a
//! cache. [`Program::evaluate`] runs it: a fresh instance for every call, within limits of time, memory, stack, host
//! calls and output, so that whatever a guest does ends as an [`Outcome`](portreeve_admission::verdict::Outcome).
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let case: portreeve_admission::case::Case = todo!();
//! use std::collections::BTreeSet;
//! use std::time::{Duration, Instant};
//!
//! use portreeve_engine::{Engine, Instance, Options};
//!
//! let engine = Engine::new(Options::default())?;
//! let settings = serde_json::json!({"label": "team"});
//! let owner = Instance { id: "owner".into(), policy: "team-label".into(), settings, granted: BTreeSet::new() };
//! let program = engine.load(&std::fs::read("team-label.wasm")?, &[owner])?;
//! for outcome in program.evaluate(&case, &["owner"], Instant::now() + Duration::from_secs(2)) {
//!     println!("{outcome:?}");
//! }
//! # Ok(()) }
//! ```
//!
//! Everything here blocks and nothing here does network I/O or knows of HTTP or Kubernetes. No type of wasmtime is
//! part of the public face.

mod answer;
mod bindings;
mod cache;
mod clock;
mod contract;
mod digest;
mod engine;
mod error;
mod host;
mod instance;
mod load;
mod machine;
mod machine_code;
mod manifest;
mod module;
mod options;
mod program;
mod runtime;
mod slots;
mod stats;

pub use cache::{CacheError, CacheFolder, EmbeddedEntry};
pub use contract::CONTRACT;
pub use digest::ModuleDigest;
pub use engine::{Engine, Inspection, Rehearsal};
pub use error::{EngineError, LoadError, Source, Step};
pub use instance::Instance;
pub use load::Start;
pub use manifest::{Capabilities, FactNeed, Manifest, ResourceRule};
pub use options::{Cache, Limits, Options, Processor, Suspension};
pub use program::Program;
pub use stats::Stats;
