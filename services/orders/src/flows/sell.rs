//! What sellers see of orders: their own parts, and nothing else.

use api_orders::{SubOrder, SubOrderId};
use kit_core::{Currency, Money, TenantId};
use kit_db::Scope;
use uuid::Uuid;

use crate::error::Error;
use crate::model::OrderState;
use crate::service::Orders;
use crate::store::lists::{self, ExportRow, Page, SubFilter};
use crate::store::{cancellations, orders, returns};
use crate::view::{self, Reader};

const EXPORT_HEADER: [&str; 18] = [
    "number",
    "state",
    "placed_at",
    "recipient",
    "email",
    "country",
    "sku",
    "title",
    "options",
    "quantity",
    "cancelled_quantity",
    "unit_price",
    "line_total",
    "commission",
    "sub_order_shipping",
    "sub_order_total",
    "currency",
    "shipping_method",
];

impl Orders {
    pub(crate) async fn list_sub_orders(&self, tenant: TenantId, filter: &SubFilter, page: Page) -> Result<Vec<SubOrder>, Error> {
        let mut tx = self.db.begin(&Scope::Tenant(tenant)).await?;
        let rows = lists::subs_of_tenant(&mut tx, tenant, filter, page).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.order_id).collect();
        let items = orders::items_of(&mut tx, &ids).await?;
        let cancellations = cancellations::of_orders(&mut tx, &ids).await?;
        let returns = returns::of_orders(&mut tx, &ids).await?;
        tx.commit().await?;
        Ok(rows.iter().map(|row| view::part(row, &items, &cancellations, &returns, Reader::Market)).collect())
    }

    pub(crate) async fn get_sub_order(&self, tenant: TenantId, id: SubOrderId) -> Result<SubOrder, Error> {
        let mut tx = self.db.begin(&Scope::Tenant(tenant)).await?;
        let row = orders::get_sub(&mut tx, id).await?;
        let cancellations = cancellations::of_orders(&mut tx, &[row.order_id]).await?;
        let never_paid = row.state() == OrderState::Created || (row.state() == OrderState::Cancelled && cancellations.is_empty());
        if never_paid {
            return Err(Error::OrderNotFound);
        }
        let items = orders::items_of(&mut tx, &[row.order_id]).await?;
        let returns = returns::of_orders(&mut tx, &[row.order_id]).await?;
        let timeline = orders::timeline_of(&mut tx, row.order_id).await?;
        tx.commit().await?;
        let mut shown = view::part(&row, &items, &cancellations, &returns, Reader::Market);
        shown.timeline = timeline.iter().map(view::timeline_entry).collect();
        Ok(shown)
    }

    /// One row per line, as CSV that spreadsheets open.
    pub(crate) async fn export_sub_orders(&self, tenant: TenantId, filter: &SubFilter) -> Result<Vec<u8>, Error> {
        let mut tx = self.db.begin(&Scope::Tenant(tenant)).await?;
        let rows = lists::export(&mut tx, tenant, filter, i64::from(self.config.export_rows)).await?;
        tx.commit().await?;
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(EXPORT_HEADER).map_err(Error::unreadable)?;
        for row in rows {
            csv.write_record(export_record(&row)?).map_err(Error::unreadable)?;
        }
        csv.into_inner().map_err(Error::unreadable)
    }
}

fn export_record(row: &ExportRow) -> Result<[String; 18], Error> {
    let currency: Currency = row.currency.parse()?;
    let money = |minor: i64| Money::new(minor, currency).decimal();
    Ok([
        row.number.clone(),
        row.state.clone(),
        row.placed_at.to_rfc3339(),
        plain(row.recipient.as_deref().unwrap_or_default()),
        plain(&row.email),
        row.country.clone().unwrap_or_default(),
        plain(&row.sku),
        plain(&row.title),
        plain(&row.options),
        row.quantity.to_string(),
        row.cancelled.to_string(),
        money(row.unit_minor),
        money(row.line_minor),
        money(row.commission_minor),
        money(row.shipping_minor),
        money(row.total_minor),
        row.currency.clone(),
        plain(&row.shipping_method),
    ])
}

/// Keeps a spreadsheet from running a buyer's text as a formula.
fn plain(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
