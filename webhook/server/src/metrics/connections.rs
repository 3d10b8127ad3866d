//! What is counted of connections.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::level;

/// Which port a connection came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Port {
    /// That of the webhook.
    Webhook,
    /// That of probes and metrics.
    Operations,
}

/// Whose connection could not stay, since there were too many of the sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Cut {
    /// A stranger's.
    Stranger,
    /// A caller's.
    Caller,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CutLabels {
    port: Port,
    whose: Cut,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PortLabels {
    port: Port,
}

/// Connections beyond what may be, and those that are nobody's yet.
pub(super) struct Connections {
    cut_off: Family<CutLabels, Counter>,
    strangers: Family<PortLabels, Gauge>,
}

impl Connections {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let new = Self { cut_off: Family::default(), strangers: Family::default() };
        registry.register("connections_cut_off", "Connections beyond what may be", new.cut_off.clone());
        registry.register("stranger_connections", "Connections without an admitted call", new.strangers.clone());
        new
    }

    pub(super) fn cut_off(&self, port: Port, whose: Cut) {
        self.cut_off.get_or_create(&CutLabels { port, whose }).inc();
    }

    pub(super) fn strangers(&self, port: Port, count: usize) {
        self.strangers.get_or_create(&PortLabels { port }).set(level(count));
    }
}
