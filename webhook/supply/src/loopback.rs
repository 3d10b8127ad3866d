//! A real OCI registry on a loopback port whose images are made up: for the demo, which resolves the platforms' images
//! against it, and for tests.
//!
//! It speaks the reading half of the distribution protocol over plain HTTP, for as many registries as one likes: a
//! request with `?ns=<registry>` is answered with that registry's images, as a mirror does. It is not made to be
//! reached from anywhere else than this machine.

mod guard;
mod image;
mod serve;
mod store;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use guard::Guard;
pub use image::{FixtureImage, Shape};
pub use store::{Asked, Method};

use crate::reference::{Digest, RegistryHost};
use crate::settings::RegistryConfig;
use store::Store;

/// A registry that answers until it is dropped.
///
/// ```no_run
/// use portreeve_supply::loopback::{FixtureImage, LoopbackRegistry};
///
/// # async fn start() -> std::io::Result<()> {
/// let image = FixtureImage { user: Some("101".into()), ..FixtureImage::default() };
/// let images = [("docker.io/library/nginx".to_owned(), "1.27".to_owned(), image)];
/// let registry = LoopbackRegistry::start(images).await?;
/// println!("configure {} as a mirror of docker.io", registry.addr());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LoopbackRegistry {
    addr: SocketAddr,
    host: RegistryHost,
    store: Arc<Store>,
    serving: JoinHandle<()>,
}

/// Something that goes wrong at the registry, from when it is set until it is taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Every answer comes this much later.
    Slow(Duration),
    /// Every answer is this status, without a body.
    Status(u16),
    /// No answer ever comes.
    Hang,
    /// Bodies end in the middle, and the connection with them.
    CutBody,
    /// Bodies are not what their digests say.
    WrongBytes,
    /// HEAD is answered with 405.
    NoHead,
    /// `Content-Type` is that of a page.
    WrongType,
    /// `Docker-Content-Digest` is left out.
    NoDigestHeader,
    /// Every answer is a redirect to this URL.
    Redirect(String),
    /// Every answer is this page, as portals give it.
    Page(Vec<u8>),
}

impl LoopbackRegistry {
    /// Starts one on a free port of 127.0.0.1, with these images: repository, tag, image.
    ///
    /// A repository that is written with its registry (`docker.io/library/nginx`) is served when asked for with
    /// `?ns=docker.io`; one that is written without (`library/nginx`) when asked for without.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(images: impl IntoIterator<Item = (String, String, FixtureImage)>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let host = addr.to_string().parse().map_err(io::Error::other)?;
        let store = Arc::new(Store::new(addr));
        for (repository, tag, image) in images {
            store.tag(&repository, &tag, image.content(&repository));
        }
        let app = serve::app(Arc::clone(&store));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::warn!(%error, "the loopback registry ended");
            }
        });
        Ok(Self { addr, host, store, serving })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How it is named in images and in configurations.
    #[must_use]
    pub fn host(&self) -> &RegistryHost {
        &self.host
    }

    /// The configuration that lists it for images of its own.
    #[must_use]
    pub fn listed(&self) -> RegistryConfig {
        RegistryConfig { insecure: true, ..RegistryConfig::at(self.host.clone()) }
    }

    /// The configuration by which all images of another registry come from here, and never from there. [`Self::listed`]
    /// has to stand beside it.
    #[must_use]
    pub fn in_place_of(&self, registry: RegistryHost) -> RegistryConfig {
        RegistryConfig { mirrors: vec![self.host.clone()], mirror_only: true, ..RegistryConfig::at(registry) }
    }

    /// Makes a tag name this image, from now on, and returns the digest that it names. What it named before can still
    /// be had by digest.
    pub fn retag(&self, repository: &str, tag: &str, image: &FixtureImage) -> Digest {
        self.store.tag(repository, tag, image.content(repository))
    }

    /// Makes a tag name this policy module, and returns the digest that it names.
    pub fn module(&self, repository: &str, tag: &str, component: Vec<u8>) -> Digest {
        self.store.tag(repository, tag, image::module(component))
    }

    /// The digest that a tag names.
    #[must_use]
    pub fn digest(&self, repository: &str, tag: &str) -> Option<Digest> {
        self.store.digest(repository, tag)
    }

    /// From now on asks for this of whoever reads repositories that begin with `prefix`.
    pub fn protect(&self, prefix: &str, guard: Guard) {
        self.store.protect(prefix, guard);
    }

    /// From now on all of this goes wrong, and nothing else any more. Tokens are issued all the same.
    pub fn fault(&self, faults: impl IntoIterator<Item = Fault>) {
        self.store.set_faults(faults.into_iter().collect());
    }

    /// Every request since the start, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.store.asked()
    }
}

impl Drop for LoopbackRegistry {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
