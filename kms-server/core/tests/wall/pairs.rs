//! Pairs made, replaced and agreed between; keys derived; and one key in another form than it is kept in.

use kmip::enumeration::ResultReason as R;

use crate::common::World;

/// A Create Key Pair with these attributes for both keys and for each; usage masks come on top.
pub fn create_pair(common: &str, private: &str, public: &str) -> String {
    format!(
        "CreateKeyPair {{ CommonTemplateAttribute {{ {common} }} PrivateKeyTemplateAttribute {{ \
         \"Cryptographic Usage Mask\"=513 {private} }} PublicKeyTemplateAttribute {{ \"Cryptographic Usage Mask\"=514 {public} }} }}"
    )
}

/// `$1` is its private key, `$2` its public one.
pub fn with_pair(common: &str) -> World {
    let mut w = World::new();
    w.done(&create_pair(common, "", ""));
    w
}

/// What a key is derived from, Active: `$1` an AES key, `$2` a secret, `$3` and `$4` a pair, `$5` and `$6` another.
pub fn with_bases() -> World {
    let mut w = World::new();
    w.done(
        "Create { ObjectType=SymmetricKey TemplateAttribute { \"Cryptographic Algorithm\"=AES \
         \"Cryptographic Usage Mask\"=516 \"Activation Date\"=@5 } }",
    );
    w.done(
        "Register { ObjectType=SecretData TemplateAttribute { \"Cryptographic Usage Mask\"=512 \"Activation Date\"=@5 } \
         SecretData { SecretDataType=Password KeyBlock { KeyFormatType=Opaque KeyValue { KeyMaterial=0x70617373 } } } }",
    );
    for _ in 0..2 {
        w.done(&create_pair("\"Cryptographic Algorithm\"=EC \"Activation Date\"=@5", "", ""));
    }
    w
}

#[test]
fn a_pair_is_linked_both_ways_and_the_placeholder_is_its_private_key() {
    let mut w = World::new();
    let item = create_pair(
        "\"Cryptographic Algorithm\"=RSA \"x-both\"=1",
        "\"x-own\"=\"private\"",
        "\"x-own\"=\"public\"",
    );
    let answer = w.ask(&format!("{item} GetAttributes {{ AttributeName=\"Object Type\" }}"));
    assert!(
        format!("{:?}", answer.response.items[1].payload).contains("Enumeration(0x00000004)"),
        "{answer:?}"
    );
    let [private, public] = [w.names.0[0].clone(), w.names.0[1].clone()];
    for (id, link, own) in [
        (&private, "PublicKeyLink LinkedObjectIdentifier=$2", "private"),
        (&public, "PrivateKeyLink LinkedObjectIdentifier=$1", "public"),
    ] {
        let text = w.attribute(id, "Link").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(link), "{text}");
        assert!(w.attribute(id, "x-own").contains(own));
        assert!(w.attribute(id, "x-both").contains('1'));
        assert!(w.attribute(id, "Cryptographic Length").contains("2048"), "the server's own choice");
        assert!(w.attribute(id, "Digest").contains("KeyFormatType=PKCS_1"));
        assert_eq!(w.state(id), "PreActive");
    }
}

#[test]
fn what_comes_later_in_the_order_of_precedence_takes_the_place_of_what_came_before() {
    let mut w = World::new();
    for (name, attributes) in [
        ("common", "\"Contact Information\"=\"1\" \"Cryptographic Length\"=1024"),
        ("own", "\"Contact Information\"=\"3\""),
    ] {
        w.done(&format!(
            "Register {{ ObjectType=Template TemplateAttribute {{ \"Name\" {{ NameValue=\"{name}\" \
             NameType=UninterpretedTextString }} }} Template {{ {attributes} }} }}"
        ));
    }
    w.done(
        "CreateKeyPair { CommonTemplateAttribute { Name { NameValue=\"common\" NameType=UninterpretedTextString } \
         \"Cryptographic Algorithm\"=RSA \"Cryptographic Usage Mask\"=1 \"Contact Information\"=\"2\" } \
         PrivateKeyTemplateAttribute { Name { NameValue=\"own\" NameType=UninterpretedTextString } } \
         PublicKeyTemplateAttribute { Name { NameValue=\"own\" NameType=UninterpretedTextString } \"Contact Information\"=\"4\" } }",
    );
    let [private, public] = [w.names.0[2].clone(), w.names.0[3].clone()];
    assert!(w.attribute(&private, "Contact Information").contains("\"3\""));
    assert!(w.attribute(&public, "Contact Information").contains("\"4\""));
    assert!(w.attribute(&public, "Cryptographic Length").contains("1024"));
}

