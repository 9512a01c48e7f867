//! What a client reads when no node answers: KMIP's General Failure, item by item, with what it may have to check.

use kmip::enumeration::{ResultReason, ResultStatus};
use kmip::{ProtocolVersion, RequestMessage, ResponseHeader, ResponseItem, ResponseMessage};

use super::course::GivenUp;

/// The text of a request that was given up.
pub(super) fn text(given_up: &GivenUp, waited_ms: u128) -> String {
    let what = match (given_up.killed, given_up.once) {
        (true, _) => {
            "two key servers were lost while they had this request; it is given to no other".to_owned()
        }
        (false, true) => {
            "the key server was lost while it had this change; it is given to no other".to_owned()
        }
        (false, false) => format!("no key server answered within {waited_ms} ms"),
    };
    match given_up.perhaps {
        true => format!("{what}; it may have been carried out; hint: look with Locate before you repeat it"),
        false => format!("{what}; nothing was changed; hint: try again, and see the page of health-proxy"),
    }
}

/// The message that refuses every item of `request`, or, where that could not be read, one without an operation.
pub(super) fn message(
    request: Option<&RequestMessage>,
    version: ProtocolVersion,
    reason: ResultReason,
    text: &str,
    now: i64,
) -> Vec<u8> {
    let refused = |operation, id| ResponseItem {
        operation,
        unique_batch_item_id: id,
        result_status: ResultStatus::OperationFailed,
        result_reason: Some(reason),
        result_message: Some(text.to_owned()),
        asynchronous_correlation_value: None,
        payload: None,
        unrecognised: Vec::new(),
        message_extension: None,
    };
    let items: Vec<_> = match request {
        Some(request) => {
            let items = request.items.iter();
            items.map(|item| refused(Some(item.operation), item.unique_batch_item_id.clone())).collect()
        }
        None => vec![refused(None, None)],
    };
    let count = i32::try_from(items.len()).unwrap_or(i32::MAX);
    let mut out = Vec::new();
    ResponseMessage { header: ResponseHeader::new(version, now, count), items }.encode(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use kmip::operations::{destroy, get};

    use super::*;

    #[test]
    fn every_item_is_refused_under_its_own_id() {
        let payloads = [get::Request::default().into(), destroy::Request::default().into()];
        let mut request = RequestMessage::new(ProtocolVersion::V1_2, payloads);
        request.items[0].unique_batch_item_id = Some(vec![1]);
        request.items[1].unique_batch_item_id = Some(vec![2]);
        let bytes = message(Some(&request), ProtocolVersion::V1_2, ResultReason::GeneralFailure, "why", 7);
        let read = ResponseMessage::decode(&bytes, ttlv::Limits::default()).unwrap();
        assert_eq!(read.header.protocol_version, ProtocolVersion::V1_2);
        let said: Vec<_> =
            read.items.iter().map(|item| (item.unique_batch_item_id.clone(), item.operation)).collect();
        let asked: Vec<_> = request
            .items
            .iter()
            .map(|item| (item.unique_batch_item_id.clone(), Some(item.operation)))
            .collect();
        assert_eq!(said, asked);
        assert!(read.items.iter().all(|item| item.result_reason == Some(ResultReason::GeneralFailure)));
    }

    #[test]
    fn the_text_says_whether_it_may_have_been_carried_out() {
        let given_up = |perhaps, killed| GivenUp { perhaps, killed, once: false, reason: None };
        assert_eq!(
            text(&given_up(true, false), 10_000),
            "no key server answered within 10000 ms; it may have been carried out; hint: look with Locate before you \
             repeat it"
        );
        assert!(text(&given_up(false, false), 1).contains("nothing was changed"));
        assert!(text(&given_up(true, true), 1).starts_with("two key servers were lost"));
        assert_eq!(
            text(&GivenUp { once: true, ..given_up(true, false) }, 1),
            "the key server was lost while it had this change; it is given to no other; it may have been carried out; \
             hint: look with Locate before you repeat it"
        );
    }
}
