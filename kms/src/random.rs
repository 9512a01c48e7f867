//! Secrets that this command makes up.

use zeroize::Zeroizing;

/// 32 random bytes as 64 hex characters and a line end.
///
/// # Errors
/// Where the system gives no random bytes.
pub(crate) fn line() -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random.fill(&mut *bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    let mut text = Zeroizing::new(String::with_capacity(65));
    text.push_str(&Zeroizing::new(hex::encode(bytes.as_slice())));
    text.push('\n');
    Ok(text)
}
