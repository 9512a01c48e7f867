//! vCenter's behaviour: what it sends, and what it does not accept.

use kmip::client::vcenter::{Component, VCenter, VCenterConfig};
use kmip::enumeration::{CredentialType, Operation, State};
use kmip::message::{Credential, CredentialValue};
use kmip::{ProtocolVersion, RequestMessage, Secret};
use ttlv::Limits;

use super::House;
use super::kms::{Fault, Kms, MATERIAL, start};

async fn vcenter(fault: Fault) -> (VCenter, Kms) {
    let house = House::new();
    let kms = start(&house.server, Some(&house.authority), fault).await;
    let client = house.builder(&kms.address).build().unwrap();
    (VCenter::new(VCenterConfig::new(client)).unwrap(), kms)
}

fn requests(kms: &Kms) -> Vec<Vec<RequestMessage>> {
    let decode = |bytes: &Vec<u8>| RequestMessage::decode(bytes, Limits::default()).unwrap();
    kms.seen.lock().unwrap().iter().map(|connection| connection.iter().map(decode).collect()).collect()
}

#[tokio::test]
async fn one_key_takes_four_connections_and_sixteen_messages() {
    let (vcenter, kms) = vcenter(Fault::None).await;
    let encrypted = vcenter.encrypt_vm("test01", Component::VirtualMachine, "0001").await.unwrap();
    assert_eq!((encrypted.connections, encrypted.messages), (4, 16));
    assert_eq!(encrypted.key, Secret::from(&MATERIAL[..]));
    let connections = requests(&kms);
    let mut lengths: Vec<_> = connections.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [2, 4, 5, 5]);
    assert!(kms.open_max.lock().unwrap().1 >= 2, "two connections at a time on one key");
    let read = vcenter.restart_read(&encrypted.key_id).await.unwrap();
    assert_eq!((read.key, read.state), (encrypted.key, State::Active));
    assert_eq!(vcenter.connections(), 5);
}

#[tokio::test]
async fn every_header_says_1_1_and_only_the_first_message_has_no_id() {
    let (vcenter, kms) = vcenter(Fault::None).await;
    vcenter.encrypt_vm("test01", Component::EsxiServer, "0001").await.unwrap();
    for connection in requests(&kms) {
        assert_eq!(connection[0].items[0].operation, Operation::DiscoverVersions);
        assert_eq!(connection[0].items[0].unique_batch_item_id, None);
        for message in &connection {
            assert_eq!(message.header.protocol_version, ProtocolVersion::V1_1);
            assert!(message.header.authentication.is_empty());
        }
        for message in &connection[1..] {
            for (item, count) in message.items.iter().zip(1..) {
                let id = [b'Q', b'L', b'K', b'C', count, 0, 0, 0];
                assert_eq!(item.unique_batch_item_id.as_deref(), Some(&id[..]));
            }
        }
    }
}

#[tokio::test]
async fn a_password_goes_with_create_get_state_and_activate_only() {
    let house = House::new();
    let kms = start(&house.server, Some(&house.authority), Fault::None).await;
    let mut config = VCenterConfig::new(house.builder(&kms.address).build().unwrap());
    config.credential = Some(Credential {
        credential_type: CredentialType::UsernameAndPassword,
        value: CredentialValue::UsernameAndPassword { username: "vc01".to_owned(), password: None },
    });
    let vcenter = VCenter::new(config).unwrap();
    vcenter.encrypt_vm("test01", Component::VirtualMachine, "0001").await.unwrap();
    let mut sent = Vec::new();
    for message in requests(&kms).into_iter().flatten() {
        if !message.header.authentication.is_empty() {
            sent.push(message.items[0].operation);
        }
    }
    sent.sort_unstable();
    let expected = [Operation::Create, Operation::Get, Operation::GetAttributes, Operation::Activate];
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_probe_sends_no_byte_and_a_poll_asks_for_versions_twice() {
    let (vcenter, kms) = vcenter(Fault::None).await;
    let house = vcenter.probe().await.unwrap();
    assert_eq!(house.len(), 1);
    vcenter.status_poll().await.unwrap();
    assert_eq!(vcenter.trust().await.unwrap().as_deref(), Some("a test"));
    let mut lengths: Vec<_> = requests(&kms).iter().map(Vec::len).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [0, 0, 2, 2]);
}

#[tokio::test]
async fn each_connection_may_go_to_another_node_and_the_seed_says_which() {
    let house = House::new();
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(start(&house.server, Some(&house.authority), Fault::None).await);
    }
    let mut config = VCenterConfig::new(house.builder("kms.example.test:5696").build().unwrap());
    config.addresses = nodes.iter().map(|node| node.address.clone()).collect();
    let mut ways = Vec::new();
    for seed in [7, 7, 8] {
        nodes.iter().for_each(|node| node.seen.lock().unwrap().clear());
        let vcenter = VCenter::new(VCenterConfig { seed, ..config.clone() }).unwrap();
        for _ in 0..24 {
            vcenter.trust().await.unwrap();
        }
        ways.push(nodes.iter().map(|node| node.seen.lock().unwrap().len()).collect::<Vec<_>>());
    }
    assert_eq!(ways[0], ways[1]);
    assert!(ways.iter().flatten().all(|count| *count > 0), "{ways:?}");
}

#[tokio::test]
async fn whatever_vcenter_would_not_accept_is_refused_with_both_sides() {
    for (fault, expected) in [
        (Fault::NewestVersion, "expected version"),
        (Fault::LaterAttribute, "nothing later than 1.1"),
        (Fault::NoState, "the State alone"),
        (Fault::AbsentIsFailure, "GetAttributes to succeed"),
        (Fault::AddsIds, "expected Unique Batch Item ID None"),
        (Fault::OtherId, "expected"),
        (Fault::ShortKey, "bytes of key material 32, got 16"),
        (Fault::Closes, "closed the connection"),
    ] {
        let (vcenter, _kms) = vcenter(fault).await;
        let error = vcenter.encrypt_vm("test01", Component::VirtualMachine, "0001").await.unwrap_err();
        assert!(error.to_string().contains(expected), "{fault:?}: {error}");
        assert!(error.to_string().contains("hint: "), "{fault:?}: {error}");
    }
}
