//! Key pairs: the kinds that are made here, and the private half as PEM that cannot be printed by accident.

use std::fmt;

use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private};
use openssl::rsa::Rsa;
use zeroize::Zeroizing;

use crate::error::{Error, unreadable, while_doing};
use crate::pem;

/// Fewest bits of an RSA key that is signed here.
pub const RSA_BITS_MIN: u32 = 2_048;

/// Which key pair to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with 2,048 bits: every client knows it.
    Rsa2048,
    /// ECDSA on P-256: the cheapest handshake. The default.
    #[default]
    P256,
}

impl KeyKind {
    /// A new key pair from OpenSSL's random bytes.
    pub(crate) fn generate(self) -> Result<PKey<Private>, Error> {
        let made = match self {
            KeyKind::Rsa2048 => Rsa::generate(2_048).and_then(PKey::from_rsa),
            KeyKind::P256 => EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)
                .and_then(|group| EcKey::generate(&group))
                .and_then(PKey::from_ec_key),
        };
        made.map_err(while_doing("making a key pair"))
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyKind::Rsa2048 => "RSA-2048",
            KeyKind::P256 => "P-256",
        })
    }
}

/// A private key as unencrypted PKCS#8 PEM, which is what vCenter takes. Wiped on drop; `Debug` shows nothing.
#[derive(Clone)]
pub struct PrivateKeyPem(Zeroizing<String>);

impl PrivateKeyPem {
    pub(crate) fn of(key: &PKey<Private>) -> Result<Self, Error> {
        let pem = key.private_key_to_pem_pkcs8().map_err(while_doing("writing a private key as PEM"))?;
        match String::from_utf8(pem) {
            Ok(pem) => Ok(PrivateKeyPem(Zeroizing::new(pem))),
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                Err(Error::Unreadable { what: "private key", reason: "PEM that is not text".to_owned() })
            }
        }
    }

    /// The PEM text: whoever calls this holds the key in the clear.
    pub fn danger_expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKeyPem(..)")
    }
}

/// Reads an unencrypted private key, PKCS#8 or the older forms. Never asks the terminal for a pass phrase.
pub(crate) fn private_key_from_pem(text: &str) -> Result<PKey<Private>, Error> {
    let text = pem::expect_label(text, "PRIVATE KEY", |label| label.ends_with("PRIVATE KEY"))?;
    let mut asked = false;
    let key = PKey::private_key_from_pem_callback(text.as_bytes(), |_| {
        asked = true;
        Ok(0)
    });
    if asked { Err(Error::EncryptedKey) } else { key.map_err(unreadable("private key")) }
}

/// "RSA-2048", "P-256", "Ed25519" and the like, for people.
pub(crate) fn kind_text<T: HasPublic>(key: &PKeyRef<T>) -> String {
    match key.id() {
        Id::RSA => format!("RSA-{}", key.bits()),
        Id::EC => match key.ec_key().ok().and_then(|ec| ec.group().curve_name()) {
            Some(Nid::X9_62_PRIME256V1) => "P-256".to_owned(),
            Some(Nid::SECP384R1) => "P-384".to_owned(),
            Some(Nid::SECP521R1) => "P-521".to_owned(),
            Some(curve) => format!("EC {}", curve.short_name().unwrap_or("of an unnamed curve")),
            None => "EC of an unnamed curve".to_owned(),
        },
        Id::ED25519 => "Ed25519".to_owned(),
        Id::ED448 => "Ed448".to_owned(),
        Id::DSA => format!("DSA-{}", key.bits()),
        other => format!("kind {}", other.as_raw()),
    }
}

/// Refuses a public key that a TLS client could not use here, or that is too weak to sign for.
pub(crate) fn check_strength<T: HasPublic>(key: &PKeyRef<T>) -> Result<(), Error> {
    let strong = match key.id() {
        Id::RSA => key.bits() >= RSA_BITS_MIN,
        Id::EC => {
            let curve = key.ec_key().ok().and_then(|ec| ec.group().curve_name());
            [Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1]
                .into_iter()
                .any(|known| curve == Some(known))
        }
        _ => false,
    };
    if strong { Ok(()) } else { Err(Error::WeakKey { got: kind_text(key) }) }
}
