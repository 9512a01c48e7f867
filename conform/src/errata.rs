//! Published cases that contradict themselves or the specification, and what is done about each. No server can be
//! right by them as they stand.

/// What is wrong with a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It cannot be run, because of this.
    Skip(&'static str),
    /// A response names another version than its request. Compared with the request's, as KMIP 1.4 section 6.1 has it.
    VersionOfResponse,
}

const WITHOUT_NAME: &str = "the case contradicts the specification: an Attribute without a name";

#[rustfmt::skip]
const ERRATA: &[(&str, Fault)] = &[
    ("CS-AC-M-3-12",           Fault::Skip(WITHOUT_NAME)),
    ("CS-AC-M-8-12",           Fault::Skip(WITHOUT_NAME)),
    ("TC-STREAM-SIGNVFY-1-14", Fault::Skip("the case contradicts the specification: two fields of a payload in the wrong order")),
    ("OMOS-O-1-14",            Fault::VersionOfResponse),
];

/// The fault of the case of this name.
pub(crate) fn of(name: &str) -> Option<Fault> {
    ERRATA.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, fault)| *fault)
}
