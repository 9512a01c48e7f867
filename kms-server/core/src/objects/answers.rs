//! Answers that were given to requests with a token: whoever sends such a request again gets the same answer, and nothing
//! is done twice. They are kept as long as anyone may still send again, and no longer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Record;
use crate::event::Token;

/// Answers that are kept at most; one more, and the oldest is forgotten.
pub const ANSWERS_MAX: usize = 131_072;

/// Bytes of sealed answers that are kept at most, 64 MiB; for more, the oldest are forgotten. An answer that is larger than
/// all of it is not kept, and the others stay.
pub const ANSWERS_BYTES_MAX: usize = 64 << 20;

/// Seconds by which an answer may be older than the newest; what is older is forgotten. Whoever sends a request again
/// must have given up by then.
pub const ANSWERS_S_MAX: i64 = 120;

/// The answers that are kept. All of it follows from the log alone: no clock is asked, so all nodes forget alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answers {
    kept: BTreeMap<Token, Arc<[u8]>>,
    /// When each was given, the oldest first.
    order: VecDeque<(Token, i64)>,
    bytes: usize,
    seen: u64,
    /// When the newest was given; 0 before there is any.
    newest_at: i64,
}

impl Answers {
    pub(super) fn get(&self, token: &Token) -> Option<Arc<[u8]>> {
        self.kept.get(token).cloned()
    }

    /// How many there ever were.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// How many of them are kept no longer.
    pub(super) fn forgotten(&self) -> u64 {
        self.seen.saturating_sub(u64::try_from(self.kept.len()).unwrap_or(u64::MAX))
    }

    /// Keeps an answer, and forgets what is one too many. A token that is known keeps its first answer.
    ///
    /// An answer that bears an earlier time than one before it counts as given with that one: a leader whose clock is
    /// behind must not have its answers forgotten before others.
    pub(super) fn keep(&mut self, token: &Token, at: i64, sealed: &[u8]) {
        if self.kept.contains_key(token) {
            return;
        }
        let at = if self.seen == 0 { at } else { at.max(self.newest_at) };
        self.seen = self.seen.saturating_add(1);
        self.newest_at = at;
        if sealed.len() <= ANSWERS_BYTES_MAX {
            self.kept.insert(*token, sealed.into());
            self.order.push_back((*token, at));
            self.bytes += sealed.len();
        }
        while let Some((oldest, given_at)) = self.order.front() {
            let too_old = self.newest_at.saturating_sub(*given_at) > ANSWERS_S_MAX;
            if !too_old && self.order.len() <= ANSWERS_MAX && self.bytes <= ANSWERS_BYTES_MAX {
                return;
            }
            if let Some(sealed) = self.kept.remove(oldest) {
                self.bytes -= sealed.len();
            }
            self.order.pop_front();
        }
    }

    /// Takes in what a snapshot says besides the answers themselves, and after them.
    pub(super) fn restore_seen(&mut self, seen: u64, newest_at: i64) {
        self.newest_at = if self.seen == 0 { newest_at } else { newest_at.max(self.newest_at) };
        self.seen = seen.max(self.seen);
    }

    /// For a snapshot: the answers in their order, then what is known besides.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let kept = self.order.iter().filter_map(|(token, at)| {
            Some(Record::Answer { token: *token, at: *at, sealed: Arc::clone(self.kept.get(token)?) })
        });
        let seen = Record::AnswersSeen { seen: self.seen, newest_at: self.newest_at };
        kept.chain((self.seen > 0).then_some(seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: u32) -> Token {
        let mut token = [0; 16];
        token[..4].copy_from_slice(&number.to_be_bytes());
        token
    }

    #[test]
    fn a_token_that_is_known_keeps_its_first_answer() {
        let mut answers = Answers::default();
        answers.keep(&token(1), 5, b"first");
        answers.keep(&token(1), 6, b"second");
        assert_eq!(answers.get(&token(1)).as_deref(), Some(b"first".as_slice()));
        assert_eq!((answers.seen(), answers.forgotten()), (1, 0));
    }

    #[test]
    fn the_oldest_is_forgotten_when_there_is_one_too_many() {
        let mut answers = Answers::default();
        let most = u32::try_from(ANSWERS_MAX).unwrap();
        (0..=most).for_each(|number| answers.keep(&token(number), 5, b"x"));
        assert!(answers.get(&token(0)).is_none());
        assert!(answers.get(&token(1)).is_some() && answers.get(&token(most)).is_some());
        assert_eq!((answers.seen(), answers.forgotten()), (u64::from(most) + 1, 1));
    }

    #[test]
    fn the_oldest_are_forgotten_when_the_bytes_are_too_many() {
        let mut answers = Answers::default();
        let third = vec![0; ANSWERS_BYTES_MAX / 3];
        (0..3).for_each(|number| answers.keep(&token(number), 5, &third));
        assert_eq!(answers.forgotten(), 0);
        answers.keep(&token(3), 5, b"xx");
        assert_eq!((answers.forgotten(), answers.get(&token(0))), (1, None));
        answers.keep(&token(4), 5, &vec![0; ANSWERS_BYTES_MAX]);
        assert_eq!((answers.forgotten(), answers.bytes), (4, ANSWERS_BYTES_MAX));
    }

    #[test]
    fn an_answer_larger_than_all_is_not_kept_and_the_others_stay() {
        let mut answers = Answers::default();
        answers.keep(&token(1), 5, b"x");
        answers.keep(&token(2), 5, &vec![0; ANSWERS_BYTES_MAX + 1]);
        assert!(answers.get(&token(1)).is_some() && answers.get(&token(2)).is_none());
        assert_eq!((answers.seen(), answers.forgotten()), (2, 1));
    }

    #[test]
    fn an_answer_is_forgotten_when_the_newest_is_more_than_two_minutes_younger() {
        let mut answers = Answers::default();
        answers.keep(&token(1), -10, b"x");
        answers.keep(&token(2), ANSWERS_S_MAX - 10, b"x");
        assert!(answers.get(&token(1)).is_some(), "exactly at the bound");
        answers.keep(&token(3), ANSWERS_S_MAX - 9, b"x");
        assert!(answers.get(&token(1)).is_none());
        assert!(answers.get(&token(2)).is_some());
    }

    #[test]
    fn a_clock_that_is_behind_does_not_lose_its_answers_first() {
        let mut answers = Answers::default();
        answers.keep(&token(1), 10_000, b"x");
        answers.keep(&token(2), 5, b"x");
        assert!(answers.get(&token(2)).is_some());
        answers.keep(&token(3), 10_000 + ANSWERS_S_MAX, b"x");
        assert_eq!(answers.forgotten(), 0);
        answers.keep(&token(4), 10_001 + ANSWERS_S_MAX, b"x");
        assert_eq!(answers.forgotten(), 2);
    }
}
