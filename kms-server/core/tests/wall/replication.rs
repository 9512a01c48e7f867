//! What replication needs of the core: events that are not about objects, drafts ahead of the log, answers given again.

use kmip::enumeration::{ObjectType, ResultReason as R, ResultStatus as S, State};
use kmip::{ProtocolVersion, RequestMessage, ResponseMessage};
use kms_core::{
    ANSWERS_S_MAX, Client, Draft, Event, Id, KnownCredential, KnownCredentials, Objects, Outcome, Record,
    RegisteredClient, Rights, Tenant, Trust, TrustKind, refuse_all, refuse_message,
};
use proptest::prelude::*;

use crate::common::text::unhex;
use crate::common::{World, create};

fn id(number: u8) -> Id {
    Id::from_slice(&[number; 16]).unwrap()
}

fn client(name: &str, at: i64) -> Event {
    let client = Client { name: name.into(), tenant: Tenant::new("vsphere"), rights: Rights::default() };
    let trust = Trust { kind: TrustKind::Pinned, certificate: vec![1, 2, 3] };
    Event::ClientRegistered {
        client: RegisteredClient { client, trust, credentials: known_credentials(at), registered_at: at },
    }
}

/// None, or a user and a device, as the time has it.
fn known_credentials(at: i64) -> KnownCredentials {
    let known = |name: &str, hash: Option<&str>| {
        let password_hash = hash.map(str::to_owned);
        (at % 2 == 1).then(|| KnownCredential { name: name.to_owned(), password_hash })
    };
    KnownCredentials { user: known("fred", Some("scrypt$1$1$1$00$00")), device: known("serial", None) }
}

fn created(number: u8, at: i64) -> Event {
    Event::Created {
        id: id(number),
        tenant: Tenant::new("vsphere"),
        object_type: ObjectType::SymmetricKey,
        state: State::PreActive,
        at,
        attributes: Vec::new(),
        material: Some(vec![number]),
    }
}

fn answered(number: u8, at: i64) -> Event {
    Event::Answered { token: [number; 16], at, sealed: vec![number; usize::from(number)] }
}

fn invited(number: u8, at: i64, expires_at: i64) -> Event {
    Event::Invited { digest: [number; 32], at, expires_at, learner: number.is_multiple_of(2) }
}

fn numbered(node: u64, invitation: u8, at: i64) -> Event {
    let (name, link, kmip) = (format!("node{node}"), format!("n{node}:5697"), format!("n{node}:5696"));
    Event::NodeNumbered { node, name, link, kmip, invitation: [invitation; 32], at, learner: false }
}

fn authority(of: u8, key: u8, at: i64) -> Event {
    let tenant = Tenant::new(&format!("t{of}"));
    Event::AuthorityMade { tenant, certificate: id(of), private_key: id(key), at }
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    bytes
}

fn restored(record: &Record) -> Event {
    Event::Restored { record: encoded(record) }
}

fn applied<'a>(events: impl IntoIterator<Item = &'a Event>) -> Objects {
    let mut objects = Objects::default();
    events.into_iter().for_each(|event| objects.apply(event));
    objects
}

/// What the log makes of a snapshot of `objects`.
fn through_a_snapshot(objects: &Objects) -> Objects {
    let mut read = Objects::default();
    for record in objects.records() {
        let bytes = encoded(&record);
        assert_eq!(Record::decode(&bytes).unwrap(), record);
        read.restore(&bytes).unwrap();
    }
    read
}

