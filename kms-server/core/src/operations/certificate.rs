//! What a certificate says of itself, as attributes that the server sets (KMIP 1.4 sections 3.4, 3.5 and 3.8 to 3.16).

use kmip::StandardAttribute;
use kmip::enumeration::{CertificateType, CryptographicAlgorithm};
use kmip::tag;
use ttlv::{Node, Tag, Value};

use crate::Refusal;
use crate::attributes::NewAttributes;
use crate::x509::{self, Certificate};

/// Sets the attributes that follow from a certificate, and refuses a request that says otherwise.
///
/// Fails with Invalid Field where an X.509 certificate is none.
pub(super) fn describe(
    certificate_type: CertificateType,
    bytes: &[u8],
    attributes: &mut NewAttributes,
) -> Result<(), Refusal> {
    use StandardAttribute::{CertificateLength, CertificateType as Type};
    let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    agree(attributes, Type, &Value::Enumeration(certificate_type.number()))?;
    agree(attributes, CertificateLength, &Value::Integer(length))?;
    if certificate_type == CertificateType::X509 {
        describe_x509(&read(bytes)?, attributes)?;
    }
    Ok(())
}

/// Reads an X.509 certificate that a client sent.
pub(super) fn read(bytes: &[u8]) -> Result<Certificate<'_>, Refusal> {
    Certificate::read(bytes).map_err(|error| {
        Refusal::invalid_field(format!(
            "the Certificate Value is no X.509 certificate ({error}); hint: send one certificate, in DER"
        ))
    })
}

fn describe_x509(certificate: &Certificate<'_>, attributes: &mut NewAttributes) -> Result<(), Refusal> {
    use StandardAttribute as A;
    let (algorithm, bits) = certificate.key();
    if let Some(algorithm) = algorithm {
        describe_algorithm(algorithm, attributes)?;
    }
    if let Some(bits) = bits {
        agree(attributes, A::CryptographicLength, &Value::Integer(bits))?;
    }
    if let Some(algorithm) = certificate.digital_signature_algorithm() {
        agree(attributes, A::DigitalSignatureAlgorithm, &Value::Enumeration(algorithm.number()))?;
    }
    let (issuer, subject) = (certificate.issuer, certificate.subject);
    let (issuer_text, subject_text) = (x509::text(issuer), x509::text(subject));
    let issuer_names = certificate.issuer_alternative_names();
    let subject_names = certificate.subject_alternative_names();
    let name = |tag, name: &[u8]| Node::new(tag, Value::ByteString(name.to_vec()));
    attributes.set(
        A::X509CertificateIdentifier,
        Value::Structure(vec![
            name(tag::ISSUER_DISTINGUISHED_NAME, issuer),
            name(tag::CERTIFICATE_SERIAL_NUMBER, certificate.serial_number),
        ]),
    );
    attributes.set(
        A::X509CertificateSubject,
        with_names(
            name(tag::SUBJECT_DISTINGUISHED_NAME, subject),
            tag::SUBJECT_ALTERNATIVE_NAME,
            subject_names.iter().map(|(der, _)| Value::ByteString(der.clone())),
        ),
    );
    attributes.set(
        A::X509CertificateIssuer,
        with_names(
            name(tag::ISSUER_DISTINGUISHED_NAME, issuer),
            tag::ISSUER_ALTERNATIVE_NAME,
            issuer_names.iter().map(|(der, _)| Value::ByteString(der.clone())),
        ),
    );
    // Deprecated since 1.1, and still served.
    attributes.set(
        A::CertificateIdentifier,
        Value::Structure(vec![
            text(tag::ISSUER, &issuer_text),
            text(tag::SERIAL_NUMBER, &certificate.serial_number_text()),
        ]),
    );
    attributes.set(
        A::CertificateSubject,
        with_names(
            text(tag::CERTIFICATE_SUBJECT_DISTINGUISHED_NAME, &subject_text),
            tag::CERTIFICATE_SUBJECT_ALTERNATIVE_NAME,
            subject_names.into_iter().map(|(_, text)| Value::TextString(text)),
        ),
    );
    attributes.set(
        A::CertificateIssuer,
        with_names(
            text(tag::CERTIFICATE_ISSUER_DISTINGUISHED_NAME, &issuer_text),
            tag::CERTIFICATE_ISSUER_ALTERNATIVE_NAME,
            issuer_names.into_iter().map(|(_, text)| Value::TextString(text)),
        ),
    );
    for (part, value) in x509::parts(subject) {
        attributes.add(part.subject, Value::TextString(value));
    }
    for (part, value) in x509::parts(issuer) {
        attributes.add(part.issuer, Value::TextString(value));
    }
    Ok(())
}

fn text(tag: Tag, text: &str) -> Node {
    Node::new(tag, Value::TextString(text.to_owned()))
}

fn with_names(first: Node, tag: Tag, names: impl Iterator<Item = Value>) -> Value {
    Value::Structure(std::iter::once(first).chain(names.map(|name| Node::new(tag, name))).collect())
}

/// A key on an elliptic curve may be called by what it is for.
fn describe_algorithm(found: CryptographicAlgorithm, attributes: &mut NewAttributes) -> Result<(), Refusal> {
    use CryptographicAlgorithm as A;
    let attribute = StandardAttribute::CryptographicAlgorithm;
    let asked = attributes.enumeration(attribute).map(A::from_number);
    let curve = |algorithm| matches!(algorithm, A::Ecdsa | A::Ecdh | A::Ecmqv | A::Ec);
    if asked.is_some_and(|asked| curve(asked) && curve(found)) {
        return Ok(());
    }
    agree(attributes, attribute, &Value::Enumeration(found.number()))
}

/// Sets an attribute to what the certificate says, which a request may repeat and not contradict.
fn agree(attributes: &mut NewAttributes, attribute: StandardAttribute, found: &Value) -> Result<(), Refusal> {
    if attributes.first(attribute).is_some_and(|asked| asked != found) {
        return Err(Refusal::invalid_field(format!(
            "the {} of the request is not that of the certificate; hint: leave it out",
            attribute.name()
        )));
    }
    attributes.set_if_absent(attribute, found.clone());
    Ok(())
}
