//! Keys under keys (KMIP 1.4 sections 2.1.5 and 2.1.6), and the rows of the error table of Get (section 11.12) that speak of them.

use kmip::enumeration::ResultReason as R;
use kmip::{ManagedObject, ResponsePayload, object::KeyValue};

use crate::common::World;

const KEY: &str = "00112233445566778899aabbccddeeff";

/// The wrapping key `$1`, Active, with these attributes, and the key `$2`.
fn with_keys(of_wrapping_key: &str) -> World {
    let mut w = World::new();
    w.done(&format!(
        "Register {{ ObjectType=SymmetricKey TemplateAttribute {{ \"Cryptographic Usage Mask\"=16 {of_wrapping_key} }} \
         SymmetricKey {{ KeyBlock {{ KeyFormatType=Raw KeyValue {{ KeyMaterial=0x000102030405060708090a0b0c0d0e0f }} \
         CryptographicAlgorithm=AES CryptographicLength=128 }} }} }}"
    ));
    w.done(&format!(
        "Register {{ ObjectType=SymmetricKey TemplateAttribute {{ \"Cryptographic Usage Mask\"=12 }} SymmetricKey {{ \
         KeyBlock {{ KeyFormatType=Raw KeyValue {{ KeyMaterial=0x{KEY} }} CryptographicAlgorithm=AES \
         CryptographicLength=128 }} }} }}"
    ));
    w
}

const USUAL: &str = "\"Cryptographic Parameters\" { BlockCipherMode=NISTKeyWrap } \"Activation Date\"=@5";

/// Get of `$2` wrapped so.
fn get(specification: &str) -> String {
    format!("Get {{ UniqueIdentifier=$2 KeyWrappingSpecification {{ {specification} }} }}")
}

fn by(key: &str, more: &str) -> String {
    get(&format!("WrappingMethod=Encrypt EncryptionKeyInformation {{ UniqueIdentifier={key} {more} }}"))
}

fn object(w: &mut World, ask: &str) -> ManagedObject {
    match w.done(ask).payload {
        Some(ResponsePayload::Get(response)) => response.object,
        other => panic!("{other:?}"),
    }
}

/// Registers what Get gave, under the same wrapping key; gives nothing, it is `$3`.
fn register_again(w: &mut World, wrapped: &ManagedObject, encoding: &str, iv: &str) {
    let block = wrapped.key_block().unwrap();
    let Some(KeyValue::Wrapped(bytes)) = &block.key_value else { panic!("{block:?}") };
    let bytes = crate::common::text::hex(bytes.danger_bytes());
    w.done(&format!(
        "Register {{ ObjectType=SymmetricKey TemplateAttribute {{ \"Cryptographic Usage Mask\"=12 }} SymmetricKey {{ \
         KeyBlock {{ KeyFormatType=Raw KeyValue=0x{bytes} CryptographicAlgorithm=AES CryptographicLength=128 \
         KeyWrappingData {{ WrappingMethod=Encrypt EncryptionKeyInformation {{ UniqueIdentifier=$1 }} {iv} {encoding} }} }} }} }}"
    ));
}

#[test]
fn a_key_that_went_out_wrapped_comes_back_and_is_opened_where_the_wrapping_key_is() {
    for (mode, encoding) in [
        ("BlockCipherMode=NISTKeyWrap", ""),
        ("BlockCipherMode=NISTKeyWrap", "EncodingOption=NoEncoding"),
        ("BlockCipherMode=AESKeyWrapPadding", "EncodingOption=TTLVEncoding"),
        ("BlockCipherMode=GCM", "EncodingOption=NoEncoding"),
        ("BlockCipherMode=CBC PaddingMethod=PKCS5", ""),
    ] {
        let mut w = with_keys(&format!("\"Cryptographic Parameters\" {{ {mode} }} \"Activation Date\"=@5"));
        let ask = get(&format!(
            "WrappingMethod=Encrypt EncryptionKeyInformation {{ UniqueIdentifier=$1 }} {encoding}"
        ));
        let wrapped = object(&mut w, &ask);
        let data = wrapped.key_block().unwrap().key_wrapping_data.clone().unwrap();
        let iv = data.iv_counter_nonce.as_deref().map(crate::common::text::hex);
        assert_eq!(iv.is_some(), mode.contains("GCM") || mode.contains("CBC"), "{mode}");
        let iv = iv.map_or_else(String::new, |iv| format!("IVCounterNonce=0x{iv}"));
        register_again(&mut w, &wrapped, encoding, &iv);
        // As it came, and in the clear.
        assert_eq!(
            object(&mut w, "Get { UniqueIdentifier=$3 }").key_block().unwrap().key_value,
            wrapped.key_block().unwrap().key_value
        );
        let plain = object(&mut w, "Get { UniqueIdentifier=$3 KeyWrapType=NotWrapped }");
        let block = plain.key_block().unwrap();
        assert_eq!(crate::common::text::hex(block.plain_bytes().unwrap().danger_bytes()), KEY, "{mode}");
        assert_eq!(block.key_wrapping_data, None);
        // Kept wrapped it is used for nothing.
        w.done("Activate { UniqueIdentifier=$3 }");
        let text = w.refused(
            "Encrypt { UniqueIdentifier=$3 CryptographicParameters { BlockCipherMode=ECB } Data=0x00 }",
            R::PermissionDenied,
        );
        assert!(text.contains("kept wrapped"), "{text}");
    }
}

