//! The variations that the profiles permit, as tables, and nothing else (KMIP Symmetric Key Lifecycle Profile 1.0
//! section 4.7 and the same section of the other profiles). What no row here permits is a difference.
//!
//! Rows that need to know more than a tag say so, and [`super::compare`] looks: whether the server made an object,
//! whether a request fixed a date.

use kmip::enumeration::{Operation, QueryFunction};
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
/// used, so that a server could be right by the cases only with the generator of whoever wrote them. And what a certificate
/// says of who signed it, and how long it is: Certify leaves the authority to the server, and its value may be any.
pub(crate) const SERVERS_CHOICE: &[Tag] = &[
    tag::DIGEST,
    tag::RANDOM_NUMBER_GENERATOR,
    tag::CERTIFICATE_LENGTH,
    tag::CERTIFICATE_IDENTIFIER,
    tag::CERTIFICATE_ISSUER,
    tag::X509_CERTIFICATE_IDENTIFIER,
    tag::X509_CERTIFICATE_ISSUER,
];

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
    /// What each that is there and not expected must hold.
    pub(crate) fields: &'static [Tag],
}

const EXACT: SetRule = SetRule { more: false, fewer: false, fields: &[] };
const MORE: SetRule = SetRule { more: true, fewer: false, fields: &[] };
const ANY: SetRule = SetRule { more: true, fewer: true, fields: &[] };

/// What a server says of itself, as it is asked: whoever made the case had another. That it says so in the form of the
/// specification is compared still (KMIP 1.4 sections 2.1.18 to 2.1.21): the fields that each such structure must have.
///
/// Departs from the profiles' list, which has additional operations, objects, namespaces and extensions only: a server
/// that was not validated cannot name the certificate in TC-Q-VAL-1, nor one server have the six generators of TC-Q-RNGS.
const DESCRIPTIONS: &[(Tag, QueryFunction, &[Tag])] = &[
    (tag::RNG_PARAMETERS, QueryFunction::QueryRngs, &[tag::RNG_ALGORITHM]),
    (tag::PROFILE_INFORMATION, QueryFunction::QueryProfiles, &[tag::PROFILE_NAME]),
    (
        tag::VALIDATION_INFORMATION,
        QueryFunction::QueryValidations,
        &[
            tag::VALIDATION_AUTHORITY_TYPE,
            tag::VALIDATION_VERSION_MAJOR,
            tag::VALIDATION_TYPE,
            tag::VALIDATION_LEVEL,
        ],
    ),
    (tag::CAPABILITY_INFORMATION, QueryFunction::QueryCapabilities, &[]),
    (tag::CLIENT_REGISTRATION_METHOD, QueryFunction::QueryClientRegistrationMethods, &[]),
];

/// Of a description, whether one at least must be there: "If the server is unable to specify details of the RNG then it
/// SHALL return an RNG Parameters with the RNG Algorithm enumeration of Unspecified."
pub(crate) fn must_be_said(tag: Tag) -> bool {
    tag == tag::RNG_PARAMETERS
}

/// The rule for what a server says of itself, where it was asked for.
fn description(tag: Tag, asked: Option<&Node>) -> Option<SetRule> {
    let (_, function, fields) = DESCRIPTIONS.iter().find(|(known, ..)| *known == tag)?;
    let function = Value::Enumeration(function.number());
    let mut functions = asked?.value.children().iter().filter(|node| node.tag == tag::QUERY_FUNCTION);
    functions.any(|node| node.value == function).then_some(SetRule { fields, ..ANY })
}

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
        (Operation::Query, tag) => description(tag, asked),
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

/// Whether a field may be there though none is expected. KMIP 1.4 section 4.25 says that Server Information "SHALL be
/// returned", table 223 that it need not, and the cases have it and have it not.
pub(crate) fn may_be_added(operation: Option<Operation>, node: &Node) -> bool {
    operation == Some(Operation::Query) && node.tag == tag::SERVER_INFORMATION
}

/// Attributes of the server's own that it may leave out: y-…
pub(crate) fn may_be_absent(attribute: &str) -> bool {
    attribute.starts_with("y-")
}
