//! The one migration runner: forward only, each file once, in a transaction, under a lock, and never changed afterwards.

use std::collections::HashMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};

use crate::OpenError;
use crate::storage::Schema;

const KIT: &str = "kit";
const KIT_MIGRATIONS: &[(&str, &str)] = &[("kit_0001.sql", include_str!("../migrations/kit_0001.sql"))];
const SERVICE_MIGRATIONS: &[(&str, &str)] =
    &[("service_0001.sql", include_str!("../migrations/service_0001.sql")), ("service_0002.sql", include_str!("../migrations/service_0002.sql"))];
/// The oldest PostgreSQL we run on, as `server_version_num` has it.
const OLDEST: i32 = 150_000;
/// The advisory lock of the runner; any number, as long as it is always this one.
const LOCK: i64 = 0x6d68_6d69_6772;

/// The migrations that every database gets from us.
pub(crate) fn common_texts() -> impl Iterator<Item = &'static str> {
    KIT_MIGRATIONS.iter().chain(SERVICE_MIGRATIONS).map(|(_, text)| *text)
}

/// A schema to bring up to date.
pub(crate) struct Target {
    pub(crate) schema: String,
    migrations: &'static [(&'static str, &'static str)],
}

impl Target {
    pub(crate) fn home(schema: Schema) -> Self {
        Self { schema: schema.service.to_owned(), migrations: schema.migrations }
    }

    pub(crate) fn in_cell(schema: Schema, cell: &str) -> Self {
        Self { schema: format!("{}_at_{cell}", schema.service), migrations: schema.migrations }
    }

    fn files(&self) -> impl Iterator<Item = &(&'static str, &'static str)> {
        let common = if self.schema == KIT { KIT_MIGRATIONS } else { SERVICE_MIGRATIONS };
        common.iter().chain(self.migrations)
    }
}

/// Prepares roles and rights in a database and answers how the application connects to it.
pub(crate) async fn prepare(owner: &mut PgConnection, options: &PgConnectOptions) -> Result<PgConnectOptions, OpenError> {
    let (version, found): (i32, String) =
        sqlx::query_as("select current_setting('server_version_num')::integer, current_setting('server_version')").fetch_one(&mut *owner).await?;
    if version < OLDEST {
        return Err(OpenError::TooOld { found });
    }
    let password = app_password(options);
    let app = options.clone().username("mh_app");
    let app = password.as_ref().map_or(app.clone(), |password| app.password(password));
    let ready: bool = sqlx::query_scalar(
        "select to_regnamespace('kit') is not null
            and (select count(*) from pg_roles where rolname in ('mh_owner', 'mh_app')) = 2
            and coalesce(pg_has_role(current_user, to_regrole('mh_owner'), 'member'), false)
            and coalesce(has_database_privilege(to_regrole('mh_owner'), current_database(), 'create'), false)",
    )
    .fetch_one(&mut *owner)
    .await?;
    if ready && password.is_none() {
        return Ok(app);
    }
    let user = options.get_username().to_owned();
    let prepare = |action: &'static str| {
        let user = user.clone();
        move |source| OpenError::Prepare { user, action, source }
    };
    locked(owner, async |owner| {
        // Roles belong to the whole server: another database's MarketHub may be making them at this moment.
        sqlx::raw_sql(
            "do $$ begin
                begin create role mh_owner nologin; exception when duplicate_object or unique_violation then null; end;
                begin create role mh_app login; exception when duplicate_object or unique_violation then null; end;
                if not pg_has_role(current_user, 'mh_owner', 'member') then grant mh_owner to current_user; end if;
                execute format('grant create on database %I to mh_owner', current_database());
                execute format('grant connect on database %I to mh_app', current_database());
                if to_regnamespace('kit') is null then create schema kit authorization mh_owner; end if;
                grant usage on schema kit to mh_app;
            end $$",
        )
        .execute(&mut *owner)
        .await
        .map_err(prepare("create the roles mh_owner and mh_app and the schema kit"))?;
        if let Some(password) = &password {
            // Hexadecimal digits only, so quoting is safe.
            sqlx::raw_sql(AssertSqlSafe(format!("alter role mh_app password '{password}'")))
                .execute(&mut *owner)
                .await
                .map_err(prepare("set the password of mh_app"))?;
        }
        Ok(())
    })
    .await?;
    Ok(app)
}