#[test]
fn attributes_are_wrapped_with_the_key() {
    let mut w = with_keys(USUAL);
    let wrapped = object(
        &mut w,
        &get("WrappingMethod=Encrypt EncryptionKeyInformation { UniqueIdentifier=$1 } \
             AttributeName=\"Cryptographic Usage Mask\" EncodingOption=TTLVEncoding"),
    );
    register_again(&mut w, &wrapped, "", "");
    let plain = object(&mut w, "Get { UniqueIdentifier=$3 KeyWrapType=NotWrapped }");
    let Some(KeyValue::Plain { attributes, .. }) = &plain.key_block().unwrap().key_value else { panic!() };
    assert_eq!(attributes.len(), 1);
    assert_eq!(attributes[0].value, ttlv::Value::Integer(12));
}

#[test]
fn a_key_under_one_key_goes_out_under_another() {
    let mut w = with_keys(USUAL);
    let wrapped = object(&mut w, &by("$1", ""));
    register_again(&mut w, &wrapped, "", "");
    let again = object(&mut w, &by("$1", "").replace("UniqueIdentifier=$2", "UniqueIdentifier=$3"));
    assert_eq!(again.key_block().unwrap().key_value, wrapped.key_block().unwrap().key_value);
}

#[test]
fn a_sensitive_key_leaves_wrapped_and_one_that_is_not_extractable_never() {
    let mut w = with_keys(USUAL);
    w.done("ModifyAttribute { UniqueIdentifier=$2 \"Sensitive\"=true }");
    w.refused("Get { UniqueIdentifier=$2 }", R::Sensitive);
    w.done(&by("$1", ""));
    w.done("ModifyAttribute { UniqueIdentifier=$2 \"Extractable\"=false }");
    w.refused(&by("$1", ""), R::NotExtractable);
}

#[test]
fn wrapping_counts_against_the_wrapping_keys_usage_limits() {
    let mut w =
        with_keys(&format!("{USUAL} \"Usage Limits\" {{ UsageLimitsTotal=1L UsageLimitsUnit=Object }}"));
    w.done(&by("$1", ""));
    w.refused(&by("$1", ""), R::PermissionDenied);
}

#[test]
fn the_wrapping_key_does_not_exist() {
    let mut w = with_keys(USUAL);
    w.refused(&by("\"none\"", ""), R::ItemNotFound);
    let mut w = with_keys(USUAL);
    w.done("Revoke { UniqueIdentifier=$1 RevocationReason { RevocationReasonCode=Superseded } }");
    w.done("Destroy { UniqueIdentifier=$1 }");
    w.refused(&by("$1", ""), R::PermissionDenied);
}

#[test]
fn the_object_with_encryption_key_information_is_no_key() {
    let mut w = with_keys(USUAL);
    w.done("Register { ObjectType=Template TemplateAttribute {} Template {} }");
    w.refused(&by("$3", ""), R::IllegalOperation);
}

#[test]
fn the_object_with_encryption_key_information_is_not_able_to_be_used_for_wrapping() {
    // Its mask, its state, its dates.
    let mut w = with_keys(USUAL);
    w.refused(&by("$2", ""), R::PermissionDenied);
    w.refused(&by("$1", "").replace("UniqueIdentifier=$1", "UniqueIdentifier=$2"), R::PermissionDenied);
    let mut w = with_keys("\"Cryptographic Parameters\" { BlockCipherMode=NISTKeyWrap }");
    w.refused(&by("$1", ""), R::PermissionDenied);
    let mut w = with_keys(&format!("{USUAL} \"Protect Stop Date\"=@1600000000"));
    w.refused(&by("$1", ""), R::PermissionDenied);
}

