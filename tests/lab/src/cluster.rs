//! The nodes of a laboratory as one cluster: founding, joining, removing, and how it stands.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::node::{LOOK_INTERVAL, Settings};
use crate::{Lab, files};

/// Longest wait for a cluster to be whole: snapshots may have to be sent, on a machine that does much else.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(90);

/// Seconds that an invitation of the laboratory is valid.
const INVITATION_S: u32 = 600;

impl Lab {
    /// Makes, starts and waits for the first node of a cluster.
    pub(crate) async fn found(&mut self, own: &Settings) {
        let host = self.next_link_host();
        let node = self.make_node(own, Some(host));
        let server = files::server_certificate(&self.authority);
        files::write_node(&node.dir, &self.authority, &self.ca_pem, &server);
        files::write_founder(&node, host);
        node.set_number(1);
        let started = node.start().await;
        started.unwrap_or_else(|refused| panic!("{} does not found a cluster: {refused}", node.name));
        self.nodes.push(node);
    }

    /// Has a new node join, and does not start it. Says its index.
    pub(crate) async fn join(&mut self, own: &Settings) -> usize {
        let node = self.make_node(own, Some(self.next_link_host()));
        files::make_dir(&node.dir);
        let token = self.invite(INVITATION_S).await;
        let joined = node.join(&token).await;
        joined.unwrap_or_else(|refused| panic!("{} does not join: {refused}", node.name));
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// A node that has a directory and no more: it may join with a token. Says its index.
    pub fn add_blank_node(&mut self) -> usize {
        let node = self.make_node(&Settings::new(), Some(self.next_link_host()));
        files::make_dir(&node.dir);
        self.nodes.push(node);
        self.gone.insert(self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    /// A blank node has joined: it counts among the members from here on.
    pub fn take_in(&mut self, index: usize) {
        self.gone.remove(&index);
    }

    /// Has a new node join, starts it, and waits until it has a vote and serves. Says its index.
    pub async fn add_node(&mut self) -> usize {
        let index = self.join(&Settings::new()).await;
        self.nodes[index].spawn();
        self.wait_whole().await;
        index
    }

    /// Removes a node from the cluster, whether it runs or not; its process is left as it is. Says what refused it.
    pub async fn remove_node(&mut self, index: usize) -> Result<(), String> {
        let number = self.nodes[index].number();
        let others: Vec<_> = self.awake().into_iter().filter(|other| *other != index).collect();
        let asked = *others.first().unwrap_or(&index);
        let path = format!("/v1/cluster/nodes/{number}");
        let answer = self.nodes[asked].operator("DELETE", &path, "").await.map_err(|e| e.to_string())?;
        if answer.status != 204 {
            return Err(answer.body);
        }
        self.gone.insert(index);
        Ok(())
    }

    /// A token for one new node, of the first node that can be asked.
    pub async fn invite(&self, valid_s: u32) -> String {
        let body = serde_json::json!({ "valid_s": valid_s, "learner": false }).to_string();
        let node = &self.nodes[*self.awake().first().expect("a node that can be asked")];
        let answer = node.operator("POST", "/v1/cluster/invitations", &body).await.unwrap();
        assert_eq!(answer.status, 201, "{} makes no invitation: {}", node.name, answer.body);
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// 127.0.1.1 for the first node's links, and so on, so that each direction can be told by its addresses.
    fn next_link_host(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 1, u8::try_from(self.nodes.len() + 1).unwrap())
    }

    /// The nodes of the cluster, running or not, from 0.
    pub fn members(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|index| !self.gone.contains(index)).collect()
    }

    /// Those of them that run and are not paused.
    pub fn awake(&self) -> Vec<usize> {
        self.members().into_iter().filter(|index| self.nodes[*index].is_awake()).collect()
    }

    /// The cluster as node `index` sees it: GET /v1/cluster.
    pub async fn cluster_view(&self, index: usize) -> Value {
        self.nodes[index].operator("GET", "/v1/cluster", "").await.unwrap().json()
    }

    /// The node that leads: of those that say so the one of the latest term. Waits for one, and panics when none leads
    /// within a minute and a half.
    pub async fn leader(&self) -> usize {
        let began = Instant::now();
        loop {
            if let Some(leader) = self.leader_now().await {
                return leader;
            }
            assert!(began.elapsed() < WHOLE_TIMEOUT, "no node leads");
            // Nothing reports an election from outside; it is asked for again.
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// A member that runs, and does not lead.
    pub async fn follower(&self) -> usize {
        let leader = self.leader().await;
        self.awake().into_iter().rev().find(|index| *index != leader).expect("a node that does not lead")
    }

    async fn leader_now(&self) -> Option<usize> {
        let mut latest = None;
        for index in self.awake() {
            let Ok(answer) = self.nodes[index].operator("GET", "/v1/status", "").await else { continue };
            let status = answer.json();
            if status["role"] == "leader" && status["quorum"] == true {
                latest = latest.max(Some((status["term"].as_u64(), index)));
            }
        }
        latest.map(|(_, index)| index)
    }

    /// Starts every member that does not run, and waits until the cluster is whole.
    pub async fn start_all(&self) {
        for node in self.members().into_iter().map(|index| &self.nodes[index]) {
            if !node.is_running() {
                node.spawn();
            }
        }
        self.wait_whole().await;
    }

    /// Waits until every member has a vote, is reached by the leader, and can read and write. Panics when a member
    /// ends instead, or after a minute and a half.
    pub async fn wait_whole(&self) {
        let began = Instant::now();
        while let Err(why) = self.is_whole().await {
            for node in self.members().into_iter().map(|index| &self.nodes[index]) {
                if let Some(refused) = node.refused() {
                    panic!("{} ended: {refused}", node.name);
                }
            }
            assert!(began.elapsed() < WHOLE_TIMEOUT, "not whole within {WHOLE_TIMEOUT:?}: {why}");
            // Nothing reports it; it is asked for again.
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Whether the cluster is whole, or what is missing.
    pub async fn is_whole(&self) -> Result<(), String> {
        for index in self.members() {
            let node = &self.nodes[index];
            if !node.is_running() {
                return Err(format!("{} does not run", node.name));
            }
            let ready = node.admin("/readyz").await.map_err(|error| format!("{}: {error}", node.name))?;
            if ready.status != 200 {
                return Err(format!("{}: {}", node.name, ready.body));
            }
        }
        let leader = self.leader_now().await.ok_or("no node leads")?;
        let view = self.cluster_view(leader).await;
        let nodes = view["nodes"].as_array().cloned().unwrap_or_default();
        for index in self.members() {
            let number = self.nodes[index].number();
            let row = nodes.iter().find(|row| row["number"] == number);
            let whole = row.is_some_and(|row| {
                row["reachable"] == true && ["leader", "voter"].iter().any(|role| row["role"] == *role)
            });
            if !whole {
                return Err(format!("{} is not there with a vote: {view}", self.nodes[index].name));
            }
        }
        match nodes.len() == self.members().len() {
            true => Ok(()),
            false => Err(format!("others are there too: {view}")),
        }
    }
}
