//! A page in its order: headings, paragraphs, lists, tables, examples. How they look is `text`'s and `markdown`'s.

use portreeve_admission::api::FailurePolicy;
use portreeve_admission::matching::{TEMPLATES, of_spec};
use serde_json::{Value, json};

use super::example::ExampleReport;
use super::report::{Meaning, PageReport, RuleReport, TitleReport};
use crate::policy::Rule;

/// A page to be shown. Texts may set `code` in backticks.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) title: String,
    pub(super) blocks: Vec<Block>,
}

/// A part of a page.
#[derive(Debug)]
pub(super) enum Block {
    Heading(&'static str),
    Paragraph(String),
    Bullets(Vec<String>),
    Table(Table),
    /// YAML.
    Example(String),
}

/// Rows; the first cell of each names it, the last says the most.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
    /// Whether each row is a page of its own, by the name in its first cell.
    pub(super) of_pages: bool,
}

impl Document {
    pub(super) fn of_titles(titles: &[TitleReport]) -> Self {
        let row = |title: &TitleReport| {
            let mode = title.profile.clone().unwrap_or_else(|| "not in it".to_owned());
            vec![title.name.clone(), title.risk.clone(), mode, title.title.clone()]
        };
        let columns = vec!["policy", "risk", "platform profile", "what"];
        let table = Table { columns, rows: titles.iter().map(row).collect(), of_pages: true };
        let introduction =
            "The policies that ship. The platform profile is what is in force when nothing is configured.";
        Self {
            title: "Policies that ship".to_owned(),
            blocks: vec![Block::Paragraph(introduction.to_owned()), Block::Table(table)],
        }
    }

    pub(super) fn of_rule(rule: &RuleReport) -> Self {
        let mut blocks: Vec<Block> = Vec::new();
        blocks.extend(rule.finds.clone().map(Block::Paragraph));
        blocks.extend(section("What it puts in", rule.edit.clone().map(Block::Paragraph)));
        blocks.extend(section("Why", Some(Block::Paragraph(rule.why.clone()))));
        blocks.extend(section("How to fix", Some(Block::Paragraph(rule.remedy.clone()))));
        blocks.extend(section("How to opt out", Some(Block::Paragraph(rule.opt_out.clone()))));
        blocks.extend(section("Cases that it finds", bullets(rule.cases.clone())));
        Self { title: format!("{}/{}", rule.policy, rule.rule), blocks }
    }

    pub(super) fn of_page(page: &PageReport) -> Self {
        let text = |text: &str| Some(Block::Paragraph(text.to_owned()));
        let manifest = &page.manifest;
        let mut blocks = vec![Block::Paragraph(manifest.description.clone())];
        blocks.extend(section("Why", text(&page.why)));
        blocks.extend(section("How to fix", text(&page.remedy)));
        blocks.extend(section("Rules", meanings(["rule", "what it finds"], &page.rules)));
        blocks.extend(section("What it puts in", meanings(["rule", "edit"], &page.edits)));
        blocks.extend(section("Modes", Some(Block::Paragraph(modes(page)))));
        blocks.push(Block::Example(in_force(page)));
        blocks.extend(section("Settings", settings(page)));
        blocks.extend(section("What it looks at", text(&sees(page))));
        blocks.extend(section("Facts", facts(page)));
        blocks.extend(section("What could break", text(&page.breaks)));
        blocks.extend(section("How to opt out", text(&page.opt_out)));
        blocks.extend(page.examples.iter().flat_map(example));
        blocks.extend(section("Cases", bullets(page.cases.clone())));
        blocks.extend(section("Risk and controls", text(&controls(page))));
        blocks.extend(section("Read on", bullets(page.references.clone())));
        Self { title: format!("{} {}: {}", manifest.name, manifest.version, manifest.title), blocks }
    }
}

/// A heading and what stands under it; nothing if nothing does.
fn section(heading: &'static str, block: Option<Block>) -> Vec<Block> {
    block.map(|block| vec![Block::Heading(heading), block]).unwrap_or_default()
}

fn bullets(texts: Vec<String>) -> Option<Block> {
    (!texts.is_empty()).then_some(Block::Bullets(texts))
}

fn table(columns: Vec<&'static str>, rows: Vec<Vec<String>>) -> Option<Block> {
    (!rows.is_empty()).then_some(Block::Table(Table { columns, rows, of_pages: false }))
}

