//! Credentials inside requests: user names and passwords, devices (KMIP 1.4 sections 2.1.2 and 6.6), held against what is
//! registered.
//!
//! A certificate is what lets a client in; a credential can only speak against it. Passwords are kept as scrypt makes them, so
//! that whoever gets hold of the log cannot read them. That is slow on purpose, and many products send a password with every
//! request: one that was right is remembered, under a key of this process, and looked up from then on.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use kmip::enumeration::ResultReason;
use kmip::message::{Credential, CredentialValue};
use kms_core::{KnownCredential, Refusal, RegisteredClient};
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkcs5::scrypt;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use tokio::sync::Semaphore;

use crate::entropy;

/// Passwords that are hashed at once; each takes 16 MiB and about a fifth of a second. More wait.
const HASHED_AT_ONCE_MAX: usize = 2;

/// Right passwords that are remembered; when full, all are forgotten and hashed anew.
const PROVEN_MAX: usize = 4096;

/// Bytes of a password; a longer one is wrong.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// scrypt's cost, N, r and p: 16 MiB (RFC 7914; OWASP's list has it for interactive logins).
const COST: (u64, u64, u64) = (1 << 14, 8, 5);

/// Bytes that scrypt may take at most.
const SCRYPT_BYTES_MAX: u64 = 64 << 20;

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// The form of a hash that is kept: `scrypt$N$r$p$salt$hash`, salt and hash in hex.
const SCHEME: &str = "scrypt";

/// What is kept of a password.
///
/// Fails where OpenSSL does, which has no cause of the operator's.
pub fn hash(password: &[u8]) -> Result<String, String> {
    let salt: [u8; SALT_BYTES] = entropy::array();
    let (n, r, p) = COST;
    let made = derive(password, &salt, COST).map_err(|error| error.to_string())?;
    Ok(format!("{SCHEME}${n}${r}${p}${}${}", hex::encode(salt), hex::encode(made)))
}

fn derive(
    password: &[u8],
    salt: &[u8],
    (n, r, p): (u64, u64, u64),
) -> Result<[u8; HASH_BYTES], openssl::error::ErrorStack> {
    let mut made = [0; HASH_BYTES];
    scrypt(password, salt, n, r, p, SCRYPT_BYTES_MAX, &mut made)?;
    Ok(made)
}

/// Whether `kept` is a hash of this password, in a time that does not tell where they part.
fn is_hash_of(kept: &str, password: &[u8]) -> bool {
    let parts: Vec<&str> = kept.split('$').collect();
    let &[SCHEME, n, r, p, salt, hash] = parts.as_slice() else { return false };
    let number = |text: &str| text.parse::<u64>().ok();
    let (Some(n), Some(r), Some(p)) = (number(n), number(r), number(p)) else { return false };
    let (Ok(salt), Ok(hash)) = (hex::decode(salt), hex::decode(hash)) else { return false };
    let made = derive(password, &salt, (n, r, p));
    made.is_ok_and(|made| made.len() == hash.len() && memcmp::eq(&made, &hash))
}

/// Two texts, compared in a time that tells their lengths alone.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && memcmp::eq(one.as_bytes(), other.as_bytes())
}

/// Checks credentials for all connections of a node.
pub struct Credentials {
    /// The key under which right passwords are remembered.
    key: [u8; 32],
    proven: Mutex<HashSet<[u8; 32]>>,
    at_once: Semaphore,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self { key: entropy::array(), proven: Mutex::default(), at_once: Semaphore::new(HASHED_AT_ONCE_MAX) }
    }
}

impl Credentials {
    /// Holds what came with a request of `client` against what is registered.
    ///
    /// Fails with Authentication Not Successful for one that is wrong or nobody's, and with Permission Denied for one that is
    /// right and another client's: who it is for has no access to what this client's certificate opens. What came without a
    /// registered credential to hold it against, and a kind that is not known here, is passed over.
    pub async fn check(
        &self,
        client: &str,
        sent: &[Credential],
        registered: &[Arc<RegisteredClient>],
    ) -> Result<(), Refusal> {
        let own = registered.iter().find(|known| &*known.client.name == client);
        if sent.is_empty() || own.is_none_or(|own| own.credentials.is_empty()) {
            return Ok(());
        }
        for credential in sent {
            let Some(claim) = Claim::of(credential) else { continue };
            match self.owner(&claim, registered).await {
                Some(owner) if *owner.client.name == *client => {}
                Some(owner) => {
                    return Err(Refusal::permission_denied(
                        "these credentials are another client's than the certificate; hint: use one client's for both",
                    )
                    .logged(format!("client \"{client}\" sent the credentials of \"{}\"", owner.client.name)));
                }
                None => {
                    return Err(Refusal::new(
                        ResultReason::AuthenticationNotSuccessful,
                        "the credentials in the request are not those that are registered; hint: kms client show",
                    )
                    .logged(format!("client \"{client}\" sent {} that is wrong", claim.what)));
                }
            }
        }
        Ok(())
    }

