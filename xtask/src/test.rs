//! `cargo xtask test`: all that CI asks for, in the order in which it is soonest known that something is wrong. Each step
//! has a header and a line with its time; the first that fails ends it.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::assets;
use crate::cargo::{cargo, exit_code, output, program, root, status};
use crate::error::XtaskError;
use crate::test_cluster::ASSETS;
use crate::tidy;

/// What policies are compiled for.
const GUEST_TARGET: &str = "wasm32-unknown-unknown";

/// A step of the test.
struct Step {
    name: &'static str,
    work: Work,
}

/// What a step does.
enum Work {
    /// Looks whether the toolchain has all that the other steps need.
    Toolchain,
    /// Has the programs that the tests against a real API server start, if Go is there to build them.
    ControlPlane,
    /// Runs cargo with these arguments.
    Cargo(&'static [&'static str]),
    /// Checks the house rules.
    Tidy,
    /// Checks dependencies, if the tool for it is there.
    Dependencies,
}

const STEPS: [Step; 8] = [
    Step { name: "toolchain", work: Work::Toolchain },
    Step { name: "format", work: Work::Cargo(&["fmt", "--all", "--check"]) },
    Step { name: "house rules", work: Work::Tidy },
    Step {
        name: "lints",
        work: Work::Cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    },
    // With the examples, dependencies have the features that lints and tests give them, and are built once for all.
    Step {
        name: "documentation",
        work: Work::Cargo(&["doc", "--locked", "--workspace", "--no-deps", "--lib", "--bins", "--examples"]),
    },
    Step { name: "control plane", work: Work::ControlPlane },
    Step { name: "tests", work: Work::Cargo(&["test", "--locked", "--workspace"]) },
    Step { name: "dependencies", work: Work::Dependencies },
];

/// The exit code is that of the first step that fails.
pub(crate) fn run() -> Result<ExitCode, XtaskError> {
    let all = Instant::now();
    for step in &STEPS {
        println!("=== {}", step.name);
        let began = Instant::now();
        let code = step.work.run()?;
        let seconds = began.elapsed().as_secs_f32();
        if code != ExitCode::SUCCESS {
            println!("=== {}: failed after {seconds:.1} s", step.name);
            return Ok(code);
        }
        println!("=== {}: done in {seconds:.1} s\n", step.name);
    }
    println!("=== all passed in {:.1} s", all.elapsed().as_secs_f32());
    Ok(ExitCode::SUCCESS)
}

impl Work {
    fn run(&self) -> Result<ExitCode, XtaskError> {
        match self {
            Self::Toolchain => toolchain(),
            Self::ControlPlane => control_plane(),
            Self::Cargo(arguments) => {
                // Only rustdoc reads this.
                let status = status(cargo().args(*arguments).env("RUSTDOCFLAGS", "-D warnings"))?;
                Ok(exit_code(status))
            }
            Self::Tidy => tidy::run(),
            Self::Dependencies => dependencies(),
        }
    }
}

/// rustup reads `rust-toolchain.toml` and brings all of it by itself; elsewhere a part may be missing, and would show as an
/// error that is hard to read.
fn toolchain() -> Result<ExitCode, XtaskError> {
    let mut missing: Vec<&str> = Vec::new();
    for component in ["fmt", "clippy"] {
        if output(cargo().args([component, "--version"])).is_err() {
            missing.push(component);
        }
    }
    let target = output(rustc().args(["--print", "target-libdir", "--target", GUEST_TARGET]));
    if !target.is_ok_and(|folder| Path::new(folder.trim()).is_dir()) {
        missing.push(GUEST_TARGET);
    }
    if missing.is_empty() {
        print!("{}", output(rustc().arg("--version"))?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("the toolchain has no {}; {}", missing.join(", no "), remedy());
    Ok(ExitCode::FAILURE)
}

fn remedy() -> &'static str {
    if output(program(&"rustup".into()).arg("--version")).is_ok() {
        "`rustup toolchain install` in this folder brings all that rust-toolchain.toml names"
    } else {
        "rustup (https://rustup.rs) would bring it by itself; without it, install what rust-toolchain.toml names"
    }
}

/// They are built by themselves, and once: they stay in the cache. Where they can't be had, the tests that need them are
/// skipped, and nothing else is.
fn control_plane() -> Result<ExitCode, XtaskError> {
    if let Some(named) = std::env::var_os(ASSETS) {
        println!("{ASSETS}={}", named.display());
        return Ok(ExitCode::SUCCESS);
    }
    match assets::make(assets::NEWEST) {
        Ok(folder) => println!("{}", folder.display()),
        Err(error) => println!("the tests against a real API server will be skipped: {error}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn rustc() -> Command {
    program(&std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

fn dependencies() -> Result<ExitCode, XtaskError> {
    if output(cargo().args(["deny", "--version"])).is_err() {
        println!("skipped: cargo-deny is not installed (`cargo install --locked cargo-deny` brings it)");
        return Ok(ExitCode::SUCCESS);
    }
    if !root().join("deny.toml").is_file() {
        println!("deny.toml is missing: it says which licences, sources and advisories are accepted");
        return Ok(ExitCode::FAILURE);
    }
    status(cargo().args(["deny", "--locked", "check"])).map(exit_code)
}
