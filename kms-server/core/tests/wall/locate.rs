//! Which objects Locate finds (KMIP 1.4 section 4.9).

use kmip::ResponsePayload;

use crate::common::World;

/// The numbers of the objects that are found, in the order of the answer.
fn found(w: &mut World, filters: &str) -> Vec<usize> {
    let item = w.done(&format!("Locate {{ {filters} }}"));
    let Some(ResponsePayload::Locate(response)) = item.payload else { panic!("{item:?}") };
    let number = |id: &String| w.names.0.iter().position(|known| known == id).unwrap() + 1;
    response.unique_identifiers.iter().map(number).collect()
}

/// Three keys, ten seconds apart.
fn three() -> World {
    let mut w = World::new();
    w.key_with("\"Name\" { NameValue=\"a\" NameType=UninterpretedTextString } \"x-a\"=1 \"Activation Date\"=@1600000000");
    w.now += 10;
    w.key_with("\"Name\" { NameValue=\"b\" NameType=UninterpretedTextString } \"x-a\"=1 \"x-a\"=2 \"Usage Limits\" { UsageLimitsTotal=100L UsageLimitsUnit=Byte }");
    w.now += 10;
    w.done("Create { ObjectType=SymmetricKey TemplateAttribute { \"Cryptographic Algorithm\"=AES \"Cryptographic Usage Mask\"=63 \"Object Group\"=\"g\" } }");
    w
}

#[test]
fn without_a_filter_all_are_found_newest_first() {
    assert_eq!(found(&mut three(), ""), [3, 2, 1]);
}

#[test]
fn a_filter_matches_any_instance_and_all_filters_must_match() {
    let mut w = three();
    assert_eq!(found(&mut w, "\"x-a\"=1"), [2, 1]);
    assert_eq!(found(&mut w, "\"x-a\"=1 \"x-a\"=2"), [2]);
    assert_eq!(found(&mut w, "\"x-a\"=3"), [] as [usize; 0]);
    assert_eq!(found(&mut w, "\"x-a\"=1L"), [] as [usize; 0], "the type counts");
    assert_eq!(found(&mut w, "\"x-a\"[5]=2"), [2], "an index is ignored");
    assert_eq!(found(&mut w, "\"Unique Identifier\"=$2"), [2]);
}

#[test]
fn a_usage_mask_matches_when_all_its_bits_are_there() {
    let mut w = three();
    assert_eq!(found(&mut w, "\"Cryptographic Usage Mask\"=12"), [3, 2, 1]);
    assert_eq!(found(&mut w, "\"Cryptographic Usage Mask\"=13"), [3]);
    assert_eq!(found(&mut w, "\"Cryptographic Usage Mask\"=64"), [] as [usize; 0]);
}

#[test]
fn a_date_matches_itself_and_two_are_the_ends_of_a_range() {
    let mut w = three();
    assert_eq!(found(&mut w, "\"Initial Date\"=@1700000010"), [2]);
    assert_eq!(found(&mut w, "\"Initial Date\"=@1700000020 \"Initial Date\"=@1700000010"), [3, 2]);
    assert_eq!(found(&mut w, "\"Initial Date\"=@1700000011 \"Initial Date\"=@1700000019"), [] as [usize; 0]);
    assert_eq!(found(&mut w, "\"Activation Date\"=@9223372036854775807"), [3, 2], "the largest date is none");
}

#[test]
fn a_structure_may_be_given_in_part() {
    let mut w = three();
    assert_eq!(found(&mut w, "\"Name\" { NameValue=\"b\" NameType=UninterpretedTextString }"), [2]);
    assert_eq!(found(&mut w, "\"Name\" { NameValue=\"b\" }"), [2]);
    assert_eq!(found(&mut w, "\"Name\" { NameType=UninterpretedTextString }"), [2, 1]);
    assert_eq!(found(&mut w, "\"Name\" { NameValue=\"b\" NameType=URI }"), [] as [usize; 0]);
}

