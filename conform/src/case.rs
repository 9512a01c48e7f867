//! The cases under a directory: which there are, what each says, and which cannot be run, with the reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use kmip::enumeration::Operation;
use kmip::{Kmip, ProtocolVersion, tag};
use ttlv::xml::{Document, ReadOptions};
use ttlv::{Limits, Node, Value};

use super::{errata, placeholder};

/// Directories within directories that are looked into.
const DEPTH_MAX: usize = 16;
/// Bytes of one case; the largest published one has under 200 kB.
const CASE_BYTES_MAX: usize = 16 << 20;
/// The family of the cases for other encodings than TTLV over TLS.
const ENCODINGS: &str = "MSGENC";

/// One published case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file's name without its end: `SKLC-M-1-14`.
    pub name: String,
    /// `SKLC`, `CS-BC`, `TC`.
    pub family: String,
    /// Of its first request.
    pub version: ProtocolVersion,
    /// How it asks to be carried over HTTPS; none for cases of any transport.
    pub encoding: Option<Encoding>,
    /// What to do with it.
    pub plan: Plan,
}

/// How messages are carried over HTTPS (KMIP Additional Message Encodings 1.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// application/octet-stream
    Ttlv,
    /// text/xml
    Xml,
    /// application/json
    Json,
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ttlv" => Ok(Self::Ttlv),
            "xml" => Ok(Self::Xml),
            "json" => Ok(Self::Json),
            _ => Err("an encoding is ttlv, xml or json".to_owned()),
        }
    }
}

/// What to do with a case.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Send each request and compare each response.
    Run(Vec<Exchange>),
    /// Nothing, because of this.
    Skip(String),
}

/// A request and the response to it, with placeholders.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What is sent.
    pub request: Node,
    /// What is expected.
    pub response: Node,
    /// Whether the server asks and the client answers.
    pub from_server: bool,
}

/// Why the cases cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operator's mistake, or a broken disk.
    #[error("reading {}: {source}. hint: DIR holds the cases as XML files, in any folders", .path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// Why it could not be.
        source: std::io::Error,
    },
    /// The operator named an empty directory.
    #[error("no XML file under {}. hint: DIR holds the cases as XML files, in any folders", .0.display())]
    None(PathBuf),
}

/// Every case under `directory`, by version, family and name.
///
/// Fails where the directory cannot be read or holds no case; a case that cannot be read is one to be skipped.
pub fn all(directory: &Path) -> Result<Vec<Case>, Error> {
    let mut files = Vec::new();
    find(directory, 0, &mut files)?;
    if files.is_empty() {
        return Err(Error::None(directory.to_owned()));
    }
    let mut cases = Vec::with_capacity(files.len());
    for path in files {
        let bytes = fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        cases.push(Case::read(name, &String::from_utf8_lossy(&bytes)));
    }
    cases.sort_by_cached_key(|case| (case.version, case.family.clone(), natural(&case.name)));
    Ok(cases)
}

fn find(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |source| Error::Read { path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        // A link to a directory is not followed: it could lead in a circle.
        if kind.is_dir() && depth < DEPTH_MAX {
            find(&path, depth + 1, files)?;
        } else if !kind.is_dir() && path.extension().is_some_and(|end| end.eq_ignore_ascii_case("xml")) {
            files.push(path);
        }
    }
    Ok(())
}

/// A key that puts SKFF-M-2 before SKFF-M-10.
fn natural(name: &str) -> Vec<(u64, String)> {
    let parts = name.split_inclusive(|c: char| !c.is_ascii_digit());
    parts
        .map(|part| {
            let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
            (digits.parse().unwrap_or(0), part[digits.len()..].to_owned())
        })
        .collect()
}

impl Case {
    /// Reads a case; what is wrong with it is its reason to be skipped.
    pub(crate) fn read(name: String, text: &str) -> Self {
        let family = family(&name);
        let (version, plan) = match messages(text) {
            Ok(messages) => {
                let version = messages.first().and_then(version_of);
                let plan = match errata::of(&name) {
                    Some(errata::Fault::Skip(why)) => Plan::Skip(why.to_owned()),
                    fault => pair(messages, fault),
                };
                (version, plan)
            }
            Err(error) => (None, Plan::Skip(format!("it cannot be read: {error}"))),
        };
        let version = version.or_else(|| version_in(&name)).unwrap_or(ProtocolVersion::new(0, 0));
        let encoding = encoding(&name);
        Self { name, family, version, encoding, plan }
    }

