//! Webhook signatures, after Stripe's scheme: the header carries the moment and an HMAC-SHA256 of "<moment>.<body>" in hexadecimal,
//! so that neither the body nor its age can be forged.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The header of a webhook: `t=<unix seconds>,v1=<hexadecimal HMAC>`.
pub const SIGNATURE_HEADER: &str = "sandbox-signature";

/// The value of the signature header for a body sent at `unix_seconds`.
pub fn sign(secret: &str, unix_seconds: i64, body: &[u8]) -> String {
    format!("t={unix_seconds},v1={}", hmac(secret, &[unix_seconds.to_string().as_bytes(), b".", body]))
}

/// The hexadecimal HMAC-SHA256 of these bytes, one after the other.
pub(crate) fn hmac(secret: &str, signed: &[&[u8]]) -> String {
    // HMAC takes a key of any length, so the error case cannot occur; an empty key would only fail to verify.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| Hmac::new(&Default::default()));
    signed.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().iter().fold(String::with_capacity(64), |mut hex, byte| {
        use std::fmt::Write;
        let _never_fails = write!(hex, "{byte:02x}");
        hex
    })
}