#[test]
fn a_pair_takes_the_room_of_two_objects() {
    let mut w = World::new();
    w.limits.objects_per_tenant_max = 3;
    w.key();
    w.key();
    let text = w.refused(&create_pair("\"Cryptographic Algorithm\"=RSA", "", ""), R::GeneralFailure);
    assert!(text.contains("objects_per_tenant_max"), "{text}");
}

#[test]
fn a_curve_is_named_or_found_by_its_length() {
    for (attributes, bits) in [
        ("", "256"),
        ("\"Cryptographic Length\"=384", "384"),
        ("\"Cryptographic Domain Parameters\" { RecommendedCurve=P_521 }", "521"),
        ("\"Cryptographic Domain Parameters\" { RecommendedCurve=SECP256K1 }", "256"),
    ] {
        let mut w = with_pair(&format!("\"Cryptographic Algorithm\"=ECDSA {attributes}"));
        let public = w.names.0[1].clone();
        assert!(w.attribute(&public, "Cryptographic Length").contains(bits), "{attributes}");
        assert!(w.attribute(&public, "Digest").contains("KeyFormatType=X_509"));
    }
}

#[test]
fn a_replaced_pair_gives_its_names_to_the_new_one_and_each_key_is_linked_to_its_own_successor() {
    let name = |name: &str| format!("\"Name\" {{ NameValue=\"{name}\" NameType=UninterpretedTextString }}");
    let mut w = World::new();
    w.done(&create_pair(
        "\"Cryptographic Algorithm\"=EC \"Activation Date\"=@1700000000 \"Deactivation Date\"=@1700001000 \"Cryptographic Domain Parameters\" { RecommendedCurve=P_384 }",
        &name("one"),
        &name("two"),
    ));
    w.now += 100;
    w.done("ReKeyKeyPair { PrivateKeyUniqueIdentifier=$1 Offset=50s PublicKeyTemplateAttribute { \"x-new\"=1 } }");
    let ids = w.names.0.clone();
    for (old, new, goes_by, to_old, to_new) in [(0, 2, "\"one\"", "$1", "$3"), (1, 3, "\"two\"", "$2", "$4")]
    {
        let (old, new) = (&ids[old], &ids[new]);
        assert!(!w.attribute(old, "Name").contains(goes_by));
        assert!(w.attribute(new, "Name").contains(goes_by));
        let of = |w: &mut World, id| w.attribute(id, "Link").split_whitespace().collect::<Vec<_>>().join(" ");
        let text = of(&mut w, old);
        assert!(text.contains(&format!("ReplacementObjectLink LinkedObjectIdentifier={to_new}")), "{text}");
        let text = of(&mut w, new);
        assert!(text.contains(&format!("ReplacedObjectLink LinkedObjectIdentifier={to_old}")), "{text}");
        assert!(w.attribute(new, "Activation Date").contains("@1700000150"));
        assert!(w.attribute(new, "Deactivation Date").contains("@1700001150"));
        assert!(w.attribute(new, "Cryptographic Length").contains("384"));
    }
    assert!(w.attribute(&ids[3], "x-new").contains('1') && !w.attribute(&ids[2], "x-new").contains('1'));
}

#[test]
fn a_registered_pair_is_replaced_on_the_curve_it_is_on() {
    let mut w = World::new();
    w.done(
        "Register { ObjectType=PublicKey TemplateAttribute {} PublicKey { KeyBlock { KeyFormatType=X_509 KeyValue { \
         KeyMaterial=0x01 } CryptographicAlgorithm=EC CryptographicLength=256 } } }",
    );
    w.done(
        "Register { ObjectType=PrivateKey TemplateAttribute { \"Link\" { LinkType=PublicKeyLink LinkedObjectIdentifier=$1 } } \
         PrivateKey { KeyBlock { KeyFormatType=ECPrivateKey KeyValue { KeyMaterial=0x01 } CryptographicAlgorithm=EC \
         CryptographicLength=256 } } }",
    );
    w.done("ReKeyKeyPair { PrivateKeyUniqueIdentifier=$2 }");
    let new = w.names.0[3].clone();
    assert!(w.attribute(&new, "Cryptographic Domain Parameters").contains("P_256"));
}

