//! XML to trees: one message after the other, bounded, with the place of what is wrong.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use super::{Error, ErrorKind, GENERIC, NoPlaceholders, Placeholders, WRAPPERS, value};
use crate::names::{self, ATTRIBUTE_NAME};
use crate::{ItemType, Limits, Node, Tag, Value, Vocabulary};

/// How forgiving reading is, and what it may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Makes every run of blanks in Text Strings one space, for documents that were HTML once and carry its line
    /// breaks. Default false: Text Strings stay as they are. All other types take blanks in any case.
    pub collapse_blanks: bool,
    /// Passes over `<` that begins no element, `&` that begins no reference and end tags that end nothing, as some
    /// published test cases have them between messages. Default false: they are errors.
    pub pass_over_junk: bool,
    /// Bytes of the document, levels of structures, and elements in the whole document. Default 16 MiB, 32 and
    /// 65,536.
    pub limits: Limits,
}

impl Default for ReadOptions {
    fn default() -> Self {
        let limits = Limits { message_bytes_max: 16 << 20, ..Limits::default() };
        Self { collapse_blanks: false, pass_over_junk: false, limits }
    }
}

/// Reads a document of one message that leaves nothing open.
///
/// Fails when it holds none or more than one ([`ErrorKind::NotOne`]), and as [`Messages::next_message`].
pub fn read(text: &str, vocabulary: &dyn Vocabulary) -> Result<Node, Error> {
    read_within(text, ReadOptions::default().limits, vocabulary)
}

/// As [`read`], within bounds of the caller's.
pub fn read_within(text: &str, limits: Limits, vocabulary: &dyn Vocabulary) -> Result<Node, Error> {
    let document = Document::new(text, ReadOptions { limits, ..ReadOptions::default() });
    let mut nodes = document.read(vocabulary, &mut NoPlaceholders)?;
    match (nodes.pop(), nodes.len()) {
        (Some(node), 0) => Ok(node),
        (None, _) => Err(document.error(0, None, ErrorKind::NotOne(0))),
        (Some(_), others) => Err(document.error(0, None, ErrorKind::NotOne(others + 1))),
    }
}

/// A document with any number of messages, alone or inside a `<KMIP>` element, with comments and text between them.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    text: Cow<'a, str>,
    options: ReadOptions,
}

impl<'a> Document<'a> {
    /// Takes `text`; nothing is read yet.
    pub fn new(text: &'a str, options: ReadOptions) -> Self {
        // Over the bound nothing is done with it; reading says so.
        let small = text.len() <= options.limits.message_bytes_max;
        let text = if options.pass_over_junk && small { without_stray_angles(text) } else { text.into() };
        Self { text, options }
    }

    /// All its messages, in order.
    pub fn read(
        &self,
        vocabulary: &dyn Vocabulary,
        placeholders: &mut dyn Placeholders,
    ) -> Result<Vec<Node>, Error> {
        let mut messages = self.messages(vocabulary);
        let mut nodes = Vec::new();
        while let Some(node) = messages.next_message(placeholders)? {
            nodes.push(node);
        }
        Ok(nodes)
    }

    /// Its messages one at a time, for a caller who learns from one what the next leaves open.
    pub fn messages<'d>(&'d self, vocabulary: &'d dyn Vocabulary) -> Messages<'d> {
        let mut reader = quick_xml::Reader::from_str(&self.text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.allow_dangling_amp = self.options.pass_over_junk;
        config.allow_unmatched_ends = self.options.pass_over_junk;
        Messages { document: self, vocabulary, reader, open: Vec::new(), items: 0, done: false }
    }

    #[cold]
    fn error(&self, offset: usize, element: Option<&str>, kind: ErrorKind) -> Error {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        Error {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            column: 1 + String::from_utf8_lossy(&before[line_start..]).chars().count(),
            element: element.map(str::to_owned),
            kind,
        }
    }
}

/// `<` that cannot begin markup becomes a space, so that all positions stay.
fn without_stray_angles(text: &str) -> Cow<'_, str> {
    let begins = |rest: &str| {
        rest.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | ':' | '/' | '!' | '?'))
    };
    if text.match_indices('<').all(|(at, _)| begins(&text[at + 1..])) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        out.push(if c == '<' && !begins(&text[at + 1..]) { ' ' } else { c });
    }
    Cow::Owned(out)
}

