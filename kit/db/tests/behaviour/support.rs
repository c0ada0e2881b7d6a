//! Two small services on one fresh database: `source` tells, `mirror` follows.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_core::{Clock, TenantId};
use kit_db::testing::TestDatabase;
use kit_db::{Db, Event, EventLogService, Handler, LoggedEvent, Schema, Scope, Storage, Tx, Upkeep, log};
use kit_rpc::proto::event_log_server::EventLogServer;
use kit_rpc::{Ctx, Link};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const SOURCE: Schema = Schema {
    service: "source",
    in_cells: true,
    migrations: &[(
        "0001.sql",
        "create table thing (
            tenant_id uuid not null,
            name text not null,
            buyer_id uuid,
            primary key (tenant_id, name)
        );
        alter table thing enable row level security;
        alter table thing force row level security;
        create policy tenant on thing using (kit_tenant_visible(tenant_id) or kit_buyer_visible(buyer_id));",
    )],
};

pub(crate) const MIRROR: Schema = Schema {
    service: "mirror",
    in_cells: false,
    migrations: &[("0001.sql", "create table seen (place bigint generated always as identity primary key, kind text not null, text text not null)")],
};

pub(crate) struct House {
    pub(crate) storage: Storage,
    pub(crate) source: Db,
    pub(crate) mirror: Db,
    pub(crate) stop: CancellationToken,
    pub(crate) link: Link,
    // Dropped last: the database goes when nobody uses it.
    pub(crate) database: TestDatabase,
}

impl House {
    pub(crate) async fn start() -> Self {
        let database = TestDatabase::create(&[SOURCE, MIRROR]).await.unwrap();
        let storage = Storage::open(database.settings()).await.unwrap();
        let (source, mirror) = (storage.db(SOURCE).await.unwrap(), storage.db(MIRROR).await.unwrap());
        let link = Link::local();
        link.serve(tonic::service::Routes::new(EventLogServer::new(EventLogService::new(
            [source.clone(), mirror.clone()],
            CancellationToken::new(),
        ))));
        Self { storage, source, mirror, stop: CancellationToken::new(), link, database }
    }

    pub(crate) async fn tell(&self, text: &'static str) {
        let mut tx = self.source.begin(&Scope::Platform).await.unwrap();
        append(&mut tx, text).await;
        tx.commit().await.unwrap();
    }

    /// An upkeep of `mirror` that follows `source`.
    pub(crate) fn follow(&self, handler: Handler) -> Upkeep {
        let upkeep = Upkeep::new(self.mirror.clone(), Clock::System, self.stop.clone());
        upkeep.follow("source", self.link.clone(), handler);
        upkeep.start();
        upkeep
    }

    pub(crate) async fn seen(&self) -> Vec<String> {
        sqlx::query_scalar("select text from seen order by place").fetch_all(self.mirror.pool()).await.unwrap()
    }

    /// Waits until the mirror shows this; says what it shows when it never does.
    pub(crate) async fn until_seen(&self, wanted: &[&str]) {
        let mut seen = Vec::new();
        for _ in 0..1000 {
            seen = self.seen().await;
            if seen == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(seen, wanted);
    }
}

pub(crate) async fn append(tx: &mut Tx, text: &'static str) {
    let event = Event { key: Uuid::from_u128(7), tenant: None, kind: "told", payload: text.as_bytes().to_vec(), change: None };
    log::append(tx, &Ctx::service("source", "req_test"), Clock::System.now(), event).await.unwrap();
}

pub(crate) fn text(event: &LoggedEvent) -> String {
    String::from_utf8(event.payload.to_vec()).unwrap()
}

pub(crate) async fn note(db: &mut PgConnection, event: &LoggedEvent) -> Result<(), kit_db::DbError> {
    sqlx::query("insert into seen (kind, text) values ($1, $2)").bind(&event.kind).bind(text(event)).execute(db).await?;
    Ok(())
}

/// A handler that notes what it hears.
pub(crate) fn noting() -> Handler {
    Handler::each(|db: &mut PgConnection, event: LoggedEvent| -> BoxFuture<'_, Result<(), kit_db::DbError>> {
        async move { note(db, &event).await }.boxed()
    })
}

pub(crate) fn tenant(n: u128) -> TenantId {
    TenantId::from(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n))
}