#[test]
fn what_is_derived_is_linked_to_all_that_it_came_from() {
    let mut w = with_bases();
    w.done(
        "DeriveKey { ObjectType=SecretData UniqueIdentifier=$1 UniqueIdentifier=$2 DerivationMethod=HMAC DerivationParameters { \
         CryptographicParameters { HashingAlgorithm=SHA_256 } } TemplateAttribute { \"Cryptographic Length\"=64 } }",
    );
    let ids = w.names.0.clone();
    let text = w.attribute(&ids[6], "Link").split_whitespace().collect::<Vec<_>>().join(" ");
    for base in ["$1", "$2"] {
        assert!(text.contains(&format!("DerivationBaseObjectLink LinkedObjectIdentifier={base}")), "{text}");
    }
    for base in &ids[..2] {
        let text = w.attribute(base, "Link").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("DerivedKeyLink LinkedObjectIdentifier=$7"), "{text}");
    }
    let got = w.done("Get { UniqueIdentifier=$7 }");
    let inside = crate::common::written(&got, w.version, &mut w.names.clone());
    assert!(inside.contains("SecretDataType=Seed") && !inside.contains("CryptographicLength"), "{inside}");
}

#[test]
fn both_sides_of_an_agreement_derive_one_key() {
    let mut w = with_bases();
    let mut derived = Vec::new();
    for ids in ["UniqueIdentifier=$3 UniqueIdentifier=$6", "UniqueIdentifier=$4 UniqueIdentifier=$5"] {
        w.done(&format!(
            "DeriveKey {{ ObjectType=SymmetricKey {ids} DerivationMethod=AsymmetricKey DerivationParameters {{ \
             CryptographicParameters {{ CryptographicAlgorithm=ECDH }} }} TemplateAttribute {{ \"Cryptographic Algorithm\"=AES \
             \"Cryptographic Length\"=256 \"Cryptographic Usage Mask\"=12 }} }}"
        ));
        let id = w.names.0.last().unwrap().clone();
        let digest = w.attribute(&id, "Digest");
        derived.push(digest.split("DigestValue=").nth(1).unwrap().to_owned());
    }
    assert_eq!(derived[0], derived[1]);
}

#[test]
fn a_key_is_given_in_each_form_that_its_numbers_have() {
    let mut w = with_pair("\"Cryptographic Algorithm\"=RSA");
    for (id, format) in [
        ("$1", "PKCS_1"),
        ("$1", "PKCS_8"),
        ("$1", "TransparentRSAPrivateKey"),
        ("$2", "PKCS_1"),
        ("$2", "X_509"),
        ("$2", "TransparentRSAPublicKey"),
    ] {
        let got = w.done(&format!("Get {{ UniqueIdentifier={id} KeyFormatType={format} }}"));
        let inside = crate::common::written(&got, w.version, &mut w.names.clone());
        assert!(inside.contains(&format!("KeyFormatType={format}")), "{inside}");
    }
    for (id, format) in [
        ("$1", "ECPrivateKey"),
        ("$1", "X_509"),
        ("$1", "Raw"),
        ("$1", "TransparentRSAPublicKey"),
        ("$2", "PKCS_8"),
        ("$2", "TransparentECPublicKey"),
    ] {
        w.refused(
            &format!("Get {{ UniqueIdentifier={id} KeyFormatType={format} }}"),
            R::KeyFormatTypeNotSupported,
        );
    }
    let mut w = with_pair("\"Cryptographic Algorithm\"=EC");
    for (id, format) in [
        ("$1", "PKCS_8"),
        ("$1", "TransparentECPrivateKey"),
        ("$1", "TransparentECDSAPrivateKey"),
        ("$1", "TransparentECDHPrivateKey"),
        ("$1", "TransparentECMQVPrivateKey"),
        ("$2", "TransparentECPublicKey"),
    ] {
        w.done(&format!("Get {{ UniqueIdentifier={id} KeyFormatType={format} }}"));
    }
    w.version = kmip::ProtocolVersion::V1_2;
    let later = "Get { UniqueIdentifier=$2 KeyFormatType=TransparentECPublicKey }";
    w.refused(later, R::KeyFormatTypeNotSupported);
}

