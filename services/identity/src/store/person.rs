//! People: accounts and guests, and the tokens mailed to them.

use kit_core::{Email, Time, UserId};
use kit_db::DbError;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model::Person;

#[derive(sqlx::FromRow)]
struct Row {
    user_id: Uuid,
    email: Option<String>,
    email_verified_at: Option<Time>,
    name: String,
    language: String,
    currency: String,
    guest: bool,
    disabled_at: Option<Time>,
    version: i64,
    created_at: Time,
}

impl TryFrom<Row> for Person {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        let email: Option<Email> = row.email.map(|text| text.parse()).transpose().map_err(|_| Error::Corrupt("person.email"))?;
        Ok(Self {
            id: row.user_id.into(),
            email,
            email_verified: row.email_verified_at.is_some(),
            name: row.name,
            language: row.language,
            currency: row.currency,
            guest: row.guest,
            disabled: row.disabled_at.is_some(),
            version: row.version,
            created_at: row.created_at,
        })
    }
}

pub(crate) async fn find(db: &mut PgConnection, id: UserId) -> Result<Option<Person>, Error> {
    let row: Option<Row> = sqlx::query_as(
        "select user_id, email, email_verified_at, name, language, currency, guest, disabled_at, version, created_at
         from person where user_id = $1",
    )
    .bind(id.uuid())
    .fetch_optional(db)
    .await?;
    row.map(Person::try_from).transpose()
}

/// Locks the person for the rest of the transaction.
pub(crate) async fn lock(db: &mut PgConnection, id: UserId) -> Result<Person, Error> {
    let row: Option<Row> = sqlx::query_as(
        "select user_id, email, email_verified_at, name, language, currency, guest, disabled_at, version, created_at
         from person where user_id = $1 for update",
    )
    .bind(id.uuid())
    .fetch_optional(db)
    .await?;
    row.ok_or(Error::UserNotFound)?.try_into()
}

/// Accounts (no guests) by id or address.
pub(crate) async fn find_many(db: &mut PgConnection, ids: &[Uuid], emails: &[String]) -> Result<Vec<Person>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select user_id, email, email_verified_at, name, language, currency, guest, disabled_at, version, created_at
         from person where user_id = any($1) or email = any($2)",
    )
    .bind(ids)
    .bind(emails)
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Person::try_from).collect()
}

/// What a list of accounts is narrowed by.
pub(crate) struct Filter<'a> {
    /// Lower-case part of the address or name; empty: all.
    pub query: &'a str,
    pub role: Option<&'static str>,
    /// The creation time and id of the last one seen.
    pub after: Option<(Time, Uuid)>,
    pub limit: i64,
}

/// Accounts, newest first.
pub(crate) async fn list(db: &mut PgConnection, filter: Filter<'_>) -> Result<Vec<Person>, Error> {
    let (after_time, after_id) = filter.after.unzip();
    let rows: Vec<Row> = sqlx::query_as(
        "select user_id, email, email_verified_at, name, language, currency, guest, disabled_at, version, created_at
         from person
         where not guest
           and ($1 = '' or strpos(email, $1) > 0 or strpos(lower(name), $1) > 0)
           and ($2::text is null or exists (select 1 from membership m where m.user_id = person.user_id and m.role = $2))
           and ($3::timestamptz is null or (created_at, user_id) < ($3, $4))
         order by created_at desc, user_id desc
         limit $5",
    )
    .bind(filter.query)
    .bind(filter.role)
    .bind(after_time)
    .bind(after_id)
    .bind(filter.limit)
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Person::try_from).collect()
}

/// What sign-in needs: who it would be, and against which hash the password is checked.
pub(crate) async fn credentials(db: &mut PgConnection, email: &Email) -> Result<Option<(UserId, String)>, Error> {
    let row: Option<(Uuid, String)> = sqlx::query_as("select user_id, password_hash from person where email = $1 and password_hash is not null")
        .bind(email.as_str())
        .fetch_optional(db)
        .await?;
    Ok(row.map(|(id, hash)| (id.into(), hash)))
}

pub(crate) async fn password_hash(db: &mut PgConnection, id: UserId) -> Result<Option<String>, Error> {
    let hash: Option<Option<String>> =
        sqlx::query_scalar("select password_hash from person where user_id = $1").bind(id.uuid()).fetch_optional(db).await?;
    Ok(hash.flatten())
}

pub(crate) struct NewAccount<'a> {
    pub id: UserId,
    pub email: &'a Email,
    pub password_hash: &'a str,
    pub name: &'a str,
    pub language: &'a str,
    pub verified: bool,
    pub now: Time,
}

fn email_taken(error: sqlx::Error) -> Error {
    let error = DbError::from(error);
    if error.constraint_name() == Some("person_email_taken") { Error::EmailTaken } else { Error::Db(error) }
}

