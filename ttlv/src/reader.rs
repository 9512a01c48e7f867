//! Bytes to items, without copying: one pass, each item checked as it is passed.
//!
//! What passes an item is inlined always: its result is some fifty bytes, and handing that from call to call costs
//! three times what the checks do.

use std::cell::Cell;

use crate::{Error, ErrorKind, HEADER_BYTES, ItemType, Tag};

/// What one message may cost. Over a limit is an error that names the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole message with its header. Default 1 MiB.
    pub message_bytes_max: usize,
    /// Structures within structures. Default 32; KMIP's own deepest is about 10.
    pub depth_max: u8,
    /// Items in the whole message. Default 65,536.
    pub items_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes_max: 1 << 20, depth_max: 32, items_max: 1 << 16 }
    }
}

/// What is left of [`Limits`] while one message is read. All readers of the message draw on it.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    items_left: Cell<u32>,
}

impl Budget {
    /// A fresh budget for one message.
    pub fn new(limits: Limits) -> Self {
        Self { limits, items_left: Cell::new(limits.items_max) }
    }
}

/// Bytes of the whole message that begins with `header`, so that a frame's length can be checked before a byte
/// of its body is kept.
///
/// Fails when the first item is no Structure, or the message is larger than `limits.message_bytes_max`.
pub fn frame_len(header: &[u8; HEADER_BYTES], limits: &Limits) -> Result<usize, Error> {
    let (tag, number, length) = split_header(header);
    let item_type =
        ItemType::from_number(number).ok_or_else(|| Error::new(0, tag, ErrorKind::UnknownType(number)))?;
    if item_type != ItemType::Structure {
        return Err(Error::new(
            0,
            tag,
            ErrorKind::WrongType { expected: ItemType::Structure, got: item_type },
        ));
    }
    let got = length + HEADER_BYTES;
    if got > limits.message_bytes_max {
        return Err(Error::new(0, tag, ErrorKind::TooLarge { got, limit: limits.message_bytes_max }));
    }
    if !length.is_multiple_of(8) {
        return Err(Error::new(0, tag, ErrorKind::WrongLength { item_type, length }));
    }
    Ok(got)
}

#[inline]
fn split_header(header: &[u8; HEADER_BYTES]) -> (Tag, u8, usize) {
    let word = u64::from_be_bytes(*header);
    (Tag::new((word >> 40) as u32), (word >> 32) as u8, (word & 0xffff_ffff) as usize)
}

/// Whether values of this type can have this length (KMIP 1.4 section 9.1.1.3).
#[inline]
fn takes(item_type: ItemType, length: usize) -> bool {
    match item_type {
        ItemType::TextString | ItemType::ByteString => true,
        ItemType::Structure => length.is_multiple_of(8),
        ItemType::BigInteger => length.is_multiple_of(8) && length > 0,
        ItemType::Integer | ItemType::Enumeration | ItemType::Interval => length == 4,
        ItemType::LongInteger | ItemType::Boolean | ItemType::DateTime => length == 8,
    }
}

/// Which check of an item failed.
#[derive(Clone, Copy)]
enum Fault {
    Header,
    Type,
    Length,
    WrongLength,
    Padding,
    Items,
}

/// The items of one structure, in order.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// Offset of `bytes` in the message, for errors.
    offset: usize,
    /// Levels that may still open below this one.
    depth_left: u8,
    budget: &'a Budget,
}

