//! Clients: who may ask, for which tenant, and how their certificate is known.

use std::fmt;
use std::sync::Arc;

/// Whose an object is. In vSphere's words: the key provider. A rebuilt vCenter has another certificate, and the same
/// tenant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The tenant of this name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client may do to its tenant's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Get, Get Attributes, Get Attribute List, Locate, Check.
    pub read: bool,
    /// Create, Register, Re-key.
    pub create: bool,
    /// Add, Modify and Delete Attribute, Activate.
    pub change: bool,
    /// Revoke and Destroy: what takes a key out of use. vCenter never asks for either, and a lost key is a lost VM.
    pub destroy: bool,
}

impl Default for Rights {
    /// All that vCenter needs, and no more.
    fn default() -> Self {
        Self { read: true, create: true, change: true, destroy: false }
    }
}

impl Rights {
    /// Everything.
    pub const ALL: Self = Self { read: true, create: true, change: true, destroy: true };

    /// The names of the rights that are granted, in the order of the fields.
    pub fn names(self) -> Vec<&'static str> {
        [(self.read, "read"), (self.create, "create"), (self.change, "change"), (self.destroy, "destroy")]
            .into_iter()
            .filter_map(|(granted, name)| granted.then_some(name))
            .collect()
    }

    /// The rights of these names; the first name that is none is the error.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut rights = Self { read: false, create: false, change: false, destroy: false };
        for name in names {
            match name {
                "read" => rights.read = true,
                "create" => rights.create = true,
                "change" => rights.change = true,
                "destroy" => rights.destroy = true,
                other => return Err(other),
            }
        }
        Ok(rights)
    }
}

/// A client that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its name, for logs and people.
    pub name: Arc<str>,
    /// Whose objects it works on.
    pub tenant: Tenant,
    /// What it may do to them.
    pub rights: Rights,
}

/// How a client's certificate came to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustKind {
    /// This very certificate, whoever signed it.
    Pinned,
    /// Any certificate under this authority.
    Authority,
    /// A certificate that we issued with its key.
    Issued,
    /// A certificate that we signed for the client's own key.
    SignedRequest,
}

impl TrustKind {
    /// All of them, in the order of their numbers in the log.
    pub const ALL: [Self; 4] = [Self::Pinned, Self::Authority, Self::Issued, Self::SignedRequest];

    /// The name in the admin interface.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Authority => "ca",
            Self::Issued => "issued",
            Self::SignedRequest => "csr",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The number in the log.
    pub fn number(self) -> u32 {
        match self {
            Self::Pinned => 1,
            Self::Authority => 2,
            Self::Issued => 3,
            Self::SignedRequest => 4,
        }
    }

    /// The kind of this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// What a client's certificate is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// How.
    pub kind: TrustKind,
    /// The certificate, DER: the client's own, or the authority's.
    pub certificate: Vec<u8>,
}

/// Something that a client may say beside its certificate, and what proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownCredential {
    /// A user name, or a device's serial number; no two clients have the same.
    pub name: String,
    /// What the shell made of the password, which is not kept itself.
    pub password_hash: Option<String>,
}

/// Shows no hash: it can be guessed at.
impl fmt::Debug for KnownCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownCredential")
            .field("name", &self.name)
            .field("has_password", &self.password_hash.is_some())
            .finish()
    }
}

/// The credentials that a client may send with its requests (KMIP 1.4 section 2.1.2). A request without any is let in
/// all the same, by its certificate; a client that has none here may send what it likes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownCredentials {
    /// Username and Password.
    pub user: Option<KnownCredential>,
    /// Device, by its serial number.
    pub device: Option<KnownCredential>,
}

impl KnownCredentials {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.user.is_none() && self.device.is_none()
    }
}

/// A client as it is registered; replicated like a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredClient {
    /// Who it is and what it may do.
    pub client: Client,
    /// How its certificate is known.
    pub trust: Trust,
    /// What it may say of itself besides.
    pub credentials: KnownCredentials,
    /// When it was registered, in seconds since 1970.
    pub registered_at: i64,
}
