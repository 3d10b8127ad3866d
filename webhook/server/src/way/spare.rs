//! What is set for a pod as a whole reaches every container of it, those too that an exception spares. Where one is
//! spared, it is set on the others, one by one. What a pod has and no container could have by itself stays the pod's.

use portreeve_admission::pointer::Pointer;
use portreeve_admission::template::Template;
use portreeve_admission::verdict::{Change, Edit, Root, Violation};

/// Fields of a security context that pods have and containers too, where they count for more.
const OF_BOTH: [&str; 7] = [
    "appArmorProfile",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
    "windowsOptions",
];

/// An edit as it is to be made where these are the policy's violations in the template, of which some are spared.
pub(super) fn around_spared(
    edit: Edit,
    template: &Template,
    violations: &[Violation],
    mut is_spared: impl FnMut(&Violation) -> bool,
) -> Vec<Edit> {
    let Some(field) = of_both(&edit) else { return vec![edit] };
    let same = violations.iter().filter(|violation| violation.rule == edit.rule && violation.container.is_some());
    let (spared, others): (Vec<&Violation>, Vec<&Violation>) = same.partition(|violation| is_spared(violation));
    if spared.is_empty() {
        return vec![edit];
    }
    let places = others.iter().filter_map(|violation| place(template, violation, &field));
    places.map(|pointer| Edit { pointer, ..edit.clone() }).collect()
}

/// The place within a security context, if this is a default of the pod's that containers can have as well.
fn of_both(edit: &Edit) -> Option<Vec<String>> {
    let (Root::Template, Change::Default(_), [spec, context, field @ ..]) =
        (edit.root, &edit.change, edit.pointer.tokens())
    else {
        return None;
    };
    let known = field.first().is_some_and(|field| OF_BOTH.contains(&field.as_str()));
    (spec == "spec" && context == "securityContext" && known).then(|| field.to_vec())
}

/// The same place in the security context of the container at fault.
fn place(template: &Template, violation: &Violation, field: &[String]) -> Option<Pointer> {
    let at_fault = template.containers.iter().find(|one| Some(&one.name) == violation.container.as_ref())?;
    let container: Pointer = at_fault.pointer.parse().ok()?;
    Some(field.iter().fold(container.child("securityContext"), |at, token| at.child(token)))
}
