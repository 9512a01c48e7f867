//! Data in parts (KMIP 1.4 chapter 4), and the row of the error tables (sections 11.30 to 11.38) that speaks of them: "No outstanding
//! operation with the specified Correlation Value exists".

use kmip::ProtocolVersion;
use kmip::enumeration::ResultReason as R;
use kmip::{ResponsePayload as P, Secret};
use kms_core::{Event, STREAM_S_MAX, STREAMS_MAX};

use crate::common::{World, text::hex};

fn with_key(attributes: &str) -> World {
    let mut w = World::new();
    w.done(&format!(
        "Create {{ ObjectType=SymmetricKey TemplateAttribute {{ \"Cryptographic Algorithm\"=AES \
         \"Cryptographic Usage Mask\"=399 \"Activation Date\"=@5 {attributes} }} }}"
    ));
    w
}

/// Each operation's request of one part, without what makes it a part.
const OPERATIONS: [&str; 7] = [
    "Encrypt { UniqueIdentifier=$1 FIRST{CryptographicParameters { BlockCipherMode=ECB }} DATA PART }",
    "Decrypt { UniqueIdentifier=$1 FIRST{CryptographicParameters { BlockCipherMode=ECB }} DATA PART }",
    "Sign { UniqueIdentifier=$2 FIRST{CryptographicParameters { HashingAlgorithm=SHA_256 }} DATA PART }",
    "SignatureVerify { UniqueIdentifier=$2 FIRST{CryptographicParameters { HashingAlgorithm=SHA_256 }} DATA \
     FIRST{SignatureData=0x00} PART }",
    "MAC { UniqueIdentifier=$1 FIRST{CryptographicParameters { CryptographicAlgorithm=HMAC_SHA256 }} DATA PART }",
    "MACVerify { UniqueIdentifier=$1 FIRST{CryptographicParameters { CryptographicAlgorithm=HMAC_SHA256 }} DATA \
     FIRST{MACData=0x00} PART }",
    "Hash { CryptographicParameters { HashingAlgorithm=SHA_256 } DATA PART }",
];

/// `FIRST{…}` stays in the first part and goes from the others.
fn ask(operation: &str, data: &str, part: &str) -> String {
    let first = part.contains("InitIndicator");
    let mut text = operation.replace("DATA", data).replace("PART", part);
    while let Some(at) = text.find("FIRST{") {
        let mut depth = 0;
        let length = text[at + 5..]
            .find(|c| {
                depth += match c {
                    '{' => 1,
                    '}' => -1,
                    _ => 0,
                };
                depth == 0
            })
            .unwrap();
        let inside = if first { text[at + 6..at + 5 + length].to_owned() } else { String::new() };
        text.replace_range(at..=at + 5 + length, &inside);
    }
    text
}

/// A world with a key `$1` and an RSA key `$2`.
fn with_keys() -> World {
    let mut w = with_key("");
    w.done(
        "Register { ObjectType=PrivateKey TemplateAttribute { \"Cryptographic Usage Mask\"=3 \"Activation Date\"=@5 } PrivateKey { \
         KeyBlock { KeyFormatType=PKCS_1 KeyValue { KeyMaterial=0x3000 } CryptographicAlgorithm=RSA CryptographicLength=2048 } } }",
    );
    w
}

/// What an answer holds: its data, code, signature or validity in hex or words, and its Correlation Value.
fn seen(w: &mut World, ask: &str) -> (String, Option<Vec<u8>>) {
    let bytes = |secret: Option<Secret>| secret.map_or_else(String::new, |data| hex(data.danger_bytes()));
    let plain = |bytes: Option<Vec<u8>>| bytes.map_or_else(String::new, |bytes| hex(&bytes));
    match w.done(ask).payload.unwrap() {
        P::Encrypt(r) => (bytes(r.data), r.correlation_value),
        P::Decrypt(r) => (bytes(r.data), r.correlation_value),
        P::Sign(r) => (plain(r.signature_data), r.correlation_value),
        P::SignatureVerify(r) => {
            (r.validity_indicator.map_or_else(String::new, |it| it.to_string()), r.correlation_value)
        }
        P::Mac(r) => (plain(r.mac_data), r.correlation_value),
        P::MacVerify(r) => {
            (r.validity_indicator.map_or_else(String::new, |it| it.to_string()), r.correlation_value)
        }
        P::Hash(r) => (plain(r.data), r.correlation_value),
        other => panic!("{other:?}"),
    }
}

