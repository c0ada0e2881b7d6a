//! Shops with orders to fulfil. Orders tells of them in its log, as it does when one is paid.

use api_fulfillment::fulfillment_client::FulfillmentClient;
use api_fulfillment::fulfillment_event::Body;
use api_fulfillment::{
    AcceptFulfillmentOrderRequest, AddTrackingEventRequest, FulfillmentEvent, FulfillmentOrder, FulfillmentState, GetFulfillmentOrderRequest,
    MarkDeliveredRequest, PackFulfillmentOrderRequest, ShipFulfillmentOrderRequest, ShipFulfillmentOrderResponse, ShipmentLine, ShipmentState,
};
use api_orders::{Item, ItemKind, OrderEvent, OrderKind, SubOrder, SubOrderConfirmed, SubOrderId, SubOrderKind, order_event};
use kit_core::TenantId;
use kit_db::{Event, Scope, log};
use kit_rpc::proto::Address;
use kit_rpc::{Ctx, Link, problem_of, timestamp};
use kit_test::Market;
use prost::Message;
use tonic::Status;

pub(crate) struct Stand {
    pub(crate) market: Market,
}

pub(crate) struct Shop {
    pub(crate) tenant: TenantId,
    pub(crate) seller: Ctx,
}

pub(crate) fn address() -> Address {
    Address {
        name: "Bea Buyer".to_owned(),
        line1: "1 Main Street".to_owned(),
        city: "Springfield".to_owned(),
        subdivision: "IL".to_owned(),
        postal_code: "62701".to_owned(),
        country: "US".to_owned(),
        ..Address::default()
    }
}

pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    problem_of(&answer.unwrap_err()).reason
}

/// The fields a refusal names.
pub(crate) fn fields<T: std::fmt::Debug>(answer: Result<T, Status>) -> Vec<String> {
    problem_of(&answer.unwrap_err()).violations.into_iter().map(|violation| violation.field).collect()
}

/// So many pieces of the part's item at this position.
pub(crate) fn pieces(part: &SubOrder, item: usize, quantity: u32) -> ShipmentLine {
    ShipmentLine { item_id: part.items[item].item_id.clone(), quantity }
}

impl Stand {
    pub(crate) async fn open() -> Self {
        Self::open_with("").await
    }

    /// Opens with a `[fulfillment]` section.
    pub(crate) async fn open_with(section: &str) -> Self {
        let modules = [&service_identity::MODULE, &service_tenants::MODULE, &service_orders::MODULE, &service_fulfillment::MODULE];
        let sections = format!("[identity]\nhash_memory_kib = 8\nhash_passes = 1\n[fulfillment]\n{section}");
        Self { market: kit_test::start_with(&modules, &sections).await }
    }

    pub(crate) fn client(&self) -> FulfillmentClient<Link> {
        FulfillmentClient::new(self.market.link("fulfillment"))
    }

    pub(crate) fn shop(&self) -> Shop {
        let tenant = self.market.ids.next();
        Shop { tenant, seller: self.market.seller(tenant, &["fulfillment.read", "fulfillment.write"]) }
    }

    /// A paid part of an order that has not arrived here yet: titles and pieces.
    pub(crate) fn part(&self, shop: &Shop, items: &[(&str, u32)]) -> SubOrder {
        let item = |(title, quantity): &(&str, u32)| Item {
            item_id: self.market.ids.next::<ItemKind>().to_string(),
            title: (*title).to_owned(),
            sku: title.to_uppercase(),
            quantity: *quantity,
            ..Item::default()
        };
        SubOrder {
            sub_order_id: self.market.ids.next::<SubOrderKind>().to_string(),
            order_id: self.market.ids.next::<OrderKind>().to_string(),
            number: "MH-2026-7K3F-9QXD-1".to_owned(),
            tenant_id: shop.tenant.to_string(),
            items: items.iter().map(item).collect(),
            shipping_method: "Standard".to_owned(),
            shipping_address: Some(address()),
            placed_at: Some(timestamp(self.market.clock.now())),
            ..SubOrder::default()
        }
    }

    /// Orders tells that the part may begin.
    pub(crate) async fn confirm(&self, part: &SubOrder) {
        let body = order_event::Body::SubOrderConfirmed(SubOrderConfirmed { sub_order: Some(part.clone()), ..SubOrderConfirmed::default() });
        let payload = OrderEvent { body: Some(body) }.encode_to_vec();
        let db = self.market.house.storage().db(service_orders::MODULE.schema()).await.unwrap();
        let mut tx = db.begin(&Scope::Platform).await.unwrap();
        let tenant = part.tenant_id.parse().ok();
        let event = Event { key: self.market.ids.uuid(), tenant, kind: "sub_order_confirmed", payload, change: None };
        log::append(&mut tx, &self.market.service(), self.market.clock.now(), event).await.unwrap();
        tx.commit().await.unwrap();
        self.market.settle().await;
    }

