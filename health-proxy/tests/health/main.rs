//! Health and choice at their wall: scenarios as text.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are not seen as tests")]

mod scenarios;
