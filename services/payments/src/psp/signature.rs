//! Webhook signatures: HMAC-SHA256 in hexadecimal, over the body or, after Stripe's scheme (which both sandbox parties use too), over
//! "<moment>.<body>" with the moment in the header: `t=<seconds>,v1=<hex>[,v1=<hex>…]`.

use std::collections::HashMap;

use hmac::{Hmac, Mac};
use kit_core::Time;
use sha2::Sha256;

use crate::config::SIGNATURE_VALID;
use crate::error::Error;

pub(crate) const SANDBOX: &str = "sandbox-signature";
pub(crate) const STRIPE: &str = "stripe-signature";

/// Checks that a body was signed with the secret, not long ago. While a secret is being exchanged there are several signatures.
pub(crate) fn verify(header: &str, secret: &str, headers: &HashMap<String, String>, body: &[u8], now: Time) -> Result<(), Error> {
    let header = headers.get(header).ok_or(Error::SignatureInvalid)?;
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let moment = parts().find(|(name, _)| *name == "t").map(|(_, moment)| moment).ok_or(Error::SignatureInvalid)?;
    let sent_at = moment.parse().ok().and_then(|seconds| Time::from_timestamp(seconds, 0)).ok_or(Error::SignatureInvalid)?;
    let signed = parts().filter(|(name, _)| *name == "v1").any(|(_, signature)| fits(secret, &[moment.as_bytes(), b".", body], signature));
    if signed && (now - sent_at).abs() <= SIGNATURE_VALID { Ok(()) } else { Err(Error::SignatureInvalid) }
}

/// Whether a hexadecimal HMAC-SHA256 is that of these bytes under the secret; compared in constant time.
pub(crate) fn fits(secret: &str, signed: &[&[u8]], signature: &str) -> bool {
    let (Ok(mut mac), Some(signature)) = (Hmac::<Sha256>::new_from_slice(secret.as_bytes()), unhex(signature)) else { return false };
    signed.iter().for_each(|part| mac.update(part));
    mac.verify_slice(&signature).is_ok()
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
