//! What holds whatever happens, in whatever order.

use std::collections::BTreeMap;
use std::time::Duration;

use health_proxy::choose::{KILLED_MAX, Need, NoNode, Wanted};
use health_proxy::health::{
    Action, Event, Health, Node, NodeId, OUTCOMES_MAX, PROBE_GRACE, ProbeNumber, Report, Settings, Standing,
    State,
};
use proptest::prelude::*;

const NODES: u32 = 3;

#[derive(Clone, Debug)]
enum What {
    Tick,
    Succeeds(Option<(bool, bool)>),
    Fails {
        connected: bool,
    },
    /// A word about an older probe.
    Late {
        succeeded: bool,
    },
    Other(Event),
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        4 => Just(What::Tick),
        6 => proptest::option::of(any::<(bool, bool)>()).prop_map(What::Succeeds),
        6 => any::<bool>().prop_map(|connected| What::Fails { connected }),
        1 => any::<bool>().prop_map(|succeeded| What::Late { succeeded }),
        1 => Just(What::Other(Event::Connected)),
        1 => Just(What::Other(Event::ConnectFailed { reason: "refused".to_owned() })),
        1 => Just(What::Other(Event::EndedEarly)),
        1 => (0..500_u64).prop_map(|age| What::Other(Event::RequestWaits { age: Duration::from_millis(age) })),
        1 => Just(What::Other(Event::Drain)),
        1 => Just(What::Other(Event::Ready)),
    ]
}

fn story() -> impl Strategy<Value = Vec<(u64, u32, What)>> {
    // Most probes are answered in time; some steps add up to more than the timeout.
    proptest::collection::vec((0..150_u64, 0..NODES, what()), 1..300)
}

/// A judge that counts for itself, from what goes in and what comes out.
#[derive(Default)]
struct Judged {
    under_way: Option<(ProbeNumber, Duration)>,
    last_start: Option<Duration>,
    last_number: u64,
    /// Outcomes of probes, newest last.
    outcomes: Vec<bool>,
    state: Option<State>,
    /// Outcomes when the state last changed.
    changed_at: usize,
}

impl Judged {
    fn ended(&mut self, succeeded: bool) {
        self.under_way = None;
        self.outcomes.push(succeeded);
    }

    /// Whether the last so many outcomes were all this.
    fn in_a_row(&self, succeeded: bool, count: usize) -> bool {
        self.outcomes.len() >= count && self.outcomes.iter().rev().take(count).all(|was| *was == succeeded)
    }
}

struct Court {
    settings: Settings,
    health: Health,
    judged: BTreeMap<NodeId, Judged>,
    now: Duration,
}

impl Court {
    fn new() -> Self {
        let settings = Settings::default();
        let health = Health::new(settings.clone(), (0..NODES).map(NodeId));
        let judged = (0..NODES).map(|node| (NodeId(node), Judged::default())).collect();
        Self { settings, health, judged, now: Duration::ZERO }
    }

    fn play(&mut self, node: NodeId, what: &What) {
        let judged = self.judged.get_mut(&node).unwrap();
        let probe = judged.under_way.map(|(probe, _)| probe);
        let failed = |probe, connected| Event::ProbeFailed { probe, connected, reason: "no".to_owned() };
        let event = match (what, probe) {
            (What::Succeeds(says), Some(probe)) => {
                judged.ended(true);
                let report = says.map(|(read, write)| Report {
                    member: u64::from(node.0),
                    leader: None,
                    read,
                    write,
                    applied: 0,
                    lag: 0,
                });
                Event::ProbeSucceeded { probe, report }
            }
            (What::Fails { connected }, Some(probe)) => {
                judged.ended(false);
                failed(probe, *connected)
            }
            (What::Late { succeeded }, _) => {
                let probe = ProbeNumber(judged.last_number.saturating_sub(1));
                match succeeded {
                    true => Event::ProbeSucceeded { probe, report: None },
                    false => failed(probe, true),
                }
            }
            (What::Other(event), _) => event.clone(),
            (What::Tick | What::Succeeds(_) | What::Fails { .. }, _) => {
                let actions = self.health.tick(self.now);
                return self.judge(&actions);
            }
        };
        let actions = self.health.on(self.now, node, event);
        self.judge(&actions);
    }

