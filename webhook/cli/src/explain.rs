//! `portreeve explain`: the page of a policy that ships, or of one of its rules, in the terminal.

mod document;
mod example;
mod markdown;
#[cfg(test)]
mod pages;
mod report;
mod setting;
mod text;

use clap::{Args, ValueEnum};
use portreeve_builtin::CATALOGUE;
use portreeve_engine::{Engine, Manifest, Options};

use crate::nearest::nearest;
use crate::outcome::{Failure, Outcome};
use crate::output::{print_json, print_text};
use crate::shipped::shipped;

use document::Document;

pub(crate) use report::PageReport;
#[cfg(test)]
pub(crate) use report::{RuleReport, TitleReport};

/// Explains the policies that ship: what they want and why, how to fix what they find, their settings.
///
/// Without a name all policies are listed. A name with a rule, as messages end with, explains the rule.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  portreeve explain                       what there is
  portreeve explain non-root              one policy
  portreeve explain non-root/root-user    one of its rules
  portreeve explain non-root -o json | jq '.settings[].name'")]
pub(crate) struct Arguments {
    /// Name of a policy that ships, or of one of its rules.
    #[arg(value_name = "POLICY[/RULE]")]
    name: Option<String>,
    /// How it is printed.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    output: Style,
}

/// How a page is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Style {
    /// For people, as wide as the terminal.
    #[default]
    Text,
    /// For web pages, as it stands in docs/policies.
    Markdown,
    /// For programs; the shapes are in docs/schemas and stay as they are.
    Json,
}

#[derive(Debug, thiserror::Error)]
enum ExplainError {
    #[error("no policy {name:?} ships; {}", nearest(name, known))]
    Policy { name: String, known: Vec<String> },
    #[error("{policy} has no rule {name:?}; {}", nearest(name, known))]
    Rule { policy: String, name: String, known: Vec<String> },
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let pages = pages()?;
    let Some(name) = &arguments.name else {
        let titles: Vec<_> = pages.iter().map(PageReport::title).collect();
        print_as(arguments.output, &titles, || Document::of_titles(&titles))?;
        return Ok(Outcome::Fine);
    };
    let (policy, rule) = name.split_once('/').map_or((name.as_str(), None), |(policy, rule)| (policy, Some(rule)));
    let page = find(&pages, policy).map_err(Failure::input)?;
    match rule {
        None => print_as(arguments.output, page, || Document::of_page(page))?,
        Some(rule) => {
            let rule = page.rule(rule).ok_or_else(|| Failure::input(no_rule(page, rule)))?;
            print_as(arguments.output, &rule, || Document::of_rule(&rule))?;
        }
    }
    Ok(Outcome::Fine)
}

fn print_as(style: Style, data: &impl serde::Serialize, document: impl FnOnce() -> Document) -> Result<(), Failure> {
    match style {
        Style::Text => print_text(&text::of(&document(), text::columns())),
        Style::Markdown => print_text(&markdown::of(&document())),
        Style::Json => print_json(data),
    }
}

/// The pages of all policies that ship, in the order of their names.
fn pages() -> Result<Vec<PageReport>, Failure> {
    let engine = Engine::new(Options::default()).map_err(Failure::failed)?;
    let mut manifests = engine.inspect(CATALOGUE).map_err(Failure::failed)?.manifests;
    let mut take = |name: &str| -> Option<Manifest> {
        let at = manifests.iter().position(|manifest| manifest.name == name)?;
        Some(manifests.swap_remove(at))
    };
    let shipped = shipped()?.into_iter();
    Ok(shipped.filter_map(|policy| Some(PageReport::of(take(&policy.page.name)?, policy))).collect())
}

fn find<'a>(pages: &'a [PageReport], name: &str) -> Result<&'a PageReport, ExplainError> {
    pages.iter().find(|page| page.name() == name).ok_or_else(|| ExplainError::Policy {
        name: name.to_owned(),
        known: pages.iter().map(|page| page.name().to_owned()).collect(),
    })
}

fn no_rule(page: &PageReport, name: &str) -> ExplainError {
    let known = page.rules().map(str::to_owned).collect();
    ExplainError::Rule { policy: page.name().to_owned(), name: name.to_owned(), known }
}
