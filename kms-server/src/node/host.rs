//! Taking a new node in: the member's side of a join.

use std::sync::Arc;

use certs::{AltName, Authority, KeyKind, Profile, Subject};
use kms_core::Event;
use tracing::info;
use zeroize::Zeroizing;

use super::change;
use super::members::MemberChange;
use super::taker::{Cargo, Carried, Taker};
use crate::config::{Cluster, Config, credentials_directory};
use crate::identity::read_file;
use crate::join::{self, Bundle, JoinRequest, Token};
use crate::operator::{Denied, Invitation, NewInvitation};
use crate::root_key::RootKey;

/// How long an invitation may be valid: a week.
const VALID_S_MAX: u32 = 7 * 24 * 3600;

/// What a member needs to take others in.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) taker: Taker,
    pub(super) config: Arc<Config>,
    pub(super) cluster: Cluster,
}

impl Host {
    /// Makes an invitation that works once.
    pub(super) async fn invite(&self, new: &NewInvitation) -> Result<Invitation, Denied> {
        if !(1..=VALID_S_MAX).contains(&new.valid_s) {
            let message = format!("valid_s is 1 to {VALID_S_MAX} seconds, got {}", new.valid_s);
            return Err(Denied::Invalid(message));
        }
        let ca = read_text(&self.cluster.ca).map_err(Denied::Failed)?;
        let ca = certs::certificates_from_pem(&ca).map_err(|error| Denied::Failed(error.to_string()))?;
        let ca = ca.first().ok_or_else(|| Denied::Failed("the cluster's CA file is empty".to_owned()))?;
        // Our own first: it answered just now.
        let mut addresses = vec![self.cluster.advertise.clone()];
        {
            let role = self.taker.roles.borrow();
            let others = role.members.values().map(|peer| &peer.member.link);
            addresses.extend(others.filter(|link| **link != self.cluster.advertise).cloned());
        }
        let token = Token::new(openssl::sha::sha256(ca), addresses);
        let now = self.taker.state.clock.unix_seconds();
        let expires_at = now + i64::from(new.valid_s);
        let event = Event::Invited { digest: token.digest(), at: now, expires_at, learner: new.learner };
        self.change(&event).await?;
        Ok(Invitation { token: token.danger_text(), expires: crate::certificate::utc(expires_at) })
    }

    /// Takes a new node in: gives it a number, sees that it is sent the log, and hands over what it needs.
    pub(super) async fn take_in(&self, question: &[u8]) -> Result<Vec<u8>, String> {
        let request: JoinRequest = serde_json::from_slice(question).map_err(|error| error.to_string())?;
        crate::operator::check_name("name", &request.name).map_err(|error| error.to_string())?;
        let alt_name = host_of(&request.link)?;
        host_of(&request.kmip)?;
        let mut secret = Zeroizing::new(join::Secret::default());
        hex::decode_to_slice(&request.secret, &mut *secret).map_err(|error| error.to_string())?;
        let digest = join::digest(&secret);
        self.check_invitation(&digest).await?;
        // All that can fail on our side is tried before the invitation is used up.
        let authority = self.authority()?;
        let mut bundle = self.bundle()?;
        let wanted = Event::NodeNumbered {
            node: 0,
            name: request.name.clone(),
            link: request.link.clone(),
            kmip: request.kmip.clone(),
            invitation: digest,
            at: 0,
            learner: false,
        };
        let numbered = self.change(&wanted).await;
        let Event::NodeNumbered { node, .. } = numbered.map_err(|denied| denied.to_string())? else {
            return Err("the leader gave no number; hint: are all nodes of one version?".to_owned());
        };
        let subject = Subject { common_name: format!("node-{node}"), alt_names: vec![alt_name] };
        let now = self.taker.state.clock.system_seconds();
        let issued = authority
            .issue(Profile::Node, &subject, KeyKind::P256, now)
            .map_err(|error| format!("the new node's certificate: {error}"))?;
        bundle.number = node;
        bundle.node_certificate = format!("{}{}", issued.cert_pem, bundle.cluster_ca);
        bundle.node_key = issued.key_pem.danger_expose().to_owned();
        let sealed = bundle.seal(&secret).map_err(|error| error.to_string())?;
        let (name, link, kmip) = (request.name.clone(), request.link.clone(), request.kmip.clone());
        let added = self.taker.change_members(&MemberChange::Add { node, name, link, kmip }).await;
        added.map_err(|denied| denied.to_string())?;
        info!(node, name = request.name, link = request.link, "a node joined, and is sent the log");
        Ok(sealed)
    }

    /// Refuses a stranger without an invitation before anything is read or said for it. The leader looks again.
    async fn check_invitation(&self, digest: &[u8; 32]) -> Result<(), String> {
        if !self.taker.is_current().await {
            return Err(
                "this node cannot say whether the invitation is good; hint: ask another node".to_owned()
            );
        }
        let now = self.taker.state.clock.unix_seconds();
        let held = self.taker.state.held();
        let invitation = held.objects.invitation(digest);
        if invitation.is_none_or(|invitation| !invitation.is_open_at(now)) {
            return Err(change::NO_INVITATION.to_owned());
        }
        Ok(())
    }

    async fn change(&self, event: &Event) -> Result<Event, Denied> {
        match self.taker.carry(&Cargo::Change(event), None).await {
            Ok(Carried::Changed(Ok(event))) => Ok(*event),
            Ok(Carried::Changed(Err(refusal))) => Err(Denied::of(refusal)),
            Ok(Carried::Outcome(_)) => Err(Denied::Failed("a change was answered as a request".to_owned())),
            Err(stuck) => Err(Denied::of(stuck.refusal(false))),
        }
    }

    fn authority(&self) -> Result<Authority, String> {
        let key = read_secret(&self.cluster.ca_key)?;
        Authority::load(&read_text(&self.cluster.ca)?, &key).map_err(|error| error.to_string())
    }

    /// All but what is the new node's own.
    fn bundle(&self) -> Result<Bundle, String> {
        let kmip = &self.config.kmip;
        let root = RootKey::load(&self.config.root_key, credentials_directory().as_deref())
            .map_err(|error| error.to_string())?;
        let data_keys = self.taker.state.vault.0.export().map_err(|error| error.to_string())?.into_iter();
        Ok(Bundle {
            number: 0,
            root_key: hex::encode(root.danger_bytes()),
            data_keys: data_keys.map(|(version, wrapped)| (version, hex::encode(wrapped))).collect(),
            server_certificate: read_text(&kmip.certificate)?,
            server_key: read_secret(&kmip.key)?.to_string(),
            client_ca: kmip.ca.as_deref().map(read_text).transpose()?,
            cluster_ca: read_text(&self.cluster.ca)?,
            cluster_ca_key: read_secret(&self.cluster.ca_key)?.to_string(),
            node_certificate: String::new(),
            node_key: String::new(),
        })
    }
}

fn read_text(path: &std::path::Path) -> Result<String, String> {
    read_secret(path).map(|text| text.to_string())
}

fn read_secret(path: &std::path::Path) -> Result<Zeroizing<String>, String> {
    let bytes = read_file(path).map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{} is no text", path.display()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The host of `host:port`, as it stands in a certificate.
fn host_of(address: &str) -> Result<AltName, String> {
    let expected = || format!("expected host:port, got {address:?}");
    let (host, port) = address.rsplit_once(':').ok_or_else(expected)?;
    port.parse::<u16>().map_err(|_| expected())?;
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .map_err(|error: certs::Error| error.to_string())
}