    /// A paid part of an order, arrived here.
    pub(crate) async fn confirmed(&self, shop: &Shop, items: &[(&str, u32)]) -> SubOrder {
        let part = self.part(shop, items);
        self.confirm(&part).await;
        part
    }

    /// One that the seller has accepted as well.
    pub(crate) async fn accepted(&self, shop: &Shop, items: &[(&str, u32)]) -> SubOrder {
        let part = self.confirmed(shop, items).await;
        self.accept(shop, &part).await.unwrap();
        part
    }

    pub(crate) async fn get(&self, shop: &Shop, part: &SubOrder) -> Result<FulfillmentOrder, Status> {
        let get = GetFulfillmentOrderRequest { sub_order_id: part.sub_order_id.clone() };
        Ok(self.client().get_fulfillment_order(shop.seller.request(get)).await?.into_inner().fulfillment_order.unwrap())
    }

    pub(crate) async fn state(&self, shop: &Shop, part: &SubOrder) -> FulfillmentState {
        self.get(shop, part).await.unwrap().state()
    }

    pub(crate) async fn accept(&self, shop: &Shop, part: &SubOrder) -> Result<FulfillmentOrder, Status> {
        let accept = AcceptFulfillmentOrderRequest { sub_order_id: part.sub_order_id.clone() };
        Ok(self.client().accept_fulfillment_order(shop.seller.request(accept)).await?.into_inner().fulfillment_order.unwrap())
    }

    pub(crate) async fn pack(&self, shop: &Shop, part: &SubOrder) -> Result<FulfillmentOrder, Status> {
        let pack = PackFulfillmentOrderRequest { sub_order_id: part.sub_order_id.clone() };
        Ok(self.client().pack_fulfillment_order(shop.seller.request(pack)).await?.into_inner().fulfillment_order.unwrap())
    }

    /// Ships these lines, or all that is left.
    pub(crate) async fn ship(
        &self,
        shop: &Shop,
        part: &SubOrder,
        number: &str,
        lines: Vec<ShipmentLine>,
    ) -> Result<ShipFulfillmentOrderResponse, Status> {
        let ship = ShipFulfillmentOrderRequest {
            sub_order_id: part.sub_order_id.clone(),
            carrier: "UPS".to_owned(),
            tracking_number: number.to_owned(),
            lines,
            ..ShipFulfillmentOrderRequest::default()
        };
        Ok(self.client().ship_fulfillment_order(shop.seller.request(ship)).await?.into_inner())
    }

    pub(crate) async fn track(&self, shop: &Shop, shipment_id: &str, state: ShipmentState, place: &str) -> Result<FulfillmentOrder, Status> {
        let news =
            AddTrackingEventRequest { shipment_id: shipment_id.to_owned(), state: state.into(), place: place.to_owned(), message: String::new() };
        Ok(self.client().add_tracking_event(shop.seller.request(news)).await?.into_inner().fulfillment_order.unwrap())
    }

    pub(crate) async fn deliver(&self, shop: &Shop, shipment_id: &str) -> Result<FulfillmentOrder, Status> {
        let deliver = MarkDeliveredRequest { shipment_id: shipment_id.to_owned() };
        Ok(self.client().mark_delivered(shop.seller.request(deliver)).await?.into_inner().fulfillment_order.unwrap())
    }

    /// What was told of a part, the oldest first.
    pub(crate) async fn told(&self, part: &SubOrder) -> Vec<Body> {
        let key = part.sub_order_id.parse::<SubOrderId>().unwrap().uuid();
        let db = self.market.house.storage().db(service_fulfillment::MODULE.schema()).await.unwrap();
        let mut tx = db.begin(&Scope::Platform).await.unwrap();
        // The log itself: its readers wait for older transactions, of other tests too.
        let ours = sqlx::query_scalar("select payload from event_log where key = $1 order by number").bind(key);
        let ours: Vec<Vec<u8>> = ours.fetch_all(&mut *tx).await.unwrap();
        ours.iter().map(|payload| FulfillmentEvent::decode(payload.as_slice()).unwrap().body.unwrap()).collect()
    }

    /// The kinds of what was told of a part.
    pub(crate) async fn kinds(&self, part: &SubOrder) -> Vec<&'static str> {
        let kind = |body: &Body| match body {
            Body::FulfillmentAccepted(_) => "accepted",
            Body::FulfillmentPacked(_) => "packed",
            Body::ShipmentShipped(told) if told.all_shipped => "all shipped",
            Body::ShipmentShipped(_) => "shipped",
            Body::TrackingUpdated(_) => "tracking",
            Body::ShipmentDelivered(told) if told.all_delivered => "all delivered",
            Body::ShipmentDelivered(_) => "delivered",
            Body::FulfillmentStopped(_) => "stopped",
            Body::FulfillmentCut(_) => "cut",
            Body::FulfillmentReaddressed(_) => "readdressed",
        };
        self.told(part).await.iter().map(kind).collect()
    }
}
