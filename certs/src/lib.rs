//! Certificates of a key server: an authority that makes and signs them, profiles that say what each must hold
//! and why, and the checks that a listener makes on those it is shown.
//!
//! Opens no socket and reads no clock: "now" is an argument, in seconds since 1970-01-01 UTC. Touches the disk
//! in `file` only. Random bytes come from OpenSSL, in `key`, `issue` and `file` only.
//!
//! - [`Authority`] creates itself, issues, signs requests, renews.
//! - [`Profile`] is the table of what each certificate holds.
//! - [`inspect()`] says what a certificate holds, for people and for programs.
//! - [`verify_chain`], [`check_dates`] and [`spki`] are what a TLS listener needs to know of a client.
//! - [`write_private_key`] and [`write_certificate`] put them on disk, whole or not at all.

mod authority;
mod chain;
mod der;
mod error;
mod file;
mod inspect;
mod issue;
mod key;
mod name;
mod pem;
pub mod possession;
mod profile;
#[cfg(feature = "test-certificates")]
pub mod test_certificates;
mod time;

pub use authority::Authority;
pub use chain::{
    CHAIN_INTERMEDIATES_MAX, ChainError, VerifiedChain, verify_chain, verify_chain_of_any_purpose,
};
pub use der::{SubjectPublicKey, spki};
pub use error::{Error, Fault};
pub use file::{Existing, write_certificate, write_private_key};
pub use inspect::{Inspected, inspect};
pub use issue::Issued;
pub use key::{KeyKind, PrivateKeyPem, RSA_BITS_MIN};
pub use name::{
    ALT_NAMES_MAX, AltName, COMMON_NAME_CHARS_MAX, Subject, common_name, front_name, node_number,
};
pub use pem::{CERTIFICATES_MAX, PEM_BYTES_MAX, certificates_from_pem};
pub use profile::{BACKDATED_S, Profile};
pub use time::{DateError, check_dates, utc_text};
