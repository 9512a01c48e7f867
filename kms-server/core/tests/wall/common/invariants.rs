//! What holds after every event and for every response, whatever was asked.

use kmip::enumeration::{self, Operation, State};
use kmip::{AttributeName, ProtocolVersion, RequestMessage, ResponseMessage, tag};
use kms_core::{Event, Object, Objects};
use ttlv::{Node, Value};

/// How far a state is from the beginning; no event leads back.
fn rank(state: State) -> u8 {
    match state {
        State::PreActive => 0,
        State::Active => 1,
        State::Deactivated => 2,
        State::Compromised => 3,
        State::Destroyed => 4,
        State::DestroyedCompromised => 5,
        State::Unknown(_) => panic!("a state of our own making"),
    }
}

/// One event, carried out.
pub fn of_step(before: Option<&Object>, event: &Event, objects: &Objects) {
    let Some(id) = event.object() else { return };
    let after = objects.object(id);
    match (before, after) {
        (Some(before), Some(after)) => {
            assert!(!matches!(event, Event::Created { .. }), "an identifier is used once");
            assert!(rank(after.state) >= rank(before.state), "{before:?} to {after:?}");
            assert!(after.last_change_date >= before.last_change_date);
            assert!(after.fresh <= before.fresh, "what was handed out is never fresh again");
            assert_eq!(
                (after.tenant.clone(), after.object_type, after.initial_date),
                (before.tenant.clone(), before.object_type, before.initial_date)
            );
        }
        (None, Some(_)) => {
            assert!(matches!(event, Event::Created { .. }), "nothing else makes an object: {event:?}")
        }
        (_, None) => {
            assert!(matches!(event, Event::Removed { .. }), "nothing else removes an object: {event:?}")
        }
    }
}

/// All objects, after a request.
pub fn of_objects(objects: &Objects) {
    let mut restored = Objects::default();
    for record in objects.records() {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        restored.restore(&bytes).unwrap();
    }
    assert_eq!(&restored, objects, "objects, indexes and clients survive a snapshot");
    for object in objects.iter() {
        assert!(objects.of_tenant(&object.tenant).any(|id| id == object.id));
        assert_eq!(
            object.material.is_none(),
            object.is_destroyed(),
            "destroyed material is gone, other is there"
        );
        for name in object.names() {
            let indexed = objects.named(&object.tenant, &name.value).any(|id| id == object.id);
            assert_eq!(
                indexed,
                !object.is_destroyed(),
                "the index holds the names of live objects, and no others"
            );
        }
        let mut seen = std::collections::BTreeSet::new();
        for attribute in &object.attributes {
            let index = attribute.index.expect("a stored attribute has its index");
            assert!(seen.insert((attribute.name.clone(), index)), "{} twice", attribute.name);
            if attribute.name.rule().is_some_and(|rule| !rule.multiple) {
                assert_eq!(index, 0, "{}", attribute.name);
            }
        }
    }
    let tenants: std::collections::BTreeSet<_> = objects.iter().map(|object| object.tenant.clone()).collect();
    let counted: usize = tenants.iter().map(|tenant| objects.count_of_tenant(tenant)).sum();
    assert_eq!(counted, objects.len());
}

/// Nothing in a response is later than the version it is in, and it answers what was asked.
pub fn of_response(request: &RequestMessage, response: &ResponseMessage, bytes: &[u8]) {
    let version = response.header.protocol_version;
    let asked = request.header.protocol_version;
    if asked.major == 1 && asked.minor >= 0 {
        assert_eq!(version, asked.min(ProtocolVersion::V1_4));
    }
    assert_eq!(usize::try_from(response.header.batch_count), Ok(response.items.len()));
    for (item, asked) in response.items.iter().zip(&request.items) {
        if item.operation.is_some() {
            // Poll is answered as what it asks for.
            assert!(item.operation == Some(asked.operation) || asked.operation == Operation::Poll);
            assert_eq!(item.unique_batch_item_id, asked.unique_batch_item_id);
        }
    }
    let node = Node::decode(bytes, ttlv::Limits::default()).unwrap();
    nothing_later(&node, version);
}

fn nothing_later(node: &Node, version: ProtocolVersion) {
    let introduced = tag::introduced(node.tag).expect("no tag of our own making in a response");
    assert!(introduced <= version, "{} came with {introduced}, not {version}", tag::name(node.tag).unwrap());
    if node.tag == tag::ATTRIBUTE {
        return attribute_not_later(node, version);
    }
    if node.tag == tag::BATCH_ITEM {
        // The client named the operation first.
        let echoed = |field: &&Node| field.tag != tag::OPERATION;
        return node.value.children().iter().filter(echoed).for_each(|field| nothing_later(field, version));
    }
    value_not_later(node.tag, &node.value, version);
    if node.tag == tag::ATTRIBUTE_NAME {
        let Value::TextString(name) = &node.value else { panic!("a name is text") };
        assert!(AttributeName::new(name).known_in(version), "{name} is later than {version}");
    }
}

fn attribute_not_later(node: &Node, version: ProtocolVersion) {
    let Some(Value::TextString(name)) = node.child(tag::ATTRIBUTE_NAME).map(|name| &name.value) else {
        panic!("an attribute has a name")
    };
    let name = AttributeName::new(name);
    assert!(name.known_in(version), "{name} is later than {version}");
    // What a client put into a custom attribute is its own affair.
    if let Some(rule) = name.rule() {
        let value = &node.child(tag::ATTRIBUTE_VALUE).unwrap().value;
        value_not_later(rule.tag, value, version);
        let digest_form = value.children().iter().any(|field| field.tag == tag::KEY_FORMAT_TYPE);
        assert!(rule.tag != tag::DIGEST || !digest_form || version >= ProtocolVersion::V1_1);
    }
}

fn value_not_later(holder: kmip::Tag, value: &Value, version: ProtocolVersion) {
    match value {
        Value::Structure(nodes) => nodes.iter().for_each(|node| nothing_later(node, version)),
        Value::Enumeration(number) => {
            let introduced = enumeration::of(holder).and_then(|table| (table.introduced)(*number));
            assert!(
                introduced.is_none_or(|introduced| introduced <= version),
                "value {number} of {holder} is later than {version}"
            );
        }
        _ => {}
    }
}
