//! Who works for a tenant, who is invited, and what of it identity does not know yet.

use kit_core::{Email, TenantId, Time, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::model::StaffRole;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub tenant: TenantId,
    pub user: UserId,
    pub role: StaffRole,
    pub joined_at: Time,
}

#[derive(sqlx::FromRow)]
struct MemberRow {
    tenant_id: Uuid,
    user_id: Uuid,
    role: String,
    joined_at: Time,
}

fn role(text: &str) -> Result<StaffRole, Error> {
    StaffRole::from_text(text).ok_or(Error::Corrupt("staff.role"))
}

impl TryFrom<MemberRow> for Member {
    type Error = Error;
    fn try_from(row: MemberRow) -> Result<Self, Error> {
        Ok(Self { tenant: row.tenant_id.into(), user: row.user_id.into(), role: role(&row.role)?, joined_at: row.joined_at })
    }
}

pub(crate) async fn list(db: &mut PgConnection, tenant: TenantId) -> Result<Vec<Member>, Error> {
    let rows: Vec<MemberRow> =
        sqlx::query_as("select tenant_id, user_id, role, joined_at from staff where tenant_id = $1 and role is not null order by joined_at, user_id")
            .bind(tenant.uuid())
            .fetch_all(db)
            .await?;
    rows.into_iter().map(Member::try_from).collect()
}

pub(crate) async fn of_person(db: &mut PgConnection, user: UserId) -> Result<Vec<Member>, Error> {
    let rows: Vec<MemberRow> = sqlx::query_as("select tenant_id, user_id, role, joined_at from staff where user_id = $1 and role is not null")
        .bind(user.uuid())
        .fetch_all(db)
        .await?;
    rows.into_iter().map(Member::try_from).collect()
}

/// Gives a person a role, or takes it away.
pub(crate) async fn put(db: &mut PgConnection, tenant: TenantId, user: UserId, role: Option<StaffRole>, now: Time) -> Result<(), Error> {
    sqlx::query(
        "insert into staff (tenant_id, user_id, role, joined_at) values ($1, $2, $3, $4)
         on conflict (tenant_id, user_id) do update set role = excluded.role, joined_at = case when staff.role is null then excluded.joined_at else staff.joined_at end",
    )
    .bind(tenant.uuid())
    .bind(user.uuid())
    .bind(role.map(StaffRole::text))
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// Something identity does not know yet.
#[derive(sqlx::FromRow)]
pub(crate) struct Untold {
    pub tenant_id: Uuid,
    pub user_id: Uuid,
    pub role: Option<String>,
}

pub(crate) async fn untold(db: &mut PgConnection, tenant: Option<TenantId>) -> Result<Vec<Untold>, Error> {
    Ok(sqlx::query_as(
        "select tenant_id, user_id, role from staff where role is distinct from told_role and ($1::uuid is null or tenant_id = $1) order by tenant_id, user_id limit 1000",
    )
    .bind(tenant.map(TenantId::uuid))
    .fetch_all(db)
    .await?)
}

/// Notes what identity was told; a row that nobody needs any more goes.
pub(crate) async fn mark_told(db: &mut PgConnection, told: &Untold) -> Result<(), Error> {
    sqlx::query("update staff set told_role = $3 where tenant_id = $1 and user_id = $2")
        .bind(told.tenant_id)
        .bind(told.user_id)
        .bind(&told.role)
        .execute(&mut *db)
        .await?;
    sqlx::query("delete from staff where tenant_id = $1 and user_id = $2 and role is null and told_role is null")
        .bind(told.tenant_id)
        .bind(told.user_id)
        .execute(db)
        .await?;
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invite {
    pub tenant: TenantId,
    pub email: Email,
    pub role: StaffRole,
    pub invited_at: Time,
    pub expires_at: Time,
}

#[derive(sqlx::FromRow)]
struct InviteRow {
    tenant_id: Uuid,
    email: String,
    role: String,
    invited_at: Time,
    expires_at: Time,
}

impl TryFrom<InviteRow> for Invite {
    type Error = Error;
    fn try_from(row: InviteRow) -> Result<Self, Error> {
        let email = row.email.parse().map_err(|_| Error::Corrupt("staff_invite.email"))?;
        Ok(Self { tenant: row.tenant_id.into(), email, role: role(&row.role)?, invited_at: row.invited_at, expires_at: row.expires_at })
    }
}

/// Open invitations, the oldest first.
pub(crate) async fn invites(db: &mut PgConnection, tenant: TenantId, now: Time) -> Result<Vec<Invite>, Error> {
    let rows: Vec<InviteRow> = sqlx::query_as(
        "select tenant_id, email, role, invited_at, expires_at from staff_invite where tenant_id = $1 and expires_at > $2 order by invited_at, email",
    )
    .bind(tenant.uuid())
    .bind(now)
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Invite::try_from).collect()
}

/// Invites, in place of an earlier invitation to the same address.
pub(crate) async fn put_invite(db: &mut PgConnection, invite: &Invite, token_hash: &[u8]) -> Result<(), Error> {
    sqlx::query(
        "insert into staff_invite (tenant_id, email, role, token_hash, invited_at, expires_at) values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id, email) do update
         set role = excluded.role, token_hash = excluded.token_hash, invited_at = excluded.invited_at, expires_at = excluded.expires_at",
    )
    .bind(invite.tenant.uuid())
    .bind(invite.email.as_str())
    .bind(invite.role.text())
    .bind(token_hash)
    .bind(invite.invited_at)
    .bind(invite.expires_at)
    .execute(db)
    .await?;
    Ok(())
}

/// The open invitation of a token, locked.
pub(crate) async fn lock_invite(db: &mut PgConnection, token_hash: &[u8], now: Time) -> Result<Option<Invite>, Error> {
    let row: Option<InviteRow> = sqlx::query_as(
        "select tenant_id, email, role, invited_at, expires_at from staff_invite where token_hash = $1 and expires_at > $2 for update",
    )
    .bind(token_hash)
    .bind(now)
    .fetch_optional(db)
    .await?;
    row.map(Invite::try_from).transpose()
}

/// False: the address was not invited.
pub(crate) async fn remove_invite(db: &mut PgConnection, tenant: TenantId, email: &Email) -> Result<bool, Error> {
    let done =
        sqlx::query("delete from staff_invite where tenant_id = $1 and email = $2").bind(tenant.uuid()).bind(email.as_str()).execute(db).await?;
    Ok(done.rows_affected() == 1)
}
