//! Batches: order, what becomes of the rest when one item fails, the ID Placeholder, identifiers of items (KMIP 1.4
//! chapter 4 and sections 6.4, 6.12, 6.13, 11.43).

use kmip::enumeration::{ResultReason as R, ResultStatus as S};

use crate::common::{Answer, World, create, made};

fn statuses(answer: &Answer) -> Vec<S> {
    answer.response.items.iter().map(|item| item.result_status).collect()
}

fn three() -> String {
    format!("{} Get {{ UniqueIdentifier=\"none\" }} {}", create("\"x-a\"=1"), create("\"x-a\"=2"))
}

#[test]
fn items_are_answered_in_the_order_they_came() {
    let mut w = World::new();
    let items = format!(
        "{} GetAttributes {{ AttributeName=\"State\" }} Activate {{}} GetAttributes {{ AttributeName=\"State\" }}",
        create("")
    );
    for header in ["", "BatchOrderOption=true", "BatchOrderOption=false"] {
        let answer = w.ask_with(header, &items);
        let texts: Vec<_> = answer.response.items.iter().map(|item| format!("{:?}", item.payload)).collect();
        assert!(
            texts[1].contains("Enumeration(0x00000001)") && texts[3].contains("Enumeration(0x00000002)"),
            "{texts:#?}"
        );
    }
}

#[test]
fn processing_fails_with_continue_and_the_others_are_answered() {
    let mut w = World::new();
    let answer = w.ask_with("BatchErrorContinuationOption=Continue", &three());
    assert_eq!(statuses(&answer), [S::Success, S::OperationFailed, S::Success]);
    assert_eq!(w.objects.len(), 2);
}

#[test]
fn processing_fails_with_stop_and_what_follows_is_not_done_nor_answered() {
    for header in ["BatchErrorContinuationOption=Stop", "", "BatchErrorContinuationOption=#80000001"] {
        let mut w = World::new();
        let answer = w.ask_with(header, &three());
        assert_eq!(statuses(&answer), [S::Success, S::OperationFailed]);
        assert_eq!(w.objects.len(), 1);
    }
}

#[test]
fn processing_fails_with_undo_and_nothing_remains_of_what_was_done() {
    let mut w = World::new();
    w.key();
    let before = w.objects.clone();
    let items = format!("Activate {{ UniqueIdentifier=$1 }} Get {{ UniqueIdentifier=$1 }} {}", three());
    let answer = w.ask_with("BatchErrorContinuationOption=Undo", &items);
    assert_eq!(
        statuses(&answer),
        [S::OperationUndone, S::OperationUndone, S::OperationUndone, S::OperationFailed]
    );
    assert!(answer.response.items.iter().all(|item| item.payload.is_none()));
    assert!(answer.events.is_empty() && answer.served.is_empty());
    assert_eq!(w.objects, before);
    assert_eq!(answer.audit[0].result_status, S::OperationUndone);
}

#[test]
fn processing_succeeds_with_undo_and_all_of_it_stays() {
    let mut w = World::new();
    let answer = w.ask_with("BatchErrorContinuationOption=Undo", &format!("{} Activate {{}}", create("")));
    assert_eq!(statuses(&answer), [S::Success, S::Success]);
    assert_eq!(w.objects.len(), 1);
}

#[test]
fn what_a_failed_item_had_drafted_does_not_remain() {
    // Re-key takes the names off the old key before it looks at the template.
    let mut w = World::new();
    w.key_with("\"Name\" { NameValue=\"k\" NameType=UninterpretedTextString }");
    w.refused(
        "ReKey { UniqueIdentifier=$1 TemplateAttribute { \"Cryptographic Length\"=7 } }",
        R::InvalidField,
    );
}

