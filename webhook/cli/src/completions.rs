//! `portreeve completions`: a script that completes this command line in a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::outcome::{Failure, Outcome};
use crate::output::print_text;

/// Prints completions for a shell.
///
/// Give the script to your shell once; it knows every command and flag of this version.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve completions bash > /etc/bash_completion.d/portreeve
  portreeve completions zsh > \"${fpath[1]}/_portreeve\"
  portreeve completions fish > ~/.config/fish/completions/portreeve.fish")]
pub(crate) struct Arguments {
    /// Which shell.
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    // Into memory first: the generator panics if it can't write.
    clap_complete::generate(arguments.shell, &mut crate::arguments::Arguments::command(), "portreeve", &mut script);
    print_text(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Fine)
}
