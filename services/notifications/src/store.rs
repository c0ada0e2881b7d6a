//! One function per query: the inbox, and what is known of those who get messages.

use api_notifications::MessageId;
use kit_core::{Time, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;

#[derive(sqlx::FromRow)]
pub(crate) struct Listed {
    pub message_id: Uuid,
    pub template: String,
    pub topic: String,
    pub recipient: String,
    pub user_id: Option<Uuid>,
    pub tenant_id: Option<Uuid>,
    pub subject: String,
    pub body: String,
    /// Empty in lists.
    pub html: String,
    pub sent_at: Time,
}

pub(crate) struct NewMessage {
    pub id: MessageId,
    pub cause: String,
    pub template: &'static str,
    pub topic: &'static str,
    pub recipient: String,
    pub user: Option<Uuid>,
    pub tenant: Option<Uuid>,
    pub subject: String,
    pub body: String,
    pub html: String,
    pub sent_at: Time,
}

/// Puts messages into the inbox, each once per event, template and address.
pub(crate) async fn add_all(db: &mut PgConnection, messages: &[NewMessage]) -> Result<(), Error> {
    let texts = |of: fn(&NewMessage) -> &str| messages.iter().map(of).collect::<Vec<_>>();
    sqlx::query(
        "insert into message (message_id, cause, template, topic, recipient, user_id, tenant_id, subject, body, html, sent_at)
         select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::text[], $9::text[], $10::text[],
             $11::timestamptz[])
         on conflict on constraint message_once do nothing",
    )
    .bind(messages.iter().map(|message| message.id.uuid()).collect::<Vec<_>>())
    .bind(texts(|message| &message.cause))
    .bind(texts(|message| message.template))
    .bind(texts(|message| message.topic))
    .bind(texts(|message| &message.recipient))
    .bind(messages.iter().map(|message| message.user).collect::<Vec<_>>())
    .bind(messages.iter().map(|message| message.tenant).collect::<Vec<_>>())
    .bind(texts(|message| &message.subject))
    .bind(texts(|message| &message.body))
    .bind(texts(|message| &message.html))
    .bind(messages.iter().map(|message| message.sent_at).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// What a list of messages is narrowed by.
#[derive(Default)]
pub(crate) struct Filter<'a> {
    pub user: Option<UserId>,
    pub recipient: Option<&'a str>,
    pub template: Option<&'a str>,
    /// The time and id of the last one seen.
    pub after: Option<(Time, Uuid)>,
}

/// Messages, newest first, without their HTML.
pub(crate) async fn list(db: &mut PgConnection, filter: &Filter<'_>, limit: i64) -> Result<Vec<Listed>, Error> {
    let (after_time, after_id) = filter.after.unzip();
    let rows = sqlx::query_as(
        "select message_id, template, topic, recipient, user_id, tenant_id, subject, body, '' as html, sent_at from message
         where ($1::uuid is null or user_id = $1) and ($2::text is null or recipient = $2) and ($3::text is null or template = $3)
           and ($4::timestamptz is null or (sent_at, message_id) < ($4, $5))
         order by sent_at desc, message_id desc limit $6",
    );
    let rows = rows.bind(filter.user.map(UserId::uuid)).bind(filter.recipient).bind(filter.template).bind(after_time).bind(after_id).bind(limit);
    Ok(rows.fetch_all(db).await?)
}

pub(crate) async fn find(db: &mut PgConnection, id: MessageId) -> Result<Option<Listed>, Error> {
    let row = sqlx::query_as(
        "select message_id, template, topic, recipient, user_id, tenant_id, subject, body, html, sent_at from message where message_id = $1",
    );
    Ok(row.bind(id.uuid()).fetch_optional(db).await?)
}

/// A guest's messages are the account's from now on.
pub(crate) async fn hand_over(db: &mut PgConnection, guest: UserId, user: UserId) -> Result<(), Error> {
    sqlx::query("update message set user_id = $2 where user_id = $1").bind(guest.uuid()).bind(user.uuid()).execute(db).await?;
    Ok(())
}

/// Somebody who can be written to.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Correspondent {
    pub user_id: Uuid,
    pub email: String,
}