/// The messages of a document, read one at a time.
pub struct Messages<'d> {
    document: &'d Document<'d>,
    vocabulary: &'d dyn Vocabulary,
    reader: quick_xml::Reader<&'d [u8]>,
    /// The elements of the message that are open.
    open: Vec<Open>,
    items: u32,
    done: bool,
}

impl std::fmt::Debug for Messages<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Messages").field("offset", &self.reader.buffer_position()).finish_non_exhaustive()
    }
}

/// An element between its start and its end.
struct Open {
    element: String,
    node: Node,
    /// The Attribute Name among its children so far.
    attribute_name: Option<String>,
}

impl Messages<'_> {
    /// The next message, or `None` at the end of the document.
    ///
    /// Fails with the place of what is wrong; every call after that gives `None`.
    pub fn next_message(&mut self, placeholders: &mut dyn Placeholders) -> Result<Option<Node>, Error> {
        if self.done {
            return Ok(None);
        }
        let read = self.read_message(placeholders).map_err(|(element, kind)| {
            let offset = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
            let element = element.as_deref().or(self.open.last().map(|open| open.element.as_str()));
            self.document.error(offset, element, kind)
        });
        self.done = !matches!(read, Ok(Some(_)));
        read
    }

    fn read_message(&mut self, placeholders: &mut dyn Placeholders) -> Result<Option<Node>, Fault> {
        let limit = self.document.options.limits.message_bytes_max;
        let got = self.document.text.len();
        if got > limit {
            return Err((None, ErrorKind::TooLarge { got, limit }));
        }
        loop {
            let event =
                self.reader.read_event().map_err(|error| (None, ErrorKind::NotXml(error.to_string())))?;
            match event {
                Event::Start(start) => self.start(&start, placeholders)?,
                Event::End(_) => {
                    if let Some(node) = self.end() {
                        return Ok(Some(node));
                    }
                }
                Event::Text(text) if !self.open.is_empty() && !text.trim_ascii().is_empty() => {
                    return Err((None, ErrorKind::UnexpectedText));
                }
                Event::CData(_) | Event::GeneralRef(_) if !self.open.is_empty() => {
                    return Err((None, ErrorKind::UnexpectedText));
                }
                Event::Eof if self.open.is_empty() => return Ok(None),
                Event::Eof => return Err((None, ErrorKind::Unclosed)),
                // Between messages, and what never says anything.
                _ => {}
            }
        }
    }

    fn start(&mut self, start: &BytesStart<'_>, placeholders: &mut dyn Placeholders) -> Result<(), Fault> {
        let local_name = start.local_name();
        let element: &str = local_name.as_ref();
        if self.open.is_empty() && WRAPPERS.contains(&element) {
            return Ok(());
        }
        let fault = |kind| (Some(element.to_owned()), kind);
        let limits = self.document.options.limits;
        if self.items == limits.items_max {
            return Err(fault(ErrorKind::TooManyItems(limits.items_max)));
        }
        self.items += 1;
        if let Some(parent) = self.open.last()
            && parent.node.value.item_type() != ItemType::Structure
        {
            return Err(fault(ErrorKind::InsideValue(parent.node.value.item_type())));
        }
        let attributes = Attributes::read(start).map_err(fault)?;
        let tag = self.tag(element, attributes.tag.as_deref()).map_err(fault)?;
        let value = self.value(tag, &attributes, placeholders).map_err(fault)?;
        if value.item_type() == ItemType::Structure && self.open.len() >= usize::from(limits.depth_max) {
            return Err(fault(ErrorKind::TooDeep(limits.depth_max)));
        }
        let node = Node::new(tag, value);
        self.open.push(Open { element: element.to_owned(), node, attribute_name: None });
        Ok(())
    }

    /// Closes an element: into the one around it, or out as a message.
    fn end(&mut self) -> Option<Node> {
        let Open { node, .. } = self.open.pop()?;
        let Some(parent) = self.open.last_mut() else {
            return Some(node);
        };
        if let (ATTRIBUTE_NAME, Value::TextString(name)) = (node.tag, &node.value) {
            parent.attribute_name = Some(name.clone());
        }
        if let Value::Structure(nodes) = &mut parent.node.value {
            nodes.push(node);
        }
        None
    }

    fn tag(&self, element: &str, attribute: Option<&str>) -> Result<Tag, ErrorKind> {
        if element != GENERIC {
            return self.vocabulary.tag(element).ok_or(ErrorKind::UnknownTag);
        }
        let text = attribute.unwrap_or_default().trim();
        let number = text.strip_prefix("0x").and_then(value::hex_number32).filter(|_| text.len() == 8);
        number
            .map(Tag::new)
            .or_else(|| self.vocabulary.tag(text).filter(|_| !text.is_empty()))
            .ok_or_else(|| ErrorKind::WrongTag(text.chars().take(64).collect()))
    }

    fn value(
        &self,
        tag: Tag,
        attributes: &Attributes<'_>,
        placeholders: &mut dyn Placeholders,
    ) -> Result<Value, ErrorKind> {
        let item_type = match attributes.item_type.as_deref().map(str::trim) {
            None => ItemType::Structure,
            Some(name) => ItemType::named(name)
                .ok_or_else(|| ErrorKind::UnknownType(name.chars().take(64).collect()))?,
        };
        let text = match (item_type, &attributes.value) {
            (ItemType::Structure, None) => return Ok(Value::Structure(Vec::new())),
            (ItemType::Structure, Some(_)) => return Err(ErrorKind::ValueOfStructure),
            (_, None) => return Err(ErrorKind::MissingValue(item_type)),
            (_, Some(text)) => text,
        };
        let mut text = match placeholders.replace(tag, item_type, text) {
            Some(replacement) => Cow::Owned(replacement),
            None => Cow::Borrowed(text.as_ref()),
        };
        if self.document.options.collapse_blanks && item_type == ItemType::TextString {
            text = names::collapse_blanks(&text).into();
        }
        let attribute_name = self.open.last().and_then(|open| open.attribute_name.as_deref());
        let naming_tag = names::naming_tag(tag, attribute_name, self.vocabulary);
        let read = value::parse(&text, item_type, naming_tag, self.vocabulary);
        if self.vocabulary.is_secret(tag)
            || self.open.iter().any(|open| self.vocabulary.is_secret(open.node.tag))
        {
            return read.map_err(|error| match error {
                ErrorKind::WrongValue { item_type, .. } => {
                    ErrorKind::WrongValue { item_type, text: String::new() }
                }
                ErrorKind::UnknownName { tag, .. } => ErrorKind::UnknownName { tag, name: String::new() },
                other => other,
            });
        }
        read
    }
}

/// What is wrong, and the element that was about to open, where there was one.
type Fault = (Option<String>, ErrorKind);

/// The attributes that say something; `name` and namespaces do not.
#[derive(Default)]
struct Attributes<'a> {
    tag: Option<Cow<'a, str>>,
    item_type: Option<Cow<'a, str>>,
    value: Option<Cow<'a, str>>,
}

impl<'a> Attributes<'a> {
    fn read(start: &'a BytesStart<'_>) -> Result<Self, ErrorKind> {
        let mut all = Self::default();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| ErrorKind::NotXml(error.to_string()))?;
            let slot = match attribute.key.as_ref() {
                "tag" => &mut all.tag,
                "type" => &mut all.item_type,
                "value" => &mut all.value,
                _ => continue,
            };
            let text = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| ErrorKind::NotXml(error.to_string()))?;
            *slot = Some(text);
        }
        Ok(all)
    }
}
