//! Scenarios as text files: a paragraph of what they show, then one call a line, and what is expected of it.
//!
//! `UPDATE_GOLDEN=1 cargo test -p health-proxy` writes what health does now; read the difference before it is kept.
//!
//! ```text
//! # What this shows.
//! set fall 3
//! nodes a b
//!
//!    0 tick        | a Down     b Down     | probe a 1, probe b 1
//!    5 a ok        | a Up       b Down     | say a Down->Up
//! ```
//!
//! First the time in ms, then what happens; after the first bar the states (`Down*` is asked to drain), after the second
//! what is to be done.
//!
//! | what happens               | meaning                                                                       |
//! |----------------------------|-------------------------------------------------------------------------------|
//! | `tick`                     | time has passed                                                               |
//! | `a ok [WHO]`               | the probe of a succeeded; WHO is `leads`, `follows N`, `cut` or `outside`     |
//! | `a ok-of N`                | a late success of probe N                                                     |
//! | `a fail WHY`, `a refused`  | it failed after, or in, its connect                                           |
//! | `a connect-failed` …       | the other events: `connected`, `ended-early`, `waits MS`, `drain`, `ready`    |
//! | `nodes a b`                | with a time: a reload                                                         |
//! | `choose NEED [tried=a,b] [killed=N] [load=a:3] [random=N]` | a choice                                      |
//! | `show WHAT [NODE]`         | what the page or the shell would see                                          |

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use health_proxy::choose::{Need, Wanted, weight};
use health_proxy::health::{Action, Event, Health, Node, NodeId, ProbeNumber, Report, Settings, State};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn id(name: &str) -> NodeId {
    NodeId(NAMES.iter().position(|known| *known == name).unwrap().try_into().unwrap())
}

fn name(id: NodeId) -> &'static str {
    NAMES[id.0 as usize]
}

fn ms(text: &str) -> Duration {
    Duration::from_millis(text.parse().unwrap())
}

struct World {
    settings: Settings,
    health: Health,
    /// The probe that each node was last asked for.
    probes: [u64; NAMES.len()],
    now: Duration,
}

impl World {
    fn new() -> Self {
        let settings = Settings::default();
        Self { health: Health::new(settings.clone(), []), settings, probes: [0; 4], now: Duration::ZERO }
    }

    fn set(&mut self, key: &str, value: &str) {
        match key {
            "rise" => self.settings.rise = value.parse().unwrap(),
            "fall" => self.settings.fall = value.parse().unwrap(),
            "slow_start" => self.settings.slow_start = ms(value),
            "drain_time_max" => self.settings.drain_time_max = ms(value),
            _ => panic!("there is no setting {key}"),
        }
    }

    /// One line without its time: what is to be done, or what is shown.
    fn step(&mut self, words: &[&str]) -> String {
        let actions = match words {
            ["tick"] => self.health.tick(self.now),
            ["nodes", names @ ..] => {
                let ids: Vec<_> = names.iter().map(|name| id(name)).collect();
                self.health.reload(self.now, self.settings.clone(), ids)
            }
            ["choose", need, options @ ..] => return self.choose(need, options),
            ["show", what @ ..] => return self.show(what),
            [node, what @ ..] => {
                let event = self.event(id(node), what);
                self.health.on(self.now, id(node), event)
            }
            [] => panic!("nothing happens"),
        };
        self.done(&actions)
    }

    fn event(&self, node: NodeId, words: &[&str]) -> Event {
        let probe = ProbeNumber(self.probes[node.0 as usize]);
        let reason = |words: &[&str]| words.join(" ");
        match words {
            ["ok", who @ ..] => Event::ProbeSucceeded { probe, report: report(node, who) },
            ["ok-of", number] => {
                Event::ProbeSucceeded { probe: ProbeNumber(number.parse().unwrap()), report: None }
            }
            ["fail", why @ ..] => Event::ProbeFailed { probe, connected: true, reason: reason(why) },
            ["refused"] => {
                Event::ProbeFailed { probe, connected: false, reason: "connection refused".to_owned() }
            }
            ["connected"] => Event::Connected,
            ["connect-failed"] => Event::ConnectFailed { reason: "connection refused".to_owned() },
            ["ended-early"] => Event::EndedEarly,
            ["waits", age] => Event::RequestWaits { age: ms(age) },
            ["drain"] => Event::Drain,
            ["ready"] => Event::Ready,
            _ => panic!("nothing is called {words:?}"),
        }
    }

