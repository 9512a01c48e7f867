//! What the operator's socket asks of the node: clients, keys, how it and its cluster are. Never plain key material.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use kmip::attribute::Name;
use kmip::enumeration::{CryptographicAlgorithm, ObjectType, ResultReason, ResultStatus};
use kmip::mask::CryptographicUsageMask;
use kmip::operations::{activate, create};
use kmip::{Attribute, Kmip, ProtocolVersion, RequestMessage, StandardAttribute, TemplateAttribute};
use kms_core::{
    Client, Event, Id, KnownCredential, KnownCredentials, Object, RegisteredClient, Rights, Tenant,
};
use tokio::task::spawn_blocking;
use ttlv::{Node as Tree, Value, Vocabulary as _};

use super::Node;
use super::desk::Who;
use super::host::Host;
use super::members::MemberChange;
use super::standing::Standing;
use super::taker::{Cargo, Carried};
use crate::certificate::{Certificate, utc};
use crate::credentials;
use crate::operator::{
    ClientView, ClusterView, CreatedKey, Denied, Invitation, KEYS_PER_PAGE, KeyPage, KeyQuery, KeyView,
    LogStatus, NewClient, NewCredential, NewInvitation, NewKey, NodeRole, Operator, Right, Status, TlsStatus,
};
use crate::trust::Registration;

/// Characters of an attribute's value that a listing shows.
const SHOWN_CHARACTERS_MAX: usize = 256;

/// The operator's name in the audit.
const OPERATOR: &str = "operator";

impl Operator for Node {
    async fn status(&self) -> Result<Status, Denied> {
        let (objects, clients) = {
            let held = self.state().held();
            (held.objects.len(), held.objects.clients().count())
        };
        let role = self.taker.roles.borrow().clone();
        let me = self.taker.me;
        let config = &self.shared.config;
        Ok(Status {
            node: config.node.clone(),
            number: me,
            role: role.members.get(&me).map(|peer| match (role.leads, peer.voter) {
                (true, _) => NodeRole::Leader,
                (false, true) => NodeRole::Voter,
                (false, false) => NodeRole::Learner,
            }),
            term: role.term,
            leader: role.leader,
            members: role.members.len() as u64,
            quorum: *self.taker.standing.borrow() == Standing::Whole && role.leader.is_some(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: utc(self.started),
            objects: objects as u64,
            clients: clients as u64,
            log: LogStatus { applied: role.applied, first: role.first, snapshot: role.snapshot },
            tls: TlsStatus::from(&self.shared.identity.leaf()),
            kmip: config.kmip.listen.to_string(),
            admin: config.admin_listen.to_string(),
        })
    }

    async fn clients(&self) -> Result<Vec<ClientView>, Denied> {
        self.catch_up().await;
        self.state().held().objects.clients().map(|client| view_client(client)).collect()
    }

    async fn add_client(&self, new: NewClient) -> Result<ClientView, Denied> {
        let rights = new.rights.as_deref().map_or_else(Rights::default, Right::only);
        let client = Client { name: new.name.as_str().into(), tenant: Tenant::new(&new.tenant), rights };
        let (registration, certificate) =
            Registration::from_pem(client.clone(), new.trust.kind, &new.trust.pem)
                .map_err(|error| Denied::Invalid(error.to_string()))?;
        let registered = RegisteredClient {
            client,
            trust: kms_core::Trust {
                kind: new.trust.kind.into(),
                certificate: registration.certificate.as_ref().to_vec(),
            },
            credentials: KnownCredentials { user: kept(new.user).await?, device: kept(new.device).await? },
            registered_at: self.state().clock.unix_seconds(),
        };
        let view = ClientView::new(&registered, &certificate);
        self.change("ClientRegister", Event::ClientRegistered { client: registered }).await?;
        Ok(view)
    }

    async fn remove_client(&self, name: &str) -> Result<(), Denied> {
        self.change("ClientRemove", Event::ClientRemoved { name: name.to_owned() }).await
    }

    async fn keys(&self, query: KeyQuery) -> Result<KeyPage, Denied> {
        let after = match query.after.as_deref().map(Id::parse) {
            Some(None) => {
                return Err(Denied::Invalid("\"after\" is no identifier of this server".to_owned()));
            }
            Some(Some(id)) => Some(id),
            None => None,
        };
        let limit = query.limit.unwrap_or(KEYS_PER_PAGE);
        self.catch_up().await;
        let now = self.state().clock.unix_seconds();
        let wanted = |object: &Object| {
            query.tenant.as_deref().is_none_or(|tenant| tenant == object.tenant.as_str())
                && query.state.as_deref().is_none_or(|state| {
                    object
                        .state_at(now)
                        .name()
                        .is_some_and(|name| name.eq_ignore_ascii_case(&state.replace('-', "")))
                })
        };
        // One more than the page tells whether there is another.
        let mut found: Vec<Arc<Object>> = {
            let held = self.state().held();
            held.objects.after(after).filter(|object| wanted(object)).take(limit + 1).cloned().collect()
        };
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|object| object.id.to_string());
        Ok(KeyPage { keys: found.iter().map(|object| self.view_key(object, now, false)).collect(), next })
    }

