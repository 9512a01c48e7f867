//! Trees to XML, two spaces a level.

use super::{GENERIC, WRAPPERS, value};
use crate::names::{self, ATTRIBUTE_NAME};
use crate::{Node, Tag, Value, Vocabulary};

/// One message as an element of its own.
///
/// Characters that XML 1.0 has no form for (U+0000) become U+FFFD; all else comes back as it was from [`read`].
///
/// [`read`]: super::read()
pub fn write(node: &Node, vocabulary: &dyn Vocabulary) -> String {
    let mut out = Out { text: String::new(), vocabulary };
    out.node(node, 0, None);
    out.text
}

/// Messages inside one `<KMIP>` element, as the public test cases have them.
pub fn write_all(nodes: &[Node], vocabulary: &dyn Vocabulary) -> String {
    let [root, _] = WRAPPERS;
    let mut out = Out { text: format!("<{root}>\n"), vocabulary };
    nodes.iter().for_each(|node| out.node(node, 1, None));
    out.text.push_str(&format!("</{root}>\n"));
    out.text
}

struct Out<'a> {
    text: String,
    vocabulary: &'a dyn Vocabulary,
}

impl Out<'_> {
    fn node(&mut self, node: &Node, depth: usize, attribute_name: Option<&str>) {
        self.indent(depth);
        let element = self.open(node.tag);
        let naming_tag = names::naming_tag(node.tag, attribute_name, self.vocabulary);
        if let Some(text) = value::text(&node.value, naming_tag, self.vocabulary) {
            let item_type = node.value.item_type();
            self.text.push_str(&format!(" type=\"{item_type:?}\" value=\""));
            self.escaped(&text);
            self.text.push_str("\"/>\n");
            return;
        }
        let nodes = node.value.children();
        if nodes.is_empty() {
            self.text.push_str("/>\n");
            return;
        }
        self.text.push_str(">\n");
        let mut name = None;
        for node in nodes {
            self.node(node, depth + 1, name);
            if let (ATTRIBUTE_NAME, Value::TextString(text)) = (node.tag, &node.value) {
                name = Some(text.as_str());
            }
        }
        self.indent(depth);
        self.text.push_str(&format!("</{element}>\n"));
    }

    /// Begins an element for `tag` and returns its name: the tag's where reading it back gives the same tag.
    fn open(&mut self, tag: Tag) -> &'static str {
        let named = self.vocabulary.tag_name(tag).filter(|name| self.vocabulary.tag(name) == Some(tag));
        match named {
            Some(name) => {
                self.text.push_str(&format!("<{name}"));
                name
            }
            None => {
                self.text.push_str(&format!("<{GENERIC} tag=\"{tag}\""));
                GENERIC
            }
        }
    }

    fn indent(&mut self, depth: usize) {
        self.text.extend(std::iter::repeat_n("  ", depth));
    }

    /// Blanks other than a space, and control characters, as references, or reading would make them spaces.
    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '&' => self.text.push_str("&amp;"),
                '"' => self.text.push_str("&quot;"),
                '\0' => self.text.push(char::REPLACEMENT_CHARACTER),
                c if c.is_control() || c == '\u{2028}' => {
                    self.text.push_str(&format!("&#{};", u32::from(c)));
                }
                c => self.text.push(c),
            }
        }
    }
}
