//! The policies that behave.

use serde_json::Value;

use crate::answers::{edit, empty, violation};
use crate::portreeve::policy::types::{Change, Verdict};
use crate::portreeve::policy::{facts, request, subject};

/// Finds fault with every container that may run as root, and mends it.
pub fn judge(settings: &Value) -> Verdict {
    let mut verdict = empty();
    for container in subject::containers() {
        let non_root = container.security.as_ref().and_then(|security| security.run_as_non_root);
        if non_root != Some(true) {
            let pointer = format!("{}/securityContext/runAsNonRoot", container.pointer);
            let says = settings.get("says").and_then(Value::as_str).unwrap_or("may run as root");
            let mut found = violation("run-as-non-root", &pointer, says);
            found.container = Some(container.name);
            verdict.violations.push(found);
            verdict.edits.push(edit("run-as-non-root", &pointer, Change::Set("true".into())));
        }
    }
    verdict
}

/// Finds fault with whoever wants to run a shell.
pub fn watch() -> Verdict {
    let command = request::read("/command").unwrap_or_default();
    let found = violation("shell", "/command", &format!("{} runs {command}", request::user_name()));
    let violations = if command.contains("sh") { vec![found] } else { vec![] };
    Verdict { violations, ..empty() }
}

/// Shows all that it sees, one advisory for each function, in the words of the bindings.
pub fn mirror(settings: &Value) -> Verdict {
    let at = |name: &str| settings.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut verdict = empty();
    let mut show = |rule: &str, seen: String| verdict.advisories.push(violation(rule, "", &seen));
    show("operation", format!("{:?}", request::operation()));
    show("kind", format!("{:?}", request::kind()));
    show("resource", format!("{:?}", request::resource()));
    show("subresource", format!("{:?}", request::subresource()));
    show("namespace", format!("{:?}", request::namespace()));
    show("name", format!("{:?}", request::name()));
    show("user-name", request::user_name());
    show("read", format!("{:?}", request::read(&at("read"))));
    show("read-old", format!("{:?}", request::read_old(&at("read"))));
    show("present", format!("{:?}", subject::present()));
    show("pod", format!("{:?}", subject::pod()));
    show("containers", format!("{:?}", subject::containers()));
    show("programs", format!("{:?}", subject::programs()));
    show("volumes", format!("{:?}", subject::volumes()));
    show("tolerations", format!("{:?}", subject::tolerations()));
    show("old-containers", format!("{:?}", subject::old_containers()));
    show("template-read", format!("{:?}", subject::read(&at("template"))));
    show("template-read-old", format!("{:?}", subject::read_old(&at("template"))));
    verdict
}

/// Asks for the facts in its settings, `[[kind, key], …]`, and shows what came; as `as`, if that is given.
pub fn ask(id: &str, settings: &Value) -> Verdict {
    let mut verdict = empty();
    let id = settings.get("as").and_then(Value::as_str).unwrap_or(id);
    for wanted in settings["facts"].as_array().into_iter().flatten() {
        let (kind, key) = (wanted[0].as_str().unwrap(), wanted[1].as_str().unwrap());
        let found = match facts::get(id, kind, key) {
            Ok(value) => value,
            Err(unavailable) => format!("{unavailable:?}"),
        };
        verdict.advisories.push(violation("fact", "", &found));
    }
    verdict
}
