//! PEM text ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)) to certificates and back. Files are read elsewhere.

use base64::Engine;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::certificate::{Certificate, CertificateError};

/// The certificates in `text`, in order; other sections, such as keys, are passed over.
///
/// # Errors
/// When there is none, or one can't be read.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<Certificate>, PemError> {
    let ders = sections::<CertificateDer<'static>>(text)?;
    if ders.is_empty() {
        return Err(PemError::NoCertificate);
    }
    let numbered = ders.into_iter().zip(1..);
    numbered
        .map(|(der, number)| Certificate::parse(der).map_err(|source| PemError::Certificate { number, source }))
        .collect()
}

/// The sections of one kind in `text`, in order, perhaps none.
///
/// # Errors
/// When the text holds no PEM at all, or a broken section.
pub(crate) fn sections<T: PemObject>(text: &[u8]) -> Result<Vec<T>, PemError> {
    if !text.windows(BEGIN.len()).any(|window| window == BEGIN) {
        return Err(PemError::NotPem);
    }
    T::pem_slice_iter(text).collect::<Result<_, _>>().map_err(PemError::Malformed)
}

const BEGIN: &[u8] = b"-----BEGIN ";

/// One certificate as PEM, in lines of 64 characters.
pub(crate) fn encode(certificate: &CertificateDer<'_>) -> String {
    let mut rest = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    while !rest.is_empty() {
        let tail = rest.split_off(rest.len().min(64));
        text.push_str(&rest);
        text.push('\n');
        rest = tail;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// Several certificates as one PEM bundle.
pub(crate) fn encode_all<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> String {
    certificates.into_iter().map(|certificate| encode(certificate.der())).collect()
}

/// Text that does not hold the certificates it should.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// No `-----BEGIN` anywhere.
    #[error("it is not PEM: no line begins with -----BEGIN (DER and PKCS#12 files must be converted first)")]
    NotPem,
    /// A section that does not end or is not base64.
    #[error("its PEM is damaged: {0}")]
    Malformed(#[source] rustls_pki_types::pem::Error),
    /// PEM, but no certificate in it.
    #[error("it holds no certificate (no -----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// A section that is not an X.509 certificate.
    #[error("its certificate number {number} can't be read")]
    Certificate {
        /// Counted from 1.
        number: usize,
        /// Why.
        source: CertificateError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_garbage_from_pem() {
        assert!(matches!(certificates(b"\x00\x01garbage"), Err(PemError::NotPem)));
    }

    #[test]
    fn tells_a_key_from_a_certificate() {
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(matches!(certificates(key), Err(PemError::NoCertificate)));
    }

    #[test]
    fn refuses_a_section_without_an_end() {
        let cut = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert!(matches!(certificates(cut), Err(PemError::Malformed(_))));
    }

    #[test]
    fn names_the_certificate_that_is_none() {
        let wrong = encode(&CertificateDer::from(vec![1; 100]));
        assert!(matches!(certificates(wrong.as_bytes()), Err(PemError::Certificate { number: 1, .. })));
    }
}
