//! Roles in tenants and on the platform.

use kit_core::{TenantId, Time, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model::policy::{Membership, Role};

#[derive(sqlx::FromRow)]
struct Row {
    user_id: Uuid,
    tenant_id: Option<Uuid>,
    role: String,
    granted_at: Time,
}

impl TryFrom<Row> for Membership {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        let role = Role::from_text(&row.role).ok_or(Error::Corrupt("membership.role"))?;
        Ok(Self { user: row.user_id.into(), tenant: row.tenant_id.map(TenantId::from), role, granted_at: row.granted_at })
    }
}

/// Of these people, oldest first.
pub(crate) async fn of_people(db: &mut PgConnection, users: &[Uuid]) -> Result<Vec<Membership>, Error> {
    let rows: Vec<Row> =
        sqlx::query_as("select user_id, tenant_id, role, granted_at from membership where user_id = any($1) order by granted_at, role")
            .bind(users)
            .fetch_all(db)
            .await?;
    rows.into_iter().map(Membership::try_from).collect()
}

pub(crate) async fn of_tenant(db: &mut PgConnection, tenant: TenantId) -> Result<Vec<Membership>, Error> {
    let rows: Vec<Row> =
        sqlx::query_as("select user_id, tenant_id, role, granted_at from membership where tenant_id = $1 order by granted_at, user_id")
            .bind(tenant.uuid())
            .fetch_all(db)
            .await?;
    rows.into_iter().map(Membership::try_from).collect()
}

/// Everybody who runs the platform, locked against changes for the rest of the transaction.
pub(crate) async fn lock_admins(db: &mut PgConnection) -> Result<Vec<UserId>, Error> {
    let ids: Vec<Uuid> =
        sqlx::query_scalar("select user_id from membership where tenant_id is null and role = 'platform_admin' order by user_id for update")
            .fetch_all(db)
            .await?;
    Ok(ids.into_iter().map(UserId::from).collect())
}

/// Gives a role in a tenant in place of the one held there. False: it was held already.
pub(crate) async fn put_in_tenant(db: &mut PgConnection, membership: &Membership, by: &str) -> Result<bool, Error> {
    let done = sqlx::query(
        "insert into membership (user_id, tenant_id, role, granted_at, granted_by) values ($1, $2, $3, $4, $5)
         on conflict (user_id, tenant_id) where tenant_id is not null
         do update set role = excluded.role, granted_at = excluded.granted_at, granted_by = excluded.granted_by where membership.role <> excluded.role",
    )
    .bind(membership.user.uuid())
    .bind(membership.tenant.map(TenantId::uuid))
    .bind(membership.role.text())
    .bind(membership.granted_at)
    .bind(by)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a role on the platform. False: it was held already.
pub(crate) async fn put_on_platform(db: &mut PgConnection, membership: &Membership, by: &str) -> Result<bool, Error> {
    let done = sqlx::query(
        "insert into membership (user_id, role, granted_at, granted_by) values ($1, $2, $3, $4)
         on conflict (user_id, role) where tenant_id is null do nothing",
    )
    .bind(membership.user.uuid())
    .bind(membership.role.text())
    .bind(membership.granted_at)
    .bind(by)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes the role in a tenant away and answers what it was.
pub(crate) async fn remove_from_tenant(db: &mut PgConnection, user: UserId, tenant: TenantId) -> Result<Option<Membership>, Error> {
    let row: Option<Row> =
        sqlx::query_as("delete from membership where user_id = $1 and tenant_id = $2 returning user_id, tenant_id, role, granted_at")
            .bind(user.uuid())
            .bind(tenant.uuid())
            .fetch_optional(db)
            .await?;
    row.map(Membership::try_from).transpose()
}

/// Takes a role on the platform away and answers what it was.
pub(crate) async fn remove_from_platform(db: &mut PgConnection, user: UserId, role: Role) -> Result<Option<Membership>, Error> {
    let row: Option<Row> = sqlx::query_as(
        "delete from membership where user_id = $1 and tenant_id is null and role = $2 returning user_id, tenant_id, role, granted_at",
    )
    .bind(user.uuid())
    .bind(role.text())
    .fetch_optional(db)
    .await?;
    row.map(Membership::try_from).transpose()
}
