//! The few fields of a certificate that OpenSSL's Rust binding does not give: public key bytes as they stand,
//! extensions by identifier. Borrows, copies nothing, reads any X.509 version.

use crate::error::Error;

/// The public key of a certificate, exactly as it stands there, in the parts that a signature check takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectPublicKey<'a> {
    /// What is inside the AlgorithmIdentifier's SEQUENCE: algorithm and parameters in DER, without its header.
    pub algorithm_identifier_der_content: &'a [u8],
    /// The key's BIT STRING without the byte that counts unused bits.
    pub key_bytes: &'a [u8],
}

/// The public key of a certificate in DER, X.509 version 1 included, which TLS libraries often refuse to read.
pub fn spki(der: &[u8]) -> Result<SubjectPublicKey<'_>, Error> {
    read(der).map(|fields| fields.public_key).ok_or_else(not_a_certificate)
}

/// extendedKeyUsage (RFC 5280 section 4.2.1.12).
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// basicConstraints (RFC 5280 section 4.2.1.9).
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];

/// The purposes of a certificate, as dotted numbers or the names RFC 5280 gives them; `None` without the
/// extension, which means any purpose.
pub(crate) fn extended_key_usages(der: &[u8]) -> Result<Option<Vec<String>>, Error> {
    let fields = read(der).ok_or_else(not_a_certificate)?;
    let Some(value) = fields.extension(EXTENDED_KEY_USAGE)? else { return Ok(None) };
    let mut usages = Vec::new();
    let mut items = Items(value).expect(SEQUENCE).map(Items).ok_or_else(not_a_certificate)?;
    while !items.0.is_empty() {
        usages.push(usage_text(items.expect(OBJECT_IDENTIFIER).ok_or_else(not_a_certificate)?));
    }
    Ok(Some(usages))
}

/// Whether basicConstraints says CA:TRUE. Version 1 certificates cannot say so.
pub(crate) fn is_ca(der: &[u8]) -> Result<bool, Error> {
    let fields = read(der).ok_or_else(not_a_certificate)?;
    let Some(value) = fields.extension(BASIC_CONSTRAINTS)? else { return Ok(false) };
    let mut items = Items(value).expect(SEQUENCE).map(Items).ok_or_else(not_a_certificate)?;
    Ok(items.optional(BOOLEAN).is_some_and(|value| value != [0]))
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// `[0]`, the version: absent in version 1.
const VERSION: u8 = 0xa0;
const ISSUER_UNIQUE_ID: u8 = 0x81;
const SUBJECT_UNIQUE_ID: u8 = 0x82;
const EXTENSIONS: u8 = 0xa3;

/// Fields of TBSCertificate (RFC 5280 section 4.1).
struct Fields<'a> {
    public_key: SubjectPublicKey<'a>,
    extensions: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The value of an extension; the first, should there be two.
    fn extension(&self, identifier: &[u8]) -> Result<Option<&'a [u8]>, Error> {
        let mut rest = Items(self.extensions);
        while !rest.0.is_empty() {
            let mut extension = rest.expect(SEQUENCE).map(Items).ok_or_else(not_a_certificate)?;
            let found = extension.expect(OBJECT_IDENTIFIER).ok_or_else(not_a_certificate)?;
            extension.optional(BOOLEAN);
            let value = extension.expect(OCTET_STRING).ok_or_else(not_a_certificate)?;
            if found == identifier {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}

fn read(der: &[u8]) -> Option<Fields<'_>> {
    let mut whole = Items(der);
    let mut certificate = Items(whole.expect(SEQUENCE)?);
    if !whole.0.is_empty() {
        return None;
    }
    let mut tbs = Items(certificate.expect(SEQUENCE)?);
    tbs.optional(VERSION);
    tbs.expect(INTEGER)?;
    for _signature_issuer_validity_subject in 0..4 {
        tbs.expect(SEQUENCE)?;
    }
    let mut key = Items(tbs.expect(SEQUENCE)?);
    let algorithm_identifier_der_content = key.expect(SEQUENCE)?;
    let (&unused_bits, key_bytes) = key.expect(BIT_STRING)?.split_first()?;
    if unused_bits != 0 {
        return None;
    }
    tbs.optional(ISSUER_UNIQUE_ID);
    tbs.optional(SUBJECT_UNIQUE_ID);
    let extensions = match tbs.optional(EXTENSIONS) {
        Some(wrapped) => Items(wrapped).expect(SEQUENCE)?,
        None => &[],
    };
    Some(Fields { public_key: SubjectPublicKey { algorithm_identifier_der_content, key_bytes }, extensions })
}

/// DER items one after the other.
struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() == Some(&tag) { self.expect(tag) } else { None }
    }

    /// The content of the next item, which must have this tag. Lengths in at most four bytes.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        if found != tag {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0_usize, |length, &byte| length << 8 | usize::from(byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }
}

/// id-kp (RFC 5280 section 4.2.1.12), before the last number.
const KEY_PURPOSES: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03];

fn usage_text(identifier: &[u8]) -> String {
    let known = match identifier.strip_prefix(KEY_PURPOSES) {
        Some([1]) => "serverAuth",
        Some([2]) => "clientAuth",
        Some([3]) => "codeSigning",
        Some([4]) => "emailProtection",
        Some([8]) => "timeStamping",
        Some([9]) => "OCSPSigning",
        _ if identifier == [0x55, 0x1d, 0x25, 0x00] => "anyExtendedKeyUsage",
        _ => return dotted(identifier),
    };
    known.to_owned()
}

/// `1.3.6.1…` of an object identifier's content (X.690 section 8.19).
fn dotted(identifier: &[u8]) -> String {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number = 0_u64;
    for &byte in identifier {
        number = number.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if numbers.is_empty() {
            let first = (number / 40).min(2);
            numbers.push(first);
            number -= first * 40;
        }
        numbers.push(number);
        number = 0;
    }
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}

fn not_a_certificate() -> Error {
    Error::Unreadable { what: "certificate", reason: "its DER is not that of X.509".to_owned() }
}
