//! A cluster in words: how it is, what to do about it, and what a removal leaves.

use crate::admin::{Cluster, Member};

/// How the cluster is, in one line.
pub(super) fn state(cluster: &Cluster) -> String {
    let voters = Votes::of(cluster.nodes.iter());
    let mut parts = vec![nodes(cluster.nodes.len())];
    match (cluster.quorum, cluster.leader) {
        (true, Some(leader)) => {
            parts.push("quorum".to_owned());
            parts.push(format!("leader {}", name(cluster, leader)));
        }
        (true, None) => parts.push("no leader at the moment: an election is under way".to_owned()),
        (false, _) => parts.push(format!(
            "NO QUORUM: {} of {} votes reachable, {} needed",
            voters.reachable,
            voters.all,
            voters.needed()
        )),
    }
    let lost: Vec<_> = cluster.nodes.iter().filter(|node| node.reachable == Some(false)).collect();
    if !lost.is_empty() {
        let names: Vec<_> = lost.iter().map(|node| node.name.as_str()).collect();
        let are = if lost.len() == 1 { "is" } else { "are" };
        parts.push(format!("{} {are} not reachable", names.join(" and ")));
    }
    parts.join(", ")
}

/// What follows from it, where something does.
pub(super) fn advice(cluster: &Cluster) -> Option<String> {
    let voters = Votes::of(cluster.nodes.iter());
    let learners: Vec<_> =
        cluster.nodes.iter().filter(|node| !node.role.votes()).map(|node| node.name.as_str()).collect();
    if !cluster.quorum {
        return Some(
            "Keys are still read where a node holds them; changes are refused until enough nodes are back. Start them, or look at their links."
                .to_owned(),
        );
    }
    if voters.all == 1 && learners.is_empty() {
        return Some(
            "One node alone: while it is down, nothing is served. kms cluster invite brings another."
                .to_owned(),
        );
    }
    if voters.all > 1 && voters.reachable <= voters.needed() {
        return Some("No further node may be lost: then changes would be refused.".to_owned());
    }
    (!learners.is_empty()).then(|| {
        let have = if learners.len() == 1 { "has" } else { "have" };
        format!(
            "{} {have} no vote yet: catching up, or kept so until kms cluster promote.",
            learners.join(" and ")
        )
    })
}

/// What the cluster is after this node is gone.
pub(super) fn after_removal(cluster: &Cluster, gone: &Member) -> String {
    let rest = Votes::of(cluster.nodes.iter().filter(|node| node.number != gone.number));
    let mut text = match (gone.role.votes(), rest.all) {
        (false, _) => format!("{} has no vote: the quorum stays as it is.", titled(gone)),
        (true, 0) => format!("{} is the only one with a vote.", titled(gone)),
        (true, all) => {
            let needed = rest.needed();
            let spare = match all - needed {
                0 => "none of them may be lost".to_owned(),
                1 => "one of them may be lost".to_owned(),
                more => format!("{more} of them may be lost"),
            };
            format!("After that {all} with a vote are left, of which {needed} must be there: {spare}.")
        }
    };
    if gone.role.votes() && rest.all > 0 && rest.reachable < rest.needed() {
        text.push_str(&format!(
            " WARNING: only {} of them can be reached now, so no change could be made.",
            rest.reachable
        ));
    } else if gone.reachable == Some(true) && cluster.nodes.len() > 1 {
        text.push_str(" It is reachable now.");
    }
    text
}

/// A node for a sentence: its name and number.
pub(super) fn titled(node: &Member) -> String {
    format!("{} (number {})", node.name, node.number)
}

fn name(cluster: &Cluster, number: u64) -> String {
    let node = cluster.nodes.iter().find(|node| node.number == number);
    node.map_or_else(|| format!("number {number}"), |node| node.name.clone())
}

fn nodes(count: usize) -> String {
    if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") }
}

/// Those with a vote.
struct Votes {
    all: usize,
    /// All that are not known to be lost.
    reachable: usize,
}

