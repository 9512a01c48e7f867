//! A compact text form of requests and responses, read and written:
//!
//! ```text
//! Create { ObjectType=SymmetricKey TemplateAttribute { "Cryptographic Algorithm"=AES "x-a"[1]="text" } }
//! ```
//!
//! A name is a tag, a quoted name an attribute. Values: `"text"`, `0x00ff` bytes, `12` integer, `12L` long integer,
//! `12s` interval, `@12` date, `true`, `false`, `Name` or `#8001` enumeration, `{ … }` structure. `$1` stands for the first
//! identifier that the server made, `$2` for the next.

use std::fmt::Write as _;

use kmip::{Kmip, Tag, tag};
use ttlv::{Node, Value, Vocabulary};

/// The identifiers that a server made, in the order they were seen.
#[derive(Clone, Debug, Default)]
pub struct Names(pub Vec<String>);

impl Names {
    fn name(&mut self, id: &str) -> String {
        let place = self.0.iter().position(|known| known == id).unwrap_or_else(|| {
            self.0.push(id.to_owned());
            self.0.len() - 1
        });
        format!("${}", place + 1)
    }
}

fn is_identifier(text: &str) -> bool {
    text.len() == 36 && text.char_indices().all(|(at, c)| (c == '-') == [8, 13, 18, 23].contains(&at))
}

/// Appends nodes, one a line.
pub fn write(nodes: &[Node], depth: usize, names: &mut Names, out: &mut String) {
    for node in nodes {
        write!(out, "{:1$}", "", depth * 2).unwrap();
        if let Some((name, index, value)) = as_attribute(node) {
            write!(out, "{name:?}").unwrap();
            if let Some(index) = index {
                write!(out, "[{index}]").unwrap();
            }
            write_value(Kmip.attribute_tag(name).unwrap_or(tag::ATTRIBUTE_VALUE), value, depth, names, out);
        } else {
            out.push_str(tag::name(node.tag).unwrap());
            write_value(node.tag, &node.value, depth, names, out);
        }
    }
}

fn as_attribute(node: &Node) -> Option<(&str, Option<i32>, &Value)> {
    if node.tag != tag::ATTRIBUTE {
        return None;
    }
    match node.value.children() {
        [Node { value: Value::TextString(name), .. }, value] => Some((name, None, &value.value)),
        [Node { value: Value::TextString(name), .. }, Node { value: Value::Integer(index), .. }, value] => {
            Some((name, Some(*index), &value.value))
        }
        _ => None,
    }
}

fn write_value(holder: Tag, value: &Value, depth: usize, names: &mut Names, out: &mut String) {
    match value {
        Value::Structure(nodes) if nodes.is_empty() => out.push_str(" {}"),
        Value::Structure(nodes) => {
            out.push_str(" {\n");
            write(nodes, depth + 1, names, out);
            write!(out, "{:1$}}}", "", depth * 2).unwrap();
        }
        Value::Integer(number) => write!(out, "={number}").unwrap(),
        Value::LongInteger(number) => write!(out, "={number}L").unwrap(),
        Value::Interval(seconds) => write!(out, "={seconds}s").unwrap(),
        Value::DateTime(seconds) => write!(out, "=@{seconds}").unwrap(),
        Value::Boolean(flag) => write!(out, "={flag}").unwrap(),
        Value::TextString(text) if is_identifier(text) => write!(out, "={}", names.name(text)).unwrap(),
        Value::TextString(text) => write!(out, "={text:?}").unwrap(),
        Value::ByteString(bytes) | Value::BigInteger(bytes) => write!(out, "=0x{}", hex(bytes)).unwrap(),
        Value::Enumeration(number) => match Kmip.enumeration_name(holder, *number) {
            Some(name) => write!(out, "={name}").unwrap(),
            None => write!(out, "=#{number:x}").unwrap(),
        },
    }
    out.push('\n');
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the text form.
pub struct Source<'a> {
    pub rest: &'a str,
    pub names: &'a Names,
}

impl<'a> Source<'a> {
    pub fn new(text: &'a str, names: &'a Names) -> Self {
        let mut source = Self { rest: text, names };
        source.skip();
        source
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes `token` if it is next.
    pub fn takes(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest;
        self.skip();
        true
    }

    /// The word that is next.
    pub fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        assert!(end > 0, "expected a word at {:?}", self.rest);
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.skip();
        word
    }

