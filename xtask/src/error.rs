//! Why a command could not do its work. That a check failed is no such reason: that is an exit code.

use std::io;
use std::path::PathBuf;

use crate::image::ImageError;

/// A command that could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum XtaskError {
    /// No such command, or arguments where none belong.
    #[error("{0}")]
    Usage(&'static str),
    /// A program that did not start.
    #[error("{program} did not start: {error}")]
    Start {
        /// What was to run.
        program: String,
        /// Why it did not.
        #[source]
        error: io::Error,
    },
    /// A program that was asked something and failed.
    #[error("{program} failed: {complaint}")]
    Failed {
        /// What was run.
        program: String,
        /// What it said.
        complaint: String,
    },
    /// A file that could not be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A file that could not be written.
    #[error("{}: {error}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The programs of a control plane that can't be had.
    #[error("the programs of a control plane: {0}")]
    Assets(String),
    /// An image that can't be made.
    #[error("the image: {0}")]
    Image(#[from] Box<ImageError>),
    /// `cargo metadata` did not print what it is documented to print.
    #[error("cargo metadata: {0}")]
    Metadata(#[from] serde_json::Error),
}

impl From<ImageError> for XtaskError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Other(error) => *error,
            error => Self::Image(Box::new(error)),
        }
    }
}

impl XtaskError {
    /// 2 for a command that is not there, 1 for everything else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            _ => 1,
        }
    }
}
