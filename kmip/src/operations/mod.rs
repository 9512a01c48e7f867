//! Payloads: one file an operation, request and response side by side (KMIP 1.4 chapter 4).

pub mod activate;
pub mod add_attribute;
mod alike;
pub mod archive;
pub mod cancel;
pub mod certify;
pub mod check;
pub mod create;
pub mod create_key_pair;
pub mod create_split_key;
pub mod decrypt;
pub mod delete_attribute;
pub mod derive_key;
pub mod destroy;
pub mod discover_versions;
pub mod encrypt;
pub mod export;
pub mod get;
pub mod get_attribute_list;
pub mod get_attributes;
pub mod get_usage_allocation;
pub mod hash;
pub mod import;
pub mod join_split_key;
pub mod locate;
pub mod mac;
pub mod mac_verify;
pub mod modify_attribute;
pub mod obtain_lease;
mod pair;
mod part;
pub mod poll;
pub mod query;
pub mod re_certify;
pub mod re_key;
pub mod re_key_key_pair;
pub mod recover;
pub mod register;
pub mod revoke;
pub mod rng_retrieve;
pub mod rng_seed;
pub mod sign;
pub mod signature_verify;
pub mod validate;

use ttlv::{Error, Item, Node, Reader, Value, Writer};

use crate::attribute::gate;
use crate::enumeration::Operation;
use crate::{AttributeName, ManagedObject, ProtocolVersion, TemplateAttribute, tag};

pub use pair::{NewPair, PairTemplates};
pub use part::Part;

/// What one side of one operation says.
pub trait Payload: Sized {
    /// Reads the fields that the operation knows, in their order; what follows them stays unread.
    fn read(reader: &mut Reader<'_>, version: ProtocolVersion) -> Result<Self, Error>;

    /// Appends the fields that a peer of `version` knows.
    fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion);

    /// The object that it names, if it names one.
    fn unique_identifier(&self) -> Option<&str> {
        None
    }

    /// Whether it goes on with data of which earlier requests brought the first parts.
    fn continues(&self) -> bool {
        false
    }
}

/// What an operation does to the server's objects.
#[derive(Clone, Copy, PartialEq)]
enum Effect {
    Reads,
    /// Reads, but where a key counts its uses.
    Uses,
    Changes,
}

