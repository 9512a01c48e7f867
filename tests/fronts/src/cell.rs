//! One cell of the table of faults: a front of one make, one fault, clients that keep their connection and vCenter beside
//! them, and whether every key is there once.

use std::path::PathBuf;
use std::time::Duration;

use kmip::client::{ClientConfig, ServerTrust};
use lab::{Lab, LabClient, NewClient, Right};
use tokio::time::sleep;

use crate::crowd::{Befell, Crowd};
use crate::fault::Fault;
use crate::files::{Probe, front_certificates};
use crate::front::{Front, Make, Server, Wanted};
use crate::keys::{Verdict, verify};
use crate::relay::Relay;

/// How long a client waits for a connection, and for an answer.
pub(crate) const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// A new front looks at its nodes, and clients are connected, before anything happens.
const BEFORE: Duration = Duration::from_millis(1000);

/// A fault lasts so long at least, so that what is decided about the node is decided.
const FAULT_MIN: Duration = Duration::from_millis(1500);

/// And at most so long beyond that, if clients are not answered before: longer than they wait.
const FAULT_MAX: Duration = Duration::from_secs(6);

/// Answers that each client has had when a fault is taken to be over for it.
const ANSWERS: u64 = 5;

/// The nodes, and what fronts need.
pub struct Stand {
    lab: Lab,
    probe: Probe,
    certificates: PathBuf,
    tenants: usize,
}

/// What befell in one cell.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Clients that keep their connection.
    pub persistent: Befell,
    /// vCenter.
    pub vcenter: Befell,
    /// What became of the keys of both.
    pub keys: Verdict,
}

impl Stand {
    /// Three nodes in a cluster. Panics where the laboratory does.
    ///
    /// # Errors
    /// Where a front's files cannot be made.
    pub async fn start() -> anyhow::Result<Self> {
        let lab = Lab::builder().nodes(3).start().await;
        let client = lab.add_client(NewClient::named("probe").rights([Right::Read])).await;
        let probe = Probe::write(&client, lab.dir())?;
        let certificates = front_certificates(&lab).await?;
        Ok(Self { lab, probe, certificates, tenants: 0 })
    }

    /// Fills one cell, and leaves the cluster whole.
    ///
    /// # Errors
    /// Where a front does not start, or keys cannot be looked at.
    pub async fn cell(&mut self, make: Make, fault: Fault) -> anyhow::Result<Cell> {
        self.lab.wait_whole().await;
        let (keepers, vcenter) = (self.tenant().await, self.tenant().await);
        let mut relay = (fault == Fault::SlowLink).then(Relay::new);
        // A link is slow from its relay on, which the front must know from the beginning.
        let mut victim = fault.victim(&self.lab).await;
        let servers = self.servers(victim, relay.as_mut()).await?;
        let wanted = Wanted {
            make,
            servers: &servers,
            probe: Some(&self.probe),
            certificates: Some(&self.certificates),
            core: None,
        };
        let front = Front::start(&wanted).await?;
        let at_front = |client: &LabClient| config(client, front.address.to_string());
        let crowds = [Crowd::persistent(&at_front(&keepers)?), Crowd::vcenter(&at_front(&vcenter)?)];
        // A front says to nobody that it has looked at its nodes; ours and others get the same time.
        sleep(BEFORE).await;
        if relay.is_none() {
            victim = fault.victim(&self.lab).await;
        }
        fault.begin(&self.lab, victim, relay.as_ref()).await;
        // The fault lasts so long.
        sleep(FAULT_MIN).await;
        answered(&crowds).await;
        fault.end(&self.lab, victim, relay.as_ref()).await;
        answered(&crowds).await;
        let [keep, encrypt] = crowds;
        let (persistent, encrypted) = tokio::join!(keep.end(), encrypt.end());
        front.end().await?;
        let direct = |client: &LabClient| config(client, self.lab.node(0).kmip_address.to_string());
        let kept = verify(&direct(&keepers)?, &persistent).await?;
        let marked = verify(&direct(&vcenter)?, &encrypted).await?;
        let keys = Verdict { lost: kept.lost + marked.lost, doubled: kept.doubled + marked.doubled };
        Ok(Cell { persistent, vcenter: encrypted, keys })
    }

    /// A client whose keys are nobody else's.
    async fn tenant(&mut self) -> LabClient {
        self.tenants += 1;
        self.lab.add_client(NewClient::named(format!("tenant{}", self.tenants))).await
    }

    /// The nodes as a front is told of them, one of them behind the relay.
    async fn servers(&self, relayed: usize, mut relay: Option<&mut Relay>) -> anyhow::Result<Vec<Server>> {
        let mut servers = Vec::new();
        for (index, node) in self.lab.nodes().iter().enumerate() {
            let (mut kmip, mut link) = (node.kmip_address, node.link_address.unwrap_or(node.kmip_address));
            if let (true, Some(relay)) = (index == relayed, relay.as_deref_mut()) {
                kmip = relay.before(kmip).await?;
                link = relay.before(link).await?;
            }
            servers.push(Server { name: node.name.clone(), kmip, link });
        }
        Ok(servers)
    }
}

async fn answered(crowds: &[Crowd; 2]) {
    let [one, other] = crowds;
    tokio::join!(one.more(ANSWERS, FAULT_MAX), other.more(1, FAULT_MAX));
}

fn config(client: &LabClient, address: String) -> anyhow::Result<ClientConfig> {
    let trust = ServerTrust::Ca { pem: client.ca_pem.clone().into_bytes(), verify_name: true };
    Ok(ClientConfig::builder(address, trust)
        .identity_pem(client.cert_pem.clone(), client.key_pem.clone())
        .connect_timeout(CLIENT_TIMEOUT)
        .handshake_timeout(CLIENT_TIMEOUT)
        .request_timeout(CLIENT_TIMEOUT)
        .build()?)
}
