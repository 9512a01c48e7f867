//! Health and choice at their wall: scenarios as text, and what holds whatever happens.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are not seen as tests")]

mod properties;
mod scenarios;
