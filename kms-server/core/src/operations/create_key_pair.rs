//! Create Key Pair (KMIP 1.4 sections 4.2 and 11.3): a private key and its public half, made here.

use kmip::StandardAttribute;
use kmip::operations::create_key_pair::{Request, Response};

use super::Call;
use super::pair::Halves;
use crate::Refusal;

pub(super) fn carry_out(request: &Request, call: &mut Call<'_, '_, '_>) -> Result<Response, Refusal> {
    call.check_room_for(2)?;
    let halves = Halves::resolve(call, &request.templates)?;
    for (half, which) in [(&halves.private_key, "private"), (&halves.public_key, "public")] {
        if half.integer(StandardAttribute::CryptographicUsageMask).is_none() {
            let message = format!("Create Key Pair needs a Cryptographic Usage Mask of the {which} key");
            return Err(Refusal::invalid_message(message));
        }
    }
    Ok(Response { pair: halves.make(call, None)?.answer() })
}
