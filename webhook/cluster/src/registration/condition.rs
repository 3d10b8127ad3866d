//! Conditions that the API server checks before it asks, in CEL: each keeps away calls that would be answered without a
//! look at any policy. They are told apart by type, so that `doctor` can say what they let through.
//!
//! An expression that can't be evaluated refuses the request, so that each one here asks whether a field is there
//! before it reads it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::admissionregistration::v1::MatchCondition;
use portreeve_admission::case::{CONTROL_PLANE, Operation};
use portreeve_admission::pointer::Pointer;
use portreeve_admission::subject::TemplatePaths;

use super::Call;
use super::served::Served;
use super::wanted::{ANY, Wanted, Wish, split};

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Not what we do ourselves: our resources' status, our lease, our registration.
    NotOurselves {
        /// Our user, as in `system:serviceaccount:portreeve:portreeve`.
        user: String,
    },
    /// Not what nodes do: their heartbeats, and the mirrors of pods that run already.
    NotANode,
    /// Not what a cluster comes back by, though a star takes it in.
    NotRecovery {
        /// The resources that no policy asked for by name.
        spared: BTreeSet<Spared>,
    },
    /// Not what is on its way out: whatever takes finalizers away is never held up.
    NotLeaving,
    /// Not what a controller owns, unless it is a Pod: it is never edited.
    NotOwned,
    /// Not what leaves all templates as they were, where no policy asked for the object itself.
    ChangedTemplates {
        /// Of these kinds.
        kinds: Kinds,
    },
    /// Not what leaves the spec as it was, nor how the control plane carries out what was judged before, where no
    /// policy asked for more of the object.
    ChangedSpecs {
        /// Of these kinds.
        kinds: Kinds,
    },
}

/// Kinds, as in `apps/Deployment`, by the parts that make up their templates.
pub type Kinds = BTreeMap<Vec<Pointer>, BTreeSet<String>>;

/// A resource that a cluster comes back by; all of a group where the resource is `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spared {
    /// Its group.
    pub group: &'static str,
    /// Its name.
    pub resource: &'static str,
}

const fn spared(group: &'static str, resource: &'static str) -> Spared {
    Spared { group, resource }
}

/// Heartbeats and elections; who may do what; where services are; nodes that join; the API itself; and our own
/// resources, by which a bad policy is mended.
pub(super) const RECOVERY: [Spared; 16] = [
    spared("", "nodes"),
    spared("", "events"),
    spared("", "endpoints"),
    spared("", "bindings"),
    spared("admissionregistration.k8s.io", ANY),
    spared("apiextensions.k8s.io", ANY),
    spared("apiregistration.k8s.io", ANY),
    spared("authentication.k8s.io", ANY),
    spared("authorization.k8s.io", ANY),
    spared("certificates.k8s.io", ANY),
    spared("coordination.k8s.io", ANY),
    spared("discovery.k8s.io", ANY),
    spared("events.k8s.io", ANY),
    spared("flowcontrol.apiserver.k8s.io", ANY),
    spared("storage.k8s.io", "csinodes"),
    spared("portreeve.dev", ANY),
];

/// The conditions of an entry with these wishes.
pub(super) fn conditions(
    call: Call,
    wanted: &Wanted,
    paths: &TemplatePaths,
    served: &Served,
    user: Option<&str>,
) -> Vec<Condition> {
    let ourselves = user.map(|user| Condition::NotOurselves { user: user.to_owned() });
    let spared = by_star_alone(wanted);
    let recovery = (!spared.is_empty()).then_some(Condition::NotRecovery { spared });
    let owned = (call == Call::Mutate).then_some(Condition::NotOwned);
    let (templates, specs) = seen_in_part(wanted, paths, served);
    let templates = (!templates.is_empty()).then_some(Condition::ChangedTemplates { kinds: templates });
    let specs = (!specs.is_empty()).then_some(Condition::ChangedSpecs { kinds: specs });
    let always = [Condition::NotANode, Condition::NotLeaving];
    ourselves.into_iter().chain(always).chain(recovery).chain(owned).chain(templates).chain(specs).collect()
}

/// What a cluster comes back by, as far as a star takes it in and nobody named it.
pub(super) fn by_star_alone(wanted: &Wanted) -> BTreeSet<Spared> {
    let meets = |wish: &Wish, spared: &Spared| {
        let resource = split(&wish.resource).0;
        let whole_group = spared.resource == ANY || resource == ANY || resource == spared.resource;
        (wish.group == ANY || wish.group == spared.group) && whole_group
    };
    let by_name = |wish: &Wish| wish.group != ANY && split(&wish.resource).0 != ANY;
    let (named, starred): (Vec<&Wish>, Vec<&Wish>) = wanted.named.iter().partition(|wish| by_name(wish));
    let alone = |spared: &&Spared| {
        starred.iter().any(|wish| meets(wish, spared)) && !named.iter().any(|wish| meets(wish, spared))
    };
    RECOVERY.iter().filter(alone).copied().collect()
}

