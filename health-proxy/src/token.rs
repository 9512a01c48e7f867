//! The token of who may give orders over TCP: read once, compared in constant time, and guesses are slowed down.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::file;

/// Characters of a token: fewer can be guessed, more are no token.
const TOKEN_CHARS_MIN: usize = 16;
const TOKEN_CHARS_MAX: usize = 256;

/// Wrong tokens of one address within [`WRONG_WINDOW`]; then every token of its is refused until that is over.
pub const WRONG_TOKENS_MAX: u32 = 5;

/// See [`WRONG_TOKENS_MAX`].
pub const WRONG_WINDOW: Duration = Duration::from_secs(60);

/// Addresses with wrong tokens that are remembered; of more the one that began longest ago is forgotten.
pub const WRONG_ADDRESSES_MAX: usize = 256;

/// A secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Reads it from a file that only its owner, or its group, may read.
    ///
    /// # Errors
    /// What is wrong with the file, never what is in it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = file::read_secret(path).map_err(|error| error.to_string())?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
        let fits = (TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&text.len());
        match fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self(Zeroizing::new(text.to_owned()))),
            false => Err(format!(
                "{} holds {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} visible ASCII characters; hint: openssl rand -hex 32",
                path.display()
            )),
        }
    }

    /// Whether this is it; how long that takes says nothing of how much of it was right.
    pub fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Counts wrong tokens. Pure: `now` is given.
#[derive(Clone, Debug, Default)]
pub struct WrongTokens {
    by_address: BTreeMap<IpAddr, (Duration, u32)>,
}

impl WrongTokens {
    /// How long this address has to wait before its next token is looked at; None if it need not.
    pub fn wait(&self, now: Duration, address: IpAddr) -> Option<Duration> {
        let (began, count) = self.by_address.get(&address.to_canonical())?;
        let left = (*began + WRONG_WINDOW).checked_sub(now).filter(|left| !left.is_zero())?;
        (*count >= WRONG_TOKENS_MAX).then_some(left)
    }

    /// A token was wrong.
    pub fn count(&mut self, now: Duration, address: IpAddr) {
        self.by_address.retain(|_, (began, _)| now.saturating_sub(*began) < WRONG_WINDOW);
        let address = address.to_canonical();
        if self.by_address.len() >= WRONG_ADDRESSES_MAX && !self.by_address.contains_key(&address) {
            let oldest = self.by_address.iter().min_by_key(|(_, (began, _))| *began);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.by_address.remove(&oldest);
            }
        }
        self.by_address.entry(address).or_insert((now, 0)).1 += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::Ipv4Addr;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(text: &str, mode: u32) -> Result<Token, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Token::read(&path)
    }

    #[test]
    fn a_token_is_itself_and_nothing_else_and_is_never_shown() {
        let token = file("0123456789abcdef0123\n", 0o600).unwrap();
        assert!(token.is("0123456789abcdef0123"));
        for wrong in ["", "0123456789abcdef012", "0123456789abcdef01234", "0123456789abcdef0124"] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn a_token_that_is_short_garbled_or_open_to_others_is_refused_without_being_told() {
        assert!(file("0123456789abcdef", 0o644).unwrap_err().contains("hint: chmod 600"));
        for text in ["", "0123456789abcde", "0123456789 abcdef", &"x".repeat(257)] {
            let error = file(text, 0o600).unwrap_err();
            assert!(
                error.contains("hint: openssl rand") && (text.is_empty() || !error.contains(text)),
                "{error}"
            );
        }
    }

    #[test]
    fn an_address_with_too_many_wrong_tokens_waits_and_others_do_not() {
        let [guesser, other] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
        let mut wrong = WrongTokens::default();
        let start = Duration::from_secs(100);
        for _ in 0..WRONG_TOKENS_MAX {
            assert_eq!(wrong.wait(start, guesser), None);
            wrong.count(start, guesser);
        }
        let later = start + Duration::from_secs(20);
        assert_eq!(wrong.wait(later, guesser), Some(Duration::from_secs(40)));
        assert_eq!(wrong.wait(later, other), None);
        assert_eq!(wrong.wait(start + WRONG_WINDOW, guesser), None);
        wrong.count(start + WRONG_WINDOW, guesser);
        assert_eq!(wrong.wait(start + WRONG_WINDOW, guesser), None);
    }

    #[test]
    fn guesses_from_many_addresses_take_bounded_memory() {
        let mut wrong = WrongTokens::default();
        for n in 0..10_000 {
            wrong.count(Duration::from_millis(n.into()), IpAddr::V4(Ipv4Addr::from_bits(n)));
        }
        assert_eq!(wrong.by_address.len(), WRONG_ADDRESSES_MAX);
    }
}
