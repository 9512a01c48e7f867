//! One value as the text of a `value` attribute, both ways, by type (section 6.1.5 and 6.1.6).

use std::borrow::Cow;

use super::ErrorKind;
use crate::{ItemType, Tag, Value, Vocabulary, date, names};

/// Characters of a wrong value that an error repeats. 64.
const WRONG_VALUE_CHARS_MAX: usize = 64;

/// Fills in what a document leaves open, such as `$NOW-3600` or `$UNIQUE_IDENTIFIER_0`.
pub trait Placeholders {
    /// What to read in place of `text`, the value of an element with this tag and type; `None` to read `text` itself.
    ///
    /// The replacement is read as the type calls for: a Date-Time may be given in decimal seconds since 1970, a
    /// Byte String is hex.
    fn replace(&mut self, tag: Tag, item_type: ItemType, text: &str) -> Option<String>;
}

impl<F: FnMut(Tag, ItemType, &str) -> Option<String>> Placeholders for F {
    fn replace(&mut self, tag: Tag, item_type: ItemType, text: &str) -> Option<String> {
        self(tag, item_type, text)
    }
}

/// Reads every value as it stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPlaceholders;

impl Placeholders for NoPlaceholders {
    fn replace(&mut self, _: Tag, _: ItemType, _: &str) -> Option<String> {
        None
    }
}

/// The value that `text` stands for. `tag` is the one whose names count.
pub(crate) fn parse(
    text: &str,
    item_type: ItemType,
    tag: Tag,
    vocabulary: &dyn Vocabulary,
) -> Result<Value, ErrorKind> {
    let trimmed = text.trim();
    let value = match item_type {
        ItemType::Structure => None,
        ItemType::Integer => return integer(trimmed, tag, vocabulary).map(Value::Integer),
        ItemType::LongInteger => match trimmed.strip_prefix("0x") {
            Some(hex) => hex_number(hex).map(u64::cast_signed),
            None => trimmed.parse().ok(),
        }
        .map(Value::LongInteger),
        ItemType::BigInteger => {
            bytes(trimmed.strip_prefix("0x").unwrap_or(trimmed)).map(sign_extended).map(Value::BigInteger)
        }
        ItemType::Enumeration => return enumeration(trimmed, tag, vocabulary).map(Value::Enumeration),
        ItemType::Boolean => match trimmed {
            "true" | "1" => Some(Value::Boolean(true)),
            "false" | "0" => Some(Value::Boolean(false)),
            _ => None,
        },
        ItemType::TextString => Some(Value::TextString(text.to_owned())),
        ItemType::ByteString => bytes(trimmed).map(Value::ByteString),
        ItemType::DateTime => match trimmed.strip_prefix("0x") {
            Some(hex) => hex_number(hex).map(u64::cast_signed),
            None => date::parse(trimmed).or_else(|| trimmed.parse().ok()),
        }
        .map(Value::DateTime),
        ItemType::Interval => number(trimmed).map(Value::Interval),
    };
    value.ok_or_else(|| wrong(item_type, text))
}

fn wrong(item_type: ItemType, text: &str) -> ErrorKind {
    let text = match item_type {
        ItemType::ByteString | ItemType::BigInteger => String::new(),
        _ => text.chars().take(WRONG_VALUE_CHARS_MAX).collect(),
    };
    ErrorKind::WrongValue { item_type, text }
}

/// A number, or a mask: names and hex numbers with blanks or `|` between them.
fn integer(text: &str, tag: Tag, vocabulary: &dyn Vocabulary) -> Result<i32, ErrorKind> {
    if let Ok(value) = text.parse() {
        return Ok(value);
    }
    let mut mask = 0_u32;
    let mut empty = true;
    for part in text.split(|c: char| c == '|' || c.is_whitespace()).filter(|part| !part.is_empty()) {
        empty = false;
        mask |= match part.strip_prefix("0x") {
            Some(hex) => hex_number32(hex).ok_or_else(|| wrong(ItemType::Integer, part))?,
            None => {
                let bits = vocabulary.mask_bits(tag).ok_or_else(|| wrong(ItemType::Integer, part))?;
                let named = bits.iter().find(|(name, _)| *name == part);
                named.ok_or_else(|| unknown_name(tag, part))?.1
            }
        };
    }
    if empty { Err(wrong(ItemType::Integer, text)) } else { Ok(mask.cast_signed()) }
}

fn enumeration(text: &str, tag: Tag, vocabulary: &dyn Vocabulary) -> Result<u32, ErrorKind> {
    if text.starts_with(|c: char| c.is_ascii_digit())
        && let Some(value) = number(text)
    {
        return Ok(value);
    }
    vocabulary.enumeration_number(tag, text).ok_or_else(|| unknown_name(tag, text))
}

fn unknown_name(tag: Tag, name: &str) -> ErrorKind {
    ErrorKind::UnknownName { tag, name: name.chars().take(WRONG_VALUE_CHARS_MAX).collect() }
}

/// An unsigned number in decimal, or in hex after 0x.
fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => hex_number32(hex),
        None => text.parse().ok(),
    }
}

pub(crate) fn hex_number32(hex: &str) -> Option<u32> {
    u32::try_from(hex_number(hex)?).ok()
}

// `from_str_radix` alone would take a sign.
pub(crate) fn hex_number(hex: &str) -> Option<u64> {
    if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) { u64::from_str_radix(hex, 16).ok() } else { None }
}

/// Hex to bytes; blanks between digits are passed over.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(hex.len() / 2);
    let mut high = None;
    for c in hex.chars().filter(|c| !c.is_whitespace()) {
        let digit = u8::try_from(c.to_digit(16)?).ok()?;
        match high.take() {
            None => high = Some(digit),
            Some(high) => out.push(high << 4 | digit),
        }
    }
    if high.is_none() { Some(out) } else { None }
}

/// A big integer of a multiple of eight bytes, at least eight, as the wire has it (KMIP 1.4 section 9.1.1.4).
pub(crate) fn sign_extended(value: Vec<u8>) -> Vec<u8> {
    let length = value.len().max(1).next_multiple_of(8);
    if length == value.len() {
        return value;
    }
    let sign = if value.first().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0x00 };
    let mut out = vec![sign; length - value.len()];
    out.extend_from_slice(&value);
    out
}

/// A value as text; `None` for a Structure.
pub(super) fn text<'a>(value: &'a Value, tag: Tag, vocabulary: &dyn Vocabulary) -> Option<Cow<'a, str>> {
    Some(Cow::Owned(match value {
        Value::Structure(_) => return None,
        Value::Integer(value) => {
            names::mask(tag, *value, ' ', vocabulary).unwrap_or_else(|| value.to_string())
        }
        Value::LongInteger(value) => value.to_string(),
        Value::BigInteger(bytes) | Value::ByteString(bytes) => {
            let mut text = String::new();
            names::push_hex(&mut text, bytes);
            text
        }
        Value::Enumeration(value) => names::enumeration(tag, *value, vocabulary),
        Value::Boolean(value) => value.to_string(),
        Value::TextString(text) => return Some(Cow::Borrowed(text)),
        Value::DateTime(value) => date::format(*value),
        Value::Interval(value) => value.to_string(),
    }))
}
