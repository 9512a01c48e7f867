//! What of a value a client of an older version may see: fields of later versions are left out; where a value is of a
//! later version, the whole attribute is, as its fields may not be had in part.

use ttlv::{Node, Tag, Value, Writer};

use crate::leaks::field_introduced;
use crate::{ProtocolVersion, enumeration, tag};

/// Whether `version` has every enumeration's value that is left when later fields are out. `means` is the tag that
/// the value goes by. Extensions and the values of custom attributes are known everywhere.
pub(crate) fn known(value: &Value, means: Tag, version: ProtocolVersion) -> bool {
    match value {
        Value::Enumeration(number) => enumeration::of(means)
            .and_then(|table| (table.introduced)(*number))
            .is_none_or(|introduced| introduced <= version),
        Value::Structure(nodes) => nodes
            .iter()
            .filter(|node| has_field(node, means, version))
            .all(|node| known(&node.value, node.tag, version)),
        _ => true,
    }
}

/// Appends the value under `tag` without the fields that came later than `version`.
pub(crate) fn write(value: &Value, tag: Tag, means: Tag, writer: &mut Writer<'_>, version: ProtocolVersion) {
    match value {
        Value::Structure(nodes) if version < ProtocolVersion::V1_4 => writer.structure(tag, |writer| {
            for node in nodes.iter().filter(|node| has_field(node, means, version)) {
                write(&node.value, node.tag, node.tag, writer, version);
            }
        }),
        value => value.write(tag, writer),
    }
}

/// Appends those of `values` that `version` knows.
pub(crate) fn write_all(values: &[Value], tag: Tag, writer: &mut Writer<'_>, version: ProtocolVersion) {
    for value in values.iter().filter(|value| known(value, tag, version)) {
        write(value, tag, tag, writer, version);
    }
}

fn has_field(node: &Node, parent: Tag, version: ProtocolVersion) -> bool {
    let since =
        |introduced: Option<ProtocolVersion>| introduced.is_none_or(|introduced| introduced <= version);
    since(tag::introduced(node.tag)) && since(field_introduced(parent, node.tag))
}
