//! Translation between the contract and the flows.

use std::pin::Pin;

use api_orders::orders_server::Orders as Contract;
use api_orders::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use futures::{Stream, StreamExt};
use kit_core::{Money, TenantId};
use kit_db::Scope;
use kit_rpc::proto::google_api::HttpBody;
use kit_rpc::{Ctx, download, parse, status, violation};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::flows::checkout;
use crate::flows::place::Payment;
use crate::flows::read::Access;
use crate::return_view;
use crate::returns::{Finding, Policy, Wish};
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

fn wish(line: &ReturnLine) -> Result<Wish, Status> {
    if line.reason() == ReturnReason::Unspecified {
        return Err(violation("lines.reason", "say why"));
    }
    Ok(Wish {
        item_id: parse::<ItemId>("lines.item_id", &line.item_id)?.uuid(),
        quantity: line.quantity,
        reason: return_view::reason_text(line.reason()),
    })
}

fn finding(line: &InspectedLine) -> Result<Finding, Status> {
    let item_id = parse::<ItemId>("lines.item_id", &line.item_id)?.uuid();
    Ok(Finding { item_id, accepted: line.accepted, restocked: line.restocked })
}

fn last_return(returns: &[Return]) -> Option<Uuid> {
    returns.last().and_then(|known| known.return_id.parse::<ReturnId>().ok()).map(ReturnId::uuid)
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
        let payment = Payment { method: &asked.payment_method, return_url: &asked.return_url, save: asked.save_payment_method };
        let whole = self.place_order(&ctx, buyer, parse("checkout_id", &asked.checkout_id)?, payment).await.map_err(status)?;
        let next_action = Some(view::next_action(&whole.order));
        let access_token = whole.order.access_token.clone();
        Ok(Response::new(PlaceOrderResponse { order: Some(view::order(&whole, &[], Reader::Buyer)), next_action, access_token }))
    }

    async fn retry_payment(&self, request: Request<RetryPaymentRequest>) -> Result<Response<RetryPaymentResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let payment = Payment { method: &asked.payment_method, return_url: &asked.return_url, save: asked.save_payment_method };
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
        if asked.preview {
            let (sub_order, preview) = self.preview_cancel(&ctx, id, Wanted::Keeping(&keep)).await.map_err(status)?;
            return Ok(Response::new(CancelItemsResponse { sub_order: Some(sub_order), preview }));
        }
        let sub_order = self.cancel_of_part(&ctx, id, Wanted::Keeping(&keep), &asked.reason).await.map_err(status)?;
        Ok(Response::new(CancelItemsResponse { sub_order: Some(sub_order), preview: None }))
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
        let part = if asked.sub_order_id.is_empty() { None } else { Some(parse("sub_order_id", &asked.sub_order_id)?) };
        let (number, pdf) = self.invoice(&ctx, parse("order_id", &asked.order_id)?, part, &access).await.map_err(status)?;
        Ok(download(pdf, "application/pdf", &format!("invoice-{number}.pdf")))
    }

    async fn get_sub_order_invoice(&self, request: Request<GetSubOrderInvoiceRequest>) -> Result<Response<HttpBody>, Status> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("orders.read")?;
        let id = parse("sub_order_id", &request.get_ref().sub_order_id)?;
        let (number, pdf) = self.invoice_of_part(&ctx, tenant, id).await.map_err(status)?;
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

    async fn request_return(&self, request: Request<RequestReturnRequest>) -> Result<Response<RequestReturnResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let access = Access::to_write(&asked.access_token);
        let wishes = asked.lines.iter().map(wish).collect::<Result<Vec<_>, Status>>()?;
        let id = parse("sub_order_id", &asked.sub_order_id)?;
        let shown = self.request_return(&ctx, id, &access, &wishes, &asked.note, asked.preview).await.map_err(status)?;
        Ok(Response::new(RequestReturnResponse { r#return: Some(shown) }))
    }

    async fn get_return(&self, request: Request<GetReturnRequest>) -> Result<Response<GetReturnResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let shown = self.get_return(&ctx, parse("return_id", &asked.return_id)?, &Access::to_read(&asked.access_token)).await.map_err(status)?;
        Ok(Response::new(GetReturnResponse { r#return: Some(shown) }))
    }

    async fn withdraw_return(&self, request: Request<WithdrawReturnRequest>) -> Result<Response<WithdrawReturnResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let access = Access::to_write(&asked.access_token);
        let shown = self.withdraw_return(&ctx, parse("return_id", &asked.return_id)?, &access).await.map_err(status)?;
        Ok(Response::new(WithdrawReturnResponse { r#return: Some(shown) }))
    }

    async fn send_return(&self, request: Request<SendReturnRequest>) -> Result<Response<SendReturnResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let access = Access::to_write(&asked.access_token);
        let id = parse("return_id", &asked.return_id)?;
        let shown = self.send_return(&ctx, id, &access, &asked.carrier, &asked.tracking_number).await.map_err(status)?;
        Ok(Response::new(SendReturnResponse { r#return: Some(shown) }))
    }

    async fn get_return_label(&self, request: Request<GetReturnLabelRequest>) -> Result<Response<HttpBody>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let access = Access::to_read(&asked.access_token);
        let (number, pdf) = self.return_label(&ctx, parse("return_id", &asked.return_id)?, &access).await.map_err(status)?;
        Ok(download(pdf, "application/pdf", &format!("return-{number}.pdf")))
    }

    async fn decide_return(&self, request: Request<DecideReturnRequest>) -> Result<Response<DecideReturnResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let id = parse("return_id", &asked.return_id)?;
        let shown = self.decide_return(&ctx, id, asked.approve, &asked.answer).await.map_err(status)?;
        Ok(Response::new(DecideReturnResponse { r#return: Some(shown) }))
    }

    async fn inspect_return(&self, request: Request<InspectReturnRequest>) -> Result<Response<InspectReturnResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let id = parse("return_id", &asked.return_id)?;
        let findings = asked.lines.iter().map(finding).collect::<Result<Vec<_>, Status>>()?;
        let deduction = asked.deduction.as_ref().map_or(0, |deduction| deduction.amount_minor);
        if deduction < 0 {
            return Err(violation("deduction", "must not be negative"));
        }
        let shown = self.inspect_return(&ctx, id, &findings, deduction, &asked.answer).await.map_err(status)?;
        Ok(Response::new(InspectReturnResponse { r#return: Some(shown) }))
    }

    async fn give_refund(&self, request: Request<GiveRefundRequest>) -> Result<Response<GiveRefundResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let asked = request.get_ref();
        let (sub, id) = (parse("sub_order_id", &asked.sub_order_id)?, parse("return_id", &asked.return_id)?);
        let amount = asked.amount.as_ref().and_then(|amount| Money::try_from(amount).ok()).ok_or_else(|| violation("amount", "is not an amount"))?;
        let shown = self.give_refund(&ctx, sub, id, amount, &asked.reason).await.map_err(status)?;
        Ok(Response::new(GiveRefundResponse { r#return: Some(shown) }))
    }

    async fn list_returns(&self, request: Request<ListReturnsRequest>) -> Result<Response<ListReturnsResponse>, Status> {
        let tenant = Ctx::of(&request)?.require_seller("orders.read")?;
        let asked = request.get_ref();
        let page = page(asked.limit, &asked.cursor)?;
        let state = return_view::state_filter(asked.state);
        let returns = self.list_returns(Some(tenant), &Scope::Tenant(tenant), state, page).await.map_err(status)?;
        let next_cursor = next_cursor(page, returns.len(), last_return(&returns));
        Ok(Response::new(ListReturnsResponse { returns, next_cursor }))
    }

    async fn list_all_returns(&self, request: Request<ListAllReturnsRequest>) -> Result<Response<ListAllReturnsResponse>, Status> {
        Ctx::of(&request)?.require_operator("orders.read")?;
        let asked = request.get_ref();
        let page = page(asked.limit, &asked.cursor)?;
        let tenant = if asked.tenant_id.is_empty() { None } else { Some(parse::<TenantId>("tenant_id", &asked.tenant_id)?) };
        let state = return_view::state_filter(asked.state);
        let returns = self.list_returns(tenant, &Scope::Platform, state, page).await.map_err(status)?;
        let next_cursor = next_cursor(page, returns.len(), last_return(&returns));
        Ok(Response::new(ListAllReturnsResponse { returns, next_cursor }))
    }

    async fn get_return_policy(&self, request: Request<GetReturnPolicyRequest>) -> Result<Response<GetReturnPolicyResponse>, Status> {
        let tenant = Ctx::of(&request)?.require_seller("orders.read")?;
        let policy = self.return_policy(tenant).await.map_err(status)?;
        let least_window_days = self.config.least_return_days;
        Ok(Response::new(GetReturnPolicyResponse { policy: Some(return_view::policy(policy)), least_window_days }))
    }

    async fn set_return_policy(&self, request: Request<SetReturnPolicyRequest>) -> Result<Response<SetReturnPolicyResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("orders.write")?;
        let asked = request.into_inner().policy.unwrap_or_default();
        let send_to = checkout::address("policy.send_to", asked.send_to.as_ref()).map_err(status)?;
        let policy = Policy {
            window_days: asked.window_days,
            approve_at_once: asked.approve_at_once,
            refund_shipping: asked.refund_shipping,
            send_to,
            instructions: asked.instructions.trim().to_owned(),
        };
        let policy = self.set_return_policy(&ctx, tenant, policy).await.map_err(status)?;
        Ok(Response::new(SetReturnPolicyResponse { policy: Some(return_view::policy(policy)) }))
    }
}
