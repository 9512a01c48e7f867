//! The variations that the profiles permit, as tables, and nothing else (KMIP Symmetric Key Lifecycle Profile 1.0
//! section 4.7 and the same section of the other profiles). What no row here permits is a difference.
//!
//! Rows that need to know more than a tag say so, and [`super::compare`] looks: whether the server made an object,
//! whether a request fixed a date.

use kmip::enumeration::Operation;
use kmip::{ProtocolVersion, Tag, tag};
use ttlv::{Node, Value};

/// Unique identifiers: another one in every run, bound at first sight and the same from then on. Link targets too.
pub(crate) const IDENTIFIERS: &[Tag] = &[
    tag::UNIQUE_IDENTIFIER,
    tag::PRIVATE_KEY_UNIQUE_IDENTIFIER,
    tag::PUBLIC_KEY_UNIQUE_IDENTIFIER,
    tag::REPLACED_UNIQUE_IDENTIFIER,
    tag::LINKED_OBJECT_IDENTIFIER,
];

/// Values that may be others in each response, and that the next request repeats.
pub(crate) const CORRELATIONS: &[Tag] =
    &[tag::ASYNCHRONOUS_CORRELATION_VALUE, tag::CORRELATION_VALUE, tag::SERVER_CORRELATION_VALUE];

/// Dates that may be any, but where a request has fixed them.
pub(crate) const DATES: &[Tag] = &[
    tag::ACTIVATION_DATE,
    tag::ARCHIVE_DATE,
    tag::COMPROMISE_DATE,
    tag::COMPROMISE_OCCURRENCE_DATE,
    tag::DEACTIVATION_DATE,
    tag::DESTROY_DATE,
    tag::INITIAL_DATE,
    tag::LAST_CHANGE_DATE,
    tag::PROCESS_START_DATE,
    tag::PROTECT_STOP_DATE,
    tag::VALIDITY_DATE,
    tag::ORIGINAL_CREATION_DATE,
];

/// What cryptography gives, any where the server made the key or the operation is random.
pub(crate) const OUTPUTS: &[Tag] = &[
    tag::DATA,
    tag::SIGNATURE_DATA,
    tag::MAC_DATA,
    tag::IV_COUNTER_NONCE,
    tag::AUTHENTICATED_ENCRYPTION_TAG,
];

/// Attributes whose inside the server chooses for an object that it made: Digest, as the profiles have it.
///
/// Departs from the profiles' list: Random Number Generator too. KMIP 1.4 section 3.44 has the server tell which one it
/// used, so that a server could be right by the cases only with the generator of whoever wrote them.
pub(crate) const SERVERS_CHOICE: &[Tag] = &[tag::DIGEST, tag::RANDOM_NUMBER_GENERATOR];

/// Fields with any value at all: Time Stamp, the server's text for people, its maker.
pub(crate) const FREE: &[Tag] = &[tag::TIME_STAMP, tag::RESULT_MESSAGE, tag::VENDOR_IDENTIFICATION];

/// Attributes that a Create may answer with, where the specification leaves it to the server.
const TEMPLATES: &[Tag] =
    &[tag::TEMPLATE_ATTRIBUTE, tag::PRIVATE_KEY_TEMPLATE_ATTRIBUTE, tag::PUBLIC_KEY_TEMPLATE_ATTRIBUTE];

/// Operations that make an object whose material the server chooses.
pub(crate) fn makes_material(operation: Operation) -> bool {
    use Operation::{Certify, Create, CreateKeyPair, CreateSplitKey, ReCertify, ReKey, ReKeyKeyPair};
    matches!(operation, Create | CreateKeyPair | CreateSplitKey | ReKey | ReKeyKeyPair | Certify | ReCertify)
}

/// Operations that make an object out of others: its material is the server's choice where that of the others was.
pub(crate) fn derives_material(operation: Operation) -> bool {
    matches!(operation, Operation::DeriveKey | Operation::JoinSplitKey)
}

/// How fields with one tag are compared where they are a set and their order says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SetRule {
    /// Others may be there.
    pub(crate) more: bool,
    /// Expected ones may be absent.
    pub(crate) fewer: bool,
}

const EXACT: SetRule = SetRule { more: false, fewer: false };
const MORE: SetRule = SetRule { more: true, fewer: false };
const ANY: SetRule = SetRule { more: true, fewer: true };

/// The rule for the fields with `tag` inside `parent`; `None` where they stand in order.
///
/// `asked` is the payload of the request.
pub(crate) fn set_rule(
    operation: Option<Operation>,
    parent: Tag,
    tag: Tag,
    asked: Option<&Node>,
) -> Option<SetRule> {
    // Additional attributes beyond those noted in the response.
    if tag == tag::ATTRIBUTE {
        return Some(MORE);
    }
    if parent != tag::RESPONSE_PAYLOAD {
        return None;
    }
    match (operation?, tag) {
        (Operation::GetAttributeList, tag::ATTRIBUTE_NAME) => Some(MORE),
        (Operation::Locate, tag::UNIQUE_IDENTIFIER) => Some(EXACT),
        (Operation::Query, tag::OPERATION | tag::OBJECT_TYPE) => Some(MORE),
        (Operation::Query, tag::APPLICATION_NAMESPACE | tag::EXTENSION_INFORMATION) => Some(ANY),
        (Operation::DiscoverVersions, tag::PROTOCOL_VERSION) => {
            let listed = asked.is_some_and(|asked| asked.child(tag::PROTOCOL_VERSION).is_some());
            if listed { None } else { Some(MORE) }
        }
        _ => None,
    }
}

/// Whether a field may be there or not, as the server likes.
pub(crate) fn optional(parent: Tag, node: &Node, version: ProtocolVersion) -> bool {
    match node.tag {
        tag::RESULT_MESSAGE | tag::VENDOR_IDENTIFICATION => true,
        // Index 0, from 1.1 on.
        tag::ATTRIBUTE_INDEX => version >= ProtocolVersion::V1_1 && node.value == Value::Integer(0),
        tag::MESSAGE_EXTENSION => {
            node.child(tag::CRITICALITY_INDICATOR).is_some_and(|it| it.value == Value::Boolean(false))
        }
        other => parent == tag::RESPONSE_PAYLOAD && TEMPLATES.contains(&other),
    }
}

/// Attributes of the server's own that it may leave out: y-…
pub(crate) fn may_be_absent(attribute: &str) -> bool {
    attribute.starts_with("y-")
}
