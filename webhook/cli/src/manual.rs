//! docs/commands.md: the help of every command as it is printed, in one file, and a test that it is current.
//! `PORTREEVE_WRITE_MANUAL=1 cargo test --workspace manual` writes it anew; review the difference.

use std::path::PathBuf;

use clap::{Arg, Command, CommandFactory as _};

use crate::arguments::Arguments;

/// The width that lines are broken at, which is the terminal's otherwise.
const WIDTH: usize = 110;

const HEAD: &str = "\
# The commands

What `portreeve COMMAND --help` prints, for every command: made out of the program, and held against it by a test. Every command takes
`--help` too, and the flags of logging, which are told once.
";

/// The whole program, built as it is when it runs.
fn program() -> Command {
    let mut program = Arguments::command().term_width(WIDTH);
    program.build();
    program
}

/// The commands beneath this one, without that which only repeats the help.
fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| command.get_name() != "help")
}

/// A command and those beneath it, each with its name in full.
fn chapters(command: &Command, before: &str) -> Vec<(String, String)> {
    let name = format!("{before}{}", command.get_name());
    let is_first = before.is_empty();
    let shown = |argument: Arg| {
        let is_told_already = !is_first && (argument.is_global_set() || argument.get_id() == "help");
        // What stands in somebody's environment is no part of it.
        argument.hide_env_values(true).hide(is_told_already)
    };
    let help = command.clone().mut_args(shown).render_long_help().to_string();
    let further = commands(command).flat_map(|further| chapters(further, &format!("{name} ")));
    std::iter::once((name.clone(), help)).chain(further).collect()
}

fn manual() -> String {
    let mut text = HEAD.to_owned();
    for (name, help) in chapters(&program(), "") {
        let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
        text.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", lines.join("\n")));
    }
    text
}

#[test]
fn the_manual_is_current() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let manual = manual();
    if std::env::var_os("PORTREEVE_WRITE_MANUAL").is_some() {
        std::fs::write(&file, &manual).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == manual, "docs/commands.md is not what is printed; see the first lines of manual.rs");
}

#[test]
fn every_flag_is_in_the_manual() {
    fn flags(command: &Command) -> Vec<String> {
        let own = command.get_arguments().filter(|argument| !argument.is_hide_set());
        let own = own.filter_map(|argument| argument.get_long()).map(|flag| format!("--{flag}"));
        own.chain(commands(command).flat_map(flags)).collect()
    }
    let manual = manual();
    let flags = flags(&program());
    assert!(flags.len() > 50, "{flags:?}");
    let missing: Vec<&String> = flags.iter().filter(|flag| !manual.contains(flag.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_command_that_does_something_teaches_by_examples() {
    fn without(command: &Command, before: &str) -> Vec<String> {
        let name = format!("{before}{}", command.get_name());
        let taught = command.get_after_long_help().is_some_and(|text| text.to_string().starts_with("Examples:\n"));
        let own = (!taught).then(|| name.clone());
        own.into_iter().chain(commands(command).flat_map(|further| without(further, &format!("{name} ")))).collect()
    }
    assert_eq!(without(&program(), ""), Vec::<String>::new());
}
