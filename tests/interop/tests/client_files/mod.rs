//! A laboratory's client as the files that PyKMIP reads.

use std::fs;
use std::path::{Path, PathBuf};

use lab::LabClient;

/// Where the files of one client are.
#[derive(Clone, Debug)]
pub(crate) struct ClientFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) ca: PathBuf,
}

impl ClientFiles {
    /// Writes them into `dir`, which is made.
    pub(crate) fn write(dir: &Path, client: &LabClient) -> Self {
        fs::create_dir_all(dir).unwrap();
        let file = |name: &str, pem: &str| {
            let path = dir.join(name);
            fs::write(&path, pem).unwrap();
            path
        };
        Self {
            certificate: file("cert.pem", &client.cert_pem),
            key: file("key.pem", &client.key_pem),
            ca: file("ca.pem", &client.ca_pem),
        }
    }
}
