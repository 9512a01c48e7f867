//! vCenter against a real server: as it behaves, and as it was captured.

// Helpers end the test as a test itself does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is a test's message")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kmip::client::vcenter::{Component, VCenter, VCenterConfig};
use kmip::client::{Client, Connection};
use kmip::enumeration::{ResultStatus, State};
use kmip::operations::{destroy, get_attributes, locate};
use kmip::{
    Attribute, AttributeName, ProtocolVersion, RequestMessage, RequestPayload, ResponseMessage,
    ResponsePayload,
};
use lab::Lab;
use ttlv::{Limits, Value};

/// Machines that are encrypted, and how many at once: vCenter starts many such tasks in parallel.
const MACHINES: usize = 50;
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_machines_are_encrypted_and_nothing_of_them_is_missing() {
    let lab = Lab::start().await;
    let vcenter = VCenter::new(VCenterConfig::new(lab.client_config())).unwrap();
    vcenter.probe().await.unwrap();
    vcenter.trust().await.unwrap();
    vcenter.status_poll().await.unwrap();

    let mut keys = BTreeMap::new();
    let machines: Vec<usize> = (0..MACHINES).collect();
    for some in machines.chunks(AT_ONCE) {
        let tasks: Vec<_> = some
            .iter()
            .map(|machine| {
                // Sockets and counters of its own, as each of vCenter's tasks has.
                let vcenter = VCenter::new(VCenterConfig::new(lab.client_config())).unwrap();
                let (machine, name) = (*machine, format!("vm{machine:02}"));
                tokio::spawn(async move {
                    let uuid = format!("421f0000-0000-4000-8000-{machine:012}");
                    (name.clone(), vcenter.encrypt_vm(&name, Component::VirtualMachine, &uuid).await.unwrap())
                })
            })
            .collect();
        for task in tasks {
            let (name, encrypted) = task.await.unwrap();
            assert_eq!((encrypted.connections, encrypted.messages), (4, 16));
            assert_eq!(encrypted.key.len(), 32);
            assert!(keys.insert(encrypted.key_id.clone(), (name, encrypted)).is_none());
        }
    }
    assert_eq!(keys.len(), MACHINES);
    let different: BTreeSet<_> = keys.values().map(|(_, key)| key.key.danger_bytes().to_vec()).collect();
    assert_eq!(different.len(), MACHINES, "no two machines share a key");

    // After a power cycle of the server, and of vCenter: each key as it was, active, and for whom it is.
    lab.node(0).restart().await;
    let mut connection = Client::connect(&lab.client_config()).await.unwrap();
    for (key_id, (name, encrypted)) in &keys {
        let read = vcenter.restart_read(key_id).await.unwrap();
        assert_eq!((read.key, read.state), (encrypted.key.clone(), State::Active));
        assert_eq!(text(&mut connection, key_id, "x-Name").await, *name);
        assert_eq!(text(&mut connection, key_id, "x-Component").await, "Virtual Machine");
        assert_eq!(text(&mut connection, key_id, "x-Vendor").await, "VMware, Inc.");
    }
    let located = connection.one(locate::Request::default()).await.unwrap();
    let ResponsePayload::Locate(located) = located else { panic!("{located:?}") };
    let located: BTreeSet<_> = located.unique_identifiers.into_iter().collect();
    assert_eq!(located, keys.into_keys().collect(), "vCenter makes one key a machine, and no more");
}

