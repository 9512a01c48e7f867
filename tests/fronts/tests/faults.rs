//! The table of faults in short: what must never happen, in little time. `cargo run --release -p fronts -- faults` is all of it.

use fronts::{Fault, Make, Victim, faults};

#[test]
fn no_request_fails_in_replay_and_no_key_is_lost_or_made_twice_behind_any_front() {
    let in_replay =
        [Fault::Kill(Victim::Leader), Fault::Freeze(Victim::Leader), Fault::Drop(Victim::Follower)];
    let beside = [Fault::Kill(Victim::Leader)];
    let others = [Make::Passthrough, Make::HaproxyKmip, Make::Nginx];
    for (makes, which) in [(&[Make::Replay][..], &in_replay[..]), (&others, &beside)] {
        let found = faults::run(makes, which).unwrap();
        found.notes().iter().for_each(|note| println!("{note}"));
        println!("{}", found.text());
        assert_eq!(found.wrong(), Vec::<String>::new());
        for (make, fault, cell) in found.cells() {
            let asked = cell.persistent.answered > 100 && cell.vcenter.answered > 2;
            assert!(asked, "{}, {}: hardly anything was answered", make.name(), fault.name());
        }
    }
}
