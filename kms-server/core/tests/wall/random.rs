//! Random sequences of requests. What must hold after every event and of every response is checked by the world itself,
//! see `common::invariants`; here is what must hold between ways of doing the same.

use kmip::{ProtocolVersion, RequestMessage};
use kms_core::Draft;
use proptest::prelude::*;

use crate::common::{World, create};

/// One batch item: what, with which object of those that may be there, and one of a few values.
fn item((what, object, value): (u8, usize, u8)) -> String {
    let id = format!("UniqueIdentifier=\"00000000-0000-4000-8000-{object:012}\"");
    let name = format!("\"Name\" {{ NameValue=\"n{}\" NameType=UninterpretedTextString }}", value % 4);
    let date = 1_700_000_000 + i64::from(value) * 10;
    match what % 24 {
        0 => create(""),
        1 => create(&name),
        2 => create(&format!("\"Activation Date\"=@{date} \"Deactivation Date\"=@{}", date + 20)),
        3 => create(&format!("\"x-a\"={value} \"x-a\"=0 \"Sensitive\"=true")),
        4 => format!(
            "Register {{ ObjectType=OpaqueObject TemplateAttribute {{ {name} }} OpaqueObject {{ OpaqueDataType=#80000001 OpaqueDataValue=0x{value:02x} }} }}"
        ),
        5 => format!(
            "Register {{ ObjectType=Template TemplateAttribute {{ {name} }} Template {{ \"Cryptographic Length\"=128 }} }}"
        ),
        6 => format!("ReKey {{ {id} }}"),
        7 => format!("ReKey {{ {id} Offset={value}s TemplateAttribute {{ {name} }} }}"),
        8 => format!("Locate {{ {name} }}"),
        9 => "Locate {}".to_owned(),
        10 => format!("Check {{ {id} CryptographicUsageMask={value} }}"),
        11 => format!("Get {{ {id} }}"),
        12 => format!("GetAttributes {{ {id} }}"),
        13 => format!("GetAttributeList {{ {id} }}"),
        14 => format!("AddAttribute {{ {id} {name} }}"),
        15 => format!("AddAttribute {{ {id} \"x-a\"={value} }}"),
        16 => format!("ModifyAttribute {{ {id} {name} }}"),
        17 => format!("ModifyAttribute {{ {id} \"Deactivation Date\"=@{date} }}"),
        18 => format!("DeleteAttribute {{ {id} AttributeName=\"Name\" }}"),
        19 => format!("DeleteAttribute {{ {id} AttributeName=\"x-a\" AttributeIndex={} }}", value % 3),
        20 => format!("Activate {{ {id} }}"),
        21 => format!("Revoke {{ {id} RevocationReason {{ RevocationReasonCode=Superseded }} }}"),
        22 => format!("Revoke {{ {id} RevocationReason {{ RevocationReasonCode=KeyCompromise }} }}"),
        _ => format!("Destroy {{ {id} }}"),
    }
}

/// A request: seconds since the last, client, version, continuation option, a size that may be too small, and items.
#[derive(Clone, Debug)]
struct Asked {
    later: u8,
    client: usize,
    minor: i32,
    option: usize,
    small: bool,
    items: Vec<(u8, usize, u8)>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let items = prop::collection::vec((any::<u8>(), 0..12_usize, any::<u8>()), 1..5);
    (0..20_u8, 0..8_usize, 0..6_i32, 0..4_usize, prop::bool::weighted(0.1), items).prop_map(
        |(later, client, minor, option, small, items)| Asked { later, client, minor, option, small, items },
    )
}

