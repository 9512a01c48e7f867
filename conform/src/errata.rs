//! Published cases that contradict themselves or the specification, and what is done about each. No server can be
//! right by them as they stand.

/// What is wrong with a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It cannot be run, because of this.
    Skip(&'static str),
    /// A response names another version than its request. Compared with the request's, as KMIP 1.4 section 6.1 has it.
    VersionOfResponse,
    /// A response to a Get names another object than its request. Compared with the request's, as KMIP 1.4 section 4.11 has it.
    IdentifierOfResponse,
}

/// It asks for TTLV with an attribute in it, and shows the bytes of the case before it, which asks for the bare key.
const WITHOUT_ATTRIBUTE: &str = "the case contradicts the specification: the wrapped Key Value that it shows lacks the attribute that it asks for";
const WITHOUT_NAME: &str = "the case contradicts the specification: an Attribute without a name";

#[rustfmt::skip]
const ERRATA: &[(&str, Fault)] = &[
    ("CS-AC-M-3-12",           Fault::Skip(WITHOUT_NAME)),
    ("CS-AC-M-8-12",           Fault::Skip(WITHOUT_NAME)),
    ("TC_142_11_Key_Wrapping_using_AES_Key_Wrap_with_Attributes", Fault::Skip(WITHOUT_ATTRIBUTE)),
    ("TC_142_12_Key_Wrapping_using_AES_Key_Wrap_with_Attributes", Fault::Skip(WITHOUT_ATTRIBUTE)),
    ("TC-STREAM-SIGNVFY-1-14", Fault::Skip("the case contradicts the specification: two fields of a payload in the wrong order")),
    ("OMOS-O-1-14",            Fault::VersionOfResponse),
    ("TC_SJ_2_12_Register_and_Split_Join", Fault::IdentifierOfResponse),
    ("TC_SJ_4_12_Register_and_Split_Join_with_XOR", Fault::IdentifierOfResponse),
    ("TC-SJ-4-14",             Fault::IdentifierOfResponse),
];

/// The fault of the case of this name.
pub(crate) fn of(name: &str) -> Option<Fault> {
    ERRATA.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, fault)| *fault)
}
