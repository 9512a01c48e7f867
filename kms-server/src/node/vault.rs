//! kms-core's vault and entropy, as this server has them.

use kms_core::{About, Entropy, Vault, VaultError};
use zeroize::Zeroizing;

use crate::entropy;
use crate::seal::{Keyring, SealContext};

/// The node's keyring as the vault of kms-core.
#[derive(Debug)]
pub(super) struct KeyringVault(pub(super) Keyring);

impl Vault for KeyringVault {
    fn seal(&self, about: &About<'_>, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let id = about.id.to_string();
        self.0.seal(&context(about, &id), plain).map_err(|error| VaultError(error.to_string()))
    }

    fn open(&self, about: &About<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let id = about.id.to_string();
        self.0.open_sealed(&context(about, &id), sealed).map_err(|error| VaultError(error.to_string()))
    }
}

fn context<'a>(about: &About<'a>, id: &'a str) -> SealContext<'a> {
    SealContext { id, object_type: about.object_type.number(), tenant: about.tenant.as_str() }
}

/// The system's randomness; where there is none, the process ends.
pub(super) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        entropy::fill(bytes);
    }
}
