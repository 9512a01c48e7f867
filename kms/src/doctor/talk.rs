//! What the server says in KMIP: whether this client is let in, and whether the server does what vCenter needs.

use std::net::SocketAddr;
use std::time::Duration;

use kmip::attribute::RevocationReason;
use kmip::client::{Client, ClientConfig, ClientError, Connection, ServerTrust};
use kmip::enumeration::{
    CryptographicAlgorithm, ObjectType, Operation, QueryFunction, ResultStatus, RevocationReasonCode, State,
};
use kmip::mask::CryptographicUsageMask;
use kmip::operations::{
    activate, add_attribute, create, destroy, discover_versions, get, get_attributes, query, revoke,
};
use kmip::{
    Attribute, AttributeName, ManagedObject, ProtocolVersion, RequestMessage, RequestPayload, ResponseItem,
    ResponsePayload, StandardAttribute, TemplateAttribute,
};
use rustls::pki_types::CertificateDer;
use ttlv::Value;

use super::pair::Pair;
use super::report::Report;
use crate::{print, time};

/// The version that vCenter states in every request.
const VERSION: ProtocolVersion = ProtocolVersion::V1_1;

/// What vCenter asks of a key server.
const NEEDED: [Operation; 7] = [
    Operation::Create,
    Operation::Get,
    Operation::GetAttributes,
    Operation::AddAttribute,
    Operation::Activate,
    Operation::Query,
    Operation::DiscoverVersions,
];

/// Seconds between the server's clock and ours that are of no interest, and those that break certificates.
const SKEW_S_GOOD: u64 = 5;
const SKEW_S_MAX: u64 = 300;

/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Bits of the keys that vCenter asks for.
const KEY_BITS: i32 = 256;

