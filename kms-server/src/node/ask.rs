//! What nodes ask each other beside raft's own messages, as bytes. Numbers are big-endian; texts carry their length.
//!
//! ```text
//! REQUEST  token(16) again(1) seen(8) hops(1) bits(1) name tenant  KMIP request message
//! CHANGE   token(16) again(1) seen(8) hops(1)  one event
//! answers  kind(1) rest: DONE answer | NOT_LEADING | LOST | REFUSED reason(4) message | OUTRUN seen(8)
//! ```

use std::fmt;
use std::sync::Arc;

use kmip::enumeration::ResultReason;
use kms_core::{Client, Event, Refusal, Rights, Tenant, Token};
use zeroize::Zeroizing;

use super::state::Asker;

/// Up to where was the log committed just now? Only a leader knows. Holds for whom the asking node voted last.
pub(super) const READ_INDEX: u8 = 0x10;
/// Carry out a client's request.
pub(super) const REQUEST: u8 = 0x11;
/// Decide an operator's change.
pub(super) const CHANGE: u8 = 0x12;
/// Change who is a member: JSON.
pub(super) const MEMBERS: u8 = 0x13;
/// How is the cluster, seen from the leader? JSON.
pub(super) const STATUS: u8 = 0x14;

/// Where the hops stand in a question: behind token, again and seen.
const HOPS_AT: usize = 16 + 1 + 8;

const DONE: u8 = 1;
const NOT_LEADING: u8 = 2;
const LOST: u8 = 3;
const REFUSED: u8 = 4;
const OUTRUN: u8 = 5;

/// What travels with a question that must not be carried out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) token: Token,
    pub(super) again: bool,
    pub(super) seen: u64,
    /// How often a node that does not lead may pass it on.
    pub(super) hops: u8,
}

/// A question, read.
#[derive(PartialEq, Eq)]
pub(super) enum Question<'a> {
    Request { asker: Asker, message: &'a [u8] },
    Change(Event),
}

/// Shows no byte of the message, which may hold a key.
impl fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { asker, message } => {
                f.debug_struct("Request").field("asker", asker).field("bytes", &message.len()).finish()
            }
            Self::Change(event) => f.debug_tuple("Change").field(event).finish(),
        }
    }
}

/// What the asked node says.
#[derive(PartialEq, Eq)]
pub(super) enum Reply {
    /// A whole response message, or a decided event.
    Done(Zeroizing<Vec<u8>>),
    NotLeading,
    Lost,
    Refused(Refusal),
    /// See [`Decision::Outrun`](super::decider::Decision::Outrun).
    Outrun(u64),
}

/// Shows no byte of an answer, which may hold a key.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(answer) => f.debug_struct("Done").field("bytes", &answer.len()).finish(),
            Self::NotLeading => f.write_str("NotLeading"),
            Self::Lost => f.write_str("Lost"),
            Self::Refused(refusal) => f.debug_tuple("Refused").field(refusal).finish(),
            Self::Outrun(seen) => f.debug_tuple("Outrun").field(seen).finish(),
        }
    }
}

pub(super) fn request(ticket: &Ticket, asker: &Asker, message: &[u8]) -> Vec<u8> {
    let mut out = ticket.write(message.len() + 128);
    let Asker { client, looked_up } = asker;
    let rights = client.rights;
    let bits = [rights.read, rights.create, rights.change, rights.destroy, *looked_up];
    out.push(bits.iter().rev().fold(0, |all, bit| all << 1 | u8::from(*bit)));
    write_text(&mut out, &client.name);
    write_text(&mut out, client.tenant.as_str());
    out.extend_from_slice(message);
    out
}

pub(super) fn change(ticket: &Ticket, event: &Event) -> Vec<u8> {
    let mut out = ticket.write(512);
    Event::encode_all(std::slice::from_ref(event), &mut out);
    out
}

/// Reads a question of `kind`, [`REQUEST`] or [`CHANGE`].
pub(super) fn read(kind: u8, bytes: &[u8]) -> Result<(Ticket, Question<'_>), String> {
    let mut rest = bytes;
    let token: Token = *take(&mut rest)?;
    let [again] = *take(&mut rest)?;
    let seen = u64::from_be_bytes(*take(&mut rest)?);
    let [hops] = *take(&mut rest)?;
    let ticket = Ticket { token, again: again != 0, seen, hops };
    if kind == CHANGE {
        let events = Event::decode_all(rest).map_err(|error| error.to_string())?;
        let [event] = <[Event; 1]>::try_from(events).map_err(|_| "expected one event".to_owned())?;
        return Ok((ticket, Question::Change(event)));
    }
    let [bits] = *take(&mut rest)?;
    let has = |place: u8| bits >> place & 1 == 1;
    let rights = Rights { read: has(0), create: has(1), change: has(2), destroy: has(3) };
    let name: Arc<str> = read_text(&mut rest)?.into();
    let tenant = Tenant::new(read_text(&mut rest)?);
    let asker = Asker { client: Arc::new(Client { name, tenant, rights }), looked_up: has(4) };
    Ok((ticket, Question::Request { asker, message: rest }))
}

