//! How each step is done. Whatever comes first on disk is what must not be missing when the rest is: the bundle before
//! the signature, the list of leaves before the leaf, the token taken before the token registered.

use jiff::Timestamp;

use super::{Renewal, RotationPolicy, State, Tokens};
use crate::authority::{Authority, AuthorityOptions};
use crate::certificate::Certificate;
use crate::file::{self, FileError, Secrecy};
use crate::folder::{CertificateFolder, FolderError};
use crate::names::CommonName;
use crate::pem;
use crate::random::random_bytes;
use crate::staged::certificates_if_there;
use crate::token::{Token, TokenLog};
use crate::validity::Validity;

pub(super) fn apply(
    folder: &CertificateFolder,
    state: &State,
    step: &Renewal,
    now: Timestamp,
    policy: &RotationPolicy,
) -> Result<(), FolderError> {
    match step {
        Renewal::AuthorityAnnounced => announce_authority(folder, state, now, policy),
        Renewal::AuthorityPromoted => Ok(folder.authority().commit()?),
        Renewal::AuthorityRetired(which) => {
            let staying = state.bundle.iter().filter(|authority| authority.fingerprint() != *which);
            Ok(write_bundle(folder, staying)?)
        }
        Renewal::BundleRepaired => Ok(write_bundle(folder, state.bundle.iter().chain([&state.authority]))?),
        Renewal::LeafIssued(_) => issue_leaf(folder, now, policy),
        of_tokens => apply_to_tokens(folder, &state.tokens, of_tokens, now, policy),
    }
}

/// The same of the steps that tokens alone are planned.
pub(super) fn apply_to_tokens(
    folder: &CertificateFolder,
    tokens: &Tokens,
    step: &Renewal,
    now: Timestamp,
    policy: &RotationPolicy,
) -> Result<(), FolderError> {
    match step {
        Renewal::TokenAnnounced => announce_token(folder, tokens, now, policy),
        Renewal::TokenPromoted => promote_token(folder, tokens, now),
        Renewal::TokenRetired => Ok(write_tokens(folder, &tokens.log.clone().without_ended(now))?),
        _ => Ok(()),
    }
}

/// The first CA of a folder, which signs at once: nobody knows another.
pub(crate) fn create_authority(
    folder: &CertificateFolder,
    now: Timestamp,
    policy: &RotationPolicy,
) -> Result<(), FolderError> {
    let first = new_authority(now, policy)?;
    write_bundle(folder, [first.certificate()])?;
    folder.authority().stage(&first.pair())?;
    Ok(folder.authority().commit()?)
}

fn announce_authority(
    folder: &CertificateFolder,
    state: &State,
    now: Timestamp,
    policy: &RotationPolicy,
) -> Result<(), FolderError> {
    let next = new_authority(now, policy)?;
    folder.authority().stage(&next.pair())?;
    Ok(write_bundle(folder, state.bundle.iter().chain([next.certificate()]))?)
}

/// Each CA has a name of its own, so that a person and a client's log can tell the old from the new.
fn new_authority(now: Timestamp, policy: &RotationPolicy) -> Result<Authority, FolderError> {
    let generation = hex::encode(random_bytes::<4>()?);
    let options = AuthorityOptions {
        common_name: CommonName::parse(format!("Portreeve CA {generation}"))?,
        validity: Validity::starting(now, policy.authority())?,
    };
    Ok(Authority::create(&options)?)
}

fn issue_leaf(folder: &CertificateFolder, now: Timestamp, policy: &RotationPolicy) -> Result<(), FolderError> {
    let names = policy.names().ok_or(FolderError::NoNames)?;
    let pair = folder.signer()?.issue_server(names, Validity::starting(now, policy.leaf())?)?;
    enter_issued(folder, pair.certificate(), now)?;
    folder.leaf().stage(&pair)?;
    Ok(folder.leaf().commit()?)
}

/// Adds `leaf` to the list of what holds, and drops what no longer does. A lost list stays lost, except in a folder
/// that has no leaf yet: a list begun again would miss the leaves before it.
pub(crate) fn enter_issued(folder: &CertificateFolder, leaf: &Certificate, now: Timestamp) -> Result<(), FolderError> {
    let path = folder.issued();
    let known = certificates_if_there(&path)?;
    if known.is_none() && folder.leaf_certificate().exists() {
        return Ok(());
    }
    let holding = known.into_iter().flatten().filter(|leaf| leaf.validity().not_after() >= now);
    let list: Vec<Certificate> = holding.chain([leaf.clone()]).collect();
    Ok(file::write(&path, pem::encode_all(&list).as_bytes(), Secrecy::Public)?)
}

fn write_bundle<'a>(
    folder: &CertificateFolder,
    authorities: impl IntoIterator<Item = &'a Certificate>,
) -> Result<(), FileError> {
    file::write(&folder.bundle(), pem::encode_all(authorities).as_bytes(), Secrecy::Public)
}

/// The first token is registered at once, any other after one overlap; those before it are taken for two overlaps.
/// Where the list is lost, the token that is registered is the first of the new one: callers know it.
fn announce_token(
    folder: &CertificateFolder,
    tokens: &Tokens,
    now: Timestamp,
    policy: &RotationPolicy,
) -> Result<(), FolderError> {
    let after = |overlaps: u32| now.saturating_add(policy.overlap().saturating_mul(overlaps)).unwrap_or(Timestamp::MAX);
    let registered_from = if tokens.log.current(now).is_some() { after(1) } else { now };
    let known = tokens.registered.as_deref().filter(|_| tokens.log.newest().is_none());
    let token = known.and_then(|text| text.parse().ok()).map_or_else(Token::new, Ok)?;
    Ok(write_tokens(folder, &tokens.log.clone().announce(token, registered_from, after(2)))?)
}

fn promote_token(folder: &CertificateFolder, tokens: &Tokens, now: Timestamp) -> Result<(), FolderError> {
    match tokens.log.current(now) {
        Some(entry) => Ok(file::write(&folder.token(), entry.token.as_str().as_bytes(), Secrecy::Secret)?),
        None => Ok(()),
    }
}

fn write_tokens(folder: &CertificateFolder, tokens: &TokenLog) -> Result<(), FileError> {
    file::write(&folder.tokens(), tokens.to_string().as_bytes(), Secrecy::Secret)
}