pub(crate) async fn put_correspondent(db: &mut PgConnection, user: UserId, email: &str, name: &str) -> Result<(), Error> {
    sqlx::query("insert into correspondent (user_id, email, name) values ($1, $2, $3) on conflict (user_id) do update set email = excluded.email, name = excluded.name")
        .bind(user.uuid())
        .bind(email)
        .bind(name)
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn correspondent(db: &mut PgConnection, user: UserId) -> Result<Option<Correspondent>, Error> {
    Ok(sqlx::query_as("select user_id, email from correspondent where user_id = $1").bind(user.uuid()).fetch_optional(db).await?)
}

/// Notes that somebody works for a tenant, or for the platform.
pub(crate) async fn put_role(db: &mut PgConnection, user: UserId, tenant: Option<Uuid>, role: &str) -> Result<(), Error> {
    let query = match tenant {
        Some(_) => sqlx::query(
            "insert into works_for (user_id, tenant_id, role) values ($1, $2, $3)
             on conflict (user_id, tenant_id) where tenant_id is not null do update set role = excluded.role",
        ),
        None => sqlx::query(
            "insert into works_for (user_id, tenant_id, role) values ($1, $2, $3) on conflict (user_id, role) where tenant_id is null do nothing",
        ),
    };
    query.bind(user.uuid()).bind(tenant).bind(role).execute(db).await?;
    Ok(())
}

pub(crate) async fn remove_role(db: &mut PgConnection, user: UserId, tenant: Option<Uuid>, role: &str) -> Result<(), Error> {
    sqlx::query("delete from works_for where user_id = $1 and tenant_id is not distinct from $2 and role = $3")
        .bind(user.uuid())
        .bind(tenant)
        .bind(role)
        .execute(db)
        .await?;
    Ok(())
}

/// Everybody with one of these roles in a tenant (or on the platform) who wants to be told of this topic.
pub(crate) async fn staff(db: &mut PgConnection, tenant: Option<Uuid>, roles: &[&str], topic: &str) -> Result<Vec<Correspondent>, Error> {
    let rows = sqlx::query_as(
        "select c.user_id, c.email from works_for w join correspondent c using (user_id) left join message_preference p using (user_id)
         where w.tenant_id is not distinct from $1 and w.role = any($2)
           and case $3 when 'sales' then coalesce(p.sales, true) when 'stock' then coalesce(p.stock, true) else true end
         order by c.email",
    );
    Ok(rows.bind(tenant).bind(roles).bind(topic).fetch_all(db).await?)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Preferences {
    pub sales: bool,
    pub stock: bool,
}

/// What a person wants to be told; everything, unless they said otherwise.
pub(crate) async fn preferences(db: &mut PgConnection, user: UserId) -> Result<Preferences, Error> {
    let row = sqlx::query_as("select sales, stock from message_preference where user_id = $1").bind(user.uuid()).fetch_optional(db).await?;
    Ok(row.unwrap_or(Preferences { sales: true, stock: true }))
}

/// Changes what is given and answers everything.
pub(crate) async fn put_preferences(db: &mut PgConnection, user: UserId, sales: Option<bool>, stock: Option<bool>) -> Result<Preferences, Error> {
    Ok(sqlx::query_as(
        "insert into message_preference (user_id, sales, stock) values ($1, coalesce($2, true), coalesce($3, true))
         on conflict (user_id) do update set sales = coalesce($2, message_preference.sales), stock = coalesce($3, message_preference.stock)
         returning sales, stock",
    )
    .bind(user.uuid())
    .bind(sales)
    .bind(stock)
    .fetch_one(db)
    .await?)
}
