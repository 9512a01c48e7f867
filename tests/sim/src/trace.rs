//! What happened, as one number: every event is hashed in order, so two runs with one number went the same way.
//!
//! An event says when, where, what kind and how large; never anything random, such as an identifier.

use std::fmt;
use std::time::Duration;

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// The hash of all events so far.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    events: u64,
    /// Tell each event on standard error.
    aloud: bool,
}

impl Trace {
    pub(crate) fn new(aloud: bool) -> Self {
        Self { hash: FNV_OFFSET, events: 0, aloud }
    }

    #[allow(clippy::print_stderr, reason = "asked for with SIM_LOG")]
    pub(crate) fn note(&mut self, at: Duration, what: fmt::Arguments<'_>) {
        struct Hash(u64);
        impl fmt::Write for Hash {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for byte in text.bytes() {
                    self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
                }
                Ok(())
            }
        }
        let mut hash = Hash(self.hash);
        // Hashing never fails.
        let _ = fmt::Write::write_fmt(&mut hash, format_args!("{} {what}\n", at.as_micros()));
        self.hash = hash.0;
        self.events += 1;
        if self.aloud {
            eprintln!("{:>9.3} {what}", at.as_secs_f64());
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn events(&self) -> u64 {
        self.events
    }
}
