//! What a server shows of a call to those outside: lines of its log, and spans at a collector.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use portreeve_tests::collector::{Collector, Seen};
use portreeve_tests::review::create;
use portreeve_tests::server::{trusting, until};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{PRIVILEGED, binary, folder, text};

const CONFIG: &str = "\
listen: 127.0.0.1:0
operations: 127.0.0.1:0
tls: {folder: tls, names: [localhost]}
callers: {tokenFolder: tls}
ledger: {folder: book}
";

/// A trace that somebody else began, and a span of it.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// A server that runs until it is dropped.
struct Served {
    child: Child,
    place: TempDir,
}

impl Served {
    /// Starts one with more in its configuration.
    fn start(more: &str) -> Self {
        let place = folder(&[("server.yaml", &format!("{CONFIG}{more}"))]);
        let at = |name: &str| place.path().join(name);
        let child = binary()
            .args([
                "serve",
                "--log",
                "info,portreeve_server=debug,portreeve::policy=debug",
                "--log-format",
                "json",
                "--config",
            ])
            .arg(at("server.yaml"))
            // In milliseconds: nobody waits longer than a test has to.
            .envs([("OTEL_BSP_SCHEDULE_DELAY", "100"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")])
            .stdout(std::fs::File::create(at("out")).unwrap())
            .stderr(std::fs::File::create(at("log")).unwrap())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, place }
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.place.path().join(name)).unwrap_or_default()
    }

    /// Where it listens, once it is ready.
    async fn at(&self, scheme: &str) -> String {
        until("it is ready", async || self.read("out").contains("in force")).await.unwrap();
        let told = self.read("out");
        let address = told.split(&format!(" {scheme}://")).nth(1).unwrap().split('/').next().unwrap().to_owned();
        address.replace("127.0.0.1", "localhost")
    }

    /// A call that may be made.
    async fn call(&self, call: &str, review: &Value) -> RequestBuilder {
        let at = self.at("https").await;
        let token = self.read("tls/token");
        let client = trusting(&self.place.path().join("tls/ca-bundle.crt")).unwrap();
        let url = format!("https://{at}/{call}/{}", token.trim());
        client.post(url).header("content-type", "application/json").body(review.to_string())
    }

    /// What it answers.
    async fn answer(&self, call: RequestBuilder) -> Value {
        serde_json::from_str(&call.send().await.unwrap().text().await.unwrap()).unwrap()
    }

    /// Its metrics, for somebody who accepts this.
    async fn metrics(&self, accept: &str) -> String {
        let at = self.at("http").await;
        let client = trusting(&self.place.path().join("tls/ca-bundle.crt")).unwrap();
        let request = client.get(format!("http://{at}/metrics")).header("accept", accept);
        request.send().await.unwrap().text().await.unwrap()
    }

    /// Stops it in order; what it logged, line by line.
    fn stop(&mut self) -> Vec<Value> {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "{}", self.read("log"));
        self.read("log").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may be gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn runtime() -> Runtime {
    Runtime::new().unwrap()
}

/// A Deployment that is denied.
fn denied() -> Value {
    let mut review = create(&serde_saphyr::from_str(PRIVILEGED).unwrap());
    review["request"]["uid"] = json!("c0ffee");
    review
}

/// One that sends its spans to this collector, with more said of that.
fn sending(collector: &Collector, more: &str) -> Served {
    Served::start(&format!("traces: {{endpoint: \"{}\"{more}}}\n", collector.endpoint()))
}

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{SPAN}-{flags}")
}

/// The call's own span, and the names of all that belong to it.
fn call_and_steps(spans: &[Seen]) -> (&Seen, BTreeMap<&str, usize>) {
    let call = spans.iter().find(|span| span.serves).unwrap();
    let mut steps = BTreeMap::new();
    for step in spans.iter().filter(|span| span.parent == call.id) {
        *steps.entry(step.name.as_str()).or_default() += 1;
    }
    (call, steps)
}

#[test]
fn a_denial_is_a_line_of_the_log_that_names_its_call_and_its_record() {
    runtime().block_on(async {
        let mut served = Served::start("");
        let answer = served.answer(served.call("validate", &denied()).await).await;
        let lines = served.stop();
        let line = lines.iter().find(|line| line["fields"]["message"] == "denied").unwrap();
        assert_eq!((&line["span"]["uid"], &line["span"]["name"]), (&json!("c0ffee"), &json!("validate")));
        assert_eq!(line["fields"]["record"], answer["response"]["auditAnnotations"]["record"]);
        assert!(line["fields"]["violations"].as_str().unwrap().contains("enforce:"), "{line}");
        assert!(!line.to_string().contains("registry.example"), "nothing of the object: {line}");
    });
}

/// The catalogue taken for a module from outside, which runs on a thread of its own. `availability` says what it could
/// not see.
#[test]
fn what_a_policy_from_outside_logs_says_whose_call_it_is_about() {
    let place = folder(&[]);
    let module = place.path().join("policy.wasm");
    std::fs::write(&module, portreeve_builtin::CATALOGUE).unwrap();
    let policy = format!(
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: available}}\n\
         spec: {{module: {{file: {module:?}, policy: availability}}}}\n"
    );
    std::fs::write(place.path().join("available.yaml"), policy).unwrap();
    runtime().block_on(async {
        let collector = Collector::start().await.unwrap();
        let (endpoint, policies) = (collector.endpoint(), text(place.path()));
        let mut served =
            Served::start(&format!("policies: {policies:?}\ntraces: {{endpoint: {endpoint:?}, sampleRatio: 1}}\n"));
        served.answer(served.call("validate", &denied()).await).await;
        let lines = served.stop();
        // A set that is loaded is tried, too: what it logs then is about no call.
        let about_it = |line: &&Value| line["target"] == "portreeve::policy" && line["span"]["uid"] == "c0ffee";
        assert!(lines.iter().any(|line| about_it(&line)), "{lines:#?}");
        let seen = collector.seen();
        let (_, steps) = call_and_steps(&seen);
        assert_eq!(steps["evaluate"], 1, "{seen:#?}");
    });
}