pub(crate) async fn add_account(db: &mut PgConnection, account: &NewAccount<'_>) -> Result<(), Error> {
    sqlx::query(
        "insert into person (user_id, email, email_verified_at, password_hash, name, language, guest, created_at)
         values ($1, $2, case when $3 then $7::timestamptz end, $4, $5, $6, false, $7)",
    )
    .bind(account.id.uuid())
    .bind(account.email.as_str())
    .bind(account.verified)
    .bind(account.password_hash)
    .bind(account.name)
    .bind(account.language)
    .bind(account.now)
    .execute(db)
    .await
    .map_err(email_taken)?;
    Ok(())
}

/// Turns a guest into an account. False: it is no guest any more.
pub(crate) async fn upgrade_guest(db: &mut PgConnection, account: &NewAccount<'_>) -> Result<bool, Error> {
    let done = sqlx::query(
        "update person set email = $2, password_hash = $3, name = $4, language = $5, guest = false, version = version + 1, created_at = $6
         where user_id = $1 and guest and merged_into is null",
    )
    .bind(account.id.uuid())
    .bind(account.email.as_str())
    .bind(account.password_hash)
    .bind(account.name)
    .bind(account.language)
    .bind(account.now)
    .execute(db)
    .await
    .map_err(email_taken)?;
    Ok(done.rows_affected() == 1)
}

/// New guests: their id, language and beginning.
pub(crate) async fn add_guests(db: &mut PgConnection, guests: &[(UserId, String, Time)]) -> Result<(), DbError> {
    sqlx::query(
        "insert into person (user_id, guest, language, created_at)
         select user_id, true, language, at from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as row (user_id, language, at)",
    )
    .bind(guests.iter().map(|(id, _, _)| id.uuid()).collect::<Vec<_>>())
    .bind(guests.iter().map(|(_, language, _)| language.as_str()).collect::<Vec<_>>())
    .bind(guests.iter().map(|(_, _, at)| *at).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that a guest's things belong to an account now. False: it is no guest, or was merged before.
pub(crate) async fn merge_guest(db: &mut PgConnection, guest: UserId, into: UserId) -> Result<bool, Error> {
    let done = sqlx::query("update person set merged_into = $2, version = version + 1 where user_id = $1 and guest and merged_into is null")
        .bind(guest.uuid())
        .bind(into.uuid())
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn save_profile(db: &mut PgConnection, person: &Person) -> Result<(), Error> {
    sqlx::query("update person set name = $2, language = $3, currency = $4, version = $5 where user_id = $1")
        .bind(person.id.uuid())
        .bind(&person.name)
        .bind(&person.language)
        .bind(&person.currency)
        .bind(person.version)
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn save_password(db: &mut PgConnection, id: UserId, hash: &str) -> Result<(), Error> {
    sqlx::query("update person set password_hash = $2 where user_id = $1").bind(id.uuid()).bind(hash).execute(db).await?;
    Ok(())
}

/// False: it was verified before.
pub(crate) async fn mark_verified(db: &mut PgConnection, id: UserId, now: Time) -> Result<bool, Error> {
    let done = sqlx::query("update person set email_verified_at = $2, version = version + 1 where user_id = $1 and email_verified_at is null")
        .bind(id.uuid())
        .bind(now)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Disables with a reason, or enables without one.
pub(crate) async fn save_disabled(db: &mut PgConnection, id: UserId, reason: Option<&str>, now: Time) -> Result<(), Error> {
    sqlx::query("update person set disabled_reason = $2, disabled_at = case when $2::text is null then null else $3::timestamptz end, version = version + 1 where user_id = $1")
        .bind(id.uuid())
        .bind(reason)
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) struct MailedToken<'a> {
    pub hash: &'a [u8],
    pub user: UserId,
    pub purpose: &'static str,
    pub now: Time,
    pub expires_at: Time,
}

/// Keeps a mailed token; older ones of the same purpose stop working.
pub(crate) async fn add_mailed_token(db: &mut PgConnection, token: &MailedToken<'_>) -> Result<(), Error> {
    sqlx::query(
        "with older as (delete from mailed_token where user_id = $2 and purpose = $3)
         insert into mailed_token (token_hash, user_id, purpose, issued_at, expires_at) values ($1, $2, $3, $4, $5)",
    )
    .bind(token.hash)
    .bind(token.user.uuid())
    .bind(token.purpose)
    .bind(token.now)
    .bind(token.expires_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Uses a mailed token up and answers whose it was; `None`: unknown, used or too old.
pub(crate) async fn use_mailed_token(db: &mut PgConnection, hash: &[u8], purpose: &str, now: Time) -> Result<Option<UserId>, Error> {
    let user: Option<Uuid> = sqlx::query_scalar(
        "update mailed_token set used_at = $3 where token_hash = $1 and purpose = $2 and used_at is null and expires_at > $3 returning user_id",
    )
    .bind(hash)
    .bind(purpose)
    .bind(now)
    .fetch_optional(db)
    .await?;
    Ok(user.map(UserId::from))
}

/// Forgets tokens that expired before this moment.
pub(crate) async fn forget_mailed_tokens(db: &mut PgConnection, before: Time) -> Result<u64, Error> {
    Ok(sqlx::query("delete from mailed_token where expires_at < $1").bind(before).execute(db).await?.rows_affected())
}
