//! Query (KMIP 1.4 section 4.25): the truth about this server, from the tables that it works by.

mod capabilities;
mod profiles;

use kmip::enumeration::{ClientRegistrationMethod, ObjectType, Operation, QueryFunction, RngAlgorithm};
use kmip::operations::TYPED;
use kmip::operations::query::{Request, Response};
use kmip::tag;
use ttlv::{Node, Value};

use super::Call;
use crate::Refusal;

/// An operator lets clients in before they ask: with a certificate that the operator has made for them, or with one that
/// they made and handed to the operator.
const CLIENT_REGISTRATION: [ClientRegistrationMethod; 2] =
    [ClientRegistrationMethod::ServerPreGenerated, ClientRegistrationMethod::ClientRegistered];

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    if request.query_functions.is_empty() {
        return Err(Refusal::invalid_message("Query asks for nothing; hint: name a Query Function"));
    }
    let mut response = Response::default();
    for function in &request.query_functions {
        match function {
            QueryFunction::Unknown(number) => {
                return Err(Refusal::invalid_field(format!("Query Function 0x{number:08x} is unknown")));
            }
            // Clients ask for what they know whichever version they speak; nothing is said of it in one that lacks it.
            later if later.introduced() > call.version => {}
            QueryFunction::QueryOperations => {
                let known = TYPED.iter().filter(|operation| operation.introduced() <= call.version);
                response.operations = known.copied().collect();
                // What the server asks of its tenants' listeners (KMIP 1.4 chapter 5).
                response.operations.extend([Operation::Notify, Operation::Put]);
            }
            QueryFunction::QueryObjects => {
                let known =
                    ObjectType::ALL.iter().filter(|object_type| object_type.introduced() <= call.version);
                response.object_types = known.copied().collect();
            }
            QueryFunction::QueryServerInformation => {
                response.vendor_identification = Some(call.context.vendor_identification.to_owned());
                // "this field SHALL be returned", and this vendor has nothing to add.
                response.server_information = Some(Value::Structure(Vec::new()));
            }
            // Keys come from the system's generator, of which nothing is promised here.
            QueryFunction::QueryRngs => {
                let unspecified = Value::Enumeration(RngAlgorithm::Unspecified.number());
                let parameters = Value::Structure(vec![Node::new(tag::RNG_ALGORITHM, unspecified)]);
                response.rng_parameters = vec![parameters];
            }
            QueryFunction::QueryProfiles => {
                response.profile_information = profiles::met(TYPED, call.version);
            }
            QueryFunction::QueryCapabilities => {
                response.capability_information = vec![capabilities::all(TYPED)];
            }
            QueryFunction::QueryClientRegistrationMethods => {
                response.client_registration_methods = CLIENT_REGISTRATION.to_vec();
            }
            // "Note that the response payload is empty if there are no values to return": this server makes up no
            // Application Data, knows no extension and no attestation, and nobody has validated it.
            QueryFunction::QueryApplicationNamespaces
            | QueryFunction::QueryExtensionList
            | QueryFunction::QueryExtensionMap
            | QueryFunction::QueryAttestationTypes
            | QueryFunction::QueryValidations => {}
        }
    }
    Ok(response)
}
