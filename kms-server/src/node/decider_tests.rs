//! What the decider decides, and how a token keeps it to its word.

use std::sync::Arc;
use std::time::Duration;

use kmip::RequestMessage;
use kmip::enumeration::ResultReason;
use kms_core::{Event, Outcome, Token};
use tokio::task::JoinSet;

use super::decider::{Decision, Matter};
use super::state::{Asker, Stamp, command};
use super::taker::Taker;
use super::test_bed::{Bed, client, created, creation, destroying, reason, registration, revoking, words};

const TOKEN: Token = [9; 16];

async fn decide(taker: &Taker, request: RequestMessage, token: Token, again: bool, seen: u64) -> Decision {
    let matter = Matter::Request { request: Arc::new(request), asker: Asker::trusted(&client()), bytes: 100 };
    taker.decider.decide(matter, token, again, seen).await
}

fn outcome(decision: Decision) -> Outcome {
    match decision {
        Decision::Outcome(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

/// Two minutes of answers go by.
async fn forget_all(bed: &Bed) {
    let leader = bed.leader().await;
    let clock = &bed.taker(leader).state.clock;
    clock.not_before(clock.unix_seconds() + 2 * kms_core::ANSWERS_S_MAX);
    bed.create(leader, "later").await;
}

fn seen(taker: &Taker) -> u64 {
    taker.state.held().objects.answers_seen()
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_sent_again_to_the_next_leader_gets_the_same_answer_and_is_done_once() {
    let mut bed = Bed::of(3).await;
    let first = bed.leader().await;
    let given = outcome(decide(bed.taker(first), creation("one"), TOKEN, false, 0).await);
    bed.kill(first).await;
    let next = bed.leader().await;
    let again = outcome(decide(bed.taker(next), creation("one"), TOKEN, true, 0).await);
    assert_eq!(given.encoded, again.encoded);
    assert!(created(&again).is_some());
    assert_eq!(bed.taker(next).state.held().objects.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_requests_with_one_token_in_flight_at_once_are_one() {
    let bed = Bed::of(1).await;
    let taker = bed.taker(1);
    let (one, two) = tokio::join!(
        decide(taker, creation("one"), TOKEN, false, 0),
        decide(taker, creation("one"), TOKEN, true, 0)
    );
    assert_eq!(outcome(one).encoded, outcome(two).encoded);
    assert_eq!(taker.state.held().objects.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_answer_may_have_been_forgotten_is_not_done_again() {
    let bed = Bed::of(1).await;
    let taker = bed.taker(1);
    let before = seen(taker);
    outcome(decide(taker, creation("one"), TOKEN, false, before).await);
    forget_all(&bed).await;
    let objects = taker.state.held().objects.len();
    let again = outcome(decide(taker, creation("one"), TOKEN, true, before).await);
    assert!(words(&again).contains("no longer known"), "{}", words(&again));
    // The first try, which a frozen node sends on when it wakes.
    let late = decide(taker, creation("one"), TOKEN, false, before).await;
    assert!(matches!(late, Decision::Outrun(now) if now == seen(taker)), "{late:?}");
    assert_eq!(taker.state.held().objects.len(), objects);
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_when_it_was_sent_again_is_not_done_by_the_first_try_that_comes_late() {
    let bed = Bed::of(1).await;
    let taker = bed.taker(1);
    let before = seen(taker);
    let id = bed.create(1, "one").await;
    let destroy = || destroying(&id);
    let refused = outcome(decide(taker, destroy(), TOKEN, true, before).await);
    assert_eq!(reason(&refused), Some(ResultReason::PermissionDenied), "{}", words(&refused));
    // What stood in its way goes.
    bed.ask(1, revoking(&id)).await;
    let late = outcome(decide(taker, destroy(), TOKEN, false, before).await);
    assert_eq!(late.encoded, refused.encoded);
    assert_eq!(reason(&bed.ask(1, destroy()).await), None, "it could be done by then");
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_while_a_leader_is_cut_off_for_a_while_is_not_done_again_when_it_goes_on_leading() {
    let bed = Bed::of(3).await;
    let leader = bed.leader().await;
    let taker = bed.taker(leader);
    let active = bed.create(leader, "one").await;
    let term = taker.roles.borrow().term;
    // Each from each, so that no other is elected.
    (1..=3).for_each(|node| bed.net.cut(node));
    let at_once = |request, token| {
        let taker = taker.clone();
        tokio::spawn(async move { decide(&taker, request, token, false, 0).await })
    };
    // Refused, and yet a majority has to say that it was right to be.
    let unchanged = at_once(destroying(&active), [1; 16]);
    // So that each is a group of its own.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let first = at_once(creation("two"), TOKEN);
    assert!(matches!(unchanged.await.unwrap(), Decision::Lost));
    bed.net.heal();
    let again = outcome(decide(taker, creation("two"), TOKEN, true, 0).await);
    assert_eq!(outcome(first.await.unwrap()).encoded, again.encoded);
    assert_eq!(taker.state.held().objects.len(), 2);
    assert_eq!(taker.roles.borrow().term, term, "another was elected, so this showed nothing");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_lags_by_more_answers_than_are_kept_still_gets_its_requests_done() {
    let bed = Bed::of(2).await;
    let (leader, other) = match bed.leader().await {
        1 => (1, 2),
        _ => (2, 1),
    };
    bed.create(leader, "one").await;
    forget_all(&bed).await;
    // As if the request had been taken before all that.
    let request = creation("two");
    let decision = decide(bed.taker(leader), request, TOKEN, false, 0).await;
    assert!(matches!(decision, Decision::Outrun(_)), "{decision:?}");
    bed.create(other, "two").await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_any_more_is_not_begun() {
    let bed = Bed::of(1).await;
    let taker = bed.taker(1).clone();
    // Dropped at its first wait, when the decider has not run yet.
    let given_up =
        tokio::time::timeout(std::time::Duration::ZERO, decide(&taker, creation("one"), TOKEN, false, 0));
    assert!(given_up.await.is_err());
    bed.create(1, "two").await;
    assert_eq!(taker.state.held().objects.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_large_share_no_command() {
    let bed = Bed::of(1).await;
    let taker = bed.taker(1);
    let large = "x".repeat(900 << 10);
    let number = || taker.state.held().newest.map(|newest| newest.number).unwrap_or_default();
    bed.create(1, "first").await;
    let before = number();
    let mut decisions = JoinSet::new();
    for place in 0..8u8 {
        let mut request = creation(&format!("key {place}"));
        // Comes back with the answer.
        request.items[0].unique_batch_item_id = Some(large.clone().into_bytes());
        let taker = taker.clone();
        decisions.spawn(async move { decide(&taker, request, [place; 16], false, 0).await });
    }
    while let Some(decision) = decisions.join_next().await {
        assert!(created(&outcome(decision.unwrap())).is_some());
    }
    assert_eq!(number() - before, 2);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_sent_again_is_decided_once() {
    let bed = Bed::of(1).await;
    let taker = bed.taker(1);
    let change = || Matter::Change(Box::new(Event::ClientRemoved { name: "vcenter01".to_owned() }));
    let term = taker.roles.borrow().term;
    let registered = command(Stamp { decider: 1, number: 1 }, &[registration(1)]);
    taker.engine.propose(term, registered).await;
    let first = taker.decider.decide(change(), TOKEN, false, 0).await;
    let again = taker.decider.decide(change(), TOKEN, true, 0).await;
    let other = taker.decider.decide(change(), [1; 16], false, 0).await;
    assert!(matches!((first, again), (Decision::Changed(Ok(_)), Decision::Changed(Ok(_)))));
    assert!(matches!(other, Decision::Changed(Err(_))));
}
