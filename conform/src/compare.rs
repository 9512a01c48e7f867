//! Compares a response with the one that a case expects, tree against tree, down to the first difference.
//!
//! Pure. Everything must be the same, in order, but for what [`permitted`] lists.

mod known;
mod show;
#[cfg(test)]
mod tests;

use kmip::enumeration::{Operation, PaddingMethod, ResultStatus};
use kmip::{Kmip, Tag, tag};
use serde::Serialize;
use ttlv::{Node, Value, Vocabulary};

use super::case::{Exchange, items, operation};
use super::permitted::{self, SetRule};
use super::placeholder;
pub(crate) use known::Known;
use show::{field, value, value_expected};

/// The first place where a response is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `response 7, item 1, Attribute "State"`.
    pub path: String,
    /// What the case has there.
    pub expected: String,
    /// What came.
    pub got: String,
}

/// Compares `got` with the response to the request that was the `number`th, from 1, and learns from it.
pub(crate) fn response(
    known: &mut Known,
    number: usize,
    exchange: &Exchange,
    got: &Node,
) -> Result<(), Difference> {
    let mut comparer = Comparer {
        known: known.clone(),
        item: Item::default(),
        path: vec![format!("response {number}")],
        inside: Vec::new(),
    };
    comparer.same(&exchange.request, &exchange.response, got)?;
    *known = comparer.known;
    Ok(())
}

/// Compares `got`, which the server asked its client, with the request that is the `number`th of its case, from 1, and
/// learns from it.
pub(crate) fn request(
    known: &mut Known,
    number: usize,
    exchange: &Exchange,
    got: &Node,
) -> Result<(), Difference> {
    let mut comparer = Comparer {
        known: known.clone(),
        item: Item::default(),
        path: vec![format!("request {number}")],
        inside: Vec::new(),
    };
    comparer.same(&exchange.request, &exchange.request, got)?;
    *known = comparer.known;
    Ok(())
}

/// What is known of the batch item at hand.
#[derive(Clone, Debug, Default)]
struct Item {
    operation: Option<Operation>,
    /// The payload of the request.
    asked: Option<Node>,
    /// Whether the server made the object that the response is about.
    made: bool,
    /// Whether the key material in the response may be any.
    material_varies: bool,
}

/// Fields with one tag that are compared together: one, or all of a set.
struct Group<'a> {
    tag: Tag,
    rule: Option<SetRule>,
    nodes: Vec<&'a Node>,
}

/// Where a comparison is. Cloned to try whether two attributes are the same.
#[derive(Clone)]
struct Comparer {
    known: Known,
    item: Item,
    path: Vec<String>,
    /// The tags around the node at hand, an Attribute Value under the tag of its attribute.
    inside: Vec<Tag>,
}

impl Comparer {
    /// Whether a message is as expected; `request` is the one that it answers, or it itself.
    fn same(&mut self, request: &Node, expected: &Node, got: &Node) -> Result<(), Difference> {
        if got.tag != expected.tag {
            return Err(self.differs(field(expected), field(got)));
        }
        self.at("header".to_owned(), |comparer| {
            let its = match got.tag {
                tag::REQUEST_MESSAGE => tag::REQUEST_HEADER,
                _ => tag::RESPONSE_HEADER,
            };
            let headers = [expected, got].map(|message| message.child(its));
            let [Some(expected), Some(header)] = headers else {
                return Err(comparer.differs("a header".to_owned(), field(got)));
            };
            comparer
                .children(its, expected.value.children(), header.value.children())
                .map_err(|difference| with_failure(difference, got))
        })?;
        let (expected, got): (Vec<_>, Vec<_>) = (items(expected).collect(), items(got).collect());
        if expected.len() != got.len() {
            return Err(self.differs(format!("{} items", expected.len()), format!("{} items", got.len())));
        }
        let mut requests = items(request);
        for (at, (expected, got)) in expected.into_iter().zip(got).enumerate() {
            let request = requests.next();
            self.at(format!("item {}", at + 1), |comparer| comparer.item(request, expected, got))?;
        }
        Ok(())
    }

