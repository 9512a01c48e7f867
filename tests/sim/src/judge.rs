//! What is read is held against what the oracle knows; and at the end, everything is read through every node.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;

use crate::client::{Heard, ask};
use crate::invariants;
use crate::oracle::{Board, CREATED, DESTROYED, KeyId};
use crate::plan::CLIENTS;
use crate::request::{self, Said};
use crate::world::{Phase, World};

/// When faults stop, every node serves again within this time.
pub(crate) const SERVES_AGAIN_WITHIN: Duration = Duration::from_secs(10);

/// Objects that everyone marks.
const BOARDS: usize = 2;

/// The client that the judge is.
const JUDGE: usize = CLIENTS + 1;

/// Keys that one message reads at the end.
const KEYS_AT_ONCE: usize = 200;

/// What is known of a key before it is read: its number, its identifier, how far it is at least, its mark.
type Known = (KeyId, Option<String>, u64, String);

/// Between two tries of the judge.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Holds one answer about a key against the oracle; `before` is how far the key was at least when it was asked.
pub(crate) fn see_key(
    world: &World,
    id: KeyId,
    node: u64,
    before: u64,
    alone: bool,
    asked_attributes: bool,
    said: Said,
) {
    let mut oracle = world.oracle();
    let oracle = &mut *oracle;
    let (key, tally) = (&mut oracle.keys[id], &mut oracle.tally);
    let answered = !matches!(said, Said::Unavailable | Said::Perhaps);
    tally.unread += u64::from(!answered);
    tally.stale += u64::from(answered && alone);
    tally.reads += u64::from(answered && !alone);
    let label = key.label.clone();
    // What is read without a majority may be old.
    let before_all = if alone { 0 } else { before };
    // How far the key is at least by what was read.
    let mut seen = 0;
    match said {
        Said::Material(bytes) => {
            let same = *key.bytes.get_or_insert(bytes.clone()) == bytes;
            world.hold(invariants::a_key_has_the_same_bytes_wherever_it_is_read(&label, node, same));
            world.hold(invariants::no_state_moves_backwards(&label, node, before_all, DESTROYED - 1));
            seen = CREATED;
        }
        Said::Attributes { place, words, .. } => {
            world.hold(invariants::an_object_is_as_its_owner_made_it(&label, node, place, &words));
            seen = place.unwrap_or_default();
            world.hold(invariants::no_state_moves_backwards(&label, node, before_all, seen));
        }
        Said::Located(ids) => {
            let known = key.unique_identifier.as_ref();
            let others = ids.iter().filter(|id| known.is_some_and(|known| known != *id)).count();
            let count = ids.len() + usize::from(others > 0);
            world.hold(invariants::no_create_is_carried_out_twice(&label, node, count));
            match ids.into_iter().next() {
                Some(id) => {
                    key.unique_identifier.get_or_insert(id);
                    world.hold(invariants::no_state_moves_backwards(&label, node, before_all, DESTROYED - 1));
                    seen = CREATED;
                }
                None if alone => {
                    world.hold(invariants::a_miss_is_never_answered_from_a_stale_copy(&label, node, true))
                }
                None => {
                    let may_be_gone = before == 0 || key.may_be_destroyed();
                    world.hold(invariants::nothing_acknowledged_is_answered_item_not_found(
                        &label,
                        node,
                        may_be_gone,
                    ));
                }
            }
        }
        Said::NotFound => {
            world.hold(invariants::a_miss_is_never_answered_from_a_stale_copy(&label, node, alone));
            let may_be_gone = !asked_attributes && key.may_be_destroyed();
            world.hold(invariants::nothing_acknowledged_is_answered_item_not_found(
                &label,
                node,
                may_be_gone,
            ));
        }
        Said::Unavailable | Said::Perhaps => {}
        other => {
            let answer = format!("a read is answered {other:?}");
            world.hold(invariants::a_valid_request_is_refused_only_for_want_of_a_majority(
                &label, node, &answer,
            ));
        }
    }
    world.hold(invariants::what_was_refused_is_not_carried_out(&label, node, key.most, seen));
    key.least = key.least.max(seen);
}

/// Holds the marks of an object against those that must be and may be there.
pub(crate) fn see_board(
    world: &World,
    id: usize,
    node: u64,
    before: &BTreeSet<String>,
    alone: bool,
    said: Said,
) {
    let mut oracle = world.oracle();
    let oracle = &mut *oracle;
    let (board, tally) = (&mut oracle.boards[id], &mut oracle.tally);
    match said {
        Said::Attributes { names, .. } => {
            let is_mark = |name: &String| *name != request::MARK;
            let names: BTreeSet<String> = names.into_iter().filter(is_mark).collect();
            if alone {
                tally.stale += 1;
            } else {
                tally.reads += 1;
                let missing: Vec<String> = before.difference(&names).cloned().collect();
                world.hold(invariants::what_many_add_at_once_is_all_there(&board.label, node, &missing));
            }
            for name in names.difference(&board.asked) {
                world.hold(invariants::what_was_refused_is_not_carried_out(name, node, 0, 1));
            }
            board.there.extend(names);
        }
        Said::NotFound => {
            world.hold(invariants::nothing_acknowledged_is_answered_item_not_found(
                &board.label,
                node,
                false,
            ));
        }
        Said::Unavailable | Said::Perhaps => tally.unread += 1,
        other => {
            let answer = format!("a read is answered {other:?}");
            world.hold(invariants::a_valid_request_is_refused_only_for_want_of_a_majority(
                &board.label,
                node,
                &answer,
            ));
        }
    }
}

