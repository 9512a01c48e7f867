//! Whether a client's certificate hangs on a registered authority.

use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509Ref, X509StoreContext};

use crate::der;
use crate::error::{Error, confirmed, while_doing};
use crate::inspect::{ANY_PURPOSE, CLIENT_AUTH};
use crate::name::name_text;
use crate::pem::certificate_from_der;
use crate::time::{to_unix, utc_text};

/// Most certificates between a client's own and the registered authority that are looked at.
pub const CHAIN_INTERMEDIATES_MAX: usize = 8;

/// Security bits that every key and signature below the authority must have, as OpenSSL's level 1 counts them:
/// 80, which leaves out MD5 and SHA-1 signatures and RSA below 1,024 bits. A client with an older certificate can
/// still be pinned, where no signature of another is believed.
const SECURITY_LEVEL: i32 = 1;

/// A certificate that does not hang on the registered authority. Subjects are printable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The peer sent more certificates than are looked at.
    #[error(
        "the peer sent {count} intermediate certificates, at most {} are looked at. hint: send only those between the client's and the authority",
        CHAIN_INTERMEDIATES_MAX
    )]
    TooManyIntermediates {
        /// How many came.
        count: usize,
    },
    /// A certificate of the chain has not begun.
    #[error("the certificate {subject} is not valid before {}, now is {}. hint: compare the clocks of both sides", utc_text(*not_before), utc_text(*now))]
    NotYetValid {
        /// Whose it is.
        subject: String,
        /// Its first second, Unix.
        not_before: i64,
        /// Now, Unix seconds.
        now: i64,
    },
    /// A certificate of the chain has ended.
    #[error("the certificate {subject} is not valid after {}, now is {}. hint: renew it", utc_text(*not_after), utc_text(*now))]
    Expired {
        /// Whose it is.
        subject: String,
        /// Its last second, Unix.
        not_after: i64,
        /// Now, Unix seconds.
        now: i64,
    },
    /// The chain ends before it reaches the registered authority.
    #[error(
        "the certificate {subject} was issued by {issuer}, expected a chain to {authority}. hint: register the issuer's certificate, or let the client send the ones between"
    )]
    OtherAuthority {
        /// Where the chain ends.
        subject: String,
        /// Who issued that one.
        issuer: String,
        /// The registered authority.
        authority: String,
    },
    /// It says whom it comes from, but that one's key did not sign it.
    #[error(
        "the certificate {subject} is not signed by the key of {issuer}, whom it names. hint: it was changed, or two authorities share one name"
    )]
    Signature {
        /// Whose it is.
        subject: String,
        /// Whom it names.
        issuer: String,
    },
    /// One of the chain was made for something else.
    #[error(
        "the certificate {subject} is for [{got}], expected clientAuth or no extended key usage. hint: issue a client certificate, or pin this one"
    )]
    Purpose {
        /// Whose it is.
        subject: String,
        /// Its extended key usages.
        got: String,
    },
    /// Anything else that OpenSSL does not accept in a chain.
    #[error(
        "the certificate {subject} is refused: {reason}. hint: issue it anew, or pin the client's own certificate"
    )]
    Refused {
        /// Whose it is.
        subject: String,
        /// OpenSSL's reason.
        reason: String,
    },
    /// A certificate that cannot be read, or OpenSSL failed.
    #[error(transparent)]
    Unreadable(#[from] Error),
}

/// Checks that a client's certificate hangs on a registered authority at `now` (Unix seconds), by way of the
/// certificates that the client sent along. All in DER, one certificate each.
///
/// The authority need not be self-signed: an issuing CA can be registered without its root. A certificate of any
/// purpose will do, but one with an extendedKeyUsage must say clientAuth or anyExtendedKeyUsage there, as must
/// those between it and the authority. Names are not compared with anything. The dates of the whole chain are
/// checked; OpenSSL counts the last second of a certificate as past, [`crate::check_dates`] does not.
pub fn verify_chain(
    leaf_der: &[u8],
    intermediates: &[impl AsRef<[u8]>],
    ca_der: &[u8],
    now: i64,
) -> Result<(), ChainError> {
    let chain = chain_to_authority(leaf_der, intermediates, ca_der, now)?;
    // The last is the authority: what it may sign is the operator's decision, who registered it.
    let below = chain.len().saturating_sub(1).max(1);
    chain.iter().take(below).try_for_each(|certificate| check_purpose(certificate))
}

/// A chain that holds: how long it is, and when all of it is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedChain {
    /// Certificates in it, from the leaf to the authority.
    pub certificates: usize,
    /// The latest first second of validity among them, Unix.
    pub not_before: i64,
    /// The earliest last second of validity among them, Unix.
    pub not_after: i64,
}

/// As [`verify_chain`], but a certificate made for servers alone will do too: an enterprise CA gives vCenter's
/// machine certificates no extendedKeyUsage or serverAuth alone, as VMware demands, and they come as clients.
pub fn verify_chain_of_any_purpose(
    leaf_der: &[u8],
    intermediates: &[impl AsRef<[u8]>],
    ca_der: &[u8],
    now: i64,
) -> Result<VerifiedChain, ChainError> {
    let chain = chain_to_authority(leaf_der, intermediates, ca_der, now)?;
    let mut verified = VerifiedChain { certificates: chain.len(), not_before: i64::MIN, not_after: i64::MAX };
    for certificate in &chain {
        verified.not_before = verified.not_before.max(to_unix(certificate.not_before())?);
        verified.not_after = verified.not_after.min(to_unix(certificate.not_after())?);
    }
    Ok(verified)
}