fn further(value: &[u8]) -> String {
    format!("CorrelationValue=0x{}", hex(value))
}

fn last(value: &[u8]) -> String {
    format!("CorrelationValue=0x{} FinalIndicator=true", hex(value))
}

#[test]
fn parts_come_to_what_the_whole_comes_to() {
    for operation in OPERATIONS {
        let mut w = with_keys();
        let (whole, none) =
            seen(&mut w, &ask(operation, "Data=0x010203", "InitIndicator=true FinalIndicator=true"));
        assert_eq!(none, None);
        let (one, value) = seen(&mut w, &ask(operation, "Data=0x01", "InitIndicator=true"));
        let (two, value) = seen(&mut w, &ask(operation, "Data=0x02", &further(&value.unwrap())));
        let (three, value) = seen(&mut w, &ask(operation, "Data=0x03", &further(&value.unwrap())));
        let (rest, none) = seen(&mut w, &ask(operation, "", &last(&value.unwrap())));
        assert_eq!(none, None);
        // A signature is of the digest that the parts make, and says so here.
        if operation.starts_with("Sign ") {
            assert_eq!(format!("{one}{two}{three}"), "");
            assert!(!rest.is_empty());
        } else {
            assert_eq!(format!("{one}{two}{three}{rest}"), whole, "{operation}");
        }
    }
}

#[test]
fn the_first_part_changes_nothing_and_each_later_one_is_remembered() {
    let mut w = with_keys();
    let first = w.ask(&ask(OPERATIONS[6], "Data=0x01", "InitIndicator=true"));
    assert!(first.events.is_empty());
    let (_, value) = seen(&mut w, &ask(OPERATIONS[6], "Data=0x01", "InitIndicator=true"));
    let second = w.ask(&ask(OPERATIONS[6], "Data=0x01", &further(&value.unwrap())));
    assert!(matches!(second.events[..], [Event::StreamPart { part: 1, .. }]), "{:?}", second.events);
    assert_eq!(w.objects.streams(), 1);
}

#[test]
fn a_correlation_value_is_used_once() {
    for operation in OPERATIONS {
        let mut w = with_keys();
        let (_, first) = seen(&mut w, &ask(operation, "Data=0x01", "InitIndicator=true"));
        let first = first.unwrap();
        let (_, second) = seen(&mut w, &ask(operation, "Data=0x02", &further(&first)));
        w.refused(&ask(operation, "Data=0x02", &further(&first)), R::ItemNotFound);
        w.refused(&ask(operation, "Data=0x02", &last(&first)), R::ItemNotFound);
        let second = second.unwrap();
        seen(&mut w, &ask(operation, "Data=0x02", &last(&second)));
        for value in [first, second] {
            w.refused(&ask(operation, "", &last(&value)), R::ItemNotFound);
        }
    }
}

#[test]
fn a_correlation_value_that_was_refused_is_not_used_up() {
    let mut w = with_keys();
    let (_, value) = seen(&mut w, &ask(OPERATIONS[0], "Data=0x01", "InitIndicator=true"));
    let value = value.unwrap();
    let wrong =
        ask(OPERATIONS[0], "CryptographicParameters { BlockCipherMode=CBC } Data=0x01", &further(&value));
    w.refused(&wrong, R::InvalidField);
    w.refused(&ask(OPERATIONS[0], "", &further(&value)), R::InvalidMessage);
    seen(&mut w, &ask(OPERATIONS[0], "Data=0x01", &further(&value)));
}

