//! What holds of the standards whatever the pod: how levels and versions lie within each other, and that a pod in which
//! nothing bad was written meets restricted once the catalogue has put its defaults in.

use std::sync::Arc;

use portreeve_admission::document::Document;
use portreeve_admission::plan::Editable;
use portreeve_admission::settle::{Asked, Round, Settling};
use portreeve_admission::subject::Seat;
use portreeve_sdk::Policy;
use portreeve_sdk::native::{Scene, edits};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use super::failed;
use crate::drop_capabilities::DropCapabilities;
use crate::non_root::NonRoot;
use crate::privilege_escalation::PrivilegeEscalation;
use crate::seccomp::Seccomp;

/// The newest version that changed a rule.
const NEWEST: u32 = 37;

/// Whether fields may be written that some level forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taste {
    Good,
    Any,
}

/// An object of the fields that are there.
fn object(fields: Vec<(&'static str, Option<Value>)>) -> Value {
    let there = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

/// One of the good values, or of the bad ones too.
fn one_of(taste: Taste, good: Value, bad: Value) -> impl Strategy<Value = Value> {
    let mut values = good.as_array().unwrap().clone();
    if taste == Taste::Any {
        values.extend(bad.as_array().unwrap().clone());
    }
    select(values)
}

fn profile(taste: Taste) -> impl Strategy<Value = Value> {
    let types = one_of(taste, json!(["RuntimeDefault", "Localhost"]), json!(["Unconfined", ""]));
    types.prop_map(|type_| json!({"type": type_}))
}

fn capabilities(taste: Taste) -> impl Strategy<Value = Value> {
    let add = match taste {
        Taste::Good => vec!["NET_BIND_SERVICE"],
        Taste::Any => vec!["NET_BIND_SERVICE", "CHOWN", "NET_RAW"],
    };
    let most = add.len();
    (subsequence(add, 0..=most), any::<bool>()).prop_map(|(add, drops)| {
        // What others are dropped is theirs to say; they are not made to drop all.
        if drops { json!({"add": add, "drop": ["ALL"]}) } else { json!({"add": add}) }
    })
}

fn container(taste: Taste, name: &'static str) -> impl Strategy<Value = Value> {
    let escalation = one_of(taste, json!([false]), json!([true]));
    let non_root = one_of(taste, json!([true]), json!([false]));
    let user = one_of(taste, json!([1000]), json!([0]));
    let privileged = one_of(taste, json!([false]), json!([true]));
    let proc_mount = one_of(taste, json!(["Default"]), json!(["Unmasked"]));
    let port = one_of(taste, json!([0]), json!([80]));
    let host = one_of(taste, json!([""]), json!(["elsewhere"]));
    let security = (
        (of(escalation), of(capabilities(taste)), of(non_root), of(user)),
        (of(privileged), of(proc_mount), of(profile(taste)), of(profile(taste))),
    );
    (of(security), of(port), of(host)).prop_map(move |(security, port, host)| {
        let security =
            security.map(|((escalation, capabilities, non_root, user), (privileged, proc, seccomp, armor))| {
                object(vec![
                    ("allowPrivilegeEscalation", escalation),
                    ("capabilities", capabilities),
                    ("runAsNonRoot", non_root),
                    ("runAsUser", user),
                    ("privileged", privileged),
                    ("procMount", proc),
                    ("seccompProfile", seccomp),
                    ("appArmorProfile", armor),
                ])
            });
        object(vec![
            ("name", Some(json!(name))),
            ("image", Some(json!("shop"))),
            ("securityContext", security),
            ("ports", port.map(|port| json!([{"containerPort": 8080, "hostPort": port}]))),
            ("livenessProbe", host.map(|host| json!({"httpGet": {"port": 8080, "host": host}}))),
        ])
    })
}

fn pod(taste: Taste) -> impl Strategy<Value = Value> {
    let shared = || of(one_of(taste, json!([false]), json!([true])));
    let non_root = one_of(taste, json!([true]), json!([false]));
    let user = one_of(taste, json!([1000]), json!([0]));
    let sysctls = ["net.ipv4.tcp_syncookies", "net.ipv4.tcp_rmem", "net.ipv4.tcp_notsent_lowat"];
    let sysctl = one_of(taste, json!([sysctls[0]]), json!([sysctls[1], sysctls[2], "kernel.msgmax"]));
    let volume = one_of(taste, json!(["emptyDir", "csi", "image"]), json!(["hostPath", "nfs"]));
    let security = (of(non_root), of(user), of(profile(taste)), of(sysctl));
    let containers = (container(taste, "a"), of(container(taste, "b")), of(container(taste, "i")));
    let host_users = one_of(taste, json!([true]), json!([false]));
    (of(security), shared(), shared(), of(host_users), of(volume), containers).prop_map(
        |(security, network, pid, users, volume, (first, second, init))| {
            let security = security.map(|(non_root, user, seccomp, sysctl)| {
                object(vec![
                    ("runAsNonRoot", non_root),
                    ("runAsUser", user),
                    ("seccompProfile", seccomp),
                    ("sysctls", sysctl.map(|name| json!([{"name": name, "value": "1"}]))),
                ])
            });
            let containers: Vec<Value> = [Some(first), second].into_iter().flatten().collect();
            let spec = object(vec![
                ("securityContext", security),
                ("hostNetwork", network),
                ("hostPID", pid),
                ("hostUsers", users),
                ("volumes", volume.map(|source| json!([{"name": "v", source.as_str().unwrap(): {}}]))),
                ("initContainers", init.map(|init| json!([init]))),
                ("containers", Some(json!(containers))),
            ]);
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec})
        },
    )
}