macro_rules! operations {
    ($($operation:ident $file:ident $effect:ident;)*) => {
        /// What a request asks.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "the operations' own names")]
        pub enum RequestPayload {
            $($operation($file::Request),)*
            /// An operation that has no type here, with its fields as they were sent.
            Other { operation: Operation, fields: Vec<Node> },
            /// A payload that is not as its operation says, and what is wrong with it.
            Malformed { operation: Operation, error: Error },
        }

        /// What a response carries.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "the operations' own names")]
        pub enum ResponsePayload {
            $($operation($file::Response),)*
            /// An operation that has no type here, with its fields as they were sent.
            Other { operation: Option<Operation>, fields: Vec<Node> },
        }

        impl RequestPayload {
            /// Reads the payload of `operation`, and what its type does not know.
            pub fn read(operation: Operation, item: &Item<'_>, version: ProtocolVersion) -> (Self, Vec<Node>) {
                let read = || {
                    let mut reader = item.structure()?;
                    let payload = match operation {
                        $(Operation::$operation => {
                            Self::$operation(Payload::read(&mut reader, version)?)
                        })*
                        _ => return Ok((Self::Other { operation, fields: rest(reader)? }, Vec::new())),
                    };
                    Ok((payload, rest(reader)?))
                };
                read().unwrap_or_else(|error| (Self::Malformed { operation, error }, Vec::new()))
            }

            /// Appends the fields.
            pub fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
                match self {
                    $(Self::$operation(payload) => payload.write(writer, version),)*
                    Self::Other { fields, .. } => fields.iter().for_each(|node| node.write(writer)),
                    Self::Malformed { .. } => {}
                }
            }

            /// Whether it is one of an operation that changes nothing on the server. One that has no type here is not:
            /// nobody can say. Nor is one that goes on with data in parts: the server remembers how far they have come.
            pub fn only_reads(&self) -> bool {
                match self {
                    $(Self::$operation(payload) => Effect::$effect == Effect::Reads && !payload.continues(),)*
                    Self::Other { .. } | Self::Malformed { .. } => false,
                }
            }

            /// Whether it may turn out to change nothing: one that only reads, and one that uses a key, which may count
            /// its uses or not.
            pub fn may_only_read(&self) -> bool {
                match self {
                    $(Self::$operation(payload) => Effect::$effect != Effect::Changes && !payload.continues(),)*
                    Self::Other { .. } | Self::Malformed { .. } => false,
                }
            }

            /// The object that it names, if it names one.
            pub fn unique_identifier(&self) -> Option<&str> {
                match self {
                    $(Self::$operation(payload) => payload.unique_identifier(),)*
                    Self::Other { .. } | Self::Malformed { .. } => None,
                }
            }

            /// The operation that this asks for.
            pub fn operation(&self) -> Operation {
                match self {
                    $(Self::$operation(_) => Operation::$operation,)*
                    Self::Other { operation, .. } | Self::Malformed { operation, .. } => *operation,
                }
            }
        }

        impl ResponsePayload {
            /// Reads the payload of `operation`, and what its type does not know.
            pub fn read(
                operation: Option<Operation>,
                item: &Item<'_>,
                version: ProtocolVersion,
            ) -> Result<(Self, Vec<Node>), Error> {
                let mut reader = item.structure()?;
                let payload = match operation {
                    $(Some(Operation::$operation) => {
                        Self::$operation(Payload::read(&mut reader, version)?)
                    })*
                    _ => return Ok((Self::Other { operation, fields: rest(reader)? }, Vec::new())),
                };
                Ok((payload, rest(reader)?))
            }

            /// Appends the fields.
            pub fn write(&self, writer: &mut Writer<'_>, version: ProtocolVersion) {
                match self {
                    $(Self::$operation(payload) => payload.write(writer, version),)*
                    Self::Other { fields, .. } => fields.iter().for_each(|node| node.write(writer)),
                }
            }

            /// The object that it names, if it names one.
            pub fn unique_identifier(&self) -> Option<&str> {
                match self {
                    $(Self::$operation(payload) => payload.unique_identifier(),)*
                    Self::Other { .. } => None,
                }
            }

            /// The operation that this answers; `Unknown(0)` where the response named none.
            pub fn operation(&self) -> Operation {
                match self {
                    $(Self::$operation(_) => Operation::$operation,)*
                    Self::Other { operation, .. } => operation.unwrap_or(Operation::Unknown(0)),
                }
            }
        }

        $(
            impl From<$file::Request> for RequestPayload {
                fn from(payload: $file::Request) -> Self {
                    Self::$operation(payload)
                }
            }

            impl From<$file::Response> for ResponsePayload {
                fn from(payload: $file::Response) -> Self {
                    Self::$operation(payload)
                }
            }
        )*

        /// The operations that have types here.
        pub const TYPED: &[Operation] = &[$(Operation::$operation),*];
    };
}