fn meanings(columns: [&'static str; 2], meanings: &[Meaning]) -> Option<Block> {
    let row = |meaning: &Meaning| vec![code(&meaning.rule), meaning.means.clone()];
    table(columns.into(), meanings.iter().map(row).collect())
}

fn modes(page: &PageReport) -> String {
    let edits = if page.edits.is_empty() {
        ""
    } else {
        " What it puts in is put in under `enforce` and `warn`, and under `audit` only where `mutate: true` says so."
    };
    let profile = match &page.profile {
        Some(profile) => {
            let failures = match profile.failure_policy {
                FailurePolicy::Fail => "what it can't judge is refused",
                FailurePolicy::Ignore => "what it can't judge is let pass with a warning",
            };
            format!(" In the platform profile it is in `{}`; {failures}.", profile.mode)
        }
        None => " It is not in the platform profile: a ClusterPolicy puts it in force.".to_owned(),
    };
    format!(
        "`enforce` denies what a rule finds, `warn` tells it to whoever sends the object, `audit` writes it into the book, \
         `off` does not run the policy.{edits}{profile}"
    )
}

/// How a ClusterPolicy puts it in force, for a start.
fn in_force(page: &PageReport) -> String {
    let name = page.name();
    let facts: Vec<&str> = page.manifest.facts.iter().map(|fact| fact.kind.as_str()).collect();
    let mut text = format!(
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: {name}}}\nspec:\n  \
         module: {{builtin: {name}}}\n  mode: audit\n"
    );
    if !facts.is_empty() {
        text.push_str(&format!("  facts: [{}]\n", facts.join(", ")));
    }
    text
}

fn settings(page: &PageReport) -> Option<Block> {
    let rows = page.settings.iter().map(|setting| {
        let default = match &setting.default {
            _ if setting.required => "required".to_owned(),
            Some(default) => code(&default.to_string()),
            None => String::new(),
        };
        vec![code(&setting.name), setting.kind.clone(), default, setting.description.clone()]
    });
    table(vec!["setting", "type", "default", "what it does"], rows.collect())
}

fn sees(page: &PageReport) -> String {
    let rules = &page.manifest.resources;
    if rules.is_empty() {
        return "It sees every kind that has a pod template.".to_owned();
    }
    let rule = |rule: &Rule| {
        if rule.resources.iter().any(|resource| resource == TEMPLATES) {
            return "every kind that has a pod template".to_owned();
        }
        let resources: Vec<String> = rule.resources.iter().map(|resource| named(resource)).collect();
        format!("{} ({})", resources.join(", "), rule.operations.join(", "))
    };
    let seen: Vec<String> = rules.iter().map(rule).collect();
    format!("It sees {}.", seen.join("; "))
}

/// A resource, and of what in it a change is seen.
fn named(resource: &str) -> String {
    match of_spec(resource) {
        Some(resource) => format!("the spec of {}", code(resource)),
        None => code(resource),
    }
}

fn facts(page: &PageReport) -> Option<Block> {
    let rows = page.manifest.facts.iter().map(|fact| {
        let need = if fact.required { "needed" } else { "if granted" };
        vec![code(&fact.kind), need.to_owned(), fact.why.clone()]
    });
    table(vec!["fact", "need", "what for"], rows.collect())
}

fn controls(page: &PageReport) -> String {
    let controls = page.manifest.controls.join(", ");
    format!("Risk: {}. It supports {controls}.", page.risk)
}

fn example(example: &ExampleReport) -> Vec<Block> {
    let heading = if example.findings.is_empty() { "Example: put right" } else { "Example: denied" };
    let mut blocks = vec![Block::Heading(heading), Block::Paragraph(format!("The case: {}.", example.case))];
    if !example.settings.is_empty() {
        blocks.push(Block::Example(yaml(&json!({"settings": example.settings}))));
    }
    blocks.push(Block::Example(yaml(&example.object)));
    let found = example.findings.iter().map(|finding| {
        let container =
            finding.container.as_ref().map(|name| format!(", container {}", code(name))).unwrap_or_default();
        format!("Found: {}{container}.", code(&finding.rule))
    });
    let stands = example.after.iter().map(|after| match &after.value {
        Value::Null => format!("Afterwards nothing stands at {}.", code(&after.at)),
        value => format!("Afterwards {} is {}.", code(&after.at), code(&value.to_string())),
    });
    blocks.extend(bullets(found.chain(stands).collect()));
    blocks
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// An object as people write it. What can't be written so is written as JSON, which is YAML too.
fn yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).unwrap_or_else(|_| format!("{value:#}\n"))
}
