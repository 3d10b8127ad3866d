//! A certificate and what we need to know of it. It is read, not judged: chains and names are verified by rustls.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::error::X509Error;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::pem::{self, PemError};
use crate::validity::Validity;

/// An X.509 certificate with the facts read out of it. Two are equal when their bytes are.
#[derive(Debug, Clone)]
pub struct Certificate {
    der: CertificateDer<'static>,
    subject: String,
    common_name: Option<String>,
    issuer: String,
    serial: String,
    names: Vec<String>,
    for_servers: bool,
    validity: Validity,
    public_key: Vec<u8>,
}

impl Certificate {
    /// Reads a DER certificate.
    ///
    /// # Errors
    /// When it is not one, has bytes behind it, or states dates outside the years that exist.
    pub fn parse(der: CertificateDer<'static>) -> Result<Self, CertificateError> {
        let (rest, x509) = X509Certificate::from_der(&der).map_err(CertificateError::not_x509)?;
        if !rest.is_empty() {
            return Err(CertificateError::TrailingBytes { count: rest.len() });
        }
        let validity = Validity::stated(
            timestamp(x509.validity().not_before.timestamp())?,
            timestamp(x509.validity().not_after.timestamp())?,
        );
        let common_name = x509.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        Ok(Self {
            subject: x509.subject().to_string(),
            common_name: common_name.map(ToOwned::to_owned),
            issuer: x509.issuer().to_string(),
            serial: hex::encode(x509.raw_serial()),
            names: names(&x509),
            for_servers: is_for_servers(&x509),
            validity,
            public_key: x509.public_key().raw.to_vec(),
            der,
        })
    }

    /// Reads the certificates of a PEM text, in order.
    ///
    /// # Errors
    /// When it holds none or one can't be read.
    pub fn all_from_pem(text: &[u8]) -> Result<Vec<Self>, PemError> {
        pem::certificates(text)
    }

    /// Its bytes.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// As PEM text, ending in a line break.
    pub fn to_pem(&self) -> String {
        pem::encode(&self.der)
    }

    /// The subject, such as `CN=Portreeve CA 3f2a91c4`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The first common name of the subject, where there is one.
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The issuer, in the subject's form.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The serial number in hexadecimal, as `openssl x509 -serial` has it but in lower case.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// The DNS names and IP addresses it is for; empty for a CA or a client.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether a server may show it: its extended key usage says so, or says nothing (RFC 5280, 4.2.1.12).
    pub fn is_for_servers(&self) -> bool {
        self.for_servers
    }

    /// From when to when it holds.
    pub fn validity(&self) -> &Validity {
        &self.validity
    }

    /// SHA-256 of its DER bytes.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(&self.der).into())
    }

    /// The DER SubjectPublicKeyInfo, to compare with a private key's.
    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Whether `authority`'s key signed this. Dates are not looked at.
    pub fn signed_by(&self, authority: &Self) -> bool {
        self.signature_by(authority).is_some_and(|verified| verified.is_ok())
    }

    /// The same, but that a kind of signature that can't be verified here is taken for a good one.
    pub(crate) fn may_be_signed_by(&self, authority: &Self) -> bool {
        let verified = self.signature_by(authority);
        matches!(verified, Some(Ok(()) | Err(X509Error::SignatureUnsupportedAlgorithm)))
    }

    /// What came of verifying the signature with `authority`'s key; none where another is named as the issuer.
    fn signature_by(&self, authority: &Self) -> Option<Result<(), X509Error>> {
        let (_, this) = X509Certificate::from_der(&self.der).ok()?;
        let (_, other) = X509Certificate::from_der(&authority.der).ok()?;
        let named = this.issuer().as_raw() == other.subject().as_raw();
        named.then(|| this.verify_signature(Some(other.public_key())))
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

fn timestamp(seconds: i64) -> Result<Timestamp, CertificateError> {
    Timestamp::from_second(seconds).map_err(|_| CertificateError::ImpossibleDate { seconds })
}

fn names(x509: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = x509.subject_alternative_name() else { return Vec::new() };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn is_for_servers(x509: &X509Certificate<'_>) -> bool {
    match x509.extended_key_usage() {
        Ok(Some(usage)) => usage.value.server_auth || usage.value.any,
        _ => true,
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match (<[u8; 4]>::try_from(*bytes), <[u8; 16]>::try_from(*bytes)) {
            (Ok(v4), _) => Some(Ipv4Addr::from(v4).to_string()),
            (_, Ok(v6)) => Some(Ipv6Addr::from(v6).to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// The SHA-256 of a certificate's bytes; shown and serialized as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl serde::Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Bytes that are not a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not the DER of an X.509 certificate.
    #[error("it is not an X.509 certificate: {reason}")]
    NotX509 {
        /// The parser's words.
        reason: String,
    },
    /// A certificate with something behind it.
    #[error("{count} bytes follow the certificate in the same PEM section")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A date that no calendar has.
    #[error("it states a date that can't be ({seconds} seconds from 1970)")]
    ImpossibleDate {
        /// Seconds since 1970, as read.
        seconds: i64,
    },
}

impl CertificateError {
    fn not_x509(error: x509_parser::nom::Err<x509_parser::error::X509Error>) -> Self {
        Self::NotX509 { reason: error.to_string() }
    }
}
