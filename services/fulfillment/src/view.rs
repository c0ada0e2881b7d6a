//! Rows as the contract shows them, and requests as the model reads them.

use api_fulfillment as api;
use api_orders::{ItemId, OrderId, SubOrderId};
use kit_rpc::timestamp;
use tonic::Status;

use crate::flows::work::Whole;
use crate::model::{Line, Pieces, Rate, State, Terms, Tier, Tracking};
use crate::store::{MethodRow, ShipmentRow};

pub(crate) fn method(row: &MethodRow) -> api::ShippingMethod {
    let terms = row.terms.0.clone();
    let rate = match terms.rate {
        Rate::Flat => api::RateKind::Flat,
        Rate::ByWeight => api::RateKind::ByWeight,
        Rate::ByPrice => api::RateKind::ByPrice,
    };
    let terms = api::ShippingTerms {
        name: terms.name,
        rate: rate.into(),
        currency: row.currency.clone(),
        flat_minor: terms.flat_minor,
        tiers: terms.tiers.iter().map(|tier| api::RateTier { up_to: tier.up_to, price_minor: tier.price_minor }).collect(),
        free_above_minor: terms.free_above_minor,
        countries: terms.countries,
        min_days: terms.min_days,
        max_days: terms.max_days,
    };
    api::ShippingMethod {
        shipping_method_id: api::ShippingMethodId::from(row.shipping_method_id).to_string(),
        terms: Some(terms),
        version: u32::try_from(row.version).unwrap_or_default(),
    }
}

pub(crate) fn terms(given: &api::ShippingTerms) -> Result<Terms, Status> {
    let rate = match given.rate() {
        api::RateKind::Unspecified => return Err(kit_rpc::violation("terms.rate", "is required")),
        api::RateKind::Flat => Rate::Flat,
        api::RateKind::ByWeight => Rate::ByWeight,
        api::RateKind::ByPrice => Rate::ByPrice,
    };
    Ok(Terms {
        name: given.name.trim().to_owned(),
        rate,
        flat_minor: given.flat_minor,
        tiers: given.tiers.iter().map(|tier| Tier { up_to: tier.up_to, price_minor: tier.price_minor }).collect(),
        free_above_minor: given.free_above_minor,
        countries: given.countries.iter().map(|country| country.trim().to_uppercase()).collect(),
        min_days: given.min_days,
        max_days: given.max_days,
    })
}

pub(crate) fn order((row, shipments): &Whole) -> api::FulfillmentOrder {
    let state = match State::of(&row.state) {
        State::Open => api::FulfillmentState::Open,
        State::Accepted => api::FulfillmentState::Accepted,
        State::Packed => api::FulfillmentState::Packed,
        State::PartlyShipped => api::FulfillmentState::PartlyShipped,
        State::Shipped => api::FulfillmentState::Shipped,
        State::Delivered => api::FulfillmentState::Delivered,
        State::Stopped => api::FulfillmentState::Stopped,
    };
    api::FulfillmentOrder {
        sub_order_id: SubOrderId::from(row.sub_order_id).to_string(),
        order_id: OrderId::from(row.order_id).to_string(),
        number: row.number.clone(),
        state: state.into(),
        lines: row.lines.iter().map(line).collect(),
        ship_to: Some(row.ship_to.0.clone().into()),
        shipping_method: row.shipping_method.clone(),
        shipments: shipments.iter().map(shipment).collect(),
        created_at: Some(timestamp(row.created_at)),
        due_at: Some(timestamp(row.due_at)),
        version: u32::try_from(row.version).unwrap_or_default(),
    }
}

/// The filter of a list: the state as SQL keeps it; none when it is not set.
pub(crate) fn state_filter(number: i32) -> Result<Option<&'static str>, Status> {
    let state = api::FulfillmentState::try_from(number).map_err(|_| kit_rpc::violation("state", "is not a known state"))?;
    let name = state.as_str_name().strip_prefix("FULFILLMENT_STATE_").unwrap_or_default().to_lowercase();
    Ok((state != api::FulfillmentState::Unspecified).then(|| State::of(&name).as_str()))
}

fn line(line: &Line) -> api::FulfillmentLine {
    api::FulfillmentLine {
        item_id: ItemId::from(line.item_id).to_string(),
        variant_id: line.variant_id.clone(),
        sku: line.sku.clone(),
        title: line.title.clone(),
        options: line.options.clone(),
        quantity: line.quantity,
        shipped: line.shipped,
    }
}

pub(crate) fn pieces(pieces: &Pieces) -> api::ShipmentLine {
    api::ShipmentLine { item_id: ItemId::from(pieces.item_id).to_string(), quantity: pieces.quantity }
}

pub(crate) fn shipment(row: &ShipmentRow) -> api::Shipment {
    api::Shipment {
        shipment_id: api::ShipmentId::from(row.shipment_id).to_string(),
        carrier: row.carrier.clone(),
        tracking_number: row.tracking_number.clone(),
        tracking_url: row.tracking_url.clone(),
        state: shipment_state(&row.state).into(),
        lines: row.lines.iter().map(pieces).collect(),
        events: row.events.iter().map(tracking).collect(),
        shipped_at: Some(timestamp(row.shipped_at)),
        delivered_at: row.delivered_at.map(timestamp),
    }
}

fn tracking(event: &Tracking) -> api::TrackingEvent {
    api::TrackingEvent {
        at: Some(timestamp(event.at)),
        state: shipment_state(&event.state).into(),
        place: event.place.clone(),
        message: event.message.clone(),
    }
}

fn shipment_state(text: &str) -> api::ShipmentState {
    match text {
        "in_transit" => api::ShipmentState::InTransit,
        "out_for_delivery" => api::ShipmentState::OutForDelivery,
        "delivery_failed" => api::ShipmentState::DeliveryFailed,
        "delivered" => api::ShipmentState::Delivered,
        _ => api::ShipmentState::Shipped,
    }
}

/// The states a seller may note; leaving and arriving have operations of their own.
pub(crate) fn noted_state(state: api::ShipmentState) -> Result<&'static str, Status> {
    match state {
        api::ShipmentState::InTransit => Ok("in_transit"),
        api::ShipmentState::OutForDelivery => Ok("out_for_delivery"),
        api::ShipmentState::DeliveryFailed => Ok("delivery_failed"),
        _ => Err(kit_rpc::violation("state", "must be in_transit, out_for_delivery or delivery_failed")),
    }
}
