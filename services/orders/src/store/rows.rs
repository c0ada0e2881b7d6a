//! The rows of the tables, read by sqlx and, for batches, written as one JSON array per table.

use chrono::{DateTime, Utc};
use kit_core::Address;
use serde::Serialize;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::invoice::Supplier;
use crate::model::{NewOrder, OrderState, Totals};
use crate::saga::machine::Saga;
use crate::store::{CancellationRow, ReturnRow};

#[derive(Debug, Clone, FromRow, Serialize)]
pub(crate) struct OrderRow {
    pub(crate) order_id: Uuid,
    pub(crate) number: String,
    pub(crate) buyer_id: Uuid,
    pub(crate) email: String,
    pub(crate) access_token: String,
    pub(crate) state: String,
    pub(crate) currency: String,
    pub(crate) items_minor: i64,
    pub(crate) tax_minor: i64,
    pub(crate) shipping_minor: i64,
    pub(crate) discount_minor: i64,
    pub(crate) total_minor: i64,
    pub(crate) refunded_minor: i64,
    pub(crate) shipping_address: Json<Address>,
    pub(crate) billing_address: Json<Address>,
    pub(crate) from_cart: bool,
    pub(crate) reserved_at: Option<DateTime<Utc>>,
    pub(crate) cancel_reason: String,
    pub(crate) cancelled_by: String,
    pub(crate) saga: Json<Saga>,
    pub(crate) look_at: Option<DateTime<Utc>>,
    pub(crate) version: i32,
    pub(crate) placed_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, FromRow, Serialize)]
pub(crate) struct SubRow {
    pub(crate) sub_order_id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) position: i32,
    pub(crate) tenant_id: Uuid,
    pub(crate) buyer_id: Uuid,
    pub(crate) number: String,
    pub(crate) store_name: String,
    pub(crate) email: String,
    pub(crate) state: String,
    pub(crate) currency: String,
    pub(crate) items_minor: i64,
    pub(crate) tax_minor: i64,
    pub(crate) shipping_minor: i64,
    pub(crate) discount_minor: i64,
    pub(crate) total_minor: i64,
    pub(crate) commission_bps: i32,
    pub(crate) commission_minor: i64,
    pub(crate) refunded_minor: i64,
    pub(crate) refund_state: String,
    pub(crate) shipping_method_id: Uuid,
    pub(crate) shipping_method: String,
    pub(crate) min_days: i32,
    pub(crate) max_days: i32,
    pub(crate) ship_to: Json<Address>,
    /// None in parts placed before it was kept.
    pub(crate) supplier: Option<Json<Supplier>>,
    /// Under which fulfillment keeps the address.
    pub(crate) ship_to_version: i32,
    pub(crate) shipments: Json<Vec<ShipmentDoc>>,
    pub(crate) cancel_reason: String,
    pub(crate) cancelled_by: String,
    /// Until when a return may be asked for; none before it has arrived.
    pub(crate) returnable_until: Option<DateTime<Utc>>,
    pub(crate) version: i32,
    pub(crate) placed_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, FromRow, Serialize)]
pub(crate) struct ItemRow {
    pub(crate) order_id: Uuid,
    pub(crate) item_id: Uuid,
    pub(crate) sub_order_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) buyer_id: Uuid,
    pub(crate) product_id: Uuid,
    pub(crate) product_version: i32,
    pub(crate) variant_id: Uuid,
    pub(crate) title: String,
    pub(crate) options: String,
    pub(crate) sku: String,
    pub(crate) brand: String,
    pub(crate) category_id: String,
    pub(crate) image_url: String,
    pub(crate) quantity: i32,
    pub(crate) unit_minor: i64,
    pub(crate) line_minor: i64,
    pub(crate) discount_minor: i64,
    pub(crate) tax_minor: i64,
    pub(crate) tax_category: String,
    pub(crate) tax_rate_bps: i32,
    pub(crate) commission_minor: i64,
    pub(crate) weight_grams: i32,
    /// Pieces that were cancelled.
    pub(crate) cancelled: i32,
    /// Pieces that are under a return or were taken back.
    pub(crate) returned: i32,
}

#[derive(Debug, Clone, FromRow, Serialize)]
pub(crate) struct TimelineRow {
    pub(crate) order_id: Uuid,
    pub(crate) sub_order_id: Option<Uuid>,
    pub(crate) tenant_id: Option<Uuid>,
    pub(crate) buyer_id: Uuid,
    pub(crate) at: DateTime<Utc>,
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) actor: String,
}

/// A shipment as fulfillment last told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(crate) struct ShipmentDoc {
    pub(crate) shipment_id: String,
    pub(crate) carrier: String,
    pub(crate) tracking_number: String,
    pub(crate) tracking_url: String,
    pub(crate) state: String,
    pub(crate) pieces: Vec<(String, u32)>,
    pub(crate) events: Vec<TrackingDoc>,
    pub(crate) shipped_at: Option<DateTime<Utc>>,
    pub(crate) delivered_at: Option<DateTime<Utc>>,
}

