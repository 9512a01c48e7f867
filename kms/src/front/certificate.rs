//! `kms front certificate`: the certificate by which nodes know a front that replays requests, and all else that it needs
//! from a node, in one folder.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::bail;
use certs::{Existing, Inspected, Issued, Profile, Subject};
use zeroize::Zeroizing;

use super::files;
use crate::admin::Member;
use crate::node::{LINK_KEY_KIND, LINK_PORT, Node, Which};
use crate::print::{self, Format};
use crate::{Outcome, address, client, file, time};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kms front certificate edge1
  kms front certificate edge1 --out fronts/front1 --node /etc/kms-server

Run it on a node, as root or as the user of its server. Each front gets a name of its own.
Whoever has link-key.pem may speak to the nodes for any client, and no certificate can be
taken back from a front: keep its host as safe as a node.")]
pub(super) struct Arguments {
    /// A name for the front, such as edge1: nodes log it as front-edge1
    #[arg(value_name = "NAME", value_parser = parse_name)]
    name: String,

    /// Where to write, made where it is not there [default: ./kms-front-NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    #[command(flatten)]
    which: Which,
}

pub(super) async fn run(arguments: Arguments, format: Format) -> anyhow::Result<Outcome> {
    let Arguments { name, out, which } = arguments;
    let out = out.unwrap_or_else(|| PathBuf::from(format!("kms-front-{name}")));
    let node = which.find()?;
    let folder = Folder::issue(&node, &name, time::now_s())?;
    write(&out, &folder.files())?;
    // What was issued is good without them: a node that does not run is no reason to fail.
    let nodes = which.admin()?.cluster().await.map(|cluster| cluster.nodes).ok();
    report(&name, &folder, &std::fs::canonicalize(&out)?, nodes.as_deref(), format)?;
    Ok(Outcome::Done)
}

/// What a front gets from a node.
pub(crate) struct Folder {
    /// The chain that clients see, the same from every node and front.
    server_pem: String,
    server_key_pem: Zeroizing<String>,
    /// What the front shows nodes.
    link: Issued,
    cluster_ca_pem: String,
}

/// A file: its name, what it is, and its content.
pub(super) type File<'a> = (&'static str, &'static str, &'a str);

impl Folder {
    /// Issues the front's certificate under the cluster's CA, and reads the rest.
    pub(crate) fn issue(node: &Node, name: &str, now: i64) -> anyhow::Result<Self> {
        let (authority, cluster_ca_pem) = node.cluster_authority()?;
        Ok(Folder {
            server_pem: node.server_pem()?,
            server_key_pem: node.server_key_pem()?,
            link: authority.issue(Profile::Front, &Subject::front(name), LINK_KEY_KIND, now)?,
            cluster_ca_pem,
        })
    }

    /// Writes all files over those of an earlier front.
    pub(crate) fn write_over(&self, dir: &Path) -> anyhow::Result<()> {
        for (name, _, content) in self.files() {
            file::write(&dir.join(name), content.as_bytes(), file::PRIVATE, Existing::Replace)?;
        }
        Ok(())
    }

    /// All files. Not one of them is for others than the front, so all are its owner's alone.
    pub(super) fn files(&self) -> [File<'_>; 5] {
        [
            ("server.pem", "what clients see, the same as on every node", &self.server_pem),
            ("server-key.pem", "its private key", &self.server_key_pem),
            ("link.pem", "what the front shows nodes", &self.link.cert_pem),
            ("link-key.pem", "its private key", self.link.key_pem.danger_expose()),
            ("cluster-ca.pem", "by which the front knows nodes", &self.cluster_ca_pem),
        ]
    }
}

