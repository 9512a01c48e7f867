//! The course of a request, time and nodes given.

use std::cell::RefCell;

use super::*;
use crate::health::State;

const BOUNDS: Bounds = Bounds {
    answer_wait: Duration::from_secs(10),
    resend_after: Duration::from_millis(500),
    changes_once: false,
};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Nodes 1 to 3, the first that was not tried; `cut` are not with the majority.
struct Bed {
    course: Course,
    cut: Vec<u32>,
    asked: RefCell<u32>,
}

impl Bed {
    fn new(need: Need) -> Self {
        Self::within(need, BOUNDS)
    }

    /// Before nodes of another make.
    fn once(need: Need) -> Self {
        Self::within(need, Bounds { changes_once: true, ..BOUNDS })
    }

    fn within(need: Need, bounds: Bounds) -> Self {
        Self { course: Course::new(need, ms(0), 7, bounds), cut: Vec::new(), asked: RefCell::new(0) }
    }

    fn next(&mut self, now: u64) -> Next {
        let (cut, asked) = (&self.cut, &self.asked);
        self.course.next(ms(now), |wanted| {
            *asked.borrow_mut() += 1;
            let node =
                (1..=3).map(NodeId).find(|node| !wanted.tried.contains(node)).ok_or(NoNode::AllTried)?;
            let standing = if cut.contains(&node.0) { Standing::Cut } else { Standing::Whole };
            Ok(Choice { node, state: State::Up, standing })
        })
    }

    /// Sends, and gives the node and the manner.
    fn sent(&mut self, now: u64) -> (u32, Manner) {
        match self.next(now) {
            Next::Send(node, manner) => (node.0, manner),
            other => panic!("{other:?}"),
        }
    }

    fn waits(&mut self, now: u64) -> u128 {
        match self.next(now) {
            Next::Wait(until) => until.as_millis(),
            other => panic!("{other:?}"),
        }
    }
}

const FIRST: Manner = Manner { again: false, seen: 7, alone: false };
const AGAIN: Manner = Manner { again: true, ..FIRST };

#[test]
fn a_request_is_sent_once_and_waited_for() {
    let mut bed = Bed::new(Need::Change);
    assert_eq!(bed.sent(0), (1, FIRST));
    assert_eq!(bed.waits(0), 500);
    assert_eq!(bed.course.sendings(), 1);
}

#[test]
fn what_did_nothing_goes_to_another_node_as_if_for_the_first_time() {
    let mut bed = Bed::new(Need::Change);
    bed.sent(0);
    bed.course.not_taken(NodeId(1), "it ends".to_owned());
    assert_eq!(bed.sent(1), (2, FIRST));
}

#[test]
fn what_may_have_been_carried_out_goes_to_another_node_as_such() {
    for lose in [Course::lost, Course::broke] {
        let mut bed = Bed::new(Need::Change);
        bed.sent(0);
        lose(&mut bed.course, NodeId(1), "gone".to_owned());
        assert_eq!(bed.sent(1), (2, AGAIN));
        // That one did nothing; the first may have, still.
        bed.course.not_taken(NodeId(2), "it ends".to_owned());
        assert_eq!(bed.sent(2), (3, AGAIN));
    }
}

#[test]
fn a_node_that_lets_wait_or_went_down_has_another_asked_as_well() {
    let mut bed = Bed::new(Need::Change);
    bed.sent(0);
    assert_eq!(bed.sent(500), (2, AGAIN));
    assert_eq!(bed.waits(500), 1000);
    bed.course.stalled(NodeId(2));
    assert_eq!(bed.sent(600), (3, AGAIN));
    // No more than so many, however long it takes.
    assert_eq!(bed.waits(5000), 10_000);
}

#[test]
fn when_all_nodes_refused_they_are_asked_again_after_a_pause() {
    let mut bed = Bed::new(Need::Change);
    for node in 1..=3 {
        assert_eq!(bed.sent(0).0, node);
        bed.course.not_taken(NodeId(node), "no leader".to_owned());
    }
    assert_eq!(bed.waits(0), 20);
    let asked = *bed.asked.borrow();
    assert_eq!(bed.waits(10), 20);
    assert_eq!(*bed.asked.borrow(), asked, "the pause is not over");
    assert_eq!(bed.sent(20), (1, FIRST));
}

#[test]
fn pauses_grow_to_a_bound_and_the_client_hears_in_the_end() {
    let mut bed = Bed::new(Need::Change);
    let (mut now, mut rounds) = (0, 0);
    loop {
        match bed.next(now) {
            Next::Send(node, _) => bed.course.not_taken(node, "no leader".to_owned()),
            Next::Wait(until) => {
                rounds += 1;
                now = until.as_millis() as u64;
            }
            Next::GiveUp(given_up) => {
                let reason = Some("no leader".to_owned());
                assert_eq!(given_up, GivenUp { perhaps: false, killed: false, once: false, reason });
                break;
            }
        }
    }
    assert_eq!(now, 10_000);
    assert!((30..45).contains(&rounds), "{rounds}");
}