#[test]
fn the_object_with_mac_signature_key_information_is_no_key_or_not_able_to_be_used() {
    let sign = |key: &str| {
        get(&format!("WrappingMethod=MACSign MACSignatureKeyInformation {{ UniqueIdentifier={key} }}"))
    };
    let mut w = with_keys(USUAL);
    w.refused(&sign("\"none\""), R::ItemNotFound);
    w.refused(&sign("$1"), R::PermissionDenied);
    w.done("Register { ObjectType=Template TemplateAttribute {} Template {} }");
    w.refused(&sign("$3"), R::IllegalOperation);
    w.done(
        "Create { ObjectType=SymmetricKey TemplateAttribute { \"Cryptographic Algorithm\"=AES \
         \"Cryptographic Usage Mask\"=128 \"Activation Date\"=@5 } }",
    );
    let text = w.refused(&sign("$4"), R::FeatureNotSupported);
    assert!(text.contains("Encrypt alone"), "{text}");
}

#[test]
fn the_specification_names_no_key() {
    let mut w = with_keys(USUAL);
    w.refused(&get("WrappingMethod=Encrypt"), R::InvalidMessage);
}

#[test]
fn the_cryptographic_parameters_do_not_exist_or_do_not_match() {
    let mut w = with_keys("\"Activation Date\"=@5");
    w.refused(&by("$1", ""), R::ItemNotFound);
    w.refused(&by("$1", "CryptographicParameters { BlockCipherMode=NISTKeyWrap }"), R::ItemNotFound);
    let mut w = with_keys(USUAL);
    w.done(&by("$1", "CryptographicParameters { BlockCipherMode=NISTKeyWrap }"));
    w.refused(&by("$1", "CryptographicParameters { BlockCipherMode=CBC }"), R::ItemNotFound);
}

#[test]
fn the_encoding_option_is_not_permitted_with_attribute_names() {
    let mut w = with_keys(USUAL);
    let ask = get(
        "WrappingMethod=Encrypt EncryptionKeyInformation { UniqueIdentifier=$1 } AttributeName=\"State\" \
         EncodingOption=NoEncoding",
    );
    w.refused(&ask, R::EncodingOptionError);
}

#[test]
fn the_object_cannot_be_provided_in_the_encoding_option() {
    let mut w = with_keys(USUAL);
    w.done(&format!(
        "Register {{ ObjectType=SymmetricKey TemplateAttribute {{ \"Cryptographic Usage Mask\"=12 }} SymmetricKey {{ KeyBlock {{ \
         KeyFormatType=TransparentSymmetricKey KeyValue {{ KeyMaterial {{ Key=0x{KEY} }} }} \
         CryptographicAlgorithm=AES CryptographicLength=128 }} }} }}"
    ));
    let ask = |option: &str| {
        format!(
            "Get {{ UniqueIdentifier=$3 KeyWrappingSpecification {{ WrappingMethod=Encrypt \
             EncryptionKeyInformation {{ UniqueIdentifier=$1 }} EncodingOption={option} }} }}"
        )
    };
    w.refused(&ask("NoEncoding"), R::EncodingOptionError);
    w.refused(&ask("#80000001"), R::EncodingOptionError);
    w.done(&ask("TTLVEncoding"));
}

#[test]
fn the_key_wrap_type_is_not_supported() {
    let mut w = with_keys(USUAL);
    w.refused("Get { UniqueIdentifier=$2 KeyWrapType=#80000001 }", R::FeatureNotSupported);
    w.done("Get { UniqueIdentifier=$2 KeyWrapType=NotWrapped }");
}

#[test]
fn what_has_no_key_value_is_not_wrapped() {
    let mut w = with_keys(USUAL);
    w.done("Register { ObjectType=OpaqueObject TemplateAttribute {} OpaqueObject { OpaqueDataType=#80000001 OpaqueDataValue=0x00 } }");
    w.refused(&by("$1", "").replace("UniqueIdentifier=$2", "UniqueIdentifier=$3"), R::IllegalOperation);
}
