//! Credentials in requests, as the desk holds them against what is registered.

use kmip::enumeration::{CredentialType, ResultReason};
use kmip::message::{Credential, CredentialValue};
use kmip::operations::discover_versions;
use kmip::{ProtocolVersion, RequestMessage, ResponseMessage, Secret};
use kms_core::{Event, KnownCredential};

use super::desk::Desk;
use super::test_bed::{Bed, client, registration};
use crate::credentials;
use crate::session::Peer;

/// The event that registers a client which may say that it is this user.
fn registered(certificate: u8, name: &str, user: &str, password: &str) -> Event {
    let Event::ClientRegistered { mut client } = registration(certificate) else { unreachable!() };
    client.client.name = name.into();
    let password_hash = Some(credentials::hash(password.as_bytes()).unwrap());
    client.credentials.user = Some(KnownCredential { name: user.to_owned(), password_hash });
    Event::ClientRegistered { client }
}

/// Why a message of the bed's client with these credentials is refused; both its items for the same reason.
async fn refused(desk: &Desk, sent: &[(&str, &str)]) -> Option<ResultReason> {
    let ask = || discover_versions::Request { protocol_versions: Vec::new() }.into();
    let mut request = RequestMessage::new(ProtocolVersion::V1_4, [ask(), ask()]);
    for (username, password) in sent {
        request.header.authentication.push(Credential {
            credential_type: CredentialType::UsernameAndPassword,
            value: CredentialValue::UsernameAndPassword {
                username: (*username).to_owned(),
                password: Some(Secret::from(password.as_bytes())),
            },
        });
    }
    let (mut bytes, mut answer) = (Vec::new(), Vec::new());
    request.encode(&mut bytes);
    let peer = Peer { client: client(), address: ([192, 0, 2, 7], 40_000).into() };
    desk.answer(&peer, &bytes, &mut answer).await;
    let response = ResponseMessage::decode(&answer, ttlv::Limits::default()).unwrap();
    assert_eq!(response.items.len(), 2);
    assert_eq!(response.items[0].result_reason, response.items[1].result_reason);
    response.items[0].result_reason
}

#[tokio::test(start_paused = true)]
async fn a_request_with_wrong_credentials_is_refused_whole_and_one_without_any_is_not() {
    let bed = Bed::of(1).await;
    let leader = bed.leader().await;
    let name = client().name.to_string();
    bed.commit(registered(1, &name, "Fred", "password1")).await;
    bed.commit(registered(2, "second", "Barney", "secret2")).await;
    let desk = bed.desk(leader);
    assert_eq!(refused(&desk, &[]).await, None);
    assert_eq!(refused(&desk, &[("Fred", "password1")]).await, None);
    let wrong = Some(ResultReason::AuthenticationNotSuccessful);
    assert_eq!(refused(&desk, &[("Fred", "password2")]).await, wrong);
    assert_eq!(refused(&desk, &[("Barney", "secret2")]).await, Some(ResultReason::PermissionDenied));
    let audit = bed.audit(leader);
    assert!(audit.contains("AuthenticationNotSuccessful") && !audit.contains("password"), "{audit}");
}

#[tokio::test(start_paused = true)]
async fn a_user_name_is_given_to_one_client() {
    let bed = Bed::of(1).await;
    let leader = bed.leader().await;
    bed.commit(registered(1, "first", "Fred", "password1")).await;
    let taken = bed.change(leader, &registered(2, "second", "Fred", "secret2")).await;
    assert!(
        taken.as_ref().is_err_and(|why| why.contains("user name \"Fred\" is another client's")),
        "{taken:?}"
    );
}
