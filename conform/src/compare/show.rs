//! Names and values as people read them; key material is never shown.

use kmip::{Kmip, Tag, tag};
use ttlv::{Node, Value, Vocabulary, text};

use super::{Known, attribute_name};
use crate::placeholder;

/// Bytes of one shown field.
const SHOWN_BYTES_MAX: usize = 400;

/// A tag as the specification prints it.
pub(super) fn name(tag: Tag) -> String {
    tag::text(tag).map_or_else(|| tag.to_string(), str::to_owned)
}

/// The step of a path that a field is.
pub(super) fn segment(node: &Node) -> String {
    match (node.tag, attribute_name(node)) {
        (tag::ATTRIBUTE, Some(attribute)) => format!("Attribute {attribute:?}"),
        (own, _) => name(own),
    }
}

/// A value under the tag that names it: `Pre-Active` as `PreActive`, a mask by its bits.
pub(super) fn value(named: Tag, value: &Value) -> String {
    if Kmip.is_secret(named) {
        return secret(value);
    }
    let node = Node::new(named, value.clone());
    let text = text::node(&node, &Kmip).bytes_max(SHOWN_BYTES_MAX).to_string();
    let text = text.trim_end();
    text.split_once(") ").map_or(text, |(_, value)| value).to_owned()
}

/// As [`value`], with a placeholder by its name and what it stands for.
pub(super) fn value_expected(named: Tag, expected: &Value, known: &Known) -> String {
    match (placeholder::name(expected), expected) {
        (Some(name), _) => match known.bindings.bound(name) {
            Some(bound) => format!("{name}, which is {}", value(named, bound)),
            None => name.to_owned(),
        },
        (None, Value::DateTime(date)) => value(named, &Value::DateTime(known.bindings.date(*date))),
        (None, Value::TextString(text)) => match known.bindings.bound(text) {
            Some(bound) => value(named, bound),
            None => value(named, expected),
        },
        (None, _) => value(named, expected),
    }
}

/// That there is something secret, and how much of it.
pub(super) fn secret(value: &Value) -> String {
    match value {
        Value::ByteString(bytes) | Value::BigInteger(bytes) => format!("{} bytes, masked", bytes.len()),
        other => format!("{:?}, masked", other.item_type()),
    }
}

/// A field that came.
pub(super) fn field(node: &Node) -> String {
    shown(node, &value)
}

/// A field that is expected.
pub(super) fn field_expected(node: &Node, known: &Known) -> String {
    shown(node, &|named, expected| value_expected(named, expected, known))
}

fn shown(node: &Node, leaf: &dyn Fn(Tag, &Value) -> String) -> String {
    match (node.tag, attribute_name(node), node.child(tag::ATTRIBUTE_VALUE)) {
        (tag::ATTRIBUTE, Some(attribute), Some(inner)) if inner.value.children().is_empty() => {
            let named = Kmip.attribute_tag(attribute).unwrap_or(tag::ATTRIBUTE_VALUE);
            leaf(named, &inner.value)
        }
        (tag::ATTRIBUTE, Some(_), Some(inner)) => inside(inner, leaf),
        _ if node.value.item_type() == ttlv::ItemType::Structure => inside(node, leaf),
        _ => leaf(node.tag, &node.value),
    }
}

/// The fields of a structure in one line.
fn inside(node: &Node, leaf: &dyn Fn(Tag, &Value) -> String) -> String {
    let fields = node.value.children().iter().map(|child| match child.value {
        Value::Structure(_) => format!("{} {{…}}", name(child.tag)),
        _ => format!("{} {}", name(child.tag), leaf(child.tag, &child.value)),
    });
    format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
}

/// How a batch item ended: `OperationFailed, ItemNotFound: "no such object"`.
pub(super) fn status(item: &Node) -> String {
    let part = |tag| item.child(tag).map(|node| value(tag, &node.value));
    let status = part(tag::RESULT_STATUS).unwrap_or_else(|| "nothing".to_owned());
    let reason = part(tag::RESULT_REASON).map(|reason| format!(", {reason}")).unwrap_or_default();
    let message = part(tag::RESULT_MESSAGE).map(|message| format!(": {message}")).unwrap_or_default();
    format!("{status}{reason}{message}")
}
