//! Operations: one file each, named as the specification names it, with its error table as tests beside.

mod activate;
mod add_attribute;
mod archive;
mod authority;
mod cancel;
mod certificate;
mod certificate_request;
mod certify;
mod check;
pub(crate) mod cipher;
mod create;
mod create_key_pair;
mod create_split_key;
mod data;
mod decrypt;
mod delete_attribute;
mod derivation;
mod derive_key;
mod destroy;
mod discover_versions;
mod encrypt;
mod export;
mod get;
mod get_attribute_list;
mod get_attributes;
mod get_usage_allocation;
mod hash;
mod import;
mod join_split_key;
mod locate;
mod mac;
mod mac_verify;
mod modify_attribute;
mod obtain_lease;
mod pair;
mod parts;
mod poll;
mod query;
mod re_certify;
mod re_key;
mod re_key_key_pair;
mod recover;
mod register;
mod revoke;
mod rng_retrieve;
mod rng_seed;
mod sign;
mod signature;
mod signature_verify;
mod validate;

use std::sync::Arc;

use kmip::object::ManagedObject;
use kmip::{ProtocolVersion, RequestPayload, ResponseItem, ResponsePayload};
use ttlv::{Budget, Reader, Tag, Writer};
use zeroize::Zeroizing;

use crate::event::STORED;
use crate::handle::not_supported;
use crate::{About, Authorised, Context, Draft, Event, Id, Limits, Object, Refusal};

/// What one operation works with.
pub(crate) struct Call<'c, 'a, 'd> {
    /// Proof that the client may.
    pub(crate) authorised: Authorised<'a>,
    /// The version that the answer is in.
    pub(crate) version: ProtocolVersion,
    pub(crate) context: &'c mut Context<'a>,
    pub(crate) draft: &'c mut Draft<'d>,
    /// The object that an item without an identifier means (KMIP 1.4 chapter 4).
    pub(crate) id_placeholder: &'c mut Option<Id>,
    /// Objects whose material goes out with the answer.
    pub(crate) served: &'c mut Vec<Id>,
}

/// An operation carried out.
pub(crate) enum Done {
    /// The answer.
    Answer(ResponsePayload),
    /// It is put off.
    Pending(Id),
    /// The answer to a request that was put off, and has been carried out.
    Kept(Box<ResponseItem>),
}

macro_rules! dispatch {
    ($payload:expr, $call:expr; $($operation:ident $file:ident)*) => {
        match $payload {
            $(RequestPayload::$operation(request) => $file::carry_out(request, $call)?.into(),)*
            RequestPayload::Poll(request) => return poll::carry_out(request, $call),
            RequestPayload::Other { operation, .. } => return Err(not_supported(*operation, $call.version)),
            // Told apart before, by what is wrong with it.
            RequestPayload::Malformed { .. } => return Err(Refusal::invalid_message("the payload cannot be read")),
        }
    };
}

/// Carries out one batch item.
pub(crate) fn carry_out(payload: &RequestPayload, call: &mut Call<'_, '_, '_>) -> Result<Done, Refusal> {
    let payload: ResponsePayload = dispatch!(payload, call;
        Create           create
        CreateKeyPair    create_key_pair
        Register         register
        ReKey            re_key
        ReKeyKeyPair     re_key_key_pair
        DeriveKey        derive_key
        Certify          certify
        ReCertify        re_certify
        Locate           locate
        Check            check
        Get              get
        GetAttributes    get_attributes
        GetAttributeList get_attribute_list
        AddAttribute     add_attribute
        ModifyAttribute  modify_attribute
        DeleteAttribute  delete_attribute
        ObtainLease      obtain_lease
        GetUsageAllocation get_usage_allocation
        Activate         activate
        Revoke           revoke
        Destroy          destroy
        Validate         validate
        Archive          archive
        Recover          recover
        Cancel           cancel
        Query            query
        DiscoverVersions discover_versions
        Encrypt          encrypt
        Decrypt          decrypt
        Sign             sign
        SignatureVerify  signature_verify
        Mac              mac
        MacVerify        mac_verify
        RngRetrieve      rng_retrieve
        RngSeed          rng_seed
        Hash             hash
        CreateSplitKey   create_split_key
        JoinSplitKey     join_split_key
        Import           import
        Export           export
    );
    Ok(Done::Answer(payload))
}