    /// Whether the server asks and the client answers in one of its exchanges at least.
    pub fn is_asked(&self) -> bool {
        match &self.plan {
            Plan::Run(exchanges) => exchanges.iter().any(|exchange| exchange.from_server),
            Plan::Skip(_) => false,
        }
    }

    /// Whether `next` may build on what this one leaves: the cases of a profile do (SASED-M-2 registers what SASED-M-3
    /// fetches), the TC cases stand alone.
    pub(crate) fn leads_to(&self, next: &Self) -> bool {
        self.family != "TC" && (self.version, &self.family) == (next.version, &next.family)
    }

    /// `1.4/SKLC/SKLC-M-1-14`.
    pub fn label(&self) -> String {
        format!("{}/{}/{}", self.version, self.family, self.name)
    }
}

fn messages(text: &str) -> Result<Vec<Node>, ttlv::xml::Error> {
    let limits = Limits { message_bytes_max: CASE_BYTES_MAX, ..Limits::default() };
    let options = ReadOptions { collapse_blanks: true, pass_over_junk: true, limits };
    Document::new(text, options).read(&Kmip, &mut placeholder::keep)
}

/// Each request with the response of the same number.
fn pair(messages: Vec<Node>, fault: Option<errata::Fault>) -> Plan {
    let count = messages.len();
    let (requests, responses): (Vec<_>, Vec<_>) =
        messages.into_iter().partition(|message| message.tag == tag::REQUEST_MESSAGE);
    if requests.is_empty() || requests.len() != responses.len() {
        return Plan::Skip(format!(
            "it has {count} messages, and {} of them requests: not each has its response",
            requests.len()
        ));
    }
    let pairs = requests.into_iter().zip(responses);
    Plan::Run(pairs.map(|(request, response)| Exchange::new(request, response).corrected(fault)).collect())
}

impl Exchange {
    pub(crate) fn new(request: Node, response: Node) -> Self {
        let from_server = operations(&request).any(from_server);
        Self { request, response, from_server }
    }

    fn corrected(mut self, fault: Option<errata::Fault>) -> Self {
        if fault == Some(errata::Fault::VersionOfResponse) {
            let version =
                self.request.child(tag::REQUEST_HEADER).and_then(|it| it.child(tag::PROTOCOL_VERSION));
            if let (Some(version), Value::Structure(nodes)) = (version, &mut self.response.value)
                && let Some(header) = nodes.iter_mut().find(|node| node.tag == tag::RESPONSE_HEADER)
                && let Value::Structure(nodes) = &mut header.value
                && let Some(wrong) = nodes.iter_mut().find(|node| node.tag == tag::PROTOCOL_VERSION)
            {
                *wrong = version.clone();
            }
        }
        if fault == Some(errata::Fault::IdentifierOfResponse)
            && let Some(asked) = items(&self.request).next()
            && operation(asked) == Some(Operation::Get)
            && let Some(identifier) =
                asked.child(tag::REQUEST_PAYLOAD).and_then(|it| it.child(tag::UNIQUE_IDENTIFIER))
            && let Value::Structure(nodes) = &mut self.response.value
            && let Some(item) = nodes.iter_mut().find(|node| node.tag == tag::BATCH_ITEM)
            && let Value::Structure(nodes) = &mut item.value
            && let Some(payload) = nodes.iter_mut().find(|node| node.tag == tag::RESPONSE_PAYLOAD)
            && let Value::Structure(nodes) = &mut payload.value
            && let Some(wrong) = nodes.iter_mut().find(|node| node.tag == tag::UNIQUE_IDENTIFIER)
        {
            *wrong = identifier.clone();
        }
        self
    }
}

/// The operations that only a server asks of a client (KMIP 1.4 section 5).
fn from_server(operation: Operation) -> bool {
    matches!(operation, Operation::Notify | Operation::Put)
}