/// Writes all files, or none: what is there is kept, and nothing is left when one cannot be written.
fn write(out: &Path, files: &[File<'_>]) -> anyhow::Result<()> {
    let paths: Vec<_> = files.iter().map(|(name, _, _)| out.join(name)).collect();
    if let Some(path) = paths.iter().find(|path| path.exists()) {
        bail!("{} is there already and is kept. hint: choose another folder with --out DIR", path.display());
    }
    let was_there = out.exists();
    file::private_directory(out)?;
    for (place, (_, _, content)) in files.iter().enumerate() {
        let written = file::write(&paths[place], content.as_bytes(), file::PRIVATE, Existing::Refuse);
        if let Err(error) = written {
            clear(out, &paths[..place], was_there);
            return Err(error);
        }
    }
    Ok(())
}

/// Takes away what was written. The error says more than one of clearing up could.
fn clear(out: &Path, written: &[PathBuf], was_there: bool) {
    for path in written {
        let _ = std::fs::remove_file(path);
    }
    if !was_there {
        let _ = std::fs::remove_dir(out);
    }
}

fn report(
    name: &str,
    folder: &Folder,
    out: &Path,
    nodes: Option<&[Member]>,
    format: Format,
) -> anyhow::Result<()> {
    let certificate = certs::inspect(folder.link.cert_pem.as_bytes())?;
    match format {
        Format::Json => print::json(&serde_json::json!({
            "front": name,
            "common_name": Subject::front(name).common_name,
            "dir": out,
            "files": folder.files().map(|(file, _, _)| file),
            "not_after": certs::utc_text(certificate.not_after),
            "sha256": certificate.sha256,
            "nodes": nodes.map(|nodes| nodes.iter().map(|node| &node.link).collect::<Vec<_>>()),
        })),
        Format::Table => {
            explain(name, folder, out, &certificate);
            configuration(nodes).lines().for_each(|line| print::line(format!("     {line}").trim_end()));
            Ok(())
        }
    }
}

fn explain(name: &str, folder: &Folder, out: &Path, certificate: &Inspected) {
    let shown = out.display();
    print::heading(format!("The front {name} has its certificate; all that it needs is in {shown}."));
    print::facts(&[
        ("Nodes log it as", Subject::front(name).common_name),
        ("Valid to", certs::utc_text(certificate.not_after)),
        ("SHA-256", certificate.sha256.clone()),
    ]);
    print::line("");
    let row = |(file, what, _): File<'_>| vec![file.to_owned(), what.to_owned()];
    print::table(&["FILE", "IS"], folder.files().map(row));
    print::line("");
    print::heading("Next");
    print::line(format!(
        "  1. Copy {shown} to the front's host, in secret: with these keys it passes for the server, and speaks to the nodes for any client."
    ));
    print::line("  2. Set in the front's configuration, with the files beside it:");
    print::line("");
}

/// What a front's configuration says of these files and of the nodes, by the address of their links.
fn configuration(nodes: Option<&[Member]>) -> String {
    let nodes: String = match nodes {
        Some(nodes) => nodes.iter().map(|node| node_line(node, nodes)).collect(),
        None => format!(
            "# The node here could not be asked for them. One line a node, with its LINK of kms cluster status:\n# node1 = \"192.0.2.11:{LINK_PORT}\"\n"
        ),
    };
    format!(
        r#"[front]
mode = "replay"

[replay]
certificate = "server.pem"
key = "server-key.pem"
link_certificate = "link.pem"
link_key = "link-key.pem"
link_ca = "cluster-ca.pem"

[nodes]
{nodes}"#
    )
}

/// A node's line of `[nodes]`. Names are people's: two nodes may have one.
fn node_line(node: &Member, nodes: &[Member]) -> String {
    let name = match nodes.iter().filter(|other| other.name == node.name).count() {
        1 => node.name.clone(),
        _ => format!("{}-{}", node.name, node.number),
    };
    let name = files::key(&name);
    let is_ip = address::split(&node.link, LINK_PORT).is_ok_and(|(host, _)| host.parse::<IpAddr>().is_ok());
    match is_ip {
        true => format!("{name} = \"{}\"\n", node.link),
        false => {
            format!("# {name} = \"{}\": put its IP address here, a front takes no host name\n", node.link)
        }
    }
}

/// A front's name, which is the rest of its certificate's common name.
fn parse_name(text: &str) -> Result<String, String> {
    let name = client::parse_name(text)?;
    let common_name = Subject::front(&name).common_name;
    match common_name.len().checked_sub(certs::COMMON_NAME_CHARS_MAX) {
        None | Some(0) => Ok(name),
        Some(over) => Err(format!(
            "a front's name has {} characters at most, as {common_name} must fit into a certificate",
            name.len() - over
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use certs::{AltName, KeyKind};
    use rustls::crypto::aws_lc_rs;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::sign::CertifiedKey;

    use super::*;
    use crate::admin::MemberRole;
    use crate::node::{NewLink, NewNode, Shown, admin_listen, kmip_listen, link_listen};

    fn node(dir: &Path) -> Node {
        let new = NewNode {
            name: "node1".into(),
            kmip: kmip_listen(),
            admin: admin_listen(),
            link: NewLink { listen: link_listen(), advertise: "192.0.2.7:5697".into(), source: None },
        };
        let shown = Shown { addresses: vec![AltName::Ip([192, 0, 2, 7].into())], key_kind: KeyKind::P256 };
        Node::create(&dir.join("node1"), &new, &shown).unwrap()
    }

    /// A node, and the folder that it gave the front edge1.
    fn issued(dir: &Path) -> (Node, PathBuf) {
        let (node, out) = (node(dir), dir.join("edge1"));
        write(&out, &Folder::issue(&node, "edge1", time::now_s()).unwrap().files()).unwrap();
        (node, out)
    }

    fn members(nodes: &[(u64, &str, &str)]) -> Vec<Member> {
        let member = |&(number, name, link): &(u64, &str, &str)| Member {
            number,
            name: name.to_owned(),
            link: link.to_owned(),
            kmip: String::new(),
            role: MemberRole::Voter,
            reachable: None,
            applied: None,
            lag: None,
        };
        nodes.iter().map(member).collect()
    }

    #[test]
    fn nodes_know_the_front_by_its_certificate_and_take_it_for_no_node() {
        let dir = tempfile::tempdir().unwrap();
        let (_, out) = issued(dir.path());
        let der = |name| {
            let pem = fs::read_to_string(out.join(name)).unwrap();
            certs::certificates_from_pem(&pem).unwrap()
        };
        let (link, ca) = (der("link.pem"), der("cluster-ca.pem"));
        certs::verify_chain(&link[0], &link[1..], &ca[0], time::now_s()).unwrap();
        let name = certs::common_name(&link[0]).unwrap().unwrap();
        assert_eq!((name.as_str(), certs::front_name(&name)), ("front-edge1", Some("edge1")));
        assert_eq!(certs::node_number(&name), None);
        let held = certs::inspect(&link[0]).unwrap();
        assert_eq!(held.extended_key_usages, ["clientAuth"]);
        assert!(!held.is_ca && held.days_left(time::now_s()) >= 1_824, "{held}");
    }

    #[test]
    fn each_certificate_has_its_key_beside_it_and_what_is_the_nodes_is_a_copy() {
        let dir = tempfile::tempdir().unwrap();
        let (node, out) = issued(dir.path());
        for (certificate, key) in [("server.pem", "server-key.pem"), ("link.pem", "link-key.pem")] {
            let chain: Result<Vec<_>, _> =
                CertificateDer::pem_file_iter(out.join(certificate)).unwrap().collect();
            let key = PrivateKeyDer::from_pem_file(out.join(key)).unwrap();
            CertifiedKey::from_der(chain.unwrap(), key, &aws_lc_rs::default_provider()).unwrap();
        }
        for (copy, own) in [
            ("server.pem", "server.pem"),
            ("server-key.pem", "server.key"),
            ("cluster-ca.pem", "cluster-ca.pem"),
        ] {
            assert_eq!(fs::read(out.join(copy)).unwrap(), fs::read(node.tls(own)).unwrap(), "{copy}");
        }
    }

    #[test]
    fn files_are_taken_from_where_the_nodes_configuration_says_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let node = node(dir.path());
        fs::rename(node.tls(""), node.dir.join("pki")).unwrap();
        let moved = fs::read_to_string(node.config()).unwrap().replace("\"tls/", "\"pki/");
        fs::write(node.config(), moved).unwrap();
        Folder::issue(&node, "edge1", time::now_s()).unwrap();
    }

    #[test]
    fn what_is_written_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (_, out) = issued(dir.path());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&out), 0o700);
        let files: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 5, "{files:?}");
        assert!(files.iter().all(|path| mode(path) == 0o600), "{files:?}");
    }

    #[test]
    fn a_file_that_is_there_is_kept_and_nothing_is_put_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let (node, out) = (node(dir.path()), dir.path().join("out"));
        fs::create_dir(&out).unwrap();
        fs::write(out.join("cluster-ca.pem"), "ours").unwrap();
        let folder = Folder::issue(&node, "edge1", time::now_s()).unwrap();
        let error = write(&out, &folder.files()).unwrap_err().to_string();
        assert!(error.contains("cluster-ca.pem is there already and is kept") && error.contains("--out"));
        assert_eq!(fs::read_to_string(out.join("cluster-ca.pem")).unwrap(), "ours");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
        fs::rename(out.join("cluster-ca.pem"), out.join("front.toml")).unwrap();
        write(&out, &folder.files()).unwrap();
        assert_eq!(fs::read_dir(&out).unwrap().count(), 6, "another file there is no hindrance");
    }

    #[test]
    fn when_one_file_cannot_be_written_none_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        write(&out, &[("a.pem", "", "A"), ("missing/b.pem", "", "B")]).unwrap_err();
        assert!(!out.exists());
    }

    #[test]
    fn a_node_that_cannot_issue_says_why_and_what_to_do() {
        type Change = fn(&Node);
        let wrong: [(Change, &str, &str); 4] = [
            (
                |node| {
                    let text = fs::read_to_string(node.config()).unwrap();
                    let mut table: toml::Table = toml::from_str(&text).unwrap();
                    table.remove("cluster");
                    fs::write(node.config(), toml::to_string(&table).unwrap()).unwrap();
                },
                "has no [cluster]",
                "From a lone node",
            ),
            (
                |node| fs::remove_file(node.tls("cluster-ca.key")).unwrap(),
                "reading the key of the cluster's CA",
                "another node",
            ),
            (
                |node| {
                    fs::remove_file(node.tls("server.key")).unwrap();
                    fs::create_dir(node.tls("server.key")).unwrap();
                },
                "reading the server's private key",
                "--check-config",
            ),
            (
                |node| assert!(fs::copy(node.tls("ca.key"), node.tls("cluster-ca.key")).is_ok()),
                "loading the cluster's CA",
                "hint:",
            ),
        ];
        for (change, words, hint) in wrong {
            let dir = tempfile::tempdir().unwrap();
            let node = node(dir.path());
            change(&node);
            let error = Folder::issue(&node, "edge1", time::now_s()).err().unwrap();
            let error = format!("{error:#}");
            assert!(error.contains(words) && error.contains(hint), "{error}");
        }
    }

    #[test]
    fn a_name_must_fit_into_the_certificate() {
        assert_eq!(parse_name("edge1").as_deref(), Ok("edge1"));
        let longest = "x".repeat(58);
        assert_eq!(Subject::front(&longest).common_name.len(), certs::COMMON_NAME_CHARS_MAX);
        assert_eq!(parse_name(&longest), Ok(longest));
        assert!(parse_name(&"x".repeat(59)).unwrap_err().contains("58 characters at most"));
        for bad in ["", "a b", "../x", "ä", "-o"] {
            assert!(parse_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_configuration_names_the_files_and_each_node_by_its_link() {
        let nodes = members(&[
            (1, "kms1", "192.0.2.11:5697"),
            (2, "kms2.example.test", "[2001:db8::12]:5697"),
            (3, "kms3", "kms3.example.test:5697"),
            (4, "kms1", "192.0.2.14:5697"),
        ]);
        let text = configuration(Some(&nodes));
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(table["front"]["mode"].as_str(), Some("replay"));
        let files: Vec<_> =
            table["replay"].as_table().unwrap().values().map(|v| v.as_str().unwrap()).collect();
        let dir = tempfile::tempdir().unwrap();
        let (_, out) = issued(dir.path());
        assert!(files.len() == 5 && files.iter().all(|file| out.join(file).is_file()), "{files:?}");
        let expected = [
            ("kms1-1", "192.0.2.11:5697"),
            ("kms1-4", "192.0.2.14:5697"),
            ("kms2.example.test", "[2001:db8::12]:5697"),
        ];
        let named = table["nodes"].as_table().unwrap();
        assert!(named.iter().map(|(name, at)| (name.as_str(), at.as_str().unwrap())).eq(expected), "{text}");
        assert!(text.contains("# kms3 = \"kms3.example.test:5697\": put its IP address here"), "{text}");
    }

    #[test]
    fn without_an_answer_from_the_node_the_lines_of_nodes_are_said_to_be_missing() {
        let text = configuration(None);
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert!(
            table["nodes"].as_table().unwrap().is_empty() && text.contains("kms cluster status"),
            "{text}"
        );
    }
}
