//! Numbers to names through a vocabulary, as the text and XML forms share them.

use std::fmt::Write as _;

use crate::{Tag, Vocabulary};

/// Attribute Name and Attribute Value (KMIP 1.4 section 9.1.3.1): the one pair of neighbours where the first says
/// what the second means, so the one place where the codec looks at a tag.
pub(crate) const ATTRIBUTE_NAME: Tag = Tag::new(0x42000a);
pub(crate) const ATTRIBUTE_VALUE: Tag = Tag::new(0x42000b);

/// The tag whose enumeration or mask names a value under `tag` uses: its own, or for an Attribute Value that of the
/// attribute named before it.
pub(crate) fn naming_tag(tag: Tag, attribute_name: Option<&str>, vocabulary: &dyn Vocabulary) -> Tag {
    if tag != ATTRIBUTE_VALUE {
        return tag;
    }
    attribute_name.and_then(|name| vocabulary.attribute_tag(&collapse_blanks(name))).unwrap_or(tag)
}

/// An enumeration's value by name, or as `0x0000001e`.
pub(crate) fn enumeration(tag: Tag, number: u32, vocabulary: &dyn Vocabulary) -> String {
    match vocabulary.enumeration_name(tag, number) {
        Some(name) => name.to_owned(),
        None => format!("0x{number:08x}"),
    }
}

/// The names of a mask's bits with `separator` between them, bits without a name as one hex number at the end.
/// `None` where `tag` is no mask or no bit is set.
pub(crate) fn mask(tag: Tag, value: i32, separator: char, vocabulary: &dyn Vocabulary) -> Option<String> {
    let names = vocabulary.mask_bits(tag)?;
    let mut left = value.cast_unsigned();
    if left == 0 {
        return None;
    }
    let mut text = String::new();
    for (name, bit) in names {
        if *bit != 0 && left & bit == *bit {
            left &= !bit;
            if !text.is_empty() {
                text.push(separator);
            }
            text.push_str(name);
        }
    }
    if left != 0 {
        if !text.is_empty() {
            text.push(separator);
        }
        let _ = write!(text, "0x{left:08x}");
    }
    Some(text)
}

/// `text` with every run of blanks made one space, and none at either end.
pub(crate) fn collapse_blanks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Appends bytes as lower-case hex.
pub(crate) fn push_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 0xf)]);
    }
}