/// One item as it stands in the message.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Its tag.
    pub tag: Tag,
    /// Its type.
    pub item_type: ItemType,
    /// Bytes from the start of the message to this item, for errors.
    pub offset: usize,
    /// Its value, without padding.
    bytes: &'a [u8],
    depth_left: u8,
    budget: &'a Budget,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, a whole message, as one item.
    ///
    /// Fails when the message is over the limit of `budget`, no item, or has bytes behind it.
    pub fn message(bytes: &'a [u8], budget: &'a Budget) -> Result<Item<'a>, Error> {
        let limit = budget.limits.message_bytes_max;
        if bytes.len() > limit {
            return Err(Error::new(0, None, ErrorKind::TooLarge { got: bytes.len(), limit }));
        }
        let mut reader = Self::items(bytes, budget);
        let Some(item) = reader.next_item()? else {
            return Err(Error::new(0, None, ErrorKind::Truncated { needed: HEADER_BYTES, left: 0 }));
        };
        if !reader.is_empty() {
            return Err(Error::new(reader.offset, None, ErrorKind::TrailingBytes(reader.bytes.len())));
        }
        Ok(item)
    }

    /// Reads `bytes` as items one after the other, as they stand inside a structure.
    pub fn items(bytes: &'a [u8], budget: &'a Budget) -> Self {
        Self { bytes, offset: 0, depth_left: budget.limits.depth_max, budget }
    }

    /// Whether all items are read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes from the start of the message to the next item.
    #[inline]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The tag of the next item, which stays unread. `None` at the end, or where no tag fits.
    #[inline]
    pub fn peek(&self) -> Option<Tag> {
        let [a, b, c, ..] = self.bytes else { return None };
        Some(Tag::new(u32::from_be_bytes([0, *a, *b, *c])))
    }

    /// The next item, or `None` at the end.
    #[inline(always)]
    pub fn next_item(&mut self) -> Result<Option<Item<'a>>, Error> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        self.pass().map(Some).map_err(|fault| self.explain(fault))
    }

    /// Checks the next item and passes it. Kept apart from the making of errors, which are large and would slow
    /// down the way without any.
    #[inline(always)]
    fn pass(&mut self) -> Result<Item<'a>, Fault> {
        let (header, rest) = self.bytes.split_first_chunk::<HEADER_BYTES>().ok_or(Fault::Header)?;
        let (tag, number, length) = split_header(header);
        let item_type = ItemType::from_number(number).ok_or(Fault::Type)?;
        let padded = length.next_multiple_of(8);
        let (value, rest) = rest.split_at_checked(padded).ok_or(Fault::Length)?;
        if !takes(item_type, length) {
            return Err(Fault::WrongLength);
        }
        let padding_bits = (padded - length) * 8;
        if padding_bits != 0 {
            let last = value.last_chunk().copied().map(u64::from_be_bytes).unwrap_or_default();
            if last & ((1 << padding_bits) - 1) != 0 {
                return Err(Fault::Padding);
            }
        }
        let items_left = self.budget.items_left.get().checked_sub(1).ok_or(Fault::Items)?;
        self.budget.items_left.set(items_left);
        let (depth_left, budget) = (self.depth_left, self.budget);
        let item = Item { tag, item_type, offset: self.offset, bytes: &value[..length], depth_left, budget };
        self.bytes = rest;
        self.offset += HEADER_BYTES + padded;
        Ok(item)
    }

    #[cold]
    #[inline(never)]
    fn missing(&self, tag: Tag) -> Error {
        Error::new(self.offset, tag, ErrorKind::Missing)
    }

    /// The error for what stopped [`Self::pass`], which left the item unread.
    #[cold]
    #[inline(never)]
    fn explain(&self, fault: Fault) -> Error {
        let left = self.bytes.len();
        let Some(header) = self.bytes.first_chunk() else {
            let kind = ErrorKind::Truncated { needed: HEADER_BYTES, left };
            return Error::new(self.offset, self.peek(), kind);
        };
        let (tag, number, length) = split_header(header);
        let kind = match (fault, ItemType::from_number(number)) {
            (Fault::Type, _) | (_, None) => ErrorKind::UnknownType(number),
            (Fault::Header | Fault::Length, _) => {
                ErrorKind::Truncated { needed: length.next_multiple_of(8) + HEADER_BYTES, left }
            }
            (Fault::WrongLength, Some(item_type)) => ErrorKind::WrongLength { item_type, length },
            (Fault::Padding, _) => ErrorKind::WrongPadding,
            (Fault::Items, _) => ErrorKind::TooManyItems(self.budget.limits.items_max),
        };
        Error::new(self.offset, tag, kind)
    }

    /// The next item if it has this tag; otherwise it stays unread.
    #[inline(always)]
    pub fn optional(&mut self, tag: Tag) -> Result<Option<Item<'a>>, Error> {
        if self.peek() != Some(tag) {
            return Ok(None);
        }
        self.next_item()
    }

    /// The next item, which must have this tag.
    ///
    /// Fails with [`ErrorKind::Missing`] where another tag, or nothing, follows.
    #[inline(always)]
    pub fn required(&mut self, tag: Tag) -> Result<Item<'a>, Error> {
        if self.peek() != Some(tag) {
            return Err(self.missing(tag));
        }
        self.pass().map_err(|fault| self.explain(fault))
    }

    /// Ends reading. Fails with [`ErrorKind::Unexpected`] where an item is left.
    #[inline]
    pub fn finish(self) -> Result<(), Error> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        Err(Error::new(self.offset, self.peek(), ErrorKind::Unexpected))
    }
}

