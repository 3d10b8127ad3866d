//! How long a call of the API server may take. Whoever leads must hear of one that hangs, and try again, or a duty
//! would stand still for as long as he leads. A watch is there to last: it has to begin in time, and `kube` looks after
//! the rest.

use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Collected, Either};
use hyper::body::{Body as HttpBody, Bytes};
use hyper::{Request, Response};
use kube::client::Body;
use tokio::time::timeout;
use tower::{BoxError, Layer, Service};

/// Longer than any call takes that comes to something.
const LONGEST: Duration = Duration::from_secs(30);

/// Lets no call take longer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline;

/// Whoever makes calls, held to a deadline.
#[derive(Debug, Clone)]
pub(crate) struct InTime<S>(S);

/// A call that took too long.
#[derive(Debug, thiserror::Error)]
#[error("the API server did not answer within {} seconds", LONGEST.as_secs())]
struct Late;

impl<S> Layer<S> for Deadline {
    type Service = InTime<S>;

    fn layer(&self, inner: S) -> InTime<S> {
        InTime(inner)
    }
}

impl<S, B> Service<Request<Body>> for InTime<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Either<Collected<Bytes>, B>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let lasts = is_watch(&request);
        let answer = self.0.call(request);
        let whole = async move {
            let (head, body) = answer.await.map_err(Into::into)?.into_parts();
            let body = match lasts {
                true => Either::Right(body),
                false => Either::Left(body.collect().await.map_err(Into::into)?),
            };
            Ok(Response::from_parts(head, body))
        };
        timeout(LONGEST, whole).map(|answer| answer.unwrap_or_else(|_| Err(Late.into()))).boxed()
    }
}

fn is_watch(request: &Request<Body>) -> bool {
    request.uri().query().is_some_and(|query| query.split('&').any(|parameter| parameter == "watch=true"))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::stream::{self, StreamExt as _};
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::WatchParams;
    use kube::{Api, Client};
    use tokio::time::{Instant, sleep};
    use tower::service_fn;

    use super::*;

    type Never = std::convert::Infallible;

    fn client<S, B>(answers: S) -> Client
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Never> + Send + 'static,
        S::Future: Send + 'static,
        B: HttpBody<Data = Bytes, Error = Never> + Send + 'static,
    {
        Client::new(Deadline.layer(answers), "default")
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_answer_ends() {
        let silent = client(service_fn(|_| pending::<Result<Response<Collected<Bytes>>, Never>>()));
        let begun = Instant::now();
        let error = Api::<ConfigMap>::default_namespaced(silent).get("any").await.unwrap_err();
        assert_eq!(begun.elapsed(), LONGEST);
        assert!(format!("{error:?}").contains("Late"), "{error:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_answer_breaks_off_halfway_ends() {
        let half = || stream::iter([Ok::<_, Never>(Frame::data(Bytes::from_static(b"{")))]).chain(stream::pending());
        let stuck = client(service_fn(move |_| async move { Ok(Response::new(StreamBody::new(half()))) }));
        let begun = Instant::now();
        assert!(Api::<ConfigMap>::default_namespaced(stuck).get("any").await.is_err());
        assert_eq!(begun.elapsed(), LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_lives_on_and_tells_what_comes_later() {
        const EVENT: &[u8] = b"{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"any\"}}}\n";
        let late = || {
            stream::once(async {
                sleep(4 * LONGEST).await;
                Ok::<_, Never>(Frame::data(Bytes::from_static(EVENT)))
            })
        };
        let slow = client(service_fn(move |_| async move { Ok(Response::new(StreamBody::new(late()))) }));
        let watched = Api::<ConfigMap>::default_namespaced(slow).watch(&WatchParams::default(), "0").await.unwrap();
        let told: Vec<_> = watched.collect().await;
        assert!(matches!(told.as_slice(), [Ok(_)]), "{told:?}");
    }
}
