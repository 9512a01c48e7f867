//! The decision alone: kms-core with the real cryptography, on one set of objects, without a socket, a log or a disk.

use std::time::{SystemTime, UNIX_EPOCH};

use conform::Wire;
use kmip::RequestMessage;
use kms_core::{
    About, Client, Context, Draft, Entropy, Event, Limits, Objects, Outcome, Rights, Tenant, Vault,
    VaultError, handle,
};
use kms_server::cryptography::OpenSsl;
use kms_server::entropy;
use zeroize::Zeroizing;

/// Asks kms-core, and carries its events out from their bytes, as a node does.
pub struct Alone {
    objects: Objects,
    client: Client,
}

impl Default for Alone {
    fn default() -> Self {
        let client = Client { name: "conform".into(), tenant: Tenant::new("conform"), rights: Rights::ALL };
        Self { objects: Objects::default(), client }
    }
}

/// Randomness of the system: cases fetch what they made, and compare it with nothing else.
struct System;

impl Entropy for System {
    fn fill(&mut self, bytes: &mut [u8]) {
        entropy::fill(bytes);
    }
}

/// Keeps material as it came, behind what it is about: sealing is not what the cases are about.
struct Open;

impl Vault for Open {
    fn seal(&self, about: &About<'_>, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok([about.id.as_bytes().as_slice(), plain].concat())
    }

    fn open(&self, about: &About<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let plain = sealed.strip_prefix(about.id.as_bytes().as_slice());
        plain.map(|plain| Zeroizing::new(plain.to_vec())).ok_or_else(|| VaultError("another object's".into()))
    }
}

impl Wire for Alone {
    async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, String> {
        let request =
            RequestMessage::decode(request, ttlv::Limits::default()).map_err(|error| error.to_string())?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_secs();
        let limits = Limits::default();
        let mut context = Context {
            now: i64::try_from(now).map_err(|error| error.to_string())?,
            client: &self.client,
            entropy: &mut System,
            vault: &Open,
            cryptography: &OpenSsl,
            workshop: &OpenSsl,
            limits: &limits,
            vendor_identification: "kms-core",
        };
        let mut draft = Draft::new(&self.objects);
        let Outcome { encoded, .. } = handle(&request, &mut context, &mut draft);
        let mut log = Vec::new();
        Event::encode_all(&draft.into_events(), &mut log);
        for event in Event::decode_all(&log).map_err(|error| error.to_string())? {
            self.objects.apply(&event);
        }
        Ok(encoded.to_vec())
    }
}