#[test]
fn outrun_raises_what_was_seen_only_while_no_sending_may_have_done_anything() {
    let mut bed = Bed::new(Need::Change);
    bed.sent(0);
    bed.course.outrun(NodeId(1), 90);
    assert_eq!(bed.sent(1), (1, Manner { seen: 90, ..FIRST }));

    let mut bed = Bed::new(Need::Change);
    bed.sent(0);
    bed.sent(500);
    bed.course.outrun(NodeId(2), 90);
    assert_eq!(bed.sent(501), (2, AGAIN), "the first sending is under way yet");
    bed.course.not_taken(NodeId(2), "it ends".to_owned());
    bed.course.not_taken(NodeId(1), "it ends".to_owned());
    assert_eq!(bed.sent(502), (3, Manner { seen: 90, ..FIRST }), "none did anything after all");
}

#[test]
fn a_request_that_two_nodes_were_lost_with_is_given_to_no_third() {
    let mut bed = Bed::new(Need::Read);
    bed.sent(0);
    bed.course.broke(NodeId(1), "gone".to_owned());
    bed.sent(1);
    bed.course.broke(NodeId(2), "gone".to_owned());
    let Next::GiveUp(given_up) = bed.next(2) else { panic!("given to a third") };
    assert!(given_up.killed && !given_up.perhaps, "a read changes nothing: {given_up:?}");
}

#[test]
fn a_third_that_has_it_already_is_still_heard() {
    let mut bed = Bed::new(Need::Change);
    for at in [0, 500, 1000] {
        bed.sent(at);
    }
    bed.course.broke(NodeId(1), "gone".to_owned());
    bed.course.broke(NodeId(2), "gone".to_owned());
    assert_eq!(bed.waits(1001), 10_000);
    bed.course.broke(NodeId(3), "gone".to_owned());
    assert!(matches!(bed.next(1002), Next::GiveUp(GivenUp { perhaps: true, killed: true, .. })));
}

#[test]
fn a_change_that_is_under_way_when_time_is_up_may_have_been_carried_out() {
    let mut bed = Bed::new(Need::Change);
    bed.sent(0);
    assert!(matches!(bed.next(10_000), Next::GiveUp(GivenUp { perhaps: true, killed: false, .. })));
}

#[test]
fn a_read_is_answered_alone_by_a_node_without_majority_or_when_all_have_refused_for_long() {
    let mut bed = Bed::new(Need::Read);
    bed.cut = vec![1];
    assert_eq!(bed.sent(0), (1, Manner { alone: true, ..FIRST }));

    let mut bed = Bed::new(Need::Read);
    let mut alone_at = None;
    let mut now = 0;
    while alone_at.is_none() {
        match bed.next(now) {
            Next::Send(_, manner) if manner.alone => alone_at = Some(now),
            Next::Send(node, _) => bed.course.not_taken(node, "no leader".to_owned()),
            Next::Wait(until) => now = until.as_millis() as u64,
            Next::GiveUp(given_up) => panic!("{given_up:?}"),
        }
    }
    assert!((1000..1400).contains(&alone_at.unwrap()), "{alone_at:?}");

    let mut bed = Bed::new(Need::Change);
    bed.cut = vec![1, 2, 3];
    assert_eq!(bed.sent(0), (1, FIRST), "a change needs a majority");
}

#[test]
fn a_change_that_nodes_would_carry_out_again_has_one_sending_at_any_time() {
    let mut bed = Bed::once(Need::Change);
    assert_eq!(bed.sent(0), (1, FIRST));
    assert_eq!(bed.waits(600), 10_000, "nobody else has it as well");
    bed.course.stalled(NodeId(1));
    assert_eq!(bed.waits(700), 10_000, "its node's answer may come yet");
    assert!(matches!(bed.next(10_000), Next::GiveUp(GivenUp { perhaps: true, once: false, .. })));
}

#[test]
fn a_change_that_nodes_would_carry_out_again_goes_on_only_while_no_sending_did_anything() {
    let mut bed = Bed::once(Need::Change);
    for node in [1, 2] {
        assert_eq!(bed.sent(0), (node, FIRST));
        bed.course.not_taken(NodeId(node), "cannot connect".to_owned());
    }
    assert_eq!(bed.sent(1), (3, FIRST));
    bed.course.broke(NodeId(3), "gone".to_owned());
    let reason = Some("gone".to_owned());
    let expected = GivenUp { perhaps: true, killed: false, once: true, reason };
    assert_eq!(bed.next(2), Next::GiveUp(expected));
    for lose in [Course::lost, Course::broke] {
        let mut bed = Bed::once(Need::Change);
        bed.sent(0);
        lose(&mut bed.course, NodeId(1), "gone".to_owned());
        assert!(matches!(bed.next(1), Next::GiveUp(GivenUp { once: true, .. })));
    }
}

#[test]
fn a_change_that_no_node_took_was_not_carried_out() {
    let mut bed = Bed::once(Need::Change);
    let mut now = 0;
    let given_up = loop {
        match bed.next(now) {
            Next::Send(node, _) => bed.course.not_taken(node, "cannot connect".to_owned()),
            Next::Wait(until) => now = until.as_millis() as u64,
            Next::GiveUp(given_up) => break given_up,
        }
    };
    assert!(now == 10_000 && !given_up.perhaps && !given_up.once, "{now} {given_up:?}");
}

#[test]
fn a_read_may_be_sent_again_to_any_node() {
    let mut bed = Bed::once(Need::Read);
    bed.sent(0);
    assert_eq!(bed.sent(500), (2, AGAIN));
    bed.course.broke(NodeId(1), "gone".to_owned());
    bed.course.lost(NodeId(2), "gone".to_owned());
    assert_eq!(bed.sent(501), (3, AGAIN));
}
