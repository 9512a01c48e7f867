//! `kms client add`: the four ways in which vCenter is made known, and the trust pack for its side.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use certs::{Inspected, PrivateKeyPem, Profile, Subject};
use zeroize::Zeroizing;

use super::pack::Pack;
use super::{default_out, parse_name};
use crate::admin::{Client, NewClient, NewCredential, NewTrust, Right, Way};
use crate::init::KeyKindArgument;
use crate::node::{Node, Which, public_address};
use crate::print::{self, Format};
use crate::{Outcome, file, time};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms client add vc01 --issue
  kms client add vc02 --csr vc02.csr --tenant vc01   a second vCenter with the same keys
  kms client add backup --cert backup.pem --tenant vc01 --rights read
  kms client add tape --issue --user tape --password-file tape.password

In the vSphere Client, under Key Providers > Establish Trust > Make KMS trust vCenter:
  KMS certificate and private key      --issue
  New Certificate Signing Request      --csr FILE
  vCenter Certificate                  --cert FILE
  vCenter Root CA Certificate          --ca FILE")]
pub(super) struct Arguments {
    /// A name for the client, such as vc01
    #[arg(value_parser = parse_name)]
    name: String,

    #[command(flatten)]
    way: WayArguments,

    /// Whose keys it uses: clients of one tenant share them [default: the client's name]
    #[arg(long, value_parser = parse_name)]
    tenant: Option<String>,

    /// What it may do. Not destroy unless you say so: vCenter never needs it, and a lost key is a lost VM
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_values_t = [Right::Read, Right::Create, Right::Change]
    )]
    rights: Vec<Right>,

    #[command(flatten)]
    credentials: CredentialArguments,

    /// Where to write the trust pack [default: ./kms-trust-NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// The address that vCenter shall use [default: from the server certificate]
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,

    /// The kind of an issued key
    #[arg(long, value_enum, default_value_t)]
    key_kind: KeyKindArgument,

    #[command(flatten)]
    which: Which,
}

/// What the client sends with its requests beside its certificate.
#[derive(Debug, clap::Args)]
struct CredentialArguments {
    /// The user name that it sends; what it sends must then be right, and need not be sent each time
    #[arg(long, value_name = "NAME", requires = "password_file")]
    user: Option<String>,
    /// The file with that user's password; - is standard input
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// The serial number of the device that it says it is
    #[arg(long, value_name = "NUMBER")]
    device: Option<String>,
    /// The file with that device's password, if it has one; - is standard input
    #[arg(long, value_name = "FILE", requires = "device")]
    device_password_file: Option<PathBuf>,
}

impl CredentialArguments {
    /// User and device, their passwords read.
    fn read(&self) -> anyhow::Result<(Option<NewCredential>, Option<NewCredential>)> {
        let credential = |name: &Option<String>, file: &Option<PathBuf>| match name {
            Some(name) => {
                let password = file.as_deref().map(password).transpose()?;
                anyhow::Ok(Some(NewCredential { name: name.clone(), password }))
            }
            None => Ok(None),
        };
        Ok((
            credential(&self.user, &self.password_file)?,
            credential(&self.device, &self.device_password_file)?,
        ))
    }
}