/// The batch items of a message.
pub(crate) fn items(message: &Node) -> impl Iterator<Item = &Node> {
    message.value.children().iter().filter(|node| node.tag == tag::BATCH_ITEM)
}

fn operations(message: &Node) -> impl Iterator<Item = Operation> {
    items(message).filter_map(operation)
}

/// What a batch item asks for or answers to.
pub(crate) fn operation(item: &Node) -> Option<Operation> {
    match item.child(tag::OPERATION)?.value {
        Value::Enumeration(number) => Some(Operation::from_number(number)),
        _ => None,
    }
}

/// The version that a message's header states.
pub(crate) fn version_of(message: &Node) -> Option<ProtocolVersion> {
    let header = message.child(tag::REQUEST_HEADER).or_else(|| message.child(tag::RESPONSE_HEADER))?;
    let version = header.child(tag::PROTOCOL_VERSION)?;
    let number = |tag| match version.child(tag)?.value {
        Value::Integer(number) => Some(number),
        _ => None,
    };
    Some(ProtocolVersion::new(number(tag::PROTOCOL_VERSION_MAJOR)?, number(tag::PROTOCOL_VERSION_MINOR)?))
}

/// The version at the end of a name, for a case whose messages cannot be read: 1.4 of `TC-ECDSA-SIGN-1-14`.
fn version_in(name: &str) -> Option<ProtocolVersion> {
    let last = name.split(['-', '_']).rfind(|part| part.len() == 2)?;
    let (major, minor) = (last.get(..1)?.parse().ok()?, last.get(1..)?.parse().ok()?);
    Some(ProtocolVersion::new(major, minor))
}

/// What stands before the number: `CS-BC` of `CS-BC-M-GCM-1-14`, `SUITEB` of `SUITEB_128-M-1-10`, `TC` of all `TC…`.
fn family(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    if name.starts_with(ENCODINGS) {
        return ENCODINGS.to_owned();
    }
    let before = ["-M-", "-O-"].iter().find_map(|kind| name.split_once(kind)).map(|(before, _)| before);
    match before {
        Some(before) => before.split('_').next().unwrap_or(before).to_owned(),
        None => name.split(['-', '_']).next().unwrap_or(&name).to_owned(),
    }
}

