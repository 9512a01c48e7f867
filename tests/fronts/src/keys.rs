//! Holds what clients were told against what the nodes have: no key lost, none made twice.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use kmip::client::{Client, ClientConfig, Connection};
use kmip::operations::{get_attributes, locate};
use kmip::{AttributeName, ResponsePayload, StandardAttribute};

use crate::crowd::Befell;

/// Identifiers asked for at once.
const PAGE: usize = 1000;

/// What is wrong with the keys of a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Keys that were acknowledged and are not there.
    pub lost: usize,
    /// Keys beyond the first of one Create.
    pub doubled: usize,
}

impl Verdict {
    /// Nothing is.
    pub fn is_sound(self) -> bool {
        self == Self::default()
    }
}

/// Looks at every key of the client's tenant, which only these clients have used.
///
/// # Errors
/// Where the node cannot be asked.
pub(crate) async fn verify(config: &ClientConfig, befell: &Befell) -> anyhow::Result<Verdict> {
    let mut connection = Client::connect(config).await?;
    let there = all(&mut connection).await?;
    let lost = befell.made.keys().filter(|id| !there.contains(*id)).count();
    // Made without an answer that arrived: there may be one for each request that failed, and no second for any.
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for id in there.iter().filter(|id| !befell.made.contains_key(*id)) {
        *names.entry(name(&mut connection, id).await?).or_default() += 1;
    }
    let nameless = names.remove("").unwrap_or(0);
    let acknowledged: BTreeSet<&String> = befell.made.values().collect();
    let mut doubled = nameless.saturating_sub(usize::try_from(befell.failed)?);
    for (name, count) in &names {
        doubled += if acknowledged.contains(name) { *count } else { count - 1 };
    }
    Ok(Verdict { lost, doubled })
}

async fn all(connection: &mut Connection) -> anyhow::Result<BTreeSet<String>> {
    let mut there = BTreeSet::new();
    loop {
        let request = locate::Request {
            maximum_items: i32::try_from(PAGE).ok(),
            offset_items: Some(i32::try_from(there.len())?),
            ..locate::Request::default()
        };
        let ResponsePayload::Locate(found) = connection.one(request).await? else {
            bail!("no answer to Locate")
        };
        let count = found.unique_identifiers.len();
        there.extend(found.unique_identifiers);
        if count < PAGE {
            return Ok(there);
        }
    }
}

async fn name(connection: &mut Connection, id: &str) -> anyhow::Result<String> {
    let request = get_attributes::Request {
        unique_identifier: Some(id.to_owned()),
        attribute_names: vec![AttributeName::from(StandardAttribute::Name)],
    };
    let ResponsePayload::GetAttributes(got) = connection.one(request).await? else {
        bail!("no answer to Get Attributes")
    };
    let name =
        got.attributes.first().and_then(|attribute| kmip::attribute::Name::from_value(&attribute.value));
    Ok(name.map(|name| name.value).unwrap_or_default())
}