/// The first line of a file, or of standard input.
fn password(path: &Path) -> anyhow::Result<String> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).context("reading the password from standard input")?
    } else {
        file::read_text(path)?
    };
    let text = Zeroizing::new(text);
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => bail!("{} holds no password in its first line. hint: write it there", path.display()),
    }
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct WayArguments {
    /// Make a certificate and a private key for it
    #[arg(long)]
    issue: bool,
    /// Sign the request in this file
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// Trust exactly the certificate in this file
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Trust every certificate of the CA in this file
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// What a way comes down to: the certificate to trust, and the key where we made it.
#[derive(Debug)]
struct Trusted {
    kind: Way,
    pem: String,
    key: Option<PrivateKeyPem>,
}

pub(super) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    let node = arguments.which.find()?;
    let admin = arguments.which.admin()?;
    // Asked first, so that nothing is made or written for a node that is not running.
    admin.status().await?;
    let trusted = trusted(&arguments, &node)?;
    let tenant = arguments.tenant.clone().unwrap_or_else(|| arguments.name.clone());
    let out = arguments.out.clone().unwrap_or_else(|| default_out(&arguments.name));
    if out.exists() {
        bail!("{} is there already and is kept. hint: choose another with --out DIR", out.display());
    }
    let server_pem = node.server_pem()?;
    let address = match arguments.address {
        Some(address) => address,
        None => public_address(&server_pem, node.settings()?.kmip.listen.port())?,
    };
    let (user, device) = arguments.credentials.read()?;
    let client = admin
        .add_client(&NewClient {
            name: arguments.name,
            tenant,
            rights: arguments.rights,
            trust: NewTrust { kind: trusted.kind, pem: trusted.pem.clone() },
            user,
            device,
        })
        .await?;
    let pack =
        Pack::new(&client, &address, &server_pem, &node.ca_pem()?, &trusted.pem, trusted.key.as_ref())?;
    pack.write(&out).with_context(|| {
        format!(
            "{} is known to the node, but its files could not be written; hint: kms client remove {}, then add it again",
            client.name, client.name
        )
    })?;
    report(&client, &pack, &out, format)?;
    Ok(Outcome::Done)
}

fn trusted(arguments: &Arguments, node: &Node) -> anyhow::Result<Trusted> {
    let now = time::now_s();
    let way = &arguments.way;
    if let Some(path) = &way.csr {
        let request = file::read_text(path)?;
        let pem = node.authority()?.sign_csr(&request, Profile::Client, now);
        let pem = pem.with_context(|| format!("signing {}", path.display()))?;
        return Ok(Trusted { kind: Way::Csr, pem, key: None });
    }
    if let Some(path) = &way.cert {
        let (pem, certificate) = certificate(path)?;
        warn_of_dates(&certificate, now);
        return Ok(Trusted { kind: Way::Pinned, pem, key: None });
    }
    if let Some(path) = &way.ca {
        let (pem, certificate) = certificate(path)?;
        if !certificate.is_ca {
            bail!(
                "{} holds {}, which is no CA. hint: trust it as the client's own certificate with --cert",
                path.display(),
                certificate.subject
            );
        }
        warn_of_dates(&certificate, now);
        return Ok(Trusted { kind: Way::Ca, pem, key: None });
    }
    let subject = Subject::named(&arguments.name);
    let issued = node.authority()?.issue(Profile::Client, &subject, arguments.key_kind.into(), now)?;
    Ok(Trusted { kind: Way::Issued, pem: issued.cert_pem, key: Some(issued.key_pem) })
}

fn certificate(path: &Path) -> anyhow::Result<(String, Inspected)> {
    let pem = file::read_text(path)?;
    let certificate =
        certs::inspect(pem.as_bytes()).with_context(|| format!("reading {}", path.display()))?;
    Ok((pem, certificate))
}

fn warn_of_dates(certificate: &Inspected, now: i64) {
    if !(certificate.not_before..=certificate.not_after).contains(&now) {
        print::note(format!(
            "warning: {} is valid from {} to {} only; the client is refused outside of it",
            certificate.subject,
            certs::utc_text(certificate.not_before),
            certs::utc_text(certificate.not_after)
        ));
    }
}

fn report(client: &Client, pack: &Pack, out: &Path, format: Format) -> anyhow::Result<()> {
    let out = std::fs::canonicalize(out)?;
    if format == Format::Json {
        return print::json(&serde_json::json!({ "client": client, "pack": out, "address": pack.address() }));
    }
    print::heading(format!("{} is known, on every connection from now on.", client.name));
    print::facts(&[
        ("Tenant", client.tenant.clone()),
        ("Rights", super::rights(client)),
        ("Known by", format!("{} certificate {}", client.trust.kind, client.trust.subject)),
        ("vCenter connects to", pack.address()),
        ("Server SHA-1", pack.server_sha1().to_owned()),
        ("Trust pack", out.display().to_string()),
    ]);
    print::line("");
    print::line(format!("Next: follow {}/CLICKS.md, or run one of the scripts beside it.", out.display()));
    Ok(())
}
