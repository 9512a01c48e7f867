//! Habits of other products' clients that are seen on a connection only, against a real server. Those that one message
//! shows are exchanges of kms-core's tests, `golden/habit_*.txt`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed expectation is a test's message, in its helpers too"
)]

use kmip::client::{Client, Connection};
use kmip::enumeration::{ObjectType, ResultStatus};
use kmip::operations::{create, get, locate};
use kmip::{
    Attribute, ProtocolVersion, RequestMessage, RequestPayload, ResponseMessage, ResponsePayload,
    StandardAttribute, TemplateAttribute,
};
use lab::Lab;
use ttlv::{Limits, Value};

/// What a tape library writes before it reads an answer.
const PIPELINED: usize = 8;

#[tokio::test]
async fn eight_requests_written_at_once_are_answered_in_their_order() {
    let lab = Lab::start().await;
    let mut connection = Client::connect(&lab.client_config()).await.unwrap();
    let creates: Vec<_> = (0..PIPELINED).map(|place| (ProtocolVersion::V1_0, create_named(place))).collect();
    let mut ids = Vec::new();
    for payload in pipelined(&mut connection, &creates).await {
        let ResponsePayload::Create(created) = payload else { panic!("{payload:?}") };
        ids.push(created.unique_identifier);
    }
    // Reads and writes, at two versions in turns.
    let mixed: Vec<_> = (0..PIPELINED)
        .map(|place| match place % 2 {
            0 => (ProtocolVersion::V1_2, get_of(&ids[place])),
            _ => (ProtocolVersion::V1_0, locate_named(place)),
        })
        .collect();
    for (place, payload) in pipelined(&mut connection, &mixed).await.into_iter().enumerate() {
        match payload {
            ResponsePayload::Get(got) => assert_eq!(got.unique_identifier, ids[place]),
            ResponsePayload::Locate(found) => assert_eq!(found.unique_identifiers, [ids[place].clone()]),
            other => panic!("{other:?}"),
        }
    }
}

/// Sends all in one write, then reads an answer for each, in the version that was asked in.
async fn pipelined(
    connection: &mut Connection,
    requests: &[(ProtocolVersion, RequestPayload)],
) -> Vec<ResponsePayload> {
    let mut bytes = Vec::new();
    for (version, payload) in requests {
        let mut request = RequestMessage::new(*version, vec![payload.clone()]);
        request.header.maximum_response_size = Some(8192);
        request.encode(&mut bytes);
    }
    connection.send_raw(&bytes).await.unwrap();
    let mut payloads = Vec::new();
    for (version, _) in requests {
        let answer = connection.receive_raw().await.unwrap();
        let mut answer = ResponseMessage::decode(&answer, Limits::default()).unwrap();
        assert_eq!(answer.header.protocol_version, *version);
        let item = answer.items.remove(0);
        assert_eq!(item.result_status, ResultStatus::Success, "{:?}", item.result_message);
        payloads.push(item.payload.unwrap());
    }
    payloads
}

fn name_of(place: usize) -> Attribute {
    let name = kmip::attribute::Name::text(format!("volume-{place}"));
    Attribute::new(StandardAttribute::Name, name.to_value())
}

fn create_named(place: usize) -> RequestPayload {
    let template_attribute = TemplateAttribute {
        names: Vec::new(),
        attributes: vec![
            Attribute::new(StandardAttribute::CryptographicAlgorithm, Value::Enumeration(3)),
            Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(256)),
            Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(12)),
            name_of(place),
        ],
    };
    create::Request { object_type: ObjectType::SymmetricKey, template_attribute }.into()
}

fn get_of(id: &str) -> RequestPayload {
    get::Request { unique_identifier: Some(id.to_owned()), ..get::Request::default() }.into()
}

fn locate_named(place: usize) -> RequestPayload {
    locate::Request { attributes: vec![name_of(place)], ..locate::Request::default() }.into()
}
