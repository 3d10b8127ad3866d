//! The reviews recorded from a real API server: every one is answered, each as its shape asks. What the right answer is
//! stands in `tests/recorded/answers.yaml`, with the reason.

use std::collections::BTreeMap;

use portreeve_tests::gate::{Setting, mutate, validate};
use portreeve_tests::{archive, places};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Right {
    /// Allowed as it is.
    Passed,
    /// Allowed with a patch.
    Corrected,
    /// Denied for a violation, 403.
    Denied,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    answer: Right,
    #[serde(rename = "because")]
    _because: String,
}

fn reviews() -> Option<Vec<(String, Value)>> {
    let path = places::beside("PORTREEVE_REVIEWS", "shared/reviews/reviews.tgz");
    if path.is_none() {
        println!("skipped: the recorded reviews are not here; name their archive in $PORTREEVE_REVIEWS");
    }
    let files = archive::files(&path?).unwrap();
    let name = |path: &str| path.rsplit('/').next().unwrap().trim_end_matches(".json").to_owned();
    Some(files.into_iter().map(|(path, bytes)| (name(&path), serde_json::from_slice(&bytes).unwrap())).collect())
}

fn answers() -> BTreeMap<String, Expected> {
    let path = places::checkout().join("tests/recorded/answers.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

async fn answer(gate: &portreeve_server::way::Gate, name: &str, review: &Value) -> (Right, String) {
    let response = if name.contains("-mutate-") {
        mutate(gate, review).await.unwrap().response
    } else {
        validate(gate, review).await.unwrap()
    };
    assert_eq!(response.uid, review["request"]["uid"].as_str().unwrap(), "{name}: the uid is echoed");
    match (&response.refusal, &response.patch) {
        (Some(refusal), _) => (Right::Denied, refusal.message.clone()),
        (None, Some(patch)) => (Right::Corrected, serde_json::to_string(patch).unwrap()),
        (None, None) => (Right::Passed, String::new()),
    }
}

#[tokio::test]
async fn every_recorded_review_gets_the_right_answer() {
    let Some(reviews) = reviews() else { return };
    let gate = Setting::platform().gate().unwrap();
    let (expected, mut wrong) = (answers(), Vec::new());
    for (name, review) in &reviews {
        let (found, words) = answer(&gate, name, review).await;
        match expected.get(name) {
            Some(right) if right.answer == found => {}
            right => wrong.push(format!("{name}: {found:?}, expected {:?}; {words}", right.map(|right| &right.answer))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(expected.len(), reviews.len(), "one answer is written for each review");
}

#[tokio::test]
async fn nothing_that_heals_or_deletes_is_held_up_even_when_every_policy_fails() {
    let Some(reviews) = reviews() else { return };
    let gate = Setting::platform().gate().unwrap();
    for (name, review) in &reviews {
        let request = &review["request"];
        let heals = request["operation"] == "DELETE"
            || matches!(request["subResource"].as_str(), Some("status" | "scale" | "finalize"))
            || !request.pointer("/object/metadata/deletionTimestamp").unwrap_or(&Value::Null).is_null();
        if heals {
            let late = portreeve_server::deadline::Deadlines {
                judged: std::time::Instant::now(),
                recorded: std::time::Instant::now(),
            };
            let body = review.to_string();
            let answered = if name.contains("-mutate-") {
                gate.mutate(body.as_bytes(), late).await.unwrap()
            } else {
                gate.validate(body.as_bytes(), late).await.unwrap()
            };
            assert!(answered.response.refusal.is_none(), "{name}");
            assert!(answered.response.patch.is_none(), "{name}");
        }
    }
}
