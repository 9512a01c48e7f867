//! What a decision needs besides the request and the objects: all that varies, given from outside.

use std::fmt;

use kmip::enumeration::ObjectType;
use zeroize::Zeroizing;

use crate::cryptography::{Cryptography, Workshop};
use crate::{Client, Id, Tenant};

/// Randomness, given.
pub trait Entropy {
    /// Fills `bytes` with random ones. An implementation that cannot ends the process.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// What sealed material is bound to: opened under any other, it is refused.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The object.
    pub id: Id,
    /// Its type.
    pub object_type: ObjectType,
    /// Whose it is.
    pub tenant: &'a Tenant,
}

/// Seals key material before it leaves the core, and opens it for an answer.
pub trait Vault {
    /// Encrypts `plain` under a key of the vault's own, bound to `about`.
    fn seal(&self, about: &About<'_>, plain: &[u8]) -> Result<Vec<u8>, VaultError>;

    /// Decrypts what [`seal`](Self::seal) made; fails where a bit, or `about`, is another.
    fn open(&self, about: &About<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError>;
}

/// Why a vault did not seal or open; for the log, never for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultError(pub String);

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for VaultError {}

/// How much one request, one object and one tenant may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Items in a batch; more is Invalid Message. Default 1,024.
    pub batch_items_max: usize,
    /// Attribute instances of one object, those the server keeps aside; more is Index Out of Bounds. Default 1,024.
    pub attributes_per_object_max: usize,
    /// Objects of one tenant, destroyed ones counted; more is General Failure. Default 1,000,000.
    pub objects_per_tenant_max: usize,
    /// Identifiers in one answer to Locate; the rest is cut, as KMIP 1.4 section 4.9 allows. Default 10,000.
    pub locate_items_max: usize,
    /// Bytes of one response; more is Response Too Large. Default 4 MiB.
    pub response_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch_items_max: 1024,
            attributes_per_object_max: 1024,
            objects_per_tenant_max: 1_000_000,
            locate_items_max: 10_000,
            response_bytes_max: 4 << 20,
        }
    }
}

/// All that varies.
pub struct Context<'a> {
    /// Seconds since 1970.
    pub now: i64,
    /// Who asks.
    pub client: &'a Client,
    /// Randomness.
    pub entropy: &'a mut dyn Entropy,
    /// Seals and opens key material.
    pub vault: &'a dyn Vault,
    /// Computes what clients have computed with keys.
    pub cryptography: &'a dyn Cryptography,
    /// Makes what takes long.
    pub workshop: &'a dyn Workshop,
    /// What one request may cost.
    pub limits: &'a Limits,
    /// What Query says the server is.
    pub vendor_identification: &'a str,
}
