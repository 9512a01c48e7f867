//! Names: subjects, alternative names, and how they are shown to people.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use openssl::nid::Nid;
use openssl::x509::{GeneralNameRef, X509Name, X509NameRef};

use crate::error::{Error, while_doing};
use crate::pem::certificate_from_der;

/// Most characters of a common name (RFC 5280 appendix A.1, ub-common-name).
pub const COMMON_NAME_CHARS_MAX: usize = 64;

/// Most alternative names of one certificate: far more than a cluster has addresses, and still one TLS record.
pub const ALT_NAMES_MAX: usize = 128;

/// Most characters of a host name, and of one label of it (RFC 1035 section 2.3.4).
const HOST_NAME_CHARS_MAX: usize = 253;
const HOST_LABEL_CHARS_MAX: usize = 63;

/// What a node's common name begins with; its number follows.
const NODE: &str = "node-";

/// What a front's common name begins with; its own name follows.
const FRONT: &str = "front-";

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// CN: 1 to [`COMMON_NAME_CHARS_MAX`] printable characters.
    pub common_name: String,
    /// Addresses and host names, at most [`ALT_NAMES_MAX`].
    pub alt_names: Vec<AltName>,
}

impl Subject {
    /// A subject with a common name alone.
    pub fn named(common_name: impl Into<String>) -> Self {
        Subject { common_name: common_name.into(), alt_names: Vec::new() }
    }

    /// Node `number` of a cluster, reached at these addresses and host names. [`node_number`] reads it back.
    pub fn node(number: u64, alt_names: Vec<AltName>) -> Self {
        Subject { common_name: format!("{NODE}{number}"), alt_names }
    }

    /// The front of this name. [`front_name`] reads it back; an empty name names no front.
    pub fn front(name: &str) -> Self {
        Self::named(format!("{FRONT}{name}"))
    }

    /// Checks all of it and makes the X.509 name.
    pub(crate) fn to_name(&self) -> Result<X509Name, Error> {
        let refuse = |reason| Err(Error::CommonName { name: printable(&self.common_name), reason });
        if self.common_name.trim().is_empty() {
            return Err(Error::EmptySubject);
        }
        if self.common_name.chars().count() > COMMON_NAME_CHARS_MAX {
            return refuse("is too long");
        }
        if self.common_name.chars().any(char::is_control) {
            return refuse("holds control characters");
        }
        if self.alt_names.len() > ALT_NAMES_MAX {
            return Err(Error::TooLarge {
                what: "subject",
                size: self.alt_names.len(),
                size_max: ALT_NAMES_MAX,
                unit: "alternative names",
            });
        }
        self.alt_names.iter().try_for_each(AltName::check)?;
        let made = X509Name::builder().and_then(|mut name| {
            name.append_entry_by_nid(Nid::COMMONNAME, &self.common_name)?;
            Ok(name.build())
        });
        made.map_err(while_doing("writing a subject"))
    }
}

/// The number in a node's common name as [`Subject::node`] writes it, and in no other form; nodes are counted from 1.
pub fn node_number(common_name: &str) -> Option<u64> {
    let number = common_name.strip_prefix(NODE)?.parse().ok()?;
    (number > 0 && common_name == format!("{NODE}{number}")).then_some(number)
}

/// The name in a front's common name as [`Subject::front`] writes it.
pub fn front_name(common_name: &str) -> Option<&str> {
    common_name.strip_prefix(FRONT).filter(|name| !name.is_empty())
}

/// The common name in a certificate's subject, from its DER. `None` when there is none, more than one, or one that
/// is not text: then nobody can say whom it names.
pub fn common_name(der: &[u8]) -> Result<Option<String>, Error> {
    let certificate = certificate_from_der(der)?;
    let mut names = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
    let only = names.next().filter(|_| names.next().is_none());
    Ok(only.and_then(|name| name.data().to_string().ok()))
}

/// An address or host name at which a certificate's holder is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AltName {
    /// An IP address, version 4 or 6.
    Ip(IpAddr),
    /// A host name in ASCII; its first label may be `*`.
    Dns(String),
}

impl AltName {
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            AltName::Ip(_) => Ok(()),
            AltName::Dns(name) if is_host_name(name) => Ok(()),
            AltName::Dns(name) => Err(Error::AltName { name: printable(name) }),
        }
    }

    /// Whether a certificate with this name may be shown at `host`: letter case aside, `*` for one label.
    pub(crate) fn covers(&self, host: &AltName) -> bool {
        match (self, host) {
            (AltName::Ip(mine), AltName::Ip(wanted)) => mine == wanted,
            (AltName::Dns(mine), AltName::Dns(wanted)) => match mine.strip_prefix("*.") {
                None => mine.eq_ignore_ascii_case(wanted),
                Some(domain) => {
                    wanted.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain))
                }
            },
            (AltName::Ip(_), AltName::Dns(_)) | (AltName::Dns(_), AltName::Ip(_)) => false,
        }
    }

    /// An address or host name from a certificate; `None` for names of other kinds.
    pub(crate) fn read(name: &GeneralNameRef) -> Option<Self> {
        if let Some(dns) = name.dnsname() {
            return Some(AltName::Dns(dns.to_owned()));
        }
        let address = name.ipaddress()?;
        if let Ok(v4) = <[u8; 4]>::try_from(address) {
            return Some(AltName::Ip(v4.into()));
        }
        <[u8; 16]>::try_from(address).ok().map(|v6| AltName::Ip(v6.into()))
    }
}

impl FromStr for AltName {
    type Err = Error;

    /// An address where it is one, else a host name.
    fn from_str(text: &str) -> Result<Self, Error> {
        let name = match text.parse() {
            Ok(address) => AltName::Ip(address),
            Err(_) => AltName::Dns(text.to_owned()),
        };
        name.check().map(|()| name)
    }
}

impl fmt::Display for AltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AltName::Ip(address) => address.fmt(f),
            AltName::Dns(name) => f.write_str(&printable(name)),
        }
    }
}

fn is_host_name(name: &str) -> bool {
    let plain = name.strip_prefix("*.").unwrap_or(name);
    let label_fits = |label: &str| {
        (1..=HOST_LABEL_CHARS_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // All digits and dots is an address that was mistyped, not a host.
    let like_address = plain.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    name.len() <= HOST_NAME_CHARS_MAX && !like_address && plain.split('.').all(label_fits)
}

/// A distinguished name for people and logs: `CN=vc01, O=Example`, in the certificate's own order. Characters
/// with a meaning here are escaped, control characters too, so that a name cannot forge a log line.
pub(crate) fn name_text(name: &X509NameRef) -> String {
    let mut text = String::new();
    for entry in name.entries() {
        if !text.is_empty() {
            text.push_str(", ");
        }
        let field = entry.object().nid().short_name().unwrap_or("OID");
        text.push_str(if field == "UNDEF" { "OID" } else { field });
        text.push('=');
        match entry.data().to_string() {
            Ok(value) => text.push_str(&printable(&value).replace(',', "\\,").replace('=', "\\=")),
            Err(_) => {
                text.push('#');
                text.push_str(&hex::encode(entry.data().as_slice()));
            }
        }
    }
    text
}

/// Text with control characters and backslashes escaped.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escape = character.is_control() || character == '\\' || is_invisible(character);
            let (plain, escaped) = match escape {
                true => (None, Some(character.escape_default())),
                false => (Some(character), None),
            };
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

/// Characters that reorder or hide text on a terminal.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
