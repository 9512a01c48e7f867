//! Bad bytes from a known client: each is answered with a KMIP failure or the connection is closed, the server lives on
//! and grows by a bounded amount.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use faults::{Random, activate, add_attribute, connect, create, get, get_attributes, report, say, works};
use kmip::client::{ClientConfig, ClientError, Connection};
use kmip::enumeration::{ResultReason, ResultStatus, RevocationReasonCode};
use kmip::operations::{
    check, delete_attribute, destroy, discover_versions, get_attribute_list, locate, modify_attribute, query,
    re_key, revoke,
};
use kmip::{
    Attribute, AttributeName, ProtocolVersion, RequestMessage, RequestPayload, ResponseMessage,
    ResponsePayload, tag,
};
use lab::{Lab, NewClient};
use ttlv::{Limits, Value, Writer};

/// What thousands of bad messages may leave behind, in kilobytes: buffers of connections and of the allocator.
const GROWTH_KB_MAX: u64 = 64 * 1024;

fn encoded(payload: RequestPayload) -> Vec<u8> {
    let mut bytes = Vec::new();
    RequestMessage::new(ProtocolVersion::V1_4, [payload]).encode(&mut bytes);
    bytes
}

/// What came of a bad message.
#[derive(Debug)]
enum Came {
    /// An answer that is KMIP.
    Answer(ResponseMessage),
    /// The connection ended before any byte of an answer.
    Closed,
}

/// Sends bytes; panics where the answer is neither KMIP nor a clean end.
async fn send(connection: &mut Connection, bytes: &[u8]) -> Came {
    match connection.call_raw(bytes).await {
        Ok(answer) => {
            let decoded = ResponseMessage::decode(&answer, Limits::default());
            Came::Answer(
                decoded.unwrap_or_else(|error| panic!("an answer that is no KMIP ({error}) to {bytes:02x?}")),
            )
        }
        Err(ClientError::Closed { bytes_received: 0, .. } | ClientError::Io { .. }) => Came::Closed,
        Err(error) => panic!("{error} after {bytes:02x?}"),
    }
}

/// Sends bytes on a new connection, and says why they were refused; `None` where the connection was just closed.
async fn refusal(config: &ClientConfig, bytes: &[u8]) -> Option<ResultReason> {
    let mut connection = connect(config).await;
    match send(&mut connection, bytes).await {
        Came::Closed => None,
        Came::Answer(answer) => {
            let item = &answer.items[0];
            assert_eq!(
                item.result_status,
                ResultStatus::OperationFailed,
                "{bytes:02x?} succeeded: {answer:?}"
            );
            assert!(item.result_message.is_some(), "refused without a word: {answer:?}");
            item.result_reason
        }
    }
}

struct Memory(u64);

impl Memory {
    fn before(lab: &Lab) -> Self {
        Self(lab.node(0).resident_kb())
    }

