//! Changes to bytes: any byte, and where bytes are TTLV, whole items of it, so that what is changed deep inside is still
//! read to that depth.

use crate::Numbers;

/// Bytes of an item before its value: tag, type, length (KMIP 1.4 section 9.1).
const HEADER_BYTES: usize = 8;
const STRUCTURE: u8 = 0x01;
/// Numbers at which readers go wrong.
const EDGES: [u64; 12] = [
    0,
    1,
    7,
    8,
    0x7f,
    0xff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// Changes `bytes`, once or a few times.
pub(crate) fn mutate(bytes: &mut Vec<u8>, pool: &[Vec<u8>], numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        match numbers.below(3) {
            0 => anywhere(bytes, pool, numbers),
            _ if Tree::read(bytes).is_some() => items(bytes, pool, numbers),
            _ => anywhere(bytes, pool, numbers),
        }
    }
}

fn anywhere(bytes: &mut Vec<u8>, pool: &[Vec<u8>], numbers: &mut Numbers) {
    let at = numbers.below(bytes.len() + 1);
    match numbers.below(8) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
        2 if at < bytes.len() => bytes[at] = numbers.number() as u8,
        3 => {
            // A length, a count or a value at an edge, in any width.
            let edge = numbers.pick(&EDGES).to_be_bytes();
            let wide = *numbers.pick(&[1, 2, 4, 8]);
            let end = (at + wide).min(bytes.len());
            bytes[at..end].copy_from_slice(&edge[8 - (end - at)..]);
        }
        4 => bytes.truncate(at),
        5 => {
            let other = numbers.pick(pool);
            let from = numbers.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        6 => {
            let end = (at + numbers.below(16)).min(bytes.len());
            bytes.drain(at..end);
        }
        _ => {
            let more: Vec<u8> = (0..=numbers.below(16)).map(|_| numbers.number() as u8).collect();
            bytes.splice(at..at, more);
        }
    }
}

/// Changes items, and mends all lengths around them.
fn items(bytes: &mut Vec<u8>, pool: &[Vec<u8>], numbers: &mut Numbers) {
    let Some(mut tree) = Tree::read(bytes) else { return };
    let count = tree.count();
    let at = numbers.below(count);
    let other: &Vec<u8> = numbers.pick(pool);
    let other = Tree::read(other);
    let graft = other.and_then(|other| {
        let from = numbers.below(other.count());
        other.at(from).cloned()
    });
    let (what, number) = (numbers.below(8), numbers.number());
    match (what, graft) {
        (0, _) => tree.change(at, &mut |siblings, place| drop(siblings.remove(place))),
        (1, _) => tree.change(at, &mut |siblings, place| siblings.insert(place, siblings[place].clone())),
        (2, _) => tree.change(at, &mut |siblings, place| {
            let with = number as usize % siblings.len();
            siblings.swap(place, with);
        }),
        (3, Some(graft)) => tree.change(at, &mut |siblings, place| siblings[place] = graft.clone()),
        (4, Some(graft)) => tree.change(at, &mut |siblings, place| siblings.insert(place, graft.clone())),
        (5, Some(graft)) => {
            tree.change(at, &mut |siblings, place| siblings[place].value = graft.value.clone())
        }
        (6, _) => tree.change(at, &mut |siblings, place| {
            siblings[place].kind = (number % 12) as u8;
        }),
        _ => tree.change(at, &mut |siblings, place| {
            if let Content::Bytes(value) = &mut siblings[place].value {
                let mut own = Numbers::new(number);
                match own.below(4) {
                    0 => {
                        let edge = own.pick(&EDGES).to_be_bytes();
                        let wide = value.len().min(8);
                        value[..wide].copy_from_slice(&edge[8 - wide..]);
                    }
                    // Small numbers are values of enumerations.
                    1 if !value.is_empty() => {
                        let last = value.len() - 1;
                        value[last] = own.below(0x40) as u8;
                    }
                    2 => value.truncate(own.below(value.len() + 1)),
                    _ => value.extend((0..=own.below(40)).map(|_| b'a' + own.below(26) as u8)),
                }
            }
        }),
    }
    bytes.clear();
    tree.0.iter().for_each(|item| item.write(bytes));
}

#[derive(Clone, Debug)]
struct Item {
    tag: [u8; 3],
    kind: u8,
    value: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Items(Vec<Item>),
    Bytes(Vec<u8>),
}

/// Items one after the other.
struct Tree(Vec<Item>);

