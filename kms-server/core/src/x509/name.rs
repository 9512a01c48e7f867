//! Names as text (RFC 4514, which RFC 2253 was before), and their parts.

use kmip::StandardAttribute;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::Any;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode, Encode, Tag, Tagged};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::{Name, RelativeDistinguishedName};

/// A kind of part that KMIP has attributes for: its identifier, its short name, and the attributes of subject and issuer.
pub(crate) struct Part {
    identifier: ObjectIdentifier,
    short: &'static str,
    /// Where the part of a subject's name is kept.
    pub(crate) subject: StandardAttribute,
    /// Where the part of an issuer's name is kept.
    pub(crate) issuer: StandardAttribute,
}

macro_rules! parts {
    ($($identifier:literal $short:literal $subject:ident $issuer:ident;)*) => {
        const PARTS: &[Part] = &[$(Part {
            identifier: ObjectIdentifier::new_unwrap($identifier),
            short: $short,
            subject: StandardAttribute::$subject,
            issuer: StandardAttribute::$issuer,
        }),*];
    };
}

// In the order of KMIP 1.4 table 277, where its tags are.
#[rustfmt::skip]
parts! {
    "2.5.4.3"                    "CN"           CertificateSubjectCn           CertificateIssuerCn;
    "2.5.4.10"                   "O"            CertificateSubjectO            CertificateIssuerO;
    "2.5.4.11"                   "OU"           CertificateSubjectOu           CertificateIssuerOu;
    "1.2.840.113549.1.9.1"       "emailAddress" CertificateSubjectEmail        CertificateIssuerEmail;
    "2.5.4.6"                    "C"            CertificateSubjectC            CertificateIssuerC;
    "2.5.4.8"                    "ST"           CertificateSubjectSt           CertificateIssuerSt;
    "2.5.4.7"                    "L"            CertificateSubjectL            CertificateIssuerL;
    "0.9.2342.19200300.100.1.1"  "UID"          CertificateSubjectUid          CertificateIssuerUid;
    "2.5.4.5"                    "serialNumber" CertificateSubjectSerialNumber CertificateIssuerSerialNumber;
    "2.5.4.12"                   "title"        CertificateSubjectTitle        CertificateIssuerTitle;
    "0.9.2342.19200300.100.1.25" "DC"           CertificateSubjectDc           CertificateIssuerDc;
    "2.5.4.46"                   "dnQualifier"  CertificateSubjectDnQualifier  CertificateIssuerDnQualifier;
}

/// streetAddress, the one name of RFC 4514 that KMIP has no attribute for.
const STREET: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.9");

/// A name in DER as RFC 4514 writes it: the last part first.
pub(crate) fn text(name: &[u8]) -> String {
    let Ok(name) = Name::from_der(name) else { return String::new() };
    let relative = |relative: &RelativeDistinguishedName| -> String {
        relative.as_ref().iter().map(part_text).collect::<Vec<_>>().join("+")
    };
    let mut all: Vec<String> = name.iter_rdn().map(relative).collect();
    all.reverse();
    all.join(",")
}

/// The parts of a name in DER that KMIP has attributes for, in their order.
pub(crate) fn parts(name: &[u8]) -> Vec<(&'static Part, String)> {
    let Ok(name) = Name::from_der(name) else { return Vec::new() };
    name.iter().filter_map(|part| Some((known(part.oid)?, string(&part.value)?))).collect()
}

fn known(identifier: ObjectIdentifier) -> Option<&'static Part> {
    PARTS.iter().find(|part| part.identifier == identifier)
}

fn part_text(part: &AttributeTypeAndValue) -> String {
    let short = match known(part.oid) {
        Some(known) => Some(known.short),
        None => (part.oid == STREET).then_some("STREET"),
    };
    match (short, string(&part.value)) {
        (Some(short), Some(value)) => format!("{short}={}", escaped(&value)),
        _ => {
            let der = part.value.to_der().unwrap_or_default();
            let hexadecimal: String = der.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{}=#{hexadecimal}", part.oid)
        }
    }
}

/// The characters of a value, where it is one of the string types.
fn string(value: &Any) -> Option<String> {
    let bytes = value.value();
    match value.tag() {
        Tag::PrintableString | Tag::Utf8String | Tag::Ia5String | Tag::NumericString => {
            String::from_utf8(bytes.to_vec()).ok()
        }
        // T.61, which is used as if it were Latin 1.
        Tag::TeletexString => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString => {
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).collect::<Result<String, _>>().ok()
        }
        _ => None,
    }
}

/// RFC 4514 section 2.4.
fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (place, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', character]),
            '#' if place == 0 => text += "\\#",
            ' ' if place == 0 || place == last => text += "\\ ",
            '\0'..='\x1f' | '\x7f' => text += &format!("\\{:02X}", u32::from(character)),
            other => text.push(other),
        }
    }
    text
}

/// An alternative name as OpenSSL writes it: its kind, a colon, the name.
pub(super) fn general(name: &GeneralName) -> String {
    match name {
        GeneralName::Rfc822Name(address) => format!("email:{}", address.as_str()),
        GeneralName::DnsName(host) => format!("DNS:{}", host.as_str()),
        GeneralName::UniformResourceIdentifier(uri) => format!("URI:{}", uri.as_str()),
        GeneralName::DirectoryName(name) => format!("DirName:{}", text(&name.to_der().unwrap_or_default())),
        GeneralName::IpAddress(address) => format!("IP:{}", ip(address.as_bytes())),
        GeneralName::RegisteredId(identifier) => format!("RID:{identifier}"),
        GeneralName::OtherName(other) => format!("othername:{}", other.type_id),
        GeneralName::EdiPartyName(_) => "EdiPartyName".to_owned(),
    }
}

fn ip(bytes: &[u8]) -> String {
    let address = <[u8; 4]>::try_from(bytes).map(core::net::IpAddr::from);
    let address = address.or_else(|_| <[u8; 16]>::try_from(bytes).map(core::net::IpAddr::from));
    match address {
        Ok(address) => address.to_string(),
        Err(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn what_means_something_in_a_name_is_escaped() {
        for (value, text) in [
            ("plain", "plain"),
            ("a,b+c", "a\\,b\\+c"),
            ("#1", "\\#1"),
            ("a#1", "a#1"),
            (" in and out ", "\\ in and out\\ "),
            ("tab\tand\\", "tab\\09and\\\\"),
            ("", ""),
        ] {
            assert_eq!(escaped(value), text);
        }
    }

    #[test]
    fn a_name_is_written_last_part_first() {
        let name = Name::from_str("CN=EE,O=Kmip Test,C=AU").unwrap().to_der().unwrap();
        assert_eq!(text(&name), "CN=EE,O=Kmip Test,C=AU");
        let parts: Vec<_> = parts(&name).into_iter().map(|(part, value)| (part.subject, value)).collect();
        assert_eq!(parts.first(), Some(&(StandardAttribute::CertificateSubjectC, "AU".to_owned())));
        assert_eq!(parts.len(), 3);
    }

    #[test]
    fn a_part_without_a_short_name_is_written_by_its_numbers() {
        let name = Name::from_str("1.3.6.1.4.1.1466.0=#04024869,STREET=1 Way").unwrap().to_der().unwrap();
        assert_eq!(text(&name), "1.3.6.1.4.1.1466.0=#04024869,STREET=1 Way");
    }
}
