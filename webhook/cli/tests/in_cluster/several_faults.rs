//! Pods with several faults at once, put together out of our own small ones: in which order and how far together faults
//! are told shows only there. The same pods on every run.

use serde_json::{Value, json};

use crate::pod_security::trials::{Trial, own};

/// How many pods each level at each version is asked about.
const EACH: usize = 12;

/// A pod, and what it is judged by.
pub(crate) struct Mixed {
    pub(crate) name: String,
    pub(crate) level: &'static str,
    pub(crate) version: String,
    pub(crate) pod: Value,
}

/// Pods at both levels, at every version where a rule changes.
pub(crate) fn pods() -> Vec<Mixed> {
    let parts = own();
    let mut versions: Vec<&String> = parts.iter().map(|trial| &trial.version).collect();
    versions.sort();
    versions.dedup();
    let mut dice = Dice(1);
    let asked = versions.iter().flat_map(|version| ["baseline", "restricted"].map(|level| (*version, level)));
    let repeated = asked.flat_map(|one| std::iter::repeat_n(one, EACH));
    repeated
        .enumerate()
        .map(|(number, (version, level))| Mixed {
            name: format!("mixed pod {number}"),
            level,
            version: version.clone(),
            pod: mixed(&parts, &mut dice),
        })
        .collect()
}

/// Containers of four pods, in what two others say of the whole pod.
fn mixed(parts: &[Trial], dice: &mut Dice) -> Value {
    let mut container = |name: &str| {
        let mut container = dice.one_of(parts).pod["spec"]["containers"][0].clone();
        container["name"] = json!(name);
        container
    };
    let init = container("i");
    let regular = ["a", "b", "c"].map(container);
    let mut pod = dice.one_of(parts).pod.clone();
    for (field, value) in dice.one_of(parts).pod["spec"].as_object().unwrap() {
        pod["spec"][field] = value.clone();
    }
    pod["spec"].as_object_mut().unwrap().remove("ephemeralContainers");
    pod["spec"]["initContainers"] = json!([init]);
    pod["spec"]["containers"] = json!(regular);
    pod
}

/// A linear congruential generator, with the constants of MMIX: it need not be good, only the same everywhere.
struct Dice(u64);

impl Dice {
    fn one_of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        &all[usize::try_from(self.0 >> 33).unwrap() % all.len()]
    }
}
