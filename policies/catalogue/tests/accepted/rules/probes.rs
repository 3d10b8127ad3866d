//! Probes. `validateProbe`, `validateLivenessProbe`, `validateReadinessProbe`, `validateHandler`.

use serde_json::Value;

use super::names::is_port_name;
use super::{Container, Faults, text};

pub(super) fn judge(container: &Container<'_>, faults: &mut Faults) {
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = &container.value[field];
        if probe.is_null() {
            continue;
        }
        let mut say = |fault: &str| faults.say(format!("{field} of container {:?} {fault}", container.name()));
        if ["exec", "httpGet", "tcpSocket", "grpc"].iter().filter(|way| !probe[**way].is_null()).count() != 1 {
            say("does not ask in one way");
        }
        for port in ["/httpGet/port", "/tcpSocket/port", "/grpc/port"].iter().filter_map(|at| probe.pointer(at)) {
            if !is_port(port) {
                say(&format!("asks the port {port}"));
            }
        }
        if probe["httpGet"].is_object() && text(&probe["httpGet"]["path"]).is_empty() {
            say("asks for no path");
        }
        if probe["exec"].is_object() && probe["exec"]["command"].as_array().is_none_or(Vec::is_empty) {
            say("runs nothing");
        }
        if field != "readinessProbe" && number(probe, "successThreshold").is_some_and(|times| times != 1) {
            say("has to succeed more than once");
        }
        match number(probe, "terminationGracePeriodSeconds") {
            Some(_) if field == "readinessProbe" => say("ends nothing"),
            Some(seconds) if seconds <= 0 => say("leaves no time to end"),
            _ => {}
        }
        let times = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];
        for field in times.into_iter().filter(|field| number(probe, field).is_some_and(|times| times < 0)) {
            say(&format!("has a negative {field}"));
        }
    }
}

fn is_port(port: &Value) -> bool {
    match port {
        Value::String(name) => is_port_name(name),
        number => number.as_u64().is_some_and(|number| (1..=65535).contains(&number)),
    }
}

fn number(probe: &Value, field: &str) -> Option<i64> {
    probe[field].as_i64()
}
