//! Unique Identifiers of this server: random UUIDs, never used again.

use std::fmt;

use crate::Entropy;

/// A Unique Identifier that this server made (KMIP 1.4 section 3.1). On the wire it is the UUID's text, 36 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 16]);

impl Id {
    /// A new identifier of 122 random bits (RFC 9562 section 5.4).
    pub fn random(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        Self(*uuid::Builder::from_random_bytes(bytes).as_uuid().as_bytes())
    }

    /// Reads an identifier as this server writes it, in lower case with hyphens; `None` for any other text, which names no
    /// object here.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 36 || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        uuid::Uuid::try_parse(text).ok().map(|uuid| Self(*uuid.as_bytes()))
    }

    /// The 16 bytes of the UUID.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The identifier of these 16 bytes; `None` for any other number of them.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl From<[u8; 16]> for Id {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