#[test]
fn raw_and_transparent_symmetric_keys_are_given_as_either() {
    let mut w = World::new();
    w.key();
    let got = w.done("Get { UniqueIdentifier=$1 KeyFormatType=TransparentSymmetricKey }");
    let object = crate::common::written(&got, w.version, &mut w.names.clone());
    let inside = &object[object.find("SymmetricKey {").unwrap()..];
    // What is cut off is the end of the payload around it, which the line closes again.
    w.done(&format!("Register {{ ObjectType=SymmetricKey TemplateAttribute {{}} {inside} }}"));
    let raw = |w: &mut World, id: &str| {
        let got = w.done(&format!("Get {{ UniqueIdentifier={id} KeyFormatType=Raw }}"));
        let text = crate::common::written(&got, w.version, &mut w.names.clone());
        text.split("KeyMaterial=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(raw(&mut w, "$1"), raw(&mut w, "$2"));
}

#[test]
fn a_private_key_is_given_in_a_container_with_the_certificates_that_it_is_linked_to() {
    let mut w = with_pair("\"Cryptographic Algorithm\"=RSA");
    let get = "Get { UniqueIdentifier=$1 KeyFormatType=PKCS_12 }";
    assert!(w.refused(get, R::InvalidField).contains("Password Link"));
    w.done(
        "Register { ObjectType=SecretData TemplateAttribute { \"Activation Date\"=@5 } SecretData { SecretDataType=Password \
         KeyBlock { KeyFormatType=Opaque KeyValue { KeyMaterial=0x70617373 } } } }",
    );
    w.done("AddAttribute { UniqueIdentifier=$1 \"Link\" { LinkType=PKCS_12PasswordLink LinkedObjectIdentifier=$3 } }");
    let inside = |w: &mut World| {
        let got = w.done(get);
        let kmip::ResponsePayload::Get(got) = got.payload.unwrap() else { panic!("no Get") };
        let block = got.object.key_block().unwrap().clone();
        let Some(kmip::object::KeyValue::Wrapped(bytes)) = block.key_value else { panic!("{block:?}") };
        String::from_utf8(bytes.danger_bytes().to_vec()).unwrap()
    };
    let text = inside(&mut w);
    assert!(text.starts_with("alias ") && text.ends_with("[]"), "{text}");
    w.done("AddAttribute { UniqueIdentifier=$1 \"PKCS#12 Friendly Name\"=\"mine\" }");
    assert!(inside(&mut w).starts_with("mine "));
    w.refused("Get { UniqueIdentifier=$2 KeyFormatType=PKCS_12 }", R::KeyFormatTypeNotSupported);
    w.done("Revoke { UniqueIdentifier=$3 RevocationReason { RevocationReasonCode=Superseded } }");
    w.refused(get, R::PermissionDenied);
}

#[test]
fn a_key_that_is_kept_as_its_numbers_is_used_like_any_other() {
    let mut w = World::new();
    let register = |object: &str, format: &str, mask: i32, numbers: &str| {
        format!(
            "Register {{ ObjectType={object} TemplateAttribute {{ \"Cryptographic Usage Mask\"={mask} \"Activation Date\"=@5 }} \
             {object} {{ KeyBlock {{ KeyFormatType={format} KeyValue {{ KeyMaterial {{ {numbers} }} }} \
             CryptographicAlgorithm=RSA CryptographicLength=64 }} }} }}"
        )
    };
    let number = "0x0102030405060708";
    let private = format!("Modulus={number} PrivateExponent={number}");
    w.done(&register("PrivateKey", "TransparentRSAPrivateKey", 1, &private));
    let public = format!("Modulus={number} PublicExponent={number}");
    w.done(&register("PublicKey", "TransparentRSAPublicKey", 2, &public));
    let parameters = "CryptographicParameters { PaddingMethod=PSS HashingAlgorithm=SHA_256 }";
    let signed = w.done(&format!("Sign {{ UniqueIdentifier=$1 {parameters} Data=0x00 }}"));
    let text = crate::common::written(&signed, w.version, &mut w.names.clone());
    let signature = text.split("SignatureData=").nth(1).unwrap().split_whitespace().next().unwrap();
    let verified = w.done(&format!(
        "SignatureVerify {{ UniqueIdentifier=$2 {parameters} Data=0x00 SignatureData={signature} }}"
    ));
    let text = crate::common::written(&verified, w.version, &mut w.names.clone());
    assert!(text.contains("ValidityIndicator=Valid"), "{text}");
}