/// `MSGENC-JSON-M-1-14` asks for JSON. The profiles have each encoding over HTTPS.
fn encoding(name: &str) -> Option<Encoding> {
    let name = name.to_ascii_uppercase();
    match name.strip_prefix(ENCODINGS)?.split('-').nth(1)? {
        "HTTPS" => Some(Encoding::Ttlv),
        "XML" => Some(Encoding::Xml),
        "JSON" => Some(Encoding::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, operation: &str) -> String {
        format!(
            r#"<{kind}Message><{kind}Header><ProtocolVersion>
              <ProtocolVersionMajor type="Integer" value="1"/><ProtocolVersionMinor type="Integer" value="2"/>
            </ProtocolVersion><BatchCount type="Integer" value="1"/></{kind}Header>
            <BatchItem><Operation type="Enumeration" value="{operation}"/></BatchItem></{kind}Message>"#
        )
    }

    fn skipped(case: &Case) -> &str {
        match &case.plan {
            Plan::Skip(why) => why,
            Plan::Run(_) => panic!("it runs"),
        }
    }

    #[test]
    fn a_family_is_what_stands_before_the_number() {
        for (name, expected) in [
            ("SKLC-M-1-14", "SKLC"),
            ("SKFF-O-6-10", "SKFF"),
            ("CS-BC-M-GCM-1-14", "CS-BC"),
            ("CS-AC-M-OAEP-10-14", "CS-AC"),
            ("SUITEB_128-M-1-10", "SUITEB"),
            ("MSGENC-HTTPS-M-1-12", "MSGENC"),
            ("TC-I18N-1-13", "TC"),
            ("TC_311_10_Create_Destroy", "TC"),
            ("TC-SK-CREATE-ENCRYPT-DECRYPT-DESTROY", "TC"),
        ] {
            assert_eq!(family(name), expected, "{name}");
        }
    }

    #[test]
    fn the_version_is_that_of_the_first_request() {
        let text = message("Request", "Query") + &message("Response", "Query");
        let case = Case::read("X-M-1-14".to_owned(), &text);
        assert_eq!(case.label(), "1.2/X/X-M-1-14");
        assert!(matches!(&case.plan, Plan::Run(exchanges) if exchanges.len() == 1));
    }

    #[test]
    fn a_request_of_the_server_is_told_from_one_of_the_client() {
        let exchange = |operation: &str| message("Request", operation) + &message("Response", operation);
        let case = Case::read("TC-NP-1-14".to_owned(), &(exchange("Create") + &exchange("Put")));
        let Plan::Run(exchanges) = &case.plan else { panic!("it runs") };
        assert_eq!(exchanges.iter().map(|it| it.from_server).collect::<Vec<_>>(), [false, true]);
        assert!(case.is_asked());
        assert!(!Case::read("SKLC-M-1-14".to_owned(), &exchange("Create")).is_asked());
    }

    #[test]
    fn the_cases_of_encodings_say_how_they_are_carried() {
        for (name, expected) in [
            ("MSGENC-HTTPS-M-1-10", Some(Encoding::Ttlv)),
            ("MSGENC-XML-M-1-12", Some(Encoding::Xml)),
            ("MSGENC-JSON-M-1-14", Some(Encoding::Json)),
            ("SKLC-M-1-14", None),
        ] {
            assert_eq!(encoding(name), expected, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        let case = Case::read("TC-X-1-14".to_owned(), "<KMIP>\n<RequestMessage></ResponseMessage></KMIP>");
        assert!(skipped(&case).contains("line"), "{case:?}");
        assert_eq!(case.version, ProtocolVersion::V1_4);
        assert!(skipped(&Case::read("TC-X-1-14".to_owned(), "")).contains("0 messages"));
    }

    #[test]
    fn the_cases_of_a_profile_build_on_one_another_and_others_stand_alone() {
        let text = message("Request", "Query") + &message("Response", "Query");
        let case = |name: &str| Case::read(name.to_owned(), &text);
        assert!(case("SASED-M-2-12").leads_to(&case("SASED-M-3-12")));
        assert!(!case("SASED-M-3-12").leads_to(&case("SKFF-M-1-12")));
        assert!(!case("TC-OTP-1-12").leads_to(&case("TC-OTP-2-12")));
    }

    #[test]
    fn a_response_of_another_version_than_its_request_is_compared_with_that_of_the_request() {
        let response = message("Response", "Destroy").replace(r#"value="2""#, r#"value="3""#);
        let case = Case::read("OMOS-O-1-14".to_owned(), &(message("Request", "Destroy") + &response));
        let Plan::Run(exchanges) = case.plan else { panic!("it runs") };
        assert_eq!(version_of(&exchanges[0].response), Some(ProtocolVersion::V1_2));
    }

    #[test]
    fn a_response_that_names_another_object_than_its_request_is_compared_with_that_of_the_request() {
        let id = |id| format!(r#"<UniqueIdentifier type="TextString" value="${id}"/>"#);
        let with = |kind: &str, id: &str| {
            let payload = format!("<{kind}Payload>{id}</{kind}Payload></BatchItem>");
            message(kind, "Get").replace("</BatchItem>", &payload)
        };
        let text =
            with("Request", &id("UNIQUE_IDENTIFIER_4")) + &with("Response", &id("UNIQUE_IDENTIFIER_1"));
        let case = Case::read("TC-SJ-4-14".to_owned(), &text);
        let Plan::Run(exchanges) = case.plan else { panic!("it runs") };
        let payload = items(&exchanges[0].response).next().and_then(|it| it.child(tag::RESPONSE_PAYLOAD));
        let named = payload.and_then(|it| it.child(tag::UNIQUE_IDENTIFIER)).map(|it| it.value.clone());
        assert_eq!(named, Some(Value::TextString("$UNIQUE_IDENTIFIER_4".to_owned())));
    }

    #[test]
    fn names_are_sorted_as_people_count() {
        let mut names = ["SKFF-M-10-14", "SKFF-M-2-14", "SKFF-M-1-14"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(names, ["SKFF-M-1-14", "SKFF-M-2-14", "SKFF-M-10-14"]);
    }
}
