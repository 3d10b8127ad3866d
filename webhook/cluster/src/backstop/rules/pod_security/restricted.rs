//! The checks of the restricted level, as far as they are of what is written: what the level asks to be written, other
//! policies put in.

use std::rc::Rc;

use super::baseline::{OWN_USERS, is_unmasked, seccomp};
use super::{Eased, at_restricted, of_container, of_pod};
use crate::backstop::cel::{field_or, list};
use crate::backstop::rule::Rule;
use crate::backstop::select::{added, adds_only, drops_too_few};
use crate::backstop::subject::Side;

/// Kinds of volumes that can't reach the node or a network of their own accord.
const VOLUMES: &[&str] = &[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// The checks by the rules of a minor version.
pub(super) fn rules(minor: u32, eased: &Eased) -> Vec<Rule> {
    let mut rules = vec![escalation(), capabilities(eased), volumes()];
    rules.extend(of_users(minor, eased));
    rules.extend(seccomp("seccomp-profile-restricted", at_restricted, asked_of_linux));
    rules.extend((minor >= OWN_USERS).then(unmasked));
    rules
}

/// What Windows knows nothing of is not asked of pods that say they run there.
fn asked_of_linux(side: Side) -> String {
    format!("!({})", side.is_windows())
}

fn escalation() -> Rule {
    let escalates = |side: Side| {
        let flag = field_or(side.container(), "securityContext.allowPrivilegeEscalation", "false");
        format!("({} && {flag})", asked_of_linux(side))
    };
    of_container(
        "allow-privilege-escalation",
        at_restricted,
        escalates,
        "sets allowPrivilegeEscalation: true",
        "set securityContext.allowPrivilegeEscalation to false",
    )
}

fn capabilities(eased: &Eased) -> Rule {
    let eased = Rc::clone(eased);
    let unrestricted = move |side: Side| {
        format!(
            "({} && (!{} || {}) && !{})",
            asked_of_linux(side),
            adds_only(side, &["NET_BIND_SERVICE"]),
            drops_too_few(side),
            eased(side)
        )
    };
    of_container(
        "capabilities-restricted",
        at_restricted,
        unrestricted,
        "",
        "add no capability but NET_BIND_SERVICE and set securityContext.capabilities.drop to [\"ALL\"]",
    )
    .saying(format!(
        "({allowed} ? 'does not drop ALL' : 'adds ' + {}.filter(a, a != 'NET_BIND_SERVICE').join(', '))",
        added(Side::New),
        allowed = adds_only(Side::New, &["NET_BIND_SERVICE"]),
    ))
}

fn volumes() -> Rule {
    let others = format!("!(k in {})", list(["name"].iter().chain(VOLUMES).copied()));
    let kinds = format!("{}.map(v, v.filter(k, {others})).filter(l, l.size() > 0)", Side::New.volumes());
    let fault = move |side: Side| format!("{}.exists(v, v.exists(k, {others}))", side.volumes());
    of_pod(
        "restricted-volumes",
        at_restricted,
        fault,
        "",
        "use a persistentVolumeClaim, a configMap, a secret, an emptyDir or another of the allowed types",
    )
    .saying(format!("'volumes are of types that are not allowed: ' + {kinds}.map(l, l.join(', ')).join(', ')"))
}

fn of_users(minor: u32, eased: &Eased) -> Vec<Rule> {
    const SET_FLAG: &str = "set securityContext.runAsNonRoot to true, and run the image as a user that is not root";
    const SET_USER: &str = "set runAsUser to the number of a user that is not root, or leave it out";
    // From this version on, root within users of the pod's own is not root.
    let asked = move |side: Side| match minor >= OWN_USERS {
        true => format!("!({})", side.has_own_users()),
        false => "true".to_owned(),
    };
    let says_no = |holder: &str| format!("!{}", field_or(holder, "securityContext.runAsNonRoot", "true"));
    let is_root = |holder: &str| format!("{} == 0", field_or(holder, "securityContext.runAsUser", "1"));
    let (of_flag, of_user) = (Rc::clone(eased), Rc::clone(eased));
    let flag = move |side: Side| format!("({} && {} && !{})", asked(side), says_no(side.container()), of_flag(side));
    let root = move |side: Side| format!("({} && {} && !{})", asked(side), is_root(side.container()), of_user(side));
    let flag_of_pod = move |side: Side| format!("({} && {})", asked(side), says_no(&side.spec()));
    let root_of_pod = move |side: Side| format!("({} && {})", asked(side), is_root(&side.spec()));
    vec![
        of_pod("run-as-non-root", at_restricted, flag_of_pod, "the pod sets runAsNonRoot: false", SET_FLAG),
        of_container("run-as-non-root", at_restricted, flag, "sets runAsNonRoot: false", SET_FLAG),
        of_pod("run-as-user", at_restricted, root_of_pod, "the pod sets runAsUser: 0, which is root", SET_USER),
        of_container("run-as-user", at_restricted, root, "sets runAsUser: 0, which is root", SET_USER),
    ]
}

fn unmasked() -> Rule {
    of_container(
        "proc-mount-restricted",
        at_restricted,
        is_unmasked,
        "unmasks /proc (procMount)",
        "remove securityContext.procMount",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backstop::tests::quoted;

    #[test]
    fn the_volumes_that_are_allowed_are_those_of_the_catalogue() {
        let catalogue = include_str!("../../../../../../policies/catalogue/pod-security/restricted.rs");
        // There a volume without a source is one of them; here it has no field but its name.
        assert_eq!(quoted(catalogue, "const VOLUMES", "];"), [&[""], VOLUMES].concat());
    }
}
