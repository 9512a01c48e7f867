//! Re-key: dates, links, names, and what is not copied (KMIP 1.4 tables 172 and 173).

use kmip::enumeration::ResultReason as R;

use crate::common::World;

fn pair(attributes: &str, request: &str) -> (World, String, String) {
    let mut w = World::new();
    let old = w.key_with(attributes);
    w.now += 100;
    w.done(&format!("ReKey {{ UniqueIdentifier=$1 {request} }}"));
    let new = w.names.0[1].clone();
    (w, old, new)
}

const DATES: &str = "\"Activation Date\"=@1700001000 \"Process Start Date\"=@1700002000 \"Protect Stop Date\"=@1700003000 \
     \"Deactivation Date\"=@1700004000";

#[test]
fn with_an_offset_the_dates_keep_their_distance() {
    let (mut w, _, new) = pair(DATES, "Offset=500s");
    for (date, seconds) in [
        ("Initial Date", "@1700000100"),
        ("Activation Date", "@1700000600"),
        ("Process Start Date", "@1700001600"),
        ("Protect Stop Date", "@1700002600"),
        ("Deactivation Date", "@1700003600"),
    ] {
        assert!(w.attribute(&new, date).contains(seconds), "{date}: {}", w.attribute(&new, date));
    }
}

#[test]
fn without_an_offset_the_dates_are_copied() {
    let (mut w, old, new) = pair(DATES, "");
    for date in ["Activation Date", "Process Start Date", "Protect Stop Date", "Deactivation Date"] {
        let of = |text: String| text.split('@').nth(1).unwrap().to_owned();
        assert_eq!(of(w.attribute(&new, date)), of(w.attribute(&old, date)));
    }
}

#[test]
fn an_offset_alone_activates_a_key_that_had_no_dates() {
    let (mut w, _, new) = pair("", "Offset=10s");
    assert_eq!(w.state(&new), "PreActive");
    w.now += 10;
    assert_eq!(w.state(&new), "Active");
    let (mut w, _, new) = pair("", "Offset=0s");
    assert_eq!(w.state(&new), "Active");
}

#[test]
fn a_key_without_dates_gets_a_replacement_without_dates() {
    let (mut w, old, new) = pair("", "");
    w.now = i64::MAX;
    assert_eq!((w.state(&old).as_str(), w.state(&new).as_str()), ("PreActive", "PreActive"));
}

#[test]
fn links_say_which_key_replaces_which() {
    let (mut w, old, new) = pair("\"Link\" { LinkType=ParentLink LinkedObjectIdentifier=\"p\" }", "");
    let text = w.attribute(&old, "Link");
    assert!(
        text.contains("ReplacementObjectLink") && text.contains("$2") && text.contains("ParentLink"),
        "{text}"
    );
    let text = w.attribute(&new, "Link");
    assert!(
        text.contains("ReplacedObjectLink") && text.contains("$1") && !text.contains("ParentLink"),
        "{text}"
    );
}

#[test]
fn names_go_over_to_the_new_key() {
    let names = "\"Name\" { NameValue=\"a\" NameType=UninterpretedTextString } \"Name\" { NameValue=\"b\" NameType=URI }";
    let (mut w, old, new) = pair(names, "");
    assert!(!w.attribute(&old, "Name").contains("Name\""));
    let text = w.attribute(&new, "Name");
    assert!(text.contains("=\"a\"") && text.contains("=\"b\""), "{text}");
    let name = "TemplateAttribute { \"Name\" { NameValue=\"a\" NameType=UninterpretedTextString } }";
    let (mut w, old, new) = pair(names, name);
    assert!(w.attribute(&new, "Name").contains("=\"a\"") && w.attribute(&new, "Name").contains("=\"b\""));
    assert!(!w.attribute(&old, "Name").contains("Name\""));
}

