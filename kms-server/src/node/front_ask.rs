//! What a front asks a node, and what it is answered, as bytes. Numbers are big-endian.
//!
//! ```text
//! FRONT_REQUEST  token(16) again(1) seen(8) alone(1) address certificates  KMIP request message
//!   again, alone   0 or 1
//!   address        length(2) text: the client's, as 192.0.2.7:40000 or [2001:db8::7]:40000
//!   certificates   count(1), each length(4) DER, the leaf first; count 0 for a client that presented none
//!   message        to the end; of one over request_bytes_max its first 8 bytes are enough
//! its answers    kind(1) and the rest to the end:
//!   0x01 ANSWERED  after(1): 0 keep the client's connection, 1 close it; KMIP response message, or nothing where the
//!                  connection is closed without a word
//!   0x02 LOST      nothing more
//!   0x03 NOT_TAKEN reason, text
//!   0x04 OUTRUN    seen(8)
//! FRONT_STATUS   nothing; its answer is JSON, see FrontStatus
//! ```

use std::fmt;
use std::net::SocketAddr;

use kms_core::Token;
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::session::After;
use crate::trust::PRESENTED_CERTIFICATES_MAX;

const ANSWERED: u8 = 0x01;
const LOST: u8 = 0x02;
const NOT_TAKEN: u8 = 0x03;
const OUTRUN: u8 = 0x04;

/// What a client sent, as a front hands it over.
pub(super) struct HandedOver<'a> {
    /// Made by the front, one a request; the same whenever it sends that request again.
    pub(super) token: Token,
    /// Whether an earlier sending may have been carried out.
    pub(super) again: bool,
    /// How many answers the nodes had remembered before the request came, as the front last heard.
    pub(super) seen: u64,
    /// Whether a node that cannot be sure may answer from what it holds.
    pub(super) alone: bool,
    /// The client's address.
    pub(super) address: SocketAddr,
    /// What the client presented, the leaf first. The front saw that it holds the leaf's key, and nothing else.
    pub(super) certificates: Vec<CertificateDer<'a>>,
    /// The message, whole.
    pub(super) message: &'a [u8],
}

/// Shows no byte of the message, which may hold a key.
impl fmt::Debug for HandedOver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandedOver")
            .field("again", &self.again)
            .field("seen", &self.seen)
            .field("alone", &self.alone)
            .field("address", &self.address)
            .field("certificates", &self.certificates.len())
            .field("bytes", &self.message.len())
            .finish_non_exhaustive()
    }
}

/// What the front is told.
#[derive(PartialEq, Eq)]
pub(super) enum Reply {
    /// What the client gets, and what then becomes of its connection.
    Answered { message: Zeroizing<Vec<u8>>, after: After },
    /// It may have been carried out, or be yet: to be sent again with `again`.
    Lost,
    /// This sending did nothing, and never will, for a reason in words.
    NotTaken(String),
    /// This sending did nothing, as so many answers are remembered by now that the token may have been forgotten. Who
    /// knows that no sending before did anything either sends it again, and says that this many were seen.
    Outrun(u64),
}

/// Shows no byte of an answer, which may hold a key.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { message, after } => {
                f.debug_struct("Answered").field("bytes", &message.len()).field("after", after).finish()
            }
            Self::Lost => f.write_str("Lost"),
            Self::NotTaken(why) => f.debug_tuple("NotTaken").field(why).finish(),
            Self::Outrun(seen) => f.debug_tuple("Outrun").field(seen).finish(),
        }
    }
}

/// Reads the body of a FRONT_REQUEST.
///
/// Fails where the front did not write it as it stands above: its fault, never the client's.
pub(super) fn read(bytes: &[u8]) -> Result<HandedOver<'_>, String> {
    fields(bytes).map_err(|why| {
        format!("the front's request cannot be read: {why}; hint: are front and nodes of one version?")
    })
}

fn fields(bytes: &[u8]) -> Result<HandedOver<'_>, String> {
    let mut rest = bytes;
    let token = *chunk(&mut rest)?;
    let again = flag(&mut rest)?;
    let seen = u64::from_be_bytes(*chunk(&mut rest)?);
    let alone = flag(&mut rest)?;
    let length = u16::from_be_bytes(*chunk(&mut rest)?);
    let address = std::str::from_utf8(part(&mut rest, length.into())?).unwrap_or_default();
    let address =
        address.parse().map_err(|_| format!("expected the client's address and port, got {address:?}"))?;
    let [count] = *chunk(&mut rest)?;
    if usize::from(count) > PRESENTED_CERTIFICATES_MAX {
        return Err(format!("expected at most {PRESENTED_CERTIFICATES_MAX} certificates, got {count}"));
    }
    let mut certificates = Vec::with_capacity(count.into());
    for _ in 0..count {
        let length = u32::from_be_bytes(*chunk(&mut rest)?);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        certificates.push(CertificateDer::from(part(&mut rest, length)?));
    }
    Ok(HandedOver { token, again, seen, alone, address, certificates, message: rest })
}

impl Reply {
    pub(super) fn write(&self) -> Vec<u8> {
        match self {
            Self::Answered { message, after } => {
                let close = u8::from(*after == After::Close);
                [&[ANSWERED, close], message.as_slice()].concat()
            }
            Self::Lost => vec![LOST],
            Self::NotTaken(why) => [&[NOT_TAKEN], why.as_bytes()].concat(),
            Self::Outrun(seen) => [&[OUTRUN], seen.to_be_bytes().as_slice()].concat(),
        }
    }
}