/// The leaf first, the authority last.
fn chain_to_authority(
    leaf_der: &[u8],
    intermediates: &[impl AsRef<[u8]>],
    ca_der: &[u8],
    now: i64,
) -> Result<Vec<X509>, ChainError> {
    if intermediates.len() > CHAIN_INTERMEDIATES_MAX {
        return Err(ChainError::TooManyIntermediates { count: intermediates.len() });
    }
    let leaf = certificate_from_der(leaf_der)?;
    let authority = certificate_from_der(ca_der)?;
    let authority_text = name_text(authority.subject_name());
    let between =
        intermediates.iter().map(|der| certificate_from_der(der.as_ref())).collect::<Result<Vec<_>, _>>()?;
    match verify(&leaf, between, authority, now).map_err(while_doing("checking a certificate chain"))? {
        Verdict::Chain(chain) => Ok(chain),
        Verdict::Refused { code, reason, at } => {
            Err(refusal(code, reason, at.as_deref().unwrap_or(&leaf), authority_text, now)?)
        }
    }
}

enum Verdict {
    /// The leaf first, the authority last.
    Chain(Vec<X509>),
    Refused {
        code: i32,
        reason: &'static str,
        at: Option<X509>,
    },
}

fn verify(leaf: &X509Ref, between: Vec<X509>, authority: X509, now: i64) -> Result<Verdict, ErrorStack> {
    let mut untrusted = Stack::new()?;
    between.into_iter().try_for_each(|certificate| untrusted.push(certificate))?;
    let store = store_at(authority, now)?;
    let mut context = X509StoreContext::new()?;
    context.init(&store, leaf, &untrusted, |context| {
        if confirmed(context.verify_cert()) {
            let chain = context.chain().map(|chain| chain.iter().map(|each| each.to_owned()).collect());
            return Ok(Verdict::Chain(chain.unwrap_or_default()));
        }
        let error = context.error();
        let at = context.current_cert().map(ToOwned::to_owned);
        Ok(Verdict::Refused { code: error.as_raw(), reason: error.error_string(), at })
    })
}

fn store_at(authority: X509, now: i64) -> Result<X509Store, ErrorStack> {
    let mut parameters = X509VerifyParam::new()?;
    parameters.set_time(now);
    parameters.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    parameters.set_purpose(X509PurposeId::ANY)?;
    parameters.set_auth_level(SECURITY_LEVEL);
    let mut store = X509StoreBuilder::new()?;
    store.set_param(&parameters)?;
    store.add_cert(authority)?;
    Ok(store.build())
}

fn check_purpose(certificate: &X509Ref) -> Result<(), ChainError> {
    let der = certificate.to_der().map_err(while_doing("writing a certificate as DER"))?;
    let Some(usages) = der::extended_key_usages(&der)? else { return Ok(()) };
    if usages.iter().any(|usage| usage == CLIENT_AUTH || usage == ANY_PURPOSE) {
        return Ok(());
    }
    Err(ChainError::Purpose { subject: name_text(certificate.subject_name()), got: usages.join(", ") })
}

/// OpenSSL's verdict (x509_vfy.h, X509_V_ERR_…) in our words.
fn refusal(code: i32, reason: &str, at: &X509Ref, authority: String, now: i64) -> Result<ChainError, Error> {
    const CERT_SIGNATURE_FAILURE: i32 = 7;
    const CERT_NOT_YET_VALID: i32 = 9;
    const CERT_HAS_EXPIRED: i32 = 10;
    const UNABLE_TO_GET_ISSUER_CERT: i32 = 2;
    const DEPTH_ZERO_SELF_SIGNED_CERT: i32 = 18;
    const SELF_SIGNED_CERT_IN_CHAIN: i32 = 19;
    const UNABLE_TO_GET_ISSUER_CERT_LOCALLY: i32 = 20;
    const UNABLE_TO_VERIFY_LEAF_SIGNATURE: i32 = 21;
    let subject = name_text(at.subject_name());
    let issuer = name_text(at.issuer_name());
    Ok(match code {
        CERT_NOT_YET_VALID => ChainError::NotYetValid { subject, not_before: to_unix(at.not_before())?, now },
        CERT_HAS_EXPIRED => ChainError::Expired { subject, not_after: to_unix(at.not_after())?, now },
        CERT_SIGNATURE_FAILURE => ChainError::Signature { subject, issuer },
        UNABLE_TO_GET_ISSUER_CERT
        | DEPTH_ZERO_SELF_SIGNED_CERT
        | SELF_SIGNED_CERT_IN_CHAIN
        | UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        | UNABLE_TO_VERIFY_LEAF_SIGNATURE => ChainError::OtherAuthority { subject, issuer, authority },
        _ => ChainError::Refused { subject, reason: reason.to_owned() },
    })
}
