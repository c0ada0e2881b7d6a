//! What every request asks for, held in memory: who a session belongs to, and what a person may do.
//!
//! A change is forgotten at once in this process and, through a notification sent with the commit, in all others. A value
//! read before a change and stored after it would be stale for long, so a value is kept only when nothing was forgotten
//! meanwhile. The time to live is a backstop for notifications lost with a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api_identity::SessionId;
use kit_core::UserId;
use kit_db::Db;
use moka::sync::Cache as Moka;
use sqlx::postgres::PgListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::Config;
use crate::keys::Claims;
use crate::model::Known;
use crate::store::CHANGED;
use crate::store::session::Live;

#[derive(Clone)]
pub(crate) struct Cache {
    /// `None`: known not to be open.
    sessions: Moka<SessionId, Option<Arc<Live>>>,
    people: Moka<UserId, Arc<Known>>,
    /// Access tokens whose signature was checked, by their SHA-256.
    tokens: Moka<Vec<u8>, Arc<Claims>>,
    forgotten: Arc<AtomicU64>,
}

/// Whose cached state is out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    Person(UserId),
    Session(SessionId),
}

impl Changed {
    pub(crate) fn text(self) -> String {
        match self {
            Self::Person(user) => format!("p{}", user.uuid().simple()),
            Self::Session(session) => format!("s{}", session.uuid().simple()),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let id = Uuid::try_parse(text.get(1..)?).ok()?;
        match text.chars().next()? {
            'p' => Some(Self::Person(id.into())),
            's' => Some(Self::Session(id.into())),
            _ => None,
        }
    }
}

impl Cache {
    pub(crate) fn new(config: &Config) -> Self {
        let (most, live) = (u64::from(config.cached_sessions), Duration::from_secs(u64::from(config.cache_seconds)));
        Self {
            sessions: Moka::builder().max_capacity(most).time_to_live(live).build(),
            people: Moka::builder().max_capacity(most).time_to_live(live).build(),
            tokens: Moka::builder().max_capacity(most).time_to_live(Duration::from_secs(u64::from(config.access_seconds))).build(),
            forgotten: Arc::default(),
        }
    }

    /// Taken before reading from the database what is to be kept.
    pub(crate) fn before_read(&self) -> u64 {
        self.forgotten.load(Ordering::SeqCst)
    }

    pub(crate) fn session(&self, id: SessionId) -> Option<Option<Arc<Live>>> {
        self.sessions.get(&id)
    }

    pub(crate) fn keep_session(&self, id: SessionId, session: Option<Arc<Live>>, read_at: u64) {
        self.sessions.insert(id, session);
        if self.before_read() != read_at {
            self.sessions.invalidate(&id);
        }
    }

    pub(crate) fn person(&self, id: UserId) -> Option<Arc<Known>> {
        self.people.get(&id)
    }

    pub(crate) fn keep_person(&self, id: UserId, known: Arc<Known>, read_at: u64) {
        self.people.insert(id, known);
        if self.before_read() != read_at {
            self.people.invalidate(&id);
        }
    }

    pub(crate) fn token(&self, hash: &[u8]) -> Option<Arc<Claims>> {
        self.tokens.get(hash)
    }

    pub(crate) fn keep_token(&self, hash: Vec<u8>, claims: Arc<Claims>) {
        self.tokens.insert(hash, claims);
    }

    pub(crate) fn forget(&self, changed: &[Changed]) {
        if changed.is_empty() {
            // Counting it would make readers under way throw away what they read.
            return;
        }
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        for changed in changed {
            match changed {
                Changed::Person(user) => self.people.invalidate(user),
                Changed::Session(session) => self.sessions.invalidate(session),
            }
        }
    }

    fn forget_all(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.sessions.invalidate_all();
        self.people.invalidate_all();
    }

    /// Forgets what other processes change, until the process drains.
    pub(crate) async fn follow(self, db: Db, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Some(Err(error)) = stop.run_until_cancelled(self.listen(&db)).await {
                tracing::warn!(%error, "the connection that tells of changed sessions was lost; it is opened again");
                // Whatever changes until we listen again must not be missed.
                self.forget_all();
                let _drained = stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await;
            }
        }
    }

    async fn listen(&self, db: &Db) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(db.pool()).await?;
        listener.listen(CHANGED).await?;
        self.forget_all();
        loop {
            match listener.try_recv().await? {
                Some(told) => self.forget(Changed::read(told.payload()).as_slice()),
                None => self.forget_all(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> (SessionId, Option<Arc<Live>>) {
        let live = Live { user_id: Uuid::from_u128(1), token_hash: vec![], expires_at: Default::default(), last_used_at: Default::default() };
        (SessionId::from(Uuid::from_u128(2)), Some(Arc::new(live)))
    }

    #[test]
    fn a_value_read_before_a_change_is_not_kept_after_it() {
        let cache = Cache::new(&Config::default());
        let (id, live) = session();
        let read_at = cache.before_read();
        cache.forget(&[Changed::Session(id)]);
        cache.keep_session(id, live.clone(), read_at);
        assert!(cache.session(id).is_none());
        let read_at = cache.before_read();
        cache.forget(&[]);
        cache.keep_session(id, live, read_at);
        assert!(cache.session(id).is_some(), "nothing changed meanwhile");
        cache.forget(&[Changed::Session(id)]);
        assert!(cache.session(id).is_none());
    }

    #[test]
    fn what_is_told_between_processes_reads_back() {
        for changed in [Changed::Person(UserId::from(Uuid::from_u128(9))), Changed::Session(SessionId::from(Uuid::from_u128(9)))] {
            assert_eq!(Changed::read(&changed.text()), Some(changed));
        }
        assert_eq!(Changed::read("x"), None);
        assert_eq!(Changed::read("ü"), None);
    }
}