    fn quoted(&mut self) -> String {
        assert!(self.takes_raw('"'), "expected a quoted text at {:?}", self.rest);
        let mut text = String::new();
        loop {
            let c = self.rest.chars().next().expect("a text that ends");
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '"' => break,
                '\\' => {
                    let escaped = self.rest.chars().next().expect("an escaped character");
                    self.rest = &self.rest[escaped.len_utf8()..];
                    text.push(escaped);
                }
                _ => text.push(c),
            }
        }
        self.skip();
        text
    }

    fn takes_raw(&mut self, c: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(c) else { return false };
        self.rest = rest;
        true
    }

    /// The nodes up to the closing brace.
    pub fn nodes(&mut self) -> Vec<Node> {
        let mut nodes = Vec::new();
        while !self.takes("}") {
            nodes.push(self.node());
        }
        nodes
    }

    fn node(&mut self) -> Node {
        if !self.rest.starts_with('"') {
            let name = self.word();
            let tag = tag::from_name(name).unwrap_or_else(|| panic!("no tag {name}"));
            return Node::new(tag, self.value(tag));
        }
        let name = self.quoted();
        let holder = Kmip.attribute_tag(&name).unwrap_or(tag::ATTRIBUTE_VALUE);
        let mut nodes = vec![Node::new(tag::ATTRIBUTE_NAME, Value::TextString(name))];
        if self.takes("[") {
            let minus = self.takes("-");
            let index: i32 = self.word().parse().unwrap();
            assert!(self.takes("]"));
            let index = if minus { -index } else { index };
            nodes.push(Node::new(tag::ATTRIBUTE_INDEX, Value::Integer(index)));
        }
        let value = self.value(holder);
        nodes.push(Node::new(tag::ATTRIBUTE_VALUE, value));
        Node::new(tag::ATTRIBUTE, Value::Structure(nodes))
    }

    fn value(&mut self, holder: Tag) -> Value {
        self.takes("=");
        if self.takes("{") {
            return Value::Structure(self.nodes());
        }
        if self.rest.starts_with('"') {
            return Value::TextString(self.quoted());
        }
        if self.takes("$") {
            let place: usize = self.word().parse().unwrap();
            return Value::TextString(self.names.0[place - 1].clone());
        }
        if self.takes("@") {
            return Value::DateTime(self.number().0.parse().unwrap());
        }
        if self.takes("#") {
            return Value::Enumeration(u32::from_str_radix(self.word(), 16).unwrap());
        }
        if self.takes("true") {
            return Value::Boolean(true);
        }
        if self.takes("false") {
            return Value::Boolean(false);
        }
        if self.takes("0x") {
            let digits =
                if self.rest.starts_with(|c: char| c.is_ascii_hexdigit()) { self.word() } else { "" };
            return match holder {
                tag::MODULUS | tag::PRIVATE_EXPONENT | tag::PUBLIC_EXPONENT => {
                    Value::BigInteger(unhex(digits))
                }
                _ => Value::ByteString(unhex(digits)),
            };
        }
        if self.rest.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return match self.number() {
                (number, 'L') => Value::LongInteger(number.parse().unwrap()),
                (number, 's') => Value::Interval(number.parse().unwrap()),
                (number, _) => Value::Integer(number.parse().unwrap()),
            };
        }
        let name = self.word();
        let number = Kmip.enumeration_number(holder, name);
        Value::Enumeration(number.unwrap_or_else(|| panic!("{holder} has no value {name}")))
    }

    /// Digits, with a sign, and the letter that stands right behind them, or a blank.
    fn number(&mut self) -> (&'a str, char) {
        let end = self.rest[1..].find(|c: char| !c.is_ascii_digit()).map_or(self.rest.len(), |at| at + 1);
        let (number, rest) = self.rest.split_at(end);
        let unit = rest.chars().next().filter(|c| ['L', 's'].contains(c)).unwrap_or(' ');
        self.rest = rest.strip_prefix(unit).unwrap_or(rest);
        self.skip();
        (number, unit)
    }
}

pub fn unhex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "whole bytes, got {digits}");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
