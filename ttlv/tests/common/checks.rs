//! What must hold for any bytes at all.

use ttlv::xml::{Document, NoPlaceholders, ReadOptions};
use ttlv::{HEADER_BYTES, Limits, Node, Value, Vocabulary, frame_len, text, xml};

/// Bytes as a message: no panic; what decodes encodes to the same bytes; its text stays within its bound.
pub(crate) fn decode(bytes: &[u8], vocabulary: &dyn Vocabulary) {
    let limits = Limits::default();
    if let Some(header) = bytes.first_chunk::<HEADER_BYTES>()
        && let Ok(length) = frame_len(header, &limits)
    {
        assert!((HEADER_BYTES..=limits.message_bytes_max).contains(&length));
    }
    for bytes_max in [4, 200, text::TEXT_BYTES_MAX] {
        let shown = text::message(bytes, limits, vocabulary).bytes_max(bytes_max).to_string();
        assert!(shown.len() <= bytes_max, "{} of {bytes_max} bytes", shown.len());
    }
    if let Ok(node) = Node::decode(bytes, limits) {
        assert_eq!(node.encode(), bytes, "a message has one encoding");
        let of_tree = text::node(&node, vocabulary).to_string();
        assert_eq!(text::message(bytes, limits, vocabulary).to_string(), of_tree);
    }
}

/// Bytes as a document: no panic, however forgiving; what is read comes back from what is written.
pub(crate) fn xml(bytes: &[u8], vocabulary: &dyn Vocabulary) {
    let Ok(document) = str::from_utf8(bytes) else { return };
    for pass_over_junk in [false, true] {
        for collapse_blanks in [false, true] {
            let options = ReadOptions { pass_over_junk, collapse_blanks, ..ReadOptions::default() };
            let document = Document::new(document, options);
            if let Ok(nodes) = document.read(vocabulary, &mut NoPlaceholders) {
                nodes.iter().for_each(|node| through_xml(node, vocabulary));
            }
        }
    }
}

/// Bytes as a message, through XML and back.
pub(crate) fn roundtrip(bytes: &[u8], vocabulary: &dyn Vocabulary) {
    if let Ok(node) = Node::decode(bytes, Limits::default()) {
        through_xml(&node, vocabulary);
    }
}

fn through_xml(node: &Node, vocabulary: &dyn Vocabulary) {
    let written = xml::write(node, vocabulary);
    let read = xml::read(&written, vocabulary).expect("what is written can be read");
    // XML has no form for U+0000.
    if !has_nul(node) {
        assert_eq!(&read, node, "{written}");
    }
}

fn has_nul(node: &Node) -> bool {
    match &node.value {
        Value::TextString(text) => text.contains('\0'),
        value => value.children().iter().any(has_nul),
    }
}
