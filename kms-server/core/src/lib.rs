//! kms-core, the key manager: a request, a context and the objects in; a response and events out.
//!
//! Pure and deterministic: opens no socket and no file, reads no clock, draws no randomness. `now`, entropy, the vault that
//! seals key material and the library that computes with it are given. [`handle()`] decides and may refuse;
//! [`Objects::apply`] carries an event out and cannot fail. Events are what is stored and replicated; requests are not.

mod attributes;
mod authorise;
mod client;
mod context;
pub mod cryptography;
mod dates;
mod draft;
mod event;
mod gate;
mod handle;
mod id;
mod key_format;
mod later;
mod lifecycle;
mod objects;
pub mod operations;
mod outcome;
mod refusal;
mod sharing;
mod size;
mod usage;
mod usage_limits;
mod wrapping;
mod x509;

pub use authorise::{Authorised, authorise};
pub use client::{
    Client, KnownCredential, KnownCredentials, RegisteredClient, Rights, Tenant, Trust, TrustKind,
};
pub use context::{About, Context, Entropy, Limits, Vault, VaultError};
pub use dates::{DATES_MAX, move_by_dates};
pub use draft::Draft;
pub use event::{DecodeError, Deferred, Event, InvitationDigest, Stage, StreamId, Token};
pub use handle::{handle, is_read_only, may_only_read};
pub use id::Id;
pub use later::{DEFER_S, is_due, settle};
pub use lifecycle::{Cause, State, transition};
pub use objects::{
    ANSWERS_BYTES_MAX, ANSWERS_MAX, ANSWERS_S_MAX, Authority, DEFERRED_BYTES_PER_CLIENT_MAX,
    DEFERRED_PER_CLIENT_MAX, DEFERRED_S_MAX, INVITATIONS_MAX, Invitation, NUMBERED_MAX, Numbered, Object,
    Objects, Record, STREAM_S_MAX, STREAMS_MAX,
};
pub use outcome::{AuditItem, Correlation, IDENTIFIER_CHARS_MAX, Outcome, refuse_all, refuse_message};
pub use refusal::Refusal;
