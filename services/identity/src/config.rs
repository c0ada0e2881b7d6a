//! The service's limits and lifetimes, `[services.identity]`.

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How long an access token is good for.
    pub access_seconds: u32,
    /// A session ends when it was not used for this long; a guest's likewise.
    pub session_days: u32,
    pub guest_session_days: u32,
    /// A signing key is replaced after this long, and published this long before it signs, so that those who cache the key set know it.
    pub signing_key_days: u32,
    pub signing_key_ahead_minutes: u32,
    /// argon2id: memory, passes, lanes (RFC 9106; the defaults are OWASP's first choice).
    pub hash_memory_kib: u32,
    pub hash_passes: u32,
    pub hash_lanes: u32,
    /// Passwords hashed at the same time, and callers that may wait for it.
    pub hashes_at_once: u32,
    pub hashes_waiting: u32,
    /// Wrong passwords before sign-in to an account, or from a network address, pauses.
    pub free_failures_per_account: u32,
    pub free_failures_per_address: u32,
    /// The first pause; each further failure doubles it up to the longest, after which quiet time the count starts again.
    pub first_pause_seconds: u32,
    pub longest_pause_seconds: u32,
    /// The longest pause of sign-ins from a network address: many people may share one.
    pub longest_address_pause_seconds: u32,
    /// Accounts made from one network address within the longest pause.
    pub free_sign_ups_per_address: u32,
    /// Verification and reset mails to one account within the longest pause.
    pub free_mails_per_account: u32,
    pub verification_hours: u32,
    pub reset_minutes: u32,
    /// A request for a reset is answered after this long, whether or not the account exists.
    pub reset_answer_millis: u32,
    pub saved_addresses: u32,
    /// Sessions and people held in memory, and how long at most without asking the database.
    pub cached_sessions: u32,
    pub cache_seconds: u32,
    /// Ended sessions are forgotten after this long.
    pub ended_session_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            access_seconds: 900,
            session_days: 30,
            guest_session_days: 90,
            signing_key_days: 30,
            signing_key_ahead_minutes: 60,
            hash_memory_kib: 19_456,
            hash_passes: 2,
            hash_lanes: 1,
            hashes_at_once: 2,
            hashes_waiting: 64,
            free_failures_per_account: 5,
            free_failures_per_address: 50,
            first_pause_seconds: 15,
            longest_pause_seconds: 3_600,
            longest_address_pause_seconds: 300,
            free_sign_ups_per_address: 200,
            free_mails_per_account: 5,
            verification_hours: 48,
            reset_minutes: 60,
            reset_answer_millis: 60,
            saved_addresses: 50,
            cached_sessions: 200_000,
            cache_seconds: 60,
            ended_session_days: 30,
        }
    }
}