#[test]
fn a_call_is_followed_step_by_step_in_the_trace_that_its_caller_began() {
    runtime().block_on(async {
        let collector = Collector::start().await.unwrap();
        let mut served = sending(&collector, "");
        let asked = async |call: &str| {
            let call = served.call(call, &denied()).await.header("traceparent", traceparent("01"));
            served.answer(call).await
        };
        asked("mutate").await;
        let validated = asked("validate").await;
        served.stop();

        let all = collector.of_trace(TRACE);
        assert_eq!(all.len(), collector.seen().len(), "no other trace was begun");
        let calls: Vec<&Seen> = all.iter().filter(|span| span.serves).collect();
        assert!(calls.iter().all(|call| call.parent == SPAN), "{calls:?}");
        let of = |name: &str| {
            let call = calls.iter().find(|call| call.name == name).unwrap();
            all.iter().filter(|span| span.id == call.id || span.parent == call.id).cloned().collect::<Vec<_>>()
        };
        let (mutate, validate) = (of("mutate"), of("validate"));
        let steps: Vec<&str> = call_and_steps(&mutate).1.into_keys().collect();
        assert_eq!(steps, ["decode", "edit", "evaluate", "facts", "match", "record", "respond"]);
        let (call, steps) = call_and_steps(&validate);
        let once = ["decide", "decode", "evaluate", "facts", "match", "record", "respond"].map(|step| (step, 1));
        assert_eq!(steps, once.into());

        let says = |name: &str| call.says.get(name).map(String::as_str);
        assert_eq!(says("portreeve.uid"), Some("c0ffee"));
        assert_eq!(says("portreeve.kind"), Some("Deployment"));
        assert_eq!(says("k8s.namespace.name"), Some("shop"));
        assert_eq!(says("portreeve.answer"), Some("denied"));
        assert_eq!(says("portreeve.record"), validated["response"]["auditAnnotations"]["record"].as_str());
        assert_eq!(call.by.get("service.name").map(String::as_str), Some("portreeve"));
        let told = format!("{all:?}");
        assert!(!told.contains("registry.example") && !told.contains("jane"), "{told}");
    });
}

