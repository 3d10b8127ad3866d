//! Why an image could not be made. That a check of it failed is no such reason: that is a finding.

use std::path::PathBuf;

use crate::error::XtaskError;

/// An image that could not be made, or not be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// The machine builds programs for another system.
    #[error(
        "an image holds a program for Linux, and this machine builds for {triple}; run it on Linux, or in a container"
    )]
    NotLinux {
        /// What it builds for.
        triple: String,
    },
    /// Somebody's files lie where the image should.
    #[error("{} is not empty; name a folder that is, or one that is not there yet", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// The program does not compile.
    #[error("the program could not be built; what cargo said stands above")]
    Build,
    /// cargo compiled it and did not say where it is.
    #[error("cargo did not say where the program is that it built")]
    NoProgram,
    /// A program did not print what it is documented to print.
    #[error("{program} printed what can't be read: {printed:?}")]
    Unreadable {
        /// The program.
        program: &'static str,
        /// The line.
        printed: String,
    },
    /// `Cargo.lock` can't be read.
    #[error("Cargo.lock: {0}")]
    Lock(#[from] toml::de::Error),
    /// The program is of no package that cargo knows.
    #[error("cargo knows no package {name}, which the image is of")]
    NoPackage {
        /// The package.
        name: &'static str,
    },
    /// A document of the image can't be made.
    #[error("a document of the image: {0}")]
    Document(#[from] oci_spec::OciSpecError),
    /// A document of the image can't be written as JSON.
    #[error("a document of the image as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Neither file nor folder.
    #[error("{} is neither a file nor a folder, and nothing else belongs into the image", path.display())]
    Kind {
        /// Where it is.
        path: PathBuf,
    },
    /// A file, a folder or a socket.
    #[error(transparent)]
    Other(#[from] Box<XtaskError>),
}

impl From<XtaskError> for ImageError {
    fn from(error: XtaskError) -> Self {
        Self::Other(Box::new(error))
    }
}
