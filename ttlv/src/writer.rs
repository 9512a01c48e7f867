//! Items to bytes: appended to one buffer, lengths of structures filled in when they close.

use crate::{HEADER_BYTES, ItemType, Tag};

/// Appends items to a buffer. The buffer is the caller's to keep and use again.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`; what is in it stays.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Bytes in the buffer.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing is in the buffer.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// A Structure with what `fill` writes into it.
    #[inline]
    pub fn structure(&mut self, tag: Tag, fill: impl FnOnce(&mut Writer<'_>)) {
        self.header(tag, ItemType::Structure, 0);
        let start = self.out.len();
        fill(&mut Writer { out: self.out });
        let length = wire_length(self.out.len() - start);
        self.out[start - 4..start].copy_from_slice(&length.to_be_bytes());
    }

    /// A 32-bit signed number, or a bit mask.
    #[inline]
    pub fn integer(&mut self, tag: Tag, value: i32) {
        self.four(tag, ItemType::Integer, value.to_be_bytes());
    }

    /// A 64-bit signed number.
    #[inline]
    pub fn long_integer(&mut self, tag: Tag, value: i64) {
        self.eight(tag, ItemType::LongInteger, value.to_be_bytes());
    }

    /// A signed number of any size, given as two's complement, big-endian. It is sign-extended to a multiple of
    /// eight bytes (KMIP 1.4 section 9.1.1.4); no bytes at all stand for zero.
    pub fn big_integer(&mut self, tag: Tag, value: &[u8]) {
        let length = value.len().max(1).next_multiple_of(8);
        let sign = if value.first().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0x00 };
        self.header(tag, ItemType::BigInteger, wire_length(length));
        self.out.extend(std::iter::repeat_n(sign, length - value.len()));
        self.out.extend_from_slice(value);
    }

    /// The number of an enumeration's value.
    #[inline]
    pub fn enumeration(&mut self, tag: Tag, value: u32) {
        self.four(tag, ItemType::Enumeration, value.to_be_bytes());
    }

    /// True or false.
    #[inline]
    pub fn boolean(&mut self, tag: Tag, value: bool) {
        self.eight(tag, ItemType::Boolean, u64::from(value).to_be_bytes());
    }

    /// UTF-8 text.
    #[inline]
    pub fn text_string(&mut self, tag: Tag, value: &str) {
        self.string(tag, ItemType::TextString, value.as_bytes());
    }

    /// Bytes.
    #[inline]
    pub fn byte_string(&mut self, tag: Tag, value: &[u8]) {
        self.string(tag, ItemType::ByteString, value);
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[inline]
    pub fn date_time(&mut self, tag: Tag, value: i64) {
        self.eight(tag, ItemType::DateTime, value.to_be_bytes());
    }

    /// Seconds.
    #[inline]
    pub fn interval(&mut self, tag: Tag, value: u32) {
        self.four(tag, ItemType::Interval, value.to_be_bytes());
    }

    #[inline]
    fn header(&mut self, tag: Tag, item_type: ItemType, length: u32) {
        let word = u64::from(tag.number()) << 40 | (item_type as u64) << 32 | u64::from(length);
        self.out.extend_from_slice(&word.to_be_bytes());
    }

    #[inline]
    fn four(&mut self, tag: Tag, item_type: ItemType, value: [u8; 4]) {
        let mut item = [0; HEADER_BYTES + 8];
        let word = u64::from(tag.number()) << 40 | (item_type as u64) << 32 | 4;
        item[..8].copy_from_slice(&word.to_be_bytes());
        item[8..12].copy_from_slice(&value);
        self.out.extend_from_slice(&item);
    }

    #[inline]
    fn eight(&mut self, tag: Tag, item_type: ItemType, value: [u8; 8]) {
        let mut item = [0; HEADER_BYTES + 8];
        let word = u64::from(tag.number()) << 40 | (item_type as u64) << 32 | 8;
        item[..8].copy_from_slice(&word.to_be_bytes());
        item[8..].copy_from_slice(&value);
        self.out.extend_from_slice(&item);
    }

    #[inline]
    fn string(&mut self, tag: Tag, item_type: ItemType, value: &[u8]) {
        self.header(tag, item_type, wire_length(value.len()));
        self.out.extend_from_slice(value);
        const ZEROS: [u8; 8] = [0; 8];
        let padding = value.len().next_multiple_of(8) - value.len();
        self.out.extend_from_slice(&ZEROS[..padding]);
    }
}

/// A length as the wire has it. Everything this house encodes is bounded far below 4 GiB, so more is our own
/// mistake, and a wrong length on the wire would be worse than an end.
#[allow(clippy::expect_used, reason = "only our own code can ask for more")]
fn wire_length(length: usize) -> u32 {
    u32::try_from(length).expect("an item of 4 GiB or more")
}
