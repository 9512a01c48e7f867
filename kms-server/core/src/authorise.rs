//! May this client do that? Answered once, before an operation runs; the answer is a proof that operations demand.

use kmip::enumeration::Operation;

use crate::{Client, Refusal, Tenant};

/// Proof that the client may carry the operation out on its tenant's objects. Only [`authorise`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Authorised<'a> {
    client: &'a Client,
}

impl<'a> Authorised<'a> {
    /// Whose objects may be touched.
    pub fn tenant(&self) -> &'a Tenant {
        &self.client.tenant
    }

    /// Refuses a client that may not take a key out of use, whichever operation it chose for it: a Deactivation Date that
    /// is set later does what Revoke does.
    pub(crate) fn may_deactivate(&self) -> Result<(), Refusal> {
        if self.client.rights.destroy { Ok(()) } else { Err(missing(self.client, "destroy")) }
    }
}

/// Checks the client's rights.
///
/// Fails with Permission Denied, naming the right that is missing and how an operator grants it.
pub fn authorise(client: &Client, operation: Operation) -> Result<Authorised<'_>, Refusal> {
    let rights = client.rights;
    let (granted, right) = match operation {
        // What a client may ask for, it may ask about (KMIP 1.4 section 3.18.1).
        Operation::Query | Operation::DiscoverVersions | Operation::Poll | Operation::Cancel => (true, ""),
        // Who may read a key can compute with it anyway.
        Operation::Encrypt
        | Operation::Decrypt
        | Operation::Sign
        | Operation::SignatureVerify
        | Operation::Mac
        | Operation::MacVerify
        | Operation::Hash
        | Operation::RngRetrieve
        | Operation::RngSeed
        | Operation::Get
        | Operation::Export
        | Operation::GetAttributes
        | Operation::GetAttributeList
        | Operation::Locate
        | Operation::Validate
        | Operation::Check
        | Operation::ObtainLease
        | Operation::GetUsageAllocation => (rights.read, "read"),
        Operation::Create
        | Operation::CreateKeyPair
        | Operation::Register
        | Operation::ReKey
        | Operation::ReKeyKeyPair
        | Operation::DeriveKey
        | Operation::CreateSplitKey
        | Operation::JoinSplitKey
        | Operation::Certify
        | Operation::ReCertify
        | Operation::Import => (rights.create, "create"),
        Operation::AddAttribute
        | Operation::ModifyAttribute
        | Operation::DeleteAttribute
        | Operation::Activate
        | Operation::Recover => (rights.change, "change"),
        // What takes a key out of use, and whatever else there may be: the rarest right.
        _ => (rights.destroy, "destroy"),
    };
    if granted {
        return Ok(Authorised { client });
    }
    Err(missing(client, right))
}

fn missing(client: &Client, right: &str) -> Refusal {
    Refusal::permission_denied(format!(
        "client {} has no right to {right} objects; hint: an operator grants it with kms client add --rights",
        client.name
    ))
}