/// Looks at the server as this client, on a connection whose server shows the certificate that was looked at before.
pub(super) async fn check(
    report: &mut Report,
    address: SocketAddr,
    chain: &[CertificateDer<'_>],
    pair: &Pair,
    write: bool,
) {
    let Some(leaf) = chain.first() else { return };
    let config = ClientConfig::builder(address.to_string(), ServerTrust::pinned(leaf))
        .identity_pem(pair.cert_pem.as_bytes(), pair.key_pem.danger_expose().as_bytes())
        .request_timeout(ANSWER_TIMEOUT)
        .protocol_version(VERSION)
        .build();
    let connected = match config {
        Ok(config) => Client::connect(&config).await,
        Err(error) => Err(error),
    };
    let mut talk = match connected {
        Ok(connection) => Talk { connection, asked: 0 },
        Err(error) => return not_let_in(report, &error),
    };
    // TLS 1.3 says only now whether it took our certificate.
    if let Err(error) = check_versions(report, &mut talk).await {
        return not_let_in(report, &error);
    }
    if let Err(error) = check_the_rest(report, &mut talk, write).await {
        report.bad_error("KMIP", &error, "look at the server's log");
    }
}

fn not_let_in(report: &mut Report, error: &ClientError) {
    const FIX: &str = "make the client known on the server (kms client add NAME --cert FILE); its log says why it refused this one";
    match error.alert() {
        Some(_) => report.bad("client", print::split_hint(&error.to_string()).0, FIX),
        None => report.bad_error("client", error, FIX),
    }
}

/// One connection, and the Unique Batch Item IDs that it used.
struct Talk {
    connection: Connection,
    asked: u32,
}

/// An answer with what stood around it.
struct Answer {
    item: ResponseItem,
    time_stamp: i64,
    /// Whether the Unique Batch Item ID came back as it was sent.
    id_echoed: bool,
}

impl Talk {
    /// Asks one thing as vCenter does: version 1.1, an id of eight bytes.
    async fn ask(&mut self, payload: impl Into<RequestPayload>) -> Result<Answer, ClientError> {
        self.asked += 1;
        let mut id = b"QLKC".to_vec();
        id.extend(self.asked.to_le_bytes());
        self.send(payload, Some(id)).await
    }

    async fn send(
        &mut self,
        payload: impl Into<RequestPayload>,
        id: Option<Vec<u8>>,
    ) -> Result<Answer, ClientError> {
        let mut message = RequestMessage::new(VERSION, [payload.into()]);
        message.items.iter_mut().for_each(|item| item.unique_batch_item_id.clone_from(&id));
        let response = self.connection.call(&message).await?;
        let time_stamp = response.header.time_stamp;
        let count = response.items.len();
        let mut items = response.items.into_iter();
        match (items.next(), count) {
            (Some(item), 1) => {
                let id_echoed = item.unique_batch_item_id == id;
                Ok(Answer { item, time_stamp, id_echoed })
            }
            _ => Err(ClientError::Mismatch {
                address: self.connection.address().to_owned(),
                expected: "one answer".to_owned(),
                got: format!("{count} answers"),
            }),
        }
    }
}

impl Answer {
    /// The payload, or the server's reason as words.
    fn payload(self) -> Result<ResponsePayload, String> {
        let item = self.item;
        match (item.result_status, item.payload) {
            (ResultStatus::Success, Some(payload)) => Ok(payload),
            (ResultStatus::Success, None) => Err("Success, but without a payload".to_owned()),
            (status, _) => {
                let reason = item.result_reason.map(|reason| format!(", {reason:?}")).unwrap_or_default();
                let message = item.result_message.map(|message| format!(": {message}")).unwrap_or_default();
                Err(format!("{status:?}{reason}{message}"))
            }
        }
    }
}

/// Discover Versions without an id, as vCenter opens every connection.
async fn check_versions(report: &mut Report, talk: &mut Talk) -> Result<(), ClientError> {
    let answer = talk.send(discover_versions::Request::default(), None).await?;
    report.good("client", format!("the server lets it in ({})", talk.connection.tls()));
    check_clock(report, answer.time_stamp, time::now_s());
    match answer.payload() {
        Ok(ResponsePayload::DiscoverVersions(response)) => {
            let versions = &response.protocol_versions;
            let words = versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            match versions.contains(&VERSION) {
                true => report.good("KMIP versions", words),
                false => report.bad(
                    "KMIP versions",
                    format!("{words}: {VERSION} is not among them"),
                    "vCenter speaks 1.1 only: allow it on the server",
                ),
            }
        }
        Ok(_) => report.bad("KMIP versions", "an answer to something else", "this is the server's bug"),
        Err(why) => report.bad("KMIP versions", why, "the server must answer Discover Versions (KMIP 1.1)"),
    }
    Ok(())
}

fn check_clock(report: &mut Report, theirs: i64, ours: i64) {
    let skew = theirs.abs_diff(ours);
    let words = if skew <= 1 {
        "the same as here".to_owned()
    } else {
        let side = if theirs > ours { "ahead of" } else { "behind" };
        format!("{skew} s {side} ours")
    };
    match skew {
        0..=SKEW_S_GOOD => report.good("clock", words),
        6..=SKEW_S_MAX => report.warn("clock", words, "set both clocks by NTP"),
        _ => {
            report.bad("clock", words, "set both clocks by NTP: certificates are refused by the wrong clock")
        }
    }
}

async fn check_the_rest(report: &mut Report, talk: &mut Talk, write: bool) -> Result<(), ClientError> {
    check_query(report, talk).await?;
    match write {
        true => check_write(report, talk).await,
        false => {
            report.skip("a key", "not tried; --write makes one, reads and activates it");
            Ok(())
        }
    }
}

async fn check_query(report: &mut Report, talk: &mut Talk) -> Result<(), ClientError> {
    // Function 3 alone is what vCenter asks when trust is set.
    let functions = vec![QueryFunction::QueryServerInformation];
    let answer = talk.ask(query::Request { query_functions: functions }).await?;
    match answer.id_echoed {
        true => report.good("batch item ids", "come back as they were sent"),
        false => report.bad(
            "batch item ids",
            "the Unique Batch Item ID did not come back as it was sent",
            "vCenter matches answers by it; this is the server's bug",
        ),
    }
    match answer.payload() {
        Ok(ResponsePayload::Query(response)) => {
            let vendor = response.vendor_identification;
            report.good("Query", vendor.unwrap_or_else(|| "answers, without a vendor".to_owned()));
        }
        Ok(_) => report.bad("Query", "an answer to something else", "this is the server's bug"),
        Err(why) => report.bad("Query", why, "vCenter asks this when trust is set; the server must answer"),
    }
    let functions = vec![QueryFunction::QueryOperations];
    let answer = talk.ask(query::Request { query_functions: functions }).await?;
    let Ok(ResponsePayload::Query(response)) = answer.payload() else {
        report.warn("operations", "the server does not list them", "nothing to do, as long as --write works");
        return Ok(());
    };
    let missing: Vec<_> = NEEDED.iter().filter(|needed| !response.operations.contains(needed)).collect();
    match missing.is_empty() {
        true => report.good("operations", "all that vCenter needs"),
        false => {
            let words =
                missing.iter().map(|operation| format!("{operation:?}")).collect::<Vec<_>>().join(", ");
            report.bad(
                "operations",
                format!("missing: {words}"),
                "vCenter needs them: use a server that has them",
            );
        }
    }
    Ok(())
}

/// One key the way vCenter makes it, in its order: Create, Get while Pre-Active, State, Activate, an x-attribute.
async fn check_write(report: &mut Report, talk: &mut Talk) -> Result<(), ClientError> {
    let usage = CryptographicUsageMask::ENCRYPT | CryptographicUsageMask::DECRYPT;
    let attributes = vec![
        Attribute::new(
            StandardAttribute::CryptographicAlgorithm,
            Value::Enumeration(CryptographicAlgorithm::Aes.number()),
        ),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(usage.bits())),
        Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(KEY_BITS)),
    ];
    let template_attribute = TemplateAttribute { names: Vec::new(), attributes };
    let request = create::Request { object_type: ObjectType::SymmetricKey, template_attribute };
    let id = match talk.ask(request).await?.payload() {
        Ok(ResponsePayload::Create(response)) => response.unique_identifier,
        Ok(_) => {
            report.bad("Create", "an answer to something else", "this is the server's bug");
            return Ok(());
        }
        Err(why) => {
            report.bad(
                "Create",
                why,
                "give the client the right to create: kms client add ... --rights read,create,change",
            );
            return Ok(());
        }
    };
    report.good("Create", format!("an AES-256 key, {id}"));
    check_get(report, talk, &id).await?;
    check_state(report, talk, &id, "State before", State::PreActive).await?;
    let request = activate::Request { unique_identifier: Some(id.clone()) };
    step(report, "Activate", talk.ask(request).await?, "done");
    check_state(report, talk, &id, "State after", State::Active).await?;
    let attribute =
        Attribute::new(AttributeName::new("x-Product"), Value::TextString("kms doctor".to_owned()));
    let request = add_attribute::Request { unique_identifier: Some(id.clone()), attribute };
    step(report, "Add Attribute", talk.ask(request).await?, "x-Product");
    clean_up(report, talk, id).await
}

