//! Several nodes as one: what is done through any of them holds on all, and what happens to each when others fail.

use std::time::Duration;

use kmip::enumeration::ResultReason;
use kms_core::Event;
use tokio::time::Instant;

use super::members::MemberChange;
use super::standing::Standing;
use super::state::Asker;
use super::test_bed::{Bed, client, creation, getting, holds_key, reason, registration, words};
use crate::engine::NodeId;

const INVITATION: Event = Event::Invited { digest: [3; 32], at: 1, expires_at: i64::MAX, learner: false };

fn standing(bed: &Bed, id: NodeId) -> Standing {
    *bed.taker(id).standing.borrow()
}

async fn until_cut(bed: &Bed, id: NodeId) {
    bed.until("it is cut off", || matches!(standing(bed, id), Standing::Cut(_))).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_created_through_any_node_can_be_read_at_once_on_every_other() {
    let bed = Bed::of(3).await;
    for through in 1..=3 {
        let id = bed.create(through, &format!("key {through}")).await;
        for on in 1..=3 {
            assert!(holds_key(&bed.get(on, &id).await), "created through {through}, read on {on}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_s_name_is_given_once_whichever_node_is_asked_for_it() {
    let bed = Bed::of(3).await;
    bed.commit(registration(1)).await;
    for through in 1..=3 {
        let taken = bed.change(through, &registration(2)).await;
        assert!(taken.as_ref().is_err_and(|why| why.contains("is there already")), "{taken:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_invitation_numbers_one_node_whichever_members_are_asked() {
    let bed = Bed::of(3).await;
    bed.change(1, &INVITATION).await.unwrap();
    let wanted = Event::NodeNumbered {
        node: 0,
        name: "node4".to_owned(),
        link: "10.0.0.4:5697".to_owned(),
        kmip: "10.0.0.4:5696".to_owned(),
        invitation: [3; 32],
        at: 0,
        learner: false,
    };
    let (two, three) = tokio::join!(bed.change(2, &wanted), bed.change(3, &wanted));
    assert_eq!([&two, &three].iter().filter(|numbered| numbered.is_ok()).count(), 1, "{two:?} {three:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_the_next_leader_and_is_done_once() {
    let mut bed = Bed::of(3).await;
    let first = bed.leader().await;
    let other = if first == 1 { 2 } else { 1 };
    bed.create(other, "before").await;
    bed.kill(first).await;
    bed.create(other, "after").await;
    assert_eq!(bed.taker(other).state.held().objects.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_answers_are_lost_on_the_way_is_done_once() {
    let bed = Bed::of(3).await;
    let leader = bed.leader().await;
    let other = if leader == 1 { 2 } else { 1 };
    bed.net.lose_answers(3);
    let id = bed.create(other, "once").await;
    assert!(holds_key(&bed.get(other, &id).await));
    assert_eq!(bed.taker(leader).state.held().objects.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_a_frozen_leader_took_is_done_once_when_it_wakes() {
    let bed = Bed::of(3).await;
    let frozen = bed.leader().await;
    let other = if frozen == 1 { 2 } else { 1 };
    bed.net.freeze(frozen);
    bed.create(other, "once").await;
    let leader = bed.leader().await;
    // As if it slept for minutes: the answer is forgotten by then.
    let clock = &bed.taker(leader).state.clock;
    clock.not_before(clock.unix_seconds() + 2 * kms_core::ANSWERS_S_MAX);
    bed.create(other, "later").await;
    bed.net.thaw();
    let caught_up = || bed.taker(frozen).state.held().objects.len() >= 2;
    bed.until("the woken one caught up", caught_up).await;
    bed.create(frozen, "last").await;
    assert_eq!(bed.taker(frozen).state.held().objects.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_cut_off_gives_out_what_it_holds_denies_nothing_and_changes_nothing() {
    let bed = Bed::of(3).await;
    let id = bed.create(1, "key").await;
    bed.get(1, &id).await;
    bed.until("all hold it", || (1..=3).all(|on| bed.taker(on).state.held().objects.len() == 1)).await;
    for cut in 1..=3 {
        bed.net.cut(cut);
        until_cut(&bed, cut).await;
        let began = Instant::now();
        assert!(holds_key(&bed.get(cut, &id).await), "node {cut}");
        let missed = bed.get(cut, "00000000-0000-4000-8000-000000000000").await;
        assert_eq!(reason(&missed), Some(ResultReason::GeneralFailure), "node {cut}");
        let refused = bed.ask(cut, creation("none")).await;
        assert!(words(&refused).contains("nothing was changed"), "node {cut}: {}", words(&refused));
        assert!(began.elapsed() < Duration::from_millis(100), "node {cut} took {:?}", began.elapsed());
        bed.net.heal();
        bed.until("it is whole", || standing(&bed, cut) == Standing::Whole).await;
        bed.leader().await;
    }
    let last = bed.create(2, "last").await;
    assert!(holds_key(&bed.get(3, &last).await));
    assert_eq!(bed.taker(3).state.held().objects.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_cut_off_reads_what_was_changed_meanwhile() {
    let bed = Bed::of(3).await;
    let cut = bed.leader().await;
    let other = if cut == 1 { 2 } else { 1 };
    bed.net.cut(cut);
    // Before anybody knows that it is cut off, and after.
    let reading = bed.get(cut, "00000000-0000-4000-8000-000000000000");
    let (missed, id) = tokio::join!(reading, bed.create(other, "meanwhile"));
    assert_eq!(reason(&missed), Some(ResultReason::GeneralFailure));
    bed.net.heal();
    bed.until("it is whole", || standing(&bed, cut) == Standing::Whole).await;
    assert!(holds_key(&bed.get(cut, &id).await));
}

#[tokio::test(start_paused = true)]
async fn a_learner_is_given_its_vote_only_while_it_can_be_reached() {
    let mut bed = Bed::of(1).await;
    bed.join(2).await;
    bed.net.cut(2);
    let voter = |bed: &Bed| bed.taker(1).roles.borrow().members.get(&2).is_some_and(|peer| peer.voter);
    // Long enough for several looks at it; that nothing happens is no event.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!voter(&bed));
    bed.create(1, "alone").await;
    bed.net.heal();
    bed.until("it votes", || voter(&bed)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_removed_learns_it_and_gives_out_nothing_more() {
    let bed = Bed::of(3).await;
    let id = bed.create(1, "key").await;
    let leader = bed.leader().await;
    let removed = if leader == 3 { 2 } else { 3 };
    let through = 6 - leader - removed;
    bed.until("it holds the key", || bed.taker(removed).state.held().objects.len() == 1).await;
    bed.taker(through).change_members(&MemberChange::Remove { node: removed }).await.unwrap();
    bed.until("it knows", || standing(&bed, removed) == Standing::Outside).await;
    assert!(!holds_key(&bed.get(removed, &id).await));
    assert!(words(&bed.ask(removed, creation("none")).await).contains("no longer, a member"));
    bed.create(through, "further").await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_removed_answers_no_read_from_before() {
    let bed = Bed::of(2).await;
    let leader = bed.leader().await;
    let other = 3 - leader;
    bed.taker(leader).change_members(&MemberChange::Remove { node: leader }).await.unwrap();
    assert!(!bed.taker(leader).currency.leads_alone());
    bed.until("the other leads", || bed.taker(other).roles.borrow().leads).await;
    let id = bed.create(other, "key").await;
    assert!(!holds_key(&bed.get(leader, &id).await));
    bed.until("it knows", || standing(&bed, leader) == Standing::Outside).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_away_while_another_was_taken_in_follows_that_one_when_it_leads() {
    let mut bed = Bed::of(3).await;
    bed.net.cut(3);
    until_cut(&bed, 3).await;
    bed.join(4).await;
    bed.until("the newcomer votes", || {
        bed.takers.values().any(|taker| {
            let role = taker.roles.borrow();
            role.leads && role.members.get(&4).is_some_and(|peer| peer.voter)
        })
    })
    .await;
    // Until the newcomer leads, whoever else does steps back: of four, three must be there.
    bed.net.heal();
    bed.net.cut(3);
    let first = bed.leader().await;
    let id = bed.create(first, "key").await;
    bed.until("the newcomer holds it", || bed.taker(4).state.held().objects.len() == 1).await;
    while bed.leader().await != 4 {
        let leader = bed.leader().await;
        bed.net.freeze(leader);
        bed.net.heal();
        // Two of four and one that lags elect; with luck the newcomer.
        let next = bed.leader().await;
        assert_ne!(next, leader);
        bed.net.thaw();
    }
    bed.net.heal();
    assert!(holds_key(&bed.get(3, &id).await));
    bed.until("it caught up", || bed.taker(3).roles.borrow().members.contains_key(&4)).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_removed_gets_nothing_from_a_node_that_let_it_in_before() {
    let bed = Bed::of(3).await;
    bed.commit(registration(1)).await;
    let asker = Asker::registered(&client());
    let id = bed.create(1, "key").await;
    for on in 1..=3 {
        assert!(holds_key(&bed.ask_as(&asker, on, getting(&id)).await), "node {on}");
    }
    bed.change(1, &Event::ClientRemoved { name: client().name.to_string() }).await.unwrap();
    for on in 1..=3 {
        for request in [getting(&id), creation("none")] {
            let outcome = bed.ask_as(&asker, on, request).await;
            assert_eq!(reason(&outcome), Some(ResultReason::AuthenticationNotSuccessful), "node {on}");
        }
    }
}
