//! The listener under callers who mean no good, or none at all: what is slow, silent or too many ends by itself, and
//! the API server is served all the while.

use std::time::Duration;

use portreeve_tests::review::create;
use portreeve_tests::server::{Speaks, Wire, until};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::raw::{self, Kept};

const DROP: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: drop}\nspec: {module: {builtin: drop-capabilities}}\n";

async fn wire(connections: Value) -> Wire {
    Wire::start(&[("drop.yaml", DROP)], json!({"limits": {"connections": connections}})).await.unwrap()
}

fn review() -> Value {
    create(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": "team/web:1"}]},
    }))
}

async fn call(wire: &Wire, client: &Client) -> StatusCode {
    wire.call(client, "mutate", review().to_string()).send().await.unwrap().status()
}

async fn connected(wire: &Wire) -> TcpStream {
    TcpStream::connect(wire.running.webhook).await.unwrap()
}

async fn with_tls(wire: &Wire, protocol: &str) -> TlsStream<TcpStream> {
    raw::connected(wire, raw::client(wire, protocol, None)).await
}

/// Waits for the other side to end it, for half a minute at most.
async fn ends(stream: &mut (impl AsyncReadExt + Unpin)) {
    let mut rest = Vec::new();
    // With an error or without: it is over either way.
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut rest));
    assert!(read.await.is_ok(), "the connection still stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_begins_the_handshake_is_not_waited_for() {
    let wire = wire(json!({"handshakeSeconds": 1})).await;
    ends(&mut connected(&wire).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_ends_the_headers_is_not_waited_for() {
    let wire = wire(json!({"strangerSeconds": 2})).await;
    let mut stream = with_tls(&wire, "http/1.1").await;
    stream.write_all(b"POST /mutate/x HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await.unwrap();
    ends(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_turned_away_does_not_stay() {
    let wire = wire(json!({"strangerSeconds": 2})).await;
    let mut stream = with_tls(&wire, "http/1.1").await;
    stream.write_all(b"POST /mutate/wrong HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    ends(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_keep_nobody_out() {
    let wire = wire(json!({"strangers": 4, "handshakeSeconds": 600, "strangerSeconds": 600})).await;
    let client = wire.client(Speaks::Http1).unwrap();
    assert_eq!(call(&wire, &client).await, StatusCode::OK);
    let mut first = connected(&wire).await;
    let mut others = Vec::new();
    for _ in 0..20 {
        others.push(connected(&wire).await);
    }
    ends(&mut first).await;
    assert_eq!(call(&wire, &client).await, StatusCode::OK, "on the connection that stands");
    let fresh = wire.client(Speaks::Http1).unwrap();
    assert_eq!(call(&wire, &fresh).await, StatusCode::OK, "on a new one");
    let (_, metrics) = wire.operations("/metrics").await.unwrap();
    assert!(metrics.contains("connections_cut_off_total{port=\"Webhook\",whose=\"Stranger\"}"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_too_many_is_told_so() {
    let wire = wire(json!({"callers": 1})).await;
    let (first, second) = (wire.client(Speaks::Http1).unwrap(), wire.client(Speaks::Http2).unwrap());
    assert_eq!(call(&wire, &first).await, StatusCode::OK);
    assert_eq!(call(&wire, &second).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(call(&wire, &first).await, StatusCode::OK);
}

/// A server whose room for bodies a slow one is taking, but for some 4 KiB.
async fn almost_full() -> (Wire, Kept) {
    let limits = json!({"bodyBytes": 65_536, "bytesUnderWay": 70_000});
    let wire = Wire::start(&[("drop.yaml", DROP)], json!({"limits": limits})).await.unwrap();
    let mut slow = Kept::open(&wire).await;
    slow.begin(&wire.path("mutate"), 65_536).await;
    (wire, slow)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_read_when_there_is_room_for_it_and_who_waits_too_long_is_told_so() {
    let (wire, slow) = almost_full().await;
    let taken = async || wire.operations("/metrics").await.unwrap().1.contains("in_flight{call=\"Mutate\"} 1");
    until("its body has its room", taken).await.unwrap();

    let client = wire.client(Speaks::Http1).unwrap();
    let asked = |bytes: usize| {
        let url = wire.url(&format!("{}?timeout=1s", wire.path("mutate")));
        let call = client.post(url).header("content-type", "application/json");
        call.body(format!("{:bytes$}", review().to_string())).send()
    };
    assert_eq!(asked(0).await.unwrap().status(), StatusCode::OK, "there is room for a small one");
    let refused = asked(8192).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.text().await.unwrap().contains("limits.bytesUnderWay"));
    let (_, metrics) = wire.operations("/metrics").await.unwrap();
    for line in ["portreeve_no_room_total{call=\"Mutate\"} 1", "portreeve_body_free_bytes 4464"] {
        assert!(metrics.contains(line), "{metrics}");
    }

    drop(slow);
    let answered = async || asked(8192).await.unwrap().status() == StatusCode::OK;
    until("there is room again", answered).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_wait_for_room_do_not_stop_others_on_their_connection() {
    let (wire, slow) = almost_full().await;
    let client = wire.client(Speaks::Http2).unwrap();
    let asked = |bytes: usize| {
        let call = client.post(wire.url(&format!("{}?timeout=20s", wire.path("mutate"))));
        let call = call.header("content-type", "application/json");
        call.body(format!("{:bytes$}", review().to_string())).send()
    };
    let waiting: Vec<_> = (0..3).map(|_| tokio::spawn(asked(60_000))).collect();
    let in_flight = async || wire.operations("/metrics").await.unwrap().1.contains("in_flight{call=\"Mutate\"} 4");
    until("they wait", in_flight).await.unwrap();
    let small = tokio::time::timeout(Duration::from_secs(10), asked(0)).await.expect("it waits with them");
    assert_eq!(small.unwrap().status(), StatusCode::OK);
    drop(slow);
    for call in waiting {
        assert_eq!(call.await.unwrap().unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_http2_is_told_how_many_calls_it_may_carry() {
    let wire = wire(json!({"streams": 17})).await;
    let mut stream = with_tls(&wire, "h2").await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // RFC 9113: nine bytes of frame header, then settings of two bytes of name and four of value.
    let mut header = [0; 9];
    stream.read_exact(&mut header).await.unwrap();
    assert_eq!(header[3], 4, "the first frame is no SETTINGS");
    let mut settings = vec![0; usize::from(header[2])];
    stream.read_exact(&mut settings).await.unwrap();
    let most = settings.chunks(6).find(|setting| setting[..2] == [0, 3]).unwrap();
    assert_eq!(most[2..], 17_u32.to_be_bytes());
}
