//! pod-security: the checks of the Pod Security Standards by our own level, class by class of workload. What the labels
//! of a namespace ask the API server enforces itself, webhook or not. What a level asks to be written and is missing
//! passes, since other policies put it in.

mod baseline;
mod class;
mod restricted;

use std::rc::Rc;

use portreeve_admission::api::Mode;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Drafted, Judged};
use crate::backstop::cel::{globs, list, text};
use crate::backstop::left_out::Why;
use crate::backstop::rule::Rule;
use crate::backstop::select::{Injected, TRAFFIC, adds_only, is_one_of};
use crate::backstop::subject::{Side, both, template_of};

use class::{Class, Gpus};

/// What is not read says what is told beside a denial, or what the API server enforces by itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[allow(dead_code, reason = "a setting that is known here and has no say is told from one that is not known")]
pub(super) struct Settings {
    level: Level,
    version: String,
    classes: Vec<Class>,
    namespace_labels: Option<IgnoredAny>,
    warn: Option<IgnoredAny>,
    audit: Option<IgnoredAny>,
    templates: Templates,
    exemptions: Exemptions,
    injected: Injected,
    gpu_resources: Vec<String>,
    gpu_claims: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            level: Level::Baseline,
            version: LATEST.to_owned(),
            classes: Vec::new(),
            namespace_labels: None,
            warn: None,
            audit: None,
            templates: Templates::Enforce,
            exemptions: Exemptions::default(),
            injected: Injected::default(),
            gpu_resources: class::usual_gpus(),
            gpu_claims: Vec::new(),
        }
    }
}

/// How much a pod may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Privileged,
    Baseline,
    Restricted,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// What becomes of workloads, as against pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Templates {
    Enforce,
    Warn,
    Ignore,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Exemptions {
    namespaces: Vec<String>,
    usernames: Vec<String>,
    runtime_classes: Vec<String>,
}

/// The newest rules.
const LATEST: &str = "latest";

/// The oldest release whose rules are known here: those before knew neither today's fields nor pods of Windows.
const OLDEST: u32 = 25;

pub(super) fn draft(settings: &Settings) -> Result<Drafted, Why> {
    let minor = minor(&settings.version)?;
    let levels: Vec<Level> = settings.classes.iter().map(|class| class.level).chain([settings.level]).collect();
    let highest = levels.iter().copied().max().unwrap_or(settings.level);
    if highest == Level::Privileged {
        return Err(Why::NothingToRefuse("settings.level is privileged"));
    }
    let gpus = Rc::new(Gpus::of(&settings.gpu_resources, &settings.gpu_claims));
    let classes = class::levels(&settings.classes, settings.level, &settings.version, gpus)?;
    let mesh = settings.injected.spared()?;
    let eased: Eased = Rc::new(move |side: Side| {
        let traffic = [&TRAFFIC[..], baseline::DEFAULT_CAPABILITIES].concat();
        format!("({} && {})", is_one_of(side, mesh.as_ref()), adds_only(side, &traffic))
    });
    let mut rules = baseline::rules(minor, &eased);
    if highest == Level::Restricted {
        rules.extend(restricted::rules(minor, &eased));
    }
    let judged = match settings.templates {
        Templates::Enforce => Judged::PodsAndTemplates,
        Templates::Warn | Templates::Ignore => Judged::Pods,
    };
    Ok(Drafted {
        rules,
        variables: both(LEVEL, classes),
        spared: settings.exemptions.spared(),
        judged,
        at_most: Mode::Enforce,
    })
}

/// The variable with the level that the pod has to meet.
const LEVEL: &str = "level";

/// Whether the pod has to meet this level, or a stricter one.
fn meets(side: Side, least: Level) -> String {
    let level = side.variable(LEVEL);
    match least {
        Level::Restricted => format!("{level} == 'restricted'"),
        Level::Baseline | Level::Privileged => format!("{level} != 'privileged'"),
    }
}

/// Whether the pod has to meet the baseline level and no more.
fn is_baseline(side: Side) -> String {
    format!("{} == 'baseline'", side.variable(LEVEL))
}

/// What a mesh's container can't meet, and is let pass.
type Eased = Rc<dyn Fn(Side) -> String>;

/// A check of the pod at a level.
fn of_pod(
    id: &'static str,
    level: fn(Side) -> String,
    fault: impl Fn(Side) -> String + 'static,
    says: &str,
    remedy: &str,
) -> Rule {
    Rule::of_pod(id, move |side| format!("({} && {})", level(side), fault(side)), says, remedy)
}

/// A check of each container at a level.
fn of_container(
    id: &'static str,
    level: fn(Side) -> String,
    fault: impl Fn(Side) -> String + 'static,
    says: &str,
    remedy: &str,
) -> Rule {
    Rule::of_container(id, move |side| format!("({} && {})", level(side), fault(side)), says, remedy)
}

fn at_baseline(side: Side) -> String {
    meets(side, Level::Baseline)
}

fn at_restricted(side: Side) -> String {
    meets(side, Level::Restricted)
}

fn minor(version: &str) -> Result<u32, Why> {
    if version == LATEST {
        return Ok(u32::MAX);
    }
    let minor = version.strip_prefix("v1.").and_then(|minor| minor.parse().ok()).filter(|minor| *minor >= OLDEST);
    minor.ok_or_else(|| {
        Why::setting("version", format!("the rules of {version} can't be said, those from v1.{OLDEST} on can"))
    })
}

impl Exemptions {
    fn spared(&self) -> Vec<(&'static str, String)> {
        let Self { namespaces, usernames, runtime_classes } = self;
        let names = |list: &Vec<String>| self::list(list.iter().map(String::as_str));
        let namespace = (!namespaces.is_empty()).then(|| {
            let globs = text(&globs(namespaces.iter().map(String::as_str)));
            ("not-an-exempt-namespace", format!("request.namespace.matches({globs})"))
        });
        let user = (!usernames.is_empty())
            .then(|| ("not-an-exempt-user", format!("(request.userInfo.username in {})", names(usernames))));
        let class = (!runtime_classes.is_empty()).then(|| {
            let own = format!("{}.?spec.?runtimeClassName.orValue('')", template_of("object"));
            ("not-an-exempt-runtime-class", format!("({own} in {})", names(runtime_classes)))
        });
        namespace.into_iter().chain(user).chain(class).collect()
    }
}
