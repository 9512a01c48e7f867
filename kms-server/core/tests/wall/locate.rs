//! Which objects Locate finds (KMIP 1.4 section 4.9).

use kmip::enumeration::{ObjectType, State};
use kmip::{AttributeName, ResponsePayload, tag};
use ttlv::{Node, Value};

use crate::common::{World, create};

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
fn of_objects_of_one_second_the_later_one_is_the_newer() {
    let mut w = World::new();
    let three = "\"x-a\"=1";
    w.ask(&format!("{} {} {}", create(three), create(three), create(three)));
    w.key_with(three);
    assert_eq!(found(&mut w, "\"x-a\"=1"), [4, 3, 2, 1]);
    assert_eq!(found(&mut w, "MaximumItems=2 OffsetItems=1 \"x-a\"=1"), [3, 2]);
    w.now += 1;
    w.key_with(three);
    assert_eq!(found(&mut w, ""), [5, 4, 3, 2, 1]);
    let both = format!("{} Locate {{ MaximumItems=1 \"x-a\"=1 }}", create(three));
    let answer = w.ask(&both);
    let Some(ResponsePayload::Locate(response)) = &answer.response.items[1].payload else { panic!() };
    assert_eq!(response.unique_identifiers, [w.names.0[5].clone()], "also before it is in the log");
}

#[test]
fn fresh_members_of_a_group_are_used_up_in_the_order_that_they_came() {
    let mut w = World::new();
    for _ in 0..3 {
        w.key_with("\"Object Group\"=\"g\"");
    }
    w.key_with("\"Object Group\"=\"h\"");
    let fresh = "MaximumItems=1 ObjectGroupMember=GroupMemberFresh \"Object Group\"=\"g\"";
    let default = "ObjectGroupMember=GroupMemberDefault \"Object Group\"=\"g\"";
    for expected in [1, 2, 3] {
        assert_eq!(found(&mut w, fresh), [expected]);
        assert_eq!(found(&mut w, default), [expected], "by default one that nobody has had");
        w.ask(&format!("Locate {{ {fresh} }} Get {{}}"));
    }
    assert_eq!(found(&mut w, fresh), [] as [usize; 0]);
    assert_eq!(found(&mut w, default), [1], "and the oldest where everyone has had them all");
    assert_eq!(
        found(&mut w, "ObjectGroupMember=GroupMemberFresh"),
        [4],
        "without a group, all that are fresh"
    );
}

/// What is found must not depend on where is looked: the same filters against every object, one by one.
#[test]
fn the_indexes_find_what_a_look_at_each_object_finds() {
    let mut w = World::new();
    for number in 0..40_i64 {
        let date =
            |of: i64, at: i64| if number % of == 0 { format!("@{}", w.now + at) } else { "@1".to_owned() };
        let (on, off) = (date(3, 50), date(4, 90));
        let dates = match number % 5 {
            0 => String::new(),
            1 => format!("\"Activation Date\"={on}"),
            _ => format!("\"Activation Date\"=@1 \"Deactivation Date\"={off}"),
        };
        w.key_with(&format!(
            "\"Name\" {{ NameValue=\"n{number}\" NameType=UninterpretedTextString }} \"x-a\"={} \"Object Group\"=\"g{}\" \
             \"Contact Information\"=\"c{}\" {dates}",
            number % 3,
            number % 4,
            number % 2
        ));
        if number % 7 == 0 {
            w.done("Register { ObjectType=OpaqueObject TemplateAttribute { \"x-a\"=1 } OpaqueObject { OpaqueDataType=#80000001 OpaqueDataValue=0x01 } }");
        }
        if number % 6 == 5 {
            w.ask(&format!("Destroy {{ UniqueIdentifier=${} }}", w.names.0.len()));
        }
        w.now += number % 2;
    }
    let text = |text: &str| Value::TextString(text.to_owned());
    let field = |tag, value| Value::Structure(vec![Node::new(tag, value)]);
    let filters: Vec<(&str, &str, Value)> = vec![
        ("Object Type", "=SymmetricKey", Value::Enumeration(ObjectType::SymmetricKey.number())),
        ("Object Type", "=OpaqueObject", Value::Enumeration(ObjectType::OpaqueObject.number())),
        ("Object Type", "=Certificate", Value::Enumeration(ObjectType::Certificate.number())),
        ("State", "=PreActive", Value::Enumeration(State::PreActive.number())),
        ("State", "=Active", Value::Enumeration(State::Active.number())),
        ("State", "=Deactivated", Value::Enumeration(State::Deactivated.number())),
        ("State", "=Destroyed", Value::Enumeration(State::Destroyed.number())),
        ("State", "=Compromised", Value::Enumeration(State::Compromised.number())),
        ("x-a", "=0", Value::Integer(0)),
        ("x-a", "=1", Value::Integer(1)),
        ("x-a", "=3", Value::Integer(3)),
        ("Object Group", "=\"g0\"", text("g0")),
        ("Object Group", "=\"none\"", text("none")),
        ("Contact Information", "=\"c1\"", text("c1")),
        ("Name", " { NameValue=\"n8\" }", field(tag::NAME_VALUE, text("n8"))),
        ("Name", " { NameValue=\"n11\" }", field(tag::NAME_VALUE, text("n11"))),
        ("Name", " { NameType=UninterpretedTextString }", field(tag::NAME_TYPE, Value::Enumeration(1))),
    ];
    let mut searches: Vec<Vec<&(&str, &str, Value)>> = vec![Vec::new()];
    for (at, one) in filters.iter().enumerate() {
        searches.push(vec![one]);
        let others = filters[at + 1..].iter().filter(|other| other.0 != one.0);
        searches.extend(others.map(|other| vec![one, other]));
    }
    let mut hits = 0;
    for later in [0, 60, 200] {
        w.now += later;
        for search in &searches {
            let text: String = search.iter().map(|(name, text, _)| format!("{name:?}{text} ")).collect();
            let by_index = found(&mut w, &text);
            assert_eq!(by_index, one_by_one(&w, search), "{text} after {later} s");
            hits += by_index.len();
        }
    }
    assert!(hits > 1000, "{hits}: filters that find nothing show nothing");
}

fn one_by_one(w: &World, search: &[&(&str, &str, Value)]) -> Vec<usize> {
    let mut all: Vec<_> = w.objects.iter().collect();
    all.sort_by_key(|object| std::cmp::Reverse((object.initial_date, object.number)));
    let asks_state = search.iter().any(|(name, ..)| *name == "State");
    let matching = all.into_iter().filter(|object| {
        (asks_state || !object.is_destroyed())
            && search.iter().all(|(name, _, wanted)| {
                let known = object.instances(&AttributeName::new(name), w.now);
                known.iter().any(|known| match wanted {
                    Value::Structure(fields) => {
                        fields.iter().all(|field| known.value.children().contains(field))
                    }
                    wanted => known.value == *wanted,
                })
            })
    });
    let id = |object: &std::sync::Arc<kms_core::Object>| object.id.to_string();
    matching.map(|object| w.names.0.iter().position(|known| *known == id(object)).unwrap() + 1).collect()
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
