//! Habits of other products' clients that are too long for an exchange as text; the others are `golden/habit_*.txt`.

use kmip::enumeration::{ResultReason, ResultStatus as S};
use kmip::{ProtocolVersion, ResponsePayload};

use crate::common::{World, create};

/// What storage arrays put into one message.
const BATCH_ITEMS: usize = 32;
/// Of a backup product's keys: all that it knows of a volume.
const CUSTOM_ATTRIBUTES: usize = 30;
const CUSTOM_ATTRIBUTE_CHARS: usize = 256;

#[test]
fn a_batch_of_32_items_is_answered_item_by_item_with_its_identifiers() {
    let mut w = World::new();
    w.version = ProtocolVersion::V1_0;
    let keys: String = (0..BATCH_ITEMS)
        .map(|item| create("").replacen("Create", &format!("Create#{item:02x}"), 1) + "\n")
        .collect();
    let answer = w.ask_with("BatchErrorContinuationOption=Continue BatchOrderOption=true", &keys);
    assert_eq!(answer.response.items.len(), BATCH_ITEMS);
    for (item, place) in answer.response.items.iter().zip(0_u8..) {
        assert_eq!(item.result_status, S::Success, "{:?}", item.result_message);
        assert_eq!(item.unique_batch_item_id, Some(vec![place]));
    }
    let gets: String =
        (1..=BATCH_ITEMS).map(|key| format!("Get#{key:02x} {{ UniqueIdentifier=${key} }}\n")).collect();
    let answer = w.ask(&gets);
    assert_eq!(answer.served.len(), BATCH_ITEMS);
    let mut material: Vec<String> = answer
        .response
        .items
        .iter()
        .map(|item| {
            let Some(ResponsePayload::Get(get)) = &item.payload else { panic!("{item:?}") };
            get.unique_identifier.clone()
        })
        .collect();
    material.sort();
    material.dedup();
    assert_eq!(material.len(), BATCH_ITEMS, "each item answers for its own key");
}

#[test]
fn thirty_custom_attributes_of_256_characters_come_back_as_they_came() {
    for version in [ProtocolVersion::V1_0, ProtocolVersion::V1_2, ProtocolVersion::V1_4] {
        let mut w = World::new();
        w.version = version;
        let text = |number: usize| format!("{number:02}").repeat(CUSTOM_ATTRIBUTE_CHARS / 2);
        let attributes: String =
            (0..CUSTOM_ATTRIBUTES).map(|number| format!("\"x-{number}\"={:?} ", text(number))).collect();
        let id = w.key_with(&attributes);
        for number in [0, CUSTOM_ATTRIBUTES / 2, CUSTOM_ATTRIBUTES - 1] {
            let got = w.attribute(&id, &format!("x-{number}"));
            assert!(got.contains(&text(number)), "{got}");
        }
        let item = w.done(&format!("Locate {{ {attributes} }}"));
        let Some(ResponsePayload::Locate(found)) = item.payload else { panic!("{item:?}") };
        assert_eq!(found.unique_identifiers, std::slice::from_ref(&id));
        let item = w.done(&format!("GetAttributes {{ UniqueIdentifier={id:?} }}"));
        let Some(ResponsePayload::GetAttributes(all)) = item.payload else { panic!("{item:?}") };
        let custom = all.attributes.iter().filter(|attribute| attribute.name.is_custom()).count();
        assert_eq!(custom, CUSTOM_ATTRIBUTES);
    }
}

#[test]
fn attributes_within_a_template_attribute_are_filters_too() {
    let mut w = World::new();
    w.key_with("\"Object Group\"=\"a\"");
    w.key_with("\"Object Group\"=\"b\"");
    let plain = w.ask("Locate { \"Object Group\"=\"b\" }").bytes;
    assert_eq!(w.ask("Locate { TemplateAttribute { \"Object Group\"=\"b\" } }").bytes, plain);
    let name = "Name { NameValue=\"t\" NameType=UninterpretedTextString }";
    w.refused(&format!("Locate {{ TemplateAttribute {{ {name} }} }}"), ResultReason::InvalidMessage);
}
