//! The HTTP face of the loopback registry: manifests, blobs and tokens, with the distribution specification's errors.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, USER_AGENT, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::Fault;
use super::guard::token;
use super::image::Content;
use super::store::{Asked, Method, Store};

/// How a registry says which digest it answers with.
const DIGEST: &str = "docker-content-digest";
/// What portals answer with.
const PAGE: &str = "text/html";

type Parameters = HashMap<String, String>;

/// The registry as an axum application.
pub(super) fn app(store: Arc<Store>) -> Router {
    Router::new()
        .route("/v2/", get(async || StatusCode::OK))
        .route("/token", get(token_by_password).post(token_by_refresh_token))
        .fallback(item)
        .with_state(store)
}

/// `/v2/<repository>/manifests/<tag or digest>` and `/v2/<repository>/blobs/<digest>`.
async fn item(State(store): State<Arc<Store>>, Query(query): Query<Parameters>, request: Request) -> Response {
    let method = method(&request);
    note(&store, method, request.uri(), query.get("ns"), request.headers());
    let Some((path, name)) = split(request.uri().path()) else {
        return error(StatusCode::NOT_FOUND, "NAME_INVALID");
    };
    let repository = query.get("ns").map_or_else(|| path.to_owned(), |registry| format!("{registry}/{path}"));
    if let Some(refused) = refuse(&store, &repository, request.headers()) {
        return refused;
    }
    let mut answer = found(&store, &repository, name, method);
    for fault in store.faults() {
        answer = faulty(&fault, answer, method).await;
    }
    answer
}

async fn token_by_password(
    State(store): State<Arc<Store>>,
    Query(query): Query<Parameters>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    note(&store, Method::Get, &uri, None, &headers);
    issue(&store, query.get("scope"), &headers, None)
}

async fn token_by_refresh_token(
    State(store): State<Arc<Store>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    note(&store, Method::Post, &uri, None, &headers);
    let form = form(&body);
    issue(&store, form.get("scope"), &headers, form.get("refresh_token").map(String::as_str))
}

/// A form is written like a query.
fn form(body: &[u8]) -> Parameters {
    let written = format!("/?{}", String::from_utf8_lossy(body));
    let uri = written.parse::<Uri>().ok();
    let query = uri.and_then(|uri| Query::try_from_uri(&uri).ok());
    query.map(|Query(parameters)| parameters).unwrap_or_default()
}

fn method(request: &Request) -> Method {
    match request.method().as_str() {
        "HEAD" => Method::Head,
        "GET" => Method::Get,
        "POST" => Method::Post,
        _ => Method::Other,
    }
}

fn note(store: &Store, method: Method, uri: &Uri, registry: Option<&String>, headers: &HeaderMap) {
    let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    store.note(Asked {
        method,
        path: uri.path().into(),
        registry: registry.cloned(),
        authorized: headers.contains_key(AUTHORIZATION),
        user_agent: user_agent.map(Into::into),
    });
}

/// The repository and the tag or digest. Whether it stood under manifests or blobs makes no difference here.
fn split(path: &str) -> Option<(&str, &str)> {
    let (rest, name) = path.strip_prefix("/v2/")?.rsplit_once('/')?;
    let repository = rest.strip_suffix("/manifests").or_else(|| rest.strip_suffix("/blobs"))?;
    Some((repository, name))
}

fn refuse(store: &Store, repository: &str, headers: &HeaderMap) -> Option<Response> {
    let guard = store.guard(repository).filter(|guard| !guard.opens(repository, headers))?;
    let challenge = guard.challenge(repository, &format!("http://{}/token", store.addr));
    let mut refused = error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
    refused.headers_mut().extend(challenge.parse().ok().map(|challenge| (WWW_AUTHENTICATE, challenge)));
    Some(refused)
}

fn issue(store: &Store, scope: Option<&String>, headers: &HeaderMap, refresh_token: Option<&str>) -> Response {
    let repository = scope.and_then(|scope| scope.strip_prefix("repository:")?.strip_suffix(":pull"));
    let repository = repository.unwrap_or_default();
    let issued = store.guard(repository).is_some_and(|guard| guard.issues_to(headers, refresh_token));
    match issued {
        true => as_json(&json!({"token": token(repository), "expires_in": 300})),
        false => error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
    }
}

fn found(store: &Store, repository: &str, name: &str, method: Method) -> Response {
    match (store.content(repository, name), method) {
        (None, _) => error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
        (Some(content), Method::Head | Method::Get) => with_digest(content, &store.faults()),
        (Some(_), Method::Post | Method::Other) => error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
    }
}

/// The headers are those of the whole and unharmed body. Of an answer to HEAD, hyper leaves the body out.
fn with_digest(content: Content, faults: &[Fault]) -> Response {
    let headers = [
        (CONTENT_TYPE.as_str(), content.media_type.to_owned()),
        (DIGEST, content.digest().to_string()),
        (CONTENT_LENGTH.as_str(), content.bytes.len().to_string()),
    ];
    (headers, harmed(content.bytes, faults)).into_response()
}

fn harmed(mut body: Vec<u8>, faults: &[Fault]) -> Vec<u8> {
    if faults.contains(&Fault::CutBody) {
        body.truncate(body.len() / 2);
    }
    if faults.contains(&Fault::WrongBytes) {
        body.reverse();
    }
    body
}

/// By the distribution specification, "Error Codes".
fn error(status: StatusCode, code: &str) -> Response {
    let error = json!({"errors": [{"code": code, "message": code.to_lowercase()}]});
    (status, as_json(&error)).into_response()
}

fn as_json(document: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], document.to_string()).into_response()
}

/// The answer as this fault leaves it. Those that harm the body have done so already.
async fn faulty(fault: &Fault, mut answer: Response, method: Method) -> Response {
    match fault {
        Fault::Slow(delay) => tokio::time::sleep(*delay).await,
        Fault::Hang => std::future::pending().await,
        Fault::NoDigestHeader => drop(answer.headers_mut().remove(DIGEST)),
        Fault::WrongType => drop(answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PAGE))),
        Fault::NoHead if method == Method::Head => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
        Fault::NoHead | Fault::CutBody | Fault::WrongBytes => {}
        Fault::Status(status) => return status_alone(*status),
        Fault::Redirect(to) => return (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, to.as_str())]).into_response(),
        Fault::Page(page) => return ([(CONTENT_TYPE, PAGE)], page.clone()).into_response(),
    }
    answer
}

fn status_alone(status: u16) -> Response {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}