impl Tree {
    /// None where the bytes are no whole items, or none at all.
    fn read(bytes: &[u8]) -> Option<Self> {
        let items = read(bytes, 0)?;
        (!items.is_empty()).then_some(Self(items))
    }

    fn count(&self) -> usize {
        self.0.iter().map(Item::count).sum()
    }

    fn at(&self, place: usize) -> Option<&Item> {
        find(&self.0, place)
    }

    /// Calls with the siblings among which the item of this number stands, and its place there.
    fn change(&mut self, place: usize, change: &mut dyn FnMut(&mut Vec<Item>, usize)) {
        let mut left = place;
        descend(&mut self.0, &mut left, change);
    }
}

/// Deeper nesting is left as bytes.
const DEPTH_MAX: usize = 40;

fn read(mut bytes: &[u8], depth: usize) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let [t0, t1, t2, kind, l0, l1, l2, l3] = *header;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let padded = length.checked_next_multiple_of(8)?;
        let (inside, after) = (rest.get(..length)?, rest.get(padded..)?);
        let children = if kind == STRUCTURE && depth < DEPTH_MAX { read(inside, depth + 1) } else { None };
        let value = children.map_or_else(|| Content::Bytes(inside.to_vec()), Content::Items);
        items.push(Item { tag: [t0, t1, t2], kind, value });
        bytes = after;
    }
    Some(items)
}

fn find(items: &[Item], mut place: usize) -> Option<&Item> {
    for item in items {
        let count = item.count();
        if place == 0 {
            return Some(item);
        }
        if place < count
            && let Content::Items(children) = &item.value
        {
            return find(children, place - 1);
        }
        place -= count;
    }
    None
}

fn descend(items: &mut Vec<Item>, left: &mut usize, change: &mut dyn FnMut(&mut Vec<Item>, usize)) -> bool {
    for place in 0..items.len() {
        if *left == 0 {
            change(items, place);
            return true;
        }
        *left -= 1;
        if let Content::Items(children) = &mut items[place].value
            && descend(children, left, change)
        {
            return true;
        }
    }
    false
}

impl Item {
    fn count(&self) -> usize {
        match &self.value {
            Content::Items(children) => 1 + children.iter().map(Item::count).sum::<usize>(),
            Content::Bytes(_) => 1,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend(self.tag);
        out.push(self.kind);
        out.extend([0; 4]);
        match &self.value {
            Content::Items(children) => children.iter().for_each(|child| child.write(out)),
            Content::Bytes(bytes) => out.extend(bytes),
        }
        let length = out.len() - begin - HEADER_BYTES;
        out[begin + 4..begin + HEADER_BYTES].copy_from_slice(&(length as u32).to_be_bytes());
        out.resize(begin + HEADER_BYTES + length.next_multiple_of(8), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A structure of an integer and a structure of a text.
    fn message() -> Vec<u8> {
        let text = Item { tag: [0x42, 0, 3], kind: 7, value: Content::Bytes(b"text".to_vec()) };
        let number = Item { tag: [0x42, 0, 2], kind: 2, value: Content::Bytes(vec![0, 0, 0, 1]) };
        let inner = Item { tag: [0x42, 0, 4], kind: 1, value: Content::Items(vec![text]) };
        let mut bytes = Vec::new();
        Item { tag: [0x42, 0, 1], kind: 1, value: Content::Items(vec![number, inner]) }.write(&mut bytes);
        bytes
    }

    #[test]
    fn a_message_is_written_as_it_was_read() {
        let bytes = message();
        let tree = Tree::read(&bytes).unwrap();
        assert_eq!((tree.count(), tree.at(3).unwrap().tag), (4, [0x42, 0, 3]));
        let mut again = Vec::new();
        tree.0.iter().for_each(|item| item.write(&mut again));
        assert_eq!(again, bytes);
    }

    #[test]
    fn the_same_seed_makes_the_same_changes_and_most_of_them_are_still_items() {
        let pool = vec![message()];
        let changed = |seed| {
            let mut bytes = message();
            items(&mut bytes, &pool, &mut Numbers::new(seed));
            bytes
        };
        assert_eq!(changed(7), changed(7));
        let different = (0..100).filter(|seed| changed(*seed) != message()).count();
        let whole = (0..100).filter(|seed| Tree::read(&changed(*seed)).is_some()).count();
        assert!(different > 60 && whole > 80, "{different} different, {whole} whole");
    }
}