    fn item(&mut self, request: Option<&Node>, expected: &Node, got: &Node) -> Result<(), Difference> {
        if result_status(expected) != result_status(got) {
            let failure = failure(got).unwrap_or_else(|| show::status(got));
            self.path.push("Result Status".to_owned());
            return Err(self.differs(show::status(expected), failure));
        }
        let asked = request.and_then(|request| request.child(tag::REQUEST_PAYLOAD));
        if let Some(asked) = asked
            && result_status(expected) == Some(ResultStatus::Success)
        {
            self.known.asked(asked, tag::REQUEST_PAYLOAD);
        }
        let payload = got.child(tag::RESPONSE_PAYLOAD).or_else(|| got.child(tag::REQUEST_PAYLOAD));
        let about = payload.and_then(|it| it.child(tag::UNIQUE_IDENTIFIER));
        let made = about.and_then(text).is_some_and(|about| self.known.made.contains(about));
        self.item =
            Item { operation: operation(expected), asked: asked.cloned(), made, material_varies: made };
        self.children(tag::BATCH_ITEM, expected.value.children(), got.value.children())?;
        self.learn(got);
        Ok(())
    }

    /// Remembers which objects the server made in a batch item that is as expected.
    fn learn(&mut self, got: &Node) {
        let (Some(operation), Some(payload)) = (self.item.operation, got.child(tag::RESPONSE_PAYLOAD)) else {
            return;
        };
        let derived = || {
            let sources = self.item.asked.iter().flat_map(|asked| asked.value.children());
            let mut sources = sources.filter(|node| node.tag == tag::UNIQUE_IDENTIFIER).filter_map(text);
            sources.any(|source| match self.known.bindings.bound(source) {
                Some(Value::TextString(source)) => self.known.made.contains(source),
                _ => false,
            })
        };
        if permitted::makes_material(operation) || permitted::derives_material(operation) && derived() {
            let identifiers = payload.value.children().iter();
            let identifiers = identifiers.filter(|node| permitted::IDENTIFIERS.contains(&node.tag));
            self.known.made.extend(identifiers.filter_map(text).map(str::to_owned));
        }
    }

