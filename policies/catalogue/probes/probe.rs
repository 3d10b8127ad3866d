//! A probe as in a container, with the API server's own rules for one. Source: `validateProbe` and `validateHandler` in
//! Kubernetes' `pkg/apis/core/validation`.

use portreeve_sdk::SettingsError;
use portreeve_sdk::view::Container;
use serde::{Deserialize, Serialize};

use super::settings::Asked;

/// A probe. It asks in one way: by HTTP, by opening a connection, by gRPC or by running a program.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Probe {
    /// A request that has to be answered with a status from 200 to 399.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http_get: Option<HttpGet>,
    /// A port that has to be open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tcp_socket: Option<TcpSocket>,
    /// A call of the gRPC health service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grpc: Option<Grpc>,
    /// A program of the image that has to end with 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exec: Option<Exec>,
    /// Seconds from the start of the container to the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initial_delay_seconds: Option<u16>,
    /// Seconds from one time to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period_seconds: Option<u16>,
    /// Seconds that an answer may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<u16>,
    /// How often in a row it has to succeed. 1 for liveness and startup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    success_threshold: Option<u16>,
    /// How often in a row it has to fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure_threshold: Option<u16>,
    /// Seconds that a container has to end by itself. Not for readiness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    termination_grace_period_seconds: Option<u16>,
}

/// A request.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct HttpGet {
    /// Begins with a slash.
    path: String,
    /// A port that the container declares.
    port: Port,
    /// HTTP, unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scheme: Option<Scheme>,
}

/// How a request is sent.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
enum Scheme {
    /// In the open.
    Http,
    /// By TLS; the certificate is not checked.
    Https,
}

/// A connection.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TcpSocket {
    /// A port that the container declares.
    port: Port,
}

/// A call.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Grpc {
    /// A port that the container declares, by number.
    port: u16,
    /// The service that is asked after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
}

/// A program.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Exec {
    /// The program and its arguments; no shell.
    command: Vec<String>,
}

/// A port by number or by the name that the container gives it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Port {
    /// From 1 to 65535.
    Number(u16),
    /// As in the container's `ports`.
    Name(String),
}

impl Probe {
    /// Whether the container declares the port that is asked, so that there is somebody to answer.
    pub(super) fn can_ask(&self, container: &Container) -> bool {
        let declares = |wanted: &Port| {
            container.ports.iter().any(|port| match wanted {
                Port::Number(number) => port.container_port == i64::from(*number),
                Port::Name(name) => port.name.as_ref() == Some(name),
            })
        };
        self.port().is_none_or(|port| declares(&port))
    }

    /// Refuses what the API server would refuse in a probe of this kind.
    pub(super) fn check(&self, asked: Asked, at: &str) -> Result<(), SettingsError> {
        let error = |field: &str, reason: &str| Err(SettingsError::new([at, field].concat(), reason));
        if self.ways() != 1 {
            return error("", "asks in one way: give one of httpGet, tcpSocket, grpc and exec");
        }
        if self.port().is_some_and(|port| !port.is_valid()) {
            let reason = "not a port: 1 to 65535, or a name of up to 15 small letters, digits and \"-\"";
            return error(self.port_field(), reason);
        }
        if self.http_get.as_ref().is_some_and(|get| !get.path.starts_with('/')) {
            return error("/httpGet/path", "begins with a slash");
        }
        if self.exec.as_ref().is_some_and(|exec| exec.command.is_empty()) {
            return error("/exec/command", "names a program");
        }
        if asked != Asked::Readiness && self.success_threshold.is_some_and(|times| times != 1) {
            return error("/successThreshold", "has to be 1 for liveness and startup");
        }
        match (asked, self.termination_grace_period_seconds) {
            (Asked::Readiness, Some(_)) => {
                error("/terminationGracePeriodSeconds", "readiness ends nothing: leave it out")
            }
            (_, Some(0)) => error("/terminationGracePeriodSeconds", "has to be more than 0"),
            _ => Ok(()),
        }
    }

