//! Translation between the contract and the flows.

use std::pin::Pin;

use api_orders::orders_server::Orders as Contract;
use api_orders::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use futures::{Stream, StreamExt};
use kit_core::TenantId;
use kit_rpc::proto::google_api::HttpBody;
use kit_rpc::{Ctx, download, parse, status, violation};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::flows::place::Payment;
use crate::flows::read::Access;
use crate::service::Orders;
use crate::share::{Keep, Wanted};
use crate::store::lists::{Page, SubFilter};
use crate::view::{self, Reader};

/// How many a list shows when nobody says.
const DEFAULT_LIMIT: u32 = 20;

/// Where a page begins and how long it is; the cursor is the id the page before ended with.
fn page(limit: u32, cursor: &str) -> Result<Page, Status> {
    let after = if cursor.is_empty() { None } else { Some(read_cursor(cursor).ok_or_else(|| violation("cursor", "is not one of ours"))?) };
    let limit = if limit == 0 { DEFAULT_LIMIT } else { limit.min(100) };
    Ok(Page { after, limit: i64::from(limit) })
}

fn read_cursor(cursor: &str) -> Option<Uuid> {
    Uuid::from_slice(&BASE64.decode(cursor).ok()?).ok()
}

/// The cursor after the last of a full page; empty at the end.
fn next_cursor(page: Page, count: usize, last: Option<Uuid>) -> String {
    let full = i64::try_from(count).is_ok_and(|count| count >= page.limit);
    last.filter(|_| full).map(|id| BASE64.encode(id.as_bytes())).unwrap_or_default()
}

fn last_order(orders: &[Order]) -> Option<Uuid> {
    orders.last().and_then(|order| order.order_id.parse::<OrderId>().ok()).map(OrderId::uuid)
}

fn sub_filter(state: i32, query: &str, from: Option<&prost_types::Timestamp>, before: Option<&prost_types::Timestamp>) -> Result<SubFilter, Status> {
    let state = view::state_filter(state).map_err(status)?;
    let query = Some(query.trim().to_owned()).filter(|query| !query.is_empty());
    Ok(SubFilter { state, query, from: from.map(kit_rpc::time), before: before.map(kit_rpc::time) })
}

fn kept(line: &KeptLine) -> Result<Keep, Status> {
    Ok(Keep { item_id: parse::<ItemId>("lines.item_id", &line.item_id)?.uuid(), quantity: line.quantity })
}

#[tonic::async_trait]
impl Contract for Orders {
    type WatchOrderStream = Pin<Box<dyn Stream<Item = Result<WatchOrderResponse, Status>> + Send>>;