/// Kinds that are asked for because of their templates alone, and those that are because of their specs, which hold
/// their templates.
fn seen_in_part(wanted: &Wanted, paths: &TemplatePaths, served: &Served) -> (Kinds, Kinds) {
    let (mut templates, mut specs) = (Kinds::new(), Kinds::new());
    let updates = wanted.templates.iter().chain(&wanted.of_spec).filter(|wish| wish.operation == Operation::Update);
    for wish in updates.filter(|wish| !wanted.names(wish)) {
        for (group, kind) in paths.kinds().into_iter().filter(|(group, _)| *group == wish.group) {
            let parts = paths.whole_parts(group, kind).filter(|parts| parts.iter().all(can_be_written));
            let Some(parts) = parts.filter(|_| served.is_called(group, kind, &wish.resource)) else { continue };
            let kinds = match wanted.names_spec(wish) {
                false => &mut templates,
                true if parts.iter().all(is_of_spec) => &mut specs,
                true => continue,
            };
            kinds.entry(parts).or_default().insert(format!("{group}/{kind}"));
        }
    }
    (templates, specs)
}

fn is_of_spec(part: &Pointer) -> bool {
    part.tokens().first().is_some_and(|first| first == "spec")
}

/// Field names that CEL takes as they are. Of all kinds that ship they are.
fn can_be_written(part: &Pointer) -> bool {
    const TAKEN: [&str; 4] = ["in", "as", "null", "package"];
    let is_plain = |name: &String| {
        name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.chars().all(|next| next.is_ascii_alphanumeric())
            && !TAKEN.contains(&name.as_str())
    };
    part.tokens().iter().all(is_plain)
}

impl Condition {
    /// Its name in the entry.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotOurselves { .. } => "not-ourselves",
            Self::NotANode => "not-a-node",
            Self::NotRecovery { .. } => "not-recovery",
            Self::NotLeaving => "not-leaving",
            Self::NotOwned => "not-owned",
            Self::ChangedTemplates { .. } => "changed-templates",
            Self::ChangedSpecs { .. } => "changed-specs",
        }
    }

    /// What the API server evaluates.
    #[must_use]
    pub fn expression(&self) -> String {
        match self {
            Self::NotOurselves { user } => format!("request.userInfo.username != {user:?}"),
            Self::NotANode => {
                "!has(request.userInfo.groups) || !('system:nodes' in request.userInfo.groups)".to_owned()
            }
            Self::NotRecovery { spared } => not_recovery(spared),
            Self::NotLeaving => {
                "request.operation != 'UPDATE' || !oldObject.?metadata.?deletionTimestamp.hasValue()".to_owned()
            }
            Self::NotOwned => "(request.kind.group == '' && request.kind.kind == 'Pod') || \
                !object.?metadata.?ownerReferences.orValue([]).exists(owner, owner.?controller.orValue(false))"
                .to_owned(),
            Self::ChangedTemplates { kinds } => not_updates(kinds, same_templates),
            Self::ChangedSpecs { kinds } => not_updates(kinds, |parts| {
                format!("(object.?spec == oldObject.?spec || ({} && {}))", by_control_plane(), same_templates(parts))
            }),
        }
    }

    pub(crate) fn written(&self) -> MatchCondition {
        MatchCondition { name: self.name().to_owned(), expression: self.expression() }
    }
}

fn not_recovery(spared: &BTreeSet<Spared>) -> String {
    let listed = |entries: Vec<String>| format!("[{}]", entries.join(", "));
    let whole: Vec<String> =
        spared.iter().filter(|one| one.resource == ANY).map(|one| format!("'{}'", one.group)).collect();
    let single: Vec<String> = spared
        .iter()
        .filter(|one| one.resource != ANY)
        .map(|one| format!("'{}/{}'", one.group, one.resource))
        .collect();
    format!(
        "!(request.resource.group in {}) && !(request.resource.group + '/' + request.resource.resource in {})",
        listed(whole),
        listed(single)
    )
}

fn same_templates(parts: &[Pointer]) -> String {
    let at =
        |object: &str, part: &Pointer| part.tokens().iter().fold(object.to_owned(), |at, name| format!("{at}.?{name}"));
    let same = |part: &Pointer| format!("{} == {}", at("object", part), at("oldObject", part));
    parts.iter().map(same).collect::<Vec<_>>().join(" && ")
}

fn by_control_plane() -> String {
    let users: Vec<String> = CONTROL_PLANE.iter().map(|user| format!("'{user}'")).collect();
    format!("[{}].exists(user, request.userInfo.username.startsWith(user))", users.join(", "))
}

/// Not an update of these kinds of which this holds.
fn not_updates(kinds: &Kinds, holds: impl Fn(&[Pointer]) -> String) -> String {
    let unchanged = kinds.iter().map(|(parts, kinds)| {
        let kinds: Vec<String> = kinds.iter().map(|kind| format!("'{kind}'")).collect();
        format!("(request.kind.group + '/' + request.kind.kind in [{}] && {})", kinds.join(", "), holds(parts))
    });
    format!(
        "request.operation != 'UPDATE' || (has(request.subResource) && request.subResource != '') || !({})",
        unchanged.collect::<Vec<_>>().join(" || ")
    )
}
