//! What the server can do beside its operations (KMIP 1.4 section 2.1.21).

use kmip::enumeration::{DestroyAction, Operation, RngMode, ShreddingAlgorithm, UnwrapMode};
use kmip::tag;
use ttlv::{Node, Value};

/// Whether Init Indicator, Final Indicator and Correlation Value are understood.
const STREAMING: bool = true;

/// The Capability Information of a server with these operations, in the order of table 42. Fields of later versions are
/// left out where the answer is written.
#[rustfmt::skip]
pub(super) fn all(operations: &[Operation]) -> Value {
    // Without Poll nobody could fetch the answer of a request that was put off.
    let asynchronous = operations.contains(&Operation::Poll);
    Value::Structure(vec![
        Node::new(tag::STREAMING_CAPABILITY,      Value::Boolean(STREAMING)),
        Node::new(tag::ASYNCHRONOUS_CAPABILITY,   Value::Boolean(asynchronous)),
        Node::new(tag::ATTESTATION_CAPABILITY,    Value::Boolean(false)),
        Node::new(tag::BATCH_UNDO_CAPABILITY,     Value::Boolean(true)),
        Node::new(tag::BATCH_CONTINUE_CAPABILITY, Value::Boolean(true)),
        // What comes wrapped is kept so, and opened where a Get wants it.
        Node::new(tag::UNWRAP_MODE,               Value::Enumeration(UnwrapMode::NotProcessed.number())),
        // Attributes stay, and sealed material stays on disk until the log behind it is purged.
        Node::new(tag::DESTROY_ACTION,            Value::Enumeration(DestroyAction::KeyMaterialDeleted.number())),
        Node::new(tag::SHREDDING_ALGORITHM,       Value::Enumeration(ShreddingAlgorithm::Unsupported.number())),
        Node::new(tag::RNG_MODE,                  Value::Enumeration(RngMode::SharedInstantiation.number())),
    ])
}
