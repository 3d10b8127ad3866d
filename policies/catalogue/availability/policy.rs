//! What others call upon outlives the loss of a node: it runs more than one replica, and a PodDisruptionBudget keeps
//! some of them while nodes are emptied. Nothing is edited: whether a program can run twice is its author's to know,
//! and how often it runs may be an autoscaler's.
//!
//! What a budget allows is told in `budget`, what settings say in `settings`.

mod budget;
mod settings;

use portreeve_sdk::fact::{DisruptionBudgets, Missing, Object, Services};
use portreeve_sdk::view::{LogLevel, Operation, Pod};
use portreeve_sdk::{Can, Case, FactNeed, Manifest, Policy, ResourceRule, SettingsError, Stop, Verdict};
use serde_json::{Map, Value};

use budget::Budget;
pub(crate) use settings::Settings;
use settings::{AppliesTo, Required};

use crate::autoscaler::Autoscaler;

const REPLICAS: &str = "/spec/replicas";

const WRITING: &[&str] = &["CREATE", "UPDATE"];

/// Replicas change without the template, so that the kinds are named.
const RESOURCES: &[ResourceRule] = &[
    ResourceRule {
        groups: &["apps"],
        versions: &["v1"],
        resources: &["deployments@spec", "statefulsets@spec"],
        operations: WRITING,
    },
    ResourceRule { groups: &["policy"], versions: &["v1"], resources: &["poddisruptionbudgets"], operations: WRITING },
];

/// The policy.
pub(crate) struct Availability {
    settings: Settings,
}

/// A workload of the request.
struct Workload<'a> {
    pod: &'a Pod,
    kind: String,
    /// None if it does not say, so that somebody else does.
    replicas: Option<u64>,
    /// What changes the replicas, where that is known.
    autoscaler: Option<Autoscaler>,
    is_recreated: bool,
}

impl Policy for Availability {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Replicas and disruption budgets",
            description: "A Deployment or StatefulSet that a Service leads to runs two replicas or more, and a \
                          PodDisruptionBudget keeps some of them while nodes are emptied, without keeping nodes from \
                          ever being emptied.",
            can: Can::VALIDATE,
            resources: RESOURCES,
            schema: include_str!("schema.json"),
            facts: &[
                FactNeed {
                    kind: "services",
                    why: "a workload is exposed if a Service selects its pods",
                    required: false,
                },
                FactNeed {
                    kind: "disruption-budgets",
                    why: "whether a budget keeps the pods of a workload stands in the budget",
                    required: false,
                },
                FactNeed {
                    kind: "autoscalers",
                    why: "how many replicas run is an autoscaler's to say, where there is one",
                    required: false,
                },
            ],
            controls: &["A1.1", "A1.2"],
            ..Manifest::new("availability", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self { settings })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        match Workload::read(case) {
            // None of it is asked to run, for now.
            Some(Workload { replicas: Some(0), .. }) => {}
            Some(workload) => self.judge(case, workload, &mut verdict),
            None if case.request().kind().kind == "PodDisruptionBudget" => self.judge_budget(case, &mut verdict),
            None => {}
        }
        Ok(verdict)
    }
}

impl Availability {
    fn judge(&self, case: &Case<'_>, mut workload: Workload<'_>, verdict: &mut Verdict) {
        let service = match self.settings.applies_to {
            AppliesTo::All => None,
            AppliesTo::Exposed => match case.fact::<Services>("") {
                Err(missing) => return unjudged(case, &missing, verdict),
                Ok(Services(services)) => match services.into_iter().find(|service| leads_to(service, workload.pod)) {
                    None => return,
                    exposing => exposing,
                },
            },
        };
        match Autoscaler::of(case) {
            Ok(autoscaler) => workload.autoscaler = autoscaler,
            // What is written counts then.
            Err(missing) => unseen(case, &missing),
        }
        if self.settings.require.contains(&Required::Replicas) {
            self.judge_replicas(&workload, service.as_ref(), verdict);
        }
        match case.fact::<DisruptionBudgets>("") {
            Ok(DisruptionBudgets(budgets)) => self.judge_budgets(case, &workload, &budgets, verdict),
            Err(missing) => unjudged(case, &missing, verdict),
        }
    }

    fn judge_replicas(&self, workload: &Workload<'_>, service: Option<&Object>, verdict: &mut Verdict) {
        let (Some(replicas), least) = (workload.least(), self.settings.min_replicas) else { return };
        if replicas >= least {
            return;
        }
        let exposed = service.map_or_else(String::new, |service| format!(" behind the Service {:?}", service.name));
        if let Some(reason) = workload.is_single_on_purpose() {
            if let Some(finding) = self.settings.singletons.finding(verdict, "singleton") {
                finding
                    .at_object(REPLICAS)
                    .says(format!("one replica runs{exposed}, {reason}: it is away while its node is emptied"))
                    .mend("if the program can run twice, say so by its strategy and set replicas to 2");
            }
            return;
        }
        match &workload.autoscaler {
            Some(autoscaler) => too_few_left(autoscaler, least, &exposed, verdict),
            None => {
                verdict
                    .violation("replicas")
                    .at_object(REPLICAS)
                    .says(format!("{replicas} of the {least} replicas that are asked for run{exposed}"))
                    .mend(format!("set replicas to {least} or more, or let an autoscaler keep as many"));
            }
        }
    }

