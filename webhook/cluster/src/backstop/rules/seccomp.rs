//! seccomp: nobody switches it off, or uses a profile of the node's that is not allowed.

use serde::Deserialize;

use super::Drafted;
use crate::backstop::cel::{field, globs, text};
use crate::backstop::left_out::Why;
use crate::backstop::rule::Rule;
use crate::backstop::subject::Side;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Settings {
    localhost_profiles: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { localhost_profiles: vec!["*".into()] }
    }
}

const PROFILE: &str = "securityContext.seccompProfile";
const REMEDY: &str = "set securityContext.seccompProfile.type to RuntimeDefault";
const OFF: &str = "switches seccomp off (seccompProfile.type: Unconfined)";

pub(super) fn draft(settings: Settings) -> Result<Drafted, Why> {
    let of_pod = |side: Side| unconfined(side, &side.spec());
    let of_container = |side: Side| unconfined(side, side.container());
    let mut rules = vec![
        Rule::of_pod("unconfined", of_pod, &format!("the pod {OFF}"), REMEDY),
        Rule::of_container("unconfined", of_container, OFF, REMEDY),
    ];
    if !settings.localhost_profiles.iter().any(|pattern| pattern == "*") {
        rules.extend(of_the_node(settings));
    }
    Ok(Drafted::of(rules))
}

/// Windows has no seccomp.
fn unconfined(side: Side, holder: &str) -> String {
    let kind = format!("{}.?type", field(holder, PROFILE));
    format!("(!({}) && !({kind}.orValue('RuntimeDefault') in ['RuntimeDefault', 'Localhost']))", side.is_windows())
}

fn of_the_node(settings: Settings) -> [Rule; 2] {
    const SAYS: &str = "uses a seccomp profile of the node's that is not allowed";
    let allowed = globs(settings.localhost_profiles.iter().map(String::as_str));
    let others = move |side: Side, holder: &str| {
        let profile = field(holder, PROFILE);
        format!(
            "(!({}) && {profile}.?type.orValue('') == 'Localhost' && !{profile}.?localhostProfile.orValue('').matches({}))",
            side.is_windows(),
            text(&allowed)
        )
    };
    let of_container = others.clone();
    [
        Rule::of_pod("localhost", move |side| others(side, &side.spec()), &format!("the pod {SAYS}"), REMEDY),
        Rule::of_container("localhost", move |side| of_container(side, side.container()), SAYS, REMEDY),
    ]
}