    async fn start_checkout(&self, request: Request<StartCheckoutRequest>) -> Result<Response<StartCheckoutResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let buyer = ctx.require_user()?;
        let row = self.start_checkout(&ctx, buyer, request.get_ref()).await.map_err(status)?;
        Ok(Response::new(StartCheckoutResponse { checkout: Some(view::checkout(&row).map_err(status)?) }))
    }

    async fn get_checkout(&self, request: Request<GetCheckoutRequest>) -> Result<Response<GetCheckoutResponse>, Status> {
        let buyer = Ctx::of(&request)?.require_user()?;
        let id = parse("checkout_id", &request.get_ref().checkout_id)?;
        let row = self.get_checkout(buyer, id).await.map_err(status)?;
        Ok(Response::new(GetCheckoutResponse { checkout: Some(view::checkout(&row).map_err(status)?) }))
    }

    async fn update_checkout(&self, request: Request<UpdateCheckoutRequest>) -> Result<Response<UpdateCheckoutResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let buyer = ctx.require_user()?;
        let row = self.update_checkout(&ctx, buyer, request.get_ref()).await.map_err(status)?;
        Ok(Response::new(UpdateCheckoutResponse { checkout: Some(view::checkout(&row).map_err(status)?) }))
    }

    async fn place_order(&self, request: Request<PlaceOrderRequest>) -> Result<Response<PlaceOrderResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let buyer = ctx.require_user()?;
        let asked = request.get_ref();
        let payment = Payment { method: &asked.payment_method, return_url: &asked.return_url };
        let whole = self.place_order(&ctx, buyer, parse("checkout_id", &asked.checkout_id)?, payment).await.map_err(status)?;
        let next_action = Some(view::next_action(&whole.order));
        let access_token = whole.order.access_token.clone();
        Ok(Response::new(PlaceOrderResponse { order: Some(view::order(&whole, &[], Reader::Buyer)), next_action, access_token }))
    }

    async fn retry_payment(&self, request: Request<RetryPaymentRequest>) -> Result<Response<RetryPaymentResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let payment = Payment { method: &asked.payment_method, return_url: &asked.return_url };
        let access = Access::to_write(&asked.access_token);
        let whole = self.retry_payment(&ctx, parse("order_id", &asked.order_id)?, &access, payment).await.map_err(status)?;
        let next_action = Some(view::next_action(&whole.order));
        Ok(Response::new(RetryPaymentResponse { order: Some(view::order(&whole, &[], Reader::Buyer)), next_action }))
    }

    async fn get_order(&self, request: Request<GetOrderRequest>) -> Result<Response<GetOrderResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let order = self.get_order(&ctx, parse("order_id", &asked.order_id)?, &Access::to_read(&asked.access_token)).await.map_err(status)?;
        Ok(Response::new(GetOrderResponse { order: Some(order) }))
    }

    async fn track_order(&self, request: Request<TrackOrderRequest>) -> Result<Response<TrackOrderResponse>, Status> {
        let asked = request.get_ref();
        let order = self.track_order(&asked.number, &asked.access_token).await.map_err(status)?;
        Ok(Response::new(TrackOrderResponse { order: Some(order) }))
    }

    async fn list_orders(&self, request: Request<ListOrdersRequest>) -> Result<Response<ListOrdersResponse>, Status> {
        let buyer = Ctx::of(&request)?.require_user()?;
        let asked = request.get_ref();
        let page = page(asked.limit, &asked.cursor)?;
        let state = view::state_filter(asked.state).map_err(status)?;
        let orders = self.list_orders(buyer, state, page).await.map_err(status)?;
        let next_cursor = next_cursor(page, orders.len(), last_order(&orders));
        Ok(Response::new(ListOrdersResponse { orders, next_cursor }))
    }

    async fn watch_order(&self, request: Request<WatchOrderRequest>) -> Result<Response<Self::WatchOrderStream>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let orders = self.watch_order(&ctx, parse("order_id", &asked.order_id)?, &Access::to_read(&asked.access_token)).await.map_err(status)?;
        let answers = orders.map(|order| order.map(|order| WatchOrderResponse { order: Some(order) }).map_err(status));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn cancel_order(&self, request: Request<CancelOrderRequest>) -> Result<Response<CancelOrderResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let id = parse("order_id", &asked.order_id)?;
        let order = self.cancel_order(&ctx, id, &Access::to_write(&asked.access_token), &asked.reason).await.map_err(status)?;
        Ok(Response::new(CancelOrderResponse { order: Some(order) }))
    }

    async fn cancel_sub_order(&self, request: Request<CancelSubOrderRequest>) -> Result<Response<CancelSubOrderResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let id = parse("sub_order_id", &asked.sub_order_id)?;
        let sub_order = self.cancel_of_part(&ctx, id, Wanted::Everything, &asked.reason).await.map_err(status)?;
        Ok(Response::new(CancelSubOrderResponse { sub_order: Some(sub_order) }))
    }

    async fn cancel_items(&self, request: Request<CancelItemsRequest>) -> Result<Response<CancelItemsResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let id = parse("sub_order_id", &asked.sub_order_id)?;
        let keep = asked.lines.iter().map(kept).collect::<Result<Vec<_>, Status>>()?;
        let sub_order = self.cancel_of_part(&ctx, id, Wanted::Keeping(&keep), &asked.reason).await.map_err(status)?;
        Ok(Response::new(CancelItemsResponse { sub_order: Some(sub_order) }))
    }

    async fn change_shipping_address(
        &self,
        request: Request<ChangeShippingAddressRequest>,
    ) -> Result<Response<ChangeShippingAddressResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let id = parse("order_id", &asked.order_id)?;
        let order = self.change_address(&ctx, id, asked.shipping_address.as_ref()).await.map_err(status)?;
        Ok(Response::new(ChangeShippingAddressResponse { order: Some(order) }))
    }

    async fn get_invoice(&self, request: Request<GetInvoiceRequest>) -> Result<Response<HttpBody>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let access = Access::to_read(&asked.access_token);
        let (number, pdf) = self.invoice(&ctx, parse("order_id", &asked.order_id)?, &access).await.map_err(status)?;
        Ok(download(pdf, "application/pdf", &format!("invoice-{number}.pdf")))
    }

    async fn list_sub_orders(&self, request: Request<ListSubOrdersRequest>) -> Result<Response<ListSubOrdersResponse>, Status> {
        let tenant = Ctx::of(&request)?.require_seller("orders.read")?;
        let asked = request.get_ref();
        let page = page(asked.limit, &asked.cursor)?;
        let filter = sub_filter(asked.state, &asked.query, asked.placed_from.as_ref(), asked.placed_before.as_ref())?;
        let sub_orders = self.list_sub_orders(tenant, &filter, page).await.map_err(status)?;
        let last = sub_orders.last().and_then(|sub| sub.sub_order_id.parse::<SubOrderId>().ok()).map(SubOrderId::uuid);
        let next_cursor = next_cursor(page, sub_orders.len(), last);
        Ok(Response::new(ListSubOrdersResponse { sub_orders, next_cursor }))
    }

    async fn get_sub_order(&self, request: Request<GetSubOrderRequest>) -> Result<Response<GetSubOrderResponse>, Status> {
        let tenant = Ctx::of(&request)?.require_seller("orders.read")?;
        let id = parse("sub_order_id", &request.get_ref().sub_order_id)?;
        let sub_order = self.get_sub_order(tenant, id).await.map_err(status)?;
        Ok(Response::new(GetSubOrderResponse { sub_order: Some(sub_order) }))
    }

    async fn export_sub_orders(&self, request: Request<ExportSubOrdersRequest>) -> Result<Response<HttpBody>, Status> {
        let tenant = Ctx::of(&request)?.require_seller("orders.read")?;
        let asked = request.get_ref();
        let filter = sub_filter(asked.state, "", asked.placed_from.as_ref(), asked.placed_before.as_ref())?;
        let csv = self.export_sub_orders(tenant, &filter).await.map_err(status)?;
        Ok(download(csv, "text/csv; charset=utf-8", "orders.csv"))
    }

    async fn list_all_orders(&self, request: Request<ListAllOrdersRequest>) -> Result<Response<ListAllOrdersResponse>, Status> {
        Ctx::of(&request)?.require_operator("orders.read")?;
        let asked = request.get_ref();
        let page = page(asked.limit, &asked.cursor)?;
        let state = view::state_filter(asked.state).map_err(status)?;
        let tenant = if asked.tenant_id.is_empty() { None } else { Some(parse::<TenantId>("tenant_id", &asked.tenant_id)?) };
        let query = Some(asked.query.trim()).filter(|query| !query.is_empty());
        let orders = self.list_all_orders(state, tenant, query, page).await.map_err(status)?;
        let next_cursor = next_cursor(page, orders.len(), last_order(&orders));
        Ok(Response::new(ListAllOrdersResponse { orders, next_cursor }))
    }
}
