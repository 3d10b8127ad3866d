//! The kinds that have pod templates from the start: where each keeps them, in which form, whether they are edited
//! there and whether they may change. Data; what it means is told in `subject` and `path`. An administrator adds to it
//! with `templatePaths`.
//!
//! Not here, since there is nothing to judge before the Pods come: TrainJob (its templates are its runtime's), Flux's
//! and Argo CD's applications, AppWrapper (whole objects inside), Tekton's tasks (steps, made into containers later).

use super::path::Holds;

/// What is known of a kind.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) group: &'static str,
    pub(super) kind: &'static str,
    pub(super) paths: &'static [&'static str],
    pub(super) holds: Holds,
    pub(super) edited: Edited,
    pub(super) changes: Changes,
}

/// Where defaults are put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Edited {
    /// In the template, and in the Pods that are made of it.
    #[default]
    InPlace,
    /// In the Pods alone: the kind's own admission would refuse what is put in, or others complete the template before
    /// it becomes a Pod. It is judged as its Pods will be.
    AtPods,
}

/// Whether the templates of an object may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Changes {
    /// They may.
    #[default]
    Allowed,
    /// The kind's own admission refuses that.
    Refused,
}

const fn templates(group: &'static str, kind: &'static str, paths: &'static [&'static str]) -> Ready {
    let (edited, changes) = (Edited::InPlace, Changes::Allowed);
    Ready { group, kind, paths, holds: Holds::PodTemplate, edited, changes }
}

impl Ready {
    const fn holding(self, holds: Holds) -> Self {
        Self { holds, ..self }
    }

    const fn at_pods(self) -> Self {
        Self { edited: Edited::AtPods, ..self }
    }

    const fn unchanging(self) -> Self {
        Self { changes: Changes::Refused, ..self }
    }
}

/// Where most kinds have it.
const TEMPLATE: &[&str] = &["/spec/template"];

/// Templates of a Ray cluster, by where its spec stands.
const RAY_CLUSTER: &[&str] = &["/spec/headGroupSpec/template", "/spec/workerGroupSpecs/*/template"];
const RAY_JOB: &[&str] = &[
    "/spec/rayClusterSpec/headGroupSpec/template",
    "/spec/rayClusterSpec/workerGroupSpecs/*/template",
    "/spec/submitterPodTemplate",
];
const RAY_SERVICE: &[&str] =
    &["/spec/rayClusterConfig/headGroupSpec/template", "/spec/rayClusterConfig/workerGroupSpecs/*/template"];
const RAY_CRON_JOB: &[&str] = &[
    "/spec/jobTemplate/rayClusterSpec/headGroupSpec/template",
    "/spec/jobTemplate/rayClusterSpec/workerGroupSpecs/*/template",
    "/spec/jobTemplate/submitterPodTemplate",
];

/// Templates of an Argo Workflow, by where its spec stands; `inline` ones too.
const WORKFLOW: &[&str] =
    &["/spec/templates/*", "/spec/templates/*/dag/tasks/*/inline", "/spec/templates/*/steps/*/*/inline"];
const CRON_WORKFLOW: &[&str] = &[
    "/spec/workflowSpec/templates/*",
    "/spec/workflowSpec/templates/*/dag/tasks/*/inline",
    "/spec/workflowSpec/templates/*/steps/*/*/inline",
];

/// Jobs of a JobSet, by where its template stands.
const RUNTIME: &[&str] = &["/spec/template/spec/replicatedJobs/*/template/spec/template"];

const INFERENCE: &[&str] = &["/spec/predictor", "/spec/predictor/workerSpec", "/spec/transformer", "/spec/explainer"];

/// The core group's templates; a Pod is its own.
const CORE: [Ready; 3] = [
    templates("", "Pod", &[""]),
    templates("", "PodTemplate", &["/template"]),
    templates("", "ReplicationController", TEMPLATE),
];

/// Kubernetes' own workload kinds.
const WORKLOADS: [Ready; 6] = [
    templates("apps", "Deployment", TEMPLATE),
    templates("apps", "StatefulSet", TEMPLATE),
    templates("apps", "DaemonSet", TEMPLATE),
    templates("apps", "ReplicaSet", TEMPLATE),
    templates("batch", "Job", TEMPLATE).unchanging(),
    templates("batch", "CronJob", &["/spec/jobTemplate/spec/template"]),
];