#[test]
fn no_outstanding_operation_with_the_correlation_value_exists() {
    for operation in OPERATIONS {
        let mut w = with_keys();
        let (_, value) = seen(&mut w, &ask(operation, "Data=0x01", "InitIndicator=true"));
        let value = value.unwrap();
        // Made up, cut short, changed.
        w.refused(&ask(operation, "Data=0x01", "CorrelationValue=0x00"), R::ItemNotFound);
        w.refused(&ask(operation, "Data=0x01", &further(&value[..value.len() - 1])), R::ItemNotFound);
        for at in [0, 16, 17, value.len() - 1] {
            let mut changed = value.clone();
            changed[at] ^= 1;
            let reason =
                w.ask(&ask(operation, "Data=0x01", &further(&changed))).response.items[0].result_reason;
            // The test's vault does not authenticate what it seals; that of the server does.
            assert!(reason == Some(R::ItemNotFound) || at == value.len() - 1, "{at}: {reason:?}");
        }
        // Another client's, of this tenant and of another.
        for client in ["vc01", "other"] {
            let mut again = with_keys();
            let (_, value) = seen(&mut again, &ask(operation, "Data=0x01", "InitIndicator=true"));
            let answer = again.ask_as(client, &ask(operation, "Data=0x01", &further(&value.unwrap())));
            assert_eq!(answer.response.items[0].result_reason, Some(R::ItemNotFound), "{client} {operation}");
        }
        // Another operation's.
        for other in OPERATIONS.iter().filter(|other| **other != operation) {
            w.refused(&ask(other, "Data=0x01", &further(&value)), R::ItemNotFound);
        }
        // Another key's.
        if operation != OPERATIONS[6] {
            w.key();
            let third =
                ask(operation, "Data=0x01", &further(&value)).replace("=$1", "=$3").replace("=$2", "=$3");
            w.refused(&third, R::ItemNotFound);
        }
        // Too late.
        w.now += STREAM_S_MAX + 1;
        w.refused(&ask(operation, "Data=0x01", &further(&value)), R::ItemNotFound);
    }
}

#[test]
fn parts_are_forgotten_in_time_and_their_values_stay_used() {
    let mut w = with_keys();
    let (_, value) = seen(&mut w, &ask(OPERATIONS[6], "Data=0x01", "InitIndicator=true"));
    let value = value.unwrap();
    seen(&mut w, &ask(OPERATIONS[6], "Data=0x01", &last(&value)));
    w.now += STREAM_S_MAX + 1;
    let (_, other) = seen(&mut w, &ask(OPERATIONS[6], "Data=0x01", "InitIndicator=true"));
    seen(&mut w, &ask(OPERATIONS[6], "Data=0x01", &last(&other.unwrap())));
    assert_eq!(w.objects.streams(), 1, "the first is forgotten");
    // Also by a node whose clock is behind.
    w.now -= STREAM_S_MAX;
    w.refused(&ask(OPERATIONS[6], "Data=0x01", &last(&value)), R::ItemNotFound);
}

#[test]
fn more_operations_than_are_remembered_are_refused() {
    let mut w = with_keys();
    for number in 0..u32::try_from(STREAMS_MAX).unwrap() {
        let mut stream = [0; 16];
        stream[..4].copy_from_slice(&number.to_be_bytes());
        w.objects.apply(&Event::StreamPart { stream, part: 1, at: w.now, expires_at: w.now + 10 });
    }
    let (_, value) = seen(&mut w, &ask(OPERATIONS[6], "Data=0x01", "InitIndicator=true"));
    let text = w.refused(&ask(OPERATIONS[6], "Data=0x01", &last(&value.unwrap())), R::GeneralFailure);
    assert!(text.contains("65536") && text.contains("hint:"), "{text}");
}

#[test]
fn indicators_that_contradict_each_other_are_refused() {
    for operation in OPERATIONS {
        let mut w = with_keys();
        let (_, value) = seen(&mut w, &ask(operation, "Data=0x01", "InitIndicator=true"));
        let value = further(&value.unwrap());
        w.refused(&ask(operation, "Data=0x01", "FinalIndicator=true"), R::InvalidMessage);
        w.refused(&ask(operation, "Data=0x01", &format!("{value} InitIndicator=true")), R::InvalidMessage);
    }
}

