//! The wire: TLS, HTTP, who may call, bad input, reloading, an orderly end. Every answer is what an API server expects.

use std::time::Duration;

use jiff::Timestamp;
use portreeve_certs::{
    Authority, AuthorityOptions, CertificateFolder, CommonName, Pair, RotationPolicy, ServerNames, Validity,
};
use portreeve_tests::review::create;
use portreeve_tests::server::{Speaks, Wire, until};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::raw::Kept;

const DROP: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: drop}\nspec: {module: {builtin: drop-capabilities}}\n";

async fn wire() -> Wire {
    Wire::start(&[("drop.yaml", DROP)], json!({})).await.unwrap()
}

fn review() -> Value {
    create(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": "team/web:1"}]},
    }))
}

async fn answered(wire: &Wire, speaks: Speaks, call: &str, review: &Value) -> Value {
    let client = wire.client(speaks).unwrap();
    let answer = wire.call(&client, call, review.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/json");
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

async fn status(wire: &Wire, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
    let client = wire.client(Speaks::Http1).unwrap();
    let answer = wire.call(&client, "validate", body).send().await.unwrap();
    (answer.status(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_calls_are_answered_over_every_protocol() {
    let wire = wire().await;
    for speaks in [Speaks::Http1, Speaks::Tls12, Speaks::Http2] {
        let mutated = answered(&wire, speaks, "mutate", &review()).await;
        assert_eq!(mutated["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(mutated["response"]["uid"], review()["request"]["uid"]);
        assert_eq!(mutated["response"]["patchType"], "JSONPatch", "{speaks:?}");
        let judged = answered(&wire, speaks, "validate", &review()).await;
        assert_eq!(judged["response"]["status"]["code"], 403, "{speaks:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nothing_is_judged_and_nothing_recorded() {
    let wire = wire().await;
    let client = wire.client(Speaks::Http1).unwrap();
    for path in ["/validate", "/validate/wrong", "/mutate", "/mutate/wrong"] {
        let call = client.post(wire.url(path)).header("content-type", "application/json").body(review().to_string());
        assert_eq!(call.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{path}");
    }
    let records = portreeve_ledger::read(&wire.folder.path().join("book")).unwrap().count();
    assert_eq!(records, 0);
    let (_, metrics) = wire.operations("/metrics").await.unwrap();
    assert!(metrics.contains("portreeve_turned_away_total{call=\"Validate\"} 2"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_review_is_a_bad_request() {
    let wire = wire().await;
    let mut wrong_version = review();
    wrong_version["apiVersion"] = json!("admission.k8s.io/v1beta1");
    let mut no_uid = review();
    no_uid["request"]["uid"] = json!("");
    let twice = review().to_string().replacen("\"uid\"", "\"uid\":\"x\",\"uid\"", 1);
    let deep = "[".repeat(100_000);
    let bodies: Vec<(&str, Vec<u8>, &str)> = vec![
        ("not JSON", b"hello".to_vec(), "not an AdmissionReview"),
        ("empty", Vec::new(), "not an AdmissionReview"),
        ("half", review().to_string().as_bytes()[..100].to_vec(), "not an AdmissionReview"),
        ("an array", b"[]".to_vec(), "not an AdmissionReview"),
        ("deep", deep.into_bytes(), "not an AdmissionReview"),
        ("another kind", b"{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}".to_vec(), "kind \"Pod\""),
        ("another version", wrong_version.to_string().into_bytes(), "v1beta1"),
        ("no uid", no_uid.to_string().into_bytes(), "request.uid"),
        ("a key twice", twice.into_bytes(), "duplicate field"),
        ("invalid UTF-8", b"{\"kind\":\"\xff\"}".to_vec(), "not UTF-8"),
    ];
    for (what, body, words) in bodies {
        let (status, answer) = status(&wire, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{what}");
        assert!(answer["error"].as_str().unwrap().contains(words), "{what}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_can_be_answered_is_answered_by_a_review() {
    let wire = wire().await;
    let mut no_object = review();
    no_object["request"]["object"] = Value::Null;
    let mut number = review();
    number["request"]["object"]["spec"]["securityContext"] = json!({"runAsUser": 1e300});
    let mut template = review();
    template["request"]["object"]["spec"] = json!([1]);
    for (what, review, words) in [
        ("no object", no_object, "request.object"),
        ("a number out of range", number, "runAsUser"),
        ("no template", template, "spec"),
    ] {
        let (status, answer) = status(&wire, review.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{what}");
        assert_eq!(answer["response"]["allowed"], false, "{what}");
        assert_eq!(answer["response"]["status"]["code"], 400, "{what}");
        let message = answer["response"]["status"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{what}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_too_large_and_another_type_is_unsupported() {
    let wire = Wire::start(&[("drop.yaml", DROP)], json!({"limits": {"bodyBytes": 65_536}})).await.unwrap();
    let (code, answer) = status(&wire, vec![b' '; 65_537]).await;
    assert_eq!(code, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer["error"], "the body is larger than limits.bodyBytes, which is 65536 bytes");
    let client = wire.client(Speaks::Http1).unwrap();
    let call = client.post(wire.url(&format!("/validate/{}", wire.token))).header("content-type", "text/plain");
    assert_eq!(call.body(review().to_string()).send().await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_is_still_sending_comes_to_read_why_it_is_refused() {
    let wire = wire().await;
    let large = vec![b' '; 9 << 20];
    for speaks in [Speaks::Http1, Speaks::Http2] {
        let client = wire.client(speaks).unwrap();
        for path in [wire.path("mutate"), "/mutate/wrong".to_owned()] {
            for _ in 0..5 {
                let call = client.post(wire.url(&path)).header("content-type", "application/json");
                let status = call.body(large.clone()).send().await.map(|answer| answer.status());
                let refused = if path.ends_with("wrong") { 403 } else { 413 };
                assert_eq!(status.map_err(|error| format!("{error:?}")).unwrap(), refused, "{speaks:?} {path}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_that_is_no_duration_is_a_bad_request() {
    let wire = wire().await;
    let client = wire.client(Speaks::Http1).unwrap();
    let url = wire.url(&format!("/validate/{}?timeout=soon", wire.token));
    let call = client.post(url).header("content-type", "application/json").body(review().to_string());
    assert_eq!(call.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_halfway_harms_nobody() {
    let wire = wire().await;
    let mut kept = Kept::open(&wire).await;
    kept.begin(&wire.path("validate"), 1000).await;
    kept.send("{\"kind\":").await;
    kept.shut().await;
    // Closed with an answer or without: a connection that is cut is the caller's affair.
    let _ = kept.answer().await;
    answered(&wire, Speaks::Http1, "mutate", &review()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_tell_of_life_and_readiness_with_reasons() {
    let wire = wire().await;
    assert_eq!(wire.operations("/livez").await.unwrap(), (200, "ok\n".to_owned()));
    assert_eq!(wire.operations("/readyz").await.unwrap(), (200, "ok\n".to_owned()));
    let (_, report) = wire.operations("/readyz?verbose").await.unwrap();
    assert!(report.contains("[+] policies: 1 policies in force, set sha256:"), "{report}");
    let (_, metrics) = wire.operations("/metrics").await.unwrap();
    assert!(metrics.ends_with("# EOF\n") && metrics.contains("portreeve_policies_in_force 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reaches_the_port_of_the_webhook_learns_how_each_part_is_and_no_reasons() {
    let wire = wire().await;
    let answer = wire.client(Speaks::Http1).unwrap().get(wire.url("/readyz?verbose")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let told = answer.text().await.unwrap();
    assert!(told.starts_with("[+] policies: ok\n") && told.contains("[!] state: reason withheld\n"), "{told}");
    assert!(!told.contains("sha256:") && !told.contains('/'), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_new_set_is_refused_the_old_one_kept_and_the_reason_shown() {
    let wire = wire().await;
    let file = wire.folder.path().join("policies/drop.yaml");
    std::fs::write(&file, DROP.replace("drop-capabilities", "drop-capabilitys")).unwrap();
    until("the reason is shown", async || {
        let (status, report) = wire.operations("/readyz?verbose").await.unwrap();
        status == 200 && report.contains("[!] policies") && report.contains("drop-capabilitys")
    })
    .await
    .unwrap();
    assert_eq!(answered(&wire, Speaks::Http1, "validate", &review()).await["response"]["allowed"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_new_set_takes_the_place_of_the_old_one_without_a_restart() {
    let wire = wire().await;
    let file = wire.folder.path().join("policies/drop.yaml");
    std::fs::write(&file, DROP.replace("}}\n", "}, mode: warn}\n")).unwrap();
    until("the new set is in force", async || {
        answered(&wire, Speaks::Http1, "validate", &review()).await["response"]["allowed"] == true
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_module_outside_the_policy_folder_is_taken_up_like_a_changed_policy() {
    let elsewhere = tempfile::tempdir().unwrap();
    let module = elsewhere.path().join("policy.wasm");
    std::fs::write(&module, portreeve_builtin::CATALOGUE).unwrap();
    let source = format!("{{file: {module:?}, policy: drop-capabilities}}");
    let policy = DROP.replace("{builtin: drop-capabilities}", &source);
    let wire = Wire::start(&[("drop.yaml", &policy)], json!({})).await.unwrap();
    let shows = async |words: &str| wire.operations("/readyz?verbose").await.unwrap().1.contains(words);
    std::fs::write(&module, "no component").unwrap();
    until("the changed module is refused", async || shows("[!] policies: kept sha256:").await).await.unwrap();
    assert_eq!(answered(&wire, Speaks::Http1, "validate", &review()).await["response"]["allowed"], false);
    std::fs::write(&module, portreeve_builtin::CATALOGUE).unwrap();
    until("the mended module is in force", async || shows("[+] policies: 1 policies in force").await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_reloaded_and_no_connection_is_dropped() {
    let wire = wire().await;
    let mut kept = Kept::open(&wire).await;
    let (path, review_text) = (wire.path("mutate"), review().to_string());
    assert_eq!(kept.call(&path, &review_text).await.unwrap().0, 200);
    let before = wire.running.parts.certificate.current().leaf().fingerprint();
    let certificates = portreeve_certs::CertificateFolder::new(wire.folder.path().join("certs"));
    let names = portreeve_certs::ServerNames::parse(["localhost", "127.0.0.1"]).unwrap();
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 61);
    certificates.renew(later, &portreeve_certs::RotationPolicy::new(names)).unwrap();
    until("the new certificate is served", async || {
        wire.running.parts.certificate.current().leaf().fingerprint() != before
    })
    .await
    .unwrap();
    let (status, _) = kept.call(&path, &review_text).await.expect("the connection from before was ended");
    assert_eq!(status, 200);
    answered(&wire, Speaks::Http1, "mutate", &review()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_finishes_what_was_accepted_and_closes_the_book() {
    let wire = wire().await;
    let mut kept = Kept::open(&wire).await;
    let whole = review().to_string();
    let (half, rest) = whole.split_at(whole.len() / 2);
    kept.begin(&wire.path("validate"), whole.len()).await;
    kept.send(half).await;
    let line = "portreeve_requests_in_flight{call=\"Validate\"} 1";
    until("it is accepted", async || wire.operations("/metrics").await.unwrap().1.contains(line)).await.unwrap();

    let Wire { running, folder, .. } = wire;
    let webhook = running.webhook;
    let stopping = tokio::spawn(running.stop());
    until("nobody else is let in", async || TcpStream::connect(webhook).await.is_err()).await.unwrap();
    assert!(!stopping.is_finished(), "nobody waited for what was accepted");
    kept.send(rest).await;
    let (status, answer) = kept.answer().await.expect("what was accepted is not answered");
    assert_eq!((status, &answer["response"]["status"]["code"]), (200, &json!(403)));
    stopping.await.unwrap().unwrap();
    let report = portreeve_ledger::verify(&folder.path().join("book")).unwrap();
    assert_eq!(report.epochs.iter().map(|epoch| epoch.records).sum::<u64>(), 1);
}

fn authority() -> Authority {
    let (common_name, validity) = (CommonName::parse("clients").unwrap(), a_day());
    Authority::create(&AuthorityOptions { common_name, validity }).unwrap()
}

fn a_day() -> Validity {
    Validity::starting(jiff::Timestamp::now(), Duration::from_secs(86_400)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_can_take_the_place_of_the_token() {
    let (ours, another, folder) = (authority(), authority(), tempfile::tempdir().unwrap());
    let client_ca = folder.path().join("ca.crt");
    std::fs::write(&client_ca, ours.certificate().to_pem()).unwrap();
    let certified = json!({"callers": {"clientCa": client_ca}});
    let wire = Wire::start(&[("drop.yaml", DROP)], certified).await.unwrap();
    let issued = |by: &Authority| by.issue_client(&CommonName::parse("api-server").unwrap(), a_day()).unwrap();

    let mut kept = Kept::with(&wire, Some(&issued(&ours))).await;
    let (status, answer) = kept.call("/validate", &review().to_string()).await.expect("its certificate is refused");
    assert_eq!((status, &answer["response"]["status"]["code"]), (200, &json!(403)), "{answer}");
    for (who, own) in [("without a certificate", None), ("with one of another CA", Some(issued(&another)))] {
        // In TLS 1.3 the client learns of it when it reads.
        let mut refused = Kept::with(&wire, own.as_ref()).await;
        assert_eq!(refused.call("/validate", &review().to_string()).await, None, "{who} somebody is let in");
    }
    let records = portreeve_ledger::read(&wire.folder.path().join("book")).unwrap().count();
    assert_eq!(records, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_runs_are_decided_and_counted_alike_and_leave_no_record() {
    let wire = wire().await;
    let mut dry = review();
    dry["request"]["dryRun"] = json!(true);
    assert_eq!(answered(&wire, Speaks::Http1, "validate", &dry).await["response"]["status"]["code"], 403);
    assert_eq!(answered(&wire, Speaks::Http1, "mutate", &dry).await["response"]["patchType"], "JSONPatch");
    let (_, metrics) = wire.operations("/metrics").await.unwrap();
    for counted in ["call=\"Validate\",answer=\"denied\"", "call=\"Mutate\",answer=\"corrected\""] {
        let line = format!("portreeve_requests_total{{{counted},dry_run=\"yes\"}} 1\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
    assert!(!metrics.contains("dry_run=\"no\""), "{metrics}");
    assert_eq!(portreeve_ledger::read(&wire.folder.path().join("book")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let wire = wire().await;
    let taken = json!({"listen": wire.running.webhook.to_string()});
    let error = match Wire::start(&[("drop.yaml", DROP)], taken).await {
        Ok(_) => panic!("two servers at one port"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains(&wire.running.webhook.to_string()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_can_not_be_read_are_shown_until_they_are_mended() {
    let wire = wire().await;
    let tokens = wire.folder.path().join("certs/tokens");
    let good = std::fs::read(&tokens).unwrap();
    let report = async || wire.operations("/readyz?verbose").await.unwrap().1;
    let put = |bytes: &[u8]| {
        let new = wire.folder.path().join("tokens");
        std::fs::copy(&tokens, &new).unwrap();
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(&new, &tokens).unwrap();
    };
    let (told, mended) = ("[!] certificate: ", "[+] certificate: loaded\n");
    for bad in [b"no token".as_slice(), b""] {
        put(bad);
        until("it is shown", async || report().await.contains(told)).await.unwrap();
        assert_eq!(status(&wire, review().to_string()).await.0, StatusCode::OK, "the token in force stays");
        put(&good);
        until("it is no longer", async || report().await.contains(mended)).await.unwrap();
    }
    std::fs::remove_file(&tokens).unwrap();
    until("it is shown", async || report().await.contains(told)).await.unwrap();
    assert_eq!(status(&wire, review().to_string()).await.0, StatusCode::OK, "the token in force stays");
    // Who renews, by hand or at the next start, takes up the token that is registered.
    let folder = CertificateFolder::new(wire.folder.path().join("certs"));
    let names = ServerNames::parse(["localhost", "127.0.0.1"]).unwrap();
    folder.renew(Timestamp::now(), &RotationPolicy::new(names)).unwrap();
    until("it is no longer", async || report().await.contains(mended)).await.unwrap();
    assert_eq!(status(&wire, review().to_string()).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_clients_would_refuse_does_not_take_the_place_of_a_good_one() {
    let wire = wire().await;
    let certificates = wire.folder.path().join("certs");
    let put = |pair: &Pair| {
        // Their names are those of a pair, so that each look finds both old or both new.
        std::fs::write(certificates.join("tls.key"), pair.key().expose()).unwrap();
        std::fs::write(certificates.join("tls.crt"), pair.certificate().to_pem()).unwrap();
    };
    let now = Timestamp::now();
    let validity = Validity::starting(now, Duration::from_secs(3600)).unwrap();
    let name = CommonName::parse("Another CA").unwrap();
    let stranger = Authority::create(&AuthorityOptions { common_name: name.clone(), validity }).unwrap();
    let names = ServerNames::parse(["localhost"]).unwrap();
    let report = async || wire.operations("/readyz?verbose").await.unwrap().1;
    for (pair, words) in [
        (stranger.issue_server(&names, validity).unwrap(), "no CA in"),
        (stranger.issue_client(&name, validity).unwrap(), "no serverAuth"),
    ] {
        put(&pair);
        until(words, async || report().await.contains(words)).await.unwrap();
        assert_eq!(status(&wire, review().to_string()).await.0, StatusCode::OK, "the old one is served");
    }
}