    fn children(&mut self, parent: Tag, expected: &[Node], got: &[Node]) -> Result<(), Difference> {
        let (expected, got) = (self.groups(parent, expected), self.groups(parent, got));
        let (mut left, mut right) = (expected.as_slice(), got.as_slice());
        loop {
            let within = |groups: &[Group<'_>], tag| groups.iter().any(|group| group.tag == tag);
            match (left, right) {
                ([], []) => return Ok(()),
                ([a, rest_left @ ..], [b, rest_right @ ..]) if a.tag == b.tag => {
                    self.group(a, b)?;
                    (left, right) = (rest_left, rest_right);
                }
                ([a, rest @ ..], _) if !within(right, a.tag) && self.may_be_absent(parent, a) => left = rest,
                (_, [b, rest @ ..]) if !within(left, b.tag) && self.may_be_added(parent, b) => {
                    self.whole(b)?;
                    right = rest;
                }
                (_, [b, ..]) if !within(left, b.tag) => {
                    let got = b.nodes.first().map(|node| field(node));
                    return Err(self.field_differs(b, "nothing".to_owned(), got));
                }
                ([a, ..], [b, ..]) if within(right, a.tag) => {
                    let expected = format!("{} here", show::name(a.tag));
                    let got = b.nodes.first().map(|node| field(node));
                    return Err(self.field_differs(b, expected, got));
                }
                ([a, ..], _) => {
                    let expected = a.nodes.first().map(|node| self.shown(node)).unwrap_or_default();
                    return Err(self.field_differs(a, expected, None));
                }
                // All of the left are done, so the right one is not among them.
                ([], [_, ..]) => return Ok(()),
            }
        }
    }

    fn groups<'a>(&self, parent: Tag, nodes: &'a [Node]) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for node in nodes {
            match groups.last_mut() {
                Some(group) if group.tag == node.tag && group.rule.is_some() => group.nodes.push(node),
                _ => {
                    let rule =
                        permitted::set_rule(self.item.operation, parent, node.tag, self.item.asked.as_ref());
                    groups.push(Group { tag: node.tag, rule, nodes: vec![node] });
                }
            }
        }
        groups
    }

    fn may_be_absent(&self, parent: Tag, group: &Group<'_>) -> bool {
        match group.rule {
            Some(rule) => {
                rule.fewer && !permitted::must_be_said(group.tag)
                    || group.nodes.iter().all(|node| self.attribute_may_be_absent(node))
            }
            None => group.nodes.iter().all(|node| permitted::optional(parent, node, self.known.version)),
        }
    }

    fn may_be_added(&self, parent: Tag, group: &Group<'_>) -> bool {
        // More objects in a Query are additional only where it asks for objects.
        let attributes = matches!(group.tag, tag::ATTRIBUTE | tag::ATTRIBUTE_NAME);
        match group.rule {
            Some(rule) => rule.fewer || rule.more && attributes,
            None => group.nodes.iter().all(|node| {
                permitted::optional(parent, node, self.known.version)
                    || permitted::may_be_added(self.item.operation, node)
            }),
        }
    }

    fn attribute_may_be_absent(&self, node: &Node) -> bool {
        let name = if node.tag == tag::ATTRIBUTE_NAME { text(node) } else { attribute_name(node) };
        let Some(name) = name else { return false };
        let group = node.child(tag::ATTRIBUTE_VALUE).and_then(text);
        permitted::may_be_absent(name)
            || name == "Object Group" && !group.is_some_and(|group| self.known.groups.contains(group))
    }

    fn group(&mut self, expected: &Group<'_>, got: &Group<'_>) -> Result<(), Difference> {
        match expected.rule {
            Some(rule) => self.set(rule, &expected.nodes, &got.nodes),
            // One each: only sets are gathered.
            None => {
                expected.nodes.iter().zip(&got.nodes).try_for_each(|(expected, got)| self.node(expected, got))
            }
        }
    }

    fn set(&mut self, rule: SetRule, expected: &[&Node], got: &[&Node]) -> Result<(), Difference> {
        let mut left: Vec<&Node> = got.to_vec();
        for expected in expected {
            let tried = left.iter().position(|got| {
                let mut trial = self.clone();
                let same = same_attribute(expected, got) && trial.node(expected, got).is_ok();
                if same {
                    *self = trial;
                }
                same
            });
            if let Some(at) = tried {
                left.remove(at);
                continue;
            }
            if rule.fewer || self.attribute_may_be_absent(expected) {
                continue;
            }
            // The one that comes closest shows what is wrong.
            let of_index = |got: &&&Node| attribute_index(got) == attribute_index(expected);
            let mut like = left.iter().filter(|got| same_attribute(expected, got));
            if expected.tag == tag::ATTRIBUTE
                && let Some(got) = like.clone().find(of_index).or_else(|| like.next())
            {
                self.node(expected, got)?;
            }
            self.path.push(show::segment(expected));
            let others = left.first().filter(|_| !rule.more).map(|got| field(got));
            return Err(self.differs(self.shown(expected), others.unwrap_or_else(|| "nothing".to_owned())));
        }
        left.iter().try_for_each(|more| self.holds(more, rule.fields))?;
        match left.first() {
            Some(more) if !rule.more => {
                self.path.push(show::segment(more));
                Err(self.differs("nothing more".to_owned(), field(more)))
            }
            _ => Ok(()),
        }
    }

    /// Whether fields that no expected one stands against hold what they must.
    fn whole(&mut self, group: &Group<'_>) -> Result<(), Difference> {
        let fields = group.rule.map_or(&[][..], |rule| rule.fields);
        group.nodes.iter().try_for_each(|node| self.holds(node, fields))
    }

    fn holds(&mut self, got: &Node, fields: &[Tag]) -> Result<(), Difference> {
        match fields.iter().find(|field| got.child(**field).is_none()) {
            None => Ok(()),
            Some(missing) => {
                self.path.push(show::segment(got));
                Err(self.differs(format!("a {}", show::name(*missing)), field(got)))
            }
        }
    }

    fn node(&mut self, expected: &Node, got: &Node) -> Result<(), Difference> {
        let named = match (expected.tag, self.inside.last()) {
            (tag::ATTRIBUTE_VALUE, Some(attribute)) => *attribute,
            (own, _) => own,
        };
        let depth = (self.path.len(), self.inside.len());
        if !matches!(expected.tag, tag::RESPONSE_PAYLOAD | tag::ATTRIBUTE_VALUE) {
            self.path.push(show::segment(expected));
        }
        self.inside.push(match expected.tag {
            tag::ATTRIBUTE => {
                attribute_name(expected).and_then(|name| Kmip.attribute_tag(name)).unwrap_or(tag::ATTRIBUTE)
            }
            _ => named,
        });
        match (&expected.value, &got.value) {
            (Value::Structure(a), Value::Structure(b)) => self.structure(expected.tag, named, a, b)?,
            (a, b) => self.leaf(named, a, b)?,
        }
        self.path.truncate(depth.0);
        self.inside.truncate(depth.1);
        Ok(())
    }

    fn structure(&mut self, own: Tag, named: Tag, expected: &[Node], got: &[Node]) -> Result<(), Difference> {
        match own {
            // The specification leaves what is inside to the vendor.
            tag::SERVER_INFORMATION => return Ok(()),
            // Which fields there are depends on the generator.
            _ if named == tag::RANDOM_NUMBER_GENERATOR && self.item.made => return Ok(()),
            tag::KEY_BLOCK => {
                let by_made = self.wrapped_by_made(expected);
                self.item.material_varies = self.item.made || by_made;
            }
            _ => {}
        }
        if own == tag::KEY_BLOCK && self.format_is_free() {
            let format = |nodes: &[Node]| nodes.iter().find(|node| node.tag == tag::KEY_FORMAT_TYPE).cloned();
            if format(expected) != format(got) {
                let without = |nodes: &[Node]| -> Vec<Node> {
                    nodes.iter().filter(|node| node.tag != tag::KEY_VALUE).cloned().collect()
                };
                return self.children(own, &without(expected), &without(got));
            }
        }
        self.children(if own == tag::ATTRIBUTE_VALUE { named } else { own }, expected, got)
    }

    /// Whether the server may choose the format of a key: it made it, and the request asks for none.
    fn format_is_free(&self) -> bool {
        let asked = self.item.asked.as_ref().and_then(|asked| asked.child(tag::KEY_FORMAT_TYPE));
        self.item.made && asked.is_none()
    }

    fn wrapped_by_made(&self, key_block: &[Node]) -> bool {
        let wrapping = key_block.iter().find(|node| node.tag == tag::KEY_WRAPPING_DATA);
        let key = wrapping
            .and_then(|it| it.child(tag::ENCRYPTION_KEY_INFORMATION))
            .and_then(|it| it.child(tag::UNIQUE_IDENTIFIER))
            .and_then(text)
            .and_then(|key| self.known.bindings.bound(key));
        matches!(key, Some(Value::TextString(key)) if self.known.made.contains(key))
    }

    fn leaf(&mut self, named: Tag, expected: &Value, got: &Value) -> Result<(), Difference> {
        if expected.item_type() != got.item_type() {
            let (a, b) = (expected.item_type(), got.item_type());
            return Err(self.differs(format!("type {a:?}"), format!("type {b:?}")));
        }
        if permitted::OUTPUTS.contains(&named) || permitted::CORRELATIONS.contains(&named) {
            self.known.bindings.came(named, got);
        }
        let identifier = permitted::IDENTIFIERS.contains(&named);
        let open = match (placeholder::name(expected), expected) {
            (Some(name), _) => Some(name),
            (None, Value::TextString(text)) if identifier => Some(text.as_str()),
            _ => None,
        };
        if let Some(name) = open {
            // What stays the same for an object, and what is new each time.
            let stays = identifier || name.starts_with("$UNIQUE_IDENTIFIER") || name.starts_with("$KEY_");
            if let Some(bound) = self.known.bindings.bound(name).filter(|_| stays)
                && bound != got
            {
                return Err(self.differs(value_expected(named, expected, &self.known), value(named, got)));
            }
            self.known.bindings.bind(name, got);
            return Ok(());
        }
        let expected = match expected {
            Value::DateTime(date) => &Value::DateTime(self.known.bindings.date(*date)),
            other => other,
        };
        if expected == got || self.is_free(named, expected, got) {
            return Ok(());
        }
        let secret = self.inside.iter().any(|tag| Kmip.is_secret(*tag));
        Err(if secret {
            self.differs(show::secret(expected), format!("other: {}", show::secret(got)))
        } else {
            self.differs(value(named, expected), value(named, got))
        })
    }

    /// Whether a value that is another than the expected one is permitted.
    fn is_free(&self, named: Tag, expected: &Value, got: &Value) -> bool {
        let same_length = || match (expected, got) {
            (Value::ByteString(a), Value::ByteString(b)) => a.len() == b.len(),
            _ => true,
        };
        if permitted::FREE.contains(&named) || permitted::CORRELATIONS.contains(&named) {
            return true;
        }
        if let Value::DateTime(date) = expected
            && permitted::DATES.contains(&named)
        {
            return !self.known.dates.contains(&(named, *date));
        }
        if permitted::OUTPUTS.contains(&named) {
            return match self.item.operation {
                Some(Operation::RngRetrieve) => same_length(),
                _ => self.item.made || self.is_random(named) && same_length(),
            };
        }
        let within = |tag| self.inside.contains(&tag);
        if named == tag::KEY_VALUE || within(tag::KEY_MATERIAL) {
            let symmetric = within(tag::SYMMETRIC_KEY);
            return self.item.material_varies && (!symmetric || same_length());
        }
        if permitted::SERVERS_CHOICE.iter().any(|tag| within(*tag)) {
            return self.item.made;
        }
        match named {
            tag::CERTIFICATE_VALUE => self.item.made,
            tag::KEY_FORMAT_TYPE => within(tag::KEY_BLOCK) && self.format_is_free(),
            _ => false,
        }
    }

    /// Whether the specification has a random part in what this field holds: a random initialization vector, the paddings of RSA
    /// encryption, the salt of PSS. A later Decrypt or Signature Verify of the case proves it; its length always must be
    /// right.
    fn is_random(&self, named: Tag) -> bool {
        let paddings = &self.known.paddings;
        let iv_given =
            self.item.asked.as_ref().is_some_and(|asked| asked.child(tag::IV_COUNTER_NONCE).is_some());
        let own_iv = self.known.random_iv && !iv_given;
        match (self.item.operation, named) {
            (Some(Operation::Encrypt), tag::DATA) => {
                own_iv
                    || paddings.contains(&PaddingMethod::Oaep)
                    || paddings.contains(&PaddingMethod::Pkcs1V1_5)
            }
            (Some(Operation::Encrypt), tag::IV_COUNTER_NONCE | tag::AUTHENTICATED_ENCRYPTION_TAG) => own_iv,
            (Some(Operation::Sign), tag::SIGNATURE_DATA) => paddings.contains(&PaddingMethod::Pss),
            _ => false,
        }
    }

    /// Does `work` one step further down the path.
    fn at(
        &mut self,
        segment: String,
        work: impl FnOnce(&mut Self) -> Result<(), Difference>,
    ) -> Result<(), Difference> {
        self.path.push(segment);
        work(self)?;
        self.path.pop();
        Ok(())
    }

    fn differs(&self, expected: String, got: String) -> Difference {
        Difference { path: self.path.join(", "), expected, got }
    }

    fn field_differs(&mut self, group: &Group<'_>, expected: String, got: Option<String>) -> Difference {
        if let Some(node) = group.nodes.first() {
            self.path.push(show::segment(node));
        }
        self.differs(expected, got.unwrap_or_else(|| "nothing".to_owned()))
    }

    fn shown(&self, expected: &Node) -> String {
        show::field_expected(expected, &self.known)
    }
}