    fn after(self, lab: &Lab, what: &str) {
        let now = lab.node(0).resident_kb();
        say(&format!("{what}: resident {} kB before, {now} kB after", self.0));
        assert!(now <= self.0 + GROWTH_KB_MAX, "{what}: grew from {} kB to {now} kB", self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_cut_off_anywhere_hurts_nobody() {
    let lab = Lab::start().await;
    let config = lab.client_config();
    let memory = Memory::before(&lab);
    let request = encoded(create());
    for length in 0..request.len() {
        let mut connection = connect(&config).await;
        connection.send_raw(&request[..length]).await.unwrap();
        connection.close().await.unwrap();
    }
    works(&config).await;
    memory.after(&lab, "truncated messages");
    report("truncated messages", request.len(), 0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lengths_types_padding_and_depth_that_are_wrong_are_refused() {
    let lab = Lab::start().await;
    let config = lab.client_config();
    let memory = Memory::before(&lab);
    let valid = encoded(create());

    // A length that the header announces and that nobody will wait for.
    for length in [1_048_576_u32, 0x7fff_fff8, 0xffff_fff8, 0xffff_ffff] {
        let mut bytes = valid.clone();
        bytes[4..8].copy_from_slice(&length.to_be_bytes());
        let reason = refusal(&config, &bytes).await;
        say(&format!("announced length {length:#x}: {reason:?}"));
    }
    let mut header = vec![0x42, 0x00, 0x7b, 0x01];
    header.extend(0x7fff_fff8_u32.to_be_bytes());
    assert_eq!(refusal(&config, &header).await, None, "not even a request");

    // Structures in structures, as deep as a message of the largest size allows.
    let mut inner = Vec::new();
    for _ in 0..50_000 {
        let length = u32::try_from(inner.len()).unwrap();
        let mut outer = vec![0x42, 0x00, 0x79, 0x01];
        outer.extend(length.to_be_bytes());
        // Written back to front, so that each round costs 8 bytes and not the whole.
        outer.reverse();
        inner.extend(outer);
    }
    inner.reverse();
    let mut deep = vec![0x42, 0x00, 0x78, 0x01];
    deep.extend(u32::try_from(inner.len()).unwrap().to_be_bytes());
    deep.extend(inner);
    let reason = refusal(&config, &deep).await;
    say(&format!("50000 structures deep: {reason:?}"));

    // Every type byte as every other type, every length one off, every byte of padding set.
    let mut tried = 0;
    let mut connection = connect(&config).await;
    for at in items(&valid) {
        for type_code in 0..=0x0b_u8 {
            let mut bytes = valid.clone();
            bytes[at + 3] = type_code;
            tried += attempt(&config, &mut connection, &bytes, at > 0).await;
        }
        for change in [1_u8, 7, 8, 0x80] {
            let mut bytes = valid.clone();
            bytes[at + 7] = bytes[at + 7].wrapping_add(change);
            tried += attempt(&config, &mut connection, &bytes, at > 0).await;
        }
    }
    for at in paddings(&valid) {
        let mut bytes = valid.clone();
        bytes[at] = 1;
        tried += attempt(&config, &mut connection, &bytes, true).await;
    }
    works(&config).await;
    memory.after(&lab, "wrong lengths, types and paddings");
    report("wrong lengths, types, paddings, depths", tried + 6, 0, 0);
}

/// Sends bytes and goes on with a new connection where the old one was closed. What breaks the frame itself would be
/// waited for until the request timeout, and is left to the tests of slow clients.
async fn attempt(
    config: &ClientConfig,
    connection: &mut Connection,
    bytes: &[u8],
    keeps_frame: bool,
) -> usize {
    if !keeps_frame {
        return 0;
    }
    if let Came::Closed = send(connection, bytes).await {
        *connection = connect(config).await;
    }
    1
}

/// The offsets of all items, structures with them.
fn items(bytes: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + 8 <= bytes.len() {
        found.push(at);
        let length = usize::try_from(u32::from_be_bytes(bytes[at + 4..at + 8].try_into().unwrap())).unwrap();
        at += 8 + if bytes[at + 3] == 0x01 { 0 } else { length.next_multiple_of(8) };
    }
    found
}

fn paddings(bytes: &[u8]) -> Vec<usize> {
    let padding = |&at: &usize| {
        let length = usize::try_from(u32::from_be_bytes(bytes[at + 4..at + 8].try_into().unwrap())).unwrap();
        let is_structure = bytes[at + 3] == 0x01;
        (!is_structure).then(|| at + 8 + length..at + 8 + length.next_multiple_of(8))
    };
    items(bytes).iter().filter_map(padding).flatten().collect()
}

/// One request of every operation, about `id`.
fn one_of_each(id: &str) -> Vec<RequestPayload> {
    let unique_identifier = Some(id.to_owned());
    let attribute = || Attribute::new(AttributeName::new("x-mark"), Value::TextString("b".to_owned()));
    let reason = kmip::attribute::RevocationReason { code: RevocationReasonCode::Unspecified, message: None };
    vec![
        get(id),
        get_attributes(id),
        get_attribute_list::Request { unique_identifier: unique_identifier.clone() }.into(),
        check::Request { unique_identifier: unique_identifier.clone(), ..Default::default() }.into(),
        add_attribute(id, "x-mark", "a"),
        modify_attribute::Request { unique_identifier: unique_identifier.clone(), attribute: attribute() }
            .into(),
        delete_attribute::Request {
            unique_identifier: unique_identifier.clone(),
            attribute_name: AttributeName::new("x-mark"),
            attribute_index: None,
        }
        .into(),
        activate(id),
        re_key::Request { unique_identifier: unique_identifier.clone(), ..Default::default() }.into(),
        revoke::Request {
            unique_identifier: unique_identifier.clone(),
            revocation_reason: reason,
            compromise_occurrence_date: None,
        }
        .into(),
        destroy::Request { unique_identifier }.into(),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_mutated_requests_are_answered_or_refused() {
    const MUTATIONS: usize = 4000;
    let mut random = Random::announced("mutations");
    let lab = Lab::start().await;
    let (config, other) = (lab.client_config(), lab.add_client(NewClient::named("other")).await);
    let ResponsePayload::Create(kept) = connect(&lab.config_of(&other)).await.one(create()).await.unwrap()
    else {
        panic!("not Create's answer")
    };
    let ResponsePayload::Create(own) = connect(&config).await.one(create()).await.unwrap() else {
        panic!("not Create's answer")
    };
    let mut seeds: Vec<_> = one_of_each(&own.unique_identifier).into_iter().map(encoded).collect();
    seeds.push(encoded(create()));
    seeds.push(encoded(discover_versions::Request::default().into()));
    seeds.push(encoded(
        query::Request { query_functions: vec![kmip::enumeration::QueryFunction::QueryOperations] }.into(),
    ));
    seeds.push(encoded(locate::Request::default().into()));
    let memory = Memory::before(&lab);
    let mut connection = connect(&config).await;
    let (mut answered, mut closed) = (0, 0);
    for _ in 0..MUTATIONS {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        match random.below(4) {
            // A stretch of another request, or of this one, somewhere else.
            0 => {
                let donor = &seeds[random.below(seeds.len())];
                let length = 8 + random.below(32);
                let from = random.below(donor.len().saturating_sub(length).max(1));
                let to = 8 + random.below(bytes.len().saturating_sub(8 + length).max(1));
                let (to_end, from_end) = ((to + length).min(bytes.len()), (from + length).min(donor.len()));
                let length = (to_end - to).min(from_end - from);
                bytes[to..to + length].copy_from_slice(&donor[from..from + length]);
            }
            // Cut or grown at the end, with a frame that is right again.
            1 => {
                let length = 8 + random.below(2 * bytes.len()).next_multiple_of(8);
                bytes.resize(length, random.byte());
            }
            _ => {
                for _ in 0..=random.below(6) {
                    let at = 8 + random.below(bytes.len() - 8);
                    bytes[at] =
                        if random.below(2) == 0 { random.byte() } else { bytes[at] ^ (1 << random.below(8)) };
                }
            }
        }
        let length = u32::try_from(bytes.len() - 8).unwrap();
        bytes[4..8].copy_from_slice(&length.to_be_bytes());
        match send(&mut connection, &bytes).await {
            Came::Answer(_) => answered += 1,
            Came::Closed => {
                closed += 1;
                connection = connect(&config).await;
            }
        }
    }
    works(&config).await;
    connect(&lab.config_of(&other)).await.one(get(&kept.unique_identifier)).await.unwrap();
    assert!(!lab.node(0).log_text().contains("panicked"), "a panic in the server");
    memory.after(&lab, "mutated requests");
    say(&format!("mutated requests: {answered} answered, {closed} closed"));
    report("mutated requests", MUTATIONS, answered, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_key_is_as_good_as_none() {
    let lab = Lab::start().await;
    let other = lab.add_client(NewClient::named("other")).await;
    let mut owner = connect(&lab.config_of(&other)).await;
    let ResponsePayload::Create(theirs) = owner.one(create()).await.unwrap() else {
        panic!("not Create's answer")
    };
    let theirs = theirs.unique_identifier;
    let nobodys = "00000000-0000-4000-8000-000000000000";
    let mut connection = connect(&lab.client_config()).await;
    let pairs: Vec<_> = one_of_each(&theirs).into_iter().zip(one_of_each(nobodys)).collect();
    for (about_theirs, about_none) in &pairs {
        let failure = async |connection: &mut Connection, payload: &RequestPayload| match connection
            .one(payload.clone())
            .await
        {
            Err(ClientError::Failed(failure)) => failure,
            other => panic!("{:?}: {other:?}", payload.operation()),
        };
        let seen = failure(&mut connection, about_theirs).await;
        let mut none = failure(&mut connection, about_none).await;
        assert_eq!(seen.reason, Some(ResultReason::ItemNotFound), "{:?}", about_theirs.operation());
        none.message = none.message.map(|message| message.replace(nobodys, &theirs));
        assert_eq!(seen, none, "{:?} tells that it is there", about_theirs.operation());
    }
    let ResponsePayload::Locate(located) = connection.one(locate::Request::default()).await.unwrap() else {
        panic!("not Locate's answer")
    };
    assert!(located.unique_identifiers.is_empty(), "{located:?}");
    owner.one(get(&theirs)).await.unwrap();
    report("another tenant's key, every operation", pairs.len() + 1, 0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_pipelined_requests_are_answered_in_order() {
    const REQUESTS: usize = 1000;
    let lab = Lab::start().await;
    let memory = Memory::before(&lab);
    let mut connection = connect(&lab.client_config()).await;
    let mut bytes = Vec::new();
    for number in 0..REQUESTS {
        let mut request = RequestMessage::new(ProtocolVersion::V1_4, [create()]);
        request.items[0].unique_batch_item_id = Some(number.to_be_bytes().to_vec());
        request.encode(&mut bytes);
    }
    connection.send_raw(&bytes).await.unwrap();
    for number in 0..REQUESTS {
        let answer = connection.receive_raw().await.unwrap();
        let answer = ResponseMessage::decode(&answer, Limits::default()).unwrap();
        assert_eq!(answer.items[0].result_status, ResultStatus::Success);
        assert_eq!(answer.items[0].unique_batch_item_id, Some(number.to_be_bytes().to_vec()));
    }
    works(&lab.client_config()).await;
    memory.after(&lab, "pipelined requests");
    report("pipelined requests", 1, u64::try_from(REQUESTS).unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_or_a_list_beyond_its_bound_is_refused() {
    let lab = Lab::builder().limit("batch_items_max", 10).limit("items_max", 200).start().await;
    let config = lab.client_config();
    let mut batch = Vec::new();
    RequestMessage::new(ProtocolVersion::V1_4, (0..11).map(|_| discover_versions::Request::default().into()))
        .encode(&mut batch);
    assert!(refusal(&config, &batch).await.is_some());
    let mut many = Vec::new();
    Writer::new(&mut many).structure(tag::REQUEST_MESSAGE, |writer| {
        for _ in 0..300 {
            writer.integer(tag::BATCH_COUNT, 1);
        }
    });
    assert!(refusal(&config, &many).await.is_some());
    works(&config).await;
    report("batches and lists beyond their bounds", 2, 0, 0);
}
