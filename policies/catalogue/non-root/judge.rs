//! What is said of a pod's users: what the pod sets, what each container does, and what cannot be seen from here.

use portreeve_sdk::view::{Container, ContainerSecurity, Pod};
use portreeve_sdk::{Case, Verdict};
use serde_json::Value;

use super::edits::listens_low;
use super::user::{Runs, Users};
use super::{FLAG, Governed, IMAGE_USER, LOW_PORT, NON_ROOT, ROOT_USER, Stance, USER, Unknown};

const SET_FLAG: &str = "set securityContext.runAsNonRoot to true";
const SET_USER: &str = "set securityContext.runAsUser to the number of a user other than root, or build the image with a \
                        numeric USER, and set runAsNonRoot to true";
const SET_KNOWN: &str = "set securityContext.runAsUser to the number of the user that the image is made for";
const SET_OWNER: &str = "set securityContext.runAsUser to the number of the user who owns its data, fsGroup to the group \
                         that may write to it, and runAsNonRoot to true";
const USE_CONTAINER_USER: &str = "set windowsOptions.runAsUserName to ContainerUser";
const USER_NAME: &str = "/securityContext/windowsOptions/runAsUserName";
/// Who on Windows may do everything within a container.
const ADMINISTRATOR: &str = "ContainerAdministrator";

/// What the pod says is told at the pod, once; not where it is for containers alone that may run as root.
pub(super) fn pod(case: &Case<'_>, pod: &Pod, governed: &[Governed<'_>], verdict: &mut Verdict) {
    if let Some(security) = &pod.security {
        let has_flag = |own: &ContainerSecurity| own.run_as_non_root.is_some();
        let has_user = |own: &ContainerSecurity| own.run_as_user.is_some();
        let is_told = |sets: fn(&ContainerSecurity) -> bool| {
            !is_for_exempt_ones(governed, |container| container.security.as_ref().is_some_and(sets))
        };
        if security.run_as_non_root == Some(false) && is_told(has_flag) {
            let at = ["/spec", FLAG].concat();
            verdict.violation(NON_ROOT).at(at).says("the pod sets runAsNonRoot: false").mend(SET_FLAG);
        }
        if security.run_as_user == Some(0) && is_told(has_user) {
            let at = ["/spec", USER].concat();
            verdict.violation(ROOT_USER).at(at).says("the pod sets runAsUser: 0, which is root").mend(SET_USER);
        }
    }
    let at = ["/spec", USER_NAME].concat();
    let is_told = || {
        !is_for_exempt_ones(governed, |container| {
            case.read(&container.field(USER_NAME)).is_some_and(|name| name.is_string())
        })
    };
    if pod.is_windows() && is_administrator(case, &at) && is_told() {
        verdict.violation(ROOT_USER).at(at).says(administers("the pod")).mend(USE_CONTAINER_USER);
    }
}