    fn done(&mut self, actions: &[Action]) -> String {
        let mut done = Vec::new();
        for action in actions {
            done.push(match action {
                Action::Probe { node, probe, timeout } => {
                    assert_eq!(*timeout, self.settings.probe_timeout);
                    self.probes[node.0 as usize] = probe.0;
                    format!("probe {} {}", name(*node), probe.0)
                }
                Action::ResetSessions { node } => format!("reset {}", name(*node)),
                Action::EndSessions { node, until } => {
                    format!("end {} by {}", name(*node), until.as_millis())
                }
                Action::KeepSessions { node } => format!("keep {}", name(*node)),
                Action::Announce { node, change } => {
                    assert_eq!(change.at, self.now);
                    assert_eq!(change.to, self.health.node(*node).unwrap().state());
                    format!("say {} {}->{}", name(*node), change.from, change.to)
                }
            });
        }
        done.join(", ")
    }

    fn choose(&self, need: &str, options: &[&str]) -> String {
        let need = match need {
            "connection" => Need::Connection,
            "read" => Need::Read,
            "change" => Need::Change,
            _ => panic!("nobody needs {need}"),
        };
        let option = |key: &str| {
            let named = options.iter().filter_map(|option| option.split_once('='));
            named.filter(|(known, _)| *known == key).map(|(_, value)| value).next()
        };
        let list = |key| option(key).into_iter().flat_map(|value| value.split(','));
        let tried: Vec<_> = list("tried").map(id).collect();
        let loads: Vec<_> = list("load").map(|load| load.split_once(':').unwrap()).collect();
        let load = |node| {
            let known = loads.iter().find(|(known, _)| id(known) == node);
            known.map_or(0, |(_, load)| load.parse().unwrap())
        };
        let number = |key| option(key).map_or(0, |value| value.parse().unwrap());
        let wanted = Wanted { need, tried: &tried, killed: number("killed").try_into().unwrap() };
        match self.health.pool().choose(self.now, &wanted, load, number("random")) {
            Ok(choice) => format!("-> {}, {} {:?}", name(choice.node), choice.state, choice.standing),
            Err(none) => format!("-> nobody: {none}"),
        }
    }

    fn show(&self, what: &[&str]) -> String {
        let node = |node: &str| self.health.node(id(node)).unwrap();
        let named = |node: Option<NodeId>| node.map_or("nobody", name);
        match what {
            ["service"] => format!("{:?}", self.health.service()),
            ["leader"] => named(self.health.leader()).to_owned(),
            ["wakes"] => format!("{:?}", self.health.wakes_at()),
            ["failover"] => match self.health.last_failover() {
                None => "none".to_owned(),
                Some(last) => format!(
                    "{} -> {}, from {} for {} ms{}",
                    named(last.from),
                    named(last.to),
                    last.began.as_millis(),
                    last.length(self.now).as_millis(),
                    if last.ended.is_none() { " so far" } else { "" },
                ),
            },
            ["weight", of] => weight(node(of).slow_from(), self.settings.slow_start, self.now).to_string(),
            ["reason", of] => node(of).reason().to_owned(),
            ["trouble", of] => format!("{:?}", node(of).trouble_since()),
            ["outcomes", of] => outcomes(node(of)),
            ["transitions", of] => {
                let all = node(of).transitions().iter();
                all.map(|change| format!("{} {}", change.at.as_millis(), change.to))
                    .collect::<Vec<_>>()
                    .join(", ")
            }
            _ => panic!("nobody can show {what:?}"),
        }
    }

