//! Query (KMIP 1.4 section 4.25): the truth about this server, from the tables that it works by.

use kmip::enumeration::{ObjectType, QueryFunction, RngAlgorithm};
use kmip::operations::TYPED;
use kmip::operations::query::{Request, Response};
use kmip::tag;
use ttlv::{Node, Value};

use super::Call;
use crate::Refusal;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let mut response = Response::default();
    for function in &request.query_functions {
        match function {
            QueryFunction::QueryOperations => {
                let known = TYPED.iter().filter(|operation| operation.introduced() <= call.version);
                response.operations = known.copied().collect();
            }
            QueryFunction::QueryObjects => {
                let known =
                    ObjectType::ALL.iter().filter(|object_type| object_type.introduced() <= call.version);
                response.object_types = known.copied().collect();
            }
            QueryFunction::QueryServerInformation => {
                response.vendor_identification = Some(call.context.vendor_identification.to_owned());
            }
            // Keys come from the system's generator, of which nothing is promised here.
            QueryFunction::QueryRngs => {
                let unspecified = Value::Enumeration(RngAlgorithm::Unspecified.number());
                let parameters = Value::Structure(vec![Node::new(tag::RNG_ALGORITHM, unspecified)]);
                response.rng_parameters = vec![parameters];
            }
            // "Note that the response payload is empty if there are no values to return."
            QueryFunction::QueryApplicationNamespaces
            | QueryFunction::QueryExtensionList
            | QueryFunction::QueryExtensionMap
            | QueryFunction::QueryAttestationTypes
            | QueryFunction::QueryValidations
            | QueryFunction::QueryProfiles
            | QueryFunction::QueryCapabilities
            | QueryFunction::QueryClientRegistrationMethods => {}
            QueryFunction::Unknown(number) => {
                return Err(Refusal::invalid_field(format!("Query Function 0x{number:08x} is unknown")));
            }
        }
    }
    Ok(response)
}
