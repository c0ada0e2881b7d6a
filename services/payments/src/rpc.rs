//! Translates calls: parse, call the flow, map.

use api_payments as api;
use kit_rpc::{Ctx, parse, status};
use tonic::{Request, Response, Status};

use crate::flows::{Payments, View};
use crate::psp::Offer;
use crate::translate;

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl api::payments_server::Payments for Payments {
    async fn authorize(&self, request: Request<api::AuthorizeRequest>) -> Answer<api::AuthorizeResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let payment = Self::authorize(self, &ctx, translate::authorisation(request.into_inner())?).await.map_err(status)?;
        Ok(Response::new(api::AuthorizeResponse { payment: Some(translate::payment(&payment)) }))
    }

    async fn capture(&self, request: Request<api::CaptureRequest>) -> Answer<api::CaptureResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let request = request.into_inner();
        let (payment, id) = (parse("payment_id", &request.payment_id)?, parse("capture_id", &request.capture_id)?);
        let portions = self.portions(payment, &request.parts).await?;
        let (movement, payment) = Self::capture(self, &ctx, payment, id, portions).await.map_err(status)?;
        Ok(Response::new(api::CaptureResponse {
            capture: Some(translate::capture(&payment, &movement)),
            payment: Some(translate::payment(&payment)),
        }))
    }

    async fn void(&self, request: Request<api::VoidRequest>) -> Answer<api::VoidResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let payment = Self::void(self, &ctx, parse("payment_id", &request.get_ref().payment_id)?).await.map_err(status)?;
        Ok(Response::new(api::VoidResponse { payment: Some(translate::payment(&payment)) }))
    }

    async fn refund(&self, request: Request<api::RefundRequest>) -> Answer<api::RefundResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let request = request.into_inner();
        let (payment, id) = (parse("payment_id", &request.payment_id)?, parse("refund_id", &request.refund_id)?);
        let portions = self.portions(payment, &request.parts).await?;
        let (movement, payment) = Self::refund(self, &ctx, payment, id, portions, request.reason).await.map_err(status)?;
        Ok(Response::new(api::RefundResponse { refund: Some(translate::refund(&payment, &movement)), payment: Some(translate::payment(&payment)) }))
    }

    async fn get_payment(&self, request: Request<api::GetPaymentRequest>) -> Answer<api::GetPaymentResponse> {
        Ctx::of(&request)?.require_operator("payments.read")?;
        let payment = self.find(parse("payment_id", &request.get_ref().payment_id)?).await.map_err(status)?;
        Ok(Response::new(api::GetPaymentResponse { payment: Some(translate::payment(&payment)) }))
    }

    async fn resolve_payment(&self, request: Request<api::ResolvePaymentRequest>) -> Answer<api::ResolvePaymentResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("payments.write")?;
        let payment = self.resolve(&ctx, parse("payment_id", &request.get_ref().payment_id)?).await.map_err(status)?;
        Ok(Response::new(api::ResolvePaymentResponse { payment: Some(translate::payment(&payment)) }))
    }

    async fn list_payments(&self, request: Request<api::ListPaymentsRequest>) -> Answer<api::ListPaymentsResponse> {
        Ctx::of(&request)?.require_operator("payments.read")?;
        let request = request.into_inner();
        let state = translate::wanted_state(request.state());
        let (order, before) = (translate::optional("order_id", &request.order_id)?, translate::read_cursor(&request.cursor)?);
        let (payments, next) = self.list(order, state, before, translate::page_size(request.limit)).await.map_err(status)?;
        Ok(Response::new(api::ListPaymentsResponse {
            payments: payments.iter().map(translate::payment).collect(),
            next_cursor: translate::cursor(next),
        }))
    }

    async fn get_payment_options(&self, _: Request<api::GetPaymentOptionsRequest>) -> Answer<api::GetPaymentOptionsResponse> {
        let options = self.psps.all().map(|psp| option(psp.name(), psp.offer())).collect();
        Ok(Response::new(api::GetPaymentOptionsResponse { options }))
    }

    async fn list_methods(&self, request: Request<api::ListMethodsRequest>) -> Answer<api::ListMethodsResponse> {
        let methods = self.methods(Ctx::of(&request)?.require_user()?).await.map_err(status)?;
        Ok(Response::new(api::ListMethodsResponse { methods: methods.iter().map(translate::method).collect() }))
    }

    async fn delete_method(&self, request: Request<api::DeleteMethodRequest>) -> Answer<api::DeleteMethodResponse> {
        let buyer = Ctx::of(&request)?.require_user()?;
        self.forget_method(buyer, parse("method_id", &request.get_ref().method_id)?).await.map_err(status)?;
        Ok(Response::new(api::DeleteMethodResponse {}))
    }

    async fn receive_webhook(&self, request: Request<api::ReceiveWebhookRequest>) -> Answer<api::ReceiveWebhookResponse> {
        let request = request.into_inner();
        let (stored, known) = Self::receive_webhook(self, &request.psp, &request.headers, &request.content).await.map_err(status)?;
        let count = |events: u64| u32::try_from(events).unwrap_or(u32::MAX);
        Ok(Response::new(api::ReceiveWebhookResponse { stored: count(stored), known: count(known) }))
    }

    async fn list_ledger(&self, request: Request<api::ListLedgerRequest>) -> Answer<api::ListLedgerResponse> {
        Ctx::of(&request)?.require_operator("payments.read")?;
        let request = request.into_inner();
        let (order, tenant) = (translate::optional("order_id", &request.order_id)?, translate::optional("tenant_id", &request.tenant_id)?);
        let view = View { order, tenant, before: translate::read_cursor(&request.cursor)?, limit: translate::page_size(request.limit) };
        let (lines, next) = self.ledger(view).await.map_err(status)?;
        Ok(Response::new(api::ListLedgerResponse { entries: translate::entries(lines), next_cursor: translate::cursor(next) }))
    }

    async fn trial_balance(&self, request: Request<api::TrialBalanceRequest>) -> Answer<api::TrialBalanceResponse> {
        Ctx::of(&request)?.require_operator("payments.read")?;
        Ok(Response::new(translate::proof(self.prove().await.map_err(status)?)))
    }

    async fn get_balance(&self, request: Request<api::GetBalanceRequest>) -> Answer<api::GetBalanceResponse> {
        let tenant = Ctx::of(&request)?.require_seller("payments.read")?;
        let balances = self.balances_of_tenant(tenant).await.map_err(status)?;
        Ok(Response::new(api::GetBalanceResponse { balances: translate::owed(&balances).map_err(status)? }))
    }

    async fn list_ledger_of_tenant(&self, request: Request<api::ListLedgerOfTenantRequest>) -> Answer<api::ListLedgerOfTenantResponse> {
        let tenant = Ctx::of(&request)?.require_seller("payments.read")?;
        let before = translate::read_cursor(&request.get_ref().cursor)?;
        let (lines, next) = self.ledger_of_tenant(tenant, before, translate::page_size(request.get_ref().limit)).await.map_err(status)?;
        Ok(Response::new(api::ListLedgerOfTenantResponse { entries: translate::entries(lines), next_cursor: translate::cursor(next) }))
    }
}

fn option(psp: &str, offer: Offer) -> api::PaymentOption {
    api::PaymentOption {
        psp: psp.to_owned(),
        name: offer.name,
        tokenisation_url: offer.tokenisation_url,
        publishable_key: offer.publishable_key,
        origin: offer.origin,
        test_cards: offer
            .test_cards
            .into_iter()
            .map(|(number, effect)| api::TestCard { number: number.to_owned(), effect: effect.to_owned() })
            .collect(),
    }
}
