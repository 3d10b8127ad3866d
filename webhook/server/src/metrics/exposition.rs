//! The two ways in which metrics are written: OpenMetrics, which has exemplars, and the older text format of Prometheus
//! for whoever asks for no other. The second is made from the first: counters bear their whole name in it, and what it
//! does not know is left out.

use std::fmt::Write as _;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// [OpenMetrics 1.0](https://prometheus.io/docs/specs/om/open_metrics_spec/).
    OpenMetrics,
    /// [Prometheus text 0.0.4](https://prometheus.io/docs/instrumenting/exposition_formats/).
    Text,
}

impl Exposition {
    /// What is sent to somebody who accepts this: the older one only if he names it, and not the newer.
    #[must_use]
    pub fn accepted(accept: Option<&str>) -> Self {
        match accept {
            Some(accept) if accept.contains("text/plain") && !accept.contains("application/openmetrics-text") => {
                Self::Text
            }
            _ => Self::OpenMetrics,
        }
    }

    /// As HTTP names it.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    pub(super) fn write(self, registry: &Registry) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, registry)?;
        match self {
            Self::OpenMetrics => Ok(text),
            Self::Text => older(&text),
        }
    }
}

/// The same as the older format has it.
fn older(text: &str) -> Result<String, std::fmt::Error> {
    let mut older = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        if let Some(told) = line.strip_prefix("# HELP ") {
            help = told.split_once(' ');
        } else if let Some(told) = line.strip_prefix("# TYPE ") {
            let suffix = if told.ends_with(" counter") { "_total" } else { "" };
            let (name, kind) = told.split_once(' ').unwrap_or((told, "untyped"));
            if let Some((_, words)) = help.take() {
                writeln!(older, "# HELP {name}{suffix} {words}")?;
            }
            writeln!(older, "# TYPE {name}{suffix} {kind}")?;
        } else if !line.starts_with('#') {
            // No label's value has a space in it, so this is where an exemplar begins.
            writeln!(older, "{}", line.split_once(" # {").map_or(line, |(sample, _)| sample))?;
        }
    }
    Ok(older)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_only_the_older_format_gets_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, exposition) in [
            (None, Exposition::OpenMetrics),
            (Some("*/*"), Exposition::OpenMetrics),
            (Some(prometheus), Exposition::OpenMetrics),
            (Some("text/plain;version=0.0.4;q=1,*/*;q=0.1"), Exposition::Text),
        ] {
            assert_eq!(Exposition::accepted(accept), exposition, "{accept:?}");
        }
    }

    #[test]
    fn the_older_format_has_whole_names_and_no_exemplars() {
        let newer = "# HELP a_requests Calls.\n# TYPE a_requests counter\na_requests_total{call=\"b\"} 1\n\
            # HELP a_seconds Time.\n# TYPE a_seconds histogram\n# UNIT a_seconds seconds\n\
            a_seconds_bucket{le=\"1.0\"} 1 # {trace_id=\"ab\"} 0.5 1.0\n# EOF\n";
        let text = "# HELP a_requests_total Calls.\n# TYPE a_requests_total counter\na_requests_total{call=\"b\"} 1\n\
            # HELP a_seconds Time.\n# TYPE a_seconds histogram\na_seconds_bucket{le=\"1.0\"} 1\n";
        assert_eq!(older(newer).unwrap(), text);
    }
}
