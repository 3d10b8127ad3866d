//! non-root: nobody asks for root. Who an image would run as can't be seen from here, and what is missing the webhook
//! puts in.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Drafted;
use crate::backstop::cel::{all, any, field, field_or, text};
use crate::backstop::image::ImagePatterns;
use crate::backstop::left_out::Why;
use crate::backstop::rule::Rule;
use crate::backstop::select::{Injected, is_one_of};
use crate::backstop::subject::Side;

/// What is not read says what is put in, or what is made of not knowing an image's user.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[allow(dead_code, reason = "a setting that is known here and has no say is told from one that is not known")]
pub(super) struct Settings {
    users: Option<IgnoredAny>,
    default_user: Option<IgnoredAny>,
    unknown_user: Option<IgnoredAny>,
    unknown_owner: Option<IgnoredAny>,
    low_ports: Option<IgnoredAny>,
    exempt_images: Vec<String>,
    injected: Injected,
}

const FLAG: &str = "securityContext.runAsNonRoot";
const USER: &str = "securityContext.runAsUser";
const USER_NAME: &str = "securityContext.windowsOptions.runAsUserName";
const SET_FLAG: &str = "set securityContext.runAsNonRoot to true";
const SET_USER: &str = "set securityContext.runAsUser to the number of a user other than root";

/// An expression of a side that says whom a field of the pod's reaches.
type Reaches = Box<dyn Fn(Side) -> String>;

pub(super) fn draft(settings: &Settings) -> Result<Drafted, Why> {
    let exempt = ImagePatterns::read("exemptImages", &settings.exempt_images)?;
    let spared = settings.injected.spared()?;
    let [non_root, user, name] =
        [FLAG, USER, USER_NAME].map(|field| exempt.as_ref().map(|exempt| reaches_others(exempt, field)));
    let governed = move |side: Side| {
        let own_users = side.has_own_users();
        format!("!({own_users}) && !{} && !{}", is_one_of(side, exempt.as_ref()), is_one_of(side, spared.as_ref()))
    };
    let of_flag = governed.clone();
    let flag = move |side: Side| format!("({} && {})", says_no(side.container()), of_flag(side));
    let root = move |side: Side| format!("({} && {})", is_root(side, side.container()), governed(side));
    let shares = |side: Side| format!("!({})", side.has_own_users());
    let told = |fault: String, reaches: &Option<Reaches>, side: Side| {
        all([fault].into_iter().chain(reaches.as_ref().map(|reaches| reaches(side))))
    };
    let pod_says_no = move |side: Side| all([shares(side), told(says_no(&side.spec()), &non_root, side)]);
    let pod_is_root = move |side: Side| {
        let spec = side.spec();
        let root = [told(sets_root(&spec), &user, side), told(administers(side, &spec), &name, side)];
        all([shares(side), any(root)])
    };
    Ok(Drafted::of(vec![
        Rule::of_pod("non-root", pod_says_no, "the pod sets runAsNonRoot: false", SET_FLAG),
        Rule::of_pod("root-user", pod_is_root, "", SET_USER)
            .saying(format!("'the pod ' + {}", says_who(&Side::New.spec()))),
        Rule::of_container("non-root", flag, "sets runAsNonRoot: false", SET_FLAG),
        Rule::of_container("root-user", root, "", SET_USER).saying(says_who(Side::New.container())),
    ]))
}

fn says_no(holder: &str) -> String {
    format!("!{}", field_or(holder, FLAG, "true"))
}

fn is_root(side: Side, holder: &str) -> String {
    any([sets_root(holder), administers(side, holder)])
}

fn sets_root(holder: &str) -> String {
    format!("{} == 0", field_or(holder, USER, "1"))
}

fn administers(side: Side, holder: &str) -> String {
    let name = field_or(holder, USER_NAME, "''");
    format!("({} && {name}.lowerAscii() == 'containeradministrator')", side.is_windows())
}

/// Whether what a pod says in a field is for other containers than those of these images, which alone say nothing of
/// it.
fn reaches_others(exempt: &ImagePatterns, path: &str) -> Reaches {
    let (says, exempt) = (field("i", path), exempt.take("i.image"));
    Box::new(move |side| {
        let containers = side.containers();
        let taken = format!("{containers}.exists(i, !{says}.hasValue())");
        format!("!({taken} && {containers}.all(i, {says}.hasValue() || {exempt}))")
    })
}

/// Who it is, a string in CEL.
fn says_who(holder: &str) -> String {
    format!(
        "({} == 0 ? {} : {})",
        field_or(holder, USER, "1"),
        text("sets runAsUser: 0, which is root"),
        text("sets runAsUserName: ContainerAdministrator, who is root on Windows")
    )
}