#[test]
fn the_new_key_has_new_material_and_the_old_attributes() {
    let (mut w, old, new) = pair("\"x-a\"=\"kept\" \"Contact Information\"=\"me\"", "");
    let digest = |text: String| text.split("DigestValue=").nth(1).unwrap()[..66].to_owned();
    assert_ne!(digest(w.attribute(&old, "Digest")), digest(w.attribute(&new, "Digest")));
    assert!(w.attribute(&new, "x-a").contains("kept"));
    assert!(w.attribute(&new, "Contact Information").contains("me"));
    assert!(w.attribute(&new, "Cryptographic Length").contains("256"));
}

#[test]
fn the_request_overrides_what_is_copied() {
    let (mut w, _, new) = pair(
        "\"x-a\"=1 \"x-a\"=2",
        "TemplateAttribute { \"Cryptographic Length\"=128 \"x-a\"=3 \"Deactivation Date\"=@1800000000 }",
    );
    assert!(w.attribute(&new, "Cryptographic Length").contains("128"));
    let text = w.attribute(&new, "x-a");
    assert!(text.contains("=3") && !text.contains("=1") && !text.contains("=2"), "{text}");
}

#[test]
fn what_an_old_key_went_through_is_not_copied() {
    let mut w = World::new();
    w.key();
    w.done("Revoke { UniqueIdentifier=$1 RevocationReason { RevocationReasonCode=KeyCompromise } }");
    w.done("ReKey { UniqueIdentifier=$1 }");
    let new = w.names.0[1].clone();
    for name in ["Compromise Date", "Compromise Occurrence Date", "Revocation Reason", "Destroy Date"] {
        assert!(!w.attribute(&new, name).contains(name), "{name}");
    }
    assert_eq!(w.state(&new), "PreActive");
}

#[test]
fn the_usage_limits_count_is_the_total_again() {
    let (mut w, _, new) =
        pair("\"Usage Limits\" { UsageLimitsTotal=10L UsageLimitsCount=3L UsageLimitsUnit=Byte }", "");
    let text = w.attribute(&new, "Usage Limits");
    assert!(text.contains("UsageLimitsTotal=10L") && text.contains("UsageLimitsCount=10L"), "{text}");
}

#[test]
fn a_replacement_can_be_replaced_and_a_replaced_key_cannot() {
    let (mut w, _, _) = pair("", "");
    w.done("ReKey { UniqueIdentifier=$2 }");
    w.refused("ReKey { UniqueIdentifier=$2 }", R::PermissionDenied);
    w.done("ReKey { UniqueIdentifier=$3 }");
}

#[test]
fn attributes_do_not_grow_past_the_limit_over_many_re_keys() {
    let mut w = World::new();
    w.limits.attributes_per_object_max = 20;
    w.key();
    let mut refused = false;
    for place in 1..=20 {
        let item = format!("ReKey {{ UniqueIdentifier=${place} TemplateAttribute {{ \"x-{place}\"=1 }} }}");
        let answer = w.ask(&item);
        refused = answer.audit[0].result_reason == Some(R::IndexOutOfBounds);
        if refused {
            break;
        }
    }
    assert!(refused);
}

#[test]
fn a_name_that_the_request_brings_is_one_more_beside_those_that_the_new_key_takes_over() {
    let name = |text: &str| format!("\"Name\" {{ NameValue={text:?} NameType=UninterpretedTextString }}");
    let asked = |text: &str| format!("TemplateAttribute {{ {} }}", name(text));
    let (mut w, old, new) = pair(&name("a"), &asked("b"));
    let names = w.attribute(&new, "Name");
    assert!(names.contains("\"Name\" {\n    NameValue=\"a\"") && names.contains("\"Name\"[1]"), "{names}");
    assert_eq!(w.attribute(&old, "Name"), "UniqueIdentifier=$1");
    let (mut w, _, new) = pair(&name("a"), &asked("a"));
    assert_eq!(w.attribute(&new, "Name").matches("NameValue").count(), 1, "the same name is no second one");
}

#[test]
fn the_policy_name_goes_over_to_the_new_key() {
    let (mut w, _, new) = pair("\"Operation Policy Name\"=\"public\" \"Contact Information\"=\"c\"", "");
    assert!(w.attribute(&new, "Operation Policy Name").contains("public"));
    assert!(w.attribute(&new, "Contact Information").contains("\"c\""));
}
