//! The error tables of the cryptographic operations (KMIP 1.4 sections 11.30 to 11.38), a test a row, for each operation
//! that has the row. Nothing is ever archived here, so that row cannot occur; data in parts are in `parts`.

use kmip::ProtocolVersion;
use kmip::enumeration::ResultReason as R;

use crate::common::World;

/// A use of the key `$1` for each operation that uses one, and the bit of the mask that allows it.
const USES: [(&str, i32); 6] = [
    ("Encrypt { UniqueIdentifier=$1 CryptographicParameters { BlockCipherMode=ECB } Data=0x00 }", 4),
    ("Decrypt { UniqueIdentifier=$1 CryptographicParameters { BlockCipherMode=ECB } Data=0x00 }", 8),
    ("Sign { UniqueIdentifier=$1 CryptographicParameters { HashingAlgorithm=SHA_256 } Data=0x00 }", 1),
    (
        "SignatureVerify { UniqueIdentifier=$1 CryptographicParameters { HashingAlgorithm=SHA_256 } Data=0x00 \
         SignatureData=0x00 }",
        2,
    ),
    (
        "MAC { UniqueIdentifier=$1 CryptographicParameters { CryptographicAlgorithm=HMAC_SHA256 } Data=0x00 }",
        128,
    ),
    (
        "MACVerify { UniqueIdentifier=$1 CryptographicParameters { CryptographicAlgorithm=HMAC_SHA256 } Data=0x00 \
         MACData=0x00 }",
        256,
    ),
];

/// A key that may be used in every way, and is Active.
fn with_key(attributes: &str) -> World {
    let mut w = World::new();
    w.done(&format!(
        "Create {{ ObjectType=SymmetricKey TemplateAttribute {{ \"Cryptographic Algorithm\"=AES \
         \"Cryptographic Usage Mask\"=399 \"Activation Date\"=@5 {attributes} }} }}"
    ));
    w
}

#[test]
fn no_object_with_the_identifier_exists() {
    for (use_, _) in USES {
        World::new().refused(&use_.replace("$1", "\"none\""), R::ItemNotFound);
        let mut w = with_key("");
        let other = w.ask_as("other", use_).response.items.remove(0);
        assert_eq!(other.result_reason, Some(R::ItemNotFound), "{use_}");
    }
}

#[test]
fn the_object_is_no_key() {
    for (use_, _) in USES {
        let mut w = World::new();
        w.done("Register { ObjectType=Template TemplateAttribute {} Template {} }");
        w.refused(use_, R::PermissionDenied);
    }
}

#[test]
fn the_key_is_not_active() {
    for (use_, _) in USES {
        let mut w = World::new();
        w.key_with("");
        let text = w.refused(use_, R::PermissionDenied);
        assert!(text.contains("only an Active key is used"), "{text}");
        let mut w = with_key("");
        w.done("Revoke { UniqueIdentifier=$1 RevocationReason { RevocationReasonCode=Superseded } }");
        w.refused(use_, R::PermissionDenied);
    }
}

#[test]
fn the_usage_mask_does_not_allow_it() {
    for (use_, bit) in USES {
        let mut w = World::new();
        w.done(&format!(
            "Create {{ ObjectType=SymmetricKey TemplateAttribute {{ \"Cryptographic Algorithm\"=AES \
             \"Cryptographic Usage Mask\"={} \"Activation Date\"=@5 }} }}",
            399 & !bit
        ));
        let text = w.refused(use_, R::PermissionDenied);
        assert!(text.contains("Cryptographic Usage Mask"), "{text}");
    }
}

