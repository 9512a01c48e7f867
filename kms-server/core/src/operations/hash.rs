//! Hash (KMIP 1.4 sections 4.37 and 11.38): a digest of what the client sends.

use kmip::enumeration::{HashingAlgorithm, Operation};
use kmip::operations::hash::{Request, Response};

use super::parts::{self, Asked};
use super::{Call, data};
use crate::Refusal;
use crate::cryptography::Stream;
use crate::usage::read_parameters;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    let asked = Asked {
        operation: Operation::Hash,
        part: &request.part,
        unique_identifier: None,
        purpose: None,
        parameters: Some(&request.cryptographic_parameters),
        data: request.data.as_ref(),
    };
    let cryptography = call.context.cryptography;
    if let Some(mut advance) = parts::advance(&asked, call)? {
        let stream = Stream::Hash(algorithm(advance.parameters.hashing_algorithm)?);
        let state = &advance.remembered.state;
        if advance.last {
            let digest = cryptography.last_part(&stream, state, advance.data, &[])?.rest;
            return Ok(Response { data: Some(digest.to_vec()), correlation_value: None });
        }
        advance.remembered.state = cryptography.part(&stream, state, advance.data)?.state;
        return Ok(Response { data: None, correlation_value: Some(advance.correlation_value(call)?) });
    }
    let data = data::given(request.data.as_ref())?;
    let parameters = read_parameters(&request.cryptographic_parameters)?;
    let digest = cryptography.hash(algorithm(parameters.hashing_algorithm)?, data)?;
    Ok(Response { data: Some(digest), correlation_value: None })
}

fn algorithm(named: Option<HashingAlgorithm>) -> Result<HashingAlgorithm, Refusal> {
    named.ok_or_else(|| Refusal::invalid_field("the Cryptographic Parameters name no Hashing Algorithm"))
}
