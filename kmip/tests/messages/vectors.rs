//! The published messages, and vCenter's: each decodes into types and comes back byte for byte.

use kmip::{RequestMessage, RequestPayload, ResponseMessage, ResponsePayload};
use ttlv::Limits;

use super::samples::{request_bytes, response_bytes};
use super::{shared, unhex};

/// What became of one message.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
enum Fate {
    Same,
    /// Another operation than the typed ones, and the same.
    SameUntyped,
    Differs(String),
}

fn fate(kind: &str, bytes: &[u8]) -> Fate {
    let limits = Limits::default();
    if kind == "REQ" {
        let message = match RequestMessage::decode(bytes, limits) {
            Ok(message) => message,
            Err(error) => return Fate::Differs(error.to_string()),
        };
        let mut untyped = false;
        for item in &message.items {
            match &item.payload {
                RequestPayload::Malformed { error, .. } => return Fate::Differs(error.to_string()),
                RequestPayload::Other { .. } => untyped = true,
                _ if !item.unrecognised.is_empty() => {
                    return Fate::Differs(format!("unrecognised: {:?}", item.unrecognised));
                }
                _ => {}
            }
        }
        compared(request_bytes(&message) == bytes, untyped)
    } else {
        let message = match ResponseMessage::decode(bytes, limits) {
            Ok(message) => message,
            Err(error) => return Fate::Differs(error.to_string()),
        };
        let untyped =
            message.items.iter().any(|item| matches!(item.payload, Some(ResponsePayload::Other { .. })));
        compared(response_bytes(&message) == bytes, untyped)
    }
}

fn compared(same: bool, untyped: bool) -> Fate {
    match (same, untyped) {
        (false, _) => Fate::Differs("other bytes".to_owned()),
        (true, true) => Fate::SameUntyped,
        (true, false) => Fate::Same,
    }
}

/// Messages that are not of their own specification: file, line, and what is wrong with them.
const ERRATA: [(&str, usize, &str); 1] = [(
    "use-cases.tsv",
    62,
    "its two keys stand under Unique Identifier, where KMIP 1.0 table 111 has Private and Public Key Unique Identifier",
)];

#[test]
fn every_published_message_comes_back_byte_for_byte() {
    let Some(folder) = shared("KMIP_VECTORS", "vectors") else { return };
    let mut same = (0, 0);
    let mut differ = Vec::new();
    for file in ["use-cases.tsv", "test-cases-1.1.tsv"] {
        let lines = std::fs::read_to_string(folder.join("hex").join(file)).unwrap();
        for (number, line) in lines.lines().enumerate() {
            let mut columns = line.split('\t');
            let (_, summary) = (columns.next().unwrap(), columns.next().unwrap());
            let bytes = unhex(columns.next().unwrap().trim());
            let kind = summary.split(' ').next().unwrap();
            assert!(["REQ", "RSP"].contains(&kind), "{file}:{}: {summary}", number + 1);
            match fate(kind, &bytes) {
                Fate::Same => same.0 += 1,
                Fate::SameUntyped => same.1 += 1,
                Fate::Differs(why) => differ.push(format!("{file}:{}: {summary}: {why}", number + 1)),
            }
        }
    }
    for (file, line, _) in ERRATA {
        let place = format!("{file}:{line}:");
        let known =
            differ.iter().position(|line| line.starts_with(&place)).expect("an erratum that still differs");
        differ.swap_remove(known);
    }
    println!("{} typed and {} untyped come back the same; {} differ:", same.0, same.1, differ.len());
    differ.iter().for_each(|line| println!("{line}"));
    assert!(differ.is_empty() && same.0 > 0);
}

#[test]
fn every_request_of_vcenter_is_typed_and_comes_back_byte_for_byte() {
    let Some(folder) = shared("VCENTER_CAPTURE", "vcenter") else { return };
    let text = std::fs::read_to_string(folder.join("requests-7.0.3.txt")).unwrap();
    let messages: Vec<_> = text.lines().filter(|line| line.starts_with("420078")).collect();
    assert_eq!(messages.len(), text.lines().filter(|line| line.starts_with("## ")).count());
    for line in messages {
        assert_eq!(fate("REQ", &unhex(line.trim())), Fate::Same, "{line}");
    }
}
