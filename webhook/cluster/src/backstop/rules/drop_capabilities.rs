//! drop-capabilities: no capability is added that is not allowed, and who lists what it drops drops all.

use serde::Deserialize;

use super::Drafted;
use crate::backstop::cel::{any, field_or, list};
use crate::backstop::image::ImagePatterns;
use crate::backstop::left_out::Why;
use crate::backstop::rule::Rule;
use crate::backstop::select::{Injected, Selector, TRAFFIC, added, drops_too_few, is_one_of, runs_as};
use crate::backstop::subject::Side;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Settings {
    allow: Vec<String>,
    allow_for: Vec<AllowFor>,
    exempt_images: Vec<String>,
    injected: Injected,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AllowFor {
    #[serde(default)]
    select: Selector,
    #[serde(default)]
    service_accounts: Vec<String>,
    capabilities: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow: vec!["NET_BIND_SERVICE".into()],
            allow_for: Vec::new(),
            exempt_images: Vec::new(),
            injected: Injected::default(),
        }
    }
}

/// What an expression of a side is, shared between rules.
type Expression = Box<dyn Fn(Side) -> String>;

pub(super) fn draft(settings: &Settings) -> Result<Drafted, Why> {
    let judged = judged(settings)?;
    let spared = settings.injected.spared()?;
    let (mesh, allowed) = (spared.clone(), allowed(settings)?);
    let adds = move |side: Side| {
        let allowed = allowed(side);
        let refused = format!("{}.exists(a, !{allowed})", added(side));
        let for_traffic = format!("{}.all(a, {allowed} || a in {})", added(side), list(TRAFFIC));
        format!("({} && {refused} && !({for_traffic} && {}))", judged(side), is_one_of(side, mesh.as_ref()))
    };
    let judged = self::judged(settings)?;
    let drops = move |side: Side| {
        format!("({} && {} && !{})", judged(side), drops_too_few(side), is_one_of(side, spared.as_ref()))
    };
    let refused = self::allowed(settings)?(Side::New);
    Ok(Drafted::of(vec![
        Rule::of_container("add", adds, "", "remove it from securityContext.capabilities.add").saying(format!(
            "'adds ' + {}.filter(a, !{refused}).join(', ') + ', which it may not have'",
            added(Side::New)
        )),
        Rule::of_container(
            "drop-all",
            drops,
            "keeps Linux capabilities: it does not drop ALL",
            "set securityContext.capabilities.drop to [\"ALL\"]",
        ),
    ]))
}

/// Not on Windows, which has no capabilities, nor where a container has them all, nor images that are left alone.
fn judged(settings: &Settings) -> Result<Expression, Why> {
    let exempt = ImagePatterns::read("exemptImages", &settings.exempt_images)?;
    Ok(Box::new(move |side| {
        let privileged = field_or(side.container(), "securityContext.privileged", "false");
        format!("!({}) && !{privileged} && !{}", side.is_windows(), is_one_of(side, exempt.as_ref()))
    }))
}

/// Whether the capability `a` may be added.
fn allowed(settings: &Settings) -> Result<Expression, Why> {
    let everybody = format!("a in {}", list(settings.allow.iter().map(String::as_str)));
    let mut some: Vec<Expression> = Vec::new();
    for AllowFor { select, service_accounts, capabilities } in &settings.allow_for {
        let (takes, accounts) = (select.takes("allowFor.select.images")?, service_accounts.clone());
        let listed = format!("a in {}", list(capabilities.iter().map(String::as_str)));
        some.push(Box::new(move |side| {
            let account = (!accounts.is_empty()).then(|| format!(" && {}", runs_as(side, &accounts)));
            format!("({listed} && {}{})", takes(side), account.unwrap_or_default())
        }));
    }
    Ok(Box::new(move |side| {
        let one = any(std::iter::once(everybody.clone()).chain(some.iter().map(|allowed| allowed(side))));
        format!("({one})")
    }))
}
