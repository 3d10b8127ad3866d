//! Pods with the one check that each has to fail, or with none: the public conformance fixtures and our own small ones.
//! They are read here and their ends are told right from wrong; who judges them is the caller's business, so that the
//! policy is tried natively and as a component by the same words.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A pod, what it is judged by, and how that has to end.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    /// Where it comes from.
    pub(crate) name: String,
    /// The check that it is about, in lower case as in the names of the fixtures.
    pub(crate) check: String,
    /// `baseline` or `restricted`.
    pub(crate) level: String,
    /// `v1.N` or `latest`.
    pub(crate) version: String,
    /// Whether the check has to fail; else none may.
    pub(crate) denied: bool,
    /// The Pod.
    pub(crate) pod: Value,
}

/// Checks that a fixture for the first one can't meet either: the API server refuses it otherwise (`hostProcess`
/// without `hostNetwork`, `allowPrivilegeEscalation: false` beside `privileged: true` or an added SYS_ADMIN).
const COMPANIONS: [(&str, &str); 3] = [
    ("windowshostprocess", "hostnamespaces"),
    ("privileged", "allowprivilegeescalation"),
    ("allowprivilegeescalation", "capabilities_restricted"),
];

/// Baseline checks with the restricted ones that speak in their place where both hold.
const OVERRIDES: [(&str, &str); 4] = [
    ("capabilities_baseline", "capabilities_restricted"),
    ("hostpathvolumes", "restrictedvolumes"),
    ("procmount", "procmount_restricted"),
    ("seccompprofile_baseline", "seccompprofile_restricted"),
];

impl Trial {
    /// What is wrong with the answer, none if nothing is. `failed` are the ids of the checks that failed.
    pub(crate) fn fault(&self, failed: &[String]) -> Option<String> {
        let failed: Vec<String> = failed.iter().map(|id| id.to_lowercase()).collect();
        let stricter =
            OVERRIDES.iter().find(|(baseline, _)| *baseline == self.check).map(|(_, restricted)| *restricted);
        let unavoidable = |id: &&String| COMPANIONS.contains(&(self.check.as_str(), id.as_str()));
        let telling: Vec<&String> = failed.iter().filter(|id| !unavoidable(id)).collect();
        let right = match self.denied {
            false => failed.is_empty(),
            true => !telling.is_empty() && telling.iter().all(|id| **id == self.check || Some(id.as_str()) == stricter),
        };
        (!right).then(|| format!("{} at {}:{}: {failed:?} failed", self.name, self.level, self.version))
    }
}

/// The public fixtures; none, and a word about it, if they are not at hand.
pub(crate) fn public() -> Option<Vec<Trial>> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("shared/pss/fixtures.tgz"));
    let beside = shared.into_iter().find(|path| path.exists()).unwrap_or_else(|| "fixtures.tgz".into());
    let archive = std::env::var_os("PSS_FIXTURES").map_or(beside, PathBuf::from);
    if !archive.exists() {
        println!("skipped: no Pod Security fixtures at {}; PSS_FIXTURES names another place", archive.display());
        return None;
    }
    let archive = flate2::read::GzDecoder::new(std::fs::File::open(archive).unwrap());
    let mut trials = Vec::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let mut text = String::new();
        if path.ends_with(".yaml") {
            entry.read_to_string(&mut text).unwrap();
            trials.push(fixture(&path, &text));
        }
    }
    Some(trials)
}

/// `LEVEL/vMAJOR.MINOR/pass|fail/CHECK<number>.yaml`.
fn fixture(path: &str, text: &str) -> Trial {
    let parts: Vec<&str> = path.trim_end_matches(".yaml").split('/').collect();
    let [.., level, version, outcome, file] = parts.as_slice() else { panic!("{path} is no fixture") };
    Trial {
        name: path.to_owned(),
        check: file.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(),
        level: (*level).to_owned(),
        version: (*version).to_owned(),
        denied: *outcome == "fail",
        pod: serde_saphyr::from_str(text).unwrap(),
    }
}