impl<'a> Item<'a> {
    /// The items inside a Structure.
    #[inline(always)]
    pub fn structure(&self) -> Result<Reader<'a>, Error> {
        self.is(ItemType::Structure)?;
        let Some(depth_left) = self.depth_left.checked_sub(1) else {
            return Err(self.error(ErrorKind::TooDeep(self.budget.limits.depth_max)));
        };
        Ok(Reader { bytes: self.bytes, offset: self.offset + HEADER_BYTES, depth_left, budget: self.budget })
    }

    /// A 32-bit signed number; also the form of bit masks.
    #[inline(always)]
    pub fn integer(&self) -> Result<i32, Error> {
        self.is(ItemType::Integer)?;
        Ok(i32::from_be_bytes(self.four()))
    }

    /// A 64-bit signed number.
    #[inline(always)]
    pub fn long_integer(&self) -> Result<i64, Error> {
        self.is(ItemType::LongInteger)?;
        Ok(i64::from_be_bytes(self.eight()))
    }

    /// A signed number of any size: two's complement, big-endian, a multiple of eight bytes.
    #[inline(always)]
    pub fn big_integer(&self) -> Result<&'a [u8], Error> {
        self.is(ItemType::BigInteger)?;
        Ok(self.bytes)
    }

    /// The number of an enumeration's value.
    #[inline(always)]
    pub fn enumeration(&self) -> Result<u32, Error> {
        self.is(ItemType::Enumeration)?;
        Ok(u32::from_be_bytes(self.four()))
    }

    /// True or false; any other number is an error.
    #[inline(always)]
    pub fn boolean(&self) -> Result<bool, Error> {
        self.is(ItemType::Boolean)?;
        match u64::from_be_bytes(self.eight()) {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.error(ErrorKind::NotABoolean(other))),
        }
    }

    /// UTF-8 text, with no terminator.
    #[inline(always)]
    pub fn text_string(&self) -> Result<&'a str, Error> {
        self.is(ItemType::TextString)?;
        str::from_utf8(self.bytes).map_err(|_| self.error(ErrorKind::NotUtf8))
    }

    /// Bytes.
    #[inline(always)]
    pub fn byte_string(&self) -> Result<&'a [u8], Error> {
        self.is(ItemType::ByteString)?;
        Ok(self.bytes)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[inline(always)]
    pub fn date_time(&self) -> Result<i64, Error> {
        self.is(ItemType::DateTime)?;
        Ok(i64::from_be_bytes(self.eight()))
    }

    /// Seconds.
    #[inline(always)]
    pub fn interval(&self) -> Result<u32, Error> {
        self.is(ItemType::Interval)?;
        Ok(u32::from_be_bytes(self.four()))
    }

    /// An error about this item.
    #[cold]
    #[inline(never)]
    pub fn error(&self, kind: ErrorKind) -> Error {
        Error::new(self.offset, self.tag, kind)
    }

    #[inline(always)]
    fn is(&self, expected: ItemType) -> Result<(), Error> {
        if self.item_type == expected {
            return Ok(());
        }
        Err(self.error(ErrorKind::WrongType { expected, got: self.item_type }))
    }

    // `next_item` let no other length through for these types.
    #[inline(always)]
    fn four(&self) -> [u8; 4] {
        self.bytes.first_chunk().copied().unwrap_or_default()
    }

    #[inline(always)]
    fn eight(&self) -> [u8; 8] {
        self.bytes.first_chunk().copied().unwrap_or_default()
    }
}