    fn states(&self) -> String {
        let mut states = String::new();
        for node in self.health.nodes() {
            let state = match (node.state(), node.drain_asked()) {
                (State::Down, true) => "Down*".to_owned(),
                (state, _) => state.to_string(),
            };
            write!(states, "{} {state:<9}", name(node.id())).unwrap();
        }
        states.trim_end().to_owned()
    }
}

fn outcomes(node: &Node) -> String {
    let all = node.outcomes().iter().map(|outcome| {
        let how = outcome.failure.as_deref().unwrap_or("ok");
        format!("{} {how} in {} ms", outcome.at.as_millis(), outcome.took.as_millis())
    });
    all.collect::<Vec<_>>().join(", ")
}

/// Node a is member 1, and so on. `leads 7` has carried out 7 entries.
fn report(node: NodeId, who: &[&str]) -> Option<Report> {
    let member = u64::from(node.0) + 1;
    let base = Report { member, leader: None, read: true, write: true, applied: 0, lag: 0 };
    Some(match who {
        [] => return None,
        ["leads"] => Report { leader: Some(member), ..base },
        ["leads", applied] => Report { leader: Some(member), applied: applied.parse().unwrap(), ..base },
        ["follows", leader] => Report { leader: Some(u64::from(id(leader).0) + 1), ..base },
        ["cut"] => Report { write: false, ..base },
        ["outside"] => Report { write: false, read: false, ..base },
        _ => panic!("nobody is {who:?}"),
    })
}

/// Plays a script and returns it with what happened in place of what was expected.
fn played(script: &str) -> String {
    let mut world = World::new();
    let mut out = String::new();
    for line in script.lines() {
        let input = line.split('|').next().unwrap().trim_end();
        let words: Vec<&str> = input.split_whitespace().collect();
        match words.as_slice() {
            [] | ["#", ..] => writeln!(out, "{line}").unwrap(),
            ["set", key, value] => {
                world.set(key, value);
                world.health = Health::new(world.settings.clone(), []);
                writeln!(out, "{input}").unwrap();
            }
            ["nodes", names @ ..] => {
                world.health = Health::new(world.settings.clone(), names.iter().map(|name| id(name)));
                writeln!(out, "{input}").unwrap();
            }
            [time, words @ ..] => {
                let now = ms(time);
                assert!(now >= world.now, "time runs backward at {line:?}");
                world.now = now;
                let done = world.step(words);
                let row = format!("{time:>6} {:<46} | {:<35} | {done}", words.join(" "), world.states());
                writeln!(out, "{}", row.trim_end()).unwrap();
            }
        }
    }
    out
}

fn check(file: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/health/scenarios").join(file);
    let expected = std::fs::read_to_string(&path).unwrap();
    let got = played(&expected);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, got).unwrap();
        return;
    }
    for (number, (expected, got)) in expected.lines().zip(got.lines()).enumerate() {
        assert_eq!(got, expected, "{file}:{}; hint: UPDATE_GOLDEN=1, then read the difference", number + 1);
    }
}

macro_rules! scenarios {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            check(concat!(stringify!($name), ".txt"));
        }
    )*};
}

scenarios! {
    a_start_is_decided_by_the_first_probe
    a_killed_node_goes_down_at_once
    a_frozen_node_goes_down_after_two_timeouts
    a_node_comes_up_after_three_successes_and_starts_slowly
    a_drained_node_gives_its_sessions_time
    a_storm_of_failures_makes_no_storm_of_probes
    a_late_word_of_an_old_probe_is_not_heard
    a_drain_that_ended_resets_nothing
    a_failover_ends_when_another_can_write
    a_reload_keeps_what_is_known
    connections_go_where_there_is_least_to_do
    changes_go_to_nodes_that_can_write
    something_is_chosen_while_anything_answers
}
