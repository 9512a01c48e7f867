//! What Query says, in every version (KMIP 1.4 section 4.25): what is true, from the tables that dispatch.

use kmip::enumeration::{ObjectType, Operation, QueryFunction, ResultReason as R};
use kmip::operations::{TYPED, query};
use kmip::{ProtocolVersion, ResponsePayload, tag};
use ttlv::Value;

use crate::common::World;

const VERSIONS: [ProtocolVersion; 5] = [
    ProtocolVersion::V1_0,
    ProtocolVersion::V1_1,
    ProtocolVersion::V1_2,
    ProtocolVersion::V1_3,
    ProtocolVersion::V1_4,
];

fn asked(version: ProtocolVersion, functions: &[QueryFunction]) -> query::Response {
    let mut w = World::new();
    w.version = version;
    let fields: String = functions.iter().map(|function| format!("QueryFunction={function} ")).collect();
    match w.done(&format!("Query {{ {fields} }}")).payload {
        Some(ResponsePayload::Query(response)) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_operation_that_is_listed_is_carried_out_and_every_other_is_not() {
    for version in VERSIONS {
        let listed = asked(version, &[QueryFunction::QueryOperations]).operations;
        for operation in Operation::ALL {
            let mut w = World::new();
            w.version = version;
            let answer = w.ask(&format!("#{:08x} {{}}", operation.number()));
            let reason = answer.response.items[0].result_reason;
            let there = reason != Some(R::OperationNotSupported);
            // A client of 1.0 may ask which versions there are, as if it knew how.
            let unlisted = *operation == Operation::DiscoverVersions && version == ProtocolVersion::V1_0;
            // What the server asks of a tenant's listener; nobody asks it of the server.
            let asks = matches!(operation, Operation::Notify | Operation::Put);
            assert!(!(asks && there), "{operation}");
            assert_eq!(
                listed.contains(operation),
                there && !unlisted || asks,
                "{operation} in {version}: {reason:?}"
            );
        }
        let known = TYPED.iter().filter(|operation| operation.introduced() <= version);
        assert_eq!(listed.len(), known.count() + 2, "each once, in {version}");
    }
}

#[test]
fn every_object_type_that_is_listed_can_be_registered_as_far_as_its_name_goes() {
    for version in VERSIONS {
        let listed = asked(version, &[QueryFunction::QueryObjects]).object_types;
        for object_type in ObjectType::ALL {
            let mut w = World::new();
            w.version = version;
            let item = format!("Register {{ ObjectType={object_type} TemplateAttribute {{}} }}");
            let answer = w.ask(&item);
            // With a known type it is the object that is missing.
            let known = answer.response.items[0].result_reason == Some(R::InvalidMessage);
            assert_eq!(listed.contains(object_type), known, "{object_type} in {version}");
        }
    }
}

#[test]
fn a_function_of_a_later_version_is_passed_over_and_an_unknown_one_refused() {
    for version in VERSIONS {
        for function in QueryFunction::ALL {
            let response = asked(version, &[*function]);
            if function.introduced() > version {
                assert_eq!(response, query::Response::default(), "{function} at {version}");
            }
        }
    }
    World::new().refused("Query { QueryFunction=#00000063 }", R::InvalidField);
    World::new().refused("Query {}", R::InvalidMessage);
}

#[test]
fn what_was_not_asked_for_is_not_said() {
    for function in QueryFunction::ALL {
        let response = asked(ProtocolVersion::V1_4, &[*function]);
        let said = [
            (QueryFunction::QueryOperations, response.operations.len()),
            (QueryFunction::QueryObjects, response.object_types.len()),
            (QueryFunction::QueryServerInformation, usize::from(response.vendor_identification.is_some())),
            (QueryFunction::QueryServerInformation, usize::from(response.server_information.is_some())),
            (QueryFunction::QueryRngs, response.rng_parameters.len()),
            (QueryFunction::QueryProfiles, response.profile_information.len()),
            (QueryFunction::QueryCapabilities, response.capability_information.len()),
            (QueryFunction::QueryClientRegistrationMethods, response.client_registration_methods.len()),
        ];
        for (asked, count) in said {
            assert_eq!(asked == *function, count > 0, "{asked} answered to {function}");
        }
        // Of these there is nothing to say, in any version.
        assert!(response.application_namespaces.is_empty() && response.extension_information.is_empty());
        assert!(response.attestation_types.is_empty() && response.validation_information.is_empty());
    }
}

#[test]
fn capabilities_are_told_as_their_version_has_them() {
    let fields = |version| {
        let response = asked(version, &[QueryFunction::QueryCapabilities]);
        let Some(Value::Structure(fields)) = response.capability_information.first().cloned() else {
            panic!("{response:?}")
        };
        fields
    };
    let batch = [tag::BATCH_UNDO_CAPABILITY, tag::BATCH_CONTINUE_CAPABILITY];
    let count = |version| fields(version).iter().filter(|field| batch.contains(&field.tag)).count();
    assert_eq!((count(ProtocolVersion::V1_3), count(ProtocolVersion::V1_4)), (0, 2));
    assert_eq!(fields(ProtocolVersion::V1_4).len(), 9);
}

#[test]
fn what_is_said_of_asynchronous_requests_is_what_happens_to_one() {
    let response = asked(ProtocolVersion::V1_4, &[QueryFunction::QueryCapabilities]);
    let Some(Value::Structure(fields)) = response.capability_information.first() else { panic!() };
    let asynchronous = fields.iter().find(|field| field.tag == tag::ASYNCHRONOUS_CAPABILITY).unwrap();
    assert_eq!(asynchronous.value, Value::Boolean(TYPED.contains(&Operation::Poll)));
}