#[test]
fn a_caller_that_does_not_sample_is_obeyed_and_others_are_followed_as_the_share_says() {
    runtime().block_on(async {
        let collector = Collector::start().await.unwrap();
        let mut served = sending(&collector, ", sampleRatio: 1");
        let call = served.call("validate", &denied()).await.header("traceparent", traceparent("00"));
        served.answer(call).await;
        served.answer(served.call("validate", &denied()).await).await;
        served.stop();
        assert_eq!(collector.of_trace(TRACE), []);
        let seen = collector.seen();
        let (call, _) = call_and_steps(&seen);
        assert_eq!(call.parent, "");
        assert!(seen.iter().all(|span| span.trace == call.trace), "{seen:#?}");
    });
}

#[test]
fn who_may_not_call_begins_no_trace() {
    runtime().block_on(async {
        let collector = Collector::start().await.unwrap();
        let mut served = sending(&collector, ", sampleRatio: 1");
        let at = served.at("https").await;
        let client = trusting(&served.place.path().join("tls/ca-bundle.crt")).unwrap();
        let call = client.post(format!("https://{at}/validate/guessed")).header("traceparent", traceparent("01"));
        assert_eq!(call.send().await.unwrap().status(), 403);
        served.stop();
        assert_eq!(collector.seen(), []);
    });
}

#[test]
fn a_slow_answer_leads_to_its_trace_by_an_exemplar() {
    runtime().block_on(async {
        let collector = Collector::start().await.unwrap();
        let served = sending(&collector, "");
        let call = served.call("validate", &denied()).await.header("traceparent", traceparent("01"));
        served.answer(call).await;
        let newer = served.metrics("application/openmetrics-text; version=1.0.0").await;
        let bucket = newer.lines().find(|line| line.contains(TRACE)).unwrap();
        assert!(bucket.starts_with("portreeve_re") && bucket.contains("_seconds_bucket{"), "{bucket}");
        let of_policies = |line: &str| line.starts_with("portreeve_policy_seconds_bucket{") && line.contains(TRACE);
        assert!(newer.lines().any(of_policies), "{newer}");
        let older = served.metrics("text/plain; version=0.0.4").await;
        assert!(older.contains("# TYPE portreeve_requests_total counter\n") && !older.contains(TRACE), "{older}");
    });
}

#[test]
fn a_collector_that_is_away_holds_up_nothing_and_what_is_lost_is_counted() {
    runtime().block_on(async {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let traces = format!("traces: {{endpoint: \"http://{nobody}\", sampleRatio: 1, waiting: 8}}\n");
        let mut served = Served::start(&traces);
        for _ in 0..8 {
            let answer = served.answer(served.call("validate", &denied()).await).await;
            assert_eq!(answer["response"]["uid"], "c0ffee");
        }
        let lost = async || {
            let metrics = served.metrics("*/*").await;
            let counts = |outcome: &str| {
                let name = format!("portreeve_trace_spans_total{{outcome=\"{outcome}\"}} ");
                metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok()).unwrap()
            };
            counts("failed") > 0 && counts("dropped") > 0 && counts("taken") == 0
        };
        until("what is lost is counted", lost).await.unwrap();
        let lines = served.stop();
        let told = |line: &&Value| line["fields"]["message"].as_str().unwrap().starts_with("traces can't be sent");
        assert_eq!(lines.iter().filter(told).count(), 1);
    });
}

#[test]
fn an_endpoint_that_is_none_is_refused_with_what_to_write() {
    let place = folder(&[("server.yaml", &format!("{CONFIG}traces: {{endpoint: \"grpc://collector:4317\"}}\n"))]);
    let ended = super::portreeve(&["serve", "--config", &text(place.path().join("server.yaml"))]).with_code(2);
    assert!(ended.stderr.contains("http:// or https://"), "{}", ended.stderr);
}