impl Votes {
    fn of<'a>(nodes: impl Iterator<Item = &'a Member>) -> Self {
        nodes.filter(|node| node.role.votes()).fold(Votes { all: 0, reachable: 0 }, |votes, node| Votes {
            all: votes.all + 1,
            reachable: votes.reachable + usize::from(node.reachable != Some(false)),
        })
    }

    fn needed(&self) -> usize {
        self.all / 2 + 1
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::admin::MemberRole;

    /// A cluster of `number role reachable` triples, with quorum when most votes are reachable.
    pub(in super::super) fn cluster(nodes: &str) -> Cluster {
        let member = |text: &str| {
            let mut words = text.split_whitespace();
            let number: u64 = words.next().unwrap().parse().unwrap();
            let role = match words.next().unwrap() {
                "leader" => MemberRole::Leader,
                "voter" => MemberRole::Voter,
                _ => MemberRole::Learner,
            };
            Member {
                number,
                name: format!("node{number}"),
                link: format!("192.0.2.{number}:5697"),
                kmip: format!("192.0.2.{number}:5696"),
                role,
                reachable: Some(words.next().unwrap() == "yes"),
                applied: None,
                lag: None,
            }
        };
        let nodes: Vec<_> = nodes.split(';').map(member).collect();
        let votes = Votes::of(nodes.iter());
        Cluster {
            number: 1,
            term: 3,
            leader: nodes.iter().find(|node| node.role == MemberRole::Leader).map(|node| node.number),
            quorum: votes.reachable >= votes.needed(),
            nodes,
        }
    }

    #[test]
    fn the_first_line_says_how_the_cluster_is() {
        let check = |nodes, words: &str| assert_eq!(state(&cluster(nodes)), words, "{nodes}");
        check("1 leader yes", "1 node, quorum, leader node1");
        check("1 leader yes; 2 voter yes; 3 voter yes", "3 nodes, quorum, leader node1");
        check(
            "1 voter no; 2 leader yes; 3 voter yes",
            "3 nodes, quorum, leader node2, node1 is not reachable",
        );
        check(
            "1 voter yes; 2 voter no; 3 voter no",
            "3 nodes, NO QUORUM: 1 of 3 votes reachable, 2 needed, node2 and node3 are not reachable",
        );
        check(
            "1 voter yes; 2 voter yes; 3 voter yes",
            "3 nodes, no leader at the moment: an election is under way",
        );
    }

    #[test]
    fn what_is_not_well_is_said_with_what_follows() {
        let check = |nodes, words: &str| {
            let advice = advice(&cluster(nodes));
            assert!(advice.as_deref().unwrap_or("nothing").contains(words), "{nodes}: {advice:?}");
        };
        check("1 leader yes", "One node alone");
        check("1 leader yes; 2 voter yes; 3 voter yes", "nothing");
        check("1 leader yes; 2 voter yes; 3 voter no", "No further node may be lost");
        check("1 leader yes; 2 voter yes; 3 voter yes; 4 learner yes", "node4 has no vote yet");
        check("1 voter yes; 2 voter no; 3 voter no", "changes are refused");
    }

    #[test]
    fn a_removal_says_what_quorum_remains() {
        let check = |nodes, gone: usize, words: &str| {
            let cluster = cluster(nodes);
            let text = after_removal(&cluster, &cluster.nodes[gone - 1]);
            assert!(text.contains(words), "{nodes} without {gone}: {text}");
        };
        check(
            "1 leader yes; 2 voter yes; 3 voter no",
            3,
            "2 with a vote are left, of which 2 must be there: none",
        );
        check("1 leader yes; 2 voter yes; 3 voter no", 2, "WARNING: only 1 of them");
        check(
            "1 leader yes; 2 voter yes; 3 voter yes; 4 voter yes; 5 voter no",
            5,
            "one of them may be lost",
        );
        check("1 leader yes; 2 learner yes", 2, "has no vote");
        check("1 leader yes", 1, "the only one with a vote");
    }
}