#[test]
fn the_id_placeholder_stands_for_the_object_just_made() {
    let mut w = World::new();
    let items = format!(
        "{} Activate {{}} Check {{}} Get {{}} GetAttributes {{}} GetAttributeList {{}} AddAttribute {{ \"x-a\"=1 }} \
         ModifyAttribute {{ \"x-a\"=2 }} DeleteAttribute {{ AttributeName=\"x-a\" }} ReKey {{}} \
         Revoke {{ RevocationReason {{ RevocationReasonCode=KeyCompromise }} }} Destroy {{}}",
        create("")
    );
    let answer = w.ask(&items);
    assert!(statuses(&answer).iter().all(|status| *status == S::Success), "{:#?}", answer.audit);
    let (old, new) = (made(&answer.response.items[0]).unwrap(), made(&answer.response.items[9]).unwrap());
    assert_eq!((w.state(&old).as_str(), w.state(&new).as_str()), ("Active", "DestroyedCompromised"));
    assert_eq!(answer.audit[11].unique_identifier.as_deref(), Some(new.as_str()), "the audit says which");
}

#[test]
fn the_id_placeholder_is_empty_when_a_batch_begins() {
    let mut w = World::new();
    w.key();
    for item in ["Get {}", "Activate {}", "Destroy {}", "ReKey {}", "Check {}", "GetAttributeList {}"] {
        let message = w.refused(item, R::ItemNotFound);
        assert!(message.contains("ID Placeholder"), "{message}");
    }
}

#[test]
fn locate_of_one_fills_the_id_placeholder_and_of_several_empties_it() {
    let mut w = World::new();
    w.key_with("\"x-a\"=1");
    let answer = w.ask("Locate { \"x-a\"=1 } Get {}");
    assert_eq!(statuses(&answer), [S::Success, S::Success]);
    w.key_with("\"x-a\"=1");
    let answer = w.ask(&format!("{} Locate {{ \"x-a\"=1 }} Get {{}}", create("")));
    assert_eq!(statuses(&answer), [S::Success, S::Success, S::OperationFailed]);
    let answer = w.ask("Locate { MaximumItems=1 \"x-a\"=1 } Get {}");
    assert_eq!(statuses(&answer), [S::Success, S::Success]);
    let answer = w.ask(&format!("{} Locate {{ \"x-a\"=7 }} Get {{}}", create("")));
    assert_eq!(statuses(&answer), [S::Success, S::Success, S::OperationFailed]);
}

#[test]
fn a_check_that_fails_empties_the_id_placeholder() {
    let mut w = World::new();
    let items = format!("{} Check {{ CryptographicUsageMask=1 }} Get {{}}", create(""));
    let answer = w.ask_with("BatchErrorContinuationOption=Continue", &items);
    assert_eq!(statuses(&answer), [S::Success, S::OperationFailed, S::OperationFailed]);
    assert_eq!(answer.audit[2].result_reason, Some(R::ItemNotFound));
}

#[test]
fn unique_batch_item_ids_are_echoed_exactly_when_they_were_sent() {
    let mut w = World::new();
    let items = "Query#514c4b4301000000 { QueryFunction=QueryServerInformation } DiscoverVersions {} Get#00 { UniqueIdentifier=\"none\" }";
    let answer = w.ask(items);
    let ids: Vec<_> = answer.response.items.iter().map(|item| item.unique_batch_item_id.clone()).collect();
    assert_eq!(ids, [Some(b"QLKC\x01\0\0\0".to_vec()), None, Some(vec![0])]);
}

#[test]
fn batch_count_that_does_not_tell_the_truth_is_an_invalid_message() {
    let mut w = World::new();
    for count in [0, 2, -1, i32::MAX] {
        let answer = w.ask_with(&format!("BatchCount={count}"), "DiscoverVersions {}");
        assert_eq!(answer.audit[0].result_reason, Some(R::InvalidMessage));
        assert_eq!(answer.response.items[0].operation, None);
    }
    let answer = w.ask("");
    assert_eq!(answer.audit[0].result_reason, Some(R::InvalidMessage));
}

