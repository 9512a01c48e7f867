//! The states of an object and what leads from one to the next (KMIP 1.4 section 3.22, figure 1).

pub use kmip::enumeration::State;

/// What may move an object from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The Activation Date has come.
    ActivationDate,
    /// Activate.
    Activate,
    /// The Deactivation Date has come.
    DeactivationDate,
    /// Revoke, for any reason but compromise.
    Revoke,
    /// Revoke, with key or CA compromise.
    RevokeCompromised,
    /// Destroy.
    Destroy,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ActivationDate,
        Self::Activate,
        Self::DeactivationDate,
        Self::Revoke,
        Self::RevokeCompromised,
        Self::Destroy,
    ];
}

/// Where `cause` leads from `state`; `None` where "only the transitions described above are permitted" forbids it.
/// The numbers are those of the specification's list.
#[rustfmt::skip]
pub fn transition(state: State, cause: Cause) -> Option<State> {
    match (state, cause) {
        (State::PreActive,   Cause::Destroy)           => Some(State::Destroyed),            // 2
        (State::PreActive,   Cause::RevokeCompromised) => Some(State::Compromised),          // 3
        (State::PreActive,   Cause::ActivationDate)    => Some(State::Active),               // 4
        (State::PreActive,   Cause::Activate)          => Some(State::Active),               // 4
        (State::Active,      Cause::RevokeCompromised) => Some(State::Compromised),          // 5
        (State::Active,      Cause::DeactivationDate)  => Some(State::Deactivated),          // 6
        (State::Active,      Cause::Revoke)            => Some(State::Deactivated),          // 6
        (State::Deactivated, Cause::Destroy)           => Some(State::Destroyed),            // 7
        (State::Deactivated, Cause::RevokeCompromised) => Some(State::Compromised),          // 8
        (State::Compromised, Cause::Destroy)           => Some(State::DestroyedCompromised), // 9
        (State::Destroyed,   Cause::RevokeCompromised) => Some(State::DestroyedCompromised), // 10
        _ => None,
    }
}

/// The state that `stored` has become by `now`, given the dates the client set. No date that is absent moves anything.
pub(crate) fn state_at(stored: State, activation: Option<i64>, deactivation: Option<i64>, now: i64) -> State {
    let reached = |date: Option<i64>| date.is_some_and(|date| date <= now);
    let mut state = stored;
    if reached(activation) {
        state = transition(state, Cause::ActivationDate).unwrap_or(state);
    }
    if reached(deactivation) {
        state = transition(state, Cause::DeactivationDate).unwrap_or(state);
    }
    state
}

/// The state that dates have made of `stored` by `now`, and the date that did; `None` where none has.
pub(crate) fn moved_by(
    stored: State,
    activation: Option<i64>,
    deactivation: Option<i64>,
    now: i64,
) -> Option<(State, i64)> {
    let first = due(stored, activation, deactivation).filter(|date| *date <= now)?;
    let state = state_at(stored, activation, deactivation, now);
    // A key that was activated too late for its end had both at once.
    let last = deactivation.filter(|_| state == State::Deactivated).unwrap_or(first);
    Some((state, last.max(first)))
}

/// When a date moves what is in `stored` on, given the dates the client set; `None` where none does.
pub(crate) fn due(stored: State, activation: Option<i64>, deactivation: Option<i64>) -> Option<i64> {
    let cause = |cause, date: Option<i64>| date.filter(|_| transition(stored, cause).is_some());
    cause(Cause::ActivationDate, activation).or_else(|| cause(Cause::DeactivationDate, deactivation))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The states in the order of the figure.
    const STATES: [State; 6] = [
        State::PreActive,
        State::Active,
        State::Deactivated,
        State::Compromised,
        State::Destroyed,
        State::DestroyedCompromised,
    ];

    #[test]
    fn every_state_times_cause_is_as_the_specification_lists() {
        let mut table = String::new();
        for state in STATES {
            for cause in Cause::ALL {
                let to = match transition(state, cause) {
                    Some(to) => format!("{to:?}"),
                    None => "-".to_owned(),
                };
                table += &format!("{:<21}{:<18}{to}\n", format!("{state:?}"), format!("{cause:?}"));
            }
        }
        print!("{table}");
        assert_eq!(table, include_str!("../tests/golden/lifecycle.txt"));
    }

    #[test]
    fn a_key_without_dates_stays_as_it_is_for_ever() {
        for state in STATES {
            assert_eq!(state_at(state, None, None, i64::MAX), state);
        }
    }

    #[test]
    fn a_date_is_due_exactly_when_it_is_what_moves_the_state_first() {
        let dates = [None, Some(-5), Some(0), Some(10), Some(20)];
        for state in STATES {
            for activation in dates {
                for deactivation in dates {
                    let moves = |now| state_at(state, activation, deactivation, now) != state;
                    let first = (-10..30).find(|now| moves(*now));
                    let due = due(state, activation, deactivation);
                    assert_eq!(due, first, "{state:?} {activation:?} {deactivation:?}");
                }
            }
        }
    }

    #[test]
    fn dates_that_the_client_set_move_a_key_when_they_come() {
        let at = |now| state_at(State::PreActive, Some(10), Some(20), now);
        assert_eq!(at(9), State::PreActive);
        assert_eq!(at(10), State::Active);
        assert_eq!(at(20), State::Deactivated);
        assert_eq!(state_at(State::Compromised, Some(10), Some(20), 30), State::Compromised);
    }
}