async fn text(connection: &mut Connection, key_id: &str, name: &str) -> String {
    let request = get_attributes::Request {
        unique_identifier: Some(key_id.to_owned()),
        attribute_names: vec![AttributeName::new(name)],
    };
    let answer = connection.one(request).await.unwrap();
    let ResponsePayload::GetAttributes(answer) = answer else { panic!("{answer:?}") };
    match answer.attributes.as_slice() {
        [Attribute { value: Value::TextString(text), .. }] => text.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

fn capture() -> Option<PathBuf> {
    let folder = std::env::var_os("VCENTER_CAPTURE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vcenter"), PathBuf::from);
    let file = folder.join("requests-7.0.3.txt");
    file.is_file().then_some(file)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_as_captured_from_vcenter_is_answered_rightly() {
    let Some(file) = capture() else {
        println!("skipped: no capture of vCenter here; set VCENTER_CAPTURE to its folder");
        return;
    };
    let text = std::fs::read_to_string(file).unwrap();
    let requests: Vec<Vec<u8>> =
        text.lines().filter(|line| line.starts_with("420078")).map(|line| unhex(line.trim())).collect();
    assert_eq!(requests.len(), text.lines().filter(|line| line.starts_with("## ")).count());

    let lab = Lab::start().await;
    let mut connection = Client::connect(&lab.client_config()).await.unwrap();
    let create =
        requests.iter().find(|bytes| matches!(decode(bytes).items[0].payload, RequestPayload::Create(_)));
    let create = create.unwrap();
    // The identifiers of the server that was captured, and ours.
    let mut ours: BTreeMap<String, String> = BTreeMap::new();
    let mut asked = 0;
    for bytes in &requests {
        let mut request = decode(bytes);
        for item in &mut request.items {
            let Some(theirs) = identifier(&mut item.payload) else { continue };
            if !ours.contains_key(theirs) {
                let answer = decode_answer(&connection.call_raw(create).await.unwrap());
                let Some(ResponsePayload::Create(created)) = &answer.items[0].payload else {
                    panic!("{answer:?}")
                };
                ours.insert(theirs.clone(), created.unique_identifier.clone());
            }
            *theirs = ours[theirs].clone();
        }
        let mut sent = Vec::new();
        request.encode(&mut sent);
        let answer = decode_answer(&connection.call_raw(&sent).await.unwrap());
        check(&request, &answer);
        asked += 1;
    }
    println!("{asked} requests of vCenter 7.0.3, for {} keys, answered rightly", ours.len());
    assert!(asked > 20 && !ours.is_empty());
    // An active key is not destroyed, whoever asks.
    for id in ours.into_values() {
        let refused = connection.one(destroy::Request { unique_identifier: Some(id) }).await;
        assert!(refused.is_err());
    }
}

/// What vCenter looks at in an answer.
fn check(request: &RequestMessage, answer: &ResponseMessage) {
    assert_eq!(answer.header.protocol_version, ProtocolVersion::V1_1);
    assert_eq!(answer.items.len(), request.items.len());
    for (asked, answered) in request.items.iter().zip(&answer.items) {
        assert_eq!(answered.result_status, ResultStatus::Success, "{asked:?}: {:?}", answered.result_message);
        assert_eq!(answered.operation, Some(asked.operation));
        assert_eq!(answered.unique_batch_item_id, asked.unique_batch_item_id);
        match (&asked.payload, answered.payload.as_ref().unwrap()) {
            (RequestPayload::DiscoverVersions(_), ResponsePayload::DiscoverVersions(versions)) => {
                assert!(versions.protocol_versions.contains(&ProtocolVersion::V1_1));
            }
            (RequestPayload::Query(_), ResponsePayload::Query(query)) => {
                assert!(query.vendor_identification.is_some());
            }
            (RequestPayload::Create(_), ResponsePayload::Create(created)) => {
                assert_eq!(created.unique_identifier.len(), 36);
            }
            (RequestPayload::Get(_), ResponsePayload::Get(got)) => {
                let bytes = got.object.key_block().and_then(|block| block.plain_bytes());
                assert_eq!(bytes.map(|bytes| bytes.len()), Some(32));
            }
            (RequestPayload::GetAttributes(get), ResponsePayload::GetAttributes(got)) => {
                let name = get.attribute_names[0].as_str();
                // Asked before it is added: absent, which is Success with the identifier alone.
                let found = if name == "State" { 1 } else { 0 };
                assert_eq!(got.attributes.len(), found, "{name}");
            }
            (RequestPayload::AddAttribute(add), ResponsePayload::AddAttribute(added)) => {
                assert_eq!(added.attribute, add.attribute);
            }
            (RequestPayload::Activate(_), ResponsePayload::Activate(_)) => {}
            (asked, answered) => panic!("{asked:?} answered by {answered:?}"),
        }
    }
}

fn identifier(payload: &mut RequestPayload) -> Option<&mut String> {
    match payload {
        RequestPayload::Get(request) => request.unique_identifier.as_mut(),
        RequestPayload::GetAttributes(request) => request.unique_identifier.as_mut(),
        RequestPayload::AddAttribute(request) => request.unique_identifier.as_mut(),
        RequestPayload::Activate(request) => request.unique_identifier.as_mut(),
        _ => None,
    }
}

fn decode(bytes: &[u8]) -> RequestMessage {
    RequestMessage::decode(bytes, Limits::default()).unwrap()
}

fn decode_answer(bytes: &[u8]) -> ResponseMessage {
    ResponseMessage::decode(bytes, Limits::default()).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
