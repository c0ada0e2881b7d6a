//! argon2id off the async threads: it takes tens of milliseconds and megabytes, so it runs on blocking threads, few at a time,
//! and a bounded number of callers may wait for their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::TryRngCore;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::error::Error;

#[derive(Clone)]
pub(crate) struct Hasher {
    argon2: Argon2<'static>,
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicU32>,
    most_waiting: u32,
    /// A hash that no password has, so that an unknown account takes as long as a known one.
    nobody: Arc<str>,
}

/// How a password compared with a stored hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wrong,
    Right,
    /// Right, but hashed with other parameters than today's: hash it again.
    RightButDated,
}

/// Whether passwords can be hashed so.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    anyhow::ensure!(config.hashes_at_once > 0, "hashes_at_once must be at least 1");
    params(config).map(drop)
}

fn params(config: &Config) -> anyhow::Result<Params> {
    Params::new(config.hash_memory_kib, config.hash_passes, config.hash_lanes, None)
        .map_err(|error| anyhow::anyhow!("hash_memory_kib, hash_passes, hash_lanes: {error}"))
}

impl Hasher {
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params(config)?);
        let nobody = hash_now(&argon2, &crate::model::token::secret()?)?;
        Ok(Self {
            argon2,
            turns: Arc::new(Semaphore::new(usize::try_from(config.hashes_at_once)?)),
            waiting: Arc::default(),
            most_waiting: config.hashes_waiting,
            nobody: nobody.into(),
        })
    }

    pub(crate) async fn hash(&self, password: &str) -> Result<String, Error> {
        let (argon2, password) = (self.argon2.clone(), password.to_owned());
        self.in_turn(move || hash_now(&argon2, &password)).await?
    }

    /// Compares a password with a stored hash; without one it takes the same time and is wrong.
    pub(crate) async fn verify(&self, password: &str, stored: Option<&str>) -> Result<Verdict, Error> {
        let known = stored.is_some();
        let (argon2, password, stored) = (self.argon2.clone(), password.to_owned(), stored.unwrap_or(&self.nobody).to_owned());
        let verdict = self.in_turn(move || verify_now(&argon2, &password, &stored)).await??;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let _place = Place::take(&self.waiting, self.most_waiting)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Error::Busy)?;
        let worked = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        worked.await.map_err(|error| Error::Hash(error.to_string()))
    }
}

/// A place among those who wait or hash, given back when dropped.
struct Place(Arc<AtomicU32>);

impl Place {
    fn take(count: &Arc<AtomicU32>, most: u32) -> Result<Self, Error> {
        let taken = Self(Arc::clone(count));
        if count.fetch_add(1, Ordering::SeqCst) >= most { Err(Error::Busy) } else { Ok(taken) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn hash_now(argon2: &Argon2<'_>, password: &str) -> Result<String, Error> {
    let mut salt = [0u8; 16];
    rand::rngs::OsRng.try_fill_bytes(&mut salt).map_err(|_| Error::Corrupt("the operating system gives no randomness"))?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| Error::Hash(error.to_string()))?;
    let hash = argon2.hash_password(password.as_bytes(), &salt).map_err(|error| Error::Hash(error.to_string()))?;
    Ok(hash.to_string())
}

fn verify_now(argon2: &Argon2<'_>, password: &str, stored: &str) -> Result<Verdict, Error> {
    let hash = PasswordHash::new(stored).map_err(|error| Error::Hash(error.to_string()))?;
    match argon2.verify_password(password.as_bytes(), &hash) {
        Ok(()) => {
            let same = Params::try_from(&hash).is_ok_and(|params| {
                let today = argon2.params();
                (params.m_cost(), params.t_cost(), params.p_cost()) == (today.m_cost(), today.t_cost(), today.p_cost())
            });
            Ok(if same { Verdict::Right } else { Verdict::RightButDated })
        }
        Err(argon2::password_hash::Error::Password) => Ok(Verdict::Wrong),
        Err(error) => Err(Error::Hash(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap(passes: u32) -> Hasher {
        Hasher::new(&Config { hash_memory_kib: 8, hash_passes: passes, ..Default::default() }).unwrap()
    }

    #[tokio::test]
    async fn passwords_compare_and_dated_hashes_are_noticed() {
        let hash = cheap(1).hash("seven blue kettles").await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert_eq!(cheap(1).verify("seven blue kettles", Some(&hash)).await.unwrap(), Verdict::Right);
        assert_eq!(cheap(2).verify("seven blue kettles", Some(&hash)).await.unwrap(), Verdict::RightButDated);
        assert_eq!(cheap(1).verify("seven red kettles", Some(&hash)).await.unwrap(), Verdict::Wrong);
        assert_eq!(cheap(1).verify("anything", None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_recovers() {
        let hasher = Hasher::new(&Config { hash_memory_kib: 8, hash_passes: 1, hashes_waiting: 0, ..Default::default() }).unwrap();
        assert!(matches!(hasher.hash("seven blue kettles").await, Err(Error::Busy)));
        assert!(cheap(1).hash("seven blue kettles").await.is_ok());
    }
}
