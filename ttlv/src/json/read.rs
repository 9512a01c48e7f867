//! JSON to a tree, in two steps: text to items whose names are text still, bounded; then these to a tree, by the names
//! of a vocabulary. A name's meaning can hang on a neighbour's value, and JSON's properties come in any order.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Error, ErrorKind};
use crate::names::{self, ATTRIBUTE_NAME};
use crate::xml::value;
use crate::{ItemType, Limits, Node, Tag, Value, Vocabulary};

/// Characters of a wrong name or value that an error repeats. 64.
const WRONG_CHARS_MAX: usize = 64;

/// Reads one message.
///
/// Takes at most [`Limits::message_bytes_max`] bytes of text, [`Limits::items_max`] items, and structures nested at most
/// [`Limits::depth_max`] deep, and in any case fewer than 64, as JSON's own reader ends there. Fails with the place of
/// what is wrong; what may be key material is not repeated.
pub fn read(text: &[u8], limits: Limits, vocabulary: &dyn Vocabulary) -> Result<Node, Error> {
    let (got, limit) = (text.len(), limits.message_bytes_max);
    if got > limit {
        return Err(Error { place: "line 1, column 1".to_owned(), kind: ErrorKind::TooLarge { got, limit } });
    }
    let bounds = Bounds { limits, items: Cell::new(0), passed: RefCell::new(None) };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let item = ItemSeed { bounds: &bounds, depth: 0 }
        .deserialize(&mut reader)
        .and_then(|item| reader.end().map(|()| item))
        .map_err(|error| bounds.error(&error))?;
    let names = Names { vocabulary, path: RefCell::new(Vec::new()) };
    names.node(&item, 1, None, false).map_err(|kind| Error { place: names.place(), kind })
}

/// An item whose names are not looked at yet. Key material is hex and so is borrowed from the text: no copy of it is
/// made here that would have to be wiped.
struct Raw<'a> {
    tag: Cow<'a, str>,
    item_type: Option<Cow<'a, str>>,
    value: RawValue<'a>,
}