/// Any event, of few tokens, digests, numbers and times, so that they meet.
fn event() -> impl Strategy<Value = Event> {
    (0..15_u8, 0..6_u8, 0..400_i64, 0..200_i64).prop_map(|(kind, which, at, later)| match kind {
        0 => created(which, at),
        1 => Event::Served { id: id(which) },
        2 => Event::Destroyed { id: id(which), at, state: State::Destroyed },
        3 => Event::Removed { id: id(which) },
        4 => client(&format!("c{which}"), at),
        5 => Event::ClientRemoved { name: format!("c{which}") },
        6 | 7 => answered(which, at),
        8 => Event::DataKey { version: u32::from(which), wrapped: vec![u8::try_from(at % 200).unwrap()] },
        9 => invited(which, at, at + later),
        10 => numbered(u64::from(which), u8::try_from(later % 6).unwrap(), at),
        13 => authority(which, u8::try_from(later % 6).unwrap(), at),
        11 => {
            Event::Told { tenant: Tenant::new("vsphere"), number: u64::from(which) << 32 | at.unsigned_abs() }
        }
        12 => restored(&Record::Answer {
            token: [which; 16],
            at,
            sealed: vec![which; usize::from(which)].into(),
        }),
        _ => {
            let of = [
                created(which, at),
                client(&format!("c{which}"), at),
                invited(which, at, at + later),
                Event::DataKey { version: u32::from(which), wrapped: vec![which] },
                numbered(u64::from(which), which, at),
                authority(which, which, at),
            ];
            let made = applied([&of[usize::try_from(later % 6).unwrap()]]);
            restored(&made.records()[0])
        }
    })
}

