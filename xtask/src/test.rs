//! `cargo xtask test`: all that CI asks for, in the order in which it is soonest known that something is wrong. Each
//! step has a header and a line with its time; the first that fails ends it.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::cargo::{cargo, exit_code, output, program, root, status};
use crate::error::XtaskError;
use crate::left_out;
use crate::tidy;

/// What policies are compiled for.
const GUEST_TARGET: &str = "wasm32-unknown-unknown";

/// A step of the test.
struct Step {
    name: &'static str,
    work: Work,
}

/// What came of a step.
struct Done {
    code: ExitCode,
    /// What it did not try, and how to have it tried: a line for each.
    skipped: Vec<String>,
}

/// What a step does.
enum Work {
    /// Looks whether the toolchain has all that the other steps need.
    Toolchain,
    /// Has the programs that tests start beside our own, as far as the tools for it are here.
    Programs,
    /// Runs cargo with these arguments.
    Cargo(&'static [&'static str]),
    /// Checks the house rules.
    Tidy,
    /// Checks dependencies, if the tool for it is there.
    Dependencies,
}

const STEPS: [Step; 8] = [
    Step { name: "toolchain", work: Work::Toolchain },
    // Before anything of ours is built: on a machine that has nothing yet, Go wants it for itself.
    Step { name: "programs for tests", work: Work::Programs },
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
    Step { name: "tests", work: Work::Cargo(&["test", "--locked", "--workspace"]) },
    Step { name: "dependencies", work: Work::Dependencies },
];

/// The exit code is that of the first step that fails.
pub(crate) fn run() -> Result<ExitCode, XtaskError> {
    let all = Instant::now();
    let mut skipped = Vec::new();
    for step in &STEPS {
        println!("=== {}", step.name);
        let began = Instant::now();
        let done = step.work.run()?;
        let seconds = began.elapsed().as_secs_f32();
        if done.code != ExitCode::SUCCESS {
            println!("=== {}: failed after {seconds:.1} s", step.name);
            return Ok(done.code);
        }
        println!("=== {}: done in {seconds:.1} s\n", step.name);
        skipped.extend(done.skipped);
    }
    // Said where they are met too, some thousand lines above.
    for line in &skipped {
        println!("=== skipped: {line}");
    }
    let what = if skipped.is_empty() { "all" } else { "all others" };
    println!("=== {what} passed in {:.1} s", all.elapsed().as_secs_f32());
    Ok(ExitCode::SUCCESS)
}

impl From<ExitCode> for Done {
    fn from(code: ExitCode) -> Self {
        Self { code, skipped: Vec::new() }
    }
}

impl Done {
    fn but_for(skipped: Vec<String>) -> Self {
        for line in &skipped {
            println!("skipped: {line}");
        }
        Self { code: ExitCode::SUCCESS, skipped }
    }
}

impl Work {
    fn run(&self) -> Result<Done, XtaskError> {
        match self {
            Self::Toolchain => toolchain().map(Done::from),
            Self::Programs => left_out::tests().map(Done::but_for),
            Self::Cargo(arguments) => {
                // Only rustdoc reads this.
                let status = status(cargo().args(*arguments).env("RUSTDOCFLAGS", "-D warnings"))?;
                Ok(exit_code(status).into())
            }
            Self::Tidy => tidy::run().map(Done::from),
            Self::Dependencies => dependencies(),
        }
    }
}

/// rustup reads `rust-toolchain.toml` and brings all of it by itself; elsewhere a part may be missing, and would show
/// as an error that is hard to read.
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

fn rustc() -> Command {
    program(&std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

fn dependencies() -> Result<Done, XtaskError> {
    if output(cargo().args(["deny", "--version"])).is_err() {
        let how = "cargo-deny is not installed (`cargo install --locked cargo-deny` brings it)";
        return Ok(Done::but_for(vec![format!("the check of dependencies: {how}")]));
    }
    if !root().join("deny.toml").is_file() {
        println!("deny.toml is missing: it says which licences, sources and advisories are accepted");
        return Ok(ExitCode::FAILURE.into());
    }
    status(cargo().args(["deny", "--locked", "check"])).map(|status| exit_code(status).into())
}