enum RawValue<'a> {
    /// Absent, or null.
    None,
    Boolean(bool),
    Number(i128),
    /// A number with a fraction, or one that is too large for 64 bits.
    Fraction,
    Text(Cow<'a, str>),
    Items(Vec<Raw<'a>>),
}

/// What reading may cost, and which bound was passed: serde's errors carry text only.
struct Bounds {
    limits: Limits,
    items: Cell<u32>,
    passed: RefCell<Option<ErrorKind>>,
}

impl Bounds {
    fn pass<E: serde::de::Error>(&self, kind: ErrorKind) -> E {
        let words = kind.to_string();
        *self.passed.borrow_mut() = Some(kind);
        E::custom(words)
    }

    #[cold]
    fn error(&self, error: &serde_json::Error) -> Error {
        let place = format!("line {}, column {}", error.line(), error.column());
        let kind = self.passed.take().unwrap_or_else(|| {
            let words = error.to_string();
            // The place is told already.
            let words = words.rsplit_once(" at line ").map_or(words.as_str(), |(before, _)| before);
            ErrorKind::NotJson(words.chars().take(2 * WRONG_CHARS_MAX).collect())
        });
        Error { place, kind }
    }
}

#[derive(Clone, Copy)]
struct ItemSeed<'b> {
    bounds: &'b Bounds,
    /// Structures around it.
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for ItemSeed<'_> {
    type Value = Raw<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ItemSeed<'_> {
    type Value = Raw<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a tag")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let limits = self.bounds.limits;
        if self.bounds.items.get() == limits.items_max {
            return Err(self.bounds.pass(ErrorKind::TooManyItems(limits.items_max)));
        }
        self.bounds.items.set(self.bounds.items.get() + 1);
        let (mut tag, mut item_type, mut found) = (None, None, None);
        while let Some(TextSeed(key)) = map.next_key::<TextSeed<'de>>()? {
            match &*key {
                "tag" if tag.is_none() => tag = Some(map.next_value::<TextSeed<'de>>()?.0),
                "type" if item_type.is_none() => item_type = Some(map.next_value::<TextSeed<'de>>()?.0),
                "value" if found.is_none() => {
                    found = Some(map.next_value_seed(ValueSeed { bounds: self.bounds, depth: self.depth })?);
                }
                "tag" | "type" | "value" => {
                    return Err(A::Error::custom(format_args!("{key:?} stands twice in one item")));
                }
                // `name` says the tag in words, for people.
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let tag = tag.ok_or_else(|| self.bounds.pass(ErrorKind::MissingTag))?;
        Ok(Raw { tag, item_type, value: found.unwrap_or(RawValue::None) })
    }
}

/// Text, borrowed where it has no escapes.
struct TextSeed<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for TextSeed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = TextSeed<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(TextSeed(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TextSeed(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[derive(Clone, Copy)]
struct ValueSeed<'b> {
    bounds: &'b Bounds,
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = RawValue<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = RawValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value: a number, text, true, false, null or an array of items")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(RawValue::None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(RawValue::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(RawValue::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(RawValue::Number(value.into()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(RawValue::Fraction)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(RawValue::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(RawValue::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let depth_max = self.bounds.limits.depth_max;
        if self.depth >= depth_max {
            return Err(self.bounds.pass(ErrorKind::TooDeep(depth_max)));
        }
        let seed = ItemSeed { bounds: self.bounds, depth: self.depth + 1 };
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(seed)? {
            items.push(item);
        }
        Ok(RawValue::Items(items))
    }
}

/// The second step, with the way to the item that is read.
struct Names<'v> {
    vocabulary: &'v dyn Vocabulary,
    /// What is left of it after a failure is the place.
    path: RefCell<Vec<(String, usize)>>,
}

impl Names<'_> {
    fn place(&self) -> String {
        let path = self.path.borrow();
        let parts: Vec<_> = path
            .iter()
            .enumerate()
            .map(|(depth, (tag, number))| if depth == 0 { tag.clone() } else { format!("{tag} {number}") })
            .collect();
        parts.join("/")
    }

    /// Reads an item that is the `number`th of its structure, after an Attribute Name where there was one.
    fn node(
        &self,
        raw: &Raw<'_>,
        number: usize,
        attribute_name: Option<&str>,
        within_secret: bool,
    ) -> Result<Node, ErrorKind> {
        self.path.borrow_mut().push((first_chars(&raw.tag), number));
        let tag = self.tag(&raw.tag)?;
        let secret = within_secret || self.vocabulary.is_secret(tag);
        let item_type = match raw.item_type.as_deref() {
            None => ItemType::Structure,
            Some(name) => ItemType::named(name).ok_or_else(|| ErrorKind::UnknownType(first_chars(name)))?,
        };
        let value = match (item_type, &raw.value) {
            (ItemType::Structure, RawValue::Items(items)) => self.structure(items, secret)?,
            (ItemType::Structure, RawValue::None) => Value::Structure(Vec::new()),
            (_, value) => {
                let naming_tag = names::naming_tag(tag, attribute_name, self.vocabulary);
                let read = leaf(value, item_type, naming_tag, self.vocabulary);
                read.map_err(|kind| if secret { kind.masked() } else { kind })?
            }
        };
        self.path.borrow_mut().pop();
        Ok(Node::new(tag, value))
    }

    fn structure(&self, items: &[Raw<'_>], secret: bool) -> Result<Value, ErrorKind> {
        let mut nodes: Vec<Node> = Vec::with_capacity(items.len());
        let mut name_at = None;
        for (at, item) in items.iter().enumerate() {
            let name = name_at.and_then(|at: usize| match &nodes[at].value {
                Value::TextString(name) => Some(name.as_str()),
                _ => None,
            });
            let node = self.node(item, at + 1, name, secret)?;
            if node.tag == ATTRIBUTE_NAME {
                name_at = Some(at);
            }
            nodes.push(node);
        }
        Ok(Value::Structure(nodes))
    }

    fn tag(&self, text: &str) -> Result<Tag, ErrorKind> {
        let number = text.strip_prefix("0x").filter(|hex| hex.len() == 6).and_then(value::hex_number32);
        number
            .map(Tag::new)
            .or_else(|| self.vocabulary.tag(text).filter(|_| !text.is_empty()))
            .ok_or_else(|| ErrorKind::UnknownTag(first_chars(text)))
    }
}

/// The value of an item with nothing below it.
fn leaf(
    raw: &RawValue<'_>,
    item_type: ItemType,
    naming_tag: Tag,
    vocabulary: &dyn Vocabulary,
) -> Result<Value, ErrorKind> {
    let may_be_key = matches!(item_type, ItemType::ByteString | ItemType::BigInteger);
    let wrong = |text: &str| {
        let text = if may_be_key { String::new() } else { text.to_owned() };
        ErrorKind::WrongValue { item_type, text }
    };
    match (raw, item_type) {
        (RawValue::None, _) => Err(ErrorKind::MissingValue(item_type)),
        (RawValue::Boolean(value), ItemType::Boolean) => Ok(Value::Boolean(*value)),
        (RawValue::Boolean(value), _) => Err(wrong(if *value { "true" } else { "false" })),
        (RawValue::Fraction, _) => Err(wrong("a number that is no whole number of 64 bits")),
        (RawValue::Items(_), _) => Err(wrong("an array")),
        (RawValue::Number(number), _) => {
            of_number(*number, item_type).ok_or_else(|| wrong(&number.to_string()))
        }
        (RawValue::Text(text), ItemType::TextString) => Ok(Value::TextString(text.clone().into_owned())),
        (RawValue::Text(text), ItemType::Boolean) => {
            match value::hex_number(text.strip_prefix("0x").unwrap_or("-")) {
                Some(number @ 0..=1) => Ok(Value::Boolean(number == 1)),
                _ => Err(wrong(&first_chars(text))),
            }
        }
        (RawValue::Text(text), ItemType::BigInteger) if !text.starts_with("0x") => Err(wrong("")),
        // A number in a string is hex: decimal digits there are a mistake, whatever they meant.
        (RawValue::Text(text), _) if item_type != ItemType::ByteString && text.parse::<i128>().is_ok() => {
            Err(wrong(&first_chars(text)))
        }
        (RawValue::Text(text), _) => {
            value::parse(text, item_type, naming_tag, vocabulary).map_err(ErrorKind::of_value)
        }
    }
}

fn of_number(number: i128, item_type: ItemType) -> Option<Value> {
    Some(match item_type {
        ItemType::Integer => Value::Integer(number.try_into().ok()?),
        ItemType::LongInteger => Value::LongInteger(number.try_into().ok()?),
        ItemType::BigInteger => {
            Value::BigInteger(value::sign_extended(i64::try_from(number).ok()?.to_be_bytes().to_vec()))
        }
        ItemType::Enumeration => Value::Enumeration(number.try_into().ok()?),
        ItemType::Interval => Value::Interval(number.try_into().ok()?),
        _ => return None,
    })
}

fn first_chars(text: &str) -> String {
    text.chars().take(WRONG_CHARS_MAX).collect()
}
