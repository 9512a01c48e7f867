//! Certificates as clients bring them and as no profile makes them, for tests only (feature
//! `test-certificates`). Keys are P-256; `now` is Unix seconds.

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Name, X509Req};

use crate::authority::{pem_of, public_half};
use crate::error::{Error, while_doing};
use crate::issue::Issued;
use crate::key::{KeyKind, PrivateKeyPem};
use crate::time::DAY_S;

const DOING: &str = "making a test certificate";

/// Self-signed, version 3, no extension at all: what vCenter makes for itself, with a CN such as
/// `kmipClient20161127094708`.
pub fn self_signed_client(common_name: &str, now: i64) -> Result<Issued, Error> {
    self_signed(&Odd {
        common_name,
        version: 3,
        ca: false,
        usage: None,
        from: now - DAY_S,
        to: now + 365 * DAY_S,
    })
}

/// Self-signed, X.509 version 1: what old clients have, and what TLS libraries refuse to read.
pub fn x509_v1(common_name: &str, now: i64) -> Result<Issued, Error> {
    self_signed(&Odd {
        common_name,
        version: 1,
        ca: false,
        usage: None,
        from: now - DAY_S,
        to: now + 365 * DAY_S,
    })
}

/// Self-signed with CA:TRUE, used as a client certificate all the same.
pub fn self_signed_ca_leaf(common_name: &str, now: i64) -> Result<Issued, Error> {
    self_signed(&Odd {
        common_name,
        version: 3,
        ca: true,
        usage: None,
        from: now - DAY_S,
        to: now + 365 * DAY_S,
    })
}

/// Self-signed, ended one second before now.
pub fn expired(common_name: &str, now: i64) -> Result<Issued, Error> {
    self_signed(&Odd {
        common_name,
        version: 3,
        ca: false,
        usage: None,
        from: now - 365 * DAY_S,
        to: now - 1,
    })
}

/// Self-signed, begins one second after now.
pub fn not_yet_valid(common_name: &str, now: i64) -> Result<Issued, Error> {
    self_signed(&Odd {
        common_name,
        version: 3,
        ca: false,
        usage: None,
        from: now + 1,
        to: now + 365 * DAY_S,
    })
}

/// A chain of three: a root, an issuing authority under it, a client under that. `usage` is the client's
/// extendedKeyUsage as a dotted number, `None` for none. Roots first.
pub fn chain_of_three(usage: Option<&str>, now: i64) -> Result<[Issued; 3], Error> {
    let odd = |common_name, ca| Odd {
        common_name,
        version: 3,
        ca,
        usage: None,
        from: now - DAY_S,
        to: now + 365 * DAY_S,
    };
    let make = || -> Result<_, ErrorStack> {
        let keys = || KeyKind::P256.generate().map_err(|_| ErrorStack::get());
        let (root_key, issuing_key, client_key) = (keys()?, keys()?, keys()?);
        let root = build(&odd("root.example.test", true), &root_key, None)?;
        let issuing = build(&odd("issuing.example.test", true), &issuing_key, Some((&root, &root_key)))?;
        let client = Odd { usage, ..odd("client.example.test", false) };
        let client = build(&client, &client_key, Some((&issuing, &issuing_key)))?;
        Ok([(root, root_key), (issuing, issuing_key), (client, client_key)])
    };
    let [root, issuing, client] = make().map_err(while_doing(DOING))?;
    let issued = |(certificate, key): (X509, PKey<Private>)| {
        Ok::<_, Error>(Issued { cert_pem: pem_of(&certificate)?, key_pem: PrivateKeyPem::of(&key)? })
    };
    Ok([issued(root)?, issued(issuing)?, issued(client)?])
}

/// A request in PEM and its key. It asks for more than a client may have: CA:TRUE and a name that is not its own.
pub fn signing_request(common_name: &str, kind: KeyKind) -> Result<(String, PrivateKeyPem), Error> {
    let key = kind.generate()?;
    let request = build_request(common_name, &key).map_err(while_doing(DOING))?;
    let pem = String::from_utf8_lossy(&request.to_pem().map_err(while_doing(DOING))?).into_owned();
    Ok((pem, PrivateKeyPem::of(&key)?))
}

struct Odd<'a> {
    common_name: &'a str,
    version: i32,
    ca: bool,
    usage: Option<&'a str>,
    from: i64,
    to: i64,
}

fn self_signed(odd: &Odd<'_>) -> Result<Issued, Error> {
    let key = KeyKind::P256.generate()?;
    let certificate = build(odd, &key, None).map_err(while_doing(DOING))?;
    Ok(Issued { cert_pem: pem_of(&certificate)?, key_pem: PrivateKeyPem::of(&key)? })
}

fn build(
    odd: &Odd<'_>,
    key: &PKey<Private>,
    issuer: Option<(&X509, &PKey<Private>)>,
) -> Result<X509, ErrorStack> {
    let subject = name(odd.common_name)?;
    let mut certificate = X509::builder()?;
    certificate.set_version(odd.version - 1)?;
    certificate.set_serial_number(serial()?.as_ref())?;
    certificate.set_subject_name(&subject)?;
    certificate.set_issuer_name(issuer.map_or(subject.as_ref(), |(issuer, _)| issuer.subject_name()))?;
    certificate.set_not_before(Asn1Time::from_unix(odd.from)?.as_ref())?;
    certificate.set_not_after(Asn1Time::from_unix(odd.to)?.as_ref())?;
    let public = public_half(key).map_err(|_| ErrorStack::get())?;
    certificate.set_pubkey(&public)?;
    if odd.ca {
        certificate.append_extension(BasicConstraints::new().critical().ca().build()?)?;
    }
    if let Some(usage) = odd.usage {
        certificate.append_extension(ExtendedKeyUsage::new().other(usage).build()?)?;
    }
    certificate.sign(issuer.map_or(key, |(_, key)| key), MessageDigest::sha256())?;
    Ok(certificate.build())
}

fn build_request(common_name: &str, key: &PKey<Private>) -> Result<X509Req, ErrorStack> {
    let mut request = X509Req::builder()?;
    request.set_version(0)?;
    if !common_name.is_empty() {
        request.set_subject_name(name(common_name)?.as_ref())?;
    }
    let public = public_half(key).map_err(|_| ErrorStack::get())?;
    request.set_pubkey(&public)?;
    let mut wanted = Stack::new()?;
    wanted.push(BasicConstraints::new().critical().ca().build()?)?;
    let context = request.x509v3_context(None);
    wanted.push(SubjectAlternativeName::new().dns("not-mine.example.test").build(&context)?)?;
    request.add_extensions(&wanted)?;
    request.sign(key, MessageDigest::sha256())?;
    Ok(request.build())
}

fn name(common_name: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
    Ok(name.build())
}

fn serial() -> Result<Asn1Integer, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(63, MsbOption::ONE, false)?;
    serial.to_asn1_integer()
}