    async fn key(&self, id: &str) -> Result<KeyView, Denied> {
        let current = self.catch_up().await;
        let found = Id::parse(id).and_then(|id| self.state().held().objects.object(id).cloned());
        let object = found.ok_or_else(|| match current {
            true => Denied::NotFound(format!("no object {id:?}; hint: kms key list")),
            false => Denied::Unavailable(format!(
                "this node cannot say whether there is an object {id:?}; hint: ask another node, or see kms cluster status"
            )),
        })?;
        Ok(self.view_key(&object, self.state().clock.unix_seconds(), true))
    }

    async fn create_key(&self, new: NewKey) -> Result<CreatedKey, Denied> {
        let client =
            Arc::new(Client { name: OPERATOR.into(), tenant: Tenant::new(&new.tenant), rights: Rights::ALL });
        let request = active_key(new.name.as_deref());
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        let (outcome, without_quorum) = self.taker.outcome(&Arc::new(request), &bytes, &client).await;
        let who =
            Who { client: OPERATOR, tenant: &new.tenant, address: None, message_bytes: 0, without_quorum };
        self.desk
            .audit(who, &outcome.audit, &outcome.correlation)
            .map_err(|error| Denied::Failed(error.to_string()))?;
        if let Some(failed) = outcome.audit.iter().find(|item| item.result_status != ResultStatus::Success) {
            return Err(Denied::Invalid(failed.message.clone().unwrap_or_default()));
        }
        let id = outcome.audit.into_iter().find_map(|item| item.unique_identifier);
        id.map(|id| CreatedKey { id }).ok_or_else(|| Denied::Failed("no key came of it".to_owned()))
    }

    async fn cluster(&self) -> Result<ClusterView, Denied> {
        Ok(self.taker.cluster().await)
    }

    async fn invite(&self, new: NewInvitation) -> Result<Invitation, Denied> {
        let host = self.host()?;
        let invited = host.invite(&new).await;
        self.audited("NodeInvite", invited)
    }

    async fn promote_node(&self, node: u64) -> Result<(), Denied> {
        let promoted = self.taker.change_members(&MemberChange::Promote { node }).await;
        self.audited("NodePromote", promoted)
    }

    async fn remove_node(&self, node: u64) -> Result<(), Denied> {
        let removed = self.taker.change_members(&MemberChange::Remove { node }).await;
        self.audited("NodeRemove", removed)
    }

    async fn backup(&self) -> Result<Body, Denied> {
        let begun = self.back_up().await;
        self.audited("Backup", begun)
    }
}

impl Node {
    /// Waits for what the operator may have done on another node just now. Says whether this node holds all of it; what it
    /// holds can be looked at all the same.
    async fn catch_up(&self) -> bool {
        self.taker.is_current().await
    }

    /// Commits one event of the operator's.
    async fn change(&self, operation: &'static str, event: Event) -> Result<(), Denied> {
        let changed = match self.taker.carry(&Cargo::Change(&event), None).await {
            Ok(Carried::Changed(Ok(_))) => Ok(()),
            Ok(Carried::Changed(Err(refusal))) => Err(Denied::of(refusal)),
            Ok(Carried::Outcome(_)) => Err(Denied::Failed("a change was answered as a request".to_owned())),
            Err(stuck) => Err(Denied::of(stuck.refusal(false))),
        };
        self.audited(operation, changed)
    }

    /// What came of an operator's request, once it is in the audit: an answer that is not there is not given.
    fn audited<T>(&self, operation: &'static str, done: Result<T, Denied>) -> Result<T, Denied> {
        let (status, reason) = match &done {
            Ok(_) => (ResultStatus::Success, None),
            Err(denied) => (ResultStatus::OperationFailed, Some(denied.reason())),
        };
        let line = crate::audit::Line {
            time: self.state().clock.unix_seconds(),
            client: OPERATOR,
            tenant: "-",
            address: None,
            operation,
            unique_identifier: None,
            result_status: status.name().unwrap_or_default(),
            result_reason: reason.and_then(ResultReason::name),
            message_bytes: 0,
            without_quorum: false,
            client_correlation: None,
            server_correlation: None,
        };
        let written = self.shared.audit.write(&[line]);
        written
            .map_err(|error| Denied::Failed(format!("{operation} is answered by nothing else: {error}")))?;
        done
    }