/// Whether there are containers that take what the pod says, since they say nothing of it themselves, and all of them
/// may run as root.
fn is_for_exempt_ones(governed: &[Governed<'_>], says_so_itself: impl Fn(&Container) -> bool) -> bool {
    let mut taking = governed.iter().filter(|governed| !says_so_itself(governed.container)).peekable();
    taking.peek().is_some() && taking.all(|governed| governed.exempt)
}

/// What a container says, and what follows where it says nothing.
pub(super) fn container(case: &Case<'_>, pod: &Pod, governed: &Governed<'_>, unknown: &Unknown, verdict: &mut Verdict) {
    let container = governed.container;
    let name = &container.name;
    let own = container.security.as_ref();
    let mut finds = |rule, at, says: String, remedy: &str| {
        if let Some(finding) = governed.judgement.finding(verdict, rule) {
            finding.container(container).at(container.field(at)).says(says).mend(remedy);
        }
    };
    if own.and_then(|own| own.run_as_user) == Some(0) {
        finds(ROOT_USER, USER, format!("container {name:?} sets runAsUser: 0, which is root"), SET_USER);
    }
    if pod.is_windows() && is_administrator(case, &container.field(USER_NAME)) {
        finds(ROOT_USER, USER_NAME, administers(&format!("container {name:?}")), USE_CONTAINER_USER);
    }
    match own.and_then(|own| own.run_as_non_root) {
        Some(false) => finds(NON_ROOT, FLAG, format!("container {name:?} sets runAsNonRoot: false"), SET_FLAG),
        Some(true) => {}
        None if pod.security.as_ref().is_some_and(|security| security.run_as_non_root.is_some()) => {}
        None => match &governed.runs {
            Runs::Refused(user) => {
                finds(NON_ROOT, FLAG, format!("container {name:?} may run as root, and its image {user}"), SET_USER);
            }
            Runs::UnknownOwner => owner(governed, unknown, verdict),
            _ => finds(NON_ROOT, FLAG, unchecked(pod, container), SET_FLAG),
        },
    }
    if governed.stance != Stance::Root {
        image(governed, unknown, verdict);
    }
}

/// What holds of a container for which the flag is missing: with a number of its own or of the pod's it is no root, as
/// long as nobody changes that.
fn unchecked(pod: &Pod, container: &Container) -> String {
    let name = &container.name;
    let own = container.security.as_ref().and_then(|own| own.run_as_user);
    let of_pod = pod.security.as_ref().and_then(|security| security.run_as_user);
    match (own, of_pod) {
        (Some(user @ 1..), _) => {
            format!("container {name:?} runs as user {user}, but runAsNonRoot is missing, so that nothing checks it")
        }
        (None, Some(user @ 1..)) => format!(
            "container {name:?} runs as the pod's user {user}, but runAsNonRoot is missing, so that nothing checks it"
        ),
        _ => format!("container {name:?} may run as root: nothing forbids it"),
    }
}

/// Nothing is set beside data whose owner nobody knows, so that it is for the settings to say what that is.
fn owner(governed: &Governed<'_>, unknown: &Unknown, verdict: &mut Verdict) {
    let container = governed.container;
    let Some(finding) = unknown.owner.finding(verdict, IMAGE_USER) else { return };
    let says = format!(
        "container {:?} may run as root: it keeps data and the user of its image is not known here, so that nothing is \
         set for it",
        container.name
    );
    finding.container(container).at(container.field(USER)).says(says).mend(SET_OWNER);
}

/// What the kubelet will make of the image's user once it may not be root.
fn image(governed: &Governed<'_>, unknown: &Unknown, verdict: &mut Verdict) {
    let container = governed.container;
    let is_held_to_it = governed.stance == Stance::NonRoot;
    let (finding, says) = match &governed.runs {
        Runs::Refused(user) if is_held_to_it => {
            (Some(verdict.advisory(IMAGE_USER)), format!("{user}, so that the kubelet will not start it"))
        }
        Runs::Unknown | Runs::UnknownOwner if is_held_to_it => {
            let says = "has a user who is not known here: if that is root or a name, the kubelet will not start it";
            (unknown.user.finding(verdict, IMAGE_USER), says.to_owned())
        }
        _ => return,
    };
    if let Some(finding) = finding {
        let says = format!("the image of container {:?} {says}", container.name);
        finding.container(container).at(container.field(USER)).says(says).mend(SET_KNOWN);
    }
}

/// On the node's network the kubelet refuses the sysctl that opens low ports.
pub(super) fn low_ports_of_the_node(case: &Case<'_>, users: &Users, governed: &[Governed<'_>], verdict: &mut Verdict) {
    let binds = |governed: &&Governed<'_>| {
        let added = governed.container.added_capabilities();
        added.iter().any(|capability| matches!(capability.as_str(), "NET_BIND_SERVICE" | "ALL"))
    };
    let non_root = governed.iter().filter(|governed| governed.stance == Stance::NonRoot && governed.runs.starts());
    for Governed { container, .. } in non_root.filter(|governed| !binds(governed)) {
        if listens_low(case, users, container) {
            verdict
                .advisory(LOW_PORT)
                .container(container)
                .at(container.field("/ports"))
                .says(format!(
                    "container {:?} listens below port 1024 on the node's network, where only root may and no sysctl \
                     can be set",
                    container.name
                ))
                .mend("listen on a port from 1024 on, or give the program the file capability NET_BIND_SERVICE and add it");
        }
    }
}

fn administers(who: &str) -> String {
    format!("{who} sets runAsUserName: {ADMINISTRATOR}, who is root on Windows")
}

/// No view shows who a container is on Windows, where names are the same in capitals.
fn is_administrator(case: &Case<'_>, at: &str) -> bool {
    let name = case.read(at);
    name.as_ref().and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case(ADMINISTRATOR))
}
