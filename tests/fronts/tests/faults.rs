//! The table of faults in short: what must never happen, in little time. `cargo run --release -p fronts -- faults` is all of it.

use fronts::{Fault, Make, Victim, faults};

#[test]
fn no_request_fails_in_replay_and_no_key_is_lost_or_made_twice_behind_any_front() {
    let in_replay =
        [Fault::Kill(Victim::Leader), Fault::Freeze(Victim::Leader), Fault::Drop(Victim::Follower)];
    let beside = [Fault::Kill(Victim::Leader)];
    for (make, which) in [(Make::Replay, &in_replay[..]), (Make::HaproxyKmip, &beside[..])] {
        let found = faults::run(&[make], which).unwrap();
        found.notes().iter().for_each(|note| println!("{note}"));
        println!("{}", found.text());
        assert_eq!(found.wrong(), Vec::<String>::new());
        for (fault, cell) in found.of(make) {
            assert!(
                cell.persistent.answered > 100 && cell.vcenter.answered > 2,
                "{fault:?}: hardly anything was asked"
            );
        }
    }
}
