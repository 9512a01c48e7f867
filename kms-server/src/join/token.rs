//! The token of `kms cluster invite`: `kms1.` and base64 without padding, safe in a shell and in a URL.

use std::fmt;

use openssl::base64::{decode_block, encode_block};
use openssl::sha::sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::entropy;

/// What every token begins with: the version of what follows.
const PREFIX: &str = "kms1.";

/// The secret of a token: as many bytes as a data key has.
pub(crate) type Secret = [u8; 32];

/// Addresses that a token holds at most; a few are enough to find one that lives.
const ADDRESSES_MAX: usize = 8;

/// An invitation that an operator carries from a member to a new node.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Token {
    secret: Secret,
    /// SHA-256 of the cluster's CA certificate.
    #[zeroize(skip)]
    pub ca: [u8; 32],
    /// Links of members, `host:port`.
    #[zeroize(skip)]
    pub addresses: Vec<String>,
}

/// Shows no secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// The text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no token of kms cluster invite, or a part of it is missing; hint: copy it whole, it begins with kms1."
)]
pub struct TokenError;

impl Token {
    /// A new one, with a secret of its own.
    pub fn new(ca: [u8; 32], mut addresses: Vec<String>) -> Self {
        addresses.truncate(ADDRESSES_MAX);
        Self { secret: entropy::array(), ca, addresses }
    }

    /// What the cluster remembers of it: SHA-256 of the secret.
    pub fn digest(&self) -> [u8; 32] {
        digest(&self.secret)
    }

    /// The secret, to seal and open the bundle with.
    pub(super) fn danger_secret(&self) -> &Secret {
        &self.secret
    }

    /// The text that an operator carries. Holds the secret.
    pub fn danger_text(&self) -> String {
        let addresses = self.addresses.join(",");
        let mut bytes = [self.secret.as_slice(), &self.ca, addresses.as_bytes()].concat();
        // A tail that is lost on the way must not pass for a token with fewer addresses.
        let check = sha256(&bytes);
        bytes.extend_from_slice(&check[..4]);
        let text = encode_block(&bytes);
        bytes.zeroize();
        let safe = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
        format!("{PREFIX}{safe}")
    }

    /// Reads what [`danger_text`](Self::danger_text) wrote.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let safe = text.trim().strip_prefix(PREFIX).ok_or(TokenError)?;
        let mut plain = safe.replace('-', "+").replace('_', "/");
        let padding = (4 - plain.len() % 4) % 4;
        plain.extend(std::iter::repeat_n('=', padding));
        let bytes = decode_block(&plain).map_err(|_| TokenError)?;
        let (content, check) = bytes.split_last_chunk::<4>().ok_or(TokenError)?;
        if sha256(content).first_chunk::<4>() != Some(check) {
            return Err(TokenError);
        }
        let (secret, rest) = content.split_first_chunk().ok_or(TokenError)?;
        let (ca, addresses) = rest.split_first_chunk().ok_or(TokenError)?;
        let addresses = std::str::from_utf8(addresses).map_err(|_| TokenError)?;
        let addresses = addresses.split(',').filter(|address| !address.is_empty()).map(str::to_owned);
        let token = Self { secret: *secret, ca: *ca, addresses: addresses.collect() };
        // OpenSSL fills up with zeros what is missing of the last group: one token, one text.
        let is_exact = Zeroizing::new(token.danger_text()).as_str() == text.trim();
        is_exact.then_some(token).ok_or(TokenError)
    }
}

/// What a cluster remembers of a token with this secret.
pub(crate) fn digest(secret: &Secret) -> [u8; 32] {
    sha256(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_being_carried_as_text() {
        let addresses = vec!["192.0.2.7:5697".to_owned(), "kms2.example.test:5697".to_owned()];
        let token = Token::new([9; 32], addresses);
        let text = token.danger_text();
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{text}");
        assert_eq!(Token::parse(&format!(" {text}\n")).unwrap(), token);
    }

    #[test]
    fn a_token_that_lost_or_changed_a_character_is_refused() {
        let text = Token::new([9; 32], vec!["192.0.2.7:5697".to_owned()]).danger_text();
        for place in PREFIX.len()..text.len() {
            assert!(Token::parse(&text[..place]).is_err(), "cut at {place}");
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            assert!(Token::parse(std::str::from_utf8(&changed).unwrap()).is_err(), "changed at {place}");
        }
    }

    #[test]
    fn a_token_does_not_show_its_secret() {
        let token = Token::new([9; 32], vec![]);
        let shown = format!("{token:?}");
        assert!(!shown.contains(&format!("{:?}", token.secret)), "{shown}");
    }
}
