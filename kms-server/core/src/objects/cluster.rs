//! What the log knows of the cluster itself: who may join, which numbers were given out, which data keys there are,
//! who signs the certificates of a tenant.

use std::collections::BTreeMap;

use super::Record;
use crate::event::InvitationDigest;
use crate::{Event, Id, Tenant};

/// Invitations that are open at most; one more, and the one that would expire first is gone.
pub const INVITATIONS_MAX: usize = 1024;

/// Nodes that got a number and are remembered, also after they left; one more, and the lowest number is forgotten. No
/// number is given out again for that.
pub const NUMBERED_MAX: usize = 4096;

/// The number of the node that founds a cluster.
const FOUNDER: u64 = 1;

/// A node that may join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// When it was made, in seconds since 1970.
    pub at: i64,
    /// The second, since 1970, from which on it is worth nothing.
    pub expires_at: i64,
    /// Whether the node is to learn only, and never to vote.
    pub learner: bool,
}

impl Invitation {
    /// Whether it may be used at `now`, in seconds since 1970.
    pub fn is_open_at(&self, now: i64) -> bool {
        now < self.expires_at
    }
}

/// A node that got a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Its number.
    pub node: u64,
    /// Its name, for people.
    pub name: String,
    /// Where other nodes reach it, `host:port`.
    pub link: String,
    /// Where clients reach it, `host:port`.
    pub kmip: String,
    /// The invitation that it used up.
    pub invitation: InvitationDigest,
    /// When, in seconds since 1970.
    pub at: i64,
    /// Whether it keeps to learning until it is promoted by hand.
    pub learner: bool,
}

/// Who signs a tenant's certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its own certificate.
    pub certificate: Id,
    /// What it signs with.
    pub private_key: Id,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cluster {
    authorities: BTreeMap<Tenant, (Authority, i64)>,
    invitations: BTreeMap<InvitationDigest, Invitation>,
    numbered: BTreeMap<u64, Numbered>,
    data_keys: BTreeMap<u32, Vec<u8>>,
}

impl Cluster {
    pub(crate) fn invitation(&self, digest: &InvitationDigest) -> Option<&Invitation> {
        self.invitations.get(digest)
    }

    pub(super) fn authority(&self, tenant: &Tenant) -> Option<&Authority> {
        self.authorities.get(tenant).map(|(authority, _)| authority)
    }

    pub(super) fn numbered(&self) -> impl Iterator<Item = &Numbered> {
        self.numbered.values()
    }

    pub(crate) fn next_node_number(&self) -> u64 {
        let highest = self.numbered.last_key_value().map_or(FOUNDER, |(node, _)| *node);
        highest.max(FOUNDER).saturating_add(1)
    }

    pub(super) fn data_keys(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.data_keys.iter().map(|(version, wrapped)| (*version, wrapped.as_slice()))
    }

    /// Carries an event about the cluster out; others change nothing.
    pub(super) fn apply(&mut self, event: &Event) {
        // What has expired goes here and not by a clock, so that all nodes hold the same.
        if let Event::Invited { at, .. } | Event::NodeNumbered { at, .. } = event {
            self.invitations.retain(|_, invitation| invitation.is_open_at(*at));
        }
        self.restore(event);
    }

    /// The same, of a snapshot: it holds nothing that had expired, and its order is not that of the log.
    pub(super) fn restore(&mut self, event: &Event) {
        match event {
            Event::DataKey { version, wrapped } => {
                // The first stays: it may have sealed already.
                self.data_keys.entry(*version).or_insert_with(|| wrapped.clone());
            }
            Event::AuthorityMade { tenant, certificate, private_key, at } => {
                let authority = Authority { certificate: *certificate, private_key: *private_key };
                self.authorities.insert(tenant.clone(), (authority, *at));
            }
            Event::Invited { digest, at, expires_at, learner } => {
                let invitation = Invitation { at: *at, expires_at: *expires_at, learner: *learner };
                self.invitations.insert(*digest, invitation);
                while self.invitations.len() > INVITATIONS_MAX {
                    let first = self.invitations.iter().min_by_key(|(_, invitation)| invitation.expires_at);
                    let Some(digest) = first.map(|(digest, _)| *digest) else { return };
                    self.invitations.remove(&digest);
                }
            }
            Event::NodeNumbered { node, name, link, kmip, invitation, at, learner } => {
                self.invitations.remove(invitation);
                let numbered = Numbered {
                    node: *node,
                    name: name.clone(),
                    link: link.clone(),
                    kmip: kmip.clone(),
                    invitation: *invitation,
                    at: *at,
                    learner: *learner,
                };
                self.numbered.insert(*node, numbered);
                while self.numbered.len() > NUMBERED_MAX {
                    self.numbered.pop_first();
                }
            }
            _ => {}
        }
    }

