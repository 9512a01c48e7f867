//! Every permitted variation, and every kind of difference, on small messages of our own.

use kmip::ProtocolVersion;

use super::*;
use crate::case::{Case, Plan};

mod descriptions;
mod messages;

/// A message of one batch item of `operation`; `inside` stands in the payload.
fn message(kind: &str, minor: i32, operation: &str, inside: &str) -> String {
    let status = if kind == "Request" { "" } else { r#"<ResultStatus type="Enumeration" value="Success"/>"# };
    let time = if kind == "Request" { "" } else { r#"<TimeStamp type="DateTime" value="$NOW"/>"# };
    format!(
        r#"<{kind}Message><{kind}Header><ProtocolVersion>
        <ProtocolVersionMajor type="Integer" value="1"/><ProtocolVersionMinor type="Integer" value="{minor}"/>
        </ProtocolVersion>{time}<BatchCount type="Integer" value="1"/></{kind}Header><BatchItem>
        <Operation type="Enumeration" value="{operation}"/>{status}<{kind}Payload>{inside}</{kind}Payload>
        </BatchItem></{kind}Message>"#
    )
}

/// A run against answers that are written here; each step keeps what the ones before it brought.
struct Run {
    known: Known,
    minor: i32,
    number: usize,
}

const NOW: i64 = 1_500_000_000;

impl Run {
    fn of(minor: i32) -> Self {
        Self { known: Known::new(ProtocolVersion::new(1, minor), NOW), minor, number: 0 }
    }

    /// Compares whole messages, given what stands in their payloads.
    fn step(&mut self, operation: &str, asked: &str, expected: &str, got: &str) -> Result<(), Difference> {
        let request = message("Request", self.minor, operation, asked);
        let response = |inside| message("Response", self.minor, operation, inside);
        self.whole(&request, &response(expected), &response(got))
    }

    fn whole(&mut self, request: &str, expected: &str, got: &str) -> Result<(), Difference> {
        let exchange = exchange(&format!("{request}{expected}"));
        let got = self.known.bindings.fill(&exchange_of(request, got).response).expect("the answer is whole");
        self.number += 1;
        response(&mut self.known, self.number, &exchange, &got)
    }
}

fn exchange(text: &str) -> Exchange {
    match Case::read("X-M-1-14".to_owned(), text).plan {
        Plan::Run(mut exchanges) => exchanges.remove(0),
        Plan::Skip(why) => panic!("{why}: {text}"),
    }
}

fn exchange_of(request: &str, response: &str) -> Exchange {
    exchange(&format!("{request}{response}"))
}

fn id(id: &str) -> String {
    format!(r#"<UniqueIdentifier type="TextString" value="{id}"/>"#)
}

fn attribute(name: &str, item_type: &str, value: &str) -> String {
    format!(
        r#"<Attribute><AttributeName type="TextString" value="{name}"/>
        <AttributeValue type="{item_type}" value="{value}"/></Attribute>"#
    )
}

fn names(names: &[&str]) -> String {
    names.iter().map(|name| format!(r#"<AttributeName type="TextString" value="{name}"/>"#)).collect()
}

fn key(material: &str) -> String {
    format!(
        r#"<SymmetricKey><KeyBlock><KeyFormatType type="Enumeration" value="Raw"/><KeyValue>
        <KeyMaterial type="ByteString" value="{material}"/></KeyValue>
        <CryptographicAlgorithm type="Enumeration" value="AES"/></KeyBlock></SymmetricKey>"#
    )
}

/// One step on its own.
fn check(operation: &str, expected: &str, got: &str) -> Result<(), Difference> {
    Run::of(2).step(operation, "", expected, got)
}

fn differs(result: Result<(), Difference>, path: &str, expected: &str, got: &str) {
    let difference = result.expect_err("it differs");
    assert_eq!(
        (difference.path.as_str(), difference.expected.as_str(), difference.got.as_str()),
        (path, expected, got)
    );
}

fn permitted(result: Result<(), Difference>) {
    assert_eq!(result, Ok(()));
}

/// A run in which the server made `made` and the client registered `given`.
fn with_two_keys(minor: i32) -> Run {
    let mut run = Run::of(minor);
    permitted(run.step("Create", "", &id("$UNIQUE_IDENTIFIER_0"), &id("made")));
    permitted(run.step("Register", "", &id("$UNIQUE_IDENTIFIER_1"), &id("given")));
    run
}

#[test]
fn an_identifier_is_bound_at_first_sight_and_the_same_from_then_on() {
    let mut run = Run::of(2);
    permitted(run.step("Create", "", &id("$UNIQUE_IDENTIFIER_0"), &id("a")));
    permitted(run.step("Activate", "", &id("$UNIQUE_IDENTIFIER_0"), &id("a")));
    differs(
        run.step("Activate", "", &id("$UNIQUE_IDENTIFIER_0"), &id("b")),
        "response 3, item 1, Unique Identifier",
        "$UNIQUE_IDENTIFIER_0, which is \"a\"",
        "\"b\"",
    );
}

#[test]
fn an_identifier_that_a_case_has_in_full_is_bound_too() {
    let mut run = Run::of(2);
    permitted(run.step("Create", "", &id("8590e6e9"), &id("a")));
    permitted(run.step("Activate", "", &id("8590e6e9"), &id("a")));
    assert!(run.step("Activate", "", &id("8590e6e9"), &id("b")).is_err());
}

#[test]
fn the_identifier_in_an_attribute_and_a_link_are_identifiers() {
    let mut run = with_two_keys(2);
    let of = |id| attribute("Unique Identifier", "TextString", id);
    permitted(run.step("GetAttributes", "", &of("$UNIQUE_IDENTIFIER_0"), &of("made")));
    assert!(run.step("GetAttributes", "", &of("$UNIQUE_IDENTIFIER_0"), &of("given")).is_err());
    let link = |id| {
        format!(
            r#"<Attribute><AttributeName type="TextString" value="Link"/><AttributeValue>
            <LinkType type="Enumeration" value="PublicKeyLink"/>
            <LinkedObjectIdentifier type="TextString" value="{id}"/></AttributeValue></Attribute>"#
        )
    };
    permitted(run.step("GetAttributes", "", &link("$UNIQUE_IDENTIFIER_9"), &link("another")));
}

#[test]
fn time_stamps_and_dates_that_no_request_fixed_may_be_any() {
    let initial = |date| attribute("Initial Date", "DateTime", date);
    permitted(check("GetAttributes", &initial("$NOW"), &initial("2001-01-01T00:00:00Z")));
    let stamp = |date: &str| message("Response", 2, "Query", "").replace("$NOW", date);
    let request = message("Request", 2, "Query", "");
    let whole = Run::of(2).whole(&request, &stamp("$NOW"), &stamp("2001-01-01T00:00:00Z"));
    permitted(whole);
}

#[test]
fn a_date_that_a_request_fixed_must_come_back() {
    let date = |date| attribute("Activation Date", "DateTime", date);
    for fixed in ["2001-01-01T00:00:00Z", "$NOW-3600"] {
        let mut run = Run::of(2);
        permitted(run.step("AddAttribute", &date(fixed), &date(fixed), &date(fixed)));
        permitted(run.step("GetAttributes", "", &date(fixed), &date(fixed)));
        assert!(
            run.step("GetAttributes", "", &date(fixed), &date("2001-01-01T00:00:01Z")).is_err(),
            "{fixed}"
        );
    }
    // Now alone fixes nothing.
    let mut run = Run::of(2);
    permitted(run.step("AddAttribute", &date("$NOW"), &date("$NOW"), &date("2001-01-01T00:00:00Z")));
}

#[test]
fn a_date_in_a_custom_attribute_is_not_the_servers() {
    let date = |date| attribute("x-Date", "DateTime", date);
    assert!(check("GetAttributes", &date("2001-01-01T00:00:00Z"), &date("2001-01-01T00:00:01Z")).is_err());
}

#[test]
fn material_that_the_server_made_may_be_any_of_its_length() {
    let got = |id_: &str, material: &str| id(id_) + &key(material);
    let mut run = with_two_keys(2);
    permitted(run.step("Get", "", &got("$UNIQUE_IDENTIFIER_0", "00ff"), &got("made", "abcd")));
    differs(
        run.step("Get", "", &got("$UNIQUE_IDENTIFIER_0", "00ff"), &got("made", "ab")),
        "response 4, item 1, Symmetric Key, Key Block, Key Value, Key Material",
        "2 bytes, masked",
        "other: 1 bytes, masked",
    );
}

#[test]
fn material_that_the_client_gave_must_come_back() {
    let got = |id_: &str, material: &str| id(id_) + &key(material);
    let mut run = with_two_keys(2);
    permitted(run.step("Get", "", &got("$UNIQUE_IDENTIFIER_1", "00ff"), &got("given", "00ff")));
    let other = run.step("Get", "", &got("$UNIQUE_IDENTIFIER_1", "00ff"), &got("given", "abcd"));
    let difference = other.unwrap_err();
    assert!(difference.path.ends_with("Key Material"), "{difference:?}");
    assert!(!format!("{difference:?}").contains("abcd"), "{difference:?}");
}

#[test]
fn the_format_of_a_key_is_the_servers_choice_where_it_made_the_key_and_nobody_asked() {
    let pkcs1 = |id_: &str| id(id_) + &key("00ff").replace("Raw", "PKCS_1");
    let raw = |id_: &str| id(id_) + &key("00ff11");
    let mut run = with_two_keys(2);
    permitted(run.step("Get", "", &raw("$UNIQUE_IDENTIFIER_0"), &pkcs1("made")));
    assert!(run.step("Get", "", &raw("$UNIQUE_IDENTIFIER_1"), &pkcs1("given")).is_err());
    let asked = r#"<KeyFormatType type="Enumeration" value="Raw"/>"#;
    assert!(run.step("Get", asked, &raw("$UNIQUE_IDENTIFIER_0"), &pkcs1("made")).is_err());
}

#[test]
fn the_digest_is_the_servers_where_it_made_the_key() {
    let digest = |id_: &str, value| {
        id(id_)
            + &format!(
                r#"<Attribute><AttributeName type="TextString" value="Digest"/><AttributeValue>
                <HashingAlgorithm type="Enumeration" value="SHA_256"/>
                <DigestValue type="ByteString" value="{value}"/></AttributeValue></Attribute>"#
            )
    };
    let mut run = with_two_keys(2);
    permitted(run.step("GetAttributes", "", &digest("$UNIQUE_IDENTIFIER_0", "00"), &digest("made", "01")));
    differs(
        run.step("GetAttributes", "", &digest("$UNIQUE_IDENTIFIER_1", "00"), &digest("given", "01")),
        "response 4, item 1, Attribute \"Digest\", Digest Value",
        "0x00",
        "0x01",
    );
}

#[test]
fn the_random_number_generator_is_the_servers_where_it_made_the_key() {
    let rng = |id_: &str, value| {
        id(id_)
            + &format!(
                r#"<Attribute><AttributeName type="TextString" value="Random Number Generator"/><AttributeValue>
                <RNGAlgorithm type="Enumeration" value="{value}"/></AttributeValue></Attribute>"#
            )
    };
    let mut run = with_two_keys(4);
    let (a, b) = ("ANSIX9_31", "Unspecified");
    permitted(run.step("GetAttributes", "", &rng("$UNIQUE_IDENTIFIER_0", a), &rng("made", b)));
    assert!(run.step("GetAttributes", "", &rng("$UNIQUE_IDENTIFIER_1", a), &rng("given", b)).is_err());
}

#[test]
fn what_a_key_of_the_server_encrypts_may_be_any_and_what_a_given_key_encrypts_must_be_right() {
    let data = |id_: &str, data| id(id_) + &format!(r#"<Data type="ByteString" value="{data}"/>"#);
    let mut run = with_two_keys(2);
    permitted(run.step("Encrypt", "", &data("$UNIQUE_IDENTIFIER_0", "00"), &data("made", "01")));
    assert!(run.step("Encrypt", "", &data("$UNIQUE_IDENTIFIER_1", "00"), &data("given", "01")).is_err());
    permitted(run.step("Encrypt", "", &data("$UNIQUE_IDENTIFIER_1", "$DATA_0"), &data("given", "01")));
    let random = |data| format!(r#"<Data type="ByteString" value="{data}"/>"#);
    permitted(run.step("RNGRetrieve", "", &random("00"), &random("01")));
    assert!(run.step("RNGRetrieve", "", &random("00"), &random("0102")).is_err());
}

#[test]
fn what_is_random_by_the_specification_may_be_any_of_its_length() {
    let parameters = |inside: &str| format!("<CryptographicParameters>{inside}</CryptographicParameters>");
    let padding = |name| parameters(&format!(r#"<PaddingMethod type="Enumeration" value="{name}"/>"#));
    let bytes = |name, hex| format!(r#"<{name} type="ByteString" value="{hex}"/>"#);
    let asked = |inside: &str| id("1") + inside;
    for (operation, field, padding_method, free) in [
        ("Encrypt", "Data", "OAEP", true),
        ("Encrypt", "Data", "PKCS1V1_5", true),
        ("Encrypt", "Data", "PKCS5", false),
        ("Decrypt", "Data", "OAEP", false),
        ("Sign", "SignatureData", "PSS", true),
        ("Sign", "SignatureData", "PKCS1V1_5", false),
    ] {
        let mut run = Run::of(4);
        let answer = |hex| id("1") + &bytes(field, hex);
        let request = asked(&padding(padding_method));
        let other = run.step(operation, &request, &answer("0a0b"), &answer("0c0d"));
        assert_eq!(other.is_ok(), free, "{operation} {padding_method}");
        assert!(Run::of(4).step(operation, &request, &answer("0a0b"), &answer("0c")).is_err());
    }
    let random_iv = parameters(r#"<RandomIV type="Boolean" value="true"/>"#);
    let answer = |hex| id("1") + &bytes("Data", hex) + &bytes("IVCounterNonce", hex);
    permitted(Run::of(4).step("Encrypt", &asked(&random_iv), &answer("0a"), &answer("0b")));
    // The client's own is used.
    let given = asked(&(random_iv + &bytes("IVCounterNonce", "0a")));
    assert!(Run::of(4).step("Encrypt", &given, &answer("0a"), &answer("0b")).is_err());
}

#[test]
fn correlation_values_are_new_each_time() {
    let value = |value| format!(r#"<CorrelationValue type="ByteString" value="{value}"/>"#);
    let mut run = Run::of(3);
    permitted(run.step("Encrypt", "", &value("$CORRELATION_VALUE"), &value("01")));
    permitted(run.step("Encrypt", "", &value("$CORRELATION_VALUE"), &value("02")));
}

#[test]
fn attributes_are_a_set_and_more_of_them_are_welcome() {
    let (state, length) =
        (attribute("State", "Enumeration", "Active"), attribute("Cryptographic Length", "Integer", "256"));
    let more = attribute("x-Own", "TextString", "1");
    permitted(check("GetAttributes", &(state.clone() + &length), &format!("{more}{length}{state}")));
    permitted(check("GetAttributes", "", &more));
    differs(
        check("GetAttributes", &(state.clone() + &length), &length),
        "response 1, item 1, Attribute \"State\"",
        "Active",
        "nothing",
    );
    differs(
        check("GetAttributes", &state, &attribute("State", "Enumeration", "PreActive")),
        "response 1, item 1, Attribute \"State\"",
        "Active",
        "PreActive",
    );
    let list = names(&["State", "Name"]);
    permitted(check("GetAttributeList", &list, &names(&["Name", "x-Own", "State"])));
    differs(
        check("GetAttributeList", &list, &names(&["Name"])),
        "response 1, item 1, Attribute Name",
        "\"State\"",
        "nothing",
    );
}

#[test]
fn the_servers_own_attributes_and_groups_that_nobody_asked_for_may_be_absent() {
    permitted(check("GetAttributes", &attribute("y-Own", "TextString", "1"), ""));
    permitted(check("GetAttributeList", &names(&["y-Own"]), ""));
    let group = attribute("Object Group", "TextString", "g");
    permitted(check("GetAttributes", &group, ""));
    let mut run = Run::of(2);
    let template = format!("<TemplateAttribute>{group}</TemplateAttribute>");
    permitted(run.step("Create", &template, &id("$UNIQUE_IDENTIFIER_0"), &id("a")));
    assert!(run.step("GetAttributes", "", &group, "").is_err());
    assert!(check("GetAttributes", &attribute("x-Own", "TextString", "1"), "").is_err());
}

#[test]
fn index_0_may_be_said_or_not_from_1_1_on() {
    let plain = attribute("x-Own", "TextString", "1");
    let index = |index| {
        let index = format!(r#"<AttributeIndex type="Integer" value="{index}"/><AttributeValue"#);
        plain.replace("<AttributeValue", &index)
    };
    permitted(Run::of(1).step("GetAttributes", "", &plain, &index(0)));
    permitted(Run::of(1).step("GetAttributes", "", &index(0), &plain));
    assert!(Run::of(0).step("GetAttributes", "", &plain, &index(0)).is_err());
    differs(
        Run::of(1).step("GetAttributes", "", &index(1), &index(2)),
        "response 1, item 1, Attribute \"x-Own\", Attribute Index",
        "1",
        "2",
    );
}

#[test]
fn query_may_tell_of_more_operations_and_objects_and_of_other_namespaces_and_extensions() {
    let operation = |name| format!(r#"<Operation type="Enumeration" value="{name}"/>"#);
    let namespace = |name| format!(r#"<ApplicationNamespace type="TextString" value="{name}"/>"#);
    let vendor = |name| format!(r#"<VendorIdentification type="TextString" value="{name}"/>"#);
    let (create, get) = (operation("Create"), operation("Get"));
    permitted(check("Query", &get, &(create.clone() + &get)));
    permitted(check("Query", &(get.clone() + &vendor("a")), &(get.clone() + &vendor("b"))));
    permitted(check("Query", &vendor("a"), ""));
    permitted(check("Query", &namespace("a"), &namespace("b")));
    permitted(check("Query", &namespace("a"), ""));
    let inside = r#"<ServerInformation><Description type="TextString" value="1"/></ServerInformation>"#;
    permitted(check("Query", "<ServerInformation></ServerInformation>", inside));
    differs(
        check("Query", &(create + &get), &operation("Get")),
        "response 1, item 1, Operation",
        "Create",
        "nothing",
    );
    assert!(check("Query", "", &get).is_err(), "operations that nobody asked for");
}

#[test]
fn discover_versions_may_list_more_only_where_the_client_listed_none() {
    let version = |minor| {
        format!(
            r#"<ProtocolVersion><ProtocolVersionMajor type="Integer" value="1"/>
            <ProtocolVersionMinor type="Integer" value="{minor}"/></ProtocolVersion>"#
        )
    };
    let both = version(2) + &version(1);
    permitted(Run::of(1).step("DiscoverVersions", "", &version(1), &both));
    assert!(Run::of(1).step("DiscoverVersions", &version(1), &version(1), &both).is_err());
}

#[test]
fn locate_finds_the_same_objects_in_any_order_and_no_others() {
    let ids = |ids: &[&str]| ids.iter().map(|it| id(it)).collect::<String>();
    let mut run = with_two_keys(2);
    let expected = ids(&["$UNIQUE_IDENTIFIER_0", "$UNIQUE_IDENTIFIER_1"]);
    permitted(run.step("Locate", "", &expected, &ids(&["given", "made"])));
    assert!(run.step("Locate", "", &expected, &ids(&["made"])).is_err());
    differs(
        run.step("Locate", "", &expected, &ids(&["given", "made", "third"])),
        "response 5, item 1, Unique Identifier",
        "nothing more",
        "\"third\"",
    );
}

#[test]
fn a_create_may_answer_with_its_template_or_not() {
    let template =
        format!("<TemplateAttribute>{}</TemplateAttribute>", attribute("State", "Enumeration", "Active"));
    permitted(check("Create", &id("a"), &(id("a") + &template)));
    permitted(check("Create", &(id("a") + &template), &id("a")));
}