fn flag(rest: &mut &[u8]) -> Result<bool, String> {
    match *chunk(rest)? {
        [0] => Ok(false),
        [1] => Ok(true),
        [other] => Err(format!("expected 0 or 1, got {other}")),
    }
}

fn part<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (taken, after) = rest.split_at_checked(length).ok_or("it is cut short")?;
    *rest = after;
    Ok(taken)
}

fn chunk<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], String> {
    let (taken, after) = rest.split_first_chunk().ok_or("it is cut short")?;
    *rest = after;
    Ok(taken)
}

/// The front's half of the layout, for tests.
#[cfg(test)]
pub(super) mod as_a_front {
    use super::*;

    pub(in crate::node) fn write(handed: &HandedOver<'_>) -> Vec<u8> {
        let mut out = handed.token.to_vec();
        out.push(handed.again.into());
        out.extend(handed.seen.to_be_bytes());
        out.push(handed.alone.into());
        let address = handed.address.to_string();
        out.extend(u16::try_from(address.len()).unwrap().to_be_bytes());
        out.extend(address.as_bytes());
        out.push(handed.certificates.len().try_into().unwrap());
        for der in &handed.certificates {
            out.extend(u32::try_from(der.len()).unwrap().to_be_bytes());
            out.extend(der.as_ref());
        }
        out.extend(handed.message);
        out
    }

    pub(in crate::node) fn read_reply(bytes: &[u8]) -> Reply {
        match bytes {
            [ANSWERED, after @ (0 | 1), message @ ..] => Reply::Answered {
                message: Zeroizing::new(message.to_vec()),
                after: if *after == 1 { After::Close } else { After::KeepOpen },
            },
            [LOST] => Reply::Lost,
            [NOT_TAKEN, why @ ..] => Reply::NotTaken(String::from_utf8(why.to_vec()).unwrap()),
            [OUTRUN, seen @ ..] => Reply::Outrun(u64::from_be_bytes(seen.try_into().unwrap())),
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::as_a_front::{read_reply, write};
    use super::*;

    fn handed() -> HandedOver<'static> {
        HandedOver {
            token: [7; 16],
            again: true,
            seen: 1 << 40,
            alone: false,
            address: "[2001:db8::7]:40000".parse().unwrap(),
            certificates: vec![CertificateDer::from(vec![1; 700]), CertificateDer::from(vec![2])],
            message: &[231; 40],
        }
    }

    #[test]
    fn the_layout_is_the_one_that_is_written_down() {
        let handed = HandedOver {
            address: "192.0.2.7:1".parse().unwrap(),
            certificates: vec![CertificateDer::from(vec![0xaa, 0xbb])],
            message: b"message",
            ..handed()
        };
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
        assert_eq!(write(&handed), expected.concat());
    }

    #[test]
    fn a_request_arrives_as_it_was_handed_over() {
        let (sent, bytes) = (handed(), write(&handed()));
        let got = read(&bytes).unwrap();
        assert_eq!((got.token, got.again, got.seen, got.alone), (sent.token, true, sent.seen, false));
        assert_eq!(
            (got.address, got.certificates, got.message),
            (sent.address, sent.certificates, sent.message)
        );
        let stranger = HandedOver { certificates: Vec::new(), message: &[], ..handed() };
        let bytes = write(&stranger);
        let got = read(&bytes).unwrap();
        assert!(got.certificates.is_empty() && got.message.is_empty());
    }

    #[test]
    fn a_request_that_is_cut_anywhere_before_its_message_is_the_fronts_fault() {
        let bytes = write(&HandedOver { message: &[], ..handed() });
        for end in 0..bytes.len() {
            let why = read(&bytes[..end]).unwrap_err();
            assert!(why.starts_with("the front's request cannot be read"), "cut at {end}: {why}");
        }
    }

    #[test]
    fn a_request_with_what_is_not_in_the_layout_is_refused() {
        let good = write(&handed());
        let nine = HandedOver { certificates: vec![CertificateDer::from(vec![1]); 9], ..handed() };
        let long = {
            let mut bytes = good.clone();
            // The length of the first certificate, behind the fixed fields, the address and the count.
            bytes[16 + 1 + 8 + 1 + 2 + 19 + 1] = 0xff;
            bytes
        };
        let with = |place: usize, byte| {
            let mut bytes = good.clone();
            bytes[place] = byte;
            bytes
        };
        for (bytes, words) in [
            (write(&nine), "expected at most 8 certificates, got 9"),
            (long, "it is cut short"),
            (with(16, 2), "expected 0 or 1, got 2"),
            (with(25, 7), "expected 0 or 1, got 7"),
            (with(28, b'x'), "expected the client's address and port, got \"x2001"),
            (with(28, 0xff), "expected the client's address and port, got \"\""),
        ] {
            let why = read(&bytes).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn replies_to_a_front_arrive_as_they_were_sent() {
        for reply in [
            Reply::Answered { message: Zeroizing::new(vec![1, 2, 3]), after: After::KeepOpen },
            Reply::Answered { message: Zeroizing::default(), after: After::Close },
            Reply::Lost,
            Reply::NotTaken("no leader".to_owned()),
            Reply::Outrun(1 << 40),
        ] {
            assert_eq!(read_reply(&reply.write()), reply);
        }
    }

    #[test]
    fn what_a_front_carries_does_not_show_in_debug() {
        let reply = Reply::Answered { message: Zeroizing::new(vec![231; 3]), after: After::Close };
        let shown = format!("{:?} {reply:?}", handed());
        assert!(!shown.contains("231"), "{shown}");
    }
}