    fn judge_budgets(&self, case: &Case<'_>, workload: &Workload<'_>, budgets: &[Object], verdict: &mut Verdict) {
        let read = budgets.iter().map(|object| (object, Budget::read(&object.spec)));
        let own: Vec<(&Object, Budget)> = read.filter(|(_, budget)| budget.is_for(workload.pod)).collect();
        // A single pod has nothing to keep beside it.
        if own.is_empty() && workload.most() != Some(1) && self.settings.require.contains(&Required::Budget) {
            verdict
                .violation("budget")
                .at_object("")
                .says("no PodDisruptionBudget selects the pods: emptying nodes may take all of them at once")
                .mend(apply(case));
        }
        if own.len() > 1 {
            let names: Vec<&str> = own.iter().map(|(object, _)| object.name.as_str()).collect();
            verdict
                .advisory("several-budgets")
                .at_object("")
                .says(format!(
                    "the PodDisruptionBudgets {} select the same pods, which can't be evicted then",
                    names.join(", ")
                ))
                .mend("leave one of them, or narrow their selectors");
        }
        for (object, _) in own.iter().filter(|(_, budget)| budget.blocks(workload.least())) {
            verdict
                .advisory("no-disruption")
                .at_object(REPLICAS)
                .says(format!(
                    "the PodDisruptionBudget {:?} lets no pod go, so that no node can be emptied",
                    object.name
                ))
                .mend("set its maxUnavailable to 1, or its minAvailable below the number of replicas");
        }
    }

    fn judge_budget(&self, case: &Case<'_>, verdict: &mut Verdict) {
        let budget = Budget::read(&case.request().read("/spec").unwrap_or_default());
        if !budget.blocks(None) {
            return;
        }
        if let Some(finding) = self.settings.blocking_budgets.finding(verdict, "no-disruption") {
            finding
                .at(budget.field())
                .says("the PodDisruptionBudget lets no pod go, so that no node can be emptied")
                .mend("set maxUnavailable to 1, or minAvailable below the number of replicas");
        }
    }
}

impl<'a> Workload<'a> {
    fn read(case: &Case<'a>) -> Option<Self> {
        let pod = case.pod()?;
        let object = case.request();
        let written = object.read("/spec/replicas").and_then(|replicas| replicas.as_u64());
        // The API server completes one in a new object; what leaves it out of an old one leaves it to an autoscaler.
        let one = (object.operation() == Operation::Create).then_some(1);
        Some(Self {
            pod,
            kind: object.kind().kind.clone(),
            replicas: written.or(one),
            autoscaler: None,
            is_recreated: object.read("/spec/strategy/type").is_some_and(|strategy| strategy == "Recreate"),
        })
    }

    /// The fewest replicas that run; none if nobody says.
    fn least(&self) -> Option<u64> {
        self.autoscaler.as_ref().map(|autoscaler| autoscaler.least).or(self.replicas)
    }

    /// The most replicas that run; none if nobody says.
    fn most(&self) -> Option<u64> {
        self.autoscaler.as_ref().map(|autoscaler| autoscaler.most).or(self.replicas)
    }

    /// How the author says that there is one pod and no second beside it; none if nothing says so.
    fn is_single_on_purpose(&self) -> Option<&'static str> {
        match self.most() {
            Some(1) if self.is_recreated => Some("by the strategy Recreate"),
            // A second pod of a StatefulSet has data of its own: it does not stand in for the first.
            Some(1) if self.kind == "StatefulSet" => Some("of a StatefulSet"),
            _ => None,
        }
    }
}

fn too_few_left(autoscaler: &Autoscaler, least: u64, exposed: &str, verdict: &mut Verdict) {
    let Autoscaler { name, least: left, most } = autoscaler;
    let (does, fields) = if *most < least {
        (format!("lets {most} run at most"), "maxReplicas and minReplicas")
    } else {
        (format!("leaves {left}"), "minReplicas")
    };
    verdict
        .violation("autoscaler")
        .at_object(REPLICAS)
        .says(format!(
            "the HorizontalPodAutoscaler {name:?} {does} of the {least} replicas that are asked for{exposed}"
        ))
        .mend(format!("set its {fields} to {least} or more"));
}

/// Whether a Service selects the pod.
fn leads_to(service: &Object, pod: &Pod) -> bool {
    let selector = service.spec.get("selector").and_then(Value::as_object);
    let is_external = service.spec.get("type").is_some_and(|kind| kind == "ExternalName");
    !is_external
        && selector.is_some_and(|selector| {
            !selector.is_empty() && selector.iter().all(|(key, value)| pod.label(key) == value.as_str())
        })
}

/// What is asked for here can be seen to after the workload runs, so that nobody is refused for want of a fact; the
/// record says that nobody looked.
fn unjudged(case: &Case<'_>, missing: &Missing, verdict: &mut Verdict) {
    unseen(case, missing);
    verdict
        .advisory("unjudged")
        .says(format!("nobody could tell whether it is available enough, for want of {}", missing.kind))
        .mend(format!("grant the fact {} to the policy, and see why it could not be had", missing.kind))
        .with(&Map::from_iter([("told".to_owned(), Value::Bool(false))]));
}

fn unseen(case: &Case<'_>, missing: &Missing) {
    case.log(LogLevel::Debug, &["availability is judged without ", missing.kind, ": ", &missing.reason].concat());
}

/// The budget that is missing, as a manifest in one line.
fn apply(case: &Case<'_>) -> String {
    let request = case.request();
    let name = request.name().unwrap_or_else(|| request.kind().kind.to_lowercase());
    let namespace = request.namespace().unwrap_or_default();
    let selector = request.read("/spec/selector").unwrap_or_default();
    format!(
        "apply {{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {{name: {name}, namespace: {namespace}}}, \
         spec: {{maxUnavailable: 1, selector: {selector}}}}}"
    )
}
