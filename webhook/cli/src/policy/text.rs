//! Policies, for people.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use super::report::{ModuleReport, PolicyReport};

/// The list, at most this wide where the terminal does not say.
const COLUMNS: u16 = 120;

pub(super) fn list(policies: &[PolicyReport]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(COLUMNS);
    table.set_header(["NAME", "VERSION", "TITLE", "CAN", "FACTS", "CONTROLS"]);
    for policy in policies {
        let facts: Vec<&str> = policy.facts.iter().map(|fact| fact.kind.as_str()).collect();
        let PolicyReport { name, version, title, can, controls, .. } = policy;
        table.add_row([name, version, title, &can.join(", "), &facts.join(", "), &controls.join(", ")]);
    }
    format!("{table}\n")
}

pub(super) fn module(module: &ModuleReport) -> String {
    let memory = module.memory_bytes.map(|bytes| format!(", {} KiB of memory", bytes / 1024)).unwrap_or_default();
    let start = match &module.not_frozen_because {
        None => "frozen, already configured".to_owned(),
        Some(reason) => format!("configured for every evaluation, since {reason}"),
    };
    let imports = if module.imports.is_empty() { "nothing".to_owned() } else { module.imports.join(", ") };
    let policies: Vec<String> = module.policies.iter().map(policy).collect();
    format!(
        "{}\nmodule   {}\n         {} bytes{memory}\nimports  {imports}\nstarts   {start}\n",
        policies.join("\n"),
        module.digest,
        module.bytes
    )
}

fn policy(policy: &PolicyReport) -> String {
    let PolicyReport { name, version, title, description, can, controls, settings_schema, .. } = policy;
    let mut text = format!("{name} {version}: {title}\n\n{description}\n\n");
    text.push_str(&format!("can      {}\ncontrols {}\n", can.join(", "), controls.join(", ")));
    for fact in &policy.facts {
        let need = if fact.required { "needs" } else { "may use" };
        text.push_str(&format!("fact     {need} {}: {}\n", fact.kind, fact.why));
    }
    for rule in &policy.resources {
        text.push_str(&format!("sees     {} ({})\n", rule.resources.join(", "), rule.operations.join(", ")));
    }
    text.push_str(&format!("settings\n{settings_schema:#}\n"));
    text
}