fn logged(events: &[Event]) -> Vec<Event> {
    let mut log = Vec::new();
    Event::encode_all(events, &mut log);
    Event::decode_all(&log).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_and_the_rest_of_the_log_make_the_same_as_the_whole_log(
        events in prop::collection::vec(event(), 0..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let read = logged(&events);
        prop_assert_eq!(&read, &events);
        let cut = cut.index(events.len() + 1);
        let mut objects = through_a_snapshot(&applied(&read[..cut]));
        prop_assert_eq!(&objects, &applied(&read[..cut]));
        read[cut..].iter().for_each(|event| objects.apply(event));
        prop_assert_eq!(objects, applied(&read));
    }

    #[test]
    fn a_draft_behind_pending_events_sees_what_they_will_have_made(
        base in prop::collection::vec(event(), 0..20),
        pending in prop::collection::vec(event(), 0..20),
        own in prop::collection::vec(event(), 0..10),
    ) {
        let base = applied(&base);
        let mut then = base.clone();
        pending.iter().for_each(|event| then.apply(event));
        let mut draft = Draft::behind(&base, &pending);
        sees(&draft, &then);
        for event in &own {
            draft.push(event.clone());
            then.apply(event);
        }
        sees(&draft, &then);
        prop_assert_eq!(draft.events(), own);
        draft.rollback(0);
        then = base.clone();
        pending.iter().for_each(|event| then.apply(event));
        sees(&draft, &then);
        prop_assert!(draft.into_events().is_empty());
    }
}

/// Whether a draft sees what `then` holds. Answers that are forgotten only when the events are applied are still seen.
fn sees(draft: &Draft<'_>, then: &Objects) {
    let admin = Client { name: "a".into(), tenant: Tenant::new("vsphere"), rights: Rights::ALL };
    let may = kms_core::authorise(&admin, kmip::enumeration::Operation::Get).unwrap();
    for number in 0..6 {
        let seen = draft.object(&may, &id(number).to_string()).ok();
        assert_eq!(seen, then.object(id(number)));
        if let Some(sealed) = then.answer(&[number; 16]) {
            assert_eq!(draft.answer(&[number; 16]).as_deref(), Some(&*sealed));
        }
        for now in [0, 200, 599] {
            let open =
                then.invitation(&[number; 32]).filter(|invitation| invitation.is_open_at(now)).cloned();
            assert_eq!(draft.invitation(&[number; 32], now), open);
        }
        let name = format!("c{number}");
        assert_eq!(draft.client(&name).as_ref(), then.client(&name).map(|client| &**client));
    }
    assert_eq!(draft.objects(&may).count(), then.len());
    assert_eq!(draft.count_of_tenant(&admin.tenant), then.len());
    assert_eq!(draft.next_node_number(), then.next_node_number());
}

#[test]
fn a_log_of_an_earlier_version_is_still_read() {
    let log = "54000101000000585400020100000020540003050000000400000009000000005400080700000004766330310000\
               0000540002010000002854000305000000040000000700000000420094080000001007070707070707070707070707070707";
    let read = Event::decode_all(&unhex(log)).unwrap();
    assert_eq!(read, [Event::ClientRemoved { name: "vc01".into() }, Event::Removed { id: id(7) }]);
}

#[test]
fn events_of_no_object_say_so_and_when_they_happened() {
    for (event, at) in [
        (answered(1, 5), Some(5)),
        (invited(1, 6, 9), Some(6)),
        (numbered(2, 1, 7), Some(7)),
        (Event::DataKey { version: 2, wrapped: vec![1] }, None),
        (restored(&Record::AnswersSeen { seen: 1, newest_at: 5 }), None),
    ] {
        assert_eq!((event.object(), event.at()), (None, at), "{event:?}");
    }
}

#[test]
fn how_many_answers_were_seen_and_forgotten_survives_a_snapshot() {
    let log: Vec<Event> = (1..=9).map(|number| answered(number, i64::from(number) * 60)).collect();
    let objects = through_a_snapshot(&applied(&log));
    assert_eq!((objects.answers_seen(), objects.answers_forgotten()), (9, 6));
    assert_eq!(objects.answer(&[9; 16]).as_deref(), Some([9; 9].as_slice()));
    assert_eq!(objects.answer(&[6; 16]), None, "older than the newest by more than {ANSWERS_S_MAX} s");
}

#[test]
fn a_record_that_is_none_is_refused_when_the_log_is_read() {
    let nested = restored(&Record::AnswersSeen { seen: 1, newest_at: 5 });
    for record in [Vec::new(), b"no record".to_vec(), encoded(&Record::Event(nested))] {
        let mut log = Vec::new();
        Event::encode_all(&[Event::Restored { record: record.clone() }], &mut log);
        assert!(Event::decode_all(&log).is_err());
        let mut objects = Objects::default();
        assert!(objects.restore(&record).is_err());
        objects.apply(&Event::Restored { record });
        assert_eq!(objects, Objects::default());
    }
}

#[test]
fn a_restored_object_is_served_like_any_other() {
    let mut old = World::new();
    let key = old.key();
    let records = old.objects.records();
    let mut new = World::new();
    new.apply(&records.iter().map(restored).collect::<Vec<_>>());
    assert_eq!(new.objects, old.objects);
    new.names.0.push(key);
    new.done("Get { UniqueIdentifier=$1 }");
}

#[test]
fn a_data_key_that_is_pending_or_drafted_is_seen() {
    let base = Objects::default();
    assert_eq!(Draft::new(&base).drafted_data_key(), None);
    let key = |version| Event::DataKey { version, wrapped: vec![1] };
    let mut draft = Draft::behind(&base, &[key(2)]);
    assert_eq!(draft.drafted_data_key(), Some(2));
    draft.push(key(3));
    assert_eq!(draft.drafted_data_key(), Some(3));
    draft.rollback(0);
    assert_eq!(draft.drafted_data_key(), Some(2));
}

#[test]
fn requests_decided_ahead_of_the_log_come_to_the_same_as_one_after_another() {
    let named =
        |name: &str| create(&format!("\"Name\" {{ NameValue={name:?} NameType=UninterpretedTextString }}"));
    let asked = [
        named("a"),
        named("a"),
        "Get { UniqueIdentifier=$1 }".into(),
        "Get { UniqueIdentifier=$1 }".into(),
        "Activate { UniqueIdentifier=$1 }".into(),
        "ReKey { UniqueIdentifier=$1 }".into(),
        "Locate { \"State\"=Active }".into(),
        "Destroy { UniqueIdentifier=$2 }".into(),
        "Get { UniqueIdentifier=$2 }".into(),
    ];
    let (mut apart, mut ahead) = (World::new(), World::new());
    let base = ahead.objects.clone();
    let mut pending = Vec::new();
    for items in &asked {
        let bytes = apart.request("", items);
        let answer = apart.send(&bytes);
        let request = RequestMessage::decode(&bytes, ttlv::Limits::default()).unwrap();
        let mut draft = Draft::behind(&base, &pending);
        let outcome = ahead.decide(&request, &mut draft);
        assert_eq!(*outcome.encoded, answer.bytes, "{items}");
        assert_eq!(draft.events(), answer.events, "{items}");
        pending.extend(draft.into_events());
    }
    ahead.apply(&pending);
    assert_eq!(ahead.objects, apart.objects);
}

/// Decides without quorum; nothing may be drafted.
fn cut_off(w: &mut World, header: &str, items: &str) -> (Outcome, ResponseMessage) {
    let bytes = w.request(header, items);
    let request = RequestMessage::decode(&bytes, ttlv::Limits::default()).unwrap();
    let objects = w.objects.clone();
    let mut draft = Draft::stale(&objects);
    let outcome = w.decide(&request, &mut draft);
    assert!(draft.into_events().is_empty());
    let response = ResponseMessage::decode(&outcome.encoded, ttlv::Limits::default()).unwrap();
    (outcome, response)
}

#[test]
fn a_node_without_quorum_answers_what_it_holds_and_drafts_nothing() {
    let mut w = World::new();
    w.key();
    for items in [
        "Get { UniqueIdentifier=$1 }",
        "GetAttributes { UniqueIdentifier=$1 }",
        "GetAttributeList { UniqueIdentifier=$1 }",
        "Check { UniqueIdentifier=$1 }",
        "Locate {} Get {}",
        "Locate { MaximumItems=0 }",
        "Query { QueryFunction=QueryOperations }",
        "DiscoverVersions {}",
    ] {
        let (outcome, _) = cut_off(&mut w, "", items);
        assert!(outcome.audit.iter().all(|item| item.result_status == S::Success), "{items}: {outcome:?}");
        assert_eq!(outcome.served.len(), usize::from(items.contains("Get {")), "{items}");
    }
    assert!(w.objects.iter().all(|object| object.fresh), "the first Get is told the log when there is one");
}

#[test]
fn without_quorum_a_miss_is_a_general_failure_and_never_item_not_found() {
    let mut w = World::new();
    w.key();
    w.key();
    w.done("Destroy { UniqueIdentifier=$2 }");
    w.client = "other";
    let foreign = w.key();
    w.client = "admin";
    let unknown = "00000000-0000-4000-8000-000000000000";
    for items in [
        &format!("Get {{ UniqueIdentifier={unknown:?} }}"),
        &format!("Get {{ UniqueIdentifier={foreign:?} }}"),
        &format!("GetAttributes {{ UniqueIdentifier={unknown:?} }}"),
        &format!("GetAttributeList {{ UniqueIdentifier={unknown:?} }}"),
        &format!("Check {{ UniqueIdentifier={unknown:?} }}"),
        "Get { UniqueIdentifier=\"no identifier\" }",
        "Get { UniqueIdentifier=$2 }",
        "Get {}",
        "Locate { \"x-a\"=1 }",
        "Locate { OffsetItems=5 }",
        "Locate { \"Name\" { NameValue=\"n\" NameType=UninterpretedTextString } }",
    ] {
        for version in [ProtocolVersion::V1_0, ProtocolVersion::V1_4] {
            w.version = version;
            let header = "BatchErrorContinuationOption=Continue";
            let (_, response) = cut_off(&mut w, header, &format!("{items} {items}"));
            for item in &response.items {
                assert_eq!(item.result_reason, Some(R::GeneralFailure), "{items}: {item:?}");
                let message = item.result_message.as_deref().unwrap();
                assert!(message.starts_with("this node cannot reach the other nodes"), "{message}");
                assert!(message.ends_with("hint: try again, or see kms cluster status"), "{message}");
            }
        }
    }
    let unknown = cut_off(&mut w, "", &format!("Get {{ UniqueIdentifier={unknown:?} }}")).1;
    let foreign = cut_off(&mut w, "", &format!("Get {{ UniqueIdentifier={foreign:?} }}")).1;
    let words = |response: &ResponseMessage| {
        response.items[0].result_message.as_deref().unwrap().split('"').next().unwrap().to_owned()
    };
    assert_eq!(words(&unknown), words(&foreign), "another tenant's object looks unknown");
}

#[test]
fn without_quorum_other_refusals_are_those_of_always() {
    let mut w = World::new();
    w.key_with("\"Sensitive\"=true");
    for (items, reason) in [
        ("Get { UniqueIdentifier=$1 }", R::Sensitive),
        ("Locate { MaximumItems=-1 }", R::InvalidField),
        ("#0000007f {}", R::OperationNotSupported),
    ] {
        let (outcome, _) = cut_off(&mut w, "", items);
        assert_eq!(outcome.audit[0].result_reason, Some(reason), "{items}");
    }
    w.client = "vc01";
    let (outcome, _) = cut_off(&mut w, "", "Destroy { UniqueIdentifier=$1 }");
    assert_eq!(outcome.audit[0].result_reason, Some(R::PermissionDenied));
}

#[test]
fn without_quorum_every_change_is_refused() {
    let mut w = World::new();
    w.key();
    for items in [
        create("").as_str(),
        "Register { ObjectType=Template TemplateAttribute {} Template {} }",
        "ReKey { UniqueIdentifier=$1 }",
        "AddAttribute { UniqueIdentifier=$1 \"x-a\"=1 }",
        "ModifyAttribute { UniqueIdentifier=$1 \"x-a\"=1 }",
        "DeleteAttribute { UniqueIdentifier=$1 AttributeName=\"x-a\" }",
        "Activate { UniqueIdentifier=$1 }",
        "Revoke { UniqueIdentifier=$1 RevocationReason { RevocationReasonCode=Superseded } }",
        "Destroy { UniqueIdentifier=$1 }",
    ] {
        let (_, response) = cut_off(&mut w, "", items);
        let message = response.items[0].result_message.clone().unwrap();
        assert_eq!(response.items[0].result_reason, Some(R::GeneralFailure), "{items}");
        assert!(message.contains("so it changes nothing; hint: "), "{message}");
    }
}

#[test]
fn an_answer_given_again_is_audited_like_the_first_time() {
    let mut w = World::new();
    w.key();
    w.key();
    w.done("Destroy { UniqueIdentifier=$2 }");
    for (header, items) in [
        ("", create("")),
        ("", "Get { UniqueIdentifier=$1 }".into()),
        ("", "Locate {} Get {} Activate {}".into()),
        ("", "Get { UniqueIdentifier=$2 } Get { UniqueIdentifier=$1 }".into()),
        (
            "BatchErrorContinuationOption=Continue",
            "Get { UniqueIdentifier=$2 } Get { UniqueIdentifier=$1 }".into(),
        ),
        ("BatchCount=7", "Get { UniqueIdentifier=$1 }".into()),
        ("MaximumResponseSize=10", "Get { UniqueIdentifier=$1 } Locate {}".into()),
        ("", "#00000011 {}".into()),
        (
            "BatchErrorContinuationOption=Undo",
            "Get { UniqueIdentifier=$1 } Get { UniqueIdentifier=$2 }".into(),
        ),
    ] {
        let bytes = w.request(header, &items);
        let request = RequestMessage::decode(&bytes, ttlv::Limits::default()).unwrap();
        let answer = w.send(&bytes);
        let again = Outcome::of_answer(&request, answer.bytes.clone().into());
        assert_eq!(*again.encoded, answer.bytes);
        assert_eq!(again.audit, answer.audit, "{header} {items}");
        assert_eq!(again.served, answer.served, "{header} {items}");
    }
}

#[test]
fn what_only_the_log_was_told_is_not_told_again() {
    let w = World::new();
    let bytes = w.request("", "Locate {}");
    let request = RequestMessage::decode(&bytes, ttlv::Limits::default()).unwrap();
    let refusal = kms_core::Refusal::general_failure("no").logged("the disk is full");
    let first = refuse_all(&request, ProtocolVersion::V1_4, 5, &refusal);
    assert!(first.audit[0].log.is_some());
    let again = Outcome::of_answer(&request, first.encoded.clone());
    assert_eq!((again.audit[0].log.as_deref(), again.audit[0].message.as_deref()), (None, Some("no")));
    let whole = refuse_message(ProtocolVersion::V1_0, 5, &kms_core::Refusal::invalid_message("no"));
    assert_eq!(Outcome::of_answer(&request, whole.encoded.clone()).audit, whole.audit);
}

#[test]
fn an_answer_that_cannot_be_read_is_given_again_and_the_audit_says_so() {
    let mut w = World::new();
    w.key();
    let bytes = w.request("", "Get { UniqueIdentifier=$1 }");
    let request = RequestMessage::decode(&bytes, ttlv::Limits::default()).unwrap();
    let again = Outcome::of_answer(&request, b"no message".to_vec().into());
    assert_eq!(*again.encoded, b"no message");
    assert_eq!(again.audit.len(), 1);
    assert_eq!(again.audit[0].unique_identifier, Some(w.names.0[0].clone()));
    assert_eq!(again.audit[0].result_status.name(), None);
    assert!(again.audit[0].log.as_deref().unwrap().contains("cannot be read"));
}