impl Asked {
    /// Sets the world up for this request, and writes it. Identifiers that stand for a place in the order of making become
    /// those of the objects that are there.
    fn bytes(&self, w: &mut World, ids: &[String]) -> Vec<u8> {
        w.now += i64::from(self.later);
        w.client = ["admin", "admin", "admin", "admin", "admin", "admin", "vc01", "other"][self.client];
        w.version = ProtocolVersion::new(1, self.minor);
        let mut header = ["", "Stop", "Continue", "Undo"][self.option].to_owned();
        if !header.is_empty() {
            header = format!("BatchErrorContinuationOption={header}");
        }
        if self.small {
            header = format!("MaximumResponseSize=300 {header}");
        }
        let mut text = String::new();
        for (what, object, value) in &self.items {
            let written = item((*what, *object, *value));
            let known = ids.get(*object).cloned().unwrap_or_default();
            // A request without an identifier means the ID Placeholder.
            let placeholder =
                if value % 8 == 0 { String::new() } else { format!("UniqueIdentifier={known:?}") };
            text += &written
                .replace(&format!("UniqueIdentifier=\"00000000-0000-4000-8000-{object:012}\""), &placeholder);
            text.push(' ');
        }
        w.request(&header, &text)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_after_every_request(requests in prop::collection::vec(asked(), 1..30)) {
        let mut w = World::new();
        for request in &requests {
            let ids = w.names.0.clone();
            let bytes = request.bytes(&mut w, &ids);
            w.send(&bytes);
        }
    }

    #[test]
    fn requests_that_share_a_draft_come_to_the_same_as_one_after_another(
        requests in prop::collection::vec(asked(), 1..20)
    ) {
        let mut apart = World::new();
        let mut asked_bytes = Vec::new();
        let mut answers = Vec::new();
        for request in &requests {
            let ids = apart.names.0.clone();
            let bytes = request.bytes(&mut apart, &ids);
            answers.push(apart.send(&bytes).bytes);
            asked_bytes.push(bytes);
        }
        let mut together = World::new();
        let base = together.objects.clone();
        let mut draft = Draft::new(&base);
        for ((request, bytes), answer) in requests.iter().zip(&asked_bytes).zip(&answers) {
            request.bytes(&mut together, &[]);
            let decoded = RequestMessage::decode(bytes, ttlv::Limits::default()).unwrap();
            let outcome = together.decide(&decoded, &mut draft);
            prop_assert_eq!(&*outcome.encoded, answer);
        }
        for client in together.clients.values() {
            prop_assert_eq!(draft.count_of_tenant(&client.tenant), apart.objects.count_of_tenant(&client.tenant));
        }
        let events = draft.into_events();
        together.apply(&events);
        prop_assert_eq!(&together.objects, &apart.objects);
    }

    #[test]
    fn a_rollback_leaves_the_draft_as_it_was(
        first in prop::collection::vec(asked(), 0..8),
        second in prop::collection::vec(asked(), 0..8),
        stored in prop::collection::vec(asked(), 0..8),
    ) {
        let mut w = World::new();
        for request in &stored {
            let ids = w.names.0.clone();
            let bytes = request.bytes(&mut w, &ids);
            w.send(&bytes);
        }
        let base = w.objects.clone();
        let ids: Vec<String> = base.iter().map(|object| object.id.to_string()).collect();
        let mut draft = Draft::new(&base);
        let play = |w: &mut World, draft: &mut Draft<'_>, requests: &[Asked]| {
            for request in requests {
                let bytes = request.bytes(w, &ids);
                w.decide(&RequestMessage::decode(&bytes, ttlv::Limits::default()).unwrap(), draft);
            }
        };
        play(&mut w, &mut draft, &first);
        let (mark, before) = (draft.mark(), format!("{draft:?}"));
        play(&mut w, &mut draft, &second);
        draft.rollback(mark);
        let counts = |text: &str| text.split("added:").next().unwrap().to_owned();
        prop_assert_eq!(counts(&format!("{draft:?}")), counts(&before));
        let mut applied = base.clone();
        draft.events().iter().for_each(|event| applied.apply(event));
        for client in w.clients.values() {
            prop_assert_eq!(draft.count_of_tenant(&client.tenant), applied.count_of_tenant(&client.tenant));
        }
    }

    #[test]
    fn bytes_gone_wrong_are_answered_or_refused_and_never_a_panic(
        request in asked(),
        wrong in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let mut w = World::new();
        w.key();
        let ids = w.names.0.clone();
        let mut bytes = request.bytes(&mut w, &ids);
        for (at, byte) in wrong {
            let place = at.index(bytes.len());
            bytes[place] = byte;
        }
        if RequestMessage::decode(&bytes, ttlv::Limits::default()).is_ok() {
            w.send(&bytes);
        }
    }

    #[test]
    fn events_that_are_no_events_are_an_error_and_never_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        wrong in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let _ = kms_core::Event::decode_all(&bytes);
        let mut w = World::new();
        let answer = w.ask(&create("\"x-a\"=1"));
        let mut log = Vec::new();
        kms_core::Event::encode_all(&answer.events, &mut log);
        for (at, byte) in wrong {
            let place = at.index(log.len());
            log[place] = byte;
        }
        let _ = kms_core::Event::decode_all(&log);
        let _ = w.objects.restore(&log);
    }
}
