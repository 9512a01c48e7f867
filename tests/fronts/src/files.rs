//! What fronts need on disk: a client's files for probes, and a front's certificates.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use kmip::operations::discover_versions;
use kmip::{ProtocolVersion, RequestMessage};
use lab::{Lab, LabClient};
use tokio::process::Command;

/// Where programs of the system's administration are, which a user's `PATH` may leave out.
const MORE_PATHS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// A client's files for probes.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// Its certificate.
    pub(crate) cert: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
    /// Both in one file, as HAProxy wants it.
    pub(crate) both: PathBuf,
    /// The authority of the nodes' certificate.
    pub(crate) ca: PathBuf,
}

impl Probe {
    /// Writes them into a directory.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub(crate) fn write(client: &LabClient, dir: &Path) -> anyhow::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let at = |name: &str| dir.join(name);
        let both = format!("{}{}", client.cert_pem, client.key_pem);
        let probe = Self {
            cert: at("probe.pem"),
            key: at("probe.key"),
            both: at("probe-both.pem"),
            ca: at("probe-ca.pem"),
        };
        let files = [
            (&probe.cert, client.cert_pem.as_str()),
            (&probe.key, client.key_pem.as_str()),
            (&probe.both, both.as_str()),
            (&probe.ca, client.ca_pem.as_str()),
        ];
        for (path, text) in files {
            let mut file =
                std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
            std::io::Write::write_all(&mut file, text.as_bytes())?;
        }
        Ok(probe)
    }
}

/// What replay needs, from the laboratory's first node: the folder's path.
///
/// # Errors
/// What `kms front certificate` says.
pub(crate) async fn front_certificates(lab: &Lab) -> anyhow::Result<PathBuf> {
    let out = lab.dir().join("front");
    let node = &lab.node(0).dir;
    let mut command = Command::new(&lab::programs().kms);
    command.args(["front", "certificate", "beside", "--node"]).arg(node).arg("--out").arg(&out);
    let output = command.env_remove("CARGO").stdin(Stdio::null()).output().await.context("running kms")?;
    ensure!(output.status.success(), "kms front certificate: {}", String::from_utf8_lossy(&output.stderr));
    Ok(out)
}

/// Discover Versions as a KMIP check sends it.
pub(crate) fn discover_versions_hex() -> String {
    let mut bytes = Vec::new();
    RequestMessage::new(ProtocolVersion::V1_1, [discover_versions::Request::default().into()])
        .encode(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a program is.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::split_paths(&path).chain(MORE_PATHS.map(PathBuf::from));
    all.map(|folder| folder.join(name)).find(|program| program.is_file())
}
