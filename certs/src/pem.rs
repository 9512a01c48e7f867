//! PEM: which block a text holds, and the certificates in it.

use openssl::x509::X509;

use crate::error::{Error, unreadable};
use crate::name::printable;

/// Most bytes of PEM that are read: room for every certificate of a long chain.
pub const PEM_BYTES_MAX: usize = 1_048_576;

/// Most certificates that one PEM file may hold.
pub const CERTIFICATES_MAX: usize = 128;

/// The certificates of a PEM text as DER, in the file's order. Blocks of other kinds are passed over.
///
/// Fails when there is no certificate, when one cannot be read, and beyond [`PEM_BYTES_MAX`] or
/// [`CERTIFICATES_MAX`].
pub fn certificates_from_pem(text: &str) -> Result<Vec<Vec<u8>>, Error> {
    certificates(text)?
        .iter()
        .map(|certificate| certificate.to_der().map_err(unreadable("certificate")))
        .collect()
}

/// The same, parsed. At least one.
pub(crate) fn certificates(text: &str) -> Result<Vec<X509>, Error> {
    let text = expect_label(text, "CERTIFICATE", is_certificate)?;
    let found = X509::stack_from_pem(text.as_bytes()).map_err(unreadable("certificate"))?;
    if found.len() > CERTIFICATES_MAX {
        return Err(Error::TooLarge {
            what: "PEM file",
            size: found.len(),
            size_max: CERTIFICATES_MAX,
            unit: "certificates",
        });
    }
    if found.is_empty() {
        let reason = "its PEM block does not end".to_owned();
        return Err(Error::Unreadable { what: "certificate", reason });
    }
    Ok(found)
}

/// The first certificate of a PEM text.
pub(crate) fn first_certificate(text: &str) -> Result<X509, Error> {
    certificates(text)?.into_iter().next().ok_or(Error::NotPem { expected: "CERTIFICATE" })
}

/// One certificate from DER, with nothing after it: OpenSSL alone would pass over bytes that follow.
pub(crate) fn certificate_from_der(der: &[u8]) -> Result<X509, Error> {
    check_size(der.len())?;
    let certificate = X509::from_der(der).map_err(unreadable("certificate"))?;
    let length = certificate.to_der().map_err(unreadable("certificate"))?.len();
    if length != der.len() {
        let reason = format!("it has {length} bytes, {} were given", der.len());
        return Err(Error::Unreadable { what: "certificate", reason });
    }
    Ok(certificate)
}

/// Checks that a PEM text holds a block of the kind looked for, and gives the text without the byte order mark
/// that some editors put first.
pub(crate) fn expect_label<'a>(
    text: &'a str,
    expected: &'static str,
    fits: impl Fn(&str) -> bool,
) -> Result<&'a str, Error> {
    check_size(text.len())?;
    let text = text.trim_start_matches('\u{feff}');
    let mut labels = labels(text).peekable();
    match labels.peek().copied() {
        None => Err(Error::NotPem { expected }),
        Some(_) if labels.any(fits) => Ok(text),
        Some(first) => Err(Error::WrongPem { expected, got: printable(first) }),
    }
}

fn is_certificate(label: &str) -> bool {
    matches!(label, "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE")
}

fn labels(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.trim_end().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
}

fn check_size(size: usize) -> Result<(), Error> {
    if size > PEM_BYTES_MAX {
        return Err(Error::TooLarge { what: "file", size, size_max: PEM_BYTES_MAX, unit: "bytes" });
    }
    Ok(())
}
