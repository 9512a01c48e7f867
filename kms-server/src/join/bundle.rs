//! What a new node gets, sealed under the secret of its token.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Token;
use super::token::Secret;
use crate::entropy;

/// What the sealing key is derived for: no other use of the secret gives the same key.
const PURPOSE: &[u8] = b"kms join bundle 1";

/// All that a node must have before it speaks to the others. Texts are PEM, bytes are hex.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The node's number, never used before.
    pub number: u64,
    /// The root key, 64 hexadecimal digits.
    pub root_key: String,
    /// Wrapped data keys with their versions, hex.
    pub data_keys: Vec<(u32, String)>,
    /// The certificate that every node shows to clients.
    pub server_certificate: String,
    /// Its key.
    pub server_key: String,
    /// The CA that clients are given, where there is one.
    pub client_ca: Option<String>,
    /// The CA of the nodes.
    pub cluster_ca: String,
    /// Its key, so that the new node can take others in.
    pub cluster_ca_key: String,
    /// The new node's own certificate, with the CA's behind it.
    pub node_certificate: String,
    /// Its key.
    pub node_key: String,
}

/// Shows the number alone.
impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundle").field("number", &self.number).finish_non_exhaustive()
    }
}

/// The bundle cannot be opened, or not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Another token's, or changed on the way.
    #[error(
        "what the cluster sent cannot be opened with this token; hint: make a new one, kms cluster invite"
    )]
    Refused,
    /// Opened, and not understood.
    #[error("what the cluster sent is not understood: {0}; hint: are all nodes of one version?")]
    Form(String),
}

impl Bundle {
    /// Seals it under a token's secret.
    pub fn seal(&self, secret: &Secret) -> Result<Vec<u8>, BundleError> {
        let mut sealed = serde_json::to_vec(self).map_err(|error| BundleError::Form(error.to_string()))?;
        let nonce: [u8; NONCE_LEN] = entropy::array();
        key(secret)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
            .map_err(|_| BundleError::Refused)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`seal`](Self::seal) made for this token.
    pub fn open(sealed: &[u8], token: &Token) -> Result<Self, BundleError> {
        let (nonce, sealed) = sealed.split_first_chunk().ok_or(BundleError::Refused)?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let plain = key(token.danger_secret())?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut bytes)
            .map_err(|_| BundleError::Refused)?;
        serde_json::from_slice(plain).map_err(|error| BundleError::Form(error.to_string()))
    }
}

fn key(secret: &Secret) -> Result<LessSafeKey, BundleError> {
    let derived = Salt::new(HKDF_SHA256, &[]).extract(secret);
    let derived = derived.expand(&[PURPOSE], &AES_256_GCM).map_err(|_| BundleError::Refused)?;
    Ok(LessSafeKey::new(UnboundKey::from(derived)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        let text = |name: &str| format!("-----BEGIN {name}-----");
        Bundle {
            number: 3,
            root_key: "00".repeat(32),
            data_keys: vec![(1, "ab".to_owned())],
            server_certificate: text("server"),
            server_key: text("server key"),
            client_ca: None,
            cluster_ca: text("ca"),
            cluster_ca_key: text("ca key"),
            node_certificate: text("node"),
            node_key: text("node key"),
        }
    }

    #[test]
    fn a_bundle_opens_with_its_own_token_alone() {
        let (token, other) = (Token::new([1; 32], vec![]), Token::new([1; 32], vec![]));
        let sealed = bundle().seal(token.danger_secret()).unwrap();
        assert_eq!(Bundle::open(&sealed, &token).unwrap(), bundle());
        assert_eq!(Bundle::open(&sealed, &other).unwrap_err(), BundleError::Refused);
    }

    #[test]
    fn a_bundle_that_was_changed_or_cut_is_refused() {
        let token = Token::new([1; 32], vec![]);
        let sealed = bundle().seal(token.danger_secret()).unwrap();
        for place in [0, 5, 12, 40, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(Bundle::open(&changed, &token).unwrap_err(), BundleError::Refused);
            assert_eq!(Bundle::open(&sealed[..place], &token).unwrap_err(), BundleError::Refused);
        }
    }
}
