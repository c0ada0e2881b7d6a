//! Webhook signatures after Stripe's scheme, as both sandbox parties use it: the header carries the moment and an HMAC-SHA256 of
//! "<moment>.<body>" in hexadecimal.

use std::collections::HashMap;

use hmac::{Hmac, Mac};
use kit_core::Time;
use sha2::Sha256;

use crate::config::SIGNATURE_VALID;
use crate::error::Error;

const HEADER: &str = "sandbox-signature";

/// Checks that a body was signed with the secret, not long ago.
pub(crate) fn verify(secret: &str, headers: &HashMap<String, String>, body: &[u8], now: Time) -> Result<(), Error> {
    let header = headers.get(HEADER).ok_or(Error::SignatureInvalid)?;
    let (moment, signature) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).ok_or(Error::SignatureInvalid)?;
    let sent_at = moment.parse().ok().and_then(|seconds| Time::from_timestamp(seconds, 0)).ok_or(Error::SignatureInvalid)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| Error::SignatureInvalid)?;
    mac.update(moment.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.verify_slice(&unhex(signature).ok_or(Error::SignatureInvalid)?).map_err(|_| Error::SignatureInvalid)?;
    if (now - sent_at).abs() <= SIGNATURE_VALID { Ok(()) } else { Err(Error::SignatureInvalid) }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    digits
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect()
}
