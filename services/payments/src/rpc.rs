//! Translates calls: parse, call the flow, map.

use api_payments as api;
use kit_db::Scope;
use kit_rpc::proto::google_api::HttpBody;
use kit_rpc::{Ctx, parse, status};
use tonic::{Request, Response, Status};

use crate::flows::{Payments, View};
use crate::{options, settlement_view, statement, translate};

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

    async fn list_psps(&self, request: Request<api::ListPspsRequest>) -> Answer<api::ListPspsResponse> {
        Ctx::of(&request)?.require_operator("payments.read")?;
        let psps = self.psps.all().enumerate().map(|(place, psp)| options::status(psp, place == 0)).collect();
        Ok(Response::new(api::ListPspsResponse { psps }))
    }

    async fn get_payment_options(&self, request: Request<api::GetPaymentOptionsRequest>) -> Answer<api::GetPaymentOptionsResponse> {
        let purpose = options::purpose(request.get_ref())?;
        Ok(Response::new(api::GetPaymentOptionsResponse { options: options::of(&self.psps, &purpose) }))
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
        let standing = self.standing(tenant).await.map_err(status)?;
        Ok(Response::new(settlement_view::standing(&standing).map_err(status)?))
    }

    async fn list_ledger_of_tenant(&self, request: Request<api::ListLedgerOfTenantRequest>) -> Answer<api::ListLedgerOfTenantResponse> {
        let tenant = Ctx::of(&request)?.require_seller("payments.read")?;
        let before = translate::read_cursor(&request.get_ref().cursor)?;
        let (lines, next) = self.ledger_of_tenant(tenant, before, translate::page_size(request.get_ref().limit)).await.map_err(status)?;
        Ok(Response::new(api::ListLedgerOfTenantResponse { entries: translate::entries(lines), next_cursor: translate::cursor(next) }))
    }

    async fn prove_ledger(&self, request: Request<api::ProveLedgerRequest>) -> Answer<api::ProveLedgerResponse> {
        Ctx::of(&request)?.require_operator("payments.read")?;
        Ok(Response::new(settlement_view::proof(self.prove_all().await.map_err(status)?)))
    }

    async fn set_payout_account(&self, request: Request<api::SetPayoutAccountRequest>) -> Answer<api::SetPayoutAccountResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("payments.write")?;
        let wanted = request.get_ref();
        let payee = Self::set_payout_account(self, &ctx, tenant, &wanted.holder, &wanted.iban).await.map_err(status)?;
        Ok(Response::new(api::SetPayoutAccountResponse { payout_account: Some(settlement_view::payout_account(&payee)) }))
    }

    async fn list_payouts_of_tenant(&self, request: Request<api::ListPayoutsOfTenantRequest>) -> Answer<api::ListPayoutsOfTenantResponse> {
        let tenant = Ctx::of(&request)?.require_seller("payments.read")?;
        let (before, limit) = (translate::read_cursor(&request.get_ref().cursor)?, translate::page_size(request.get_ref().limit));
        let (payouts, next) = self.payouts(&Scope::Tenant(tenant), Some(tenant), None, before, limit).await.map_err(status)?;
        let payouts = payouts.iter().map(settlement_view::payout).collect();
        Ok(Response::new(api::ListPayoutsOfTenantResponse { payouts, next_cursor: translate::cursor(next) }))
    }

    async fn get_statement(&self, request: Request<api::GetStatementRequest>) -> Answer<api::GetStatementResponse> {
        let tenant = Ctx::of(&request)?.require_seller("payments.read")?;
        let wanted = request.get_ref();
        let span = settlement_view::span(&wanted.payout_id, &wanted.currency, &wanted.from, &wanted.to)?;
        let statement = self.statement(tenant, span).await.map_err(status)?;
        Ok(Response::new(api::GetStatementResponse { statement: Some(settlement_view::statement(&statement)) }))
    }

    async fn export_statement(&self, request: Request<api::ExportStatementRequest>) -> Answer<HttpBody> {
        let tenant = Ctx::of(&request)?.require_seller("payments.read")?;
        let wanted = request.get_ref();
        let span = settlement_view::span(&wanted.payout_id, &wanted.currency, &wanted.from, &wanted.to)?;
        let statement = self.statement(tenant, span).await.map_err(status)?;
        statement::file(&statement, &wanted.format).map_err(status)
    }

    async fn list_payouts(&self, request: Request<api::ListPayoutsRequest>) -> Answer<api::ListPayoutsResponse> {
        Ctx::of(&request)?.require_operator("payments.read")?;
        let wanted = request.get_ref();
        let (tenant, state) = (translate::optional("tenant_id", &wanted.tenant_id)?, settlement_view::wanted_payouts(wanted.state()));
        let (before, limit) = (translate::read_cursor(&wanted.cursor)?, translate::page_size(wanted.limit));
        let (payouts, next) = self.payouts(&Scope::Platform, tenant, state, before, limit).await.map_err(status)?;
        let payouts = payouts.iter().map(settlement_view::payout).collect();
        Ok(Response::new(api::ListPayoutsResponse { payouts, next_cursor: translate::cursor(next) }))
    }

    async fn run_settlement(&self, request: Request<api::RunSettlementRequest>) -> Answer<api::RunSettlementResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("payments.write")?;
        self.settle().await.map_err(status)?;
        let begun = self.pay_out(&ctx).await.map_err(status)?;
        self.ask_banks(&ctx).await.map_err(status)?;
        Ok(Response::new(api::RunSettlementResponse { begun }))
    }

    async fn list_disputes(&self, request: Request<api::ListDisputesRequest>) -> Answer<api::ListDisputesResponse> {
        Ctx::of(&request)?.require_operator("payments.read")?;
        let wanted = request.get_ref();
        let (before, limit) = (translate::read_cursor(&wanted.cursor)?, translate::page_size(wanted.limit));
        let (rows, next) = self.disputes(settlement_view::wanted_disputes(wanted.state()), before, limit).await.map_err(status)?;
        let disputes = rows.iter().map(settlement_view::dispute_row).collect();
        Ok(Response::new(api::ListDisputesResponse { disputes, next_cursor: translate::cursor(next) }))
    }

    async fn answer_dispute(&self, request: Request<api::AnswerDisputeRequest>) -> Answer<api::AnswerDisputeResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("payments.write")?;
        let id = parse("dispute_id", &request.get_ref().dispute_id)?;
        let row = Self::answer_dispute(self, &ctx, id, &request.get_ref().evidence).await.map_err(status)?;
        Ok(Response::new(api::AnswerDisputeResponse { dispute: Some(settlement_view::dispute_row(&row)) }))
    }

    async fn list_open_items(&self, request: Request<api::ListOpenItemsRequest>) -> Answer<api::ListOpenItemsResponse> {
        Ctx::of(&request)?.require_operator("payments.read")?;
        let wanted = request.get_ref();
        let (before, limit) = (translate::read_cursor(&wanted.cursor)?, translate::page_size(wanted.limit));
        let (items, next) = self.open_items(settlement_view::wanted_items(wanted.state()), before, limit).await.map_err(status)?;
        let (progress, _) = self.report_progress().await.map_err(status)?;
        Ok(Response::new(api::ListOpenItemsResponse {
            items: items.iter().map(settlement_view::open_item).collect(),
            next_cursor: translate::cursor(next),
            reports: progress.iter().map(settlement_view::progress).collect(),
        }))
    }

    async fn resolve_open_item(&self, request: Request<api::ResolveOpenItemRequest>) -> Answer<api::ResolveOpenItemResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("payments.write")?;
        let request = request.into_inner();
        let (item, entry) = self.resolve_item(&ctx, parse("item_id", &request.item_id)?, request.note, request.post).await.map_err(status)?;
        let entry_id = entry.map(|id| id.to_string()).unwrap_or_default();
        Ok(Response::new(api::ResolveOpenItemResponse { item: Some(settlement_view::open_item(&item)), entry_id }))
    }

    async fn reconcile(&self, request: Request<api::ReconcileRequest>) -> Answer<api::ReconcileResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("payments.write")?;
        self.reconcile_reports(&ctx).await.map_err(status)?;
        let (progress, open) = self.report_progress().await.map_err(status)?;
        let reports = progress.iter().map(settlement_view::progress).collect();
        Ok(Response::new(api::ReconcileResponse { reports, open: u32::try_from(open).unwrap_or(u32::MAX) }))
    }
}
