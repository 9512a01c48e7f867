//! What a front says to a node and hears, as bytes. Numbers are big-endian; the node's `front_ask.rs` is the other end.
//!
//! ```text
//! FRONT_REQUEST 0x30  token(16) again(1) seen(8) alone(1) address certificates  KMIP request message
//!   address           length(2) text
//!   certificates      count(1), each length(4) DER, the leaf first
//! its answers         kind(1) and the rest to the end:
//!   0x01 ANSWERED     close(1), KMIP response message
//!   0x02 LOST         nothing more
//!   0x03 NOT_TAKEN    reason, text
//!   0x04 OUTRUN       seen(8)
//! FRONT_STATUS  0x31  nothing; its answer is JSON
//! ```

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::health::Report;

/// The kind of a call that hands a request over.
pub(super) const REQUEST: u8 = 0x30;

/// The kind of a call that asks for the node's status.
pub(super) const STATUS: u8 = 0x31;

/// Certificates of one client that nodes take.
pub(crate) const CERTIFICATES_MAX: usize = 8;

/// What all sendings of one request have in common, and no other request's.
pub(crate) type Token = [u8; 16];

/// A client's request, as every node is given it.
pub(crate) struct Handed {
    pub(crate) token: Token,
    /// The client's address.
    pub(crate) address: SocketAddr,
    /// What the client presented, the leaf first; the front saw that it holds the leaf's key.
    pub(crate) certificates: Arc<[CertificateDer<'static>]>,
    /// The message, whole.
    pub(crate) message: Zeroizing<Vec<u8>>,
    /// Whether it was ever on its way, and not only a connection for it being made.
    pub(crate) on_its_way: AtomicBool,
}

/// Shows no byte of the message, which may hold a key.
impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.message.len();
        f.debug_struct("Handed")
            .field("address", &self.address)
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}

/// What is particular to one sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Whether an earlier sending may have been carried out.
    pub(crate) again: bool,
    /// How many answers the nodes had remembered before the request came.
    pub(crate) seen: u64,
    /// Whether a node that cannot be sure may answer from what it holds.
    pub(crate) alone: bool,
}

impl Handed {
    pub(super) fn write(&self, manner: Manner) -> Zeroizing<Vec<u8>> {
        let address = self.address.to_string();
        let certificates = &self.certificates[..self.certificates.len().min(CERTIFICATES_MAX)];
        let bytes = 64 + address.len() + self.message.len();
        let bytes = certificates.iter().map(|der| 4 + der.len()).fold(bytes, |sum, more| sum + more);
        // All of its room at once: what a growing vector leaves behind is not wiped.
        let mut out = Zeroizing::new(Vec::with_capacity(bytes));
        out.extend(self.token);
        out.push(manner.again.into());
        out.extend(manner.seen.to_be_bytes());
        out.push(manner.alone.into());
        out.extend((address.len() as u16).to_be_bytes());
        out.extend(address.as_bytes());
        out.push(certificates.len() as u8);
        for der in certificates {
            out.extend((der.len() as u32).to_be_bytes());
            out.extend(der.as_ref());
        }
        out.extend(self.message.iter());
        out
    }
}

/// What a node says to a request that it was handed.
#[derive(PartialEq, Eq)]
pub(crate) enum Reply {
    /// What the client gets, and whether its connection is closed then.
    Answered { message: Zeroizing<Vec<u8>>, close: bool },
    /// It may have been carried out, or be yet.
    Lost,
    /// This sending did nothing and never will, for this reason.
    NotTaken(String),
    /// This sending did nothing, as so many answers are remembered that the token may have been forgotten.
    Outrun(u64),
}

/// Shows no byte of an answer, which may hold a key.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { message, close } => {
                f.debug_struct("Answered").field("bytes", &message.len()).field("close", close).finish()
            }
            Self::Lost => f.write_str("Lost"),
            Self::NotTaken(why) => f.debug_tuple("NotTaken").field(why).finish(),
            Self::Outrun(seen) => f.debug_tuple("Outrun").field(seen).finish(),
        }
    }
}

impl Reply {
    /// None for what is not in the layout.
    pub(super) fn read(mut bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        Some(match &bytes[..] {
            [0x01, close @ (0 | 1), ..] => {
                let close = *close == 1;
                bytes.drain(..2);
                Self::Answered { message: bytes, close }
            }
            [0x02] => Self::Lost,
            [0x03, why @ ..] => Self::NotTaken(String::from_utf8_lossy(why).into_owned()),
            [0x04, seen @ ..] => Self::Outrun(u64::from_be_bytes(seen.try_into().ok()?)),
            _ => return None,
        })
    }
}

/// What a node says of itself. Names that it says besides are for others.
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    node: u64,
    member: bool,
    leader: Option<u64>,
    read: bool,
    write: bool,
    reason: Option<String>,
    applied: u64,
    lag: Option<u64>,
    pub(super) answers_seen: u64,
}