/// Lets the clients begin when the cluster is whole, and reads everything when the storm is over.
pub(crate) async fn preside(world: Arc<World>) {
    while !world.is_in(Phase::Whole) {
        sleep(RETRY_INTERVAL).await;
    }
    for number in 1..=BOARDS {
        let label = format!("board {number}");
        let made = insist(&world, 1, || vec![request::create(&label, true)]).await;
        let Some(Said::Done(unique_identifier)) = made.into_iter().next() else { return };
        let (there, asked) = (BTreeSet::new(), BTreeSet::new());
        world.oracle().boards.push(Board { label, unique_identifier, there, asked });
    }
    world.enter(Phase::Storm);
    while !world.is_in(Phase::Calm) {
        sleep(RETRY_INTERVAL).await;
    }
    let began = world.now();
    for node in world.nodes() {
        let label = format!("after the storm {node}");
        let id = world.oracle().add_key(label.clone(), true, JUDGE, CREATED);
        world.oracle().keys[id].most = CREATED;
        let found = insist(&world, node, || vec![request::create(&label, true)]).await;
        world.note(format_args!("n{node} serves again"));
        if let Some(Said::Done(unique_identifier)) = found.into_iter().next() {
            let key = &mut world.oracle().keys[id];
            key.unique_identifier = Some(unique_identifier);
            key.least = CREATED;
        }
        let late = world.now() > began + SERVES_AGAIN_WITHIN;
        let what = if late { "took too long to serve again" } else { "" };
        world.hold(invariants::the_cluster_serves_again_when_faults_stop(node, what));
    }
    while world.working.load(Ordering::Relaxed) > 0 {
        sleep(RETRY_INTERVAL).await;
    }
    // The first time, keys that nobody read yet are answered by the leader.
    read_all(&world, 1).await;
    for node in world.nodes() {
        read_all(&world, node).await;
        count_all(&world, node).await;
    }
    world.enter(Phase::Over);
}

/// Asks until a whole answer comes that is no refusal for want of a majority; what is asked must bear being asked again.
async fn insist(world: &World, node: u64, payloads: impl Fn() -> Vec<kmip::RequestPayload>) -> Vec<Said> {
    loop {
        match ask(world, JUDGE, node, payloads()).await {
            Heard::Answer { alone: false, items }
                if !items.iter().any(|said| matches!(said, Said::Unavailable | Said::Perhaps)) =>
            {
                return items;
            }
            Heard::Answer { .. } | Heard::Nobody | Heard::Lost => sleep(RETRY_INTERVAL).await,
        }
    }
}

/// Reads every key and every board through one node.
async fn read_all(world: &World, node: u64) {
    let known: Vec<Known> = {
        let oracle = world.oracle();
        let keys = oracle.keys.iter().enumerate();
        keys.map(|(id, key)| (id, key.unique_identifier.clone(), key.least, key.label.clone())).collect()
    };
    for some in known.chunks(KEYS_AT_ONCE) {
        read_keys(world, node, some).await;
    }
    for id in 0..BOARDS {
        let (before, unique_identifier) = {
            let oracle = world.oracle();
            (oracle.boards[id].there.clone(), oracle.boards[id].unique_identifier.clone())
        };
        let items = insist(world, node, || vec![request::get_attributes(&unique_identifier)]).await;
        if let Some(said) = items.into_iter().next() {
            see_board(world, id, node, &before, false, said);
        }
    }
}

async fn read_keys(world: &World, node: u64, known: &[Known]) {
    let payloads = || {
        known.iter().flat_map(|(_, unique_identifier, _, label)| {
            let by_id = unique_identifier.iter().flat_map(|unique_identifier| {
                [request::get_attributes(unique_identifier), request::get(unique_identifier)]
            });
            std::iter::once(request::locate(label, false)).chain(by_id)
        })
    };
    let items = insist(world, node, || payloads().collect()).await;
    let missing = payloads().count().saturating_sub(items.len());
    let words = if missing > 0 { format!("{missing} items have no answer") } else { String::new() };
    world.hold(invariants::a_valid_request_is_refused_only_for_want_of_a_majority("all", node, &words));
    let mut items = items.into_iter();
    for (id, unique_identifier, before, _) in known {
        let kinds: &[bool] = if unique_identifier.is_some() { &[false, true, false] } else { &[false] };
        for asked_attributes in kinds {
            let Some(said) = items.next() else { return };
            see_key(world, *id, node, *before, false, *asked_attributes, said);
        }
    }
}

/// Everything that is not destroyed is a key that someone asked for, once.
async fn count_all(world: &World, node: u64) {
    let items = insist(world, node, || vec![request::locate_all()]).await;
    let Some(Said::Located(ids)) = items.into_iter().next() else { return };
    let expected = {
        let oracle = world.oracle();
        oracle.keys.iter().filter(|key| (CREATED..DESTROYED).contains(&key.least)).count() + BOARDS
    };
    let extra = ids.len().saturating_sub(expected);
    world.hold(invariants::no_create_is_carried_out_twice("any object", node, 1 + extra));
    let missing = expected.saturating_sub(ids.len());
    let words = "all objects together";
    world.hold(invariants::nothing_acknowledged_is_answered_item_not_found(words, node, missing == 0));
}