impl ShipmentDoc {
    /// A shipment only ever gains tracking events: a telling with no more of them than are known is heard again.
    pub(crate) fn is_news_to(&self, known: &[Self]) -> bool {
        known.iter().find(|known| known.shipment_id == self.shipment_id).is_none_or(|known| self.events.len() > known.events.len())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(crate) struct TrackingDoc {
    pub(crate) at: DateTime<Utc>,
    pub(crate) state: String,
    pub(crate) place: String,
    pub(crate) message: String,
}

/// An order with its parts and lines, as the saga and the views need it.
#[derive(Debug, Clone)]
pub(crate) struct WholeOrder {
    pub(crate) order: OrderRow,
    /// By position.
    pub(crate) subs: Vec<SubRow>,
    pub(crate) items: Vec<ItemRow>,
    /// Loaded where they are shown.
    pub(crate) cancellations: Vec<CancellationRow>,
    /// Loaded where they are shown.
    pub(crate) returns: Vec<ReturnRow>,
}

impl OrderRow {
    pub(crate) fn state(&self) -> OrderState {
        OrderState::of(&self.state)
    }

    pub(crate) fn timeline(&self, at: DateTime<Utc>, kind: &str, message: String, actor: &str) -> TimelineRow {
        TimelineRow {
            order_id: self.order_id,
            sub_order_id: None,
            tenant_id: None,
            buyer_id: self.buyer_id,
            at,
            kind: kind.to_owned(),
            message,
            actor: actor.to_owned(),
        }
    }
}

impl SubRow {
    pub(crate) fn state(&self) -> OrderState {
        OrderState::of(&self.state)
    }

    pub(crate) fn timeline(&self, at: DateTime<Utc>, kind: &str, message: String, actor: &str) -> TimelineRow {
        TimelineRow {
            order_id: self.order_id,
            sub_order_id: Some(self.sub_order_id),
            tenant_id: Some(self.tenant_id),
            buyer_id: self.buyer_id,
            at,
            kind: kind.to_owned(),
            message,
            actor: actor.to_owned(),
        }
    }
}

/// A number that SQL keeps as integer; what is too large was refused before.
fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl WholeOrder {
    /// The rows of an order that has just been made.
    pub(crate) fn of(new: &NewOrder, saga: Saga, look_at: Option<DateTime<Utc>>) -> Self {
        let Totals { items, tax, shipping, discount, total } = new.totals;
        let order = OrderRow {
            order_id: new.id.uuid(),
            number: new.number.clone(),
            buyer_id: new.buyer.uuid(),
            email: new.email.clone(),
            access_token: new.access_token.clone(),
            state: OrderState::Created.as_str().to_owned(),
            currency: total.currency.to_string(),
            items_minor: items.minor,
            tax_minor: tax.minor,
            shipping_minor: shipping.minor,
            discount_minor: discount.minor,
            total_minor: total.minor,
            refunded_minor: 0,
            shipping_address: Json(new.shipping_address.clone()),
            billing_address: Json(new.billing_address.clone()),
            from_cart: new.from_cart,
            reserved_at: None,
            cancel_reason: String::new(),
            cancelled_by: String::new(),
            saga: Json(saga),
            look_at,
            version: 1,
            placed_at: new.placed_at,
            updated_at: new.placed_at,
        };
        let subs = new.parts.iter().enumerate().map(|(index, part)| sub_row(new, index, part)).collect();
        let items = new.parts.iter().flat_map(|part| part.items.iter().map(|item| item_row(new, part, item))).collect();
        Self { order, subs, items, cancellations: Vec::new(), returns: Vec::new() }
    }
}

fn sub_row(new: &NewOrder, index: usize, part: &crate::model::NewPart) -> SubRow {
    let position = i32::try_from(index).unwrap_or(i32::MAX).saturating_add(1);
    SubRow {
        sub_order_id: part.id.uuid(),
        order_id: new.id.uuid(),
        position,
        tenant_id: part.tenant_id.uuid(),
        buyer_id: new.buyer.uuid(),
        number: format!("{}-{position}", new.number),
        store_name: part.store_name.clone(),
        email: new.email.clone(),
        state: OrderState::Created.as_str().to_owned(),
        currency: part.totals.total.currency.to_string(),
        items_minor: part.totals.items.minor,
        tax_minor: part.totals.tax.minor,
        shipping_minor: part.totals.shipping.minor,
        discount_minor: part.totals.discount.minor,
        total_minor: part.totals.total.minor,
        commission_bps: int(part.commission_bps),
        commission_minor: part.commission.minor,
        refunded_minor: 0,
        refund_state: "none".to_owned(),
        shipping_method_id: part.shipping.method.uuid(),
        shipping_method: part.shipping.name.clone(),
        min_days: int(part.shipping.min_days),
        max_days: int(part.shipping.max_days),
        ship_to: Json(new.shipping_address.clone()),
        supplier: None,
        ship_to_version: 0,
        shipments: Json(Vec::new()),
        cancel_reason: String::new(),
        cancelled_by: String::new(),
        returnable_until: None,
        version: 1,
        placed_at: new.placed_at,
        updated_at: new.placed_at,
    }
}

fn item_row(new: &NewOrder, part: &crate::model::NewPart, item: &crate::model::NewItem) -> ItemRow {
    let line = item.line.clone();
    ItemRow {
        order_id: new.id.uuid(),
        item_id: item.id.uuid(),
        sub_order_id: part.id.uuid(),
        tenant_id: part.tenant_id.uuid(),
        buyer_id: new.buyer.uuid(),
        product_id: line.product_id,
        product_version: line.product_version,
        variant_id: line.variant_id,
        title: line.title,
        options: line.options,
        sku: line.sku,
        brand: line.brand,
        category_id: line.category_id,
        image_url: line.image_url,
        quantity: int(line.quantity),
        unit_minor: line.unit_minor,
        line_minor: item.total.minor,
        discount_minor: 0,
        tax_minor: 0,
        tax_category: line.tax_category,
        tax_rate_bps: 0,
        commission_minor: item.commission.minor,
        weight_grams: int(line.weight_grams),
        cancelled: 0,
        returned: 0,
    }
}
