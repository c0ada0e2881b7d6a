//! The secret of an invitation: 32 random bytes as text, of which only the SHA-256 is kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rand::TryRngCore;
use sha2::{Digest, Sha256};

use crate::error::Error;

pub(crate) fn secret() -> Result<String, Error> {
    let mut bytes = [0u8; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|_| Error::Corrupt("the operating system gives no randomness"))?;
    Ok(BASE64.encode(bytes))
}

pub(crate) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}
