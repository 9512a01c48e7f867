//! Seeds by the hundred, each in a process of its own: nothing breaks, every seed repeats itself, and faults that were
//! planted are found. `SIM_SEEDS` says how many (200), `SIM_SEED` from which on (1).
//!
//! What is run is built with `RUSTFLAGS="--cfg tokio_unstable"`, as `tests/run` does; without it there is nothing to run.

#[cfg(not(tokio_unstable))]
#[test]
fn the_simulation_is_built_with_a_flag_of_its_own() {
    println!("skipped: the simulation runs with RUSTFLAGS=\"--cfg tokio_unstable\" alone; hint: tests/run");
}

#[cfg(test)]
#[cfg(tokio_unstable)]
mod seeds {
    use std::ops::Range;
    use std::process::Command;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::Instant;

    /// Seeds unless `SIM_SEEDS` says otherwise.
    const SEEDS: u64 = 200;

    /// Seeds in which a planted fault must be found.
    const PLANTED_SEEDS_MAX: u64 = 150;

    /// Seeds that are run twice.
    const REPEATED: u64 = 6;

    /// One seed's end.
    #[derive(Clone, Debug)]
    struct Ended {
        seed: u64,
        ok: bool,
        line: String,
    }

    fn run(seed: u64, planted: Option<&str>) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
        command.arg(seed.to_string()).env_remove("KMS_PLANTED").env_remove("SIM_LOG");
        if let Some(planted) = planted {
            command.env("KMS_PLANTED", planted);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().last().map_or_else(|| format!("{}: {errors}", output.status), str::to_owned);
        Ended { seed, ok: output.status.success(), line: last }
    }

    /// Runs seeds on all cores until `enough`; in the order of the seeds.
    fn run_all(seeds: Range<u64>, planted: Option<&str>, enough: fn(&Ended) -> bool) -> Vec<Ended> {
        let (next, done) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
        let ended = Mutex::new(Vec::new());
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds.end {
                            return;
                        }
                        let one = run(seed, planted);
                        if enough(&one) {
                            done.store(true, Ordering::Relaxed);
                        }
                        ended.lock().unwrap().push(one);
                    }
                });
            }
        });
        let mut ended = ended.into_inner().unwrap();
        ended.sort_by_key(|one| one.seed);
        ended
    }

    fn seeds() -> Range<u64> {
        let number =
            |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
        let first = number("SIM_SEED", 1);
        first..first + number("SIM_SEEDS", SEEDS)
    }

    /// What the lines say behind `word`, together.
    fn sum(ended: &[Ended], word: &str) -> f64 {
        let of = |one: &Ended| {
            let mut words = one.line.split(' ').skip_while(|found| *found != word);
            words.nth(1).and_then(|number| number.parse::<f64>().ok()).unwrap_or(0.0)
        };
        ended.iter().map(of).sum()
    }

    #[test]
    fn whatever_fails_nothing_acknowledged_is_lost() {
        let began = Instant::now();
        let ended = run_all(seeds(), None, |one| !one.ok);
        let words = ["seconds", "faults", "elections", "acknowledged", "failed", "unknown", "reads", "stale"];
        let sums: Vec<String> =
            words.iter().map(|word| format!("{word} {}", sum(&ended, word).round())).collect();
        println!("{} seeds in {:.0} s: {}", ended.len(), began.elapsed().as_secs_f64(), sums.join(", "));
        let failed: Vec<String> = ended
            .iter()
            .filter(|one| !one.ok)
            .map(|one| format!("{}\nhint: SIM_SEEDS=1 SIM_SEED={} tests/run sim", one.line, one.seed))
            .collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
        // A storm that lets nothing through, or hits nothing, would prove nothing.
        let each = |word| sum(&ended, word) / ended.len() as f64;
        assert!(each("acknowledged") > 20.0 && each("faults") > 3.0 && each("elections") > 1.0);
    }

    #[test]
    fn the_same_seed_is_the_same_to_the_last_event() {
        let first = seeds().start;
        let twice = || run_all(first..first + REPEATED, None, |_| false);
        for (once, again) in twice().iter().zip(twice()) {
            assert!(once.line.contains(" trace "), "{}", once.line);
            assert_eq!(once.line, again.line);
        }
    }

    /// Plants a fault: one of the invariants that it can break must break within the bound.
    fn check(planted: &str, invariants: &[&str]) {
        let ended = run_all(1..1 + PLANTED_SEEDS_MAX, Some(planted), |one| !one.ok);
        let found = ended.iter().find(|one| !one.ok).unwrap_or_else(|| {
            panic!("{planted} is not found in {PLANTED_SEEDS_MAX} seeds");
        });
        println!("{planted}: {}", found.line);
        let broken = |sentence: &&str| found.line.contains(&format!("BROKEN {sentence}: "));
        assert!(invariants.iter().any(broken), "{}", found.line);
    }

    #[test]
    fn an_entry_that_is_acknowledged_before_its_sync_is_found() {
        check(
            "acknowledge-before-sync",
            &[
                "a_new_leader_holds_all_that_is_committed",
                "nodes_agree_on_what_is_committed",
                "nothing_acknowledged_is_answered_item_not_found",
                "no_state_moves_backwards",
                "what_many_add_at_once_is_all_there",
                "a_node_that_lost_power_starts_again",
            ],
        );
    }

    #[test]
    fn a_read_without_a_read_index_is_found() {
        check(
            "read-without-read-index",
            &[
                "nothing_acknowledged_is_answered_item_not_found",
                "no_state_moves_backwards",
                "what_many_add_at_once_is_all_there",
            ],
        );
    }

    #[test]
    fn a_token_that_is_not_remembered_is_found() {
        check(
            "token-not-remembered",
            &[
                "no_create_is_carried_out_twice",
                "a_valid_request_is_refused_only_for_want_of_a_majority",
                "nothing_acknowledged_is_answered_item_not_found",
                "an_object_is_as_its_owner_made_it",
            ],
        );
    }

    #[test]
    fn a_vote_that_is_not_synced_is_found() {
        check(
            "vote-not-synced",
            &[
                "no_node_goes_back_on_its_vote",
                "a_node_that_starts_again_remembers_its_vote",
                "a_node_that_lost_power_starts_again",
            ],
        );
    }

    #[test]
    fn a_snapshot_that_is_dropped_half_way_is_found() {
        check(
            "snapshot-half",
            &[
                "nothing_acknowledged_is_answered_item_not_found",
                "no_state_moves_backwards",
                "what_many_add_at_once_is_all_there",
                "a_valid_request_is_refused_only_for_want_of_a_majority",
            ],
        );
    }
}
