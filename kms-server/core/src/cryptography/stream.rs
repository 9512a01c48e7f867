//! Data in parts, as the core hands them to a library of cryptography and gets them back.

use kmip::enumeration::HashingAlgorithm;
use zeroize::Zeroizing;

use super::{Cipher, Mac};

/// What data in parts go through.
#[derive(Clone, Copy, Debug)]
pub enum Stream<'a> {
    /// Plaintext to ciphertext.
    Encrypt(Cipher<'a>),
    /// Ciphertext to plaintext.
    Decrypt(Cipher<'a>),
    /// Data to a digest.
    Hash(HashingAlgorithm),
    /// Data to a message authentication code.
    Mac(MacKey<'a>),
}

/// A kind of message authentication code with its key.
#[derive(Clone, Copy)]
pub struct MacKey<'a> {
    /// Which.
    pub algorithm: Mac,
    /// The key.
    pub key: &'a [u8],
}

impl std::fmt::Debug for MacKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MacKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// What became of a part that is not the last.
pub struct Progress {
    /// What is ready: whole blocks of what a cipher makes.
    pub ready: Zeroizing<Vec<u8>>,
    /// What the next part goes on from; it holds of keys and data.
    pub state: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Progress({} bytes ready, {} of state)", self.ready.len(), self.state.len())
    }
}

/// What became of the last part.
pub struct Finished {
    /// The rest of what a cipher makes, the digest, the code.
    pub rest: Zeroizing<Vec<u8>>,
    /// The tag; empty where the mode has none, or it was checked.
    pub tag: Vec<u8>,
}

impl std::fmt::Debug for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Finished({} bytes, tag of {})", self.rest.len(), self.tag.len())
    }
}
