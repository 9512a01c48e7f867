//! `kms status`: how a node is.

use crate::admin::fingerprint;
use crate::print::{self, Format};
use crate::{Outcome, node::Which, time};

/// Show how a node is: version, its part in the cluster, keys, clients, log, certificate
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms status
  kms status --node /etc/kms-server -o json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
}

pub(crate) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    let status = arguments.which.admin()?.status().await?;
    if format == Format::Json {
        print::json(&status)?;
        return Ok(Outcome::Done);
    }
    let log = &status.log;
    let cluster = match (status.number, status.members) {
        (Some(number), Some(members)) => {
            let role = status.role.as_deref().unwrap_or("none");
            let quorum = if status.quorum == Some(false) { ", NO QUORUM" } else { "" };
            format!("number {number} of {members}, {role}{quorum}")
        }
        (_, _) => "none".to_owned(),
    };
    print::heading(format!("{} runs, version {}", status.node, status.version));
    print::facts(&[
        ("Since", time::short(&status.started)),
        ("KMIP", status.kmip.clone()),
        ("Admin", status.admin.clone()),
        ("Cluster", cluster),
        ("Keys", status.objects.to_string()),
        ("Clients", status.clients.to_string()),
        ("Log", format!("entry {}, kept from {}, snapshot at {}", log.applied, log.first, log.snapshot)),
        ("Certificate", format!("{}, valid to {}", status.tls.subject, time::short(&status.tls.not_after))),
        ("SHA-1", fingerprint(&status.tls.sha1)),
        ("SHA-256", fingerprint(&status.tls.sha256)),
    ]);
    Ok(Outcome::Done)
}