#[test]
fn a_client_that_sends_a_correlation_value_is_given_one_of_ours_and_another_each_time() {
    let mut w = World::new();
    let first = w.ask_with("ClientCorrelationValue=\"c1\"", "DiscoverVersions {}");
    let second = w.ask_with("ClientCorrelationValue=\"c1\"", "Get { UniqueIdentifier=\"none\" }");
    let server = |answer: &Answer| answer.response.header.server_correlation_value.clone();
    assert!(server(&first).is_some() && server(&second).is_some() && server(&first) != server(&second));
    assert_eq!(
        (first.correlation.client.as_deref(), &first.correlation.server),
        (Some("c1"), &server(&first))
    );
    assert_eq!(server(&w.ask("DiscoverVersions {}")), None);
    w.version = kmip::ProtocolVersion::V1_3;
    let older = w.ask_with("ClientCorrelationValue=\"c1\"", "DiscoverVersions {}");
    assert_eq!((server(&older), older.correlation.server), (None, None));
}

#[test]
fn an_attestation_is_refused_as_failed_and_being_able_to_attest_is_not() {
    let mut w = World::new();
    let attestation = "Authentication { Credential { CredentialType=Attestation CredentialValue { \
                       Nonce { NonceID=0x01 NonceValue=0x02 } AttestationType=TPMQuote AttestationMeasurement=0x03 } } }";
    let answer = w.ask_with(attestation, &format!("{} DiscoverVersions {{}}", create("")));
    assert_eq!(statuses(&answer), [S::OperationFailed, S::OperationFailed]);
    assert_eq!(answer.audit[0].result_reason, Some(R::AttestationFailed));
    assert!(w.objects.is_empty());
    let answer = w.ask_with("AttestationCapableIndicator=true", "DiscoverVersions {}");
    assert_eq!(statuses(&answer), [S::Success]);
}

#[test]
fn a_time_stamp_of_any_skew_is_tolerated() {
    let mut w = World::new();
    for time in ["@0", "@-5", "@9223372036854775807"] {
        let answer = w.ask_with(&format!("TimeStamp={time}"), "DiscoverVersions {}");
        assert_eq!(statuses(&answer), [S::Success]);
        assert_eq!(answer.response.header.time_stamp, w.now);
    }
}

#[test]
fn a_critical_message_extension_fails_the_whole_message_and_another_is_passed_over() {
    let mut w = World::new();
    let extended = |critical| {
        format!(
            "{} DiscoverVersions {{}} MessageExtension {{ VendorIdentification=\"v\" CriticalityIndicator={critical} VendorExtension {{}} }}",
            create("")
        )
    };
    let answer = w.ask(&extended(true));
    assert_eq!(statuses(&answer), [S::OperationFailed, S::OperationFailed]);
    assert_eq!(answer.audit[0].result_reason, Some(R::FeatureNotSupported));
    assert!(w.objects.is_empty());
    assert_eq!(statuses(&w.ask(&extended(false))), [S::Success, S::Success]);
}

#[test]
fn a_payload_that_cannot_be_read_fails_its_item_alone() {
    let mut w = World::new();
    let items = format!("{} Revoke {{}} Activate {{}}", create(""));
    let answer = w.ask_with("BatchErrorContinuationOption=Continue", &items);
    assert_eq!(statuses(&answer), [S::Success, S::OperationFailed, S::Success]);
    assert_eq!(answer.audit[1].result_reason, Some(R::InvalidMessage));
}

#[test]
fn a_field_that_is_there_twice_is_an_invalid_message() {
    let mut w = World::new();
    w.key();
    w.refused("Activate { UniqueIdentifier=$1 UniqueIdentifier=$1 }", R::InvalidMessage);
}

#[test]
fn an_operation_that_the_server_does_not_have_is_not_supported_whatever_the_rights() {
    let mut w = World::new();
    for client in ["vc01", "admin"] {
        w.client = client;
        for operation in ["#98", "#99"] {
            w.refused(&format!("{operation} {{}}"), R::OperationNotSupported);
        }
    }
}
