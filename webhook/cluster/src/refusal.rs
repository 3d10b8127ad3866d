//! What an API server answered, in its own words: the client would tell every field of the answer.

use std::error::Error;

/// The words of an API server that refused something, if that is this cause of an error.
#[must_use]
pub fn words<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a str> {
    let boxed = || cause.downcast_ref::<Box<kube::Error>>().map(AsRef::as_ref);
    match cause.downcast_ref::<kube::Error>().or_else(boxed)? {
        kube::Error::Api(status) => Some(&status.message),
        _ => None,
    }
}

/// An error for whoever waits for a request that it spoils: what came between us and the API server is the operator's.
#[must_use]
pub fn plainly(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::Service(_) | kube::Error::HyperError(_) => "the API server could not be reached".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_refusal_is_told_from_other_errors_boxed_or_not() {
        let refused = || kube::Error::Api(Status::failure("no such namespace", "NotFound").with_code(404).boxed());
        let (plain, boxed) = (refused(), Box::new(refused()));
        assert_eq!((words(&plain), words(&boxed)), (Some("no such namespace"), Some("no such namespace")));
        assert_eq!(words(&kube::Error::LinesCodecMaxLineLengthExceeded), None);
    }

    #[test]
    fn whoever_waits_is_told_nothing_of_the_client() {
        let cut = kube::Error::Service("client error (Connect)".into());
        assert_eq!(plainly(&cut), "the API server could not be reached");
        let forbidden =
            kube::Error::Api(Status::failure("namespaces is forbidden", "Forbidden").with_code(403).boxed());
        assert_eq!(plainly(&forbidden), "namespaces is forbidden");
    }
}