/// One of our own, as `steps.yaml` writes it: a pod that is fine but for the fields named here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    check: String,
    level: String,
    /// Laid over the pod's `spec`.
    #[serde(default)]
    spec: Map<String, Value>,
    /// Laid over its container.
    #[serde(default)]
    container: Map<String, Value>,
    /// An ephemeral container.
    ephemeral: Option<Value>,
    #[serde(default)]
    annotations: Map<String, Value>,
    #[serde(default)]
    denied: Vec<String>,
    #[serde(default)]
    allowed: Vec<String>,
}

/// Our own, for every check at the versions where its rule changes.
pub(crate) fn own() -> Vec<Trial> {
    let steps: Vec<Step> = serde_saphyr::from_str(include_str!("../steps.yaml")).unwrap();
    let each = steps.iter().enumerate();
    each.flat_map(|(number, step)| {
        let versions = step.denied.iter().map(|version| (version, true));
        let versions = versions.chain(step.allowed.iter().map(|version| (version, false)));
        versions.map(move |(version, denied)| Trial {
            name: format!("steps.yaml, number {}", number + 1),
            check: step.check.to_lowercase(),
            level: step.level.clone(),
            version: version.clone(),
            denied,
            pod: step.pod(),
        })
    })
    .collect()
}

impl Step {
    fn pod(&self) -> Value {
        let mut container = json!({"name": "a", "image": "a"});
        let mut spec = json!({});
        if self.level == "restricted" {
            container = json!({"name": "a", "image": "a", "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            }});
            spec = json!({"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}});
        }
        lay_over(&mut container, &Value::Object(self.container.clone()));
        lay_over(&mut spec, &Value::Object(self.spec.clone()));
        spec["containers"] = json!([container]);
        if let Some(ephemeral) = &self.ephemeral {
            spec["ephemeralContainers"] = json!([ephemeral]);
        }
        json!({
            "apiVersion": "v1", "kind": "Pod", "spec": spec,
            "metadata": {"name": "a", "annotations": self.annotations},
        })
    }
}

/// As a JSON merge patch: null takes a field away.
fn lay_over(base: &mut Value, upper: &Value) {
    let (Some(base), Some(upper)) = (base.as_object_mut(), upper.as_object()) else { return };
    for (field, value) in upper {
        match base.get_mut(field) {
            _ if value.is_null() => drop(base.remove(field)),
            Some(below) if below.is_object() && value.is_object() => lay_over(below, value),
            _ => drop(base.insert(field.clone(), value.clone())),
        }
    }
}

/// How many trials ran, by check and level, and by version: those allowed and those denied.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<(String, String), BTreeMap<u32, (usize, usize)>>);

impl Tally {
    /// Counts a trial.
    pub(crate) fn count(&mut self, trial: &Trial) {
        let minor = trial.version.strip_prefix("v1.").map_or(u32::MAX, |minor| minor.parse().unwrap());
        let versions = self.0.entry((trial.check.clone(), trial.level.clone())).or_default();
        let (allowed, denied) = versions.entry(minor).or_default();
        *(if trial.denied { denied } else { allowed }) += 1;
    }

    /// The checks of which a pod was denied.
    pub(crate) fn denied(&self) -> impl Iterator<Item = &str> {
        let some = self.0.iter().filter(|(_, versions)| versions.values().any(|(_, denied)| *denied > 0));
        some.map(|((check, _), _)| check.as_str())
    }
}

/// `sysctls at baseline: v1.0..v1.26 2+1, v1.27..v1.28 3+1`: allowed and denied at each version.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((check, level), versions) in &self.0 {
            let mut runs: Vec<(u32, u32, (usize, usize))> = Vec::new();
            for (&minor, &counts) in versions {
                match runs.last_mut() {
                    Some((_, last, same)) if *same == counts && *last + 1 == minor => *last = minor,
                    _ => runs.push((minor, minor, counts)),
                }
            }
            let runs: Vec<String> = runs.into_iter().map(run).collect();
            writeln!(f, "{check} at {level}: {}", runs.join(", "))?;
        }
        Ok(())
    }
}

fn run((first, last, (allowed, denied)): (u32, u32, (usize, usize))) -> String {
    let named = |minor: u32| if minor == u32::MAX { "latest".to_owned() } else { format!("v1.{minor}") };
    let versions = if first == last { named(first) } else { format!("{}..{}", named(first), named(last)) };
    format!("{versions} {allowed}+{denied}")
}
