//! Which digest a tag names: by HEAD, by GET, at mirrors, and what is no answer.

use std::time::Duration;

use portreeve_supply::ResolveError;
use portreeve_supply::loopback::{Fault, FixtureImage, LoopbackRegistry, Method, Shape};
use portreeve_supply::reference::ImageReference;
use portreeve_supply::registry::BadAnswer;
use portreeve_supply::settings::RegistriesConfig;
use tokio::time::Instant;

use crate::{client, config, https, image, items, mirrored, registry, resolve, soon};

/// The answer of a registry with these faults.
async fn with_faults(faults: impl IntoIterator<Item = Fault>) -> (LoopbackRegistry, Result<String, ResolveError>) {
    let registry = registry().await;
    registry.fault(faults);
    let answer = resolve(&client([registry.listed()]), &image(&registry, "team/app:v1")).await;
    (registry, answer.map(|digest| digest.to_string()))
}

fn bad_answer(answer: Result<String, ResolveError>) -> BadAnswer {
    match answer {
        Err(ResolveError::BadAnswer { answer, .. }) => answer,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_tag_is_resolved_by_one_head() {
    let registry = registry().await;
    let found = resolve(&client([registry.listed()]), &image(&registry, "team/app:v1")).await.unwrap();
    assert_eq!(Some(found), registry.digest("team/app", "v1"));
    let asked = registry.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].method, asked[0].path.as_str()), (Method::Head, "/v2/team/app/manifests/v1"));
}