    fn judge(&mut self, actions: &[Action]) {
        // What the shell is silent about has failed by itself.
        let end = self.settings.probe_timeout + PROBE_GRACE;
        for judged in self.judged.values_mut() {
            if judged.under_way.is_some_and(|(_, began)| began + end <= self.now) {
                judged.ended(false);
            }
        }
        for action in actions {
            match action {
                Action::Probe { node, probe, .. } => self.judge_probe(*node, *probe),
                Action::Announce { node, change } => {
                    let known = self.judged[node].state.unwrap_or(State::Down);
                    assert_eq!(change.from, known, "the states said of a node are a chain");
                    assert_ne!(change.from, change.to);
                    self.judge_change(*node, change.to);
                    let resets = actions.contains(&Action::ResetSessions { node: *node });
                    assert!(change.to != State::Down || resets, "{node:?} went Down and kept its sessions");
                }
                Action::ResetSessions { .. } | Action::EndSessions { .. } | Action::KeepSessions { .. } => {}
            }
        }
        for node in self.health.nodes() {
            let judged = &self.judged[&node.id()];
            assert_eq!(node.state(), judged.state.unwrap_or(State::Down), "a change was not said");
            assert_eq!(node.outcomes().len(), judged.outcomes.len().min(OUTCOMES_MAX));
            let (up, down) = (node.state() != State::Down, node.state() == State::Down);
            assert!(!(up && judged.in_a_row(false, 2)), "two failures in a row, and still not Down");
            assert!(!(down && judged.in_a_row(true, 3)), "three successes in a row, and still Down");
            assert!(
                self.health.wakes_at().is_some_and(|wakes| wakes > self.now),
                "something due was not done"
            );
        }
        self.judge_choices();
    }

    fn judge_probe(&mut self, node: NodeId, probe: ProbeNumber) {
        let judged = self.judged.get_mut(&node).unwrap();
        assert_eq!(judged.under_way, None, "two probes of {node:?} at once");
        assert_eq!(probe.0, judged.last_number + 1);
        if let Some(last) = judged.last_start {
            assert!(self.now - last >= self.settings.probe_gap_min, "{node:?} is probed too often");
        }
        judged.under_way = Some((probe, self.now));
        judged.last_start = Some(self.now);
        judged.last_number = probe.0;
    }

    fn judge_change(&mut self, node: NodeId, to: State) {
        let judged = self.judged.get_mut(&node).unwrap();
        let was = judged.state.replace(to).unwrap_or(State::Down);
        match (was, to) {
            (_, State::Down) => assert!(judged.in_a_row(false, 2), "{node:?} went Down too early"),
            (State::Down, _) => {
                let first = judged.outcomes == [true];
                assert!(first || judged.in_a_row(true, 3), "{node:?} came Up too early");
            }
            // An administrator's word.
            _ => return,
        }
        let since = judged.outcomes.len() - judged.changed_at;
        assert!(since >= 2 || judged.outcomes.len() <= 3, "outcomes were counted twice");
        judged.changed_at = judged.outcomes.len();
    }

    fn judge_choices(&self) {
        let pool = self.health.pool();
        let nodes = || self.health.nodes();
        let usable = nodes().any(|node| node.state() != State::Down || !node.is_proved_dead());
        let helps = |node: &Node| node.state() == State::Up && node.standing() != Standing::Outside;
        let up = nodes().any(helps);
        for need in [Need::Connection, Need::Read, Need::Change] {
            for random in 0..4 {
                let first = pool.choose(self.now, &Wanted::new(need), |_| random, random);
                assert_eq!(first.is_ok(), usable, "{need:?}: {first:?}");
                if let Ok(choice) = first {
                    let draining = choice.state == State::Draining;
                    assert!(!up || choice.state == State::Up || (need == Need::Change && draining));
                }
                let killed = Wanted { killed: KILLED_MAX, ..Wanted::new(need) };
                assert_eq!(pool.choose(self.now, &killed, |_| 0, random), Err(NoNode::KilledTooMany));
            }
            // Tried one after the other, every node is chosen at most once, and it ends.
            let mut tried = Vec::new();
            while let Ok(choice) =
                pool.choose(self.now, &Wanted { need, tried: &tried, killed: 0 }, |_| 0, tried.len() as u64)
            {
                assert!(!tried.contains(&choice.node));
                tried.push(choice.node);
            }
            let all = nodes().filter(|node| node.state() != State::Down || !node.is_proved_dead()).count();
            assert!(need == Need::Change || tried.len() == all);
        }
    }
}

proptest! {
    #[test]
    fn rules_hold_whatever_happens(story in story()) {
        let mut court = Court::new();
        for (after_ms, node, what) in story {
            court.now += Duration::from_millis(after_ms);
            court.play(NodeId(node), &what);
        }
    }

    #[test]
    fn a_node_that_answers_every_probe_is_never_down(
        troubles in proptest::collection::vec((0..100_u64, 0..3_u8), 1..200),
    ) {
        let node = NodeId(0);
        let mut health = Health::new(Settings::default(), [node]);
        let mut now = Duration::ZERO;
        let mut probes = 0;
        for (after_ms, trouble) in troubles {
            now += Duration::from_millis(after_ms);
            let mut actions = match trouble {
                0 => health.tick(now),
                1 => health.on(now, node, Event::EndedEarly),
                _ => health.on(now, node, Event::ConnectFailed { reason: "refused".to_owned() }),
            };
            while let Some(Action::Probe { probe, .. }) =
                actions.iter().find(|action| matches!(action, Action::Probe { .. })).cloned()
            {
                probes += 1;
                actions = health.on(now, node, Event::ProbeSucceeded { probe, report: None });
            }
            prop_assert_eq!(health.node(node).unwrap().state(), State::Up);
            // One each gap, and the first.
            prop_assert!(probes <= 1 + now.as_millis() / 50);
        }
    }
}