    /// The client that a claim is proven to be.
    async fn owner<'a>(
        &self,
        claim: &Claim<'_>,
        registered: &'a [Arc<RegisteredClient>],
    ) -> Option<&'a Arc<RegisteredClient>> {
        let mut found = None;
        // All are looked at, so that the time does not tell which name is known.
        for client in registered {
            let known = (claim.kind)(client);
            if let Some(known) = known.filter(|known| same(&known.name, claim.name)) {
                found = Some((client, known));
            }
        }
        let (client, known) = found?;
        let proven = match (&known.password_hash, claim.password) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(kept), Some(password)) => self.proves(kept, password).await,
        };
        proven.then_some(client)
    }

    async fn proves(&self, kept: &str, password: &[u8]) -> bool {
        if password.len() > PASSWORD_BYTES_MAX {
            return false;
        }
        let Some(mark) = self.mark(kept, password) else { return false };
        if self.proven().contains(&mark) {
            return true;
        }
        let Ok(_seat) = self.at_once.acquire().await else { return false };
        let (kept, password) = (kept.to_owned(), zeroize::Zeroizing::new(password.to_vec()));
        // Off the threads that answer everybody else.
        let checked = tokio::task::spawn_blocking(move || is_hash_of(&kept, &password)).await;
        let right = checked.unwrap_or(false);
        if right {
            let mut proven = self.proven();
            if proven.len() >= PROVEN_MAX {
                proven.clear();
            }
            proven.insert(mark);
        }
        right
    }

    /// What a right password is remembered by: nothing that another process could hold it against.
    fn mark(&self, kept: &str, password: &[u8]) -> Option<[u8; 32]> {
        let key = PKey::hmac(&self.key).ok()?;
        let mut signer = Signer::new(MessageDigest::sha256(), &key).ok()?;
        signer.update(&u64::try_from(kept.len()).unwrap_or(u64::MAX).to_be_bytes()).ok()?;
        signer.update(kept.as_bytes()).ok()?;
        signer.update(password).ok()?;
        signer.sign_to_vec().ok()?.try_into().ok()
    }

    fn proven(&self) -> std::sync::MutexGuard<'_, HashSet<[u8; 32]>> {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a credential says.
struct Claim<'a> {
    what: &'static str,
    name: &'a str,
    password: Option<&'a [u8]>,
    /// Where a client has the same registered.
    kind: fn(&RegisteredClient) -> Option<&KnownCredential>,
}