#[rustfmt::skip]
operations! {
    Create           create             Changes;
    CreateKeyPair    create_key_pair    Changes;
    Register         register           Changes;
    ReKey            re_key             Changes;
    ReKeyKeyPair     re_key_key_pair    Changes;
    DeriveKey        derive_key         Changes;
    Certify          certify            Changes;
    ReCertify        re_certify         Changes;
    Locate           locate             Reads;
    Check            check              Reads;
    Get              get                Reads;
    GetAttributes    get_attributes     Reads;
    GetAttributeList get_attribute_list Reads;
    AddAttribute     add_attribute      Changes;
    ModifyAttribute  modify_attribute   Changes;
    DeleteAttribute  delete_attribute   Changes;
    ObtainLease      obtain_lease       Reads;
    GetUsageAllocation get_usage_allocation Changes;
    Activate         activate           Changes;
    Revoke           revoke             Changes;
    Destroy          destroy            Changes;
    Validate         validate           Reads;
    Archive          archive            Changes;
    Recover          recover            Changes;
    Cancel           cancel             Changes;
    Poll             poll               Changes;
    Query            query              Reads;
    DiscoverVersions discover_versions  Reads;
    Encrypt          encrypt            Uses;
    Decrypt          decrypt            Reads;
    Sign             sign               Uses;
    SignatureVerify  signature_verify   Reads;
    Mac              mac                Uses;
    MacVerify        mac_verify         Reads;
    RngRetrieve      rng_retrieve       Reads;
    RngSeed          rng_seed           Reads;
    Hash             hash               Reads;
    CreateSplitKey   create_split_key   Changes;
    JoinSplitKey     join_split_key     Changes;
    Import           import             Changes;
    Export           export             Reads;
}

fn rest(mut reader: Reader<'_>) -> Result<Vec<Node>, Error> {
    let mut nodes = Vec::new();
    while let Some(item) = reader.next_item()? {
        nodes.push(Node::read(&item)?);
    }
    Ok(nodes)
}

fn optional_id(reader: &mut Reader<'_>) -> Result<Option<String>, Error> {
    reader.optional(tag::UNIQUE_IDENTIFIER)?.map(|item| item.text_string().map(str::to_owned)).transpose()
}

fn required_id(reader: &mut Reader<'_>) -> Result<String, Error> {
    Ok(reader.required(tag::UNIQUE_IDENTIFIER)?.text_string()?.to_owned())
}

fn write_id(writer: &mut Writer<'_>, id: Option<&str>) {
    if let Some(id) = id {
        writer.text_string(tag::UNIQUE_IDENTIFIER, id);
    }
}

fn optional_template(reader: &mut Reader<'_>) -> Result<Option<TemplateAttribute>, Error> {
    reader.optional(tag::TEMPLATE_ATTRIBUTE)?.map(|item| TemplateAttribute::read(&item)).transpose()
}

fn write_template(writer: &mut Writer<'_>, template: Option<&TemplateAttribute>, version: ProtocolVersion) {
    if let Some(template) = template {
        template.write(tag::TEMPLATE_ATTRIBUTE, writer, version);
    }
}

fn optional_parameters(reader: &mut Reader<'_>) -> Result<Option<Value>, Error> {
    reader.optional(tag::CRYPTOGRAPHIC_PARAMETERS)?.map(|item| Value::read(&item)).transpose()
}

fn write_parameters(writer: &mut Writer<'_>, parameters: Option<&Value>, version: ProtocolVersion) {
    if let Some(parameters) = parameters {
        let tag = tag::CRYPTOGRAPHIC_PARAMETERS;
        gate::write(parameters, tag, tag, writer, version);
    }
}

fn read_object(reader: &mut Reader<'_>) -> Result<Option<ManagedObject>, Error> {
    if !reader.peek().is_some_and(ManagedObject::is_tag) {
        return Ok(None);
    }
    reader.next_item()?.map(|item| ManagedObject::read(&item)).transpose()
}

impl AttributeName {
    fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, Error> {
        let mut names = Vec::new();
        while let Some(item) = reader.optional(tag::ATTRIBUTE_NAME)? {
            names.push(Self::new(item.text_string()?));
        }
        Ok(names)
    }

    fn write_all(names: &[Self], writer: &mut Writer<'_>, version: ProtocolVersion) {
        for name in names.iter().filter(|name| name.known_in(version)) {
            writer.text_string(tag::ATTRIBUTE_NAME, name.as_str());
        }
    }
}
