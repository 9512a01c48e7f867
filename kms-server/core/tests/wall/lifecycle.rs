//! Every state × cause through the real operations, and what a state means for them (KMIP 1.4 section 3.22).

use kmip::enumeration::{ResultReason, ResultStatus as S};

use crate::common::World;

const STATES: [&str; 6] =
    ["PreActive", "Active", "Deactivated", "Compromised", "Destroyed", "DestroyedCompromised"];

const CAUSES: [&str; 8] = [
    "Activate",
    "Revoke",
    "RevokeCompromised",
    "Destroy",
    "ActivationDate",
    "DeactivationDate",
    "ModifyActivationDate",
    "ModifyDeactivationDate",
];

fn act(cause: &str) -> String {
    match cause {
        "Activate" => "Activate { UniqueIdentifier=$1 }",
        "Revoke" => "Revoke { UniqueIdentifier=$1 RevocationReason { RevocationReasonCode=Superseded } }",
        "RevokeCompromised" => {
            "Revoke { UniqueIdentifier=$1 RevocationReason { RevocationReasonCode=KeyCompromise } }"
        }
        "Destroy" => "Destroy { UniqueIdentifier=$1 }",
        "ModifyActivationDate" => "ModifyAttribute { UniqueIdentifier=$1 \"Activation Date\"=@1700000000 }",
        "ModifyDeactivationDate" => {
            "ModifyAttribute { UniqueIdentifier=$1 \"Deactivation Date\"=@1700000000 }"
        }
        _ => "DiscoverVersions {}",
    }
    .to_owned()
}

/// A world whose only object is a key in this state, both of its dates an hour away where its life left them there.
fn key_in(state: &str) -> World {
    let mut w = World::new();
    w.key_with("\"Activation Date\"=@1700003600 \"Deactivation Date\"=@1700003600");
    let causes: &[&str] = match state {
        "PreActive" => &[],
        "Active" => &["Activate"],
        "Deactivated" => &["Activate", "Revoke"],
        "Compromised" => &["RevokeCompromised"],
        "Destroyed" => &["Destroy"],
        _ => &["RevokeCompromised", "Destroy"],
    };
    for cause in causes {
        w.done(&act(cause));
    }
    let id = w.names.0[0].clone();
    assert_eq!(w.state(&id), state);
    w
}

/// The column is what the state becomes, or why the operation is refused.
#[test]
fn every_state_times_cause_through_the_operations_is_as_recorded() {
    let mut table = String::new();
    for state in STATES {
        for cause in CAUSES {
            let mut w = key_in(state);
            let id = w.names.0[0].clone();
            match cause {
                // The dates come one after the other, the first of them alone.
                "ActivationDate" => {
                    w = World::new();
                    w.key_with("\"Activation Date\"=@1700003600");
                    if state != "PreActive" {
                        w = key_in(state);
                    }
                    w.now += 3600;
                    if state != "PreActive" {
                        w.now -= 1;
                    }
                }
                "DeactivationDate" => w.now += 3600,
                _ => {}
            }
            let answer = w.ask(&act(cause));
            let becomes = match answer.audit[0].result_reason {
                Some(reason) => format!("{reason:?}"),
                None => w.state(&id),
            };
            table += &format!("{state:<21}{cause:<23}{becomes}\n");
        }
    }
    crate::golden::compare("operations.txt", &table);
}

#[test]
fn a_key_without_dates_is_never_deactivated_by_time() {
    let mut w = World::new();
    let id = w.key();
    w.done("Activate { UniqueIdentifier=$1 }");
    w.now = i64::MAX;
    assert_eq!(w.state(&id), "Active");
}

#[test]
fn get_works_in_every_state_that_has_material() {
    for state in STATES {
        let mut w = key_in(state);
        let answer = w.ask("Get { UniqueIdentifier=$1 }");
        let destroyed = state.starts_with("Destroyed");
        assert_eq!(answer.response.items[0].result_status == S::Success, !destroyed, "{state}");
        let attributes = w.ask("GetAttributes { UniqueIdentifier=$1 }");
        assert_eq!(attributes.response.items[0].result_status, S::Success, "what is known of it stays");
    }
}

#[test]
fn a_destroyed_key_is_never_returned() {
    let mut w = World::new();
    w.key();
    let secret = w.ask("Get { UniqueIdentifier=$1 }").bytes;
    let secret = secret[secret.len() - 72..].to_vec();
    w.done("Destroy { UniqueIdentifier=$1 }");
    for item in [
        "Get { UniqueIdentifier=$1 }",
        "GetAttributes { UniqueIdentifier=$1 }",
        "ReKey { UniqueIdentifier=$1 }",
        "Locate { \"State\"=Destroyed }",
    ] {
        let answer = w.ask(item);
        assert!(
            !answer.bytes.windows(32).any(|bytes| secret.windows(32).any(|known| known == bytes)),
            "{item}"
        );
    }
}

#[test]
fn fresh_ends_with_the_first_get_and_no_event_follows_the_second() {
    let mut w = World::new();
    let id = w.key();
    assert!(w.attribute(&id, "Fresh").contains("true"));
    assert_eq!(w.ask("Get { UniqueIdentifier=$1 }").events.len(), 1);
    assert!(w.attribute(&id, "Fresh").contains("false"));
    let again = w.ask("Get { UniqueIdentifier=$1 }");
    assert_eq!((again.events.len(), again.served.len()), (0, 1));
}

#[test]
fn dates_follow_what_happens_to_a_key() {
    let mut w = World::new();
    let id = w.key();
    for (cause, date) in [
        ("Activate", "Activation Date"),
        ("Revoke", "Deactivation Date"),
        ("RevokeCompromised", "Compromise Date"),
        ("Destroy", "Destroy Date"),
    ] {
        w.now += 10;
        w.done(&act(cause));
        let now = format!("@{}", w.now);
        assert!(w.attribute(&id, date).contains(&now), "{date}");
        assert!(w.attribute(&id, "Last Change Date").contains(&now));
        assert!(w.attribute(&id, "Initial Date").contains("@1700000000"));
    }
}

#[test]
fn a_date_that_has_passed_makes_a_new_key_active_at_once() {
    let mut w = World::new();
    let id = w.key_with("\"Activation Date\"=@1600000000");
    assert_eq!(w.state(&id), "Active");
    let id = w.key_with("\"Activation Date\"=@1600000000 \"Deactivation Date\"=@1650000000");
    assert_eq!(w.state(&id), "Deactivated");
    let message = w.refused(&act("Activate"), ResultReason::PermissionDenied);
    assert!(message.contains("Active"), "{message}");
}