/// Kinds for training, and what queues and repeats them.
const TRAINING: [Ready; 22] = [
    templates("jobset.x-k8s.io", "JobSet", &["/spec/replicatedJobs/*/template/spec/template"]).unchanging(),
    templates(
        "leaderworkerset.x-k8s.io",
        "LeaderWorkerSet",
        &["/spec/leaderWorkerTemplate/leaderTemplate", "/spec/leaderWorkerTemplate/workerTemplate"],
    ),
    templates("ray.io", "RayCluster", RAY_CLUSTER),
    templates("ray.io", "RayJob", RAY_JOB),
    templates("ray.io", "RayService", RAY_SERVICE),
    templates("ray.io", "RayCronJob", RAY_CRON_JOB),
    templates("kubeflow.org", "PyTorchJob", &["/spec/pytorchReplicaSpecs/*/template"]),
    templates("kubeflow.org", "TFJob", &["/spec/tfReplicaSpecs/*/template"]),
    templates("kubeflow.org", "MPIJob", &["/spec/mpiReplicaSpecs/*/template"]),
    templates("kubeflow.org", "XGBoostJob", &["/spec/xgbReplicaSpecs/*/template"]),
    templates("kubeflow.org", "PaddleJob", &["/spec/paddleReplicaSpecs/*/template"]),
    templates("kubeflow.org", "JAXJob", &["/spec/jaxReplicaSpecs/*/template"]),
    templates("kubeflow.org", "MXJob", &["/spec/mxReplicaSpecs/*/template"]),
    templates("kubeflow.org", "Notebook", &["/spec/template/spec"]).holding(Holds::PodSpec),
    templates("trainer.kubeflow.org", "TrainingRuntime", RUNTIME).at_pods(),
    templates("trainer.kubeflow.org", "ClusterTrainingRuntime", RUNTIME).at_pods(),
    templates("batch.volcano.sh", "Job", &["/spec/tasks/*/template"]).unchanging(),
    templates("batch.volcano.sh", "CronJob", &["/spec/jobTemplate/spec/tasks/*/template"]),
    templates("flow.volcano.sh", "JobTemplate", &["/spec/tasks/*/template"]),
    templates("grove.io", "PodCliqueSet", &["/spec/template/cliques/*/spec/podSpec"]).holding(Holds::PodSpec).at_pods(),
    templates("kubernetes.dask.org", "DaskCluster", &["/spec/scheduler/spec", "/spec/worker/spec"])
        .holding(Holds::PodSpec),
    templates(
        "kubernetes.dask.org",
        "DaskJob",
        &["/spec/job/spec", "/spec/cluster/spec/scheduler/spec", "/spec/cluster/spec/worker/spec"],
    )
    .holding(Holds::PodSpec),
];

/// Kinds for serving, rolling out and processing.
const SERVING: [Ready; 17] = [
    templates("argoproj.io", "Rollout", TEMPLATE),
    templates("argoproj.io", "Workflow", WORKFLOW).holding(Holds::WorkflowTemplate).at_pods(),
    templates("argoproj.io", "WorkflowTemplate", WORKFLOW).holding(Holds::WorkflowTemplate).at_pods(),
    templates("argoproj.io", "ClusterWorkflowTemplate", WORKFLOW).holding(Holds::WorkflowTemplate).at_pods(),
    templates("argoproj.io", "CronWorkflow", CRON_WORKFLOW).holding(Holds::WorkflowTemplate).at_pods(),
    // Knative refuses a pod's security context, tolerations and more unless a flag of its own allows them.
    templates("serving.knative.dev", "Service", TEMPLATE).at_pods(),
    templates("serving.knative.dev", "Configuration", TEMPLATE).at_pods(),
    templates("serving.kserve.io", "InferenceService", INFERENCE).holding(Holds::InferenceComponent).at_pods(),
    templates("sparkoperator.k8s.io", "SparkApplication", &["/spec/driver/template", "/spec/executor/template"])
        .at_pods(),
    templates(
        "sparkoperator.k8s.io",
        "ScheduledSparkApplication",
        &["/spec/template/driver/template", "/spec/template/executor/template"],
    )
    .at_pods(),
    templates(
        "flink.apache.org",
        "FlinkDeployment",
        &["/spec/podTemplate", "/spec/jobManager/podTemplate", "/spec/taskManager/podTemplate"],
    )
    .at_pods(),
    templates("keda.sh", "ScaledJob", &["/spec/jobTargetRef/template"]),
    templates("apps.kruise.io", "CloneSet", TEMPLATE),
    templates("apps.kruise.io", "StatefulSet", TEMPLATE),
    templates("apps.kruise.io", "DaemonSet", TEMPLATE),
    templates("apps.kruise.io", "BroadcastJob", TEMPLATE),
    templates(
        "apps.kruise.io",
        "AdvancedCronJob",
        &["/spec/template/jobTemplate/spec/template", "/spec/template/broadcastJobTemplate/spec/template"],
    ),
];

/// Every kind of this file.
pub(super) fn all() -> impl Iterator<Item = &'static Ready> {
    CORE.iter().chain(&WORKLOADS).chain(&TRAINING).chain(&SERVING)
}
