//! `kms client`: who may use a node, and how each is known.

mod add;
pub(crate) mod pack;
mod texts;

use std::path::PathBuf;

use clap::Subcommand;

use crate::admin::{Client, Right, fingerprint};
use crate::print::{self, Format};
use crate::{Outcome, node::Which, time};

/// Make clients known (vCenters), list, show and forget them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms client add vc01 --issue           vCenter gets a certificate and key: the shortest way
  kms client add vc01 --csr vc01.csr    vCenter made a request, and it is signed
  kms client add vc01 --cert vc01.pem   vCenter's own certificate, and no other, is trusted
  kms client add vc01 --ca vmca.pem     every certificate of vCenter's own CA is trusted
  kms client list
  kms client remove vc01

Each way is one of the choices in the vSphere Client under Establish Trust > Make KMS trust
vCenter. The directory that `add` writes holds the files for it, the clicks, and scripts for
PowerCLI, govc and Ansible.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a client known, and write all that its side needs
    Add(add::Arguments),
    /// List the clients
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Show one client
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        which: Which,
    },
    /// Forget a client: it is refused from now on; the keys of its tenant stay
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        which: Which,
    },
}

pub(crate) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    match arguments.command {
        Command::Add(arguments) => return add::run(arguments, format).await,
        Command::List { which } => {
            let clients = which.admin()?.clients().await?;
            match format {
                Format::Json => print::json(&clients)?,
                Format::Table => list(&clients),
            }
        }
        Command::Show { name, which } => {
            let client = which.admin()?.client(&name).await?;
            match format {
                Format::Json => print::json(&client)?,
                Format::Table => show(&client),
            }
        }
        Command::Remove { name, which } => {
            let admin = which.admin()?;
            let client = admin.client(&name).await?;
            admin.remove_client(&name).await?;
            match format {
                Format::Json => print::json(&serde_json::json!({ "removed": name }))?,
                Format::Table => print::line(format!(
                    "{name} is forgotten and refused from now on. The keys of tenant {} stay.",
                    client.tenant
                )),
            }
        }
    }
    Ok(Outcome::Done)
}

fn list(clients: &[Client]) {
    if clients.is_empty() {
        return print::note("no clients. hint: kms client add vc01 --issue");
    }
    let rows = clients.iter().map(|client| {
        vec![
            client.name.clone(),
            client.tenant.clone(),
            rights(client),
            client.trust.kind.to_string(),
            client.trust.subject.clone(),
            time::short(&client.trust.not_after),
        ]
    });
    print::table(&["NAME", "TENANT", "RIGHTS", "KNOWN BY", "SUBJECT", "VALID TO (UTC)"], rows);
}

fn show(client: &Client) {
    let trust = &client.trust;
    print::heading(&client.name);
    print::facts(&[
        ("Tenant", client.tenant.clone()),
        ("Rights", rights(client)),
        ("Known by", trust.kind.to_string()),
        ("Subject", trust.subject.clone()),
        ("Issuer", trust.issuer.clone()),
        ("Valid from", time::short(&trust.not_before)),
        ("Valid to", time::short(&trust.not_after)),
        ("SHA-1", fingerprint(&trust.sha1)),
        ("SHA-256", fingerprint(&trust.sha256)),
        ("Since", time::short(&client.created)),
    ]);
    let said = [("User name", &client.user), ("Device serial number", &client.device)];
    let said: Vec<_> = said.into_iter().filter_map(|(what, name)| Some((what, name.clone()?))).collect();
    if !said.is_empty() {
        print::facts(&said);
    }
}

fn rights(client: &Client) -> String {
    client.rights.iter().map(Right::to_string).collect::<Vec<_>>().join(",")
}

/// Most characters of a client's or tenant's name.
const NAME_CHARS_MAX: usize = 64;

/// A name of a client, tenant or node, as the server accepts it: it stands in paths and scripts.
pub(crate) fn parse_name(text: &str) -> Result<String, String> {
    let fits = (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !text.starts_with(['.', '-']);
    match fits {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "a name has 1 to {NAME_CHARS_MAX} letters, digits, \".\", \"_\" or \"-\", and starts with a letter, digit or \"_\""
        )),
    }
}

/// Where the trust pack goes without --out.
fn default_out(name: &str) -> PathBuf {
    PathBuf::from(format!("kms-trust-{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_directory() {
        for bad in ["", "../x", "a/b", ".hidden", "-o", "a b", "a'b", &"x".repeat(65)] {
            assert!(parse_name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(parse_name("vc01.example-test_2").as_deref(), Ok("vc01.example-test_2"));
    }
}