impl Status {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| {
            format!("it says what this front cannot read: {error}; hint: are both of one version?")
        })
    }

    /// Fails for a node that nothing is to be asked of.
    pub(super) fn report(&self) -> Result<Report, String> {
        let reason = || self.reason.clone().unwrap_or_default();
        if !self.member {
            return Err(format!("it is no member of its cluster: {}", reason()));
        }
        if !self.read && !self.write {
            return Err(format!("it can do nothing now: {}", reason()));
        }
        let (member, leader, read, write) = (self.node, self.leader, self.read, self.write);
        Ok(Report { member, leader, read, write, applied: self.applied, lag: self.lag.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANNER: Manner = Manner { again: true, seen: 1 << 40, alone: false };

    fn handed() -> Handed {
        Handed {
            token: [7; 16],
            address: "192.0.2.7:1".parse().unwrap(),
            certificates: [CertificateDer::from(vec![0xaa, 0xbb])].into(),
            message: Zeroizing::new(b"message".to_vec()),
            on_its_way: AtomicBool::new(false),
        }
    }

    #[test]
    fn a_request_is_laid_out_as_nodes_read_it() {
        let expected = [
            &[7; 16][..],
            &[1],
            &[0, 0, 1, 0, 0, 0, 0, 0],
            &[0],
            &[0, 11],
            b"192.0.2.7:1",
            &[1],
            &[0, 0, 0, 2, 0xaa, 0xbb],
            b"message",
        ];
        assert_eq!(*handed().write(MANNER), expected.concat());
    }

    #[test]
    fn more_certificates_than_nodes_take_are_left_out() {
        let many = Handed { certificates: vec![CertificateDer::from(vec![1]); 12].into(), ..handed() };
        assert_eq!(many.write(MANNER)[16 + 1 + 8 + 1 + 2 + 11], 8);
    }

    #[test]
    fn a_request_needs_no_more_room_than_it_was_given() {
        let written = handed().write(MANNER);
        assert!(written.capacity() < written.len() + 64, "{} of {}", written.len(), written.capacity());
    }

    #[test]
    fn each_reply_is_read() {
        let read = |bytes: &[u8]| Reply::read(Zeroizing::new(bytes.to_vec()));
        let answered = |message: &[u8], close| {
            Some(Reply::Answered { message: Zeroizing::new(message.to_vec()), close })
        };
        assert_eq!(read(&[1, 0, 5, 6]), answered(&[5, 6], false));
        assert_eq!(read(&[1, 1]), answered(&[], true));
        assert_eq!(read(&[2]), Some(Reply::Lost));
        assert_eq!(read(b"\x03no leader"), Some(Reply::NotTaken("no leader".to_owned())));
        assert_eq!(read(&[4, 0, 0, 0, 0, 0, 0, 1, 0]), Some(Reply::Outrun(256)));
        for wrong in [&[][..], &[0], &[1], &[1, 2], &[2, 0], &[4, 0], &[5]] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_is_carried_does_not_show_in_debug() {
        let reply = Reply::Answered { message: Zeroizing::new(vec![231; 3]), close: true };
        let shown = format!("{:?} {reply:?}", Handed { message: Zeroizing::new(vec![231; 9]), ..handed() });
        assert!(!shown.contains("231"), "{shown}");
    }

    fn status(changes: &[(&str, serde_json::Value)]) -> Result<Report, String> {
        let mut json = serde_json::json!({
            "node": 2, "name": "kms2", "member": true, "leads": false, "leader": 1, "read": true, "write": true,
            "reason": null, "term": 4, "applied": 90, "lag": 3, "answers_seen": 17, "connections": 1, "requests": 2,
        });
        for (name, value) in changes {
            json[*name] = value.clone();
        }
        Status::read(&serde_json::to_vec(&json).unwrap()).and_then(|status| status.report())
    }

    #[test]
    fn a_nodes_word_of_itself_becomes_a_report() {
        let report = status(&[]).unwrap();
        let expected = Report { member: 2, leader: Some(1), read: true, write: true, applied: 90, lag: 3 };
        assert_eq!(report, expected);
        assert_eq!(status(&[("leader", ().into()), ("lag", ().into())]).unwrap().lag, 0);
    }

    #[test]
    fn a_node_that_is_no_member_or_can_do_nothing_says_why() {
        let why = status(&[("member", false.into()), ("reason", "it was removed".into())]).unwrap_err();
        assert_eq!(why, "it is no member of its cluster: it was removed");
        let nothing =
            [("read", false.into()), ("write", false.into()), ("reason", "the vault is gone".into())];
        assert_eq!(status(&nothing).unwrap_err(), "it can do nothing now: the vault is gone");
        assert!(Status::read(b"{}").unwrap_err().contains("of one version?"));
    }
}
