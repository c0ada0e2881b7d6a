//! Access tokens: JWT (RFC 7519) signed with Ed25519 (RFC 8037), under keys that rotate and live in the database.

use std::sync::{Arc, PoisonError, RwLock};

use api_identity::{Jwk, SessionId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::Duration;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier};
use kit_core::{Time, UserId};
use kit_db::{Db, Scope};
use rand::TryRngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::error::Error;
use crate::store::key::{self, Stored};

/// What an access token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    sub: String,
    sid: String,
    iat: i64,
    pub exp: i64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

#[derive(Clone)]
struct Key {
    id: String,
    signing: SigningKey,
    active_from: Time,
}

/// The keys as this process knows them, the newest first.
#[derive(Clone)]
pub(crate) struct Keyring {
    issuer: Arc<str>,
    keys: Arc<RwLock<Arc<Vec<Key>>>>,
}

/// Why a token was not accepted by the keys at hand.
pub(crate) enum Unverified {
    /// Signed by a key this process has not seen; another process may just have made it.
    UnknownKey,
    Invalid,
}

impl Keyring {
    pub(crate) fn new(issuer: &str) -> Self {
        Self { issuer: issuer.into(), keys: Arc::default() }
    }

    fn keys(&self) -> Arc<Vec<Key>> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the keys from the database.
    pub(crate) async fn load(&self, db: &Db) -> Result<(), Error> {
        let mut tx = db.begin(&Scope::Platform).await?;
        let stored = key::list(&mut tx).await?;
        tx.commit().await?;
        let keys = stored.into_iter().map(|stored| {
            let secret: [u8; 32] = stored.secret.try_into().map_err(|_| Error::Corrupt("signing_key.secret"))?;
            Ok(Key { id: stored.key_id, signing: SigningKey::from_bytes(&secret), active_from: stored.active_from })
        });
        let keys: Result<Vec<Key>, Error> = keys.collect();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys?);
        Ok(())
    }

    /// Makes the first key, the next one when the newest is old, and removes those no token can be under any more.
    pub(crate) async fn rotate(&self, db: &Db, config: &Config, now: Time) -> Result<(), Error> {
        let mut tx = db.begin(&Scope::Platform).await?;
        key::lock(&mut tx).await?;
        let stored = key::list(&mut tx).await?;
        let lifetime = Duration::days(i64::from(config.signing_key_days));
        if stored.first().is_none_or(|newest| newest.created_at + lifetime <= now) {
            let ahead = Duration::minutes(i64::from(config.signing_key_ahead_minutes));
            // The very first key has nobody to announce itself to.
            let active_from = if stored.is_empty() { now } else { now + ahead };
            key::add(&mut tx, &new_key(active_from, now)?).await?;
        }
        let forgotten: Vec<String> = superseded(&stored, now - Duration::seconds(2 * i64::from(config.access_seconds)));
        key::remove(&mut tx, &forgotten).await?;
        tx.commit().await?;
        self.load(db).await
    }

    pub(crate) fn sign(&self, user: UserId, session: SessionId, now: Time, expires_at: Time) -> Result<String, Error> {
        let keys = self.keys();
        let key = keys.iter().find(|key| key.active_from <= now).or(keys.first()).ok_or(Error::NoSigningKey)?;
        let header = Header { alg: "EdDSA".to_owned(), typ: "JWT".to_owned(), kid: key.id.clone() };
        let claims = Claims {
            iss: self.issuer.to_string(),
            sub: user.to_string(),
            sid: session.to_string(),
            iat: now.timestamp(),
            exp: expires_at.timestamp(),
        };
        let part = |json: Result<Vec<u8>, serde_json::Error>| json.map(|json| BASE64.encode(json)).map_err(|_| Error::Corrupt("claims"));
        let signed = format!("{}.{}", part(serde_json::to_vec(&header))?, part(serde_json::to_vec(&claims))?);
        let signature = key.signing.sign(signed.as_bytes());
        Ok(format!("{signed}.{}", BASE64.encode(signature.to_bytes())))
    }

    /// Checks form, signature and issuer; the caller checks `exp`, because a verified token is kept and its time still passes.
    pub(crate) fn verify(&self, token: &str) -> Result<Claims, Unverified> {
        self.read(token).ok_or(Unverified::Invalid)?
    }

    fn read(&self, token: &str) -> Option<Result<Claims, Unverified>> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&BASE64.decode(header).ok()?).ok()?;
        if header.alg != "EdDSA" {
            return None;
        }
        let keys = self.keys();
        let Some(key) = keys.iter().find(|key| key.id == header.kid) else {
            return Some(Err(Unverified::UnknownKey));
        };
        let signature = Signature::from_slice(&BASE64.decode(signature).ok()?).ok()?;
        key.signing.verifying_key().verify(signed.as_bytes(), &signature).ok()?;
        let claims: Claims = serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?;
        (claims.iss == *self.issuer).then_some(Ok(claims))
    }

    /// The public halves, those that will sign soon included.
    pub(crate) fn published(&self) -> Vec<Jwk> {
        let jwk = |key: &Key| Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            kid: key.id.clone(),
            alg: "EdDSA".to_owned(),
            r#use: "sig".to_owned(),
            x: BASE64.encode(key.signing.verifying_key().as_bytes()),
        };
        self.keys().iter().map(jwk).collect()
    }
}

