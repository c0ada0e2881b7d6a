//! Who sees what: row-level security, cells, placement, roles.

use std::time::Duration;

use crate::support::{House, SOURCE, tenant};
use kit_core::UserId;
use kit_db::{DbError, Scope, Settings, Storage, Tx};
use sqlx::Connection;
use uuid::Uuid;

async fn add(tx: &mut Tx, owner: kit_core::TenantId, name: &str) -> Result<(), DbError> {
    sqlx::query("insert into thing (tenant_id, name, buyer_id) values ($1, $2, $3)")
        .bind(owner.uuid())
        .bind(name)
        .bind(Uuid::from_u128(1))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// All names, without any condition.
async fn names(tx: &mut Tx) -> Vec<String> {
    sqlx::query_scalar("select name from thing order by name").fetch_all(&mut **tx).await.unwrap()
}

#[tokio::test]
async fn a_transaction_sees_only_the_tenants_it_is_for_even_without_a_condition() {
    let house = House::start().await;
    for n in 1..=3 {
        let mut tx = house.source.begin_for(tenant(n)).await.unwrap();
        add(&mut tx, tenant(n), &format!("thing {n}")).await.unwrap();
        tx.commit().await.unwrap();
    }
    let sees = async |scope: Scope| names(&mut house.source.begin(&scope).await.unwrap()).await;
    assert_eq!(sees(Scope::Tenant(tenant(1))).await, ["thing 1"]);
    assert_eq!(sees(Scope::Tenants(vec![tenant(1), tenant(3)])).await, ["thing 1", "thing 3"]);
    assert_eq!(sees(Scope::Tenants(vec![])).await, [""; 0]);
    assert_eq!(sees(Scope::Tenant(tenant(9))).await, [""; 0]);
    assert_eq!(sees(Scope::Buyer(UserId::from(Uuid::from_u128(1)))).await.len(), 3);
    assert_eq!(sees(Scope::Buyer(UserId::from(Uuid::from_u128(2)))).await, [""; 0]);
    assert_eq!(sees(Scope::Platform).await.len(), 3);
    let unscoped: Vec<String> = sqlx::query_scalar("select name from thing").fetch_all(house.source.pool()).await.unwrap();
    assert_eq!(unscoped, [""; 0], "a connection that named nobody sees nothing");
}

#[tokio::test]
async fn a_transaction_writes_only_for_the_tenants_it_is_for() {
    let house = House::start().await;
    let mut tx = house.source.begin_for(tenant(1)).await.unwrap();
    let refused = add(&mut tx, tenant(2), "smuggled").await.unwrap_err();
    assert!(format!("{refused:?}").contains("row-level security"), "{refused:?}");
    tx.rollback().await.unwrap();
    // The scope ends with its transaction: the connection goes back to the pool for nobody.
    let mut tx = house.source.begin(&Scope::Tenants(vec![])).await.unwrap();
    assert_eq!(names(&mut tx).await, [""; 0]);
}

#[tokio::test]
async fn an_opening_that_is_given_up_leaves_nobody_in_its_scope() {
    let house = House::start().await;
    let mut tx = house.source.begin_for(tenant(1)).await.unwrap();
    add(&mut tx, tenant(1), "somebody's").await.unwrap();
    tx.commit().await.unwrap();
    for micros in 0..400 {
        // Dropped wherever it is: waiting for a connection, sending, waiting for the answer.
        let _given_up = tokio::time::timeout(Duration::from_micros(micros), house.source.begin(&Scope::Platform)).await;
        let seen: Vec<String> = sqlx::query_scalar("select name from thing").fetch_all(house.source.pool()).await.unwrap();
        assert_eq!(seen, [""; 0], "given up after {micros} microseconds");
    }
}

#[tokio::test]
async fn the_application_role_is_neither_owner_nor_above_the_policies() {
    let house = House::start().await;
    let (user, over, owns): (String, bool, bool) = sqlx::query_as(
        "select current_user::text, rolsuper or rolbypassrls, pg_has_role(current_user, 'mh_owner', 'member') from pg_roles where rolname = current_user",
    )
    .fetch_one(house.source.pool())
    .await
    .unwrap();
    assert_eq!((user.as_str(), over, owns), ("mh_app", false, false));
    for statement in
        ["set role mh_owner", "alter table thing disable row level security", "create table mine (x integer)", "drop policy tenant on thing"]
    {
        assert!(sqlx::raw_sql(statement).execute(house.source.pool()).await.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn a_placed_tenant_lives_in_its_own_cell_and_stays_there() {
    let house = House::start().await;
    house.source.place(tenant(1), "acme").await.unwrap();
    house.source.place(tenant(1), "acme").await.unwrap();
    assert!(matches!(house.source.place(tenant(1), "other").await, Err(DbError::PlacedElsewhere(cell)) if cell == "acme"));
    for wrong in ["", "Acme", "1st", "a-b", "x\"; drop schema kit; --"] {
        assert!(matches!(house.source.place(tenant(2), wrong).await, Err(DbError::InvalidCellName)), "{wrong}");
    }
    assert_eq!(house.source.cell_of(tenant(1)).await.unwrap().name(), "acme");
    assert_eq!(house.source.cell_of(tenant(2)).await.unwrap().name(), "home");
    let cells: Vec<String> = house.source.cells().await.unwrap().iter().map(|cell| cell.name().to_owned()).collect();
    assert_eq!(cells, ["home", "acme", "other"]);

    for n in 1..=2 {
        let mut tx = house.source.begin_for(tenant(n)).await.unwrap();
        add(&mut tx, tenant(n), &format!("thing {n}")).await.unwrap();
        tx.commit().await.unwrap();
    }
    let at_home = names(&mut house.source.begin(&Scope::Platform).await.unwrap()).await;
    assert_eq!(at_home, ["thing 2"]);
    let in_cell = names(&mut house.source.cell("acme").await.unwrap().begin(&Scope::Platform).await.unwrap()).await;
    assert_eq!(in_cell, ["thing 1"]);
    assert_eq!(house.mirror.cell_of(tenant(1)).await.unwrap().name(), "home", "a service that is not in cells keeps everybody at home");
}

#[tokio::test]
async fn another_process_learns_of_a_placement() {
    let house = House::start().await;
    let other = Storage::open(house.database.settings()).await.unwrap().db(SOURCE).await.unwrap();
    house.source.place(tenant(1), "acme").await.unwrap();
    for _ in 0..500 {
        if other.cell_of(tenant(1)).await.unwrap().name() == "acme" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the other process still looks at home");
}

#[tokio::test]
async fn a_cell_can_be_another_database() {
    let house = House::start().await;
    let elsewhere = kit_db::testing::TestDatabase::create(&[]).await.unwrap();
    let settings = Settings { cells: [("far".to_owned(), elsewhere.url())].into(), ..house.database.settings() };
    let storage = Storage::open(settings).await.unwrap();
    let source = storage.db(SOURCE).await.unwrap();
    source.place(tenant(1), "far").await.unwrap();
    let mut tx = source.begin_for(tenant(1)).await.unwrap();
    add(&mut tx, tenant(1), "far away").await.unwrap();
    let database: String = sqlx::query_scalar("select current_database()").fetch_one(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert!(elsewhere.url().contains(&database), "{database}");
    // A process that was not given the address refuses instead of looking in the wrong place.
    let unaware = Storage::open(house.database.settings()).await.unwrap().db(SOURCE).await.unwrap();
    let error = unaware.begin_for(tenant(1)).await.unwrap_err();
    assert!(error.to_string().contains("its address is missing"), "{error}");
    storage.close().await;
}

#[tokio::test]
async fn a_migration_that_was_changed_or_is_wrong_is_refused_by_name() {
    let house = House::start().await;
    let changed = kit_db::Schema { migrations: &[("0001.sql", "create table thing ()")], ..SOURCE };
    let error = house.storage.migrate(&[changed]).await.unwrap_err().to_string();
    assert!(error.contains("source/0001.sql was changed"), "{error}");
    let wrong = kit_db::Schema {
        service: "fresh",
        in_cells: false,
        migrations: &[("0001_good.sql", "create table good ()"), ("0002_bad.sql", "create table bad (x integr)")],
    };
    let error = house.storage.migrate(&[wrong]).await.unwrap_err().to_string();
    assert!(error.contains("fresh/0002_bad.sql failed") && error.contains("integr"), "{error}");
    let mended =
        kit_db::Schema { migrations: &[("0001_good.sql", "create table good ()"), ("0002_bad.sql", "create table bad (x integer)")], ..wrong };
    house.storage.migrate(&[mended]).await.unwrap();
}

#[tokio::test]
async fn many_processes_may_migrate_at_once() {
    let house = House::start().await;
    const FRESH: kit_db::Schema = kit_db::Schema { service: "fresh", in_cells: false, migrations: &[("0001.sql", "create table good ()")] };
    let migrating = (0..8).map(|_| async { Storage::open(house.database.settings()).await.unwrap().migrate(&[FRESH]).await });
    for migrated in futures::future::join_all(migrating).await {
        migrated.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_address_is_explained() {
    let told = async |url: &str| Storage::open(Settings::at(url)).await.err().unwrap().to_string();
    assert!(told("mysql://x").await.contains("DATABASE_URL"), "{}", told("mysql://x").await);
    let refused = told("postgres://nobody@127.0.0.1:1/none").await;
    assert!(refused.contains("cannot connect to the database at 127.0.0.1/none"), "{refused}");
}

#[tokio::test]
async fn an_owner_who_is_no_superuser_suffices() {
    let house = House::start().await;
    let address = url::Url::parse(&house.database.url()).unwrap();
    let mut owner = sqlx::PgConnection::connect(address.as_str()).await.unwrap();
    let name = format!("limited_{}", std::process::id());
    for statement in [
        format!("create role {name} login createrole password 'secret'"),
        format!("alter database {} owner to {name}", address.path().trim_start_matches('/')),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut owner).await.unwrap();
    }
    let mut limited = address.clone();
    limited.set_username(&name).unwrap();
    limited.set_password(Some("secret")).unwrap();
    const FRESH: kit_db::Schema =
        kit_db::Schema { service: "fresh", in_cells: false, migrations: &[("0001.sql", "create table good (name text primary key)")] };
    let storage = Storage::open(Settings::at(limited.as_str())).await.unwrap();
    storage.migrate(&[FRESH]).await.unwrap();
    let db = storage.db(FRESH).await.unwrap();
    sqlx::query("insert into good (name) values ('written')").execute(db.pool()).await.unwrap();
    storage.close().await;
    // The role goes as it came, so that the cluster of all tests stays as it was.
    let mut owner = sqlx::PgConnection::connect(address.as_str()).await.unwrap();
    for statement in [
        format!("alter database {} owner to postgres", address.path().trim_start_matches('/')),
        format!("drop owned by {name}"),
        format!("drop role {name}"),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut owner).await.unwrap();
    }
}
