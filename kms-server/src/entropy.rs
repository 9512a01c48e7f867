//! The system's randomness: the only place of this server that asks for it.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// The exit code of a process that got no randomness (`EX_OSERR` of sysexits.h).
pub const EXIT_ENTROPY: i32 = 71;

/// Fills `out` with random bytes from the operating system's generator.
///
/// A failure ends the process with [`EXIT_ENTROPY`]: no key and no nonce may ever be made of anything else.
pub fn fill(out: &mut [u8]) {
    if SystemRandom::new().fill(out).is_err() {
        tracing::error!(exit_code = EXIT_ENTROPY, "the system gives no randomness, the process ends");
        std::process::exit(EXIT_ENTROPY)
    }
}

/// A random array; see [`fill`].
pub fn array<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    fill(&mut out);
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_draws_differ() {
        assert_ne!(super::array::<32>(), super::array::<32>());
    }
}
