//! Tenants and the steps of their lives.

use kit_core::{TenantId, Time, UserId};
use kit_db::DbError;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model::{Business, Plan, State, Store, Tenant};

#[derive(sqlx::FromRow)]
struct Row {
    tenant_id: Uuid,
    owner_id: Uuid,
    state: String,
    state_reason: String,
    state_since: Time,
    applied_at: Time,
    name: String,
    slug: String,
    description: String,
    logo_hash: String,
    accent_colour: String,
    returns_policy: String,
    shipping_policy: String,
    country: String,
    currency: String,
    holiday: bool,
    holiday_message: String,
    legal_name: String,
    registration_number: String,
    tax_id: String,
    contact_email: String,
    phone: String,
    business_address: String,
    about: String,
    plan: String,
    commission_bps: Option<i32>,
    cell: String,
    version: i64,
}

impl TryFrom<Row> for Tenant {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        let store = Store {
            name: row.name,
            slug: row.slug.parse().map_err(|_| Error::Corrupt("tenant.slug"))?,
            description: row.description,
            logo_hash: row.logo_hash,
            accent_colour: row.accent_colour,
            returns_policy: row.returns_policy,
            shipping_policy: row.shipping_policy,
            country: row.country,
            currency: row.currency.parse().map_err(|_| Error::Corrupt("tenant.currency"))?,
            holiday: row.holiday,
            holiday_message: row.holiday_message,
        };
        let business = Business {
            legal_name: row.legal_name,
            registration_number: row.registration_number,
            tax_id: row.tax_id,
            contact_email: row.contact_email.parse().map_err(|_| Error::Corrupt("tenant.contact_email"))?,
            phone: row.phone,
            address: row.business_address,
            about: row.about,
        };
        Ok(Self {
            id: row.tenant_id.into(),
            owner: row.owner_id.into(),
            state: State::from_text(&row.state).ok_or(Error::Corrupt("tenant.state"))?,
            state_reason: row.state_reason,
            state_since: row.state_since,
            applied_at: row.applied_at,
            store,
            business,
            plan: Plan::from_text(&row.plan).ok_or(Error::Corrupt("tenant.plan"))?,
            commission_bps: row.commission_bps.map(u32::try_from).transpose().map_err(|_| Error::Corrupt("tenant.commission_bps"))?,
            cell: row.cell,
            version: row.version,
        })
    }
}

fn all(rows: Vec<Row>) -> Result<Vec<Tenant>, Error> {
    rows.into_iter().map(Tenant::try_from).collect()
}

fn slug_taken(error: sqlx::Error, tenant: &Tenant) -> Error {
    let error = DbError::from(error);
    if error.constraint_name() == Some("tenant_slug_taken") { Error::SlugTaken(tenant.store.slug.to_string()) } else { Error::Db(error) }
}

pub(crate) async fn find_many(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Tenant>, Error> {
    all(sqlx::query_as("select * from tenant where tenant_id = any($1)").bind(ids).fetch_all(db).await?)
}

/// Locks the tenant for the rest of the transaction.
pub(crate) async fn lock(db: &mut PgConnection, id: TenantId) -> Result<Tenant, Error> {
    let row: Option<Row> = sqlx::query_as("select * from tenant where tenant_id = $1 for update").bind(id.uuid()).fetch_optional(db).await?;
    row.ok_or(Error::TenantNotFound)?.try_into()
}

/// An active store by its word.
pub(crate) async fn by_slug(db: &mut PgConnection, slug: &str) -> Result<Option<Tenant>, Error> {
    let row: Option<Row> = sqlx::query_as("select * from tenant where slug = $1 and state = 'active'").bind(slug).fetch_optional(db).await?;
    row.map(Tenant::try_from).transpose()
}

/// Words in use that begin like the wished one.
pub(crate) async fn slugs_like(db: &mut PgConnection, root: &str) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar("select slug from tenant where starts_with(slug, left($1, 55))").bind(root).fetch_all(db).await?)
}

/// Active stores by name, after the one named last.
pub(crate) async fn list_stores(db: &mut PgConnection, after: Option<(&str, Uuid)>, limit: i64) -> Result<Vec<Tenant>, Error> {
    let (after_name, after_id) = after.unzip();
    let rows = sqlx::query_as(
        "select * from tenant where state = 'active' and ($1::text is null or (lower(name), tenant_id) > ($1, $2))
         order by lower(name), tenant_id limit $3",
    );
    all(rows.bind(after_name).bind(after_id).bind(limit).fetch_all(db).await?)
}

/// What operators narrow the list by.
pub(crate) struct Filter<'a> {
    pub state: Option<&'static str>,
    /// Lower-case part of the name, slug or legal name; empty: all.
    pub query: &'a str,
    pub after: Option<(Time, Uuid)>,
    pub limit: i64,
}