#[test]
fn protection_ends_with_the_protect_stop_date_and_processing_begins_with_the_process_start_date() {
    for (use_, bit) in USES {
        let protects = [4, 1, 128].contains(&bit);
        let mut stopped = with_key("\"Protect Stop Date\"=@1600000000");
        let mut unstarted = with_key("\"Process Start Date\"=@1800000000");
        let (denied, allowed) =
            if protects { (&mut stopped, &mut unstarted) } else { (&mut unstarted, &mut stopped) };
        denied.refused(use_, R::PermissionDenied);
        // Whatever else becomes of it, it is not for its date.
        let reason = allowed.ask(use_).response.items.remove(0).result_reason;
        assert_ne!(reason, Some(R::PermissionDenied), "{use_}");
    }
}

#[test]
fn usage_limits_are_counted_down_and_end_protection() {
    let mut w = with_key("\"Usage Limits\" { UsageLimitsTotal=20L UsageLimitsUnit=Byte }");
    let encrypt = |bytes: usize| {
        let data = "00".repeat(bytes);
        format!(
            "Encrypt {{ UniqueIdentifier=$1 CryptographicParameters {{ BlockCipherMode=ECB }} Data=0x{data} }}"
        )
    };
    w.done(&encrypt(16));
    let id = w.names.0[0].clone();
    assert!(
        w.attribute(&id, "Usage Limits").contains("UsageLimitsCount=4L"),
        "{}",
        w.attribute(&id, "Usage Limits")
    );
    w.refused(&encrypt(5), R::PermissionDenied);
    w.done(&encrypt(4));
    w.refused(&encrypt(1), R::PermissionDenied);
    // What was encrypted can be read all the same.
    w.done("Decrypt { UniqueIdentifier=$1 CryptographicParameters { BlockCipherMode=ECB } Data=0x00 }");
    let mut w = with_key("\"Usage Limits\" { UsageLimitsTotal=1L UsageLimitsUnit=Object }");
    w.done(&encrypt(16));
    w.refused(&encrypt(16), R::PermissionDenied);
}

#[test]
fn a_use_that_fails_counts_nothing() {
    let mut w = with_key("\"Usage Limits\" { UsageLimitsTotal=20L UsageLimitsUnit=Byte }");
    w.refused(
        "Encrypt { UniqueIdentifier=$1 CryptographicParameters { BlockCipherMode=CBC } Data=0x00 }",
        R::InvalidMessage,
    );
}

#[test]
fn the_key_value_is_not_on_the_server() {
    for (use_, _) in USES {
        let mut w = World::new();
        w.done(
            "Register { ObjectType=SymmetricKey TemplateAttribute { \"Cryptographic Usage Mask\"=399 \
             \"Activation Date\"=@5 \"Key Value Location\" { KeyValueLocationValue=\"a safe\" \
             KeyValueLocationType=UninterpretedTextString } } SymmetricKey { KeyBlock { KeyFormatType=Raw \
             CryptographicAlgorithm=AES CryptographicLength=256 } } }",
        );
        w.refused(use_, R::KeyValueNotPresent);
    }
}

#[test]
fn a_cryptographic_error_is_a_cryptographic_failure() {
    let mut w = with_key("");
    w.refused(
        "Decrypt { UniqueIdentifier=$1 CryptographicParameters { BlockCipherMode=GCM TagLength=16 } Data=0x00 \
         IVCounterNonce=0x000000000000000000000000 AuthenticatedEncryptionTag=0xffffffffffffffffffffffffffffffff }",
        R::CryptographicFailure,
    );
}