/// The application's password follows from the owner's, so that every process of a cluster knows it and nobody stores it.
/// An owner without a password comes in by a way (socket, certificate) the application is expected to share.
fn app_password(options: &PgConnectOptions) -> Option<String> {
    let url = sqlx::ConnectOptions::to_url_lossy(options);
    let owners = url.password().filter(|password| !password.is_empty())?;
    let digest = Sha256::digest(format!("markethub application role\n{}\n{owners}", options.get_username()));
    Some(hex(&digest))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

/// Brings schemas up to date. When they are, this is one round trip and takes no lock.
pub(crate) async fn run(owner: &mut PgConnection, targets: &[Target]) -> Result<(), OpenError> {
    let kit = Target { schema: KIT.to_owned(), migrations: &[] };
    let all: Vec<&Target> = std::iter::once(&kit).chain(targets).collect();
    let applied = applied(owner).await?;
    let missing = all.iter().try_fold(false, |missing, target| Ok::<_, OpenError>(missing | is_behind(target, &applied)?))?;
    if !missing {
        return Ok(());
    }
    locked(owner, async |owner| {
        sqlx::raw_sql(
            "set role mh_owner;
             create table if not exists kit.kit_migration (
                schema text not null, file text not null, checksum text not null, applied_at timestamptz not null default now(), primary key (schema, file)
             )",
        )
        .execute(&mut *owner)
        .await?;
        let applied = self::applied(owner).await?;
        for target in all {
            bring_up(owner, target, &applied).await?;
        }
        Ok(())
    })
    .await
}

type Applied = HashMap<(String, String), String>;

async fn applied(owner: &mut PgConnection) -> Result<Applied, OpenError> {
    let there: bool = sqlx::query_scalar("select to_regclass('kit.kit_migration') is not null").fetch_one(&mut *owner).await?;
    if !there {
        return Ok(Applied::new());
    }
    let rows: Vec<(String, String, String)> = sqlx::query_as("select schema, file, checksum from kit.kit_migration").fetch_all(owner).await?;
    Ok(rows.into_iter().map(|(schema, file, checksum)| ((schema, file), checksum)).collect())
}

/// Whether some file was not applied yet; an error when one was changed since. Files we do not know are a newer version's.
fn is_behind(target: &Target, applied: &Applied) -> Result<bool, OpenError> {
    let mut behind = false;
    for (file, text) in target.files() {
        match applied.get(&(target.schema.clone(), (*file).to_owned())) {
            None => behind = true,
            Some(checksum) if *checksum != self::checksum(text) => {
                return Err(OpenError::Changed { schema: target.schema.clone(), file: (*file).to_owned() });
            }
            Some(_) => {}
        }
    }
    Ok(behind)
}

fn checksum(text: &str) -> String {
    hex(&Sha256::digest(text))
}

async fn bring_up(owner: &mut PgConnection, target: &Target, applied: &Applied) -> Result<(), OpenError> {
    if !is_behind(target, applied)? {
        return Ok(());
    }
    let schema = &target.schema;
    // Schema names are services' and cells' names, lower-case words.
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create schema if not exists \"{schema}\";
         grant usage on schema \"{schema}\" to mh_app;
         alter default privileges in schema \"{schema}\" grant select, insert, update, delete on tables to mh_app;
         alter default privileges in schema \"{schema}\" grant usage, select on sequences to mh_app;
         set search_path = \"{schema}\", kit;"
    )))
    .execute(&mut *owner)
    .await?;
    for (file, text) in target.files() {
        if applied.contains_key(&(schema.clone(), (*file).to_owned())) {
            continue;
        }
        let mut tx = owner.begin().await?;
        let failed = |source| OpenError::Migration { schema: schema.clone(), file: (*file).to_owned(), source };
        sqlx::raw_sql(*text).execute(&mut *tx).await.map_err(failed)?;
        sqlx::query("insert into kit.kit_migration (schema, file, checksum) values ($1, $2, $3)")
            .bind(schema)
            .bind(*file)
            .bind(checksum(text))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        tracing::info!(schema, file, "migrated");
    }
    Ok(())
}

/// Runs with the runner's lock held; other processes that start at the same time wait here.
async fn locked<F>(owner: &mut PgConnection, work: F) -> Result<(), OpenError>
where
    F: AsyncFnOnce(&mut PgConnection) -> Result<(), OpenError>,
{
    sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(&mut *owner).await?;
    let done = work(owner).await;
    // After a failed statement the connection still answers; should it not, closing it frees the lock.
    let unlocked = sqlx::query("select pg_advisory_unlock($1)").bind(LOCK).execute(&mut *owner).await;
    done?;
    unlocked?;
    Ok(())
}
