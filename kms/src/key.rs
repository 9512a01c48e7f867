//! `kms key`: the keys of a node, what each is for, and new ones. Never their bytes.

use clap::Subcommand;
use kmip::enumeration::State;

use crate::admin::{Key, KeyPage, KeyQuery, NewKey};
use crate::print::{self, Format};
use crate::{Outcome, client::parse_name, node::Which, time};

/// List, show and make keys
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms key list                                every key, and which VM or host it is for
  kms key list --tenant vc01 --state Active
  kms key show 2b5e1f2c-0000-4000-8000-000000000001
  kms key create --tenant lab --name test01   an active AES-256 key; prints its identifier

A key's bytes are never shown: a client gets them over KMIP.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the keys, with what each is for
    List {
        /// Only the keys of this tenant
        #[arg(long, value_parser = parse_name)]
        tenant: Option<String>,
        /// Only keys in this state: PreActive, Active, Deactivated, Compromised, Destroyed, DestroyedCompromised
        #[arg(long, value_parser = parse_state)]
        state: Option<String>,
        /// At most so many; 0 for all
        #[arg(long, default_value_t = 1000)]
        limit: usize,
        #[command(flatten)]
        which: Which,
    },
    /// Show one key with all its attributes
    Show {
        /// The key's Unique Identifier
        id: String,
        #[command(flatten)]
        which: Which,
    },
    /// Make an active AES-256 key and print its identifier
    Create {
        /// The tenant it shall belong to
        #[arg(long, default_value = "lab", value_parser = parse_name)]
        tenant: String,
        /// Its Name attribute
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        which: Which,
    },
}

pub(crate) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    match arguments.command {
        Command::List { tenant, state, limit, which } => {
            let limit = if limit == 0 { usize::MAX } else { limit };
            let page = which.admin()?.keys(&KeyQuery { tenant, state }, limit).await?;
            match format {
                Format::Json => print::json(&page)?,
                Format::Table => list(&page),
            }
        }
        Command::Show { id, which } => {
            let key = which.admin()?.key(&id).await?;
            match format {
                Format::Json => print::json(&key)?,
                Format::Table => show(&key),
            }
        }
        Command::Create { tenant, name, which } => {
            let created = which.admin()?.create_key(&NewKey { tenant, name }).await?;
            match format {
                Format::Json => print::json(&created)?,
                // The identifier alone, so that a script can take it.
                Format::Table => print::line(&created.id),
            }
        }
    }
    Ok(Outcome::Done)
}

fn list(page: &KeyPage) {
    if page.keys.is_empty() {
        return print::note("no keys");
    }
    let header = ["ID", "TENANT", "STATE", "ALGORITHM", "CREATED (UTC)", "LAST READ (UTC)", "FOR"];
    let rows = page.keys.iter().map(|key| {
        vec![
            key.id.clone(),
            key.tenant.clone(),
            key.state.clone(),
            algorithm(key),
            time::short(&key.created),
            key.last_read.as_deref().map_or_else(|| "never".to_owned(), time::short),
            purpose(key),
        ]
    });
    print::table(&header, rows);
    if page.next.is_some() {
        print::note(format!("{} keys shown, there are more: --limit 0 lists all", page.keys.len()));
    }
}

fn show(key: &Key) {
    print::heading(&key.id);
    print::facts(&[
        ("For", purpose(key)),
        ("Tenant", key.tenant.clone()),
        ("Type", key.object_type.clone()),
        ("Algorithm", algorithm(key)),
        ("State", key.state.clone()),
        ("Created", time::short(&key.created)),
        ("Last read", key.last_read.as_deref().map_or_else(|| "never".to_owned(), time::short)),
        ("Name", key.name.clone().unwrap_or_else(|| "–".to_owned())),
    ]);
    if !key.attributes.is_empty() {
        print::line("");
        print::heading("Attributes");
        let rows: Vec<_> =
            key.attributes.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        print::facts(&rows);
    }
}

fn algorithm(key: &Key) -> String {
    match (&key.algorithm, key.length) {
        (Some(algorithm), Some(length)) => format!("{algorithm}-{length}"),
        (Some(algorithm), None) => algorithm.clone(),
        (None, _) => "–".to_owned(),
    }
}

/// What the key is for: the VM or host that vCenter wrote to it, else its Name.
fn purpose(key: &Key) -> String {
    let attribute = |name: &str| key.attributes.get(name).filter(|value| !value.is_empty());
    match (attribute("x-Name"), attribute("x-Component")) {
        (Some(name), Some(component)) => format!("{name}, {component}"),
        (Some(name), None) | (None, Some(name)) => name.clone(),
        (None, None) => key.name.clone().unwrap_or_else(|| "–".to_owned()),
    }
}

/// A state in any spelling: `pre-active`, `PreActive`.
fn parse_state(text: &str) -> Result<String, String> {
    let plain = |text: &str| text.replace(['-', '_', ' '], "").to_ascii_lowercase();
    let known = || State::ALL.iter().filter_map(|state| state.name());
    known()
        .find(|name| plain(name) == plain(text))
        .map(str::to_owned)
        .ok_or_else(|| format!("a state is one of {}", known().collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(attributes: &[(&str, &str)], name: Option<&str>) -> Key {
        Key {
            id: "1".into(),
            tenant: "lab".into(),
            object_type: "SymmetricKey".into(),
            algorithm: Some("AES".into()),
            length: Some(256),
            state: "Active".into(),
            created: String::new(),
            last_read: None,
            name: name.map(str::to_owned),
            attributes: attributes
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
        }
    }

    #[test]
    fn an_operator_sees_which_vm_a_key_is_for() {
        let vm = key(&[("x-Name", "test01"), ("x-Component", "Virtual Machine")], Some("other"));
        assert_eq!(purpose(&vm), "test01, Virtual Machine");
        assert_eq!(purpose(&key(&[], Some("backup"))), "backup");
        assert_eq!(purpose(&key(&[("x-Name", "")], None)), "–");
        assert_eq!(algorithm(&vm), "AES-256");
    }

    #[test]
    fn a_state_is_understood_in_any_spelling() {
        assert_eq!(parse_state("pre-active").as_deref(), Ok("PreActive"));
        assert_eq!(parse_state("DESTROYED").as_deref(), Ok("Destroyed"));
        assert!(parse_state("alive").unwrap_err().contains("Deactivated"));
    }
}
