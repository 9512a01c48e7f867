//! What stands around the payload: header, status, and the order and types of fields.

use super::*;

/// An item that failed, with `inside` after its status.
fn failed(inside: &str) -> String {
    let message = message("Response", 2, "Get", "").replace("<ResponsePayload></ResponsePayload>", inside);
    message.replace(r#"value="Success""#, r#"value="OperationFailed""#)
}

#[test]
fn the_message_for_people_may_be_any_or_none_and_the_reason_must_be_right() {
    let reason = |reason| format!(r#"<ResultReason type="Enumeration" value="{reason}"/>"#);
    let words = |text| format!(r#"<ResultMessage type="TextString" value="{text}"/>"#);
    let request = message("Request", 2, "Get", "");
    let check = |expected: &str, got: &str| Run::of(2).whole(&request, &failed(expected), &failed(got));
    let not_found = reason("ItemNotFound");
    permitted(check(&(not_found.clone() + &words("a")), &(not_found.clone() + &words("b"))));
    permitted(check(&(not_found.clone() + &words("a")), &not_found));
    permitted(check(&not_found, &(not_found.clone() + &words("b"))));
    differs(
        check(&not_found, &reason("PermissionDenied")),
        "response 1, item 1, Result Reason",
        "ItemNotFound",
        "PermissionDenied",
    );
}

#[test]
fn another_status_says_what_the_server_said() {
    let got = failed(
        r#"<ResultReason type="Enumeration" value="ItemNotFound"/>
        <ResultMessage type="TextString" value="no such object"/>"#,
    );
    let request = message("Request", 2, "Get", "");
    differs(
        Run::of(2).whole(&request, &message("Response", 2, "Get", ""), &got),
        "response 1, item 1, Result Status",
        "Success",
        "OperationFailed, ItemNotFound: \"no such object\"",
    );
}

#[test]
fn extensions_that_are_not_critical_may_be_there() {
    let extension = |critical| {
        let text = message("Response", 2, "Get", "");
        let extension = format!(
            r#"</ResponsePayload><MessageExtension><VendorIdentification type="TextString" value="v"/>
            <CriticalityIndicator type="Boolean" value="{critical}"/><VendorExtension></VendorExtension>
            </MessageExtension>"#
        );
        text.replace("</ResponsePayload>", &extension)
    };
    let (request, plain) = (message("Request", 2, "Get", ""), message("Response", 2, "Get", ""));
    permitted(Run::of(2).whole(&request, &plain, &extension(false)));
    permitted(Run::of(2).whole(&request, &extension(false), &plain));
    assert!(Run::of(2).whole(&request, &plain, &extension(true)).is_err());
}

#[test]
fn the_batch_item_id_is_echoed_as_it_was_sent() {
    let with = |id| {
        let id = format!(r#"<UniqueBatchItemID type="ByteString" value="{id}"/><ResultStatus"#);
        message("Response", 2, "Get", "").replace("<ResultStatus", &id)
    };
    let request = message("Request", 2, "Get", "");
    permitted(Run::of(2).whole(&request, &with("01"), &with("01")));
    differs(
        Run::of(2).whole(&request, &with("01"), &with("02")),
        "response 1, item 1, Unique Batch Item ID",
        "0x01",
        "0x02",
    );
    differs(
        Run::of(2).whole(&request, &message("Response", 2, "Get", ""), &with("02")),
        "response 1, item 1, Unique Batch Item ID",
        "nothing",
        "0x02",
    );
}

#[test]
fn the_version_and_the_number_of_items_are_in_the_header() {
    let (request, plain) = (message("Request", 2, "Get", ""), message("Response", 2, "Get", ""));
    differs(
        Run::of(2).whole(&request, &plain, &message("Response", 1, "Get", "")),
        "response 1, header, Protocol Version, Protocol Version Minor",
        "2",
        "1",
    );
    let two = plain
        .replace(r#"<BatchCount type="Integer" value="1"/>"#, r#"<BatchCount type="Integer" value="2"/>"#);
    differs(Run::of(2).whole(&request, &two, &plain), "response 1, header, Batch Count", "2", "1");
}

#[test]
fn fields_have_their_order_their_types_and_no_company() {
    let object = r#"<ObjectType type="Enumeration" value="SymmetricKey"/>"#;
    let expected = format!("{object}{}", id("a"));
    differs(
        check("Create", &expected, &format!("{}{object}", id("a"))),
        "response 1, item 1, Unique Identifier",
        "Object Type here",
        "\"a\"",
    );
    differs(
        check("Create", &expected, &id("a")),
        "response 1, item 1, Object Type",
        "SymmetricKey",
        "nothing",
    );
    differs(
        check("Create", &id("a"), &expected),
        "response 1, item 1, Object Type",
        "nothing",
        "SymmetricKey",
    );
    differs(
        check("Create", object, r#"<ObjectType type="Integer" value="2"/>"#),
        "response 1, item 1, Object Type",
        "type Enumeration",
        "type Integer",
    );
    differs(
        check("Create", object, r#"<ObjectType type="Enumeration" value="PublicKey"/>"#),
        "response 1, item 1, Object Type",
        "SymmetricKey",
        "PublicKey",
    );
    let another = r#"<TTLV tag="0x540001" type="Integer" value="2"/>"#;
    assert!(check("Create", &id("a"), &(id("a") + another)).is_err());
}
