//! Opaque secrets: 32 random bytes as text, of which only the SHA-256 is kept. A fast hash is enough, because the secret cannot
//! be guessed.

use api_identity::SessionId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rand::TryRngCore;
use sha2::{Digest, Sha256};

use crate::error::Error;

const SESSION: &str = "mhs_";

/// A fresh secret.
pub(crate) fn secret() -> Result<String, Error> {
    let mut bytes = [0u8; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|_| Error::Corrupt("the operating system gives no randomness"))?;
    Ok(BASE64.encode(bytes))
}

pub(crate) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// A browser's token: names its session, so that one look-up by id finds it, and proves it by the secret.
pub(crate) fn session_token(session: SessionId, secret: &str) -> String {
    format!("{SESSION}{}{secret}", session.uuid().simple())
}

/// The session and the hash of the secret; `None`: not a session token.
pub(crate) fn read_session_token(token: &str) -> Option<(SessionId, Vec<u8>)> {
    let (id, secret) = token.strip_prefix(SESSION)?.split_at_checked(32)?;
    let session = format!("ses_{id}").parse().ok()?;
    (secret.len() == 43).then(|| (session, hash(secret)))
}

/// Compares without telling by its time where the difference is.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0u8, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_session_token_reads_back_and_anything_else_does_not() {
        let session = SessionId::from(Uuid::from_u128(7));
        let secret = secret().unwrap();
        let token = session_token(session, &secret);
        assert_eq!(read_session_token(&token), Some((session, hash(&secret))));
        for wrong in ["", "mhs_", "mhs_ü", &token[1..], &token[..token.len() - 1], &token.replace("mhs", "mhx")] {
            assert_eq!(read_session_token(wrong), None, "{wrong}");
        }
        assert!(same(b"ab", b"ab") && !same(b"ab", b"ac") && !same(b"ab", b"abc"));
    }
}
