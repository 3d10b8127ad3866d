//! Tokens, passwords and which of them goes where.

use portreeve_supply::ResolveError;
use portreeve_supply::loopback::{Guard, LoopbackRegistry, Method};
use portreeve_supply::registry::{Authorized, BadAnswer, CredentialsError, ListingError, Registries};

use crate::{client, config, image, items, registry, resolve, with_credentials};

fn token_guard() -> Guard {
    Guard::Token { username: "me".into(), password: "hunter2".into() }
}

fn basic_guard() -> Guard {
    Guard::Basic { username: "me".into(), password: "hunter2".into() }
}

/// A registry whose `team/` asks for `guard`.
async fn guarded(guard: Guard) -> LoopbackRegistry {
    let registry = registry().await;
    registry.protect("team/", guard);
    registry
}

/// A client with these credentials for the registry, below `path`.
fn client_with(folder: &tempfile::TempDir, registry: &LoopbackRegistry, path: &str, entry: &str) -> Registries {
    let text = format!(r#"{{"auths":{{"{}{path}":{entry}}}}}"#, registry.addr());
    Registries::new(&with_credentials(folder.path(), config([registry.listed()]), &text)).unwrap()
}

const PASSWORD: &str = r#"{"username":"me","password":"hunter2"}"#;

#[tokio::test]
async fn an_anonymous_token_is_fetched_and_used_again() {
    let registry = guarded(Guard::AnonymousToken).await;
    let client = client([registry.listed()]);
    for _ in 0..2 {
        resolve(&client, &image(&registry, "team/app:v1")).await.unwrap();
    }
    let authorized: Vec<_> = items(&registry).iter().map(|asked| asked.authorized).collect();
    assert_eq!(authorized, [false, true, true]);
    assert_eq!(registry.asked().len(), 4);
}

#[tokio::test]
async fn a_token_is_fetched_with_a_password() {
    let (registry, folder) = (guarded(token_guard()).await, tempfile::tempdir().unwrap());
    let client = client_with(&folder, &registry, "", PASSWORD);
    assert!(resolve(&client, &image(&registry, "team/app:v1")).await.is_ok());
}

#[tokio::test]
async fn a_token_is_fetched_with_an_identity_token() {
    let registry = guarded(Guard::IdentityToken("refresh+me".into())).await;
    let folder = tempfile::tempdir().unwrap();
    let client = client_with(&folder, &registry, "", r#"{"identitytoken":"refresh+me"}"#);
    assert!(resolve(&client, &image(&registry, "team/app:v1")).await.is_ok());
    assert!(registry.asked().iter().any(|asked| asked.method == Method::Post));
}

#[tokio::test]
async fn a_password_is_sent_with_the_request_where_basic_is_asked_for() {
    let (registry, folder) = (guarded(basic_guard()).await, tempfile::tempdir().unwrap());
    let client = client_with(&folder, &registry, "", PASSWORD);
    assert!(resolve(&client, &image(&registry, "team/app:v1")).await.is_ok());
}

#[tokio::test]
async fn credentials_are_not_sent_before_they_are_asked_for() {
    let (registry, folder) = (registry().await, tempfile::tempdir().unwrap());
    let client = client_with(&folder, &registry, "", PASSWORD);
    resolve(&client, &image(&registry, "team/app:v1")).await.unwrap();
    assert!(registry.asked().iter().all(|asked| !asked.authorized));
}

#[tokio::test]
async fn credentials_of_another_prefix_are_not_used() {
    let (registry, folder) = (guarded(basic_guard()).await, tempfile::tempdir().unwrap());
    let client = client_with(&folder, &registry, "/other", PASSWORD);
    let answer = resolve(&client, &image(&registry, "team/app:v1")).await;
    let anonymously = Authorized::Anonymously;
    assert!(matches!(answer, Err(ResolveError::Unauthorized { authorized, .. }) if authorized == anonymously));
    assert!(registry.asked().iter().all(|asked| !asked.authorized));
}

#[tokio::test]
async fn credentials_of_the_fitting_prefix_are_used() {
    let (registry, folder) = (guarded(basic_guard()).await, tempfile::tempdir().unwrap());
    let client = client_with(&folder, &registry, "/team", PASSWORD);
    assert!(resolve(&client, &image(&registry, "team/app:v1")).await.is_ok());
}

#[tokio::test]
async fn a_wrong_password_is_unauthorized_and_shown_nowhere() {
    for guard in [basic_guard(), token_guard()] {
        let (registry, folder) = (guarded(guard).await, tempfile::tempdir().unwrap());
        let client = client_with(&folder, &registry, "", r#"{"username":"me","password":"letmein"}"#);
        let error = resolve(&client, &image(&registry, "team/app:v1")).await.unwrap_err();
        assert!(matches!(
            error,
            ResolveError::Unauthorized { status: 401, authorized: Authorized::WithCredentials, .. }
        ));
        assert!(!format!("{error} {error:?} {client:?}").contains("letmein"));
    }
}

#[tokio::test]
async fn a_rotated_password_is_used_without_a_restart() {
    let (registry, folder) = (guarded(basic_guard()).await, tempfile::tempdir().unwrap());
    let client = client_with(&folder, &registry, "", r#"{"username":"me","password":"old"}"#);
    assert!(resolve(&client, &image(&registry, "team/app:v1")).await.is_err());
    client_with(&folder, &registry, "", PASSWORD);
    assert!(resolve(&client, &image(&registry, "team/app:v1")).await.is_ok());
}

#[tokio::test]
async fn no_token_is_fetched_from_a_host_that_is_not_listed() {
    let other = registry().await;
    let registry = guarded(Guard::TokenAt(format!("http://{}/token", other.addr()))).await;
    let answer = resolve(&client([registry.listed(), other.listed()]), &image(&registry, "team/app:v1")).await;
    let host = other.addr().to_string().into();
    assert!(matches!(answer, Err(ResolveError::BadAnswer { answer, .. }) if answer == BadAnswer::TokenHost { host }));
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_token_is_fetched_from_a_host_that_is_listed_for_the_registry() {
    let issuer = registry().await;
    issuer.protect("team/", Guard::AnonymousToken);
    let registry = guarded(Guard::TokenAt(format!("http://{}/token", issuer.addr()))).await;
    let mut entry = registry.listed();
    entry.token_hosts.push(issuer.addr().to_string().parse().unwrap());
    let client = client([entry, issuer.listed()]);
    assert!(resolve(&client, &image(&registry, "team/app:v1")).await.is_ok());
}

#[tokio::test]
async fn a_redirect_takes_no_authorization_along() {
    use portreeve_supply::loopback::Fault;
    let (registry, storage) = (guarded(Guard::AnonymousToken).await, registry().await);
    registry.fault([Fault::Redirect(format!("http://{}/v2/team/app/manifests/v1", storage.addr()))]);
    let mut entry = registry.listed();
    entry.redirect_hosts.push(storage.addr().to_string().parse().unwrap());
    resolve(&client([entry, storage.listed()]), &image(&registry, "team/app:v1")).await.unwrap();
    assert!(items(&registry).last().unwrap().authorized);
    assert!(!storage.asked()[0].authorized);
}

#[tokio::test]
async fn a_credentials_file_that_is_missing_is_known_at_the_start() {
    let mut settings = config([]);
    settings.credentials_file = Some("/nonexistent/config.json".into());
    let error = Registries::new(&settings).unwrap_err();
    assert!(matches!(error, ListingError::Credentials(CredentialsError::Unreadable { .. })));
}

#[tokio::test]
async fn a_credentials_file_that_went_away_is_told_when_it_is_needed() {
    let (registry, folder) = (guarded(basic_guard()).await, tempfile::tempdir().unwrap());
    let client = client_with(&folder, &registry, "", PASSWORD);
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    let answer = resolve(&client, &image(&registry, "team/app:v1")).await;
    assert!(matches!(answer, Err(ResolveError::Credentials { .. })));
}
