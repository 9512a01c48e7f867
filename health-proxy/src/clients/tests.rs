//! What is said of clients at which time.

use std::net::Ipv4Addr;

use super::*;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// One visit as vCenter's: three connections within a second.
fn visit(clients: &mut Clients, at: Duration) {
    for step in 0..3 {
        let at = at + Duration::from_millis(300 * step);
        clients.connected(at, CLIENT);
        clients.ended(at + Duration::from_millis(200), CLIENT, End::Finished);
    }
}

fn only(clients: &Clients, now: Duration) -> ClientView {
    let mut view = clients.view(now);
    assert_eq!(view.clients.len(), 1);
    view.clients.remove(0)
}

#[test]
fn a_client_that_comes_every_five_minutes_is_expected_and_then_late() {
    let mut clients = Clients::default();
    for at in [0, 300] {
        visit(&mut clients, s(at));
    }
    assert_eq!(only(&clients, s(301)).every_ms, None);
    visit(&mut clients, s(603));
    let seen = only(&clients, s(663));
    assert_eq!((seen.every_ms, seen.next_in_ms, seen.late_ms), (Some(303_000), Some(243_000), None));
    assert_eq!((seen.open, seen.total, seen.last_hour, seen.how), (0, 9, 9, Some("finished")));
    let due = only(&clients, s(920));
    assert_eq!((due.next_in_ms, due.late_ms), (Some(0), None));
    let late = only(&clients, s(1026));
    assert_eq!((late.next_in_ms, late.late_ms), (None, Some(120_000)));
    let gone = only(&clients, s(603 + 4 * 303));
    assert_eq!((gone.every_ms, gone.next_in_ms, gone.late_ms), (None, None, None));
}

#[test]
fn a_client_that_comes_as_it_likes_has_no_interval() {
    let mut clients = Clients::default();
    for at in [0, 100, 500, 550] {
        visit(&mut clients, s(at));
    }
    assert_eq!(only(&clients, s(560)).every_ms, None);
}

#[test]
fn an_open_connection_is_counted_until_it_ends() {
    let mut clients = Clients::default();
    clients.connected(s(1), CLIENT);
    clients.connected(s(2), CLIENT);
    clients.ended(s(5), CLIENT, End::Reset);
    let view = only(&clients, s(7));
    assert_eq!((view.open, view.connected_ago_ms, view.ended_ago_ms), (1, 5000, Some(2000)));
    assert_eq!(view.how, Some("reset"));
}

#[test]
fn an_address_of_ipv4_is_the_same_over_a_socket_of_ipv6() {
    let mut clients = Clients::default();
    clients.connected(s(1), IpAddr::V6(Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped()));
    clients.ended(s(2), CLIENT, End::Finished);
    assert_eq!(only(&clients, s(2)).open, 0);
}

#[test]
fn of_more_addresses_than_the_bound_the_one_seen_longest_ago_is_forgotten() {
    let mut clients = Clients::default();
    let address = |n: usize| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n as u32));
    // The first stays open, the second is the oldest that has ended.
    for n in 0..CLIENTS_MAX + 1 {
        clients.connected(s(n as u64), address(n));
        if n > 0 {
            clients.ended(s(n as u64), address(n), End::Finished);
        }
    }
    let view = clients.view(s(1000));
    assert_eq!((view.clients.len(), view.forgotten), (CLIENTS_MAX, 1));
    assert_eq!(view.clients[0].address, address(0));
    assert!(view.clients.iter().all(|client| client.address != address(1)));
    // Its end changes nothing any more.
    clients.ended(s(1001), address(1), End::Finished);
    assert_eq!(clients.view(s(1001)).clients.len(), CLIENTS_MAX);
}

#[test]
fn every_outcome_has_a_name_and_is_counted_in_its_minute() {
    let ends = [
        (End::Finished, "finished"),
        (End::Idle, "idle"),
        (End::ClientGone, "client_gone"),
        (End::Silent, "silent"),
        (End::NodeGone, "node_gone"),
        (End::Reset, "reset"),
        (End::NoNode, "no_node"),
    ];
    let mut clients = Clients::default();
    for (end, name) in ends {
        assert_eq!(Outcome::Ended(end).name(), name);
        clients.ended(s(61), CLIENT, end);
    }
    clients.refused(s(61), CLIENT);
    assert_eq!(clients.hour(s(61))[59], [1; OUTCOMES.len()]);
    assert_eq!(only(&clients, s(61)).how, Some("refused"));
}