impl Claims {
    pub(crate) fn session(&self) -> Option<SessionId> {
        self.sid.parse().ok()
    }
}

fn new_key(active_from: Time, now: Time) -> Result<Stored, Error> {
    let mut secret = [0u8; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut secret).map_err(|_| Error::Corrupt("the operating system gives no randomness"))?;
    let public = SigningKey::from_bytes(&secret).verifying_key();
    let key_id = Sha256::digest(public.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(Stored { key_id, secret: secret.to_vec(), active_from, created_at: now })
}

/// Keys that a younger one replaced before this moment: all but the newest that was active then, and what came after it.
fn superseded(newest_first: &[Stored], before: Time) -> Vec<String> {
    let in_use = newest_first.iter().position(|key| key.active_from <= before);
    in_use.map_or_else(Vec::new, |in_use| newest_first.iter().skip(in_use + 1).map(|key| key.key_id.clone()).collect())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ring(secrets: &[(&str, u8)]) -> Keyring {
        let ring = Keyring::new("https://market.example");
        let keys = secrets.iter().map(|(id, byte)| Key {
            id: (*id).to_owned(),
            signing: SigningKey::from_bytes(&[*byte; 32]),
            active_from: Time::default(),
        });
        *ring.keys.write().unwrap() = Arc::new(keys.collect());
        ring
    }

    #[test]
    fn a_token_verifies_under_its_key_only_and_not_when_touched() {
        let (user, session) = (UserId::from(Uuid::from_u128(1)), SessionId::from(Uuid::from_u128(2)));
        let now = Time::default() + Duration::days(1);
        let token = ring(&[("new", 1)]).sign(user, session, now, now + Duration::minutes(15)).unwrap();
        let claims = ring(&[("newer", 3), ("new", 1)]).verify(&token).ok().unwrap();
        assert_eq!((claims.session(), claims.exp), (Some(session), (now + Duration::minutes(15)).timestamp()));
        assert!(matches!(ring(&[("other", 1)]).verify(&token), Err(Unverified::UnknownKey)));
        assert!(matches!(ring(&[("new", 2)]).verify(&token), Err(Unverified::Invalid)));
        let unsigned = format!("{}.{}.", BASE64.encode(r#"{"alg":"none","typ":"JWT","kid":"new"}"#), token.split('.').nth(1).unwrap());
        assert!(matches!(ring(&[("new", 1)]).verify(&unsigned), Err(Unverified::Invalid)));
        for at in (0..token.len()).step_by(7) {
            let mut touched: Vec<char> = token.chars().collect();
            touched[at] = if touched[at] == 'A' { 'B' } else { 'A' };
            let touched: String = touched.into_iter().collect();
            // The last character of base64 may carry bits that are not part of the signature; strict decoding refuses them too.
            assert!(ring(&[("new", 1)]).verify(&touched).is_err(), "{at}");
        }
    }

    #[test]
    fn old_keys_go_only_when_a_younger_one_has_signed_long_enough() {
        let day = |n: i64| Time::default() + Duration::days(n);
        let key = |id: &str, from: i64| Stored { key_id: id.to_owned(), secret: vec![], active_from: day(from), created_at: day(from) };
        let keys = [key("c", 60), key("b", 30), key("a", 0)];
        assert_eq!(superseded(&keys, day(59)), ["a"]);
        assert_eq!(superseded(&keys, day(60)), ["b", "a"]);
        assert_eq!(superseded(&keys, day(-1)), Vec::<String>::new());
    }
}