impl<'a> Claim<'a> {
    /// `None` for a kind that is not known here. A device without a serial number claims the empty one, which nobody has.
    fn of(credential: &'a Credential) -> Option<Self> {
        match &credential.value {
            CredentialValue::UsernameAndPassword { username, password } => Some(Self {
                what: "a user name and password",
                name: username,
                password: password.as_ref().map(|password| password.danger_bytes()),
                kind: |client| client.credentials.user.as_ref(),
            }),
            CredentialValue::Device { device_serial_number, password, .. } => Some(Self {
                what: "a device",
                name: device_serial_number.as_deref().unwrap_or_default(),
                password: password.as_ref().map(|password| password.danger_bytes()),
                kind: |client| client.credentials.device.as_ref(),
            }),
            CredentialValue::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use kmip::Secret;
    use kmip::enumeration::CredentialType;
    use kms_core::{Client, KnownCredentials, Rights, Tenant, Trust, TrustKind};

    use super::*;

    fn registered(name: &str, credentials: KnownCredentials) -> Arc<RegisteredClient> {
        let client = Client { name: name.into(), tenant: Tenant::new("lab"), rights: Rights::ALL };
        let trust = Trust { kind: TrustKind::Pinned, certificate: Vec::new() };
        Arc::new(RegisteredClient { client, trust, credentials, registered_at: 1 })
    }

    fn known(name: &str, password: Option<&str>) -> Option<KnownCredential> {
        let password_hash = password.map(|password| hash(password.as_bytes()).unwrap());
        Some(KnownCredential { name: name.to_owned(), password_hash })
    }

    fn clients() -> Vec<Arc<RegisteredClient>> {
        vec![
            registered("fred", KnownCredentials { user: known("Fred", Some("password1")), device: None }),
            registered("barney", KnownCredentials { user: known("Barney", Some("secret2")), device: None }),
            registered("drive", KnownCredentials { user: None, device: known("serNum1", None) }),
            registered("plain", KnownCredentials::default()),
        ]
    }

    fn user(username: &str, password: Option<&str>) -> Credential {
        let password = password.map(|password| Secret::from(password.as_bytes()));
        let value = CredentialValue::UsernameAndPassword { username: username.to_owned(), password };
        Credential { credential_type: CredentialType::UsernameAndPassword, value }
    }

    fn device(serial: Option<&str>, password: Option<&str>) -> Credential {
        let value = CredentialValue::Device {
            device_serial_number: serial.map(str::to_owned),
            password: password.map(|password| Secret::from(password.as_bytes())),
            device_identifier: None,
            network_identifier: None,
            machine_identifier: None,
            media_identifier: None,
        };
        Credential { credential_type: CredentialType::Device, value }
    }

    #[tokio::test]
    async fn a_credential_is_the_clients_own_another_ones_or_wrong() {
        let (credentials, clients) = (Credentials::default(), clients());
        let wrong = Some(ResultReason::AuthenticationNotSuccessful);
        let denied = Some(ResultReason::PermissionDenied);
        for (client, sent, expected) in [
            ("fred", vec![user("Fred", Some("password1"))], None),
            ("fred", vec![user("Fred", Some("password1")), user("Barney", Some("secret2"))], denied),
            ("fred", vec![user("Fred", Some("password2"))], wrong),
            ("fred", vec![user("Fred", None)], wrong),
            ("fred", vec![user("Fre", Some("password1"))], wrong),
            ("fred", vec![user("Barney", Some("secret2"))], denied),
            ("fred", vec![user("Barney", Some("password1"))], wrong),
            ("fred", vec![device(Some("serNum1"), None)], denied),
            ("fred", vec![device(None, Some("password1"))], wrong),
            ("drive", vec![device(Some("serNum1"), Some("anything"))], None),
            ("drive", vec![device(Some("serNum2"), None)], wrong),
            ("fred", vec![], None),
            ("plain", vec![user("anybody", Some("anything"))], None),
        ] {
            let checked = credentials.check(client, &sent, &clients).await;
            assert_eq!(checked.err().map(|refusal| refusal.reason), expected, "{client}: {sent:?}");
        }
    }

    #[tokio::test]
    async fn a_right_password_is_remembered_and_a_wrong_one_is_not() {
        let (credentials, clients) = (Credentials::default(), clients());
        for password in ["password1", "password1", "password2"] {
            let _ = credentials.check("fred", &[user("Fred", Some(password))], &clients).await;
        }
        assert_eq!(credentials.proven().len(), 1);
        // Another hash of the same client: its password was changed.
        let changed =
            [registered("fred", KnownCredentials { user: known("Fred", Some("password3")), device: None })];
        assert!(credentials.check("fred", &[user("Fred", Some("password1"))], &changed).await.is_err());
    }

    #[test]
    fn a_hash_is_salted_and_anything_else_is_nobodys_password() {
        let (one, other) = (hash(b"secret").unwrap(), hash(b"secret").unwrap());
        assert_ne!(one, other);
        assert!(is_hash_of(&one, b"secret") && is_hash_of(&other, b"secret"));
        for kept in
            ["", "scrypt$", "scrypt$3$8$1$00$00", "scrypt$x$8$1$00$00", &one.replace("scrypt", "plain")]
        {
            assert!(!is_hash_of(kept, b"secret"), "{kept}");
        }
    }

    #[test]
    fn no_refusal_and_no_debug_text_shows_a_password_or_a_hash() {
        let known = known("Fred", Some("password1"));
        let text = format!("{known:?} {:?}", user("Fred", Some("password1")));
        assert!(!text.contains("password1") && !text.contains("scrypt"), "{text}");
    }
}