/// A header that differs because the server refused the message: what it says is worth more than the count.
fn with_failure(difference: Difference, got: &Node) -> Difference {
    match items(got).find_map(failure) {
        Some(failure) => Difference { got: format!("{}, and {failure}", difference.got), ..difference },
        None => difference,
    }
}

fn result_status(item: &Node) -> Option<ResultStatus> {
    match item.child(tag::RESULT_STATUS)?.value {
        Value::Enumeration(number) => Some(ResultStatus::from_number(number)),
        _ => None,
    }
}

fn failure(item: &Node) -> Option<String> {
    (result_status(item) != Some(ResultStatus::Success)).then(|| show::status(item))
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::TextString(text) => Some(text),
        _ => None,
    }
}

fn attribute_name(node: &Node) -> Option<&str> {
    node.child(tag::ATTRIBUTE_NAME).and_then(text)
}

fn attribute_index(node: &Node) -> i32 {
    match node.child(tag::ATTRIBUTE_INDEX).map(|it| &it.value) {
        Some(Value::Integer(index)) => *index,
        _ => 0,
    }
}

/// Whether two fields of a set could be the same at all: attributes by their names.
fn same_attribute(a: &Node, b: &Node) -> bool {
    a.tag == b.tag && attribute_name(a) == attribute_name(b)
}
