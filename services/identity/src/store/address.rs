//! Address books.

use api_identity::AddressId;
use kit_core::{Address, Time, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;

#[derive(sqlx::FromRow)]
pub(crate) struct Saved {
    pub address_id: Uuid,
    pub is_default: bool,
    name: String,
    company: String,
    line1: String,
    line2: String,
    city: String,
    subdivision: String,
    postal_code: String,
    country: String,
    phone: String,
}

impl Saved {
    pub(crate) fn id(&self) -> AddressId {
        self.address_id.into()
    }

    pub(crate) fn into_address(self) -> Address {
        Address {
            name: self.name,
            company: self.company,
            line1: self.line1,
            line2: self.line2,
            city: self.city,
            subdivision: self.subdivision,
            postal_code: self.postal_code,
            country: self.country,
            phone: self.phone,
        }
    }
}

/// A person's addresses, the default first, then the newest.
pub(crate) async fn list(db: &mut PgConnection, user: UserId) -> Result<Vec<Saved>, Error> {
    let rows = sqlx::query_as(
        "select address_id, is_default, name, company, line1, line2, city, subdivision, postal_code, country, phone
         from saved_address where user_id = $1 order by is_default desc, created_at desc, address_id",
    );
    Ok(rows.bind(user.uuid()).fetch_all(db).await?)
}

pub(crate) async fn add(db: &mut PgConnection, id: AddressId, user: UserId, address: &Address, is_default: bool, now: Time) -> Result<(), Error> {
    sqlx::query(
        "insert into saved_address (address_id, user_id, is_default, name, company, line1, line2, city, subdivision, postal_code, country, phone, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(id.uuid())
    .bind(user.uuid())
    .bind(is_default)
    .bind(&address.name)
    .bind(&address.company)
    .bind(&address.line1)
    .bind(&address.line2)
    .bind(&address.city)
    .bind(&address.subdivision)
    .bind(&address.postal_code)
    .bind(&address.country)
    .bind(&address.phone)
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// False: the person has no such address.
pub(crate) async fn save(db: &mut PgConnection, id: AddressId, user: UserId, address: &Address) -> Result<bool, Error> {
    let done = sqlx::query(
        "update saved_address set name = $3, company = $4, line1 = $5, line2 = $6, city = $7, subdivision = $8, postal_code = $9, country = $10, phone = $11
         where address_id = $1 and user_id = $2",
    )
    .bind(id.uuid())
    .bind(user.uuid())
    .bind(&address.name)
    .bind(&address.company)
    .bind(&address.line1)
    .bind(&address.line2)
    .bind(&address.city)
    .bind(&address.subdivision)
    .bind(&address.postal_code)
    .bind(&address.country)
    .bind(&address.phone)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Nobody is the default for a moment, within the transaction.
pub(crate) async fn clear_default(db: &mut PgConnection, user: UserId) -> Result<(), Error> {
    sqlx::query("update saved_address set is_default = false where user_id = $1 and is_default").bind(user.uuid()).execute(db).await?;
    Ok(())
}

pub(crate) async fn make_default(db: &mut PgConnection, id: AddressId, user: UserId) -> Result<(), Error> {
    sqlx::query("update saved_address set is_default = true where address_id = $1 and user_id = $2")
        .bind(id.uuid())
        .bind(user.uuid())
        .execute(db)
        .await?;
    Ok(())
}

/// False: the person has no such address.
pub(crate) async fn remove(db: &mut PgConnection, id: AddressId, user: UserId) -> Result<bool, Error> {
    let done = sqlx::query("delete from saved_address where address_id = $1 and user_id = $2").bind(id.uuid()).bind(user.uuid()).execute(db).await?;
    Ok(done.rows_affected() == 1)
}
