//! The checker with our models: it must find out what no order explains, and accept what some order does.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use histories::{Answer, Id, Name, NameAsked, Operation, Register, RegisterAsked, check};

use Answer::{Done, Refused, Unknown};
use RegisterAsked::{Add, Delete, Modify, Read};

/// When it was asked, when it was answered, and what.
type Line<T> = (u64, Option<u64>, T);

fn operations<T>(lines: Vec<Line<T>>) -> Vec<Operation<T>> {
    let began = Instant::now();
    let at = |time: u64| began + Duration::from_millis(time);
    let one = |(client, (called, returned, what)): (usize, Line<T>)| Operation {
        client,
        node: 0,
        called: at(called),
        returned: returned.map(at),
        what,
    };
    lines.into_iter().enumerate().map(one).collect()
}

#[track_caller]
fn explained(lines: Vec<Line<RegisterAsked>>) {
    check::<Register>(&operations(lines)).unwrap();
}

#[track_caller]
fn unexplained(lines: Vec<Line<RegisterAsked>>) {
    check::<Register>(&operations(lines)).unwrap_err();
}

#[test]
fn what_is_done_one_after_the_other_is_seen_in_that_order() {
    explained(vec![
        (0, Some(1), Read(vec![])),
        (2, Some(3), Modify(0, 1, Refused)),
        (4, Some(5), Add(2, Done(0))),
        (6, Some(7), Modify(0, 3, Done(()))),
        (8, Some(9), Add(4, Done(1))),
        (10, Some(11), Read(vec![(0, 3), (1, 4)])),
        (12, Some(13), Delete(0, Done(3))),
        (14, Some(15), Delete(0, Refused)),
        (16, Some(17), Add(5, Done(2))),
        (18, Some(19), Read(vec![(1, 4), (2, 5)])),
    ]);
}

#[test]
fn a_stale_read_is_found_out() {
    let with = |read: u64| {
        let add = (0, Some(1), Add(1, Done(0)));
        vec![add, (2, Some(5), Modify(0, 2, Done(()))), (read, Some(8), Read(vec![(0, 1)]))]
    };
    explained(with(4));
    unexplained(with(6));
}

#[test]
fn two_reads_that_go_back_in_time_are_found_out() {
    let with = |second: u64| {
        let change = [(0, Some(1), Add(1, Done(0))), (2, Some(20), Modify(0, 2, Done(())))];
        let reads = [(4, Some(6), Read(vec![(0, 2)])), (second, Some(12), Read(vec![(0, 1)]))];
        change.into_iter().chain(reads).collect::<Vec<_>>()
    };
    explained(with(5));
    unexplained(with(8));
}

#[test]
fn a_lost_change_is_found_out() {
    unexplained(vec![
        (0, Some(9), Add(1, Done(0))),
        (0, Some(9), Add(2, Done(1))),
        (10, Some(11), Read(vec![(0, 1)])),
    ]);
}

#[test]
fn an_add_that_is_carried_out_twice_is_found_out() {
    unexplained(vec![(0, Some(1), Add(1, Done(0))), (2, Some(3), Read(vec![(0, 1), (1, 1)]))]);
    unexplained(vec![(0, None, Add(1, Unknown)), (2, Some(3), Read(vec![(0, 1), (1, 1)]))]);
}

#[test]
fn a_change_of_unknown_outcome_may_take_effect_later_or_never_and_is_not_undone() {
    let with = |reads: &[&[(i32, u32)]]| {
        let mut lines = vec![(0, None, Add(1, Unknown))];
        for (place, read) in (1..).zip(reads) {
            lines.push((10 * place, Some(10 * place + 1), Read(read.to_vec())));
        }
        lines
    };
    explained(with(&[&[], &[]]));
    explained(with(&[&[], &[(0, 1)]]));
    unexplained(with(&[&[(0, 1)], &[]]));
    unexplained(vec![(5, None, Add(1, Unknown)), (0, Some(1), Read(vec![(0, 1)]))]);
}

#[test]
fn a_key_that_was_made_is_never_gone() {
    unexplained(vec![(0, Some(1), RegisterAsked::Lost)]);
}

fn made(number: u32) -> Id {
    Id { number, told: true }
}

#[test]
fn a_name_is_given_to_one_object_at_a_time() {
    use NameAsked::{Create, Destroy, Locate};
    let twice = vec![(0, Some(9), Create(Done(made(0)))), (0, Some(9), Create(Done(made(1))))];
    check::<Name>(&operations(twice.clone())).unwrap_err();
    let between = [twice, vec![(0, Some(9), Destroy(made(0), Done(())))]].concat();
    check::<Name>(&operations(between.clone())).unwrap();
    let found = |ids: Vec<Id>| [between.clone(), vec![(10, Some(11), Locate(ids))]].concat();
    check::<Name>(&operations(found(vec![made(1)]))).unwrap();
    check::<Name>(&operations(found(vec![made(0)]))).unwrap_err();
    check::<Name>(&operations(found(vec![]))).unwrap_err();
}

#[test]
fn an_object_whose_create_had_no_answer_is_met_once() {
    use NameAsked::{Create, Destroy, Locate};
    let unmet = Id { number: 0, told: false };
    let lines = vec![
        (0, None, Create(Unknown)),
        (1, Some(2), Locate(vec![])),
        (3, Some(4), Locate(vec![unmet])),
        (5, Some(6), Create(Refused)),
        (7, Some(8), Destroy(unmet, Done(()))),
        (9, Some(10), Create(Done(made(1)))),
    ];
    check::<Name>(&operations(lines.clone())).unwrap();
    let back = [lines, vec![(11, Some(12), Destroy(made(1), Done(()))), (13, Some(14), Locate(vec![unmet]))]];
    check::<Name>(&operations(back.concat())).unwrap_err();
}
