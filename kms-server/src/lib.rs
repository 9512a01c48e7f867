//! The key server as a library: the shell around kms-core, everything that touches the world.
//!
//! `main.rs` only parses the command line and calls in here; tests call in here too. The rules about
//! keys live in kms-core, which none of these modules repeats.

pub mod clock;
pub mod disk;
pub mod entropy;
pub mod root_key;
pub mod seal;
