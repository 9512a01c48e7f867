//! What a server says of itself in a Query: another server than the one of the case has another to say.

use super::*;

fn asking(functions: &[&str]) -> String {
    let field = |function| format!(r#"<QueryFunction type="Enumeration" value="{function}"/>"#);
    functions.iter().map(field).collect()
}

fn generator(inside: &str) -> String {
    format!("<RNGParameters>{inside}</RNGParameters>")
}

fn profile(name: &str) -> String {
    format!(r#"<ProfileInformation><ProfileName type="Enumeration" value="{name}"/></ProfileInformation>"#)
}

const VALIDATION: &str = r#"<ValidationInformation>
    <ValidationAuthorityType type="Enumeration" value="NISTCMVP"/>
    <ValidationVersionMajor type="Integer" value="2"/>
    <ValidationType type="Enumeration" value="Software"/>
    <ValidationLevel type="Integer" value="1"/></ValidationInformation>"#;

fn query(function: &str, expected: &str, got: &str) -> Result<(), Difference> {
    Run::of(4).step("Query", &asking(&[function]), expected, got)
}

#[test]
fn a_server_has_its_own_generator_and_names_one() {
    let algorithm = |name| generator(&format!(r#"<RNGAlgorithm type="Enumeration" value="{name}"/>"#));
    permitted(query("QueryRNGs", &algorithm("DRBG"), &algorithm("Unspecified")));
    differs(
        query("QueryRNGs", &algorithm("DRBG"), ""),
        "response 1, item 1, RNG Parameters",
        "{ RNG Algorithm DRBG }",
        "nothing",
    );
    let length = generator(r#"<CryptographicLength type="Integer" value="256"/>"#);
    differs(
        query("QueryRNGs", &algorithm("DRBG"), &length),
        "response 1, item 1, RNG Parameters",
        "a RNG Algorithm",
        "{ Cryptographic Length 256 }",
    );
    let path = "response 1, item 1, RNG Parameters";
    differs(query("QueryProfiles", "", &algorithm("DRBG")), path, "nothing", "{ RNG Algorithm DRBG }");
}

#[test]
fn a_server_has_its_own_profiles_and_they_have_names() {
    let (tapes, drives) = (profile("TapeLibraryServerKMIPV1_4"), profile("HTTPSServerKMIPV1_4"));
    permitted(query("QueryProfiles", &tapes, &drives));
    permitted(query("QueryProfiles", &tapes, ""));
    permitted(query("QueryProfiles", "", &tapes));
    let port = r#"<ProfileInformation><ServerPort type="Integer" value="5696"/></ProfileInformation>"#;
    assert!(query("QueryProfiles", &tapes, port).is_err());
    assert!(query("QueryProfiles", "", port).is_err());
    assert!(query("QueryOperations", "", &tapes).is_err(), "profiles that nobody asked for");
}

#[test]
fn a_server_was_validated_otherwise_or_not_at_all() {
    permitted(query("QueryValidations", VALIDATION, ""));
    permitted(query("QueryValidations", "", VALIDATION));
    let level = r#"<ValidationLevel type="Integer" value="1"/>"#;
    assert!(query("QueryValidations", "", &VALIDATION.replace(level, "")).is_err());
}

#[test]
fn a_server_has_its_own_capabilities_and_ways_of_registration() {
    let streaming = |can| {
        format!(
            r#"<CapabilityInformation><StreamingCapability type="Boolean" value="{can}"/></CapabilityInformation>"#
        )
    };
    permitted(query("QueryCapabilities", &streaming(true), &streaming(false)));
    assert!(query("QueryProfiles", "", &streaming(false)).is_err());
    let way = |name| format!(r#"<ClientRegistrationMethod type="Enumeration" value="{name}"/>"#);
    let both = way("ServerOnDemand") + &way("ClientGenerated");
    permitted(query("QueryClientRegistrationMethods", &both, &way("ClientRegistered")));
}

#[test]
fn server_information_may_be_there_and_is_asked_for_where_the_case_has_it() {
    let information = "<ServerInformation></ServerInformation>";
    permitted(query("QueryServerInformation", "", information));
    assert!(query("QueryServerInformation", information, "").is_err());
}
