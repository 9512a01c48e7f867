//! The new node's side: asks the members one after the other, and writes what it gets beside its configuration.
//!
//! The files are written in an order in which a node that is cut short is not taken for whole: what says that the node
//! may be born comes last.

use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{Bundle, BundleError, JoinRequest, Token};
use crate::config::JoinPaths;
use crate::disk::{replace_file, write_birth};
use crate::links::{self, AskError};
use crate::root_key::{RootKey, RootKeyError};
use crate::seal::{Keyring, SealError};

/// How long one member may take: the number it gives goes through the log.
const ASK_TIMEOUT: Duration = Duration::from_secs(20);

/// What stands in the data directory of a node that was born, or is to be: it would keep its old number, or lose its keys.
const SIGNS_OF_LIFE: [&str; 4] = ["node.json", "birth.json", "keyring", "log"];

/// Why a node did not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Something is there already that would be overwritten.
    #[error(
        "{0} is there already and is kept; hint: a node joins into a directory that kms join made, and only once"
    )]
    Taken(String),
    /// No member could be asked.
    #[error(
        "no member of the cluster could be asked:{0}\nhint: is the link port open from here, and was the token copied whole?"
    )]
    Unreachable(String),
    /// A member was asked and refused.
    #[error("the cluster refused: {0}")]
    Refused(String),
    /// Its answer cannot be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A file could not be written.
    #[error("cannot write {what}: {why}")]
    Disk {
        /// The file.
        what: String,
        /// What the system said.
        why: String,
    },
    /// The root key could not be written.
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
    /// The keyring could not be made.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Joins the cluster that made `token`, and says which number the node got.
///
/// # Errors
/// [`JoinError`]; where a member was asked, the token may be used up.
pub async fn join(token: &Token, name: &str, paths: &JoinPaths) -> Result<u64, JoinError> {
    let files = paths.all().into_iter().map(Path::to_owned);
    let signs = SIGNS_OF_LIFE.into_iter().map(|name| paths.data_dir.join(name));
    if let Some(taken) = files.chain(signs).find(|path| path.exists()) {
        return Err(JoinError::Taken(taken.display().to_string()));
    }
    let request = JoinRequest {
        secret: hex::encode(token.danger_secret()),
        name: name.to_owned(),
        link: paths.advertise.clone(),
        kmip: paths.kmip.clone(),
    };
    let question =
        Zeroizing::new(serde_json::to_vec(&request).map_err(|error| BundleError::Form(error.to_string()))?);
    let (mut unreached, mut refused) = (String::new(), None);
    for address in &token.addresses {
        match links::ask(address, token.ca, links::JOIN, question.to_vec(), ASK_TIMEOUT).await {
            Ok(sealed) => {
                let bundle = Bundle::open(&sealed, token)?;
                write(&bundle, paths)?;
                return Ok(bundle.number);
            }
            // Another may be better off: this one may be cut off, or removed by now. The first refusal is the one to tell:
            // it may have used the token up.
            Err(AskError::Refused { why, .. }) => {
                refused.get_or_insert(why);
            }
            Err(error) => unreached.push_str(&format!("\n  {error}")),
        }
    }
    Err(refused.map_or(JoinError::Unreachable(unreached), JoinError::Refused))
}

fn write(bundle: &Bundle, paths: &JoinPaths) -> Result<(), JoinError> {
    let disk = |path: &Path| {
        let what = path.display().to_string();
        move |why: std::io::Error| JoinError::Disk { what, why: why.to_string() }
    };
    let put = |path: &Path, text: &str| {
        if let Some(directory) = path.parent() {
            private_directory(directory).map_err(disk(directory))?;
        }
        replace_file(path, text.as_bytes()).map_err(disk(path))
    };
    if let Some(file) = &paths.root_key {
        put(file, &format!("{}\n", bundle.root_key))?;
    }
    put(&paths.certificate, &bundle.server_certificate)?;
    put(&paths.key, &bundle.server_key)?;
    if let (Some(file), Some(ca)) = (&paths.client_ca, &bundle.client_ca) {
        put(file, ca)?;
    }
    put(&paths.cluster_ca, &bundle.cluster_ca)?;
    put(&paths.cluster_ca_key, &bundle.cluster_ca_key)?;
    put(&paths.node_certificate, &bundle.node_certificate)?;
    put(&paths.node_key, &bundle.node_key)?;
    private_directory(&paths.data_dir).map_err(disk(&paths.data_dir))?;
    let root = root_key(&bundle.root_key)?;
    let form = |error: hex::FromHexError| BundleError::Form(error.to_string());
    let keys =
        bundle.data_keys.iter().map(|(version, wrapped)| Ok((*version, hex::decode(wrapped).map_err(form)?)));
    let keys: Vec<_> = keys.collect::<Result<_, BundleError>>()?;
    Keyring::import(root, &paths.data_dir.join("keyring"), &keys)?;
    write_birth(&paths.data_dir, bundle.number, false).map_err(disk(&paths.data_dir))
}

fn root_key(digits: &str) -> Result<RootKey, BundleError> {
    let mut bytes = Zeroizing::new([0; crate::root_key::ROOT_KEY_BYTES]);
    hex::decode_to_slice(digits, &mut *bytes).map_err(|error| BundleError::Form(error.to_string()))?;
    Ok(RootKey::new(&bytes))
}

fn private_directory(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
