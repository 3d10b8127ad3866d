//! What a rotation knows: the folder's files, read and parsed, without the keys.

use crate::certificate::Certificate;
use crate::file::{self, Secrecy};
use crate::folder::{CertificateFolder, FolderError};
use crate::staged::{certificate_if_there, certificates_if_there};
use crate::token::TokenLog;

/// The folder at one moment.
#[derive(Clone)]
pub(crate) struct State {
    /// The CA that signs.
    pub(crate) authority: Certificate,
    /// The CA that will sign.
    pub(crate) announced: Option<Certificate>,
    /// What clients are told to trust.
    pub(crate) bundle: Vec<Certificate>,
    /// The serving certificate, where its key is there too.
    pub(crate) leaf: Option<Certificate>,
    /// Every leaf that still holds; `None` when the file is lost and nobody knows.
    pub(crate) issued: Option<Vec<Certificate>>,
    /// Its tokens.
    pub(crate) tokens: Tokens,
}

/// The tokens at one moment: all that there is to know where the certificate is somebody else's.
#[derive(Clone)]
pub(crate) struct Tokens {
    /// Every token taken.
    pub(crate) log: TokenLog,
    /// What the `token` file says to register.
    pub(crate) registered: Option<String>,
}

impl Tokens {
    pub(crate) fn load(folder: &CertificateFolder) -> Result<Self, FolderError> {
        let log = file::read_if_there(&folder.tokens(), Secrecy::Secret)?;
        let registered = file::read_if_there(&folder.token(), Secrecy::Secret)?;
        Ok(Self {
            log: log.map_or_else(|| Ok(TokenLog::default()), |bytes| TokenLog::parse(&bytes, &folder.tokens()))?,
            registered: registered.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        })
    }
}

impl State {
    pub(crate) fn load(folder: &CertificateFolder) -> Result<Self, FolderError> {
        let authority = certificate_if_there(&folder.authority().certificate)?;
        let leaf = folder.leaf();
        Ok(Self {
            authority: authority.ok_or_else(|| FolderError::NoAuthority { folder: folder.path().to_owned() })?,
            announced: certificate_if_there(&folder.authority().next_certificate)?,
            bundle: certificates_if_there(&folder.bundle())?.unwrap_or_default(),
            leaf: if leaf.key.exists() { certificate_if_there(&leaf.certificate)? } else { None },
            issued: certificates_if_there(&folder.issued())?,
            tokens: Tokens::load(folder)?,
        })
    }

    /// The CAs in the bundle that neither sign nor will: they stay for what they signed.
    pub(crate) fn retiring(&self) -> impl Iterator<Item = &Certificate> {
        let keeps =
            |authority: &Certificate| *authority == self.authority || self.announced.as_ref() == Some(authority);
        self.bundle.iter().filter(move |authority| !keeps(authority))
    }
}
