//! Settings that make no sense; and, by property, that no finding ever repeats a secret.

use portreeve_sdk::export::Registration;
use portreeve_sdk::native::Scene;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn refused(settings: &str) -> String {
    let error = Registration::of::<SecretsInEnv>().configure(settings).err().unwrap();
    format!("{}: {}", error.at, error.reason)
}

#[test]
fn settings_that_take_everything_are_refused() {
    assert!(refused(r#"{"allow": [{"names": ["A"]}, {}]}"#).starts_with("/allow/1: says for what it is"));
    assert!(refused(r#"{"values": ["**"]}"#).starts_with("/values/0: takes everything"));
    assert!(refused(r#"{"names": [""]}"#).starts_with("/names/0: takes everything"));
}

#[test]
fn an_entropy_that_no_value_has_is_refused() {
    assert_eq!(refused(r#"{"minEntropy": 9}"#), "/minEntropy: not between 0 and 8 bits");
}

fn judged(env: Value, args: Value) -> Verdict {
    let container = json!({"name": "app", "image": "app:1", "env": env, "args": args});
    let pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}});
    Scene::create(pod).unwrap().judge::<SecretsInEnv>(&json!({})).unwrap()
}

/// All that a finding tells.
fn told(verdict: &Verdict) -> String {
    format!("{:?} {:?} {:?}", verdict.violations(), verdict.advisories(), verdict.edits())
}

fn repeats(told: &str, secret: &str) -> bool {
    let characters: Vec<char> = secret.chars().collect();
    characters.windows(TELLING).any(|run| told.contains(&run.iter().collect::<String>()))
}

/// Texts that hold a secret of this material, in every shape that is known.
fn texts(material: &str) -> Vec<String> {
    vec![
        format!("postgres://app:{material}@db/shop"),
        format!("Server=db;User Id=app;Password={material};"),
        format!("AccountName=a;AccountKey={material}"),
        format!("app:{material}@tcp(db:3306)/shop"),
        format!("jdbc:oracle:thin:app/{material}@//db/x"),
        format!("ghp_{material}"),
        format!("Bearer sk-{material}"),
        format!("https://hooks.slack.com/services/T0/B0/{material}"),
        format!("eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.{material}"),
        format!("-----BEGIN PRIVATE KEY-----\n{material}\n-----END PRIVATE KEY-----"),
    ]
}

proptest! {
    #[test]
    fn no_finding_repeats_what_it_found(material in "[A-Za-z0-9]{48}", name in "[A-Z][A-Z_]{0,12}") {
        for text in texts(&material) {
            let verdict = judged(json!([{"name": name, "value": text}]), json!([text, format!("--x={text}")]));
            prop_assert_eq!(verdict.violations().len(), 3, "{}", name);
            prop_assert!(!repeats(&told(&verdict), &material));
        }
    }

    #[test]
    fn a_name_that_holds_its_value_is_not_told(material in "[A-Za-z0-9]{24}") {
        let name = format!("{material}_PASSWORD");
        let verdict = judged(json!([{"name": name, "value": material}]), json!([format!("--{name}={material}")]));
        prop_assert_eq!(verdict.violations().len(), 2);
        prop_assert!(!repeats(&told(&verdict), &material));
    }

    #[test]
    fn values_under_secret_names_are_found_and_not_repeated(material in "[A-Za-z0-9+/]{24,64}") {
        let verdict = judged(json!([{"name": "API_TOKEN", "value": material}]), json!(["--api-token", material]));
        prop_assert!(!repeats(&told(&verdict), &material));
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), name in any::<String>()) {
        let verdict = judged(json!([{"name": name, "value": text}]), json!([text, name, format!("--{name}={text}")]));
        prop_assert!(verdict.edits().is_empty());
    }
}
