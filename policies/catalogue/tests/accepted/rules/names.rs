//! Names: of labels and annotations, of objects, of ports. `validation.IsQualifiedName`, `IsDNS1123Label`,
//! `IsDNS1123Subdomain`, `IsValidPortName`.

use serde_json::Value;

use super::{Faults, entries, text};

/// `ValidateLabels`, `ValidateAnnotations`.
pub(super) fn metadata(metadata: &Value, faults: &mut Faults) {
    for (key, value) in entries(&metadata["labels"]) {
        faults.unless(is_key(key), || format!("label {key:?} has no valid key"));
        faults.unless(is_label_value(text(value)), || format!("label {key:?} has no valid value"));
    }
    for (key, value) in entries(&metadata["annotations"]) {
        faults.unless(is_key(key), || format!("annotation {key:?} has no valid key"));
        faults.unless(value.is_string(), || format!("annotation {key:?} is no text"));
    }
}

pub(super) fn is_key(key: &str) -> bool {
    let (domain, name) = key.split_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    domain.is_none_or(is_subdomain) && !name.is_empty() && is_label_value(name)
}

pub(super) fn is_label_value(value: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    value.is_empty()
        || (value.len() <= 63
            && value.starts_with(alphanumeric)
            && value.ends_with(alphanumeric)
            && value.chars().all(|c| alphanumeric(c) || "-_.".contains(c)))
}

pub(super) fn is_label(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 63 && name.starts_with(plain) && name.ends_with(plain) && name.chars().all(|c| plain(c) || c == '-')
}

pub(super) fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

pub(super) fn is_port_name(name: &str) -> bool {
    name.len() <= 15 && is_label(name) && name.contains(|c: char| c.is_ascii_lowercase()) && !name.contains("--")
}
