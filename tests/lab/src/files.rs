//! What lies in a node's directory before its server starts for the first time.

use std::fs::{DirBuilder, File};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use certs::{AltName, Authority, Existing, Issued, KeyKind, Profile, Subject};

use crate::NodeHandle;

/// What a cluster's first node is born with: its number, and that it founds.
const FIRST_BIRTH: &str = r#"{"number":1,"founds":true}"#;

/// The certificate of the KMIP port, the same on every node.
pub(crate) fn server_certificate(authority: &Authority) -> Issued {
    let alt_names = vec![AltName::Ip([127, 0, 0, 1].into()), AltName::Dns("localhost".to_owned())];
    let subject = Subject { common_name: "localhost".to_owned(), alt_names };
    authority.issue(Profile::Server, &subject, KeyKind::P256, crate::now_s()).unwrap()
}

/// A node's directory, with all that a lone node needs.
pub(crate) fn write_node(dir: &Path, authority: &Authority, ca_pem: &str, server: &Issued) {
    make_dir(&dir.join("tls"));
    certs::write_certificate(&dir.join("tls/ca.pem"), ca_pem, Existing::Replace).unwrap();
    certs::write_private_key(&dir.join("tls/ca.key"), &authority.key_pem().unwrap(), Existing::Replace)
        .unwrap();
    write_server_certificate(dir, ca_pem, server);
    write_root_key(&dir.join("root.key"));
}

/// The certificate of the KMIP port with its key.
pub(crate) fn write_server_certificate(dir: &Path, ca_pem: &str, server: &Issued) {
    let chain = format!("{}{ca_pem}", server.cert_pem);
    certs::write_private_key(&dir.join("tls/server.key"), &server.key_pem, Existing::Replace).unwrap();
    certs::write_certificate(&dir.join("tls/server.pem"), &chain, Existing::Replace).unwrap();
}

/// What makes a lone node's directory that of a cluster's first node: the cluster's own authority, a certificate for
/// its links, and the word that it founds.
pub(crate) fn write_founder(node: &NodeHandle, link_host: Ipv4Addr) {
    let now = crate::now_s();
    let authority =
        Authority::create("Lab cluster CA", KeyKind::P256, now, Profile::Authority.days()).unwrap();
    let ca_pem = authority.cert_pem().unwrap();
    let subject =
        Subject { common_name: "node-1".to_owned(), alt_names: vec![AltName::Ip(link_host.into())] };
    let issued = authority.issue(Profile::Node, &subject, KeyKind::P256, now).unwrap();
    let file = |name: &str| node.dir.join("tls").join(name);
    let chain = format!("{}{ca_pem}", issued.cert_pem);
    certs::write_certificate(&file("cluster-ca.pem"), &ca_pem, Existing::Replace).unwrap();
    certs::write_private_key(&file("cluster-ca.key"), &authority.key_pem().unwrap(), Existing::Replace)
        .unwrap();
    certs::write_certificate(&file("node.pem"), &chain, Existing::Replace).unwrap();
    certs::write_private_key(&file("node.key"), &issued.key_pem, Existing::Replace).unwrap();
    make_dir(&node.data_dir());
    write_secret(&node.data_dir().join("birth.json"), FIRST_BIRTH);
}

/// A directory for its owner alone, and those above it.
pub(crate) fn make_dir(path: &Path) {
    DirBuilder::new().recursive(true).mode(0o700).create(path).unwrap();
}

/// 32 random bytes in hexadecimal, and a line end.
fn write_root_key(path: &Path) {
    let mut bytes = [0_u8; 32];
    File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    let mut line: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    line.push('\n');
    write_secret(path, &line);
}

fn write_secret(path: &Path, text: &str) {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
