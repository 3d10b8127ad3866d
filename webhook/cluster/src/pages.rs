//! Collections of an API server, read a page at a time, with the objects left as text until somebody wants them. What
//! an expired continuation means is told; what is done then is the caller's.

use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::Request;
use kube::{Client, Resource};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Some of the objects of a collection.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Each as it was sent: in a list of a built-in kind without `apiVersion` and `kind`.
    pub(crate) objects: Vec<Box<RawValue>>,
    /// Where the next page begins; none after the last.
    pub(crate) next: Option<String>,
}

/// A page that can't be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// What the continuation refers to is compacted away, or it is none.
    #[error("the continuation no longer holds")]
    Expired {
        /// A continuation that holds: of the collection as it is now, from the same place on.
        instead: Option<String>,
    },
    /// The kind is not served, can't be listed, or not by us.
    #[error("the API server does not list them")]
    Unlisted(#[source] Box<kube::Error>),
    /// The API server does not answer, or not now.
    #[error("the API server does not answer")]
    Failed(#[source] Box<kube::Error>),
}

impl PageError {
    /// Whether the API server said so: it answers, for other kinds too.
    pub(crate) fn is_an_answer(&self) -> bool {
        match self {
            Self::Expired { .. } => true,
            Self::Unlisted(error) | Self::Failed(error) => matches!(error.as_ref(), kube::Error::Api(_)),
        }
    }
}

/// A list as every kind has it.
#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: Continuation,
    items: Option<Vec<Box<RawValue>>>,
}

#[derive(Default, Deserialize)]
struct Continuation {
    #[serde(rename = "continue")]
    token: Option<String>,
}

/// One page of all objects of a resource, in whatever namespace.
///
/// # Errors
/// If it can't be had, with what can be done about it.
pub(crate) async fn page(client: &Client, resource: &ApiResource, asked: &ListParams) -> Result<Page, PageError> {
    let collection = Request::new(DynamicObject::url_path(resource, None));
    let failed = |error: kube::Error| PageError::Failed(Box::new(error));
    let request = collection.list(asked).map_err(|error| failed(kube::Error::BuildRequest(error)))?;
    let list: List = client.request(request).await.map_err(|error| told(error, asked))?;
    let next = list.metadata.token.filter(|token| !token.is_empty());
    Ok(Page { objects: list.items.unwrap_or_default(), next })
}

/// What a refusal means to somebody who reads page by page. A continuation that the API server can't read is answered
/// with 400, one that is too old with 410 and, where it can be had, another.
fn told(error: kube::Error, asked: &ListParams) -> PageError {
    let kube::Error::Api(status) = &error else { return PageError::Failed(Box::new(error)) };
    match status.code {
        410 => {
            let instead = status.metadata.as_ref().and_then(|metadata| metadata.continue_.clone());
            PageError::Expired { instead: instead.filter(|token| !token.is_empty()) }
        }
        400 if asked.continue_token.is_some() => PageError::Expired { instead: None },
        403..=405 => PageError::Unlisted(Box::new(error)),
        _ => PageError::Failed(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use serde_json::json;

    use super::*;

    fn refused(status: serde_json::Value, continued: Option<&str>) -> PageError {
        let status: Status = serde_json::from_value(status).unwrap();
        let asked = ListParams { continue_token: continued.map(str::to_owned), ..ListParams::default() };
        told(kube::Error::Api(Box::new(status)), &asked)
    }

    #[test]
    fn an_expired_continuation_comes_with_another() {
        let status = json!({"code": 410, "reason": "Expired", "metadata": {"continue": "b"}});
        let PageError::Expired { instead } = refused(status, Some("a")) else { panic!() };
        assert_eq!(instead.as_deref(), Some("b"));
    }

    #[test]
    fn a_continuation_that_can_not_be_read_comes_with_none() {
        let status = json!({"code": 400, "reason": "BadRequest"});
        assert!(matches!(refused(status.clone(), Some("a")), PageError::Expired { instead: None }));
        assert!(matches!(refused(status, None), PageError::Failed(_)));
    }

    #[test]
    fn what_may_not_be_listed_is_told_from_what_does_not_answer() {
        for code in [403, 404, 405] {
            assert!(matches!(refused(json!({"code": code}), None), PageError::Unlisted(_)));
        }
        let failed = refused(json!({"code": 503}), None);
        assert!(matches!(failed, PageError::Failed(_)) && failed.is_an_answer());
    }
}
