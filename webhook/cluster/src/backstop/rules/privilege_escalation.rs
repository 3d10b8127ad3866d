//! privilege-escalation: no container is privileged, a process of its host, or says itself that it may gain rights.

use serde::Deserialize;

use super::Drafted;
use crate::backstop::cel::{any, field, field_or, text};
use crate::backstop::image::ImagePatterns;
use crate::backstop::left_out::Why;
use crate::backstop::rule::Rule;
use crate::backstop::select::{added, is_one_of};
use crate::backstop::subject::Side;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Settings {
    exempt_images: Vec<String>,
}

const FLAG: &str = "securityContext.allowPrivilegeEscalation";

pub(super) fn draft(settings: &Settings) -> Result<Drafted, Why> {
    let exempt = ImagePatterns::read("exemptImages", &settings.exempt_images)?;
    let of_privileged = exempt.clone();
    let privileged = move |side| {
        format!("({} && !{})", any([is_privileged(side), is_of_host(side)]), is_one_of(side, of_privileged.as_ref()))
    };
    let escalates = move |side: Side| {
        let container = side.container();
        let by_flag = field_or(container, FLAG, "false");
        // The API server refuses the flag beside these, so that nothing could be put in.
        let by_capability = format!(
            "{}.exists(a, a.upperAscii() in {SYS_ADMIN}) && !{}.hasValue()",
            added(side),
            field(container, FLAG)
        );
        format!(
            "(!{} && !({}) && {} && !{})",
            any([is_privileged(side), is_of_host(side)]),
            side.is_windows(),
            any([by_flag, format!("({by_capability})")]),
            is_one_of(side, exempt.as_ref())
        )
    };
    Ok(Drafted::of(vec![
        Rule::of_container("privileged", privileged, "", "remove privileged: true and give it only what it needs")
            .saying(format!(
                "({} ? {} : {})",
                is_privileged(Side::New),
                text("is privileged, which hands it the node"),
                text("is a process of its host (hostProcess), which hands it the node")
            )),
        Rule::of_container("escalation", escalates, "", "set securityContext.allowPrivilegeEscalation to false")
            .saying(format!(
                "({} ? {} : {})",
                field_or("c", FLAG, "false"),
                text("sets allowPrivilegeEscalation: true, so that its processes may gain rights"),
                text("adds SYS_ADMIN or ALL, with which it can gain any right")
            )),
    ]))
}

/// In capitals, in which runtimes read names, and in both spellings; ALL holds it.
const SYS_ADMIN: &str = "['ALL', 'CAP_ALL', 'SYS_ADMIN', 'CAP_SYS_ADMIN']";

fn is_privileged(side: Side) -> String {
    field_or(side.container(), "securityContext.privileged", "false")
}

/// What the container says of itself comes before what the pod says.
fn is_of_host(side: Side) -> String {
    const HOST_PROCESS: &str = "securityContext.windowsOptions.hostProcess";
    let of_pod = field_or(&side.spec(), HOST_PROCESS, "false");
    field_or(side.container(), HOST_PROCESS, &of_pod)
}
