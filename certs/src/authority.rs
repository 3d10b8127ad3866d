//! A certificate authority: makes itself and signs serving and client certificates. It keeps no files and reads no
//! clock.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber,
};
use rustls_pki_types::ServerName;
use time::OffsetDateTime;

use crate::certificate::{Certificate, CertificateError};
use crate::names::{CommonName, ServerNames};
use crate::pair::{Pair, PrivateKeyPem};
use crate::random::{RandomnessUnavailable, random_bytes};
use crate::validity::Validity;

/// A CA that signs leaves only (path length 0), with an ECDSA P-256 key.
///
/// ```
/// use std::time::Duration;
/// use portreeve_certs::{Authority, AuthorityOptions, CommonName, ServerNames, Validity};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let now = "2030-01-01T00:00:00Z".parse()?;
/// let year = Validity::starting(now, Duration::from_secs(365 * 86_400))?;
/// let ca = Authority::create(&AuthorityOptions { common_name: CommonName::parse("Example CA")?, validity: year })?;
/// let leaf = ca.issue_server(&ServerNames::parse(["localhost"])?, year)?;
/// assert!(leaf.certificate().signed_by(ca.certificate()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

/// What a new CA is called and how long it holds.
#[derive(Debug, Clone)]
pub struct AuthorityOptions {
    /// The subject's common name. Give every CA its own: with equal names a person can't tell them apart.
    pub common_name: CommonName,
    /// From when to when.
    pub validity: Validity,
}

impl Authority {
    /// Makes a CA with a new key, signed by itself.
    ///
    /// # Errors
    /// When there is no randomness or the key or certificate can't be made.
    pub fn create(options: &AuthorityOptions) -> Result<Self, IssueError> {
        let mut params = params(&options.common_name, &options.validity)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = new_key()?;
        let signed = params.self_signed(&key).map_err(IssueError::Make)?;
        let certificate = Certificate::parse(signed.der().clone())?;
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Takes up a CA made before, here or elsewhere.
    ///
    /// # Errors
    /// When the key can't be read or is not the certificate's.
    pub fn from_pair(certificate: Certificate, key: &PrivateKeyPem) -> Result<Self, IssueError> {
        let key = KeyPair::from_pem(key.expose()).map_err(IssueError::UnusableKey)?;
        if key.subject_public_key_info() != certificate.public_key() {
            return Err(IssueError::KeyMismatch { subject: certificate.subject().to_owned() });
        }
        let issuer = Issuer::from_ca_cert_der(certificate.der(), key).map_err(IssueError::Make)?;
        Ok(Self { issuer, certificate })
    }

    /// A serving certificate with a new key for all of `names`, cut to end no later than the CA.
    ///
    /// # Errors
    /// When the CA ends before the certificate would begin to be of use, or it can't be made.
    pub fn issue_server(&self, names: &ServerNames, validity: Validity) -> Result<Pair, IssueError> {
        let mut params = params(&CommonName::parse("Portreeve webhook")?, &self.limited(validity)?)?;
        params.subject_alt_names = names.iter().map(alternative_name).collect::<Result<_, _>>()?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// A client certificate with a new key, cut to end no later than the CA.
    ///
    /// # Errors
    /// As [`Authority::issue_server`].
    pub fn issue_client(&self, common_name: &CommonName, validity: Validity) -> Result<Pair, IssueError> {
        let mut params = params(common_name, &self.limited(validity)?)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// The CA's own certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The CA's own certificate and key, to be kept.
    pub fn pair(&self) -> Pair {
        Pair::new(self.certificate.clone(), PrivateKeyPem::new(self.issuer.key().serialize_pem()))
    }

    fn limited(&self, validity: Validity) -> Result<Validity, IssueError> {
        let limited = validity.within(self.certificate.validity());
        if limited.not_after() <= limited.issued_at() {
            return Err(IssueError::AuthorityEnds {
                subject: self.certificate.subject().to_owned(),
                at: self.certificate.validity().not_after(),
            });
        }
        Ok(limited)
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Pair, IssueError> {
        // `ExplicitNoCa` writes CA:FALSE and, unlike `NoCa`, the subject key identifier.
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = new_key()?;
        let signed = params.signed_by(&key, &self.issuer).map_err(IssueError::Make)?;
        Ok(Pair::new(Certificate::parse(signed.der().clone())?, PrivateKeyPem::new(key.serialize_pem())))
    }
}

/// API servers and load balancers of every age speak ECDSA P-256; Ed25519 they don't all.
fn new_key() -> Result<KeyPair, IssueError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(IssueError::Make)
}

fn params(common_name: &CommonName, validity: &Validity) -> Result<CertificateParams, IssueError> {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, common_name.as_str());
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.serial_number = Some(serial_number()?);
    params.not_before = date(validity.not_before())?;
    params.not_after = date(validity.not_after())?;
    Ok(params)
}

/// 16 random bytes, made positive and never beginning with a zero byte, as RFC 5280 (4.1.2.2) and DER ask.
fn serial_number() -> Result<SerialNumber, IssueError> {
    let mut bytes = random_bytes::<16>()?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

fn date(at: jiff::Timestamp) -> Result<OffsetDateTime, IssueError> {
    OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(|_| IssueError::Date { at })
}

fn alternative_name(name: &ServerName<'static>) -> Result<SanType, IssueError> {
    match name {
        ServerName::IpAddress(address) => Ok(SanType::IpAddress((*address).into())),
        other => other.to_str().into_owned().try_into().map(SanType::DnsName).map_err(IssueError::Make),
    }
}

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// No random bytes for the serial number.
    #[error(transparent)]
    Randomness(#[from] RandomnessUnavailable),
    /// The key or certificate could not be made.
    #[error("the certificate can't be made")]
    Make(#[source] rcgen::Error),
    /// The CA's key is not a private key that can sign.
    #[error("the CA's private key can't be used (PKCS#8 PEM with an ECDSA, Ed25519 or RSA key is)")]
    UnusableKey(#[source] rcgen::Error),
    /// The CA's key belongs to another certificate.
    #[error("the private key is not that of {subject}")]
    KeyMismatch {
        /// The CA's subject.
        subject: String,
    },
    /// The CA's end leaves no time.
    #[error("{subject} ends at {at}, too early to sign this; renew the CA first")]
    AuthorityEnds {
        /// The CA's subject.
        subject: String,
        /// Its last second.
        at: jiff::Timestamp,
    },
    /// A date that certificates can't state.
    #[error("{at} can't be written in a certificate")]
    Date {
        /// The date.
        at: jiff::Timestamp,
    },
    /// A name that certificates can't carry.
    #[error(transparent)]
    Name(#[from] crate::names::NameError),
    /// What was made can't be read back.
    #[error("the new certificate can't be read back")]
    Unreadable(#[from] CertificateError),
}
