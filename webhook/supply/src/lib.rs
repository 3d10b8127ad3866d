//! Facts about images: which digest a tag names, and what an image's own configuration says.
//!
//! [`Images`] is what the server asks. It answers either out of a [lock file](ImageLock), without any contact, or from
//! the [registries](Registries) that the [configuration](RegistriesConfig) lists, and from no others. What it answers
//! is a fact: nothing in here decides about a workload. [`Modules`] brings the code of policies from the same
//! registries.
//!
//! The module [`mod@reference`] is pure and is all that is left without the feature `registries`. The feature
//! `loopback-registry` adds a registry on a loopback port, for the demo and for tests.

pub mod reference;

#[cfg(feature = "registries")]
mod answers;
#[cfg(feature = "registries")]
pub mod https;
#[cfg(feature = "registries")]
mod image_config;
#[cfg(feature = "registries")]
mod images;
#[cfg(feature = "registries")]
mod lock;
#[cfg(feature = "loopback-registry")]
pub mod loopback;
#[cfg(feature = "registries")]
mod modules;
#[cfg(feature = "registries")]
pub mod registry;
#[cfg(feature = "registries")]
pub mod settings;

#[cfg(feature = "registries")]
pub use image_config::{ExposedPort, ExposedPortError, ImageConfig, Protocol};
#[cfg(feature = "registries")]
pub use images::{FactError, Freshness, Images, OpenError, Unresolved};
#[cfg(feature = "registries")]
pub use lock::{ImageLock, LockError, LockedImage, LockedImageFault, LockedOtherwise};
#[cfg(feature = "registries")]
pub use modules::{ModuleError, Modules, PulledModule};
#[cfg(feature = "registries")]
pub use registry::{Registries, ResolveError};
#[cfg(feature = "registries")]
pub use settings::RegistriesConfig;