/// A question as it came, to be passed on by so many nodes more.
pub(super) fn with_hops(question: &[u8], hops: u8) -> Vec<u8> {
    let mut question = question.to_vec();
    if let Some(place) = question.get_mut(HOPS_AT) {
        *place = hops;
    }
    question
}

impl Ticket {
    fn write(&self, more: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + more);
        out.extend_from_slice(&self.token);
        out.push(u8::from(self.again));
        out.extend_from_slice(&self.seen.to_be_bytes());
        out.push(self.hops);
        out
    }
}

impl Reply {
    pub(super) fn write(&self) -> Vec<u8> {
        match self {
            Self::Done(answer) => [&[DONE], answer.as_slice()].concat(),
            Self::NotLeading => vec![NOT_LEADING],
            Self::Lost => vec![LOST],
            Self::Outrun(seen) => [&[OUTRUN], seen.to_be_bytes().as_slice()].concat(),
            Self::Refused(refusal) => {
                let reason = refusal.reason.number().to_be_bytes();
                [&[REFUSED], reason.as_slice(), refusal.message.as_bytes()].concat()
            }
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut rest = bytes;
        let [kind] = *take(&mut rest)?;
        match kind {
            DONE => Ok(Self::Done(Zeroizing::new(rest.to_vec()))),
            NOT_LEADING => Ok(Self::NotLeading),
            LOST => Ok(Self::Lost),
            OUTRUN => Ok(Self::Outrun(u64::from_be_bytes(*take(&mut rest)?))),
            REFUSED => {
                let reason = ResultReason::from_number(u32::from_be_bytes(*take(&mut rest)?));
                Ok(Self::Refused(Refusal::new(reason, String::from_utf8_lossy(rest))))
            }
            other => Err(format!("an answer of kind {other} is not known")),
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    // Names have at most 64 characters.
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes().get(..usize::from(length)).unwrap_or_default());
}

fn read_text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, String> {
    let length = usize::from(u16::from_be_bytes(*take(rest)?));
    let (text, after) = rest.split_at_checked(length).ok_or("a text is cut short")?;
    *rest = after;
    std::str::from_utf8(text).map_err(|_| "a text is no UTF-8".to_owned())
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], String> {
    let (taken, after) = rest.split_first_chunk().ok_or("the message is cut short")?;
    *rest = after;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKET: Ticket = Ticket { token: [7; 16], again: true, seen: 1 << 40, hops: 1 };

    #[test]
    fn a_request_arrives_with_its_client_and_ticket() {
        for bits in 0..32u8 {
            let has = |place: u8| bits >> place & 1 == 1;
            let rights = Rights { read: has(0), create: has(1), change: has(2), destroy: has(3) };
            let client = Client { name: "vcenter01".into(), tenant: Tenant::new("prod"), rights };
            let asker = Asker { client: Arc::new(client), looked_up: has(4) };
            let bytes = request(&TICKET, &asker, b"message");
            let read = read(REQUEST, &bytes).unwrap();
            assert_eq!(read, (TICKET, Question::Request { asker, message: b"message" }));
        }
    }

    #[test]
    fn a_question_that_is_passed_on_differs_in_its_hops_alone() {
        let event = Event::ClientRemoved { name: "vcenter01".to_owned() };
        let passed_on = with_hops(&change(&TICKET, &event), 0);
        assert_eq!(passed_on, change(&Ticket { hops: 0, ..TICKET }, &event));
    }

    #[test]
    fn a_change_arrives_as_it_was_sent() {
        let event = Event::ClientRemoved { name: "vcenter01".to_owned() };
        assert_eq!(read(CHANGE, &change(&TICKET, &event)).unwrap(), (TICKET, Question::Change(event)));
    }

    #[test]
    fn a_message_that_is_cut_anywhere_is_refused_or_shorter_never_a_panic() {
        let client = Client { name: "a".into(), tenant: Tenant::new("b"), rights: Rights::ALL };
        let bytes = request(&TICKET, &Asker::registered(&Arc::new(client)), b"");
        for end in 0..bytes.len() {
            assert!(read(REQUEST, &bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn replies_arrive_as_they_were_sent() {
        let replies = [
            Reply::Done(Zeroizing::new(vec![1, 2, 3])),
            Reply::NotLeading,
            Reply::Lost,
            Reply::Outrun(1 << 40),
            Reply::Refused(Refusal::new(ResultReason::IllegalOperation, "no")),
        ];
        for reply in replies {
            assert_eq!(Reply::read(&reply.write()).unwrap(), reply);
        }
    }

    #[test]
    fn what_may_hold_a_key_does_not_show_it() {
        let client = Client { name: "a".into(), tenant: Tenant::new("b"), rights: Rights::ALL };
        let asker = Asker::registered(&Arc::new(client));
        let shown = format!(
            "{:?} {:?}",
            Reply::Done(Zeroizing::new(vec![231; 3])),
            Question::Request { asker, message: &[231; 3] }
        );
        assert!(!shown.contains("231"), "{shown}");
    }
}