    /// For a snapshot: all of it, as the events that make it.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let data_keys = self
            .data_keys
            .iter()
            .map(|(version, wrapped)| Event::DataKey { version: *version, wrapped: wrapped.clone() });
        let numbered = self.numbered.values().map(|numbered| Event::NodeNumbered {
            node: numbered.node,
            name: numbered.name.clone(),
            link: numbered.link.clone(),
            kmip: numbered.kmip.clone(),
            invitation: numbered.invitation,
            at: numbered.at,
            learner: numbered.learner,
        });
        // Behind the numbers: a digest that was used once and invited again is open.
        let invitations = self.invitations.iter().map(|(digest, invitation)| Event::Invited {
            digest: *digest,
            at: invitation.at,
            expires_at: invitation.expires_at,
            learner: invitation.learner,
        });
        let authorities = self.authorities.iter().map(|(tenant, (authority, at))| Event::AuthorityMade {
            tenant: tenant.clone(),
            certificate: authority.certificate,
            private_key: authority.private_key,
            at: *at,
        });
        data_keys.chain(numbered).chain(invitations).chain(authorities).map(Record::Event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invited(number: u16, at: i64, expires_at: i64) -> Event {
        Event::Invited { digest: digest(number), at, expires_at, learner: number % 2 == 1 }
    }

    fn digest(number: u16) -> InvitationDigest {
        let mut digest = [0; 32];
        digest[..2].copy_from_slice(&number.to_be_bytes());
        digest
    }

    fn numbered(node: u64, invitation: u16, at: i64) -> Event {
        let name = format!("node{node}");
        let (link, kmip) = (format!("{name}:5697"), format!("{name}:5696"));
        Event::NodeNumbered { node, name, link, kmip, invitation: digest(invitation), at, learner: false }
    }

    fn made(events: &[Event]) -> Cluster {
        let mut cluster = Cluster::default();
        events.iter().for_each(|event| cluster.apply(event));
        cluster
    }

    #[test]
    fn an_invitation_is_used_once() {
        let mut cluster = made(&[invited(1, 10, 20), invited(2, 10, 20)]);
        assert_eq!(
            cluster.invitation(&digest(1)),
            Some(&Invitation { at: 10, expires_at: 20, learner: true })
        );
        cluster.apply(&numbered(2, 1, 15));
        assert_eq!(cluster.invitation(&digest(1)), None);
        assert!(cluster.invitation(&digest(2)).is_some());
    }

    #[test]
    fn an_invitation_is_open_until_the_second_it_expires() {
        let invitation = Invitation { at: 10, expires_at: 20, learner: false };
        assert!(invitation.is_open_at(19) && !invitation.is_open_at(20));
        let mut cluster = made(&[invited(1, 10, 20), invited(2, 19, 30)]);
        assert!(cluster.invitation(&digest(1)).is_some());
        cluster.apply(&numbered(2, 2, 20));
        assert_eq!(cluster.invitation(&digest(1)), None, "the log has passed its time");
    }

    #[test]
    fn the_invitation_that_expires_first_makes_room() {
        let most = u16::try_from(INVITATIONS_MAX).unwrap();
        let mut cluster = Cluster::default();
        for number in 0..most {
            cluster.apply(&invited(number, 0, i64::from(if number == 7 { 50 } else { 100 + number })));
        }
        cluster.apply(&invited(most, 0, 5000));
        assert_eq!(cluster.invitations.len(), INVITATIONS_MAX);
        assert_eq!(cluster.invitation(&digest(7)), None);
    }

    #[test]
    fn numbers_begin_with_two_and_are_never_given_again() {
        let mut cluster = Cluster::default();
        assert_eq!(cluster.next_node_number(), 2);
        cluster.apply(&numbered(1, 0, 5));
        assert_eq!(cluster.next_node_number(), 2);
        cluster.apply(&numbered(2, 0, 5));
        cluster.apply(&numbered(5, 0, 5));
        assert_eq!(cluster.next_node_number(), 6);
        assert_eq!(cluster.numbered().map(|numbered| numbered.node).collect::<Vec<_>>(), [1, 2, 5]);
        let many = 6 + u64::try_from(NUMBERED_MAX).unwrap();
        (6..many).for_each(|node| cluster.apply(&numbered(node, 0, 5)));
        assert_eq!((cluster.next_node_number(), cluster.numbered().count()), (many, NUMBERED_MAX));
        assert_eq!(cluster.numbered().next().map(|numbered| numbered.node), Some(6));
    }

    #[test]
    fn a_data_key_keeps_the_bytes_it_came_with_first() {
        let key = |wrapped: &[u8]| Event::DataKey { version: 2, wrapped: wrapped.to_vec() };
        let cluster = made(&[key(b"first"), key(b"second")]);
        assert_eq!(cluster.data_keys().collect::<Vec<_>>(), [(2, b"first".as_slice())]);
    }
}
