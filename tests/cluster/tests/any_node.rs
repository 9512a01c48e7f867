//! Any node serves: what one was asked to do is so on every other by the time it is answered.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use cluster::{attributes, bytes, configs, connections, made};
use faults::{Random, activate, add_attribute, connect, get};
use kmip::client::vcenter::{Component, Encrypted, VCenter, VCenterConfig};
use kmip::enumeration::State;
use lab::Lab;
use ttlv::Value;

/// Machines that are encrypted, and how many at once: vCenter starts many such tasks in parallel.
const MACHINES: usize = 200;
const AT_ONCE: usize = 4;

const CREATES: usize = 1000;
const KEYS_CHANGED_AT_ONCE: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_machines_are_encrypted_over_nodes_chosen_at_random_and_nothing_is_missing() {
    let mut random = Random::announced("vCenter over any node");
    let lab = Lab::builder().nodes(3).start().await;
    let addresses: Vec<String> = configs(&lab).iter().map(|config| config.address().to_owned()).collect();
    let mut keys: BTreeMap<String, Encrypted> = BTreeMap::new();
    let machines: Vec<usize> = (0..MACHINES).collect();
    for some in machines.chunks(AT_ONCE) {
        let tasks: Vec<_> = some
            .iter()
            .map(|machine| {
                let config = VCenterConfig {
                    addresses: addresses.clone(),
                    seed: random.number(),
                    ..VCenterConfig::new(lab.client_config())
                };
                let (vcenter, name) = (VCenter::new(config).unwrap(), format!("vm{machine:03}"));
                let uuid = format!("421f0000-0000-4000-8000-{machine:012}");
                tokio::spawn(async move {
                    let encrypted = vcenter.encrypt_vm(&name, Component::VirtualMachine, &uuid).await;
                    (name, encrypted.unwrap())
                })
            })
            .collect();
        for task in tasks {
            let (name, encrypted) = task.await.unwrap();
            assert!(keys.insert(name, encrypted).is_none());
        }
    }
    for config in configs(&lab) {
        let vcenter = VCenter::new(VCenterConfig::new(config.clone())).unwrap();
        let mut connection = connect(&config).await;
        for (name, encrypted) in &keys {
            let read = vcenter.restart_read(&encrypted.key_id).await.unwrap();
            assert_eq!((read.key, read.state), (encrypted.key.clone(), State::Active), "{name}");
            let found = attributes(&mut connection, &encrypted.key_id).await;
            assert_eq!(found["x-Name"], Value::TextString(name.clone()));
            let marks = found.keys().filter(|name| name.starts_with("x-")).count();
            assert_eq!(marks, 6, "{name}: {found:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_read_on_another_node_as_soon_as_its_create_is_answered() {
    let lab = Lab::builder().nodes(3).start().await;
    let mut connections = connections(&lab).await;
    for round in 0..CREATES {
        let id = made(&mut connections[round % 3]).await;
        let other = (round + 1 + round / 3 % 2) % 3;
        let answer = connections[other].one(get(&id)).await;
        assert!(answer.is_ok(), "create {round}, made at node {}, read at {other}: {answer:?}", round % 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_made_at_once_through_two_nodes_both_survive() {
    let mut random = Random::announced("changes at once");
    let lab = Lab::builder().nodes(3).start().await;
    let mut connections = connections(&lab).await;
    for round in 0..KEYS_CHANGED_AT_ONCE {
        connections.rotate_left(random.below(3));
        let [one, other, third] = connections.as_mut_slice() else { panic!("three nodes") };
        let id = made(third).await;
        let material = bytes(third, &id).await;
        let changes = match round % 2 {
            0 => [add_attribute(&id, "x-one", "1"), add_attribute(&id, "x-other", "2")],
            _ => [activate(&id), add_attribute(&id, "x-other", "2")],
        };
        let [first, second] = changes;
        let (first, second) = tokio::join!(one.one(first), other.one(second));
        first.unwrap();
        second.unwrap();
        let found = attributes(third, &id).await;
        assert_eq!(found["x-other"], Value::TextString("2".to_owned()));
        match round % 2 {
            0 => assert_eq!(found["x-one"], Value::TextString("1".to_owned())),
            _ => assert_eq!(found["State"], Value::Enumeration(State::Active.number())),
        }
        assert_eq!(bytes(one, &id).await, material);
    }
}
