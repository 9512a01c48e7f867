//! Takes away what cases leave on a server, so that a name they all use again is free.
//!
//! Only what the server made for a case is touched: a Locate may bring other people's objects.

use std::collections::HashSet;

use kmip::enumeration::{NameType, Operation, ResultStatus, RevocationReasonCode};
use kmip::{ProtocolVersion, Tag, tag};
use ttlv::{Node, Value};

use super::{Wire, decode};
use crate::case::{Exchange, items, operation};
use crate::presupposed;

/// What the cases of a family have left so far.
#[derive(Clone, Debug, Default)]
pub struct Leftovers {
    /// Objects that the server made and has not yet destroyed, oldest first.
    pub(super) objects: Vec<String>,
    /// Those whose material the server chose, destroyed or not: a later case may fetch it.
    pub(super) made: HashSet<String>,
}

impl Leftovers {
    /// Takes note of what an exchange made and destroyed, whether or not it is what the case expects.
    pub(super) fn note(&mut self, response: &Node) {
        for item in items(response).filter(|item| succeeded(item)) {
            let identifiers = item.child(tag::RESPONSE_PAYLOAD).map(identifiers).unwrap_or_default();
            match operation(item) {
                Some(Operation::Destroy) => self.objects.retain(|known| !identifiers.contains(known)),
                Some(operation) if makes(operation) => self.objects.extend(identifiers),
                _ => {}
            }
        }
    }

    /// Has the server make what the case of this name presupposes, and takes note of it.
    pub(crate) async fn presuppose(&mut self, name: &str, version: ProtocolVersion, wire: &mut impl Wire) {
        let Some((operation, payload)) = presupposed::of(name) else { return };
        // Where it comes to nothing the case says so itself.
        if let Some(made) = ask(wire, version, operation, payload).await {
            let made = identifiers(&made);
            self.made.extend(made.iter().cloned());
            self.objects.extend(made);
        }
    }

    /// Destroys them, newest first; what does not let itself be destroyed is revoked first, and what then still
    /// stays is left.
    pub async fn destroy(self, version: ProtocolVersion, wire: &mut impl Wire) {
        for identifier in self.objects.into_iter().rev() {
            let id = || text(tag::UNIQUE_IDENTIFIER, &identifier);
            if ask(wire, version, Operation::Destroy, vec![id()]).await.is_some() {
                continue;
            }
            let code = Value::Enumeration(RevocationReasonCode::CessationOfOperation.number());
            let reason =
                structure(tag::REVOCATION_REASON, vec![Node::new(tag::REVOCATION_REASON_CODE, code)]);
            ask(wire, version, Operation::Revoke, vec![id(), reason]).await;
            ask(wire, version, Operation::Destroy, vec![id()]).await;
        }
    }

    /// What an interrupted run left: the objects that bear a name which the case gives.
    pub async fn of_names(version: ProtocolVersion, exchanges: &[Exchange], wire: &mut impl Wire) -> Self {
        let mut found = Self::default();
        for name in names(exchanges) {
            let value = vec![
                text(tag::NAME_VALUE, &name),
                Node::new(tag::NAME_TYPE, Value::Enumeration(NameType::UninterpretedTextString.number())),
            ];
            let attribute = structure(
                tag::ATTRIBUTE,
                vec![text(tag::ATTRIBUTE_NAME, "Name"), structure(tag::ATTRIBUTE_VALUE, value)],
            );
            let located = ask(wire, version, Operation::Locate, vec![attribute]).await;
            found.objects.extend(located.iter().flat_map(identifiers));
        }
        found
    }
}

/// Operations that make objects.
fn makes(operation: Operation) -> bool {
    use Operation::{
        Certify, Create, CreateKeyPair, CreateSplitKey, DeriveKey, Import, JoinSplitKey, ReCertify, ReKey,
        ReKeyKeyPair, Register,
    };
    matches!(
        operation,
        Certify
            | Create
            | CreateKeyPair
            | CreateSplitKey
            | DeriveKey
            | Import
            | JoinSplitKey
            | ReCertify
            | ReKey
            | ReKeyKeyPair
            | Register
    )
}

fn identifiers(payload: &Node) -> Vec<String> {
    const TAGS: [Tag; 3] =
        [tag::UNIQUE_IDENTIFIER, tag::PRIVATE_KEY_UNIQUE_IDENTIFIER, tag::PUBLIC_KEY_UNIQUE_IDENTIFIER];
    let nodes = payload.value.children().iter().filter(|node| TAGS.contains(&node.tag));
    nodes.filter_map(|node| text_of(node).map(str::to_owned)).collect()
}

/// The names that the requests of a case give to new objects.
fn names(exchanges: &[Exchange]) -> Vec<String> {
    let mut names = Vec::new();
    for item in exchanges.iter().flat_map(|exchange| items(&exchange.request)) {
        if operation(item).is_some_and(makes)
            && let Some(payload) = item.child(tag::REQUEST_PAYLOAD)
        {
            collect(payload, &mut names);
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn collect(node: &Node, names: &mut Vec<String>) {
    match (node.tag, text_of(node)) {
        (tag::NAME_VALUE, Some(name)) => names.push(name.to_owned()),
        _ => node.value.children().iter().for_each(|child| collect(child, names)),
    }
}

/// Asks for one thing; the payload of the answer where it is a success.
async fn ask(
    wire: &mut impl Wire,
    version: ProtocolVersion,
    operation: Operation,
    payload: Vec<Node>,
) -> Option<Node> {
    let request = message(version, operation, payload);
    // Best effort: the next case says more of a server that does not answer.
    let response = decode(&wire.ask(&request.encode()).await.ok()?).ok()?;
    let item = items(&response).next().filter(|item| succeeded(item))?;
    Some(
        item.child(tag::RESPONSE_PAYLOAD)
            .cloned()
            .unwrap_or_else(|| structure(tag::RESPONSE_PAYLOAD, vec![])),
    )
}

/// A request of one batch item.
pub fn message(version: ProtocolVersion, operation: Operation, payload: Vec<Node>) -> Node {
    let number = |tag, value| Node::new(tag, Value::Integer(value));
    let version = vec![
        number(tag::PROTOCOL_VERSION_MAJOR, version.major),
        number(tag::PROTOCOL_VERSION_MINOR, version.minor),
    ];
    let header = vec![structure(tag::PROTOCOL_VERSION, version), number(tag::BATCH_COUNT, 1)];
    let item = vec![
        Node::new(tag::OPERATION, Value::Enumeration(operation.number())),
        structure(tag::REQUEST_PAYLOAD, payload),
    ];
    structure(
        tag::REQUEST_MESSAGE,
        vec![structure(tag::REQUEST_HEADER, header), structure(tag::BATCH_ITEM, item)],
    )
}

fn succeeded(item: &Node) -> bool {
    let success = Value::Enumeration(ResultStatus::Success.number());
    item.child(tag::RESULT_STATUS).is_some_and(|status| status.value == success)
}

pub(crate) fn structure(tag: Tag, nodes: Vec<Node>) -> Node {
    Node::new(tag, Value::Structure(nodes))
}

pub(crate) fn text(tag: Tag, text: &str) -> Node {
    Node::new(tag, Value::TextString(text.to_owned()))
}

fn text_of(node: &Node) -> Option<&str> {
    match &node.value {
        Value::TextString(text) => Some(text),
        _ => None,
    }
}