/// Whether a request has a field of this tag among those that its operation knows.
pub(crate) fn holds_field(payload: &RequestPayload, tag: Tag, version: ProtocolVersion) -> bool {
    let mut bytes = Zeroizing::new(Vec::new());
    Writer::new(&mut bytes).structure(kmip::tag::REQUEST_PAYLOAD, |writer| payload.write(writer, version));
    let budget = Budget::new(STORED);
    let Ok(mut fields) = Reader::message(&bytes, &budget).and_then(|item| item.structure()) else {
        return false;
    };
    while let Ok(Some(field)) = fields.next_item() {
        if field.tag == tag {
            return true;
        }
    }
    false
}

impl Call<'_, '_, '_> {
    pub(crate) fn now(&self) -> i64 {
        self.context.now
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.context.limits
    }

    /// The object that a request means: the one it names, or the ID Placeholder.
    ///
    /// Fails with Item Not Found, in the same words for what does not exist and what is another tenant's, and with Object
    /// Archived: "any archived object SHALL first be made available by a Recover operation" (KMIP 1.4 chapter 4).
    pub(crate) fn object(&self, asked: Option<&str>) -> Result<Arc<Object>, Refusal> {
        let object = self.object_anywhere(asked)?;
        if object.is_archived() {
            return Err(Refusal::object_archived(object.id));
        }
        Ok(object)
    }

    /// The same, also where it is archived: for what is known of it, and for Recover.
    pub(crate) fn object_anywhere(&self, asked: Option<&str>) -> Result<Arc<Object>, Refusal> {
        match (asked, *self.id_placeholder) {
            (Some(id), _) => self.draft.object(&self.authorised, id).cloned(),
            (None, Some(id)) => self.draft.object(&self.authorised, &id.to_string()).cloned(),
            (None, None) => Err(Refusal::new(
                kmip::enumeration::ResultReason::ItemNotFound,
                "the request names no Unique Identifier, and the ID Placeholder is empty",
            )),
        }
    }

    /// Seals an object's material, bound to the identifier it will have.
    pub(crate) fn seal(&self, id: Id, object: &ManagedObject) -> Result<Vec<u8>, Refusal> {
        let mut plain = Zeroizing::new(Vec::with_capacity(MATERIAL_BYTES_USUAL));
        object.write(&mut Writer::new(&mut plain), ProtocolVersion::V1_4);
        let about = About { id, object_type: object.object_type(), tenant: self.authorised.tenant() };
        self.context.vault.seal(&about, &plain).map_err(|error| {
            Refusal::general_failure("the server could not seal the object")
                .logged(format!("sealing {id}: {error}"))
        })
    }

    /// Opens an object's material.
    pub(crate) fn open(&self, object: &Object) -> Result<ManagedObject, Refusal> {
        let failure = |error: String| {
            Refusal::general_failure("the server could not open the object; hint: its log says why")
                .logged(format!("opening {}: {error}", object.id))
        };
        let sealed =
            object.material.as_ref().ok_or_else(|| Refusal::item_not_found(&object.id.to_string()))?;
        let about = About { id: object.id, object_type: object.object_type, tenant: &object.tenant };
        let plain = self.context.vault.open(&about, sealed).map_err(|error| failure(error.to_string()))?;
        let budget = Budget::new(STORED);
        let read = Reader::message(&plain, &budget).and_then(|item| ManagedObject::read(&item));
        read.map_err(|error| failure(error.to_string()))
    }

    /// Drafts an event.
    pub(crate) fn draft(&mut self, event: Event) {
        self.draft.push(event);
    }

    /// Refuses one object more than a tenant may have.
    pub(crate) fn check_room(&self) -> Result<(), Refusal> {
        self.check_room_for(1)
    }

    /// Refuses so many objects more where they are more than a tenant may have.
    pub(crate) fn check_room_for(&self, objects: usize) -> Result<(), Refusal> {
        let limit = self.limits().objects_per_tenant_max;
        if self.draft.count_of_tenant(self.authorised.tenant()).saturating_add(objects) <= limit {
            return Ok(());
        }
        Err(Refusal::general_failure(format!(
            "the server holds the {limit} objects it may for this tenant; hint: raise limits.objects_per_tenant_max"
        )))
    }
}

/// Bytes of a symmetric key's TTLV; more for larger objects, at the price of a copy that is wiped too late.
const MATERIAL_BYTES_USUAL: usize = 256;