#[test]
fn usage_limits_match_when_as_much_is_left() {
    let mut w = three();
    assert_eq!(found(&mut w, "\"Usage Limits\" { UsageLimitsTotal=100L UsageLimitsUnit=Byte }"), [2]);
    assert_eq!(
        found(&mut w, "\"Usage Limits\" { UsageLimitsTotal=101L UsageLimitsUnit=Byte }"),
        [] as [usize; 0]
    );
    assert_eq!(
        found(&mut w, "\"Usage Limits\" { UsageLimitsTotal=50L UsageLimitsUnit=Object }"),
        [] as [usize; 0]
    );
    assert_eq!(found(&mut w, "\"Usage Limits\" { UsageLimitsTotal=50L }"), [2]);
}

#[test]
fn maximum_and_offset_cut_a_stable_order() {
    let mut w = three();
    assert_eq!(found(&mut w, "MaximumItems=2"), [3, 2]);
    assert_eq!(found(&mut w, "OffsetItems=1"), [2, 1]);
    assert_eq!(found(&mut w, "MaximumItems=1 OffsetItems=1"), [2]);
    assert_eq!(found(&mut w, "MaximumItems=0"), [] as [usize; 0]);
    assert_eq!(found(&mut w, "OffsetItems=9"), [] as [usize; 0]);
}

#[test]
fn the_state_is_that_of_now() {
    let mut w = three();
    assert_eq!(found(&mut w, "\"State\"=Active"), [1]);
    assert_eq!(found(&mut w, "\"State\"=PreActive"), [3, 2]);
}

#[test]
fn a_destroyed_object_is_found_by_those_who_ask_for_its_state() {
    let mut w = three();
    w.done("Destroy { UniqueIdentifier=$2 }");
    assert_eq!(found(&mut w, ""), [3, 1]);
    assert_eq!(
        found(&mut w, "\"Name\" { NameValue=\"b\" NameType=UninterpretedTextString }"),
        [] as [usize; 0]
    );
    assert_eq!(found(&mut w, "\"State\"=Destroyed"), [2]);
    let both = "\"Name\" { NameValue=\"b\" NameType=UninterpretedTextString } \"State\"=Destroyed";
    assert_eq!(found(&mut w, both), [2]);
}

#[test]
fn nothing_is_archived_so_a_mask_without_the_online_bit_finds_nothing() {
    let mut w = three();
    assert_eq!(found(&mut w, "StorageStatusMask=1"), [3, 2, 1]);
    assert_eq!(found(&mut w, "StorageStatusMask=3"), [3, 2, 1]);
    assert_eq!(found(&mut w, "StorageStatusMask=2"), [] as [usize; 0]);
}

#[test]
fn fresh_members_of_a_group_are_those_never_fetched() {
    let mut w = three();
    assert_eq!(found(&mut w, "ObjectGroupMember=GroupMemberFresh \"Object Group\"=\"g\""), [3]);
    w.done("Get { UniqueIdentifier=$3 }");
    assert_eq!(found(&mut w, "ObjectGroupMember=GroupMemberFresh \"Object Group\"=\"g\""), [] as [usize; 0]);
    assert_eq!(found(&mut w, "ObjectGroupMember=GroupMemberDefault \"Object Group\"=\"g\""), [3]);
}

#[test]
fn objects_of_the_same_request_are_found() {
    let mut w = World::new();
    let answer = w.ask(&format!(
        "{} Locate {{ OffsetItems=0 \"x-a\"=1 }} Destroy {{}} Locate {{ OffsetItems=0 \"x-a\"=1 }}",
        crate::common::create("\"x-a\"=1")
    ));
    let counts: Vec<_> = answer
        .response
        .items
        .iter()
        .filter_map(|item| match &item.payload {
            Some(ResponsePayload::Locate(response)) => response.located_items,
            _ => None,
        })
        .collect();
    assert_eq!(counts, [1, 0]);
}
