//! Certificates: a CA, its leaves, rotation with overlap, reloading.
//!
//! What happens here:
//! - [`Authority`] makes a CA and signs serving and client certificates (ECDSA P-256).
//! - [`CertificateFolder`] keeps them on disk with safe permissions and rotates them, and the token in the registered
//!   webhook path, so that no client that holds the published bundle or path is ever turned away; the token alone
//!   where the certificate is somebody else's.
//! - [`FolderContents`] takes such a folder elsewhere and back.
//! - [`ServingCertificate`], [`Reloader`] and [`ClientAuthorities`] load what a TLS server needs and load it again when
//!   the files change; [`server_config`] puts them together.
//!
//! What does not: no thread, no timer and no file watch. The clock is always a parameter and the server polls
//! (`reload_if_changed`, [`PathTokens::load`], [`CertificateFolder::renew`]), since a watch misses what a poll can't:
//! the symlink swap of a mounted Secret, a network file system, an edit with an equal modification time. Nothing here
//! knows Kubernetes, and nothing touches the process-wide rustls provider. Unix only, since permissions are.
//!
//! ```
//! use portreeve_certs::{CertificateFolder, Existing, Reloader, RotationPolicy, ServerNames, server_config};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scratch = tempfile::tempdir()?;
//! let folder = CertificateFolder::new(scratch.path().join("tls"));
//! let policy = RotationPolicy::new(ServerNames::parse(["portreeve.portreeve.svc", "127.0.0.1"])?);
//! folder.create(jiff::Timestamp::now(), &policy, Existing::Keep)?;
//!
//! let reloader = std::sync::Arc::new(Reloader::open(folder.leaf_certificate(), folder.leaf_key())?);
//! let config = server_config(reloader.clone(), None)?;
//! # let _ = config;
//! # Ok(())
//! # }
//! ```

mod authority;
mod certificate;
mod clients;
mod contents;
mod expected;
mod file;
mod folder;
mod names;
mod pair;
mod pem;
mod random;
mod reload;
mod rotation;
mod serving;
mod staged;
mod status;
mod tls;
mod token;
mod validity;

pub use authority::{Authority, AuthorityOptions, IssueError};
pub use certificate::{Certificate, CertificateError, Fingerprint};
pub use clients::{AllowedClients, ClientAuthorities, ClientAuthoritiesError};
pub use contents::FolderContents;
pub use expected::{Expected, Objection};
pub use file::FileError;
pub use folder::{CertificateFolder, Existing, FolderError};
pub use names::{CommonName, NameError, ServerNames};
pub use pair::{Pair, PrivateKeyPem};
pub use pem::PemError;
pub use random::RandomnessUnavailable;
pub use reload::{Reload, Reloader};
pub use rotation::{Asked, LeafReason, PolicyError, Renewal, Rotation, RotationPolicy, Upcoming};
pub use serving::{ServingCertificate, ServingError, ValidityWarning};
pub use status::{CertificateStatus, Status};
pub use tls::{TlsError, server_config};
pub use token::{PathTokens, TokenError};
pub use validity::{BACKDATE, Validity, ValidityError};
