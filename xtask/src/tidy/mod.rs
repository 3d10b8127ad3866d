//! `cargo xtask tidy`: the house rules that no compiler knows. Each is a function from the checkout to what is against
//! it; what they share is here.

mod dependencies;
mod guards;
mod licences;
mod metrics;
mod policies;
mod sources;
mod words;

use std::fmt;
use std::process::ExitCode;

use crate::checkout::Checkout;
use crate::error::XtaskError;

/// The rules, by what they ask for.
const RULES: [(&str, Rule); 11] = [
    ("dependencies between crates point one way", dependencies::between_crates),
    ("crates keep out of each other's trades", dependencies::on_libraries),
    ("everything is under Apache-2.0", licences::everywhere),
    ("every source file says first what happens in it", sources::first_comments),
    ("a source file fits in one reading", sources::lengths),
    ("comments are no wider than code", sources::widths),
    ("no word in the files that should not be published", words::forbidden),
    ("every policy comes with all that its users need", policies::complete),
    ("every policy has its page", policies::pages),
    ("every metric is documented", metrics::documented),
    ("every invariant is guarded by tests that are there", guards::of_invariants),
];

type Rule = fn(&Checkout) -> Vec<Finding>;

/// Something against a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    /// A file or a package, with its line if it has one.
    place: String,
    /// What is wrong, and what to do.
    says: String,
}

/// Prints all that is against a rule; the exit code is 1 if anything is.
pub(crate) fn run() -> Result<ExitCode, XtaskError> {
    let checkout = Checkout::read()?;
    let mut count: usize = 0;
    for (name, rule) in RULES {
        let findings = rule(&checkout);
        if !findings.is_empty() {
            println!("{name}:");
        }
        for finding in &findings {
            println!("  {finding}");
        }
        count = count.saturating_add(findings.len());
    }
    if count == 0 {
        println!("{} rules, nothing against them", RULES.len());
        return Ok(ExitCode::SUCCESS);
    }
    println!("{count} things are against the house rules");
    Ok(ExitCode::FAILURE)
}

impl Finding {
    fn new(place: impl Into<String>, says: impl Into<String>) -> Self {
        Self { place: place.into(), says: says.into() }
    }

    /// At the line of a file that has this many lines before it.
    fn at_line(path: &str, lines_before: usize, says: impl Into<String>) -> Self {
        Self::new(format!("{path}:{}", lines_before.saturating_add(1)), says)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.says)
    }
}

/// A checkout with these files and no packages.
#[cfg(test)]
fn with_files<const N: usize>(files: [(&str, &str); N]) -> Checkout {
    let files = files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
    Checkout { files, packages: Vec::new() }
}
