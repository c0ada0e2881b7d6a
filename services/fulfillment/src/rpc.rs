//! Translation between the contract and the flows.

use api_fulfillment::fulfillment_server::Fulfillment as Contract;
use api_fulfillment::*;
use api_orders::{ItemId, SubOrderId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use kit_core::{Currency, Money, TenantId};
use kit_rpc::proto::google_api::HttpBody;
use kit_rpc::{Ctx, download, parse, required, status, violation};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::flows::work::{Handover, Whole};
use crate::model::{self, Pieces, Tracking};
use crate::service::Fulfillment;
use crate::slip;
use crate::view;

/// How many a list shows when nobody says.
const DEFAULT_LIMIT: u32 = 20;

fn shown(whole: &Whole) -> Option<FulfillmentOrder> {
    Some(view::order(whole))
}

fn pieces(lines: &[ShipmentLine]) -> Result<Vec<Pieces>, Status> {
    let piece = |line: &ShipmentLine| {
        if line.quantity == 0 {
            return Err(violation("lines.quantity", "must be at least 1"));
        }
        Ok(Pieces { item_id: parse::<ItemId>("lines.item_id", &line.item_id)?.uuid(), quantity: line.quantity })
    };
    lines.iter().map(piece).collect()
}

#[tonic::async_trait]
impl Contract for Fulfillment {
    async fn list_shipping_methods(&self, request: Request<ListShippingMethodsRequest>) -> Result<Response<ListShippingMethodsResponse>, Status> {
        let tenant = Ctx::of(&request)?.require_seller("fulfillment.read")?;
        let methods = self.list_methods(tenant).await.map_err(status)?;
        Ok(Response::new(ListShippingMethodsResponse { methods: methods.iter().map(view::method).collect() }))
    }

    async fn create_shipping_method(&self, request: Request<CreateShippingMethodRequest>) -> Result<Response<CreateShippingMethodResponse>, Status> {
        let tenant = Ctx::of(&request)?.require_seller("fulfillment.write")?;
        let given = required("terms", request.into_inner().terms)?;
        let currency: Currency = parse("terms.currency", &given.currency)?;
        let row = self.create_method(tenant, currency, view::terms(&given)?).await.map_err(status)?;
        Ok(Response::new(CreateShippingMethodResponse { method: Some(view::method(&row)) }))
    }

    async fn update_shipping_method(&self, request: Request<UpdateShippingMethodRequest>) -> Result<Response<UpdateShippingMethodResponse>, Status> {
        let tenant = Ctx::of(&request)?.require_seller("fulfillment.write")?;
        let asked = request.into_inner();
        let given = required("terms", asked.terms)?;
        let id = parse("shipping_method_id", &asked.shipping_method_id)?;
        let currency: Currency = parse("terms.currency", &given.currency)?;
        let row = self.update_method(tenant, id, currency, view::terms(&given)?, asked.if_version).await.map_err(status)?;
        Ok(Response::new(UpdateShippingMethodResponse { method: Some(view::method(&row)) }))
    }

    async fn delete_shipping_method(&self, request: Request<DeleteShippingMethodRequest>) -> Result<Response<DeleteShippingMethodResponse>, Status> {
        let tenant = Ctx::of(&request)?.require_seller("fulfillment.write")?;
        let id = parse("shipping_method_id", &request.get_ref().shipping_method_id)?;
        self.withdraw_method(tenant, id).await.map_err(status)?;
        Ok(Response::new(DeleteShippingMethodResponse {}))
    }

    async fn quote_shipping(&self, request: Request<QuoteShippingRequest>) -> Result<Response<QuoteShippingResponse>, Status> {
        Ctx::of(&request)?.require_service()?;
        let asked = request.into_inner();
        let mut parcels = Vec::with_capacity(asked.parcels.len());
        for parcel in &asked.parcels {
            let goods = required("parcels.goods", parcel.goods.as_ref())?;
            let goods = Money::try_from(goods).map_err(|error| violation("parcels.goods", &error.to_string()))?;
            let tenant: TenantId = parse("parcels.tenant_id", &parcel.tenant_id)?;
            parcels.push((tenant, model::Parcel { weight_grams: parcel.weight_grams, goods }));
        }
        let offers = self.quote(&parcels, &asked.country).await.map_err(status)?;
        let quotes = asked.parcels.into_iter().zip(offers).map(|(parcel, offers)| ParcelQuote {
            tenant_id: parcel.tenant_id,
            options: offers
                .iter()
                .map(|offer| ShippingOption {
                    shipping_method_id: ShippingMethodId::from(offer.method.shipping_method_id).to_string(),
                    name: offer.method.terms.name.clone(),
                    price: Some(offer.price.into()),
                    min_days: offer.method.terms.min_days,
                    max_days: offer.method.terms.max_days,
                })
                .collect(),
        });
        Ok(Response::new(QuoteShippingResponse { quotes: quotes.collect() }))
    }

    async fn list_fulfillment_orders(
        &self,
        request: Request<ListFulfillmentOrdersRequest>,
    ) -> Result<Response<ListFulfillmentOrdersResponse>, Status> {
        let tenant = Ctx::of(&request)?.require_seller("fulfillment.read")?;
        let asked = request.get_ref();
        let limit = i64::from(if asked.limit == 0 { DEFAULT_LIMIT } else { asked.limit.min(100) });
        let after =
            if asked.cursor.is_empty() { None } else { Some(read_cursor(&asked.cursor).ok_or_else(|| violation("cursor", "is not one of ours"))?) };
        let found = self.list(tenant, view::state_filter(asked.state)?, after, limit).await.map_err(status)?;
        let full = i64::try_from(found.len()).is_ok_and(|count| count >= limit);
        let next_cursor = found.last().filter(|_| full).map(|(row, _)| BASE64.encode(row.sub_order_id.as_bytes())).unwrap_or_default();
        Ok(Response::new(ListFulfillmentOrdersResponse { fulfillment_orders: found.iter().map(view::order).collect(), next_cursor }))
    }

    async fn get_fulfillment_order(&self, request: Request<GetFulfillmentOrderRequest>) -> Result<Response<GetFulfillmentOrderResponse>, Status> {
        let tenant = Ctx::of(&request)?.require_seller("fulfillment.read")?;
        let id: SubOrderId = parse("sub_order_id", &request.get_ref().sub_order_id)?;
        let whole = self.get(tenant, id).await.map_err(status)?;
        Ok(Response::new(GetFulfillmentOrderResponse { fulfillment_order: shown(&whole) }))
    }

    async fn accept_fulfillment_order(
        &self,
        request: Request<AcceptFulfillmentOrderRequest>,
    ) -> Result<Response<AcceptFulfillmentOrderResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("fulfillment.write")?;
        let whole = self.accept(&ctx, tenant, parse("sub_order_id", &request.get_ref().sub_order_id)?).await.map_err(status)?;
        Ok(Response::new(AcceptFulfillmentOrderResponse { fulfillment_order: shown(&whole) }))
    }

    async fn pack_fulfillment_order(&self, request: Request<PackFulfillmentOrderRequest>) -> Result<Response<PackFulfillmentOrderResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("fulfillment.write")?;
        let whole = self.pack(&ctx, tenant, parse("sub_order_id", &request.get_ref().sub_order_id)?).await.map_err(status)?;
        Ok(Response::new(PackFulfillmentOrderResponse { fulfillment_order: shown(&whole) }))
    }

    async fn get_packing_slip(&self, request: Request<GetPackingSlipRequest>) -> Result<Response<HttpBody>, Status> {
        let tenant = Ctx::of(&request)?.require_seller("fulfillment.read")?;
        let (row, _) = self.get(tenant, parse("sub_order_id", &request.get_ref().sub_order_id)?).await.map_err(status)?;
        Ok(download(slip::pdf(&row), "application/pdf", &format!("packing-slip-{}.pdf", row.number)))
    }

    async fn ship_fulfillment_order(&self, request: Request<ShipFulfillmentOrderRequest>) -> Result<Response<ShipFulfillmentOrderResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("fulfillment.write")?;
        let asked = request.into_inner();
        let id = parse("sub_order_id", &asked.sub_order_id)?;
        let handover = Handover {
            carrier: asked.carrier.trim().to_owned(),
            tracking_number: asked.tracking_number.trim().to_owned(),
            tracking_url: asked.tracking_url,
            pieces: pieces(&asked.lines)?,
        };
        let (whole, shipment_id) = self.ship(&ctx, tenant, id, handover).await.map_err(status)?;
        Ok(Response::new(ShipFulfillmentOrderResponse { fulfillment_order: shown(&whole), shipment_id: shipment_id.to_string() }))
    }

    async fn add_tracking_event(&self, request: Request<AddTrackingEventRequest>) -> Result<Response<AddTrackingEventResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("fulfillment.write")?;
        let asked = request.into_inner();
        let id = parse("shipment_id", &asked.shipment_id)?;
        let state = view::noted_state(asked.state())?.to_owned();
        let news = Tracking { at: self.clock.now(), state, place: asked.place, message: asked.message };
        let whole = self.track(&ctx, tenant, id, news).await.map_err(status)?;
        Ok(Response::new(AddTrackingEventResponse { fulfillment_order: shown(&whole) }))
    }

    async fn mark_delivered(&self, request: Request<MarkDeliveredRequest>) -> Result<Response<MarkDeliveredResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("fulfillment.write")?;
        let whole = self.deliver(&ctx, tenant, parse("shipment_id", &request.get_ref().shipment_id)?).await.map_err(status)?;
        Ok(Response::new(MarkDeliveredResponse { fulfillment_order: shown(&whole) }))
    }

    async fn stop_fulfillment(&self, request: Request<StopFulfillmentRequest>) -> Result<Response<StopFulfillmentResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let asked = request.get_ref();
        let (tenant, id, order) =
            (parse("tenant_id", &asked.tenant_id)?, parse("sub_order_id", &asked.sub_order_id)?, parse("order_id", &asked.order_id)?);
        self.stop(&ctx, tenant, id, order).await.map_err(status)?;
        Ok(Response::new(StopFulfillmentResponse {}))
    }

    async fn cut_fulfillment(&self, request: Request<CutFulfillmentRequest>) -> Result<Response<CutFulfillmentResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let asked = request.get_ref();
        let (tenant, id) = (parse("tenant_id", &asked.tenant_id)?, parse("sub_order_id", &asked.sub_order_id)?);
        let cancellation = parse("cancellation_id", &asked.cancellation_id)?;
        self.cut(&ctx, tenant, id, cancellation, &pieces(&asked.lines)?).await.map_err(status)?;
        Ok(Response::new(CutFulfillmentResponse {}))
    }

    async fn readdress_fulfillment(&self, request: Request<ReaddressFulfillmentRequest>) -> Result<Response<ReaddressFulfillmentResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let asked = request.into_inner();
        let (tenant, id) = (parse("tenant_id", &asked.tenant_id)?, parse("sub_order_id", &asked.sub_order_id)?);
        let ship_to = required("ship_to", asked.ship_to)?;
        let version = self.readdress(&ctx, tenant, id, ship_to.into()).await.map_err(status)?;
        Ok(Response::new(ReaddressFulfillmentResponse { version }))
    }
}

fn read_cursor(cursor: &str) -> Option<Uuid> {
    Uuid::from_slice(&BASE64.decode(cursor).ok()?).ok()
}