#[test]
fn a_mode_that_wants_a_vector_gets_the_clients_or_one_that_the_answer_tells() {
    let mut w = with_key("");
    let cbc = "UniqueIdentifier=$1 CryptographicParameters { BlockCipherMode=CBC";
    w.refused(&format!("Encrypt {{ {cbc} }} Data=0x00 }}"), R::InvalidMessage);
    w.refused(&format!("Decrypt {{ {cbc} }} Data=0x00 }}"), R::InvalidMessage);
    let own =
        payload(&mut w, &format!("Encrypt {{ {cbc} }} Data=0x0102 IVCounterNonce=0x{} }}", "07".repeat(16)));
    assert!(own.iv_counter_nonce.is_none());
    let first = payload(&mut w, &format!("Encrypt {{ {cbc} RandomIV=true }} Data=0x0102 }}"));
    let second = payload(&mut w, &format!("Encrypt {{ {cbc} RandomIV=true }} Data=0x0102 }}"));
    let (first, second) = (first.iv_counter_nonce.unwrap(), second.iv_counter_nonce.unwrap());
    assert_eq!((first.len(), second.len()), (16, 16));
    assert_ne!(first, second);
    let long = payload(
        &mut w,
        "Encrypt { UniqueIdentifier=$1 CryptographicParameters { BlockCipherMode=GCM RandomIV=true IVLength=128 \
         TagLength=16 } Data=0x0102 }",
    );
    assert_eq!(long.iv_counter_nonce.unwrap().len(), 16);
    assert_eq!(long.authenticated_encryption_tag.unwrap().len(), 16);
    for bits in [0, 7, -8, 2048] {
        let wrong = format!("Encrypt {{ {cbc} RandomIV=true IVLength={bits} }} Data=0x0102 }}");
        w.refused(&wrong, R::InvalidField);
    }
}