fn step(report: &mut Report, name: &'static str, answer: Answer, words: &str) {
    match answer.payload() {
        Ok(_) => report.good(name, words),
        Err(why) => {
            report.bad(name, why, "vCenter needs this; look at the server's log and the client's rights")
        }
    }
}

async fn check_get(report: &mut Report, talk: &mut Talk, id: &str) -> Result<(), ClientError> {
    let request = get::Request { unique_identifier: Some(id.to_owned()), ..get::Request::default() };
    let bits = match talk.ask(request).await?.payload() {
        Ok(ResponsePayload::Get(get::Response { object: ManagedObject::SymmetricKey(block), .. })) => {
            block.plain_bytes().map(|bytes| bytes.len() * 8)
        }
        Ok(_) => None,
        Err(why) => {
            report.bad(
                "Get",
                why,
                "vCenter reads a key before it is active; the client needs the right to read",
            );
            return Ok(());
        }
    };
    match bits {
        Some(256) => report.good("Get", "256 bits, while Pre-Active"),
        Some(bits) => report.bad("Get", format!("{bits} bits, expected 256"), "this is the server's bug"),
        None => report.bad("Get", "no plain symmetric key came", "vCenter wants the key Raw and not wrapped"),
    }
    Ok(())
}

async fn check_state(
    report: &mut Report,
    talk: &mut Talk,
    id: &str,
    name: &'static str,
    expected: State,
) -> Result<(), ClientError> {
    const FIX: &str = "vCenter fails without State; this is the server's bug";
    let request = get_attributes::Request {
        unique_identifier: Some(id.to_owned()),
        attribute_names: vec![StandardAttribute::State.into()],
    };
    match talk.ask(request).await?.payload() {
        Ok(ResponsePayload::GetAttributes(response)) => {
            match response.attributes.first().map(|attribute| &attribute.value) {
                Some(Value::Enumeration(number)) if State::from_number(*number) == expected => {
                    report.good(name, format!("{expected:?}"));
                }
                Some(Value::Enumeration(number)) => {
                    let got = State::from_number(*number);
                    report.bad(name, format!("expected {expected:?}, got {got:?}"), FIX);
                }
                _ => report.bad(name, "no State came", FIX),
            }
        }
        Ok(_) => report.bad(name, "an answer to something else", FIX),
        Err(why) => report.bad(name, why, FIX),
    }
    Ok(())
}

/// Revokes and destroys the key, where the client may; else says that it stays.
async fn clean_up(report: &mut Report, talk: &mut Talk, id: String) -> Result<(), ClientError> {
    let request = revoke::Request {
        unique_identifier: Some(id.clone()),
        revocation_reason: RevocationReason {
            code: RevocationReasonCode::CessationOfOperation,
            message: None,
        },
        compromise_occurrence_date: None,
    };
    let revoked = talk.ask(request).await?.payload();
    let request = destroy::Request { unique_identifier: Some(id.clone()) };
    let destroyed = match revoked {
        Ok(_) => talk.ask(request).await?.payload(),
        Err(why) => Err(why),
    };
    match destroyed {
        Ok(_) => report.good("clean up", "the key is destroyed"),
        Err(why) => {
            report.skip("clean up", format!("key {id} stays, this client may not destroy it ({why})"))
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "talk_tests.rs"]
mod tests;