#[tokio::test]
async fn registries_see_who_asks() {
    let registry = registry().await;
    resolve(&client([registry.listed()]), &image(&registry, "team/app:v1")).await.unwrap();
    let agent = registry.asked()[0].user_agent.clone().unwrap();
    assert_eq!(agent, concat!("portreeve/", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn of_an_index_the_index_is_pinned() {
    let registry = registry().await;
    let index = FixtureImage { shape: Shape::Index, ..FixtureImage::default() };
    let named = registry.retag("team/app", "v2", &index);
    let found = resolve(&client([registry.listed()]), &image(&registry, "team/app:v2")).await.unwrap();
    assert_eq!(found, named);
}

#[tokio::test]
async fn an_image_with_a_digest_is_answered_without_contact() {
    let registry = registry().await;
    let digest = registry.digest("team/app", "v1").unwrap();
    let pinned = image(&registry, "team/app:v1").with_digest(digest.clone());
    assert_eq!(resolve(&client([registry.listed()]), &pinned).await.unwrap(), digest);
    assert!(registry.asked().is_empty());
}

#[tokio::test]
async fn a_registry_that_is_not_listed_is_not_contacted() {
    let (listed_one, other) = (registry().await, registry().await);
    let answer = resolve(&client([listed_one.listed()]), &image(&other, "team/app:v1")).await;
    assert!(
        matches!(answer, Err(ResolveError::NotListed { registry }) if registry.as_str() == other.addr().to_string())
    );
    assert!(other.asked().is_empty() && listed_one.asked().is_empty());
}

#[tokio::test]
async fn a_host_that_is_not_marked_insecure_is_spoken_to_over_tls_only() {
    let registry = registry().await;
    let answer = resolve(&client([https(&registry.addr().to_string())]), &image(&registry, "team/app:v1")).await;
    assert!(matches!(answer, Err(ResolveError::Unreachable { .. })), "{answer:?}");
    assert!(registry.asked().is_empty());
}

#[tokio::test]
async fn a_tag_that_is_missing_is_not_found() {
    let registry = registry().await;
    let answer = resolve(&client([registry.listed()]), &image(&registry, "team/app:v9")).await;
    assert!(matches!(answer, Err(ResolveError::NotFound { name, .. }) if &*name == "v9"));
}

#[tokio::test]
async fn without_a_digest_header_the_manifest_is_read() {
    let (registry, answer) = with_faults([Fault::NoDigestHeader]).await;
    assert_eq!(answer.unwrap(), registry.digest("team/app", "v1").unwrap().to_string());
    assert_eq!(items(&registry).iter().map(|asked| asked.method).collect::<Vec<_>>(), [Method::Head, Method::Get]);
}

#[tokio::test]
async fn where_head_is_refused_the_manifest_is_read() {
    let (registry, answer) = with_faults([Fault::NoHead]).await;
    assert_eq!(answer.unwrap(), registry.digest("team/app", "v1").unwrap().to_string());
}

#[tokio::test]
async fn a_digest_that_comes_with_no_type_of_manifest_is_not_believed_unread() {
    let (registry, answer) = with_faults([Fault::WrongType]).await;
    assert!(answer.is_ok());
    assert_eq!(items(&registry).iter().map(|asked| asked.method).collect::<Vec<_>>(), [Method::Head, Method::Get]);
}

#[tokio::test]
async fn a_manifest_that_is_not_what_its_header_promises_is_refused() {
    let (_, answer) = with_faults([Fault::NoHead, Fault::WrongBytes]).await;
    assert!(matches!(bad_answer(answer), BadAnswer::DigestMismatch { .. }));
}

#[tokio::test]
async fn a_page_of_a_portal_is_not_pinned() {
    let (_, answer) = with_faults([Fault::Page(b"<html>log in</html>".to_vec())]).await;
    assert_eq!(bad_answer(answer), BadAnswer::NotAManifest);
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_the_end() {
    let (_, answer) = with_faults([Fault::Page(vec![b' '; 5 * 1024 * 1024])]).await;
    assert_eq!(bad_answer(answer), BadAnswer::TooLarge { limit: 4 * 1024 * 1024 });
}

#[tokio::test]
async fn a_server_error_says_its_status() {
    let (_, answer) = with_faults([Fault::Status(503)]).await;
    assert_eq!(bad_answer(answer), BadAnswer::Status(503));
}

#[tokio::test]
async fn a_403_is_unauthorized() {
    let (_, answer) = with_faults([Fault::Status(403)]).await;
    assert!(matches!(answer, Err(ResolveError::Unauthorized { status: 403, .. })));
}

#[tokio::test]
async fn a_429_is_rate_limited() {
    let (_, answer) = with_faults([Fault::Status(429)]).await;
    assert!(matches!(answer, Err(ResolveError::RateLimited { .. })));
}

#[tokio::test]
async fn a_registry_where_nobody_listens_is_unreachable() {
    // Port 1 is below those that a system gives to who asks for a free one.
    let mut entry = https("127.0.0.1:1");
    entry.insecure = true;
    let answer = resolve(&client([entry]), &"127.0.0.1:1/team/app:v1".parse().unwrap()).await;
    assert!(matches!(answer, Err(ResolveError::Unreachable { .. })));
}

#[tokio::test]
async fn a_redirect_to_another_registry_is_refused_without_contact() {
    let (registry, other) = (registry().await, registry().await);
    registry.fault([Fault::Redirect(format!("http://{}/v2/team/app/manifests/v1", other.addr()))]);
    let client = client([registry.listed(), other.listed()]);
    let answer = resolve(&client, &image(&registry, "team/app:v1")).await;
    let to = format!("http://{}", other.addr());
    assert_eq!(bad_answer(answer.map(|digest| digest.to_string())), BadAnswer::Redirect { to: to.into() });
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_redirect_to_a_host_that_is_listed_for_the_registry_is_followed() {
    let (registry, storage) = (registry().await, registry().await);
    registry.fault([Fault::Redirect(format!("http://{}/v2/team/app/manifests/v1", storage.addr()))]);
    let mut entry = registry.listed();
    entry.redirect_hosts.push(storage.addr().to_string().parse().unwrap());
    let found = resolve(&client([entry, storage.listed()]), &image(&registry, "team/app:v1")).await.unwrap();
    assert_eq!(Some(found), storage.digest("team/app", "v1"));
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let registry = registry().await;
    registry.fault([Fault::Redirect("/v2/team/app/manifests/v1".into())]);
    let answer = resolve(&client([registry.listed()]), &image(&registry, "team/app:v1")).await;
    assert_eq!(bad_answer(answer.map(|digest| digest.to_string())), BadAnswer::TooManyRedirects { limit: 3 });
    assert_eq!(registry.asked().len(), 4);
}

#[tokio::test]
async fn a_mirror_is_asked_for_the_registrys_images() {
    let mirror = registry().await;
    let client = client([mirrored("docker.io", &[&mirror]), mirror.listed()]);
    let found = resolve(&client, &"nginx:v1".parse().unwrap()).await.unwrap();
    assert_eq!(Some(found), mirror.digest("docker.io/library/nginx", "v1"));
    let asked = &mirror.asked()[0];
    assert_eq!(asked.path, "/v2/library/nginx/manifests/v1");
    assert_eq!(asked.registry.as_deref(), Some("docker.io"));
}

#[tokio::test]
async fn the_next_mirror_is_asked_when_one_fails() {
    let (broken, whole) = (registry().await, registry().await);
    broken.fault([Fault::Status(500)]);
    let client = client([mirrored("r.example", &[&broken, &whole]), broken.listed(), whole.listed()]);
    let found = resolve(&client, &"r.example/team/app:v1".parse().unwrap()).await.unwrap();
    assert_eq!(Some(found), whole.digest("r.example/team/app", "v1"));
    assert_eq!((broken.asked().len(), whole.asked().len()), (1, 1));
}

#[tokio::test]
async fn when_nobody_answers_each_ones_own_word_is_told() {
    let (broken, without) = (registry().await, registry().await);
    broken.fault([Fault::Status(500)]);
    let client = client([mirrored("r.example", &[&broken, &without]), broken.listed(), without.listed()]);
    let error = resolve(&client, &"r.example/team/none:v1".parse().unwrap()).await.unwrap_err();
    let words = [format!("registry {} gave", broken.addr()), format!("registry {} answered 404", without.addr())];
    assert!(words.iter().all(|words| error.to_string().contains(words)), "{error}");
    assert!(error.is_registrys_word(), "the last one's word is the registry's");
}

#[tokio::test]
async fn the_registry_itself_is_asked_last() {
    let (mirror, origin) = (registry().await, registry().await);
    mirror.fault([Fault::Status(404)]);
    let mut entry = mirrored(&origin.addr().to_string(), &[&mirror]);
    (entry.mirror_only, entry.insecure) = (false, true);
    let found = resolve(&client([entry, mirror.listed()]), &image(&origin, "team/app:v1")).await.unwrap();
    assert_eq!(Some(found), origin.digest("team/app", "v1"));
    assert_eq!(mirror.asked()[0].registry, Some(origin.addr().to_string()));
    assert_eq!(origin.asked()[0].registry, None);
}

#[tokio::test]
async fn with_mirror_only_the_registry_itself_is_never_asked() {
    let (mirror, origin) = (registry().await, registry().await);
    mirror.fault([Fault::Status(404)]);
    let mut entry = mirrored(&origin.addr().to_string(), &[&mirror]);
    entry.insecure = true;
    let answer = resolve(&client([entry, mirror.listed()]), &image(&origin, "team/app:v1")).await;
    assert!(matches!(answer, Err(ResolveError::NotFound { .. })));
    assert!(origin.asked().is_empty());
}

#[tokio::test]
async fn the_deadline_holds_when_a_registry_hangs() {
    let registry = registry().await;
    registry.fault([Fault::Hang]);
    let client = client([registry.listed()]);
    let begun = Instant::now();
    let answer = client.resolve(&image(&registry, "team/app:v1"), begun + Duration::from_millis(50)).await;
    assert!(matches!(answer, Err(ResolveError::Timeout { .. })));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_mirror_that_hangs_leaves_time_for_the_next() {
    let (hanging, whole) = (registry().await, registry().await);
    hanging.fault([Fault::Hang]);
    let mut settings = config([mirrored("r.example", &[&hanging, &whole]), hanging.listed(), whole.listed()]);
    settings.timeouts.request_milliseconds = 500.try_into().unwrap();
    let client = portreeve_supply::Registries::new(&settings).unwrap();
    let image: ImageReference = "r.example/team/app:v1".parse().unwrap();
    let found = client.resolve(&image, soon()).await.unwrap();
    assert_eq!(Some(found), whole.digest("r.example/team/app", "v1"));
}

#[tokio::test]
async fn waiting_for_a_turn_ends_with_the_deadline() {
    let registry = registry().await;
    registry.fault([Fault::Hang]);
    let mut settings: RegistriesConfig = config([registry.listed()]);
    settings.cache.concurrent = 1.try_into().unwrap();
    let client = portreeve_supply::Registries::new(&settings).unwrap();
    let image = image(&registry, "team/app:v1");
    let short = Instant::now() + Duration::from_millis(50);
    let (first, second) = tokio::join!(client.resolve(&image, short), client.resolve(&image, short));
    let (Err(ResolveError::Timeout { .. }), Err(none @ ResolveError::NoTurn { .. })) = (first, second) else {
        panic!()
    };
    assert!(none.to_string().contains(" was not asked: no turn came within "), "{none}");
    assert!(registry.asked().len() <= 1);
}

#[tokio::test]
async fn a_registry_that_hangs_takes_no_turn_of_another() {
    let (hanging, whole) = (registry().await, registry().await);
    hanging.fault([Fault::Hang]);
    let mut settings: RegistriesConfig = config([hanging.listed(), whole.listed()]);
    settings.cache.concurrent = 1.try_into().unwrap();
    let client = portreeve_supply::Registries::new(&settings).unwrap();
    let (stuck, found) = (image(&hanging, "team/app:v1"), image(&whole, "team/app:v1"));
    let asked = async {
        tokio::select! {
            biased;
            answer = client.resolve(&stuck, soon()) => panic!("{answer:?}"),
            found = client.resolve(&found, soon()) => found,
        }
    };
    assert_eq!(asked.await.ok(), whole.digest("team/app", "v1"));
}
