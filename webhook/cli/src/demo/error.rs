//! What can go wrong in the demo itself, each thing with its place. A workload that ends otherwise than expected is no
//! error: the report says so.

use std::path::PathBuf;

use portreeve_server::manifest::ReadErrors;

use crate::outcome::Failure;

/// A demo that could not be held.
#[derive(Debug, thiserror::Error)]
pub(super) enum DemoError {
    /// Neither a platform nor anything else.
    #[error("{} holds no platform: a platform is a folder with a folder `manifests` in it", .0.display())]
    NoPlatforms(PathBuf),
    /// A folder that can't be read.
    #[error("{} can't be read", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Manifests that can't be read.
    #[error("{0}")]
    Manifests(ReadErrors),
    /// `images.yaml` or `expected.yaml`.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Where in it, and what.
        reason: String,
    },
    /// An image that can't be one.
    #[error("{}: image {image:?}", path.display())]
    Image {
        /// `images.yaml`.
        path: PathBuf,
        /// As written.
        image: String,
        /// Why not.
        source: portreeve_supply::reference::ReferenceError,
    },
    /// A port of an image that is none.
    #[error("{}: image {image:?}", path.display())]
    Port {
        /// `images.yaml`.
        path: PathBuf,
        /// Whose.
        image: String,
        /// Why not.
        source: portreeve_supply::ExposedPortError,
    },
    /// Policies that can't be read.
    #[error("the platforms' policies can't be read")]
    Policies(#[source] portreeve_server::set::LoadError),
    /// The folder that was named is in use.
    #[error("{} is not empty; name another folder, or one that is not there yet", .0.display())]
    Taken(PathBuf),
    /// Our own files.
    #[error("{} can't be written", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The registry.
    #[error("the loopback registry can't be started")]
    Registry(#[source] std::io::Error),
    /// Names of the certificate.
    #[error("the names of the serving certificate")]
    Names(#[from] portreeve_certs::NameError),
    /// The certificates.
    #[error("the certificates can't be made")]
    Certificates(#[from] portreeve_certs::FolderError),
    /// The token of the path.
    #[error("the token of the path can't be read")]
    Token(#[from] portreeve_certs::TokenError),
    /// The server.
    #[error("the webhook can't be started")]
    Start(#[source] portreeve_server::serve::StartError),
    /// The server's end.
    #[error("the book could not be closed in order")]
    Stop(#[source] portreeve_ledger::Failure),
    /// Who is trusted.
    #[error("the CA that was just made is not taken")]
    Trust(#[source] rustls::Error),
    /// The HTTPS client.
    #[error("the HTTPS client can't be made")]
    Client(#[source] reqwest::Error),
    /// A call that came to nothing.
    #[error("{call} of {workload}")]
    Call {
        /// `/mutate` or `/validate`.
        call: &'static str,
        /// Kind, namespace and name.
        workload: String,
        /// Why.
        source: reqwest::Error,
    },
    /// An answer that is none.
    #[error("{call} of {workload} was answered with something that is no AdmissionReview: {reason}")]
    Answer {
        /// `/mutate` or `/validate`.
        call: &'static str,
        /// Kind, namespace and name.
        workload: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A patch that does not fit the object that it was made for.
    #[error("the patch for {workload} can't be applied")]
    Patch {
        /// Kind, namespace and name.
        workload: String,
        /// Why not.
        source: json_patch::PatchError,
    },
    /// A template that can't be read.
    #[error("{workload}")]
    Template {
        /// Kind, namespace and name.
        workload: String,
        /// Why not.
        source: portreeve_admission::subject::SubjectError,
    },
    /// The book.
    #[error("the book is not whole")]
    Book(#[from] portreeve_ledger::VerifyError),
}

impl DemoError {
    /// With its exit code: what the user named and can't be read is input.
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::NoPlatforms(_)
            | Self::Unreadable { .. }
            | Self::Manifests(_)
            | Self::File { .. }
            | Self::Image { .. }
            | Self::Port { .. }
            | Self::Policies(_)
            | Self::Taken(_) => Failure::input(self),
            _ => Failure::failed(self),
        }
    }
}
