//! What must always be so. Each function is the sentence it holds; what broke it comes back with the sentence.

use std::fmt;

/// An invariant that broke.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) sentence: &'static str,
    pub(crate) detail: String,
}

pub(crate) type Verdict = Result<(), Broken>;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.sentence, self.detail)
    }
}

/// Holds where `so`; the sentence is the function's name.
fn judge(so: bool, sentence: &'static str, detail: fmt::Arguments<'_>) -> Verdict {
    if so { Ok(()) } else { Err(Broken { sentence, detail: detail.to_string() }) }
}

/// Defines invariants: arguments, the condition, and what is said when it does not hold.
macro_rules! invariants {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $of:ty),*) = $so:expr, $($detail:expr),+;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name($($argument: $of),*) -> Verdict {
            judge($so, stringify!($name), format_args!($($detail),+))
        }
    )*};
}

invariants! {
    /// Of elections: a vote is for a leader of this term and node, and for none before it any more.
    no_node_goes_back_on_its_vote(node: u64, before: (u64, u64), now: (u64, u64)) =
        before <= now, "n{node} voted for n{} in term {} and then for n{} in term {}", before.1, before.0, now.1, now.0;

    /// Of elections: what was granted was on the disk before.
    a_node_that_starts_again_remembers_its_vote(node: u64, granted: (u64, u64), found: (u64, u64)) =
        granted <= found, "n{node} voted for n{} in term {} and knows of n{} in term {}", granted.1, granted.0, found.1, found.0;

    /// Of elections: whoever is elected last has all that any leader before it has decided.
    a_new_leader_holds_all_that_is_committed(node: u64, index: u64, known: u64, here: Option<u64>) =
        here == Some(known), "n{node} has {here:x?} for entry {index}, which is {known:x}";

    /// Of the log: what two nodes have carried out at one place is the same.
    nodes_agree_on_what_is_committed(node: u64, index: u64, known: u64, here: u64) =
        known == here, "entry {index} is {here:x} on n{node} and {known:x} on another";

    /// Of the log: between two crashes.
    what_a_node_has_applied_never_shrinks(node: u64, before: u64, now: u64) =
        before <= now, "n{node} had applied {before} entries and now {now}";

    /// Nothing in the simulation damages a disk: a node that ends its part has lost something.
    no_node_stops_by_itself(node: u64, why: Option<&str>) =
        why.is_none(), "n{node}: {}", why.unwrap_or_default();

    /// Power cuts lose what was not synced, and nothing else.
    a_node_that_lost_power_starts_again(node: u64, why: &str) =
        why.is_empty(), "n{node}: {why}";

    /// An acknowledged key is there until someone asked for its destruction.
    nothing_acknowledged_is_answered_item_not_found(key: &str, node: u64, destroyed: bool) =
        destroyed, "{key} through n{node}";

    /// Without a majority a miss proves nothing.
    a_miss_is_never_answered_from_a_stale_copy(key: &str, node: u64, stale: bool) =
        !stale, "{key} through n{node}";

    /// What was acknowledged or read before a read began is in what it reads.
    no_state_moves_backwards(key: &str, node: u64, before: u64, now: u64) =
        before <= now, "{key} through n{node} was at step {before} and is now at {now}";

    /// Only what was asked and not refused happens.
    what_was_refused_is_not_carried_out(key: &str, node: u64, asked: u64, now: u64) =
        now <= asked, "{key} through n{node} was brought to step {asked} at most and is at {now}";

    /// Attributes and State are as the owner's requests, one after the other, make them.
    an_object_is_as_its_owner_made_it(key: &str, node: u64, place: Option<u64>, seen: &str) =
        place.is_some(), "{key} through n{node}: {seen}";

    /// Key material never changes.
    a_key_has_the_same_bytes_wherever_it_is_read(key: &str, node: u64, same: bool) =
        same, "{key} through n{node}";

    /// One object a Create, whatever was tried again on the way.
    no_create_is_carried_out_twice(key: &str, node: u64, count: usize) =
        count <= 1, "{key} through n{node} is there {count} times";

    /// Changes made at once through several nodes all stay.
    what_many_add_at_once_is_all_there(key: &str, node: u64, missing: &[String]) =
        missing.is_empty(), "{key} through n{node} lacks {}", missing.join(", ");

    /// The clients ask for nothing that they may not have.
    a_valid_request_is_refused_only_for_want_of_a_majority(key: &str, node: u64, answer: &str) =
        answer.is_empty(), "{key} through n{node}: {answer}";

    /// Within the bound, once nothing is cut, slow or down any more.
    the_cluster_serves_again_when_faults_stop(node: u64, what: &str) =
        what.is_empty(), "n{node}: {what}";
}
