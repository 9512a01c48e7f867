//! What the operator's socket asks of the node: clients, keys, how it is. Never key material.

use std::collections::BTreeMap;
use std::sync::Arc;

use kmip::attribute::Name;
use kmip::enumeration::{CryptographicAlgorithm, ObjectType, ResultStatus};
use kmip::mask::CryptographicUsageMask;
use kmip::operations::{activate, create};
use kmip::{Attribute, Kmip, ProtocolVersion, RequestMessage, StandardAttribute, TemplateAttribute};
use kms_core::{Client, Event, Id, Object, RegisteredClient, Rights, Tenant};
use ttlv::{Node as Tree, Value, Vocabulary as _};

use super::{Node, Who};
use crate::certificate::{Certificate, utc};
use crate::operator::{
    ClientView, CreatedKey, Denied, KEYS_PER_PAGE, KeyPage, KeyQuery, KeyView, LogStatus, NewClient, NewKey,
    Operator, Right, Status, TlsStatus,
};
use crate::trust::{Registration, RegistrationError, Trust, Way};

/// Characters of an attribute's value that a listing shows.
const SHOWN_CHARACTERS_MAX: usize = 256;

/// The operator's name in the audit.
const OPERATOR: &str = "operator";

impl Operator for Node {
    async fn status(&self) -> Result<Status, Denied> {
        let (objects, clients) = {
            let objects = self.state.objects();
            (objects.len(), objects.clients().count())
        };
        let position = self.writer.position();
        let config = &self.shared.config;
        Ok(Status {
            node: config.node.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: utc(self.started),
            objects: objects as u64,
            clients: clients as u64,
            log: LogStatus { applied: position.applied, first: position.first, snapshot: position.snapshot },
            tls: TlsStatus::from(&self.shared.identity.leaf()),
            kmip: config.kmip.listen.to_string(),
            admin: config.admin_listen.to_string(),
        })
    }

    async fn clients(&self) -> Result<Vec<ClientView>, Denied> {
        self.state.objects().clients().map(|client| view_client(client)).collect()
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
            registered_at: self.state.clock.unix_seconds(),
        };
        let view =
            ClientView::new(&registered.client, new.trust.kind, &certificate, registered.registered_at);
        // One after the other: what was checked against the clients there are must still hold when it is written.
        let _one = self.registering.lock().await;
        let trust = {
            let objects = self.state.objects();
            if objects.client(&new.name).is_some() {
                let name = &new.name;
                return Err(Denied::Conflict(format!(
                    "client \"{name}\" is there already; hint: kms client remove {name}"
                )));
            }
            let mut trust =
                Trust::of(objects.clients()).map_err(|error| Denied::Failed(error.to_string()))?;
            trust.add(&registration).map_err(|error| match error {
                RegistrationError::AlreadyRegistered { .. } => Denied::Conflict(error.to_string()),
                RegistrationError::Certificate(_) | RegistrationError::NotACa(_) => {
                    Denied::Invalid(error.to_string())
                }
            })?;
            trust
        };
        self.change("ClientRegister", Event::ClientRegistered { client: registered }).await?;
        self.shared.trust.replace(trust);
        Ok(view)
    }

    async fn remove_client(&self, name: &str) -> Result<(), Denied> {
        let _one = self.registering.lock().await;
        if self.state.objects().client(name).is_none() {
            return Err(Denied::NotFound(format!("no client \"{name}\"; hint: kms client list")));
        }
        self.change("ClientRemove", Event::ClientRemoved { name: name.to_owned() }).await?;
        let trust =
            Trust::of(self.state.objects().clients()).map_err(|error| Denied::Failed(error.to_string()))?;
        self.shared.trust.replace(trust);
        Ok(())
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
        let now = self.state.clock.unix_seconds();
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
            let objects = self.state.objects();
            objects.after(after).filter(|object| wanted(object)).take(limit + 1).cloned().collect()
        };
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|object| object.id.to_string());
        Ok(KeyPage { keys: found.iter().map(|object| self.view_key(object, now, false)).collect(), next })
    }

    async fn key(&self, id: &str) -> Result<KeyView, Denied> {
        let found = Id::parse(id).and_then(|id| self.state.objects().object(id).cloned());
        let object =
            found.ok_or_else(|| Denied::NotFound(format!("no object {id:?}; hint: kms key list")))?;
        Ok(self.view_key(&object, self.state.clock.unix_seconds(), true))
    }

    async fn create_key(&self, new: NewKey) -> Result<CreatedKey, Denied> {
        let client =
            Arc::new(Client { name: OPERATOR.into(), tenant: Tenant::new(&new.tenant), rights: Rights::ALL });
        let request = active_key(new.name.as_deref());
        let outcome = self.outcome(&Arc::new(request), &client, 0).await;
        let who = Who { client: OPERATOR, tenant: &new.tenant, address: None, message_bytes: 0 };
        self.audit(who, &outcome.audit).map_err(|error| Denied::Failed(error.to_string()))?;
        if let Some(failed) = outcome.audit.iter().find(|item| item.result_status != ResultStatus::Success) {
            return Err(Denied::Invalid(failed.message.clone().unwrap_or_default()));
        }
        let id = outcome.audit.into_iter().find_map(|item| item.unique_identifier);
        id.map(|id| CreatedKey { id }).ok_or_else(|| Denied::Failed("no key came of it".to_owned()))
    }
}

impl Node {
    /// Commits one event of the operator's, with a line in the audit first.
    async fn change(&self, operation: &'static str, event: Event) -> Result<(), Denied> {
        let line = crate::audit::Line {
            time: self.state.clock.unix_seconds(),
            client: OPERATOR,
            tenant: "-",
            address: None,
            operation,
            unique_identifier: None,
            result_status: "Success",
            result_reason: None,
            message_bytes: 0,
        };
        self.shared.audit.write(&[line]).map_err(|error| Denied::Failed(error.to_string()))?;
        let change = Box::new(move |draft: &mut kms_core::Draft<'_>| {
            draft.push(event);
            Ok(())
        });
        match self.writer.change(change).await {
            Some(Ok(())) => Ok(()),
            Some(Err(refusal)) => Err(Denied::Invalid(refusal.message)),
            None => Err(Denied::Unavailable("the server is ending".to_owned())),
        }
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
            last_read: self.state.last_read(object.id).map(utc),
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
    let way = Way::from(registered.trust.kind);
    Ok(ClientView::new(&registered.client, way, &certificate, registered.registered_at))
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