    fn ways(&self) -> usize {
        let ways = [self.http_get.is_some(), self.tcp_socket.is_some(), self.grpc.is_some(), self.exec.is_some()];
        ways.into_iter().filter(|way| *way).count()
    }

    fn port(&self) -> Option<Port> {
        let by_http = self.http_get.as_ref().map(|get| get.port.clone());
        let by_tcp = || self.tcp_socket.as_ref().map(|socket| socket.port.clone());
        by_http.or_else(by_tcp).or_else(|| self.grpc.as_ref().map(|grpc| Port::Number(grpc.port)))
    }

    fn port_field(&self) -> &'static str {
        match (&self.http_get, &self.tcp_socket) {
            (Some(_), _) => "/httpGet/port",
            (None, Some(_)) => "/tcpSocket/port",
            (None, None) => "/grpc/port",
        }
    }
}

impl Port {
    fn is_valid(&self) -> bool {
        match self {
            Self::Number(number) => *number > 0,
            Self::Name(name) => is_port_name(name),
        }
    }
}

/// A service name of RFC 6335: 1 to 15 letters, digits and single dashes, a letter among them.
fn is_port_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=15).contains(&name.len())
        && name.chars().all(|c| is_plain(c) || c == '-')
        && name.contains(|c: char| c.is_ascii_lowercase())
        && name.starts_with(is_plain)
        && name.ends_with(is_plain)
        && !name.contains("--")
}

#[cfg(test)]
mod tests {
    use super::super::Probes;
    use super::is_port_name;

    fn refused_at(probes: &str) -> String {
        let registration = portreeve_sdk::export::Registration::of::<Probes>();
        let settings = format!(r#"{{"defaults": [{{"select": {{"containers": ["app"]}}, {probes}}}]}}"#);
        registration.configure(&settings).err().map_or("taken".into(), |error| error.at)
    }

    #[test]
    fn what_the_api_server_would_refuse_is_refused_by_its_place() {
        for (probes, at) in [
            (r#""liveness": {}"#, "/defaults/0/liveness"),
            (r#""liveness": {"tcpSocket": {"port": 1}, "grpc": {"port": 1}}"#, "/defaults/0/liveness"),
            (r#""liveness": {"tcpSocket": {"port": 0}}"#, "/defaults/0/liveness/tcpSocket/port"),
            (r#""startup": {"grpc": {"port": 0}}"#, "/defaults/0/startup/grpc/port"),
            (r#""readiness": {"httpGet": {"path": "/", "port": "a port"}}"#, "/defaults/0/readiness/httpGet/port"),
            (r#""readiness": {"httpGet": {"path": "health", "port": 80}}"#, "/defaults/0/readiness/httpGet/path"),
            (r#""liveness": {"exec": {"command": []}}"#, "/defaults/0/liveness/exec/command"),
            (
                r#""liveness": {"tcpSocket": {"port": 1}, "successThreshold": 2}"#,
                "/defaults/0/liveness/successThreshold",
            ),
            (
                r#""readiness": {"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 5}"#,
                "/defaults/0/readiness/terminationGracePeriodSeconds",
            ),
            (
                r#""startup": {"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 0}"#,
                "/defaults/0/startup/terminationGracePeriodSeconds",
            ),
        ] {
            assert_eq!(refused_at(probes), at, "{probes}");
        }
    }

    #[test]
    fn what_the_api_server_takes_is_taken() {
        let probes = r#"
            "liveness": {"exec": {"command": ["/bin/live"]}, "successThreshold": 1, "terminationGracePeriodSeconds": 5},
            "readiness": {"httpGet": {"path": "/", "port": "http", "scheme": "HTTPS"}, "successThreshold": 3},
            "startup": {"grpc": {"port": 9000, "service": "a"}, "failureThreshold": 30, "periodSeconds": 10}
        "#;
        assert_eq!(refused_at(probes), "taken");
    }

    #[test]
    fn names_of_ports_are_those_of_services() {
        assert!(is_port_name("http") && is_port_name("a-1"));
        for name in ["", "1", "-a", "a-", "a--b", "Http", "a.b", "a234567890123456"] {
            assert!(!is_port_name(name), "{name}");
        }
    }
}