fn payload(w: &mut World, item: &str) -> kmip::operations::encrypt::Response {
    match w.done(item).payload.unwrap() {
        kmip::ResponsePayload::Encrypt(response) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tag_has_the_length_that_is_said_and_a_version_that_has_a_field_for_it() {
    let mut w = with_key("");
    let gcm = |more: &str| {
        format!(
            "Encrypt {{ UniqueIdentifier=$1 CryptographicParameters {{ BlockCipherMode=GCM {more} }} Data=0x00 \
             IVCounterNonce=0x000000000000000000000000 }}"
        )
    };
    w.refused(&gcm(""), R::InvalidField);
    w.refused(&gcm("TagLength=1"), R::GeneralFailure);
    w.refused(&gcm("TagLength=32"), R::GeneralFailure);
    w.done(&gcm("TagLength=12"));
    let old = w.ask_in(ProtocolVersion::V1_3, &gcm("TagLength=12")).response.items.remove(0);
    assert_eq!(old.result_reason, Some(R::InvalidField));
    w.refused(
        "Decrypt { UniqueIdentifier=$1 CryptographicParameters { BlockCipherMode=GCM TagLength=16 } Data=0x00 \
         IVCounterNonce=0x000000000000000000000000 AuthenticatedEncryptionTag=0xffff }",
        R::InvalidField,
    );
}

#[test]
fn the_keys_own_parameters_stand_in_for_the_requests() {
    let mut w = with_key("\"Cryptographic Parameters\" { BlockCipherMode=ECB }");
    let asked = payload(
        &mut w,
        "Encrypt { UniqueIdentifier=$1 CryptographicParameters { BlockCipherMode=ECB } Data=0x0102 }",
    );
    let own = payload(&mut w, "Encrypt { UniqueIdentifier=$1 Data=0x0102 }");
    assert_eq!(own, asked);
    let other = payload(
        &mut w,
        "Encrypt { UniqueIdentifier=$1 CryptographicParameters { BlockCipherMode=CTR RandomIV=true } Data=0x0102 }",
    );
    assert_ne!(other.data, own.data);
    let mut w = with_key("");
    w.refused("Encrypt { UniqueIdentifier=$1 Data=0x0102 }", R::InvalidField);
    w.refused("Sign { UniqueIdentifier=$1 Data=0x0102 }", R::InvalidField);
    w.refused("MAC { UniqueIdentifier=$1 Data=0x0102 }", R::InvalidField);
}

#[test]
fn rsa_without_a_padding_has_to_be_asked_for() {
    let mut w = World::new();
    w.done(
        "Register { ObjectType=PublicKey TemplateAttribute { \"Cryptographic Usage Mask\"=4 \"Activation Date\"=@5 } \
         PublicKey { KeyBlock { KeyFormatType=PKCS_1 KeyValue { KeyMaterial=0x3000 } CryptographicAlgorithm=RSA \
         CryptographicLength=2048 } } }",
    );
    w.refused("Encrypt { UniqueIdentifier=$1 Data=0x00 }", R::InvalidField);
    w.done("Encrypt { UniqueIdentifier=$1 CryptographicParameters { PaddingMethod=None } Data=0x00 }");
    w.done("Encrypt { UniqueIdentifier=$1 CryptographicParameters { PaddingMethod=OAEP } Data=0x00 }");
}

#[test]
fn what_is_missing_or_there_twice_is_told() {
    let mut w = with_key("");
    for item in [
        "Encrypt { UniqueIdentifier=$1 }",
        "Decrypt { UniqueIdentifier=$1 }",
        "Sign { UniqueIdentifier=$1 }",
        "Sign { UniqueIdentifier=$1 Data=0x00 DigestedData=0x00 }",
        "SignatureVerify { UniqueIdentifier=$1 Data=0x00 }",
        "MAC { UniqueIdentifier=$1 }",
        "MACVerify { UniqueIdentifier=$1 Data=0x00 }",
        "Hash { CryptographicParameters { HashingAlgorithm=SHA_256 } }",
    ] {
        w.refused(item, R::InvalidMessage);
    }
    w.refused("Hash { CryptographicParameters {} Data=0x00 }", R::InvalidField);
    w.refused("Hash { CryptographicParameters { HashingAlgorithm=MD2 } Data=0x00 }", R::FeatureNotSupported);
}

#[test]
fn random_bytes_are_as_many_as_asked_for_within_what_an_answer_may_hold() {
    let mut w = World::new();
    let bytes = |item: kmip::ResponseItem| match item.payload.unwrap() {
        kmip::ResponsePayload::RngRetrieve(response) => response.data,
        other => panic!("{other:?}"),
    };
    let first = bytes(w.done("RNGRetrieve { DataLength=32 }"));
    assert_eq!(first.len(), 32);
    assert_ne!(first, bytes(w.done("RNGRetrieve { DataLength=32 }")));
    for length in ["0", "-1", "2147483647"] {
        w.refused(&format!("RNGRetrieve {{ DataLength={length} }}"), R::InvalidField);
    }
    match w.done("RNGSeed { Data=0x0102 }").payload.unwrap() {
        kmip::ResponsePayload::RngSeed(response) => assert_eq!(response.data_length, 0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_code_is_right_for_its_own_data_alone() {
    let mut w = with_key("");
    let code = match w.done(USES[4].0).payload.unwrap() {
        kmip::ResponsePayload::Mac(response) => response.mac_data.unwrap(),
        other => panic!("{other:?}"),
    };
    let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    for (data, expected) in [("00", "Valid"), ("01", "Invalid")] {
        let item = format!(
            "MACVerify {{ UniqueIdentifier=$1 CryptographicParameters {{ CryptographicAlgorithm=HMAC_SHA256 }} \
             Data=0x{data} MACData=0x{hex} }}"
        );
        match w.done(&item).payload.unwrap() {
            kmip::ResponsePayload::MacVerify(response) => {
                assert_eq!(response.validity_indicator.unwrap().to_string(), expected);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn who_may_read_may_compute_and_others_may_not() {
    let mut w = with_key("");
    w.clients.get_mut("vc01").unwrap().rights.read = false;
    for item in USES
        .map(|(use_, _)| use_)
        .into_iter()
        .chain(["RNGRetrieve { DataLength=1 }", "RNGSeed { Data=0x00 }"])
    {
        let refused = w.ask_as("vc01", item).response.items.remove(0);
        assert_eq!(refused.result_reason, Some(R::PermissionDenied), "{item}");
    }
}