#[test]
fn a_key_that_may_not_be_used_any_more_ends_the_operation() {
    let mut w = with_keys();
    let (_, value) = seen(&mut w, &ask(OPERATIONS[0], "Data=0x01", "InitIndicator=true"));
    w.done("Revoke { UniqueIdentifier=$1 RevocationReason { RevocationReasonCode=Superseded } }");
    w.refused(&ask(OPERATIONS[0], "Data=0x01", &further(&value.unwrap())), R::PermissionDenied);
}

#[test]
fn usage_limits_count_an_operation_in_parts_once_and_its_bytes_all() {
    let left = |w: &mut World| {
        let id = w.names.0[0].clone();
        let text = w.attribute(&id, "Usage Limits");
        text.split("UsageLimitsCount=").nth(1).unwrap().split('L').next().unwrap().to_owned()
    };
    for (unit, total, expected) in [("Object", 5, "4"), ("Byte", 50, "44")] {
        let mut w =
            with_key(&format!("\"Usage Limits\" {{ UsageLimitsTotal={total}L UsageLimitsUnit={unit} }}"));
        let (_, value) = seen(&mut w, &ask(OPERATIONS[0], "Data=0x0102", "InitIndicator=true"));
        let (_, value) = seen(&mut w, &ask(OPERATIONS[0], "Data=0x0304", &further(&value.unwrap())));
        seen(&mut w, &ask(OPERATIONS[0], "Data=0x0506", &last(&value.unwrap())));
        assert_eq!(left(&mut w), expected, "{unit}");
    }
}

#[test]
fn what_is_to_be_checked_comes_with_one_part() {
    let mut w = with_keys();
    let mac = OPERATIONS[5].replace("FIRST{MACData=0x00}", "");
    let (_, value) = seen(&mut w, &ask(&mac, "Data=0x01", "InitIndicator=true"));
    w.refused(&ask(&mac, "Data=0x01", &last(&value.clone().unwrap())), R::InvalidMessage);
    let (valid, _) = seen(&mut w, &ask(&mac, "Data=0x01 MACData=0x00", &last(&value.unwrap())));
    assert_eq!(valid, "Invalid");
    let (_, value) = seen(&mut w, &ask(OPERATIONS[5], "Data=0x01", "InitIndicator=true"));
    w.refused(&ask(&mac, "Data=0x01 MACData=0x00", &last(&value.unwrap())), R::InvalidMessage);
}

#[test]
fn rsa_and_ready_digests_come_as_a_whole() {
    let mut w = with_keys();
    w.done(
        "Register { ObjectType=PublicKey TemplateAttribute { \"Cryptographic Usage Mask\"=4 \"Activation Date\"=@5 } PublicKey { \
         KeyBlock { KeyFormatType=PKCS_1 KeyValue { KeyMaterial=0x3000 } CryptographicAlgorithm=RSA CryptographicLength=2048 } } }",
    );
    w.refused(
        "Encrypt { UniqueIdentifier=$3 CryptographicParameters { PaddingMethod=OAEP } Data=0x00 InitIndicator=true }",
        R::FeatureNotSupported,
    );
    w.refused(
        "Sign { UniqueIdentifier=$2 CryptographicParameters { HashingAlgorithm=SHA_256 } DigestedData=0x00 InitIndicator=true }",
        R::InvalidField,
    );
}

#[test]
fn what_belongs_to_the_first_part_is_refused_beside_a_later_one() {
    let mut w = with_keys();
    for more in ["IVCounterNonce=0x00", "AuthenticatedEncryptionAdditionalData=0x00"] {
        for operation in &OPERATIONS[..2] {
            let (_, value) = seen(&mut w, &ask(operation, "Data=0x01", "InitIndicator=true"));
            let value = further(&value.unwrap());
            // In the order of the payload's fields.
            let part =
                if more.starts_with("IV") { format!("{more} {value}") } else { format!("{value} {more}") };
            w.refused(&ask(operation, "Data=0x01", &part), R::InvalidField);
        }
    }
}

#[test]
fn parts_came_with_1_3() {
    let mut w = with_keys();
    let first = ask(OPERATIONS[6], "Data=0x01", "InitIndicator=true");
    let answer = w.ask_in(ProtocolVersion::V1_3, &first);
    assert_eq!(answer.response.items[0].result_reason, None);
}