    fn host(&self) -> Result<&Host, Denied> {
        self.host.as_ref().ok_or_else(|| {
            Denied::Conflict(
                "this node has no links, so no other can join it; hint: give its configuration a [cluster] section, \
                 see docs/cluster.md"
                    .to_owned(),
            )
        })
    }

    fn view_key(&self, object: &Object, now: i64, all: bool) -> KeyView {
        let algorithm = object.enumeration(StandardAttribute::CryptographicAlgorithm);
        let length = object.integer(StandardAttribute::CryptographicLength);
        let attributes = object.all_attributes(now);
        let shown = attributes.iter().filter(|attribute| all || attribute.name.is_custom());
        KeyView {
            id: object.id.to_string(),
            tenant: object.tenant.as_str().to_owned(),
            object_type: object.object_type.to_string(),
            algorithm: algorithm.map(|number| CryptographicAlgorithm::from_number(number).to_string()),
            length: length.and_then(|bits| u32::try_from(bits).ok()),
            state: object.state_at(now).to_string(),
            created: utc(object.initial_date),
            last_read: self.state().last_read(object.id).map(utc),
            name: object.names().next().map(|name| name.value),
            attributes: shown
                .map(|attribute| (label(attribute), text(attribute)))
                .collect::<BTreeMap<_, _>>(),
        }
    }
}

fn view_client(registered: &RegisteredClient) -> Result<ClientView, Denied> {
    let certificate = Certificate::from_der(&registered.trust.certificate)
        .map_err(|error| Denied::Failed(format!("client \"{}\": {error}", registered.client.name)))?;
    Ok(ClientView::new(registered, &certificate))
}

/// A credential as it is kept: its password hashed.
async fn kept(new: Option<NewCredential>) -> Result<Option<KnownCredential>, Denied> {
    let Some(NewCredential { name, password }) = new else { return Ok(None) };
    let password_hash = match password {
        Some(password) => {
            // A fifth of a second, and not on a thread that answers clients.
            let hashed = spawn_blocking(move || credentials::hash(password.danger_bytes())).await;
            let hashed = hashed.map_err(|error| Denied::Failed(error.to_string()))?;
            Some(hashed.map_err(|error| Denied::Failed(format!("hashing the password: {error}")))?)
        }
        None => None,
    };
    Ok(Some(KnownCredential { name, password_hash }))
}

/// A key made and activated in one batch, the second item by the ID Placeholder.
fn active_key(name: Option<&str>) -> RequestMessage {
    let mask = CryptographicUsageMask::ENCRYPT | CryptographicUsageMask::DECRYPT;
    let mut attributes = vec![
        Attribute::new(
            StandardAttribute::CryptographicAlgorithm,
            Value::Enumeration(CryptographicAlgorithm::Aes.number()),
        ),
        Attribute::new(StandardAttribute::CryptographicLength, Value::Integer(256)),
        Attribute::new(StandardAttribute::CryptographicUsageMask, Value::Integer(mask.bits())),
    ];
    attributes.extend(name.map(|name| Attribute::new(StandardAttribute::Name, Name::text(name).to_value())));
    let create = create::Request {
        object_type: ObjectType::SymmetricKey,
        template_attribute: TemplateAttribute { names: Vec::new(), attributes },
    };
    RequestMessage::new(ProtocolVersion::V1_4, [create.into(), activate::Request::default().into()])
}

/// The name of an attribute instance in a listing.
fn label(attribute: &Attribute) -> String {
    match attribute.index {
        None | Some(0) => attribute.name.to_string(),
        Some(index) => format!("{}[{index}]", attribute.name),
    }
}

/// The value of an attribute for people: bare for simple types, the text form for structures.
fn text(attribute: &Attribute) -> String {
    let tag = attribute.name.rule().map_or(kmip::tag::ATTRIBUTE_VALUE, |rule| rule.tag);
    let full = match &attribute.value {
        Value::TextString(text) => text.clone(),
        Value::Integer(number) => match kms_mask(tag, *number) {
            Some(names) => names,
            None => number.to_string(),
        },
        Value::LongInteger(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Interval(seconds) => format!("{seconds} s"),
        Value::DateTime(seconds) => utc(*seconds),
        Value::Enumeration(number) => {
            Kmip.enumeration_name(tag, *number).map_or_else(|| format!("0x{number:08x}"), str::to_owned)
        }
        Value::Structure(_) | Value::ByteString(_) | Value::BigInteger(_) => {
            let tree = Tree::new(tag, attribute.value.clone());
            ttlv::text::node(&tree, &Kmip).to_string().trim_end().to_owned()
        }
    };
    full.chars().take(SHOWN_CHARACTERS_MAX).collect()
}

fn kms_mask(tag: ttlv::Tag, number: i32) -> Option<String> {
    (tag == kmip::tag::CRYPTOGRAPHIC_USAGE_MASK)
        .then(|| CryptographicUsageMask::from_bits(number).to_string())
}