/// Tenants, the newest application first.
pub(crate) async fn list(db: &mut PgConnection, filter: Filter<'_>) -> Result<Vec<Tenant>, Error> {
    let (after_time, after_id) = filter.after.unzip();
    let rows = sqlx::query_as(
        "select * from tenant
         where ($1::text is null or state = $1)
           and ($2 = '' or strpos(lower(name), $2) > 0 or strpos(slug, $2) > 0 or strpos(lower(legal_name), $2) > 0)
           and ($3::timestamptz is null or (applied_at, tenant_id) < ($3, $4))
         order by applied_at desc, tenant_id desc limit $5",
    );
    all(rows.bind(filter.state).bind(filter.query).bind(after_time).bind(after_id).bind(filter.limit).fetch_all(db).await?)
}

/// Those a person applied for or works for, the oldest first, with the role held.
pub(crate) async fn of_person(db: &mut PgConnection, user: UserId) -> Result<Vec<Tenant>, Error> {
    let rows = sqlx::query_as(
        "select * from tenant
         where owner_id = $1 and state in ('applied', 'verifying', 'rejected')
            or tenant_id in (select tenant_id from staff where user_id = $1 and role is not null)
         order by applied_at, tenant_id limit 200",
    );
    all(rows.bind(user.uuid()).fetch_all(db).await?)
}

pub(crate) async fn count_open_applications(db: &mut PgConnection, owner: UserId) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("select count(*) from tenant where owner_id = $1 and state in ('applied', 'verifying')")
        .bind(owner.uuid())
        .fetch_one(db)
        .await?)
}

pub(crate) async fn add(db: &mut PgConnection, tenant: &Tenant) -> Result<(), Error> {
    sqlx::query(
        "insert into tenant (tenant_id, owner_id, state, state_since, applied_at, name, slug, description, country, currency,
                             legal_name, registration_number, tax_id, contact_email, phone, business_address, about, plan)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(tenant.id.uuid())
    .bind(tenant.owner.uuid())
    .bind(tenant.state.text())
    .bind(tenant.state_since)
    .bind(tenant.applied_at)
    .bind(&tenant.store.name)
    .bind(tenant.store.slug.as_str())
    .bind(&tenant.store.description)
    .bind(&tenant.store.country)
    .bind(tenant.store.currency.as_str())
    .bind(&tenant.business.legal_name)
    .bind(&tenant.business.registration_number)
    .bind(&tenant.business.tax_id)
    .bind(tenant.business.contact_email.as_str())
    .bind(&tenant.business.phone)
    .bind(&tenant.business.address)
    .bind(&tenant.business.about)
    .bind(tenant.plan.text())
    .execute(db)
    .await
    .map_err(|error| slug_taken(error, tenant))?;
    Ok(())
}

/// Writes everything that can change of a locked tenant.
pub(crate) async fn save(db: &mut PgConnection, tenant: &Tenant) -> Result<(), Error> {
    let (store, business) = (&tenant.store, &tenant.business);
    let saved = sqlx::query(
        "update tenant set state = $2, state_reason = $3, state_since = $4, name = $5, slug = $6, description = $7, logo_hash = $8,
                accent_colour = $9, returns_policy = $10, shipping_policy = $11, country = $12, holiday = $13, holiday_message = $14,
                legal_name = $15, registration_number = $16, tax_id = $17, contact_email = $18, phone = $19, business_address = $20,
                about = $21, plan = $22, commission_bps = $23, cell = $24, version = $25
         where tenant_id = $1",
    )
    .bind(tenant.id.uuid())
    .bind(tenant.state.text())
    .bind(&tenant.state_reason)
    .bind(tenant.state_since)
    .bind(&store.name)
    .bind(store.slug.as_str())
    .bind(&store.description)
    .bind(&store.logo_hash)
    .bind(&store.accent_colour)
    .bind(&store.returns_policy)
    .bind(&store.shipping_policy)
    .bind(&store.country)
    .bind(store.holiday)
    .bind(&store.holiday_message)
    .bind(&business.legal_name)
    .bind(&business.registration_number)
    .bind(&business.tax_id)
    .bind(business.contact_email.as_str())
    .bind(&business.phone)
    .bind(&business.address)
    .bind(&business.about)
    .bind(tenant.plan.text())
    .bind(tenant.commission_bps.map(i32::try_from).transpose().map_err(|_| Error::Corrupt("commission_bps"))?)
    .bind(&tenant.cell)
    .bind(tenant.version)
    .execute(db)
    .await
    .map_err(|error| slug_taken(error, tenant))?;
    if saved.rows_affected() == 1 { Ok(()) } else { Err(Error::TenantNotFound) }
}

/// A step in a tenant's life, as its history shows it.
#[derive(sqlx::FromRow)]
pub(crate) struct Step {
    pub state: String,
    pub reason: String,
    pub actor: String,
    pub at: Time,
}

pub(crate) async fn add_step(db: &mut PgConnection, tenant: &Tenant, actor: &str) -> Result<(), Error> {
    sqlx::query("insert into tenant_step (tenant_id, state, reason, actor, at) values ($1, $2, $3, $4, $5)")
        .bind(tenant.id.uuid())
        .bind(tenant.state.text())
        .bind(&tenant.state_reason)
        .bind(actor)
        .bind(tenant.state_since)
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn steps(db: &mut PgConnection, id: TenantId) -> Result<Vec<Step>, Error> {
    Ok(sqlx::query_as("select state, reason, actor, at from tenant_step where tenant_id = $1 order by number").bind(id.uuid()).fetch_all(db).await?)
}