fn allows(level: &str, minor: u32, pod: &Value) -> bool {
    failed(pod, level, &format!("v1.{minor}")).is_empty()
}

/// The edits of the policies that put the fields of restricted right, as the host makes them.
fn put_right(pod: &Value) -> Value {
    let mut settling = Settling::new(Arc::new(Document::from_value(pod.clone())), Editable::Everything);
    loop {
        let object = settling.object().value().clone();
        let all = [
            edits_of::<DropCapabilities>(&object),
            edits_of::<NonRoot>(&object),
            edits_of::<PrivilegeEscalation>(&object),
            edits_of::<Seccomp>(&object),
        ];
        let seat = Seat::default();
        let asked: Vec<Asked<'_>> = all
            .iter()
            .map(|(policy, edits)| Asked { policy, template: &seat, edits: edits.iter().collect() })
            .collect();
        match settling.round(&asked) {
            Round::Edited => {}
            Round::Settled => return settling.object().value().clone(),
            Round::Refused(failures) | Round::Broken(failures) => panic!("{failures:?}"),
        }
    }
}

fn edits_of<P: Policy>(pod: &Value) -> (&'static str, Vec<portreeve_admission::verdict::Edit>) {
    let verdict = Scene::create(pod.clone()).unwrap().judge::<P>(&json!({})).unwrap();
    (P::manifest().name, edits(&verdict).unwrap())
}

proptest! {
    #[test]
    fn what_restricted_allows_baseline_allows(pod in pod(Taste::Any), minor in 0..=NEWEST) {
        prop_assert!(!allows("restricted", minor, &pod) || allows("baseline", minor, &pod));
    }

    #[test]
    fn privileged_allows_everything(pod in pod(Taste::Any), minor in 0..=NEWEST) {
        prop_assert!(allows("privileged", minor, &pod));
    }

    /// From 1.19 to 1.33 releases only added to what baseline allows, and so did those from 1.34 on, which asked for
    /// one more thing.
    #[test]
    fn a_newer_baseline_allows_what_an_older_one_did(
        pod in pod(Taste::Any),
        minor in (19..33_u32).prop_union(34..NEWEST),
    ) {
        prop_assert!(!allows("baseline", minor, &pod) || allows("baseline", minor + 1, &pod));
    }

    /// The same of restricted, which asked for more up to 1.23.
    #[test]
    fn a_newer_restricted_allows_what_an_older_one_did(
        pod in pod(Taste::Any),
        minor in (23..33_u32).prop_union(34..NEWEST),
    ) {
        prop_assert!(!allows("restricted", minor, &pod) || allows("restricted", minor + 1, &pod));
    }

    #[test]
    fn while_restricted_was_made_a_newer_one_allowed_no_more(
        pod in pod(Taste::Any),
        minor in (0..18_u32).prop_union(19..23),
    ) {
        prop_assert!(!allows("restricted", minor + 1, &pod) || allows("restricted", minor, &pod));
    }

    #[test]
    fn a_pod_without_a_bad_word_meets_restricted_once_it_is_put_right(pod in pod(Taste::Good)) {
        let right = put_right(&pod);
        prop_assert_eq!(failed(&right, "restricted", "latest"), Vec::<String>::new(), "{}", right);
    }
}
