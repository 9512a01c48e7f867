//! The names that a text or XML form needs, given by whoever knows the protocol.

use crate::Tag;

/// Names and numbers of tags, enumerations and masks, and which tags hide secrets.
///
/// Names are in the form of KMIP's XML encoding: `UniqueIdentifier`, `SymmetricKey`.
pub trait Vocabulary {
    /// The name of a tag.
    fn tag_name(&self, tag: Tag) -> Option<&'static str>;
    /// The tag with this name.
    fn tag(&self, name: &str) -> Option<Tag>;
    /// The name of an enumeration's value under `tag`.
    fn enumeration_name(&self, tag: Tag, number: u32) -> Option<&'static str>;
    /// The number of an enumeration's value under `tag`.
    fn enumeration_number(&self, tag: Tag, name: &str) -> Option<u32>;
    /// The names of the bits of an Integer that is a mask; `None` where `tag` is none.
    fn mask_bits(&self, tag: Tag) -> Option<&'static [(&'static str, u32)]>;
    /// The tag whose names the value of the attribute called `name` uses, as an Attribute Value's own tag says
    /// nothing: "Cryptographic Algorithm" to the tag of Cryptographic Algorithm.
    fn attribute_tag(&self, name: &str) -> Option<Tag>;
    /// Whether all below this tag is key material or a password, to be masked in text.
    fn is_secret(&self, tag: Tag) -> bool;
}

/// Knows no name; everything is shown as a number, and every byte string is masked.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoVocabulary;

impl Vocabulary for NoVocabulary {
    fn tag_name(&self, _: Tag) -> Option<&'static str> {
        None
    }
    fn tag(&self, _: &str) -> Option<Tag> {
        None
    }
    fn enumeration_name(&self, _: Tag, _: u32) -> Option<&'static str> {
        None
    }
    fn enumeration_number(&self, _: Tag, _: &str) -> Option<u32> {
        None
    }
    fn mask_bits(&self, _: Tag) -> Option<&'static [(&'static str, u32)]> {
        None
    }
    fn attribute_tag(&self, _: &str) -> Option<Tag> {
        None
    }
    fn is_secret(&self, _: Tag) -> bool {
        true
    }
}
