//! `kms lab` with its front, as an operator meets it: the real programs, clients that know one address, the commands of
//! another terminal, and the page in a browser.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod crowd;
mod page;
mod running;

use nix::sys::signal::Signal;
use tokio::process::Command;

use lab::programs;

use crate::crowd::{CLIENTS, Crowd, ask, keys};
use crate::running::{Running, is_process, kms, said, until};

/// Nodes that are frozen and woken, one after the other; `FREEZES=100` for the figure in docs/front.md.
const FREEZES: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_the_front_is_served_while_nodes_are_killed_drained_and_taken_back() {
    let lab = Running::start(&[]).await;
    let config = lab.client();
    ask(&config, &mut None).await.unwrap();

    let drained = lab.front(&["drain", "node2"]).await;
    assert!(drained.status.success() && said(&drained).contains("node2 is drained"), "{}", said(&drained));
    lab.node_is("node2", "Draining").await;
    ask(&config, &mut None).await.unwrap();
    let shown = said(&lab.front(&["status"]).await);
    assert!(shown.starts_with("Serving on ") && shown.contains("Drained: node2"), "{shown}");
    let ready = lab.front(&["ready", "node2"]).await;
    assert!(ready.status.success(), "{}", said(&ready));
    lab.node_is("node2", "Up").await;
    let unknown = lab.front(&["drain", "node9"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(said(&unknown).contains("the nodes are node1, node2, node3"), "{}", said(&unknown));

    let mut created = keys(&config).await;
    for (what, leads, does, undoes) in [
        ("kill -9 of a follower", false, "kill", "start"),
        ("kill -9 of the leader", true, "kill", "start"),
        ("a frozen follower", false, "stop", "cont"),
        ("a frozen leader", true, "stop", "cont"),
    ] {
        let crowd = Crowd::start(&config).await;
        let name = lab.node(leads).await;
        let done = lab.lab(&[does, &name]).await;
        assert!(done.status.success(), "{}", said(&done));
        lab.node_is(&name, "Down").await;
        crowd.more().await;
        // It comes back among requests, with some in it that others have carried out.
        let undone = lab.lab(&[undoes, &name]).await;
        assert!(undone.status.success(), "{}", said(&undone));
        lab.node_is(&name, "Up").await;
        crowd.more().await;
        let befell = crowd.end().await;
        created += befell.created;
        println!(
            "{what}, {CLIENTS} clients that create through the front: worst gap {} ms, {} failed requests",
            befell.worst_gap.as_millis(),
            befell.failed.len()
        );
        assert_eq!(befell.failed, Vec::<String>::new(), "{what}: a client noticed");
        assert_eq!(keys(&config).await, created, "{what}: a request was carried out twice, or not at all");
    }

    let front = lab.front_pid();
    assert!(lab.lab(&["kill", "front"]).await.status.success() && !is_process(front));
    assert_eq!(lab.front(&["status"]).await.status.code(), Some(3));
    assert!(said(&lab.lab(&["status"]).await).contains("killed"));
    assert!(lab.lab(&["start", "front"]).await.status.success());
    ask(&config, &mut None).await.unwrap();
    assert_ne!(lab.front_pid(), front);
    assert!(lab.lab(&["stop", "front"]).await.status.success());
    assert!(said(&lab.lab(&["status"]).await).contains("does not answer"));
    assert!(lab.lab(&["cont", "front"]).await.status.success());
    ask(&config, &mut None).await.unwrap();
    lab.end(Signal::SIGTERM).await;
}

/// A node that is frozen holds requests which others then carry out, and would carry them out itself when it wakes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_frozen_node_had_in_hand_is_carried_out_once_when_it_wakes() {
    let freezes = std::env::var("FREEZES").map_or(FREEZES, |count| count.parse().unwrap());
    let lab = Running::start(&[]).await;
    let config = lab.client();
    let crowd = Crowd::start(&config).await;
    for number in 0..freezes {
        let name = lab.node(number % 2 == 0).await;
        let resent = lab.resent().await;
        assert!(lab.lab(&["stop", &name]).await.status.success());
        lab.resends(&name, resent).await;
        lab.node_is(&name, "Down").await;
        assert!(lab.lab(&["cont", &name]).await.status.success());
        lab.node_is(&name, "Up").await;
        // The next may be the same one, and one that came back is given few requests at first.
        let served = lab.served(&name).await;
        until(&format!("{name} is given requests"), async || lab.served(&name).await > served).await;
    }
    let resent = lab.resent().await;
    let befell = crowd.end().await;
    println!(
        "{freezes} freezes under {CLIENTS} clients that create: {} created, {resent} sent again, worst gap {} ms, {} failed",
        befell.created,
        befell.worst_gap.as_millis(),
        befell.failed.len()
    );
    assert_eq!(befell.failed, Vec::<String>::new(), "a client noticed");
    assert_eq!(keys(&config).await, befell.created, "a request was carried out twice, or not at all");
    lab.end(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_lab_that_is_killed_leaves_no_front_behind() {
    let lab = Running::start(&["--nodes", "1"]).await;
    ask(&lab.client(), &mut None).await.unwrap();
    lab.end(Signal::SIGKILL).await;
}

#[tokio::test]
async fn without_a_front_clients_go_to_the_first_node() {
    let lab = Running::start(&["--nodes", "1", "--fronts", "0"]).await;
    let description = lab.description();
    assert!(description["front"].is_null());
    assert_eq!(description["vip"], description["nodes"][0]["kmip"]);
    ask(&lab.client(), &mut None).await.unwrap();
    lab.end(Signal::SIGTERM).await;
}

#[tokio::test]
async fn what_init_writes_on_a_node_is_a_front_in_replay_with_all_it_needs() {
    let lab = Running::start(&["--nodes", "1", "--fronts", "0"]).await;
    let out = lab.dir.join("fronts");
    let words = "front init --vip 192.0.2.10 --interface eth0 --address 192.0.2.21 --peer 192.0.2.22";
    let mut init = kms(&words.split(' ').collect::<Vec<_>>());
    let output = init.arg("--node").arg(lab.dir.join("node1")).arg("--out").arg(&out).output().await.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let mut links = Vec::new();
    for host in ["front1", "front2"] {
        let dir = out.join(host);
        // As on a host, with its paths in this directory.
        let text = std::fs::read_to_string(dir.join("front.toml")).unwrap();
        std::fs::write(dir.join("front.toml"), text.replace("/run/health-proxy", dir.to_str().unwrap()))
            .unwrap();
        let mut check = Command::new(&programs().front);
        let output =
            check.arg("--check-config").arg("--config").arg(dir.join("front.toml")).output().await.unwrap();
        assert!(output.status.success() && said(&output).contains("requests replayed"), "{}", said(&output));
        links.push(std::fs::read(dir.join("link.pem")).unwrap());
    }
    assert_ne!(links[0], links[1], "each front has a certificate of its own");
    lab.end(Signal::SIGTERM).await;
}

#[tokio::test]
async fn what_init_writes_is_taken_by_keepalived_and_by_the_front() {
    let temporary = tempfile::tempdir().unwrap();
    let out = temporary.path().join("fronts");
    // keepalived takes no configuration for an interface that is not there, nor for lo.
    let interfaces = std::fs::read_dir("/sys/class/net").unwrap().map(|entry| entry.unwrap().file_name());
    let other = interfaces.map(|name| name.into_string().unwrap()).find(|name| name.starts_with('e'));
    let interface = other.clone().unwrap_or_else(|| "eth0".to_owned());
    let words = "front init --vip 192.0.2.10 --interface IF --address 192.0.2.21 --peer 192.0.2.22 --nodes 192.0.2.11,b=192.0.2.12";
    let output = kms(&words
        .split(' ')
        .map(|word| if word == "IF" { interface.as_str() } else { word })
        .collect::<Vec<_>>())
    .arg("--out")
    .arg(&out)
    .output()
    .await
    .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    for host in ["front1", "front2"] {
        let dir = out.join(host);
        // As on a host, with its paths in this directory; there is no node to give a certificate for the probe.
        let text = std::fs::read_to_string(dir.join("front.toml")).unwrap();
        let text = text.replace("/run/health-proxy", dir.to_str().unwrap());
        let kept = text
            .lines()
            .filter(|line| !["certificate", "key", "ca"].contains(&line.split(' ').next().unwrap()));
        std::fs::write(dir.join("front.toml"), kept.collect::<Vec<_>>().join("\n")).unwrap();
        let mut check = Command::new(&programs().front);
        let output =
            check.arg("--check-config").arg("--config").arg(dir.join("front.toml")).output().await.unwrap();
        assert!(
            output.status.success() && said(&output).contains("b at 192.0.2.12:5696"),
            "{}",
            said(&output)
        );

        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let mut check = Command::new("keepalived");
        check.env("PATH", path).arg("-t").arg("-f").arg(dir.join("keepalived.conf"));
        match check.output().await {
            Ok(_) if other.is_none() => {
                println!("skipped: there is no network interface to check keepalived's configuration for");
            }
            Ok(output) => assert!(output.status.success(), "{}", said(&output)),
            Err(_) => println!("skipped: keepalived is not installed, and its configuration is not checked"),
        }
    }
}
