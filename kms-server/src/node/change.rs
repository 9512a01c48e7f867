//! Changes that an operator wants or a joining node needs, decided on the leader like requests: on a draft, refused in
//! words, and remembered by token.

use kmip::enumeration::ResultReason;
use kms_core::{Draft, Event, KnownCredential, Refusal, RegisteredClient};

use crate::trust::{Registration, RegistrationError, Trust};

/// What a node reads that wants to join and may not.
pub(super) const NO_INVITATION: &str =
    "this invitation is not known, was used, or has expired; hint: kms cluster invite";

/// The event as it shall happen.
///
/// Fails where what is wanted is taken, gone or used up; nothing happened then.
pub(super) fn decide(wanted: &Event, draft: &Draft<'_>, now: i64) -> Result<Event, Refusal> {
    match wanted {
        Event::ClientRegistered { client } => {
            register(client, draft)?;
            Ok(wanted.clone())
        }
        Event::ClientRemoved { name } => match draft.client(name) {
            Some(_) => Ok(wanted.clone()),
            None => Err(Refusal::new(
                ResultReason::ItemNotFound,
                format!("no client \"{name}\"; hint: kms client list"),
            )),
        },
        Event::Invited { .. } | Event::Restored { .. } | Event::Told { .. } => Ok(wanted.clone()),
        Event::NodeNumbered { name, link, kmip, invitation, .. } => {
            let Some(invited) = draft.invitation(invitation, now) else {
                return Err(Refusal::permission_denied(NO_INVITATION));
            };
            Ok(Event::NodeNumbered {
                node: draft.next_node_number(),
                name: name.clone(),
                link: link.clone(),
                kmip: kmip.clone(),
                invitation: *invitation,
                at: now,
                learner: invited.learner,
            })
        }
        other => Err(Refusal::general_failure(format!("{other:?} is no change that can be asked for"))),
    }
}

/// Refuses a name or a certificate that another client has.
fn register(client: &RegisteredClient, draft: &Draft<'_>) -> Result<(), Refusal> {
    let name = &client.client.name;
    if draft.client(name).is_some() {
        return Err(taken(format!("client \"{name}\" is there already; hint: kms client remove {name}")));
    }
    for (what, credential) in credentials(client) {
        let others = draft.clients();
        let mut all = others.iter().flat_map(|other| credentials(other));
        if all.any(|(kind, known)| kind == what && known.name == credential.name) {
            return Err(taken(format!("the {what} {:?} is another client's already", credential.name)));
        }
    }
    let mut trust = Trust::of(draft.clients().iter()).map_err(|error| failed(error.to_string()))?;
    trust.add(&Registration::of(client)).map_err(|error| match error {
        RegistrationError::AlreadyRegistered { .. } => taken(error.to_string()),
        RegistrationError::Certificate(_) | RegistrationError::NotACa(_) => failed(error.to_string()),
    })
}

/// What a client may say of itself, each with its kind in words.
fn credentials(client: &RegisteredClient) -> impl Iterator<Item = (&'static str, &KnownCredential)> {
    let known = &client.credentials;
    let user = known.user.as_ref().map(|user| ("user name", user));
    user.into_iter().chain(known.device.as_ref().map(|device| ("device serial number", device)))
}

fn taken(message: String) -> Refusal {
    Refusal::illegal_operation(message)
}

fn failed(message: String) -> Refusal {
    Refusal::invalid_field(message)
}
